"""Planar contours of regions of interest (PS3.3 C.8.8.6): their planes, areas and the volume they estimate."""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import mul
from statistics import median_low

from ...geometry import FARTHEST, SAME_PLACE, same_place
from ...values import DicomJson, element

FLATTEST = 0.2  # mm that the points of one contour may lie off their plane
ALONG_AN_AXIS = 1 - 1e-9  # cosine; 0.02 mm over a contour of 400 mm
DIGITS = 9  # of heights in mm
EVEN = 0.01  # share of the spacing by which a gap may differ from it
NOTICEABLE = 1e-6  # share of an area
STRIPS = 32
CROSSINGS = 16  # of an edge with the heights at which its plane is cut, on average
FREE_CROSSINGS = 5_000

Vector = tuple[float, float, float]
Path = list[tuple[float, float]]


class Malformed(Exception):
    """Contour data that are not points; the message says why."""


@dataclass(frozen=True)
class Contour:
    """The points of one contour, coordinate by coordinate, in mm."""

    x: list[float]
    y: list[float]
    z: list[float]

    def __len__(self) -> int:
        return len(self.x)

    @property
    def outline(self) -> tuple[tuple[float, ...], ...]:
        """The coordinates from the least point on, in the direction of the lesser of its neighbours: the same wherever
        a closed contour begins and whichever way it goes."""
        start = min(range(len(self)), key=lambda index: (self.x[index], self.y[index], self.z[index]))
        forwards = tuple([tuple(axis[start:] + axis[:start]) for axis in (self.x, self.y, self.z)])
        backwards = tuple([axis[:1] + axis[:0:-1] for axis in forwards])
        return min(forwards, backwards)


@dataclass(frozen=True)
class Stacked:
    """Closed contours as parallel planes: ``positions`` in mm along ``normal``, ascending, and the area of each in mm2.

    ``crossed`` counts the planes on which contours lie inside or across one another.
    """

    normal: Vector
    positions: list[float]
    areas: list[float]
    crossed: int

    @property
    def gaps(self) -> list[float]:
        return [after - before for before, after in pairwise(self.positions)]

    @property
    def spacing(self) -> float | None:
        """The usual distance of neighbouring planes in mm; None for a single plane."""
        return median_low(self.gaps) if len(self.positions) > 1 else None

    @property
    def uneven(self) -> int:
        """How many gaps between neighbouring planes differ from the usual one."""
        spacing = self.spacing or 0.0
        return sum(abs(gap - spacing) > max(SAME_PLACE, EVEN * spacing) for gap in self.gaps)

    @property
    def volume_mm3(self) -> float | None:
        """Area times spacing, added up; None for a single plane."""
        return sum(self.areas) * self.spacing if self.spacing else None


def contour_of(item: DicomJson) -> Contour:
    """The points of an item of ContourSequence.

    Raises Malformed for anything but triples of numbers.
    """
    data = (element(item, "ContourData") or {}).get("Value")
    if not isinstance(data, list) or not data:
        raise Malformed("no contour data (the archive may hold them apart, as bulk data)")
    try:
        numbers = list(map(float, data))
    except (TypeError, ValueError, OverflowError):
        raise Malformed("contour data that are not numbers") from None
    if not all(map(math.isfinite, numbers)) or max(numbers) > FARTHEST or min(numbers) < -FARTHEST:
        raise Malformed("contour data that are not numbers or lie beyond a kilometre")
    if len(numbers) % 3:
        raise Malformed("contour data that are not triples of coordinates")
    return Contour(numbers[0::3], numbers[1::3], numbers[2::3])


def stacked(contours: Sequence[Contour]) -> Stacked | None:
    """Closed contours as parallel planes; None when they have no area or do not lie in parallel planes."""
    vectors = [_area_vector(contour) for contour in contours]
    widest = max(vectors, key=_length, default=(0.0, 0.0, 0.0))
    if _length(widest) <= 0:
        return None
    normal = _direction(widest)
    places = [_along(normal, contour) for contour in contours]
    if any(high - low > FLATTEST for low, _, high in places):
        return None
    near = same_place(middle for _, middle, _ in places)
    planes: list[list[int]] = []
    before = -math.inf
    for index in sorted(range(len(contours)), key=lambda index: places[index][1]):
        middle = places[index][1]
        if middle - before > near:
            planes.append([])
        planes[-1].append(index)
        before = middle
    areas, crossed = [], 0
    for plane in planes:
        area = sum(_length(vectors[index]) for index in plane)
        share = _covered_once([_flattened(contours[index], normal) for index in plane]) if len(plane) > 1 else 1.0
        if share < 1 - NOTICEABLE:
            crossed += 1
            area *= share
        areas.append(area)
    positions = [sum(places[index][1] for index in plane) / len(plane) for plane in planes]
    return Stacked(normal, positions, areas, crossed)


