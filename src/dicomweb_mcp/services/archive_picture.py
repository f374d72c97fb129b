"""Pictures that the archive rendered: of large colour images because that is cheaper, of others as the last resort.

Never of grey by choice: a server without a window takes one of its own, which says nothing about values.
"""

from functools import partial
from typing import TYPE_CHECKING

import anyio

from ..archives.base import Archive, ArchiveError
from ..dicom.functional_groups import frame_view
from ..dicom.values import DicomJson, clean, integer, text
from ..pixels.request import Format
from .captions import edge_facts, lossy_words, scale_of, size
from .slices import Choice

if TYPE_CHECKING:
    from ..pixels.picture import Picture

LONGEST_PROBLEM = 300  # it may repeat what the metadata say
LARGE_FRAME = 24_000_000  # bytes, uncompressed
MUCH_SMALLER = 2  # times, along an edge
MB = 1_000_000

Facts = dict[str, str]


def is_cheaper(archive: Archive, obj: DicomJson, size: int) -> bool:
    """Whether a picture of ``size`` had better be made by the archive than from the stored frame: its colours need no
    window, and it is a small part of a large frame's bytes."""
    photometric = text(obj, "PhotometricInterpretation").upper()
    if not archive.profile.renders_colour or not photometric or photometric.startswith("MONOCHROME"):
        return False
    return _frame_bytes(obj) > LARGE_FRAME and max(_native(obj)) >= MUCH_SMALLER * size


async def large_colour(archive: Archive, choice: Choice, longest: int, format: Format) -> tuple["Picture", Facts]:
    """The archive's picture of a large colour frame, and its facts. Raises ArchiveError or Undecodable."""
    from ..pixels.icc import has_profile

    obj = choice.obj
    picture = await _fetched(archive, choice, longest, format)
    profile = "; whether it applied the ICC profile of the file is not known" if has_profile(_view(choice)) else ""
    lossy = lossy_words(text(obj, "LossyImageCompression") == "01")
    return picture, {
        "window": f"none, colour as the archive made it{profile}",
        **_common(choice, picture),
        **scale_of((0, 0, *_native(obj)), picture.width, picture.height),
        "pixels": f"{text(obj, 'PhotometricInterpretation')}, {lossy}",
        "rendered by": f"the archive at {picture.width} x {picture.height} pixels, because the stored frame is large "
        f"({_frame_bytes(obj) / MB:.0f} MB uncompressed); region, probe and statistics read the stored frame",
    }


async def last_resort(
    archive: Archive, choice: Choice, longest: int, format: Format, problem: Exception
) -> tuple["Picture", Facts]:
    """The archive's own picture, with its own window, of a frame that this program cannot show because of ``problem``.

    Raises the problem when the archive cannot either, or Undecodable.
    """
    try:
        picture = await _fetched(archive, choice, longest, format)
    except ArchiveError:
        raise problem from None
    return picture, {
        "window": "the archive's own, not known here: brightness says nothing about values",
        **_common(choice, picture),
        "rendered by": f"the archive, because this program could not: {clean(str(problem), LONGEST_PROBLEM)}",
    }


async def _fetched(archive: Archive, choice: Choice, longest: int, format: Format) -> "Picture":
    """The archive's picture, asked for in the shape of the stored frame: some servers pad what has another shape."""
    from ..pixels.media import from_media
    from ..pixels.render import pixel_height

    columns, rows = native = _native(choice.obj)
    scale = min(1.0, longest / max(native))
    viewport = max(1, round(columns * scale)), max(1, round(rows * scale))
    media = await archive.rendered(choice.place, choice.frame, viewport=viewport)
    work = partial(
        from_media, media.data, size=longest, format=format, native=native, pixel_height=pixel_height(_view(choice))
    )
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)


def _common(choice: Choice, picture: "Picture") -> Facts:
    columns, rows = _native(choice.obj)
    return {
        **edge_facts(_view(choice)),
        "native size": f"{columns} x {rows} pixels (columns x rows)",
        "picture": size(picture),
    }


def _view(choice: Choice) -> DicomJson:
    return frame_view(choice.obj, choice.frame - 1)


def _native(obj: DicomJson) -> tuple[int, int]:
    """Columns and rows."""
    return integer(obj, "Columns", 1) or 1, integer(obj, "Rows", 1) or 1


def _frame_bytes(obj: DicomJson) -> int:
    """Of one uncompressed frame, as its attributes have it: they may be anything still."""
    columns, rows = _native(obj)
    return columns * rows * (integer(obj, "SamplesPerPixel", 1) or 1) * (integer(obj, "BitsAllocated", 8) or 8) // 8
