"""Hand-computed cases."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_mcp.dicom.geometry import GEOMETRY, Slice, arrange, normal

AXIAL, CORONAL, SAGITTAL = (1.0, 0, 0, 0, 1, 0), (1.0, 0, 0, 0, 0, -1), (0.0, 1, 0, 0, 0, -1)


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (AXIAL, (0, 0, 1)),
        (CORONAL, (0, 1, 0)),
        (SAGITTAL, (-1, 0, 0)),
        ((1, 0, 0, 0, 0.6, 0.8), (0, -0.8, 0.6)),
        ((1, 0, 0, 1, 0, 0), None),
        ((1, 0, 0), None),
        ((1, 0, 0, 0.6, 0.8, 0), None),  # no right angle: pixels would be no rectangles
        ((1, 0, 0, 0, 2, 0), None),  # no length of 1
        ((0.71, 0.71, 0, 0, 0, -1), (-math.sqrt(0.5), math.sqrt(0.5), 0)),  # written with two digits
    ],
)
def test_the_normal_is_row_times_column(orientation, expected) -> None:
    found = normal(orientation)
    assert found is None if expected is None else found == pytest.approx(expected)


def made(uid: str, z: float, *, number: int | None = None, orientation=AXIAL) -> Slice:
    axis = {AXIAL: 2, CORONAL: 1}[orientation]
    origin = [5.0, 7.0, 9.0]
    origin[axis] = z
    return Slice(uid, instance_number=number, origin=tuple(origin), orientation=orientation)


@given(st.permutations(range(10)))
def test_shuffled_instance_numbers_do_not_matter(numbers) -> None:
    stack = arrange([made(f"1.{z}", float(z), number=numbers[z]) for z in (3, 1, 4, 0, 5, 9, 2, 6, 8, 7)])
    assert stack.basis == GEOMETRY
    assert [item.instance_uid for item in stack.slices] == [f"1.{z}" for z in range(10)]
    assert [item.position for item in stack.slices] == [float(z) for z in range(10)]


def test_positions_lie_along_the_normal() -> None:
    stack = arrange([made("a", 12.5, orientation=CORONAL), made("b", -3.0, orientation=CORONAL)])
    assert [(item.instance_uid, item.position) for item in stack.slices] == [("b", -3.0), ("a", 12.5)]


def test_one_image_without_a_place_is_no_geometry() -> None:
    stack = arrange([made("a", 1, number=2), Slice("b", instance_number=1)])
    assert not stack.is_geometric
    assert [item.instance_uid for item in stack.slices] == ["b", "a"]
    assert "1 of 2 images have no position" in stack.notes[0]


def test_a_localizer_among_the_slices_is_no_geometry() -> None:
    stack = arrange([made("a", 1, number=1), made("b", 2, number=2, orientation=CORONAL)])
    assert not stack.is_geometric
    assert "different orientations" in stack.notes[0]


def test_images_at_one_place_are_told() -> None:
    stack = arrange([made("b", 1, number=2), made("a", 1, number=1), made("c", 2, number=3)])
    assert stack.is_geometric
    assert [item.instance_uid for item in stack.slices] == ["a", "b", "c"]
    assert "1 images lie where another one does" in stack.notes[0]
