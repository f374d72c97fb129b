"""Stacks of parallel planes: which planes belong together, how far apart they lie, and whether they line up.

Everything here is the same whatever the order of the planes.
"""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from statistics import median_low

from ..geometry import CLOSE, dot, normal, same_place
from .dimensions import Multiplicity, multiplicity
from .plane import Grid, Plane, Vector

SAME_COSINE = 0.001  # 0.06 degrees, half a millimetre at the far edge of an image; files round to 4 digits and more
SAME_SPACING = 0.001  # of the pixel spacing; half a pixel over 512
SPACING_PART = 0.01  # of the spacing; what viewers and libraries tolerate
PLACE_PART = 0.1  # of a pixel: for microscopic pixels a fixed distance would be several slices
IN_PLANE = 0.2  # mm; coordinates written to 0.1 mm differ by 0.1 in either direction
LEAST_SHEAR = 0.1  # degrees; less moves the last slice of half a metre by less than a millimetre
ROUNDINGS = (0.1, 0.01)  # mm; to what positions are written in some files
NOISE = 1e-6  # mm; floating point
MOST_GRIDS = 50  # that are held against one another; more are no stacks
MOST_ORIGINS = 20


@dataclass(frozen=True)
class Gap:
    """A step between two neighbouring positions that is not the usual one; ``missing`` slices would fill it."""

    after: float
    before: float
    missing: int = 0

    @property
    def size(self) -> float:
        return self.before - self.after


@dataclass(frozen=True)
class Run:
    """Steps of one size in a row, from the position ``first`` to ``last``."""

    first: float
    last: float
    steps: int

    @property
    def spacing(self) -> float:
        return (self.last - self.first) / self.steps


@dataclass(frozen=True)
class PlaneStack:
    """Planes of one grid. ``members`` are those at each position, ascending along the normal; ``shear`` is the angle
    in degrees between the normal and the line through the origins, ``scatter`` how far in mm they lie from it."""

    grid: Grid
    members: tuple[tuple[Plane, ...], ...]
    positions: tuple[float, ...]
    shear: float
    scatter: float
    same_place: float
    rounding: float

    @property
    def images(self) -> int:
        return sum(map(len, self.members))

    @property
    def normal(self) -> Vector:
        return normal(self.grid.orientation) or ()

    @cached_property
    def times(self) -> Multiplicity:
        """How many images lie at each position, and why."""
        return multiplicity(self.members)

    @cached_property
    def spacing(self) -> float | None:
        """The usual step from one position to the next: the mean of those that are like the median."""
        steps = self._steps()
        if not steps:
            return None
        median = median_low(steps)
        likely = max(self._strict(median), self.rounding)
        usual = [step for step in steps if abs(step - median) <= likely]
        return sum(usual) / len(usual)

    @cached_property
    def gaps(self) -> list[Gap]:
        """The steps that are not the usual one."""
        usual = self.spacing
        if usual is None:
            return []
        loose = max(self._strict(usual), self.rounding)
        far = self._unlike(usual, loose)
        found = far if far or self._is_even() else self._unlike(usual, self._strict(usual))
        if sum(gap.missing for gap in found) <= len(self.positions):
            return found
        return [replace(gap, missing=0) for gap in found]  # more gap than stack: these are parts of their own

    @cached_property
    def runs(self) -> list[Run]:
        """Equal steps in a row, in the order of position."""
        found: list[Run] = []
        for before, after in pairwise(self.positions):
            if found and abs(after - before - found[-1].spacing) <= self._strict(after - before):
                found[-1] = Run(found[-1].first, after, found[-1].steps + 1)
            else:
                found.append(Run(before, after, 1))
        return found

    @property
    def is_aligned(self) -> bool:
        return not self.shear and not self.scatter

    def _strict(self, spacing: float) -> float:
        return max(SPACING_PART * spacing, self.same_place) + NOISE

    def _steps(self) -> list[float]:
        return [after - before for before, after in pairwise(self.positions)]

    def _unlike(self, usual: float, tolerance: float) -> list[Gap]:
        return [
            Gap(before, after, _missing(after - before, usual, tolerance))
            for before, after in pairwise(self.positions)
            if abs(after - before - usual) > tolerance
        ]

    def _is_even(self) -> bool:
        """Whether the positions are those of equal steps but for rounding: steps of 0.6 and 0.7 mm can be steps of
        0.625 mm, when they do not add up to anything else."""
        first, count = self.positions[0], len(self.positions) - 1
        step = (self.positions[-1] - first) / count
        tolerance = max(self.rounding, NOISE)
        return all(abs(place - first - index * step) <= tolerance for index, place in enumerate(self.positions))


