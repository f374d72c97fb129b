"""The parts of a series that can be walked through from end to end: its stacks, and where several images lie at each
position, those of one time point, b-value, echo, ..."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median_low
from typing import NamedTuple

from ..functional_groups import MOST_FRAMES, frame_count
from ..geometry import CLOSE, NUMBER, Slice, Stack, in_space, numbered
from ..values import DicomJson, integer, text
from .dimensions import Varied
from .orientation import nearest_plane, orientation
from .plane import Grid, Key, Plane, planes
from .stacks import PlaneStack, stacks
from .tables import CLOCKS, DIMENSIONS
from .words import mm

TIMES = frozenset(
    {"TriggerTime", "NominalCardiacTriggerDelayTime", "FrameReferenceTime", "AcquisitionNumber",
     "FrameAcquisitionNumber", *(clock.keyword for clock in CLOCKS)}
)  # fmt: skip
"""What may be another value in each slice of one and the same time point: its rank at the position counts then."""

KEY_PLACES = {dimension.keyword: place for place, dimension in enumerate(DIMENSIONS)}
CLOCK_PLACES = {dimension.keyword: place for place, dimension in enumerate(CLOCKS)}
NO_PLACE = "no position"
BEYOND = "others"  # of more orientations than are held against one another
LOCALIZER = "localizer"


class Image(NamedTuple):
    """One image or frame, and where it lies."""

    slice: Slice
    plane: Plane


@dataclass(frozen=True)
class Part:
    """Images of one stack that are of one kind, ascending along the normal; ``stack`` is None for those that are
    in none. ``apart`` is what tells them from the others of the stack, ``values`` are all values that they share."""

    slices: tuple[Slice, ...]
    stack: PlaneStack | None = None
    apart: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """The words by which it can be called."""
        if self.stack is None:
            return frozenset({self.words})
        first = orientation(self.stack.normal).partition(",")[0]
        return frozenset({first, nearest_plane(self.stack.normal), *([LOCALIZER] * self.stack.grid.is_localizer)})

    @property
    def words(self) -> str:
        """``axial, EchoTime=30``"""
        if self.stack is None:
            return BEYOND if self.slices[0].origin else NO_PLACE
        where = orientation(self.stack.normal).partition(" towards")[0]
        kind = f"{LOCALIZER}, {where}" if self.stack.grid.is_localizer else where
        return ", ".join([kind, *(f"{keyword}={value}" for keyword, value in self.apart.items())])

    @property
    def extent(self) -> str:
        """``20 images of 512 x 512, -100 to 90 mm``"""
        number = f"{len(self.slices)} image{'s' * (len(self.slices) != 1)}"
        if self.stack is None:
            return number
        first, last = (mm(self.slices[end].position or 0.0) for end in (0, -1))
        size = f" of {self.stack.grid.columns} x {self.stack.grid.rows}" if self.stack.grid.rows else ""
        return f"{number}{size}, " + (f"{first:g} mm" if first == last else f"{first:g} to {last:g} mm")

    def walked(self) -> Stack:
        """Its slices as a stack of their own."""
        if self.stack is None:
            return Stack(self.slices, NUMBER)
        return replace(in_space(self.slices), reach=reach(self.slices, self.stack.grid))


def images_of(obj: DicomJson, *, each_frame: bool = False) -> list[Image]:
    """The images of an object: one for each frame where all have a place or with ``each_frame``, else one for all."""
    frames = min(frame_count(obj), MOST_FRAMES)
    found = planes(obj)[:frames]
    if len(found) != frames or not all(plane.is_placed for plane in found):
        found = [replace(found[0], origin=(), frames=1)] * (frames if each_frame else 1)
    uid, number = text(obj, "SOPInstanceUID"), integer(obj, "InstanceNumber")
    return [
        Image(Slice(uid, index, frame_count(obj), number, plane.origin, plane.grid.orientation), plane)
        for index, plane in enumerate(found, start=1)
    ]


def parts(images: Sequence[Image]) -> list[Part]:
    """The parts of a series, each image in one of them: the stacks as ``describe_geometry`` lists them, then the
    localizers, then what is in no stack."""
    waiting: dict[int, deque[Slice]] = {}  # frames of one place share their plane
    for image in images:
        waiting.setdefault(id(image.plane), deque()).append(image.slice)
    found: list[Part] = []
    for stack in _stacks(images):
        members = [[Image(waiting[id(plane)].popleft(), plane) for plane in inside] for inside in stack.members]
        found += _told_apart(stack, members)
    rest = numbered(item for slices in waiting.values() for item in slices)
    beyond, nowhere = (tuple(item for item in rest if bool(item.origin) is placed) for placed in (True, False))
    return [*found, *(Part(slices) for slices in (beyond, nowhere) if slices)]


def is_plain(images: Sequence[Image]) -> bool:
    """Whether all images have a place, in one stack and each in one of its own: nothing else can part them."""
    found = _stacks(images)
    return all(image.plane.is_placed for image in images) and len(found) == 1 and found[0].times.most == 1


def reach(slices: Sequence[Slice], grid: Grid) -> float:
    """Half of the usual step from one slice to the next; of a single one half its thickness."""
    places = sorted({item.position or 0.0 for item in slices})
    steps = [after - before for before, after in pairwise(places)]
    return max((median_low(steps) if steps else grid.thickness) / 2, CLOSE)


def _stacks(images: Sequence[Image]) -> list[PlaneStack]:
    placed = [image.plane for image in images if image.plane.is_placed]
    volumes = [plane for plane in placed if not plane.grid.is_localizer]
    localizers = [plane for plane in placed if plane.grid.is_localizer]
    return [stack for group in (volumes, localizers) if group for stack in stacks(group)[0]]


def _told_apart(stack: PlaneStack, members: Sequence[Sequence[Image]]) -> list[Part]:
    """One part for each combination of the values by which images at one position differ."""
    ranked = [varied.dimension.keyword for varied in stack.times.varied if _is_ranked(varied)]
    valued = [varied.dimension.keyword for varied in stack.times.varied if not _is_ranked(varied)]
    found: dict[tuple[Key, ...], list[Image]] = {}
    for position, images in zip(stack.positions, members, strict=True):
        groups: dict[tuple[Key, ...], list[Image]] = {}
        for image in images:
            own = tuple(_value(image.plane, keyword) for keyword in valued)
            groups.setdefault(own, []).append(image)
        for own, group in groups.items():
            ranks = [_ranks(group, keyword) for keyword in ranked]
            for image in group:
                key = (*own, *(rank[_value(image.plane, name)] for name, rank in zip(ranked, ranks, strict=True)))
                placed = image._replace(slice=replace(image.slice, position=position))
                found.setdefault(key, []).append(placed)
    return [
        _part(stack, found[key], {name: _said(value) for name, value in zip((*valued, *ranked), key, strict=True)})
        for key in sorted(found, key=lambda key: [_order(value) for value in key])
    ]


def _part(stack: PlaneStack, images: Sequence[Image], apart: Mapping[str, str]) -> Part:
    shared: dict[str, str] = {}
    for dimension in DIMENSIONS:
        values = {_value(image.plane, dimension.keyword) for image in images}
        if len(values) == 1 and None not in values:
            shared[dimension.keyword] = _said(values.pop())
    return Part(in_space(numbered(image.slice for image in images)).slices, stack, apart, {**shared, **apart})


def _is_ranked(varied: Varied) -> bool:
    return varied.dimension.keyword in TIMES and len(varied.values) > varied.count


def _ranks(group: Sequence[Image], keyword: str) -> dict[Key, float]:
    """The place of each value among those at one position, from 1."""
    values = sorted({_value(image.plane, keyword) for image in group}, key=_order)
    return {value: float(place) for place, value in enumerate(values, start=1)}


def _value(plane: Plane, keyword: str) -> Key:
    if keyword in CLOCK_PLACES:
        return plane.clocks[CLOCK_PLACES[keyword]]
    return plane.keys[KEY_PLACES[keyword]]


def _order(value: Key) -> tuple[bool, bool, float | str]:
    """None, then numbers, then text."""
    return value is not None, isinstance(value, str), 0.0 if value is None else value


def _said(value: Key) -> str:
    return "none" if value is None else f"{value:.7g}" if isinstance(value, float) else value
