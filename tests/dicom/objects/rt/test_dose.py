"""Against pydicom's values of a real dose, and made grids with hand-computed corners."""

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from dicom.objects.making import made, references
from dicom.objects.mangling import is_harmless, mangled_object
from dicomweb_mcp.dicom.objects.rt.dose import describe


def dose(offsets=(0, 5, 10), orientation=(1, 0, 0, 0, 1, 0), **more):
    values = {
        "DoseUnits": "GY", "DoseType": "PHYSICAL", "DoseSummationType": "PLAN", "DoseGridScaling": "2.5E-5", "Rows": 4, "Columns": 3,
        "NumberOfFrames": len(offsets), "PixelSpacing": [2, 3], "ImagePositionPatient": [10, 20, 30],
        "ImageOrientationPatient": list(orientation), "GridFrameOffsetVector": list(offsets),
    }  # fmt: skip
    return made(**(values | more))


def described(*args, **more):
    return describe(dose(*args, **more).to_json_dict())


def test_a_real_dose() -> None:
    found = describe(pydicom.dcmread(get_testdata_file("rtdose.dcm")).to_json_dict(suppress_invalid_tags=True))
    facts = found.facts
    assert (facts["DoseUnits"], facts["DoseSummationType"], facts["DoseGridScaling"]) == ("RELATIVE", "BEAM", 1e-6)
    assert (facts["Rows"], facts["Columns"], facts["NumberOfFrames"]) == (10, 10, 15)
    assert facts["spacing_mm"] == {"rows": 10, "columns": 10, "frames": 5}
    assert facts["ImagePositionPatient"] == [189.43125, 199.43125, -761.87]
    assert facts["voxel_centres_mm"]["z"] == "-761.87..-691.87"  # 14 steps of 5 mm
    assert not any("max" in name.lower() for name in facts)


@pytest.mark.parametrize(
    ("orientation", "x", "y", "z"),
    [
        ((1, 0, 0, 0, 1, 0), "10..16", "20..26", "30..40"),
        ((1, 0, 0, 0, 0, -1), "10..16", "20..30", "24..30"),  # coronal: the normal is +y
        ((-1, 0, 0, 0, -1, 0), "4..10", "14..20", "30..40"),  # prone
    ],
)
def test_where_the_grid_lies(orientation, x, y, z) -> None:
    found = described(orientation=orientation)
    assert found.facts["voxel_centres_mm"] == {"x": x, "y": y, "z": z}
    assert found.facts["spacing_mm"] == {"rows": 2, "columns": 3, "frames": 5}


@pytest.mark.parametrize(
    ("offsets", "orientation", "z"),
    [
        ((30, 35, 40), (1, 0, 0, 0, 1, 0), "30..40"),
        ((30, 25, 20), (1, 0, 0, 0, 1, 0), "20..30"),
        ((30, 35, 40), (1, 0, 0, 0, -1, 0), "30..40"),  # the normal points to the feet, the coordinates stay
        ((0, -5, -10), (1, 0, 0, 0, 1, 0), "20..30"),
    ],
)
def test_offsets_may_be_coordinates(offsets, orientation, z) -> None:
    found = described(offsets, orientation)
    assert (found.facts["voxel_centres_mm"]["z"], found.facts["spacing_mm"]["frames"], found.notes) == (z, 5, [])


def test_irregular_frames_are_said() -> None:
    assert described((0, 5, 12)).facts["spacing_mm"]["frames"] == "irregular, 5..7"


@pytest.mark.parametrize(
    ("more", "note"),
    [
        ({"GridFrameOffsetVector": [0, 5]}, "has 2 values for 3 frames"),
        ({"GridFrameOffsetVector": [7, 12, 17]}, "begins neither with 0"),
        ({"GridFrameOffsetVector": None}, "where the frames lie is not known"),
    ],
)
def test_without_offsets_no_place_is_claimed(more, note) -> None:
    found = described(**more)
    assert note in found.notes[0]
    assert "voxel_centres_mm" not in found.facts
    assert "frames" not in found.facts["spacing_mm"]


def histogram(roi, mean, kind="CUMULATIVE", **more):
    return made(
        DVHReferencedROISequence=[made(ReferencedROINumber=roi, **more)], DVHType=kind, DoseUnits="GY", DVHVolumeUnits="CM3",
        DVHMinimumDose="0.1", DVHMaximumDose="55.5", DVHMeanDose=mean,
    )  # fmt: skip


def test_histograms_and_references() -> None:
    found = described(
        DVHSequence=[histogram(1, "20.25"), histogram(2, "3", DVHROIContributionType="EXCLUDED")],
        ReferencedRTPlanSequence=[
            made(ReferencedSOPInstanceUID="1.2.3", ReferencedFractionGroupSequence=[made(ReferencedBeamSequence=[made(ReferencedBeamNumber=4)])])
        ],
        ReferencedStructureSetSequence=references("1.2.4"),
        TissueHeterogeneityCorrection=["IMAGE", "ROI_OVERRIDE"],
    )  # fmt: skip
    assert [(row["ReferencedROINumber"], row["DVHMeanDose"]) for row in found.items] == [
        ("1", 20.25),
        ("2 (excluded)", 3),
    ]
    assert found.facts["all_histograms"] == {
        "DVHType": "CUMULATIVE",
        "DoseUnits": "GY",
        "DVHVolumeUnits": "CM3",
        "DVHMinimumDose": 0.1,
    }
    assert (found.facts["ReferencedRTPlanSequence"], found.facts["beams"]) == ("1.2.3", "4")
    assert found.facts["ReferencedStructureSetSequence"] == "1.2.4"
    assert found.facts["TissueHeterogeneityCorrection"] == ["IMAGE", "ROI_OVERRIDE"]


def test_histograms_without_a_grid() -> None:
    found = describe(made(DoseUnits="GY", DVHSequence=[histogram(1, "20")]).to_json_dict())
    assert found.notes == ["There is no dose grid, only what is said here."]
    assert found.items[0]["DVHMaximumDose"] == 55.5


@settings(max_examples=150)
@given(st.integers(0, 10**9), st.sampled_from([0.02, 0.1, 0.3]))
def test_mangled_json_never_raises(seed, share) -> None:
    whole = dose(DVHSequence=[histogram(1, "1"), histogram(2, "2")], ReferencedRTPlanSequence=references("1.2.3"))
    assert is_harmless(describe(mangled_object(whole.to_json_dict(), seed, share)))
