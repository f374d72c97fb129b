"""Matrices built from known rotations, shifts and scales; no free real registration is at hand."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom.objects.making import code, made, references
from dicom.objects.mangling import is_harmless, mangled_object
from dicomweb_mcp.dicom.objects.registration import describe

IDENTITY = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]


def about(axis, degrees, shift=(0, 0, 0), scale=(1, 1, 1)):
    """Rodrigues' formula, column by column scaled first."""
    x, y, z = (part / math.hypot(*axis) for part in axis)
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    rotation = [
        [c + x * x * (1 - c), x * y * (1 - c) - z * s, x * z * (1 - c) + y * s],
        [y * x * (1 - c) + z * s, c + y * y * (1 - c), y * z * (1 - c) - x * s],
        [z * x * (1 - c) - y * s, z * y * (1 - c) + x * s, c + z * z * (1 - c)],
    ]
    rows = [
        [*(value * by for value, by in zip(row, scale, strict=True)), move]
        for row, move in zip(rotation, shift, strict=True)
    ]
    return [value for row in [*rows, [0, 0, 0, 1]] for value in row]


def matrix(values, kind="RIGID"):
    found = made(FrameOfReferenceTransformationMatrixType=kind).to_json_dict()
    return found | {"300600C6": {"vr": "DS", "Value": values}}


def registration(*matrices):
    """One registered frame of reference for each tuple of matrices."""
    registered = made(FrameOfReferenceUID="1.2.9", ReferencedImageSequence=references("1.2.1", "1.2.2")).to_json_dict()
    registered["00700309"] = {"vr": "SQ", "Value": [{"0070030A": {"vr": "SQ", "Value": list(matrices)}}]}
    return made(FrameOfReferenceUID="1.2.8", ContentLabel="REG").to_json_dict() | {
        "00700308": {"vr": "SQ", "Value": [registered]}
    }


@settings(max_examples=100)
@given(
    st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda axis: math.hypot(*axis) > 0.1),
    st.floats(0.1, 179.9),
    st.tuples(*[st.floats(-500, 500)] * 3),
)
def test_any_rotation_and_shift_is_found_again(axis, degrees, shift) -> None:
    (row,) = describe(registration(matrix(about(axis, degrees, shift)))).items
    assert row["translation_mm"] == pytest.approx(shift, abs=0.006)
    assert row["rotation_deg"] == pytest.approx(degrees, abs=0.006)
    assert row["rotation_axis"] == pytest.approx([part / math.hypot(*axis) for part in axis], abs=0.001)
    assert "scale" not in row


def test_half_a_turn_has_an_axis() -> None:
    (row,) = describe(registration(matrix(about((0, 0, 1), 180)))).items
    assert (row["rotation_deg"], [abs(part) for part in row["rotation_axis"]]) == (180, [0, 0, 1])


def test_what_is_registered_to_what() -> None:
    found = describe(registration(matrix(IDENTITY), matrix(about((0, 0, 1), 90, (5, -2.5, 0)))))
    assert found.facts["FrameOfReferenceUID"] == "1.2.8"
    assert found.facts["all_rows"] == {"type": "RIGID"}
    assert found.items == [
        {"FrameOfReferenceUID": "1.2.9", "images": 2, "matrix": "identity"},
        {
            "FrameOfReferenceUID": "1.2.9", "images": 2, "translation_mm": [5, -2.5, 0], "rotation_deg": 90, "rotation_axis": [0, 0, 1],
            "matrix": "6.12323e-17 -1 0 5; 1 6.12323e-17 0 -2.5; 0 0 1 0",
        },
    ]  # fmt: skip
    assert "maps positions" in found.notes[0]


