"""Other planes of a regular volume: along its own axes, in the standard display of the plane that is nearest.

The three axes of a volume are those in which voxels are counted: along a row (columns), along a column (rows), and from
slice to slice along the normal. They stand at right angles, as PS3.3 C.7.6.2 has it.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias, cast

from ..geometry import Slice, dot, normal
from .orientation import PLANES, nearest_plane
from .plane import Vector

PlaneName: TypeAlias = Literal["native", "axial", "coronal", "sagittal"]

DISPLAY = {"axial": ((0, 1), (1, 1)), "coronal": ((0, 1), (2, -1)), "sagittal": ((1, 1), (2, -1))}
"""How a plane is usually shown: the axis of the patient (0 to the left, 1 to the back, 2 to the head) that points to
the right of the picture, and the one that points down; -1 where it points the other way."""

ALONG_SLICES = 2


@dataclass(frozen=True)
class Axis:
    """One axis of a volume: its ``direction`` of length 1, the ``step`` in mm from voxel to voxel, and their number."""

    direction: Vector
    step: float
    count: int


@dataclass(frozen=True)
class Volume:
    """A regular volume: the axes along a row, along a column, along the normal, and the place of its first voxel."""

    axes: tuple[Axis, Axis, Axis]
    origin: Vector

    @classmethod
    def of(cls, origin: Vector, orientation: Vector, pixel_spacing: Vector, size: tuple[int, int, int], spacing: float
    ) -> "Volume":  # fmt: skip
        """``size``: columns, rows, slices. ``origin``: of the first slice, that is, the lowest along the normal."""
        (between_rows, between_columns), (columns, rows, slices) = pixel_spacing, size
        return cls(
            (
                Axis(orientation[:3], between_columns, columns),
                Axis(orientation[3:], between_rows, rows),
                Axis(normal(orientation) or (), spacing, slices),
            ),
            origin,
        )

    def patient_axes(self) -> tuple[int, int, int]:
        """Which axis of the patient each axis of the volume is nearest to: each another one, that of the normal first,
        so that the volume's own plane is called as elsewhere."""
        along = PLANES.index(nearest_plane(self.axes[ALONG_SLICES].direction))
        one, other = (axis for axis in range(3) if axis != along)
        row, column = (self.axes[nth].direction for nth in (0, 1))
        as_they_are = abs(row[one]) + abs(column[other]) >= abs(row[other]) + abs(column[one])
        return (one, other, along) if as_they_are else (other, one, along)


@dataclass(frozen=True)
class Side:
    """A direction of a picture: the axis of the volume that it follows, and whether it runs ``backwards``."""

    axis: int
    backwards: bool


@dataclass(frozen=True)
class Reformat:
    """A plane of a volume that is not its own: where its pictures lie, and from which voxels they are."""

    volume: Volume
    plane: str

    @property
    def across(self) -> Side:
        """To the right of the picture."""
        return self._side(DISPLAY[self.plane][0])

    @property
    def down(self) -> Side:
        return self._side(DISPLAY[self.plane][1])

    @cached_property
    def through(self) -> Side:
        """From one picture to the next, ascending along the cross product of their row and column direction."""
        axis = 3 - self.across.axis - self.down.axis
        return Side(axis, dot(self.normal, self.volume.axes[axis].direction) < 0)

    @property
    def columns(self) -> int:
        return self.volume.axes[self.across.axis].count

    @property
    def rows(self) -> int:
        return self.volume.axes[self.down.axis].count

    @property
    def count(self) -> int:
        """How many positions there are."""
        return self.volume.axes[self.through.axis].count

    @property
    def pixel_spacing(self) -> tuple[float, float]:
        """As the attribute has it: from row to row, from column to column."""
        return self.volume.axes[self.down.axis].step, self.volume.axes[self.across.axis].step

    @property
    def orientation(self) -> Vector:
        """As ImageOrientationPatient has it."""
        return (*self._direction(self.across), *self._direction(self.down))

    @property
    def normal(self) -> Vector:
        return cast(Vector, normal(self.orientation))

    def index(self, number: int) -> int:
        """The voxels of a picture: its number (from 1) -> their place along the axis through all of them, from 0."""
        return self.count - number if self.through.backwards else number - 1

    def slice(self, number: int) -> Slice:
        """Where a picture lies; it is none of the archive's and has no UID."""
        start = {side.axis: self.volume.axes[side.axis].count - 1 if side.backwards else 0
                 for side in (self.across, self.down)}  # fmt: skip
        start[self.through.axis] = self.index(number)
        origin = tuple(
            first + sum(start[nth] * axis.step * axis.direction[xyz] for nth, axis in enumerate(self.volume.axes))
            for xyz, first in enumerate(self.volume.origin)
        )
        return Slice("", origin=origin, orientation=self.orientation, position=dot(self.normal, origin))

    def _side(self, shown: tuple[int, int]) -> Side:
        patient_axis, sign = shown
        axis = self.volume.patient_axes().index(patient_axis)
        return Side(axis, self.volume.axes[axis].direction[patient_axis] * sign < 0)

    def _direction(self, side: Side) -> Vector:
        sign = -1.0 if side.backwards else 1.0
        return tuple(sign * part for part in self.volume.axes[side.axis].direction)
