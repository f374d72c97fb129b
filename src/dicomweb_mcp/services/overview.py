"""A series of a slide: which of its images shows it at a glance, and how the others are told apart."""

from collections.abc import Sequence

from ..dicom.values import DicomJson, clean, integer, raw_values

SLIDE_FIELDS = ("ImageType", "TotalPixelMatrixColumns", "TotalPixelMatrixRows")
HOW_TO_LOOK = (
    "describe_slide with series_uid names the levels, label and overview of the slide, and render_region shows any box "
    "of it, or the whole; render_frame with an instance_uid shows one image, and with frame one of its tiles."
)


def are_of_a_slide(objects: Sequence[DicomJson]) -> bool:
    """Whether all are images in tiles (PS3.3 C.8.12.4), as far as it is known."""
    return bool(objects) and all(integer(obj, "TotalPixelMatrixColumns") for obj in objects)


def overview(objects: Sequence[DicomJson]) -> DicomJson | None:
    """Of several images of a slide the one of the fewest tiles, of these the largest; never its label, and no picture
    of the whole glass where there is another. None for anything else."""
    if len(objects) < 2 or not are_of_a_slide(objects):
        return None
    images = [obj for obj in objects if not _is(obj, "LABEL")] or objects
    return min(images, key=lambda obj: (_tiles(obj), _is(obj, "OVERVIEW"), -_number(obj, "TotalPixelMatrixColumns")))


def kind(obj: DicomJson) -> str:
    """What the image is by value 3 of ImageType, in brackets."""
    values = raw_values(obj, "ImageType")
    return f" ({clean(str(values[2]), 16)})" if len(values) > 2 else ""


def is_whole(obj: DicomJson) -> bool:
    """Whether a single tile is the whole image."""
    return _tiles(obj) == 1


def _tiles(obj: DicomJson) -> int:
    """That cover the total pixel matrix once: frames may be fewer, or more in several planes and colours."""
    across = -(-_number(obj, "TotalPixelMatrixColumns") // _number(obj, "Columns"))
    return across * -(-_number(obj, "TotalPixelMatrixRows") // _number(obj, "Rows"))


def _number(obj: DicomJson, keyword: str) -> int:
    return max(1, integer(obj, keyword, 1) or 1)


def _is(obj: DicomJson, kind: str) -> bool:
    return kind in (str(value).strip() for value in raw_values(obj, "ImageType"))