def stacks(planes: Sequence[Plane]) -> tuple[list[PlaneStack], int]:
    """The stacks of planes that have a position, the largest first; and how many planes were not looked at, because
    there are more than MOST_GRIDS orientations and sizes."""
    groups, beyond = _alike(planes)
    found = [stack for group in groups for stack in _by_origin(group)]
    return sorted(found, key=lambda stack: (-stack.images, _order(stack.grid), stack.positions)), beyond


def _alike(planes: Sequence[Plane]) -> tuple[list[list[Plane]], int]:
    """Planes by frame of reference, orientation and size; and how many there are beyond the first MOST_GRIDS."""
    heads: list[Grid] = []
    place: dict[Grid, int] = {}
    for grid in sorted({plane.grid for plane in planes}, key=_order):
        like = next((index for index, head in enumerate(heads) if _same(head, grid)), len(heads))
        if like == len(heads):
            if like == MOST_GRIDS:
                continue
            heads.append(grid)
        place[grid] = like
    groups: list[list[Plane]] = [[] for _ in heads]
    for plane in planes:
        if plane.grid in place:
            groups[place[plane.grid]].append(plane)
    return groups, len(planes) - sum(map(len, groups))


def _order(grid: Grid) -> tuple[object, ...]:
    return (grid.frame_of_reference, grid.orientation, grid.rows, grid.columns, grid.pixel_spacing, grid.thickness,
            grid.tilt, grid.is_localizer)  # fmt: skip


def _same(one: Grid, other: Grid) -> bool:
    return (
        (one.frame_of_reference, one.rows, one.columns) == (other.frame_of_reference, other.rows, other.columns)
        and same_orientation(one, other)
        and same_spacing(one, other)
    )


def same_orientation(one: Grid, other: Grid) -> bool:
    return _near(one.orientation, other.orientation, SAME_COSINE)


def same_spacing(one: Grid, other: Grid) -> bool:
    """Whether the pixels have the same size."""
    return _near(one.pixel_spacing, other.pixel_spacing, SAME_SPACING * max(one.pixel_spacing, default=0.0))


def _near(one: Vector, other: Vector, tolerance: float) -> bool:
    return len(one) == len(other) and all(abs(a - b) <= tolerance for a, b in zip(one, other, strict=True))


def _by_origin(group: list[Plane]) -> list[PlaneStack]:
    """One stack, or several where the planes have few origins within the plane, each of them several times."""
    stack = _stack(group)
    if not stack.scatter:
        return [stack]
    tolerance = _in_plane_tolerance(stack.grid)
    clusters: list[tuple[tuple[float, float], list[Plane]]] = []
    for aside, plane in sorted(((_in_plane(stack.grid, plane), plane) for plane in group), key=lambda pair: pair[0]):
        near = next((inside for head, inside in reversed(clusters) if _near(head, aside, tolerance)), None)
        if near is not None:
            near.append(plane)
        elif len(clusters) < MOST_ORIGINS:
            clusters.append((aside, [plane]))
        else:
            return [stack]
    return [_stack(inside) for _, inside in clusters] if 2 * len(clusters) <= len(group) else [stack]


