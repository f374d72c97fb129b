"""Which images stand for a series: evenly spaced ones in geometric order, or those that were asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import anyio

from ..archives.base import Archive, Place
from ..dicom.functional_groups import MOST_FRAMES, frame_count, frame_views
from ..dicom.geometry import Slice, Stack, arrange, slice_of
from ..dicom.values import DicomJson, numbers
from ..errors import BadArgument
from .instance import instance_metadata
from .slices import MOST_SLICES, stack_of

IN_TIME = "the order of frames"


@dataclass
class Sample:
    """One image of the series: the ``number``-th (from 1) in its order, and its metadata once they were read."""

    number: int
    slice: Slice
    obj: DicomJson = field(default_factory=dict)

    @property
    def frame(self) -> int:
        """The frame that stands for it: its own, or the middle one of an instance among others."""
        return self.slice.frame


async def images_of(archive: Archive, place: Place) -> tuple[Stack, DicomJson]:
    """The images of a series in order; of a single instance its frames, with its metadata."""
    stack = await stack_of(archive, place)
    if len(stack.slices) > 1:
        return stack, {}
    only = stack.slices[0].instance_uid
    obj = await instance_metadata(archive, Place(place.study_uid, place.series_uid, only))
    if frame_count(obj) == 1:
        return replace(arrange([slice_of(obj)]), notes=stack.notes), obj
    frames = await anyio.to_thread.run_sync(frame_stack, obj, abandon_on_cancel=True)
    return replace(frames, notes=(*stack.notes, *frames.notes)), obj


def frame_stack(obj: DicomJson) -> Stack:
    """The frames of one instance: in space where all of them have positions, else in their order."""
    frames = frame_count(obj)
    if frames > MOST_FRAMES:
        raise BadArgument(f"This instance has {frames:,} frames, too many for a preview: give render_frame a frame.")
    if frames <= MOST_SLICES:
        slices = [slice_of(view, frame=number) for number, view in enumerate(frame_views(obj, frames), start=1)]
        if all(one.origin and one.orientation for one in slices):
            return arrange(slices)
    uid = slice_of(obj).instance_uid
    return Stack(tuple(Slice(uid, number, frames) for number in range(1, frames + 1)), IN_TIME)


def chosen(stack: Stack, samples: int, wanted: Sequence[int] | None) -> list[Sample]:
    """The slices that were asked for, else ``samples`` evenly spaced ones. Raises BadArgument."""
    count = len(stack.slices)
    picked = list(dict.fromkeys(wanted)) if wanted else evenly(count, samples)
    for number in picked:
        if not 1 <= number <= count:
            raise BadArgument(f"There is no slice {number}: slices are numbers from 1 to {count}.")
    return [Sample(number, stack.slices[number - 1]) for number in picked]


def evenly(count: int, samples: int) -> list[int]:
    """At most ``samples`` of the numbers 1 to ``count``, the first and the last among them; the middle for one."""
    if samples == 1:
        return [(count + 1) // 2]
    steps = min(samples, count) - 1
    return [1 + (2 * nth * (count - 1) + steps) // (2 * steps) for nth in range(steps + 1)] if steps else [1]


def seconds_of(obj: DicomJson, frame: int) -> float | None:
    """When a frame of a cine comes, from the first one (PS3.3 C.7.6.5); None where nothing says it."""
    if vector := numbers(obj, "FrameTimeVector"):
        return sum(vector[:frame]) / 1_000 if len(vector) >= frame else None
    each = numbers(obj, "FrameTime")
    return (frame - 1) * each[0] / 1_000 if each else None