def _area_vector(contour: Contour) -> Vector:
    """Half the sum of the cross products of neighbouring points (the shoelace formula in space): as long as the area,
    along the normal. From the first point, because positions far from the origin would cost digits."""
    x, y, z = ([value - axis[0] for value in axis] for axis in (contour.x, contour.y, contour.z))
    return (_shoelace(y, z), _shoelace(z, x), _shoelace(x, y))


def _shoelace(a: list[float], b: list[float]) -> float:
    twice: float = sum(map(mul, a, b[1:])) - sum(map(mul, a[1:], b)) + a[-1] * b[0] - a[0] * b[-1]
    return twice / 2


def _length(vector: Vector) -> float:
    return math.hypot(*vector)


def _direction(vector: Vector) -> Vector:
    """The vector's direction, its largest part positive; an axis of the patient where it is as good as one."""
    length = _length(vector)
    largest = max(range(3), key=lambda axis: abs(vector[axis]))
    if abs(vector[largest]) > ALONG_AN_AXIS * length:
        return (float(largest == 0), float(largest == 1), float(largest == 2))
    scale = math.copysign(1 / length, vector[largest])
    return (vector[0] * scale, vector[1] * scale, vector[2] * scale)


def _along(normal: Vector, contour: Contour) -> tuple[float, float, float]:
    """Least, mean and greatest position of a contour's points along the normal."""
    a, b, c = normal
    if normal in ((1, 0, 0), (0, 1, 0), (0, 0, 1)):
        found = contour.x if a else contour.y if b else contour.z
    else:
        found = [a * x + b * y + c * z for x, y, z in zip(contour.x, contour.y, contour.z, strict=True)]
    return min(found), sum(found) / len(found), max(found)


def _flattened(contour: Contour, normal: Vector) -> Path:
    """The points in the plane, by two directions at right angles to the normal and to one another. Heights are rounded:
    edges that are level but for the last digits of a float would have no slope to compute with."""
    a, b, c = normal
    if abs(c) > 0.5:
        u = (c, 0.0, -a)
    elif abs(b) > 0.5:
        u = (b, -a, 0.0)
    else:
        u = (-b, a, 0.0)
    length = _length(u)
    u = (u[0] / length, u[1] / length, u[2] / length)
    v = (b * u[2] - c * u[1], c * u[0] - a * u[2], a * u[1] - b * u[0])
    points = zip(contour.x, contour.y, contour.z, strict=True)
    return [(u[0] * x + u[1] * y + u[2] * z, round(v[0] * x + v[1] * y + v[2] * z, DIGITS)) for x, y, z in points]


def _covered_once(paths: list[Path]) -> float:
    """The share of the areas of the closed paths of one plane, added up, that is inside by the even-odd rule (the
    standard's XOR): 1 for paths that lie apart; a hole counts against it twice.

    The plane is cut at the height of every point; between two cuts edges are straight, so that the middle of the strip
    tells its area. Where edges cross it nearly does, because strips are no higher than a STRIPS-th of the whole.
    """
    levels, middles, strips = _cut(paths)
    inside: dict[int, list[float]] = defaultdict(list)
    alone = 0.0
    for path, places in zip(paths, strips, strict=True):
        crossings: dict[int, list[float]] = defaultdict(list)
        before_u, before_v, before = *path[-1], places[-1]
        for (u, v), strip in zip(path, places, strict=True):
            if strip != before:
                slope = (u - before_u) / (v - before_v)
                for between in range(min(before, strip), max(before, strip)):
                    crossings[between].append(u + slope * (middles[between] - v))
            before_u, before_v, before = u, v, strip
        alone += _area(levels, crossings)
        for between, found in crossings.items():
            inside[between] += found
    return _area(levels, inside) / alone if alone > 0 else 1.0


def _cut(paths: list[Path]) -> tuple[list[float], list[float], list[list[int]]]:
    """The heights at which the paths are cut, the middles of the strips between, and how many middles lie below each
    point. Every n-th height only, where the paths go up and down so often that their edges would meet too many."""
    heights = {v for path in paths for _, v in path}
    low, high = min(heights), max(heights)
    levels = sorted(heights | {low + (high - low) * strip / STRIPS for strip in range(1, STRIPS)})
    middles, strips = _strips(levels, paths)
    met = sum(abs(before - after) for places in strips for before, after in pairwise(places))
    if step := met // (CROSSINGS * sum(map(len, paths)) + FREE_CROSSINGS):
        levels = [*levels[: -1 : step + 1], levels[-1]]
        middles, strips = _strips(levels, paths)
    return levels, middles, strips


def _strips(levels: list[float], paths: list[Path]) -> tuple[list[float], list[list[int]]]:
    middles = [(low + high) / 2 for low, high in pairwise(levels)]
    return middles, [[bisect_left(middles, v) for _, v in path] for path in paths]


def _area(levels: list[float], crossings: dict[int, list[float]]) -> float:
    """What is inside, strip by strip, by the places where the middle of each crosses the outline."""
    area = 0.0
    for strip, found in crossings.items():
        found.sort()
        area += (sum(found[1::2]) - sum(found[0::2])) * (levels[strip + 1] - levels[strip])
    return area