@pytest.mark.parametrize(
    ("values", "kind", "expected", "note"),
    [
        (about((0, 0, 1), 30, scale=(2, 2, 1)), "RIGID_SCALE", {"scale": [2, 2, 1], "rotation_deg": 30}, None),
        (about((0, 0, 1), 30, scale=(2, 2, 1)), "RIGID", {"scale": [2, 2, 1]}, "declared RIGID and stretches"),
        (about((0, 0, 1), 30, scale=(-1, 1, 1)), "RIGID", {"linear_part": "mirrors"}, "declared RIGID and mirrors"),
        ([1, 0.5, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], "AFFINE", {"linear_part": "shears"}, None),
        ([0] * 15 + [1], "AFFINE", {"linear_part": "singular"}, None),
        ([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1], "RIGID", {}, "last row"),
        ([1, 2, 3], "RIGID", {"matrix": "unreadable"}, "not 16 numbers"),
    ],
)
def test_other_matrices(values, kind, expected, note) -> None:
    found = describe(registration(matrix(values, kind)))
    assert found.items[0] | expected == found.items[0]
    assert len(found.notes) == 1 + bool(note)
    assert note is None or note in found.notes[1]
    assert "linear_part" not in expected or "rotation_deg" not in found.items[0]


def test_a_deformable_registration() -> None:
    grid = made(
        GridDimensions=[64, 64, 32],
        GridResolution=[2.0, 2.0, 3.5],
        ImagePositionPatient=[1, 2, 3],
        VectorGridData=b"\0" * 16,
    )
    item = made(
        SourceFrameOfReferenceUID="1.2.5", ReferencedImageSequence=references("1.2.1"), DeformableRegistrationGridSequence=[grid],
        RegistrationTypeCodeSequence=code("125025", "Visual Alignment"),
    ).to_json_dict()  # fmt: skip
    item["0064000F"] = {"vr": "SQ", "Value": [matrix(about((0, 0, 1), 0, (1, 2, 3)))]}
    found = describe(made(FrameOfReferenceUID="1.2.8").to_json_dict() | {"00640002": {"vr": "SQ", "Value": [item]}})
    before, deformation = found.items
    assert (before["step"], before["translation_mm"]) == ("before the deformation", [1, 2, 3])
    assert (deformation["grid"], deformation["grid_spacing_mm"]) == ("64 x 64 x 32", "2 x 2 x 3.5")
    assert found.facts["all_rows"] == {"RegistrationTypeCodeSequence": "Visual Alignment (125025, DCM)"}
    assert deformation["SourceFrameOfReferenceUID"] == "1.2.5"


def test_fiducials() -> None:
    fiducials = [
        made(FiducialIdentifier="A", ShapeType="POINT", ContourData=[1, 2.5, 3], FiducialIdentifierCodeSequence=code("112171", "Fiducial mark")),
        made(FiducialIdentifier="B", ShapeType="LINE", ContourData=[1, 2, 3, 4, 5, 6]),
        made(FiducialIdentifier="C"),
    ]  # fmt: skip
    found = describe(
        made(FiducialSetSequence=[made(FrameOfReferenceUID="1.2.8", FiducialSequence=fiducials)]).to_json_dict()
    )
    assert found.items[0]["point_mm"] == [1, 2.5, 3]
    assert found.items[0]["FiducialIdentifierCodeSequence"] == "Fiducial mark (112171, DCM)"
    assert found.items[1]["points"] == 2
    assert found.notes == ["Fiducials without a position in the frame of reference (they may lie on an image): 1."]


def test_more_matrices_than_rows_are_counted() -> None:
    found = describe(registration(*[matrix(IDENTITY)] * 310))
    assert (len(found.items), found.elided) == (300, ["10 more matrices or fiducials."])


@settings(max_examples=150)
@given(st.integers(0, 10**9), st.sampled_from([0.02, 0.1, 0.3]))
def test_mangled_json_never_raises(seed, share) -> None:
    whole = registration(matrix(about((1, 2, 3), 40)), matrix(IDENTITY, "AFFINE"))
    whole["00640002"] = {
        "vr": "SQ",
        "Value": [
            {
                "0064000F": {"vr": "SQ", "Value": [matrix(IDENTITY)]},
                "00640005": {"vr": "SQ", "Value": [{"00640007": {"vr": "UL", "Value": [1, 2, 3]}}]},
            }
        ],
    }
    whole["0070031C"] = {
        "vr": "SQ",
        "Value": [{"0070031E": {"vr": "SQ", "Value": [{"30060050": {"vr": "DS", "Value": [1, 2, 3]}}]}}],
    }
    assert is_harmless(describe(mangled_object(whole, seed, share)))