def _stack(group: Sequence[Plane]) -> PlaneStack:
    grid = min((plane.grid for plane in group), key=_order)
    axis = normal(grid.orientation) or (0.0, 0.0, 1.0)
    placed = sorted(((dot(axis, plane.origin), plane) for plane in group), key=lambda pair: pair[0])
    close = min(CLOSE, PLACE_PART * min(grid.pixel_spacing, default=1.0))
    near = same_place((position for position, _ in placed), close)
    heads: list[float] = []
    members: list[list[Plane]] = []
    for position, plane in placed:
        if heads and position - heads[-1] <= near:
            members[-1].append(plane)
        else:
            heads.append(position)
            members.append([plane])
    shear, scatter = _alignment(grid, placed)
    return PlaneStack(
        grid, tuple(map(tuple, members)), tuple(heads), shear, scatter, near, _rounding(group, axis, heads)
    )


def _in_plane_tolerance(grid: Grid) -> float:
    return min(IN_PLANE, min(grid.pixel_spacing, default=1.0) / 2)


def _axes(grid: Grid) -> tuple[Vector, Vector]:
    """Along a row and along a column."""
    return grid.orientation[:3], grid.orientation[3:]


def _in_plane(grid: Grid, plane: Plane) -> tuple[float, float]:
    row, column = _axes(grid)
    return dot(row, plane.origin), dot(column, plane.origin)


def _alignment(grid: Grid, placed: Sequence[tuple[float, Plane]]) -> tuple[float, float]:
    """Shear in degrees and scatter in mm; 0 for what is within the tolerances."""
    positions = array("d", (position for position, _ in placed))
    sides = [array("d", (dot(axis, plane.origin) for _, plane in placed)) for axis in _axes(grid)]
    tolerance = _in_plane_tolerance(grid)
    if all(_spread(side) <= tolerance for side in sides):
        return 0.0, 0.0
    slopes = [_slope(positions, side) for side in sides]
    scatter = max(
        _spread(array("d", (value - slope * position for position, value in zip(positions, side, strict=True))))
        for slope, side in zip(slopes, sides, strict=True)
    )
    shear = math.degrees(math.atan(math.hypot(*slopes)))
    if scatter > tolerance:
        return 0.0, scatter
    return (shear if shear > LEAST_SHEAR else 0.0), 0.0


def _slope(positions: Sequence[float], values: Sequence[float]) -> float:
    """Of the straight line through values at positions, by least squares; 0 when there is one position only."""
    count = len(positions)
    middle, mean = math.fsum(positions) / count, math.fsum(values) / count
    square = math.fsum((position - middle) ** 2 for position in positions)
    if square < NOISE:
        return 0.0
    product = math.fsum((position - middle) * (value - mean) for position, value in zip(positions, values, strict=True))
    return product / square


def _spread(values: Sequence[float]) -> float:
    return max(values) - min(values)


def _rounding(group: Sequence[Plane], axis: Vector, positions: Sequence[float]) -> float:
    """How far a position may be off because the coordinates that vary were written to few digits; 0 where they were
    not, or where steps are too small to tell."""
    if len(positions) < 3:
        return 0.0
    sides = [array("d", (plane.origin[axis] for plane in group)) for axis in range(3)]
    varying = [index for index, side in enumerate(sides) if _spread(side) > NOISE]
    least = median_low(after - before for before, after in pairwise(positions)) / 3
    for unit in ROUNDINGS:
        digits = round(-math.log10(unit))
        if all(abs(round(value, digits) - value) < NOISE for index in varying for value in sides[index]):
            off = unit * sum(abs(axis[index]) for index in varying) + NOISE
            if off < least:
                return off
    return 0.0


def _missing(size: float, usual: float, loose: float) -> int:
    """How many slices would fill a gap of whole multiples of the usual step; 0 when it is none."""
    times = round(size / usual)
    off = abs(size - times * usual)
    return times - 1 if times > 1 and off <= min(max(loose, SPACING_PART * size), usual / 4) else 0
