"""What an object's pixels say of it, such as the volumes of its segments: measured where that costs little, or on
request."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from ..archives.base import Archive, Frame, Place
from ..archives.manners import refuse_costly
from ..dicom.kinds import Kind, kind_of
from ..dicom.objects.description import Description
from ..dicom.values import DicomJson, clean
from ..errors import Problem
from .costs import expected_bytes
from .object_frames import object_frames

if TYPE_CHECKING:
    from ..pixels.measures.tally import Measured, Tally

FEW_BYTES, FEW_FRAMES = 16 << 20, 500  # uncompressed; measured unasked
MOST_BYTES, MOST_FRAMES = 256 << 20, 10_000  # measured on request
MOST_SECONDS = 60.0
LONGEST_REASON = 300
WHAT = {Kind.SEGMENTATION: "volumes", Kind.RT_DOSE: "the maximum dose", Kind.PARAMETRIC_MAP: "the range of values"}


@dataclass(frozen=True)
class Cost:
    """What has to be fetched: frames, and their bytes without compression."""

    frames: int
    bytes: int

    def is_within(self, frames: int, size: int) -> bool:
        return self.frames <= frames and self.bytes <= size

    def __str__(self) -> str:
        return f"{self.frames:,} frames of {max(1, self.bytes // 1_000):,} kB in all"


async def measure(archive: Archive, place: Place, obj: DicomJson, found: Description, always: bool | None) -> None:
    """Add to a description what its pixels say, or to what is elided how to learn it.

    ``always`` measures larger objects too, False none at all. That something could not be measured is a note.
    """
    kind = kind_of(obj)
    if kind not in WHAT or always is False:
        return
    try:
        measured = await _measured(archive, place, obj, found, kind, always=bool(always))
    except Problem as problem:
        found.notes.append(f"Not measured: {clean(str(problem), LONGEST_REASON)}")
        return
    if measured:
        _merge(found, measured)


async def _measured(
    archive: Archive, place: Place, obj: DicomJson, found: Description, kind: Kind, *, always: bool
) -> "Measured | None":
    """What the frames say; None where they are too many, which is then said."""
    from ..pixels.description import PixelDescription
    from ..pixels.measures import TALLIES

    tally = await anyio.to_thread.run_sync(TALLIES[kind], obj, abandon_on_cancel=True)
    numbers = tally.frames
    if not numbers:
        return None
    description = PixelDescription.of(obj, "")
    cost = Cost(len(numbers), len(numbers) * description.frame_bytes)
    if not cost.is_within(MOST_FRAMES, MOST_BYTES):
        found.elided.append(f"{WHAT[kind]}: {cost} are too many to be measured here.")
        return None
    if not always and not cost.is_within(FEW_FRAMES, FEW_BYTES):
        found.elided.append(f"{WHAT[kind]}: volumes=true, which reads {cost}.")
        return None
    series = Place(place.study_uid, place.series_uid)
    refuse_costly(archive, expected_bytes(archive, series, [(place.instance_uid or "", obj, numbers)]), series)
    with anyio.move_on_after(MOST_SECONDS) as limit:
        async with aclosing(object_frames(archive, place, obj, numbers, WHAT[kind])) as arriving:
            async for frames in arriving:
                await anyio.to_thread.run_sync(_add, tally, obj, frames, abandon_on_cancel=True)
        return await anyio.to_thread.run_sync(tally.result, abandon_on_cancel=True)
    assert limit.cancelled_caught
    found.notes.append(
        f"Not measured: reading {cost} took more than {MOST_SECONDS:g} s. Try again, or without volumes."
    )
    return None


def _add(tally: "Tally", obj: DicomJson, frames: Sequence[Frame]) -> None:
    from ..pixels.decode import decode
    from ..pixels.description import PixelDescription
    from ..pixels.problems import Undecodable

    for frame in frames:
        description = PixelDescription.of(obj, frame.transfer_syntax)
        if description.samples_per_pixel > 1:
            raise Undecodable("Its pixels are colours, which measure nothing.")
        tally.add(frame.number, decode(frame.data, description).array)


def _merge(found: Description, measured: "Measured") -> None:
    """What was measured of a segment goes into its row."""
    found.facts |= measured.facts
    found.notes += measured.notes
    for row in found.items:
        row |= measured.rows.get(row.get("SegmentNumber", -1), {})
