"""The images that a presentation state shows: by series, those that it blends, the inputs of a volumetric one."""

from collections.abc import Iterator
from typing import Any

from ..facts import filled, first_few
from ..values import DicomJson, clean, items, number, text
from .attributes import shown
from .sop_references import SopReference, reference, uid_of

MOST_SERIES = 200
MOST_UIDS = 5  # of one series


def _images(holder: DicomJson) -> Iterator[tuple[str, list[SopReference]]]:
    """Series UIDs with their referenced images (Presentation State Relationship, C.11.11)."""
    for series in items(holder, "ReferencedSeriesSequence")[:MOST_SERIES]:
        yield (
            uid_of(series, "SeriesInstanceUID"),
            [reference(item) for item in items(series, "ReferencedImageSequence")],
        )


def _row(series_uid: str, images: list[SopReference]) -> dict[str, Any]:
    return filled(
        SeriesInstanceUID=series_uid,
        SOPClassUID=", ".join(sorted({image.class_name for image in images} - {""})),
        images=len(images),
        SOPInstanceUID=first_few([image.listed for image in images], MOST_UIDS),
    )


def shown_series(obj: DicomJson) -> list[dict[str, Any]]:
    """A row per series that the state applies to."""
    return [_row(uid, images) for uid, images in _images(obj)]


def blended(obj: DicomJson) -> list[dict[str, Any]]:
    """The images of a blending state: which lie below and which above (C.11.14), or the inputs of C.11.29."""
    rows = []
    for item in (items(obj, "BlendingSequence") + items(obj, "AdvancedBlendingSequence"))[:MOST_SERIES]:
        own = filled(
            BlendingPosition=clean(text(item, "BlendingPosition"), 16),
            BlendingInputNumber=number(item, "BlendingInputNumber"),
            StudyInstanceUID=uid_of(item, "StudyInstanceUID"),
            **_window(item),
        )
        found = list(_images(item))
        rows += [own | _row(uid, images) for uid, images in found]
        if not found:
            rows.append(own | _row(uid_of(item, "SeriesInstanceUID"), []))
    return rows


def inputs(obj: DicomJson) -> list[dict[str, Any]]:
    """The inputs of a volumetric presentation state (C.11.23)."""
    rows = []
    for item in items(obj, "VolumetricPresentationStateInputSequence")[:MOST_SERIES]:
        images = [reference(held) for held in items(item, "ReferencedImageSequence")]
        own = shown(item, "VolumetricPresentationInputNumber", "PresentationInputType") | _window(item)
        rows.append(own | _row("", images))
    return rows


def _window(item: DicomJson) -> dict[str, str]:
    held = (items(item, "SoftcopyVOILUTSequence") or [{}])[0]
    center, width = number(held, "WindowCenter"), number(held, "WindowWidth")
    return {} if center is None or width is None else {"window": f"center {center:.10g}, width {width:.10g}"}
