"""Which images stand for a series: evenly spaced ones in geometric order, or those that were asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..dicom.functional_groups import frame_count
from ..dicom.geometry import Slice, Stack
from ..dicom.values import DicomJson, numbers
from ..dicom.volume.reformat import PlaneName
from ..errors import BadArgument
from ..pixels.request import DEFAULT_SIZE, Format


@dataclass(frozen=True)
class SeriesRequest:
    """Which images of a series, and how they are to be shown; as ``preview_series`` takes it."""

    study_uid: str | None = None
    series_uid: str | None = None
    samples: int = 9
    slices: Sequence[int] | None = None
    stack: int | str | None = None
    plane: PlaneName = "native"
    compare_with: str | None = None
    overlay: str | None = None
    segment: int | str | None = None
    windows: Sequence[str] = ("auto",)
    size: int = DEFAULT_SIZE
    format: Format = "auto"


@dataclass
class Sample:
    """One image of the series: the ``number``-th (from 1) in its order, and its metadata once they were read."""

    number: int
    slice: Slice
    obj: DicomJson = field(default_factory=dict)

    @property
    def frame(self) -> int:
        """The frame that stands for it: its own."""
        return self.slice.frame

    def tell(self, obj: DicomJson) -> None:
        """Its metadata; of several frames without places the middle one stands for them."""
        frames = frame_count(obj)
        frame = self.slice.frame if self.slice.origin else (frames + 1) // 2
        self.obj, self.slice = obj, replace(self.slice, frame=frame, frames=frames)


def chosen(
    stack: Stack, samples: int, wanted: Sequence[int] | None, metadata: Mapping[str, DicomJson] | None = None
) -> list[Sample]:
    """The slices that were asked for, else ``samples`` evenly spaced ones; with their metadata, where they are known by
    SOPInstanceUID. Raises BadArgument."""
    count = len(stack.slices)
    picked = list(dict.fromkeys(wanted)) if wanted else evenly(count, samples)
    for number in picked:
        if not 1 <= number <= count:
            raise BadArgument(f"There is no slice {number}: slices are numbers from 1 to {count}.")
    return [sample_of(stack, number, metadata or {}) for number in picked]


def sample_of(stack: Stack, number: int, metadata: Mapping[str, DicomJson]) -> Sample:
    """The ``number``-th slice, with its metadata where they are known: of a single object each frame is an image."""
    sample = Sample(number, stack.slices[number - 1])
    obj = metadata.get(sample.slice.instance_uid, {})
    if len(metadata) == 1:
        sample.obj = obj
    elif obj:
        sample.tell(obj)
    return sample


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
