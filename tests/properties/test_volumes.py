"""The geometry of a series is that of its positions: whatever their order, wherever they lie in space."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from highdicom.spatial import get_volume_positions
from hypothesis import assume, given
from hypothesis import strategies as st

from dicomweb_mcp.dicom.volume import Plane, describe_geometry
from dicomweb_mcp.dicom.volume.plane import Grid
from dicomweb_mcp.dicom.volume.tables import DIMENSIONS

ANGLES = st.floats(-math.pi, math.pi)
STEPS = st.floats(0.3, 12)
COUNTS = st.integers(4, 60)
PLACES = st.tuples(*[st.floats(-400, 400)] * 3)


def rotation(angles: Sequence[float]) -> Any:
    """About x, then y, then z."""
    (cx, sx), (cy, sy), (cz, sz) = ((math.cos(angle), math.sin(angle)) for angle in angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    return np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]]) @ about_y @ about_x


def planes(turned: Any, start: Sequence[float], depths: Sequence[float], *, flip: bool = False) -> list[Plane]:
    """Planes at these depths along the normal of a rotated patient."""
    row, column, normal = turned.T
    if flip:
        row, column = column, row
    orientation = tuple(float(value) for value in (*row, *column))
    grid = Grid("1.2.3", orientation, 256, 256, (0.7, 0.7))
    keys = (None,) * len(DIMENSIONS)
    return [Plane(grid, tuple((np.array(start) + depth * normal).tolist()), keys) for depth in depths]


def depths(step: float, count: int) -> list[float]:
    return [step * index for index in range(count)]


@given(st.tuples(ANGLES, ANGLES, ANGLES), PLACES, STEPS, COUNTS)
def test_a_regular_stack_stays_one_when_it_is_rotated(angles, start, step, count) -> None:
    made = planes(rotation(angles), start, depths(step, count))
    found = describe_geometry(made)
    assert found["regular_volume"] is True
    assert found["slices"] == count
    assert found["spacing_mm"] == pytest.approx(step, abs=0.006)
    spacing, _ = get_volume_positions([plane.origin for plane in made], made[0].grid.orientation)
    assert spacing is not None
    assert found["spacing_mm"] == pytest.approx(spacing, abs=0.006)


@given(st.tuples(ANGLES, ANGLES, ANGLES), st.lists(st.floats(0, 300), min_size=1, max_size=25), st.randoms())
def test_the_order_of_images_does_not_matter(angles, places, chance) -> None:
    made = planes(rotation(angles), (1, 2, 3), places)
    found = describe_geometry(made)
    chance.shuffle(made)
    assert describe_geometry(made) == found


@given(st.tuples(ANGLES, ANGLES, ANGLES), PLACES, STEPS, COUNTS, st.data())
def test_the_reversed_normal_gives_the_same_figures(angles, start, step, count, data) -> None:
    places = depths(step, count)
    del places[data.draw(st.integers(1, count - 2))]
    one, other = (describe_geometry(planes(rotation(angles), start, places, flip=flip)) for flip in (False, True))
    for name in ("regular_volume", "slices", "spacing_mm", "missing_slices", "shear_degrees", "extent_mm"):
        assert one.get(name) == other.get(name)


@given(st.tuples(ANGLES, ANGLES, ANGLES), STEPS, COUNTS, st.data())
def test_a_missing_slice_is_found_where_it_is(angles, step, count, data) -> None:
    gone = data.draw(st.integers(1, count - 2))
    places = depths(step, count)
    del places[gone]
    found = describe_geometry(planes(rotation(angles), (0, 0, 0), places))
    assert found["regular_volume"] is False
    [gap] = found["gaps"]
    assert gap["missing_slices"] == 1
    assert gap["after_mm"] == pytest.approx(step * (gone - 1), abs=0.006)
    assert gap["before_mm"] == pytest.approx(step * (gone + 1), abs=0.006)


@given(STEPS, COUNTS, st.data())
def test_duplicates_are_found(step, count, data) -> None:
    twice = data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=count - 1))
    places = depths(step, count)
    found = describe_geometry(planes(np.eye(3), (0, 0, 0), places + [places[index] for index in twice]))
    assert found["regular_volume"] is False
    assert (found["slices"], found["duplicates"], found["positions_with_duplicates"]) == (count, *[len(twice)] * 2)


@given(st.tuples(ANGLES, ANGLES, ANGLES), STEPS, st.data())
def test_jitter_within_the_tolerance_is_none(angles, step, data) -> None:
    """Two neighbours may each be off by almost half of what a step may be."""
    size = max(0.01 * step, 0.01) * 0.24
    jitter = data.draw(st.lists(st.floats(-size, size), min_size=5, max_size=40))
    made = planes(rotation(angles), (0, 0, 0), [step * index + off for index, off in enumerate(jitter)])
    assert describe_geometry(made)["regular_volume"] is True


@given(st.floats(2, 40), STEPS, COUNTS)
def test_a_sheared_stack_is_none_and_its_angle_is_told(degrees, step, count) -> None:
    assume(step * (count - 1) * math.tan(math.radians(degrees)) > 1)
    straight = planes(np.eye(3), (0, 0, 0), depths(step, count))
    slope = math.tan(math.radians(degrees))
    made = [
        Plane(plane.grid, (plane.origin[0], plane.origin[2] * slope, plane.origin[2]), plane.keys) for plane in straight
    ]
    found = describe_geometry(made)
    assert found["regular_volume"] is False
    assert found["shear_degrees"] == pytest.approx(degrees, abs=0.051)
    assert found["spacing_mm"] == pytest.approx(step, abs=0.006)
