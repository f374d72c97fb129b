"""Where images lie in the patient (PS3.3 C.7.6.2): order along the normal, never by InstanceNumber."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

SAME_DIRECTION = 0.9995  # cosine; about 1.8 degrees
SAME_PLACE = 0.01  # mm
CLOSE = 0.1  # mm; positions of one place that were rounded in different ways
FAR = 20  # times as far away as the positions of one place lie apart: the next place
RIGHT_ANGLE = UNIT_LENGTH = 0.05  # how far directions may be off; files round to 2 digits and more
FARTHEST = 1e6  # mm; what lies a kilometre away is no place in a patient

T = TypeVar("T")


@dataclass(frozen=True)
class Slice:
    """One image of a series: ``frame`` counts from 1, ``position`` is in mm along the normal of the series."""

    instance_uid: str
    frame: int = 1
    frames: int = 1
    instance_number: int | None = None
    origin: tuple[float, ...] = ()
    orientation: tuple[float, ...] = ()
    position: float | None = None


@dataclass(frozen=True)
class Stack:
    """The images of a series in order; ``basis`` says by what, ``notes`` what is unusual. ``name`` says which stack of
    the series it is, where one was chosen. ``reach`` is how far in mm beyond the outer slices a position still is one
    of theirs; None where positions do not tell the slices."""

    slices: tuple[Slice, ...]
    basis: str
    notes: tuple[str, ...] = ()
    name: str = ""
    reach: float | None = None

    @property
    def is_geometric(self) -> bool:
        return self.basis == GEOMETRY


GEOMETRY = "geometric order"
NUMBER = "the order of InstanceNumber"
FRAMES = "the order of frames"


def normal(orientation: Sequence[float]) -> tuple[float, float, float] | None:
    """Cross product of row and column direction, of length 1; None when these are no directions at right angles.

    ``orientation`` is ImageOrientationPatient: six direction cosines, row first.
    """
    if len(orientation) != 6:
        return None
    rx, ry, rz, cx, cy, cz = orientation
    lengths = math.hypot(rx, ry, rz), math.hypot(cx, cy, cz)
    if any(abs(length - 1) > UNIT_LENGTH for length in lengths) or abs(rx * cx + ry * cy + rz * cz) > RIGHT_ANGLE:
        return None
    cross = (ry * cz - rz * cy, rz * cx - rx * cz, rx * cy - ry * cx)
    length = math.hypot(*cross)
    return cross[0] / length, cross[1] / length, cross[2] / length


def same_place(positions: Iterable[float], close: float = CLOSE) -> float:
    """How near positions along a normal are to be one place: SAME_PLACE, or as far as they scatter about places that
    are much farther apart; never more than ``close``."""
    ordered = sorted(positions)
    scatter, least = 0.0, math.inf
    first = ordered[0] if ordered else 0.0
    for before, position in pairwise(ordered):
        if position - before > close:
            least, first = min(least, position - before), position
        scatter = max(scatter, position - first)
    is_rounding = scatter <= close and scatter * FAR <= least < math.inf
    return min(close, max(SAME_PLACE, scatter if is_rounding else 0.0))


def by_place(items: Iterable[T], position: Callable[[T], float]) -> list[list[T]]:
    """The items by their places along a normal, ascending; which positions are one place, ``same_place`` tells."""
    placed = sorted(((position(item), item) for item in items), key=lambda pair: pair[0])
    near = same_place(place for place, _ in placed)
    found: list[list[T]] = []
    first = -math.inf
    for place, item in placed:
        if place - first > near:
            found.append([])
            first = place
        found[-1].append(item)
    return found


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    """The product of two vectors in space: with a normal of length 1, how far a point lies along it."""
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]


def arrange(slices: Sequence[Slice]) -> Stack:
    """The slices in geometric order: ascending along the cross product of row and column direction.

    Where that cannot be told (no positions, several orientations) they stay in the order of InstanceNumber, and the
    basis says so.
    """
    by_number = numbered(slices)
    if len(slices) == 1:
        return Stack(_placed(slices), GEOMETRY)
    if not all(item.origin and item.orientation for item in slices):
        lacking = sum(not (item.origin and item.orientation) for item in slices)
        return Stack(
            tuple(by_number),
            NUMBER,
            (f"{lacking} of {len(slices)} images have no position, so the order is not one in space.",),
        )
    if not all(_parallel(slices[0], item) for item in slices):
        return Stack(
            tuple(by_number),
            NUMBER,
            ("The images have different orientations (a localizer among them?), so the order is not one in space.",),
        )
    return in_space(_placed(by_number))


def numbered(slices: Iterable[Slice]) -> list[Slice]:
    """The slices by InstanceNumber, those without one at the end."""
    return sorted(slices, key=lambda item: (item.instance_number is None, item.instance_number or 0, item.frame))


def in_space(slices: Iterable[Slice]) -> Stack:
    """Slices with positions along one normal, ascending; those at one place stay in the order given."""
    placed = sorted(slices, key=lambda item: item.position or 0.0)
    repeats = sum(abs((one.position or 0.0) - (other.position or 0.0)) < SAME_PLACE for one, other in pairwise(placed))
    note = (
        f"{repeats} images lie where another one does (time points, echoes or b-values?); those at one place follow "
        "one another by InstanceNumber."
    )
    return Stack(tuple(placed), GEOMETRY, (note,) if repeats else ())


def _placed(slices: Sequence[Slice]) -> tuple[Slice, ...]:
    """The slices with their position along the first one's normal; the distance of the origin from the plane."""
    axis = normal(slices[0].orientation)
    if axis is None:
        return tuple(slices)
    return tuple(replace(item, position=dot(axis, item.origin)) if item.origin else item for item in slices)


def _parallel(one: Slice, other: Slice) -> bool:
    first, second = normal(one.orientation), normal(other.orientation)
    return bool(first and second and dot(first, second) > SAME_DIRECTION)
