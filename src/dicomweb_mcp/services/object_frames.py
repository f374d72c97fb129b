"""The frames of derived objects, such as segmentations: many small ones, of one bit often."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import anyio

from ..archives.base import Archive, ArchiveError, Busy, Failed, Frame, Place, Refused, Unreachable
from ..archives.part10.dataset import Damaged
from ..archives.part10.frames import Frames, NoPixels, NoSuchFrame
from ..dicom.values import DicomJson, integer
from .own_file import own_file

BATCH_BYTES, BATCH_FRAMES = 4 << 20, 50
NO_FRAMES = "gives no frames of this object, and its file to cut them out of cannot be read either; {} are not known."


async def object_frames(
    archive: Archive, place: Place, obj: DicomJson, numbers: Sequence[int], what: str
) -> AsyncGenerator[list[Frame], None]:
    """These frames, batch by batch. Those of one-bit pixels are cut out of the object's file from where on the archive
    declines them: Orthanc 1.10 does so with frames that are no whole number of bytes. ``what`` cannot be known without
    them.

    Raises Undecodable for an object whose pixels are not described, ArchiveError.
    """
    from ..pixels.description import PixelDescription

    step = max(1, min(BATCH_FRAMES, BATCH_BYTES // PixelDescription.of(obj, "").frame_bytes))
    left = [numbers[start : start + step] for start in range(0, len(numbers), step)]
    try:
        while left:
            frames = await archive.frames(place, left[0])
            del left[0]
            yield frames
    except (Refused, Failed):
        if integer(obj, "BitsAllocated") != 1:
            raise
    if left:
        async with aclosing(_cut_out(archive, place, what, left)) as arriving:
            async for frames in arriving:
                yield frames


async def _cut_out(
    archive: Archive, place: Place, what: str, batches: Sequence[Sequence[int]]
) -> AsyncGenerator[list[Frame], None]:
    """The frames, batch by batch, out of the object's own file. Raises ArchiveError."""
    try:
        async with own_file(archive, place) as file:
            own = await anyio.to_thread.run_sync(Frames.of, file)
            for numbers in batches:
                found = await anyio.to_thread.run_sync(own.read, numbers)
                yield [Frame(number, data, syntax) for number, (data, syntax) in zip(numbers, found, strict=True)]
    except (Busy, Unreachable):
        raise
    except (ArchiveError, Damaged, NoPixels, NoSuchFrame) as reason:
        raise Refused(archive.name, NO_FRAMES.format(what)) from reason
