"""Which slices of two series lie at the same place: positions in one frame of reference, along the normal."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..geometry import SAME_DIRECTION, SAME_PLACE, Slice, dot, normal
from .plane import Vector


@dataclass(frozen=True)
class Spot:
    """A place on a slice, and the normal of that slice: distances are measured along it, from there. The middle of a
    slice will do: planes that are a little askew are as far apart there as they look."""

    point: Vector
    axis: Vector

    @classmethod
    def middle(cls, item: Slice, pixel_spacing: Sequence[float], size: tuple[int, int]) -> "Spot":
        """Of a slice with this PixelSpacing and these columns and rows."""
        (between_rows, between_columns), (columns, rows) = pixel_spacing, size
        along, down = (columns - 1) / 2 * between_columns, (rows - 1) / 2 * between_rows
        row, column = item.orientation[:3], item.orientation[3:]
        point = tuple(first + along * row[xyz] + down * column[xyz] for xyz, first in enumerate(item.origin))
        return cls(point, normal(item.orientation) or ())

    def distance(self, item: Slice) -> float:
        """How far along the axis the plane of a slice lies; the slice is parallel or nearly so, flipped or not."""
        other = normal(item.orientation) or self.axis
        way = tuple(there - here for there, here in zip(item.origin, self.point, strict=True))
        return dot(other, way) / dot(other, self.axis)

    def nearest(self, slices: Sequence[Slice], reach: float) -> tuple[int, float] | None:
        """The number (from 1) of the nearest slice and its distance; None where it is farther away than ``reach``."""
        distances = [self.distance(item) for item in slices]
        nth = min(range(len(distances)), key=lambda index: abs(distances[index]))
        return (nth + 1, distances[nth]) if abs(distances[nth]) <= reach + SAME_PLACE else None


def are_parallel(one: Vector, other: Vector) -> bool:
    """Whether two normals point the same way, or opposite ones."""
    return abs(dot(one, other)) > SAME_DIRECTION
