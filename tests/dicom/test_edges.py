"""Edges of pictures, worked out by hand: x grows to the left of the patient, y to the back, z to the head."""

import math

import pytest

from dicomweb_mcp.dicom.edges import edges, letters

HALF = math.sqrt(0.5)


def oriented(*values):
    return {"00200037": {"vr": "DS", "Value": list(values)}}


@pytest.mark.parametrize(
    ("orientation", "left_right_top_bottom"),
    [
        pytest.param((1, 0, 0, 0, 1, 0), ("R", "L", "A", "P"), id="axial"),
        pytest.param((-1, 0, 0, 0, -1, 0), ("L", "R", "P", "A"), id="axial, prone"),
        pytest.param((-1, 0, 0, 0, 1, 0), ("L", "R", "A", "P"), id="axial, seen from the head"),
        pytest.param((0, 1, 0, 0, 0, -1), ("A", "P", "H", "F"), id="sagittal"),
        pytest.param((1, 0, 0, 0, 0, -1), ("R", "L", "H", "F"), id="coronal"),
        pytest.param((0.8, 0.6, 0, 0, 0, -1), ("RA", "LP", "H", "F"), id="coronal, turned by 37 degrees"),
        pytest.param((0.6, 0.8, 0, 0, 0, -1), ("AR", "PL", "H", "F"), id="sagittal, turned by 37 degrees"),
        pytest.param((1, 0, 0, 0, 0.96, -0.28), ("R", "L", "AH", "PF"), id="axial, tilted by 16 degrees"),
        pytest.param((0.9998, 0.02, 0, -0.02, 0.9998, 0), ("R", "L", "A", "P"), id="axial, a degree off"),
        pytest.param((HALF, HALF, 0, -0.5, 0.5, -HALF), ("RA", "LP", "HLA", "FRP"), id="oblique in both ways"),
    ],
)
def test_edges_by_the_orientation_of_the_image(orientation, left_right_top_bottom):
    assert edges(oriented(*orientation)) == left_right_top_bottom


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (["L", "F"], ("R", "L", "H", "F")),
        (["A", "FR"], ("P", "A", "HL", "FR")),
        (["P", "F"], ("A", "P", "H", "F")),
        (["L"], None),
        (["LE", "V"], None),  # of animals
        ([None, "F"], None),
        (["L", ""], None),
    ],
)
def test_radiographs_say_it_in_letters(written, expected):
    assert edges({"00200020": {"vr": "CS", "Value": written}}) == expected


@pytest.mark.parametrize("orientation", [(), (1, 0, 0), (1, 0, 0, 1, 0, 0), (0, 0, 0, 0, 0, 0), (9, 0, 0, 0, 9, 0)])
def test_what_is_no_orientation_has_no_edges(orientation):
    assert edges(oriented(*orientation)) is None


def test_the_orientation_of_the_image_goes_before_the_letters():
    both = {**oriented(0, 1, 0, 0, 0, -1), "00200020": {"vr": "CS", "Value": ["L", "F"]}}
    assert edges(both) == ("A", "P", "H", "F")


def test_the_greatest_part_comes_first():
    assert letters((0.36, -0.48, 0.8)) == "HAL"
