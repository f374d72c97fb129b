"""Planes of multi-frame objects, and of headers that are wrong."""

import json
from pathlib import Path

import pydicom
import pytest
from highdicom.image import Image
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from dicomweb_mcp.dicom.volume import describe_geometry, plane, planes
from headers import AXIAL, CORONAL, ENHANCED_MR, as_json, geometry, image, series

DATA = Path(__file__).parents[2] / "data"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


def enhanced(frames: list[dict], shared: dict | None = None, **more: object) -> dict:
    """An enhanced MR object; orientation and pixel measures are shared where nothing else is said."""
    usual = {
        "PlaneOrientationSequence": {"ImageOrientationPatient": list(AXIAL)},
        "PixelMeasuresSequence": {"PixelSpacing": [1, 1], "SliceThickness": 3},
    }
    values = {
        "SOPClassUID": ENHANCED_MR,
        "NumberOfFrames": len(frames),
        "FrameOfReferenceUID": "1.2.3",
        "Rows": 64,
        "Columns": 64,
        "SharedFunctionalGroupsSequence": usual if shared is None else shared,
        "PerFrameFunctionalGroupsSequence": frames,
    }
    return as_json(**{**values, **more})


def at(z: float, **macros: object) -> dict:
    return {"PlanePositionSequence": {"ImagePositionPatient": [0, 0, z]}, **macros}


def test_frames_in_any_order_are_a_volume() -> None:
    found = geometry([enhanced([at(z) for z in (6, 0, 9, 3)])])
    assert found["verdict"] == "One regular volume: 4 axial slices, 3 mm apart."
    assert (found["rows"], found["pixel_spacing_mm"]) == (64, [1, 1])


def test_what_a_frame_says_goes_before_what_all_share() -> None:
    coronal = {"PlaneOrientationSequence": {"ImageOrientationPatient": list(CORONAL)}}
    found = geometry([enhanced([at(0), at(3), at(6), at(0, **coronal)])])
    assert [(stack["orientation"], stack["images"]) for stack in found["stacks"]] == [("axial", 3), ("coronal", 1)]


def test_frames_with_b_values_and_echoes() -> None:
    frames = [
        at(
            z,
            MRDiffusionSequence={
                "DiffusionBValue": float(b_value),
                "DiffusionGradientDirectionSequence": {"DiffusionGradientOrientation": [1.0, 0.0, 0.0]},
            },
            MREchoSequence={"EffectiveEchoTime": 70.0 + echo},
        )
        for z in (0, 3, 6)
        for b_value in (0, 500, 1000)
        for echo in (0, 10)
    ]
    found = geometry([enhanced(frames)])
    assert [(row["attribute"], row["values"]) for row in found["dimensions"]] == [
        ("DiffusionBValue", [0, 500, 1000]),
        ("EffectiveEchoTime", [70, 80]),
    ]
    assert "with 6 images at each position" in found["verdict"]


def test_a_cine_at_one_position() -> None:
    frames = [
        at(5, CardiacSynchronizationSequence={"NominalCardiacTriggerDelayTime": 25.5 * index}) for index in range(30)
    ]
    found = geometry([enhanced(frames)])
    assert found["verdict"] == (
        "No volume: 30 images at one position, axial, told apart by NominalCardiacTriggerDelayTime (30 values)."
    )
    assert found["dimensions"][0]["values"] == "0..739.5"
    assert found["regular_volume"] is False


def test_frames_that_share_their_position() -> None:
    shared = {
        "PlanePositionSequence": {"ImagePositionPatient": [0, 0, 5]},
        "PlaneOrientationSequence": {"ImageOrientationPatient": list(AXIAL)},
    }
    found = geometry([enhanced([{} for _ in range(4)], shared)])
    assert (found["images"], found["slices"], found["duplicates"]) == (4, 1, 3)


@pytest.mark.parametrize("left_out", ["PerFrameFunctionalGroupsSequence", "both"])
def test_functional_groups_that_the_archive_left_out(left_out: str) -> None:
    header = enhanced([at(z) for z in (0, 3, 6)])
    del header["52009230"]
    if left_out == "both":
        del header["52009229"]
    found = geometry([header])
    assert "cannot be told" in found["verdict"]
    assert (found["regular_volume"], found["images"]) == (None, 3)


def test_fewer_groups_than_frames() -> None:
    found = geometry([enhanced([at(0), at(3)], NumberOfFrames=5)])
    assert found["regular_volume"] is None
    assert found["positions_not_read"] == 3
    assert (found["orientation"], found["images_in_sample"]) == ("axial", 2)
    assert "spacing_mm" not in found


def test_more_frames_than_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plane, "MOST_FRAMES", 3)
    found = planes(enhanced([at(z) for z in range(8)]))
    assert len(found) == 3 + 1
    assert (found[-1].frames, found[-1].is_unread) == (5, True)


@pytest.mark.parametrize("name", ["23x38x3/multiframe.dcm", "24x38x3/multiframe.dcm", "seg/liver.dcm"])
def test_highdicom_agrees_on_real_multi_frame_objects(name: str) -> None:
    dataset = pydicom.dcmread(DATA / "ct-seg-sr" / name)
    volume = Image.from_dataset(dataset).get_volume_geometry()
    found = geometry([json.loads(dataset.to_json())])
    assert found["regular_volume"] is True
    assert volume is not None
    assert found["spacing_mm"] == pytest.approx(volume.spacing_between_slices, abs=0.005)
    assert found["slices"] == volume.spatial_shape[0]


def test_overlapping_segments_are_told_apart() -> None:
    dataset = pydicom.dcmread(DATA / "ct-seg-sr/seg/partial_overlaps.dcm", stop_before_pixels=True)
    found = geometry([json.loads(dataset.to_json())])
    assert found["dimensions"] == [{"attribute": "ReferencedSegmentNumber", "count": 3, "values": [1, 2, 3, 4, 5]}]


def test_a_dose_grid_has_a_plane_for_each_offset() -> None:
    dataset = pydicom.dcmread(str(get_testdata_file("rtdose.dcm")), stop_before_pixels=True)
    found = geometry([json.loads(dataset.to_json())])
    offsets = [float(value) for value in dataset.GridFrameOffsetVector]
    first = float(dataset.ImagePositionPatient[2])
    assert found["slices"] == dataset.NumberOfFrames == len(offsets)
    assert found["spacing_mm"] == offsets[1] - offsets[0]
    assert found["position_mm"]["first"] == pytest.approx(first, abs=0.005)
    assert found["position_mm"]["last"] == pytest.approx(first + offsets[-1] - offsets[0], abs=0.005)


def reconstruction(**more: object) -> dict:
    return as_json(
        **{
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.20",
            "Modality": "NM",
            "ImageType": ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"],
            "NumberOfFrames": 6,
            "SpacingBetweenSlices": -4.5,
            "SliceVector": [1, 2, 3, 1, 2, 3],
            "TimeSlotVector": [1, 1, 1, 2, 2, 2],
            "DetectorInformationSequence": {
                "ImagePositionPatient": [0, 0, 100],
                "ImageOrientationPatient": list(AXIAL),
            },
            **more,
        }
    )


def test_a_gated_reconstruction_of_nuclear_medicine() -> None:
    """The sign of SpacingBetweenSlices says on which side of the first slice the others lie."""
    found = geometry([reconstruction()])
    assert found["position_mm"] == {"first": 91, "last": 100, "towards": "head"}
    assert (found["spacing_mm"], found["images_per_position"]) == (4.5, 2)
    assert found["dimensions"] == [{"attribute": "TimeSlotVector", "count": 2, "values": [1, 2]}]


def test_a_row_of_a_search_for_a_reconstruction_does_not_say_that_it_has_no_position() -> None:
    row = {tag: value for tag, value in reconstruction().items() if tag != "00540022"}
    assert "cannot be told" in geometry([row])["verdict"]
    planar = reconstruction(ImageType=["ORIGINAL", "PRIMARY", "STATIC", "EMISSION"])
    del planar["00540022"]
    assert (
        geometry([planar])["verdict"]
        == "These images carry no position and orientation in the patient that can be used."
    )


def test_slides_are_in_coordinates_of_their_own() -> None:
    instances = json.loads((DATA / "slide-metadata/TCGA-05-4244-01Z-00-DX1.json").read_text(encoding="utf-8"))
    found = geometry(instances["images"])
    assert found["verdict"] == "The positions of these images are those of a slide, not of a patient."
    assert "regular_volume" not in found


def test_equal_values_are_shared() -> None:
    one, other = (planes(header)[0] for header in series([1, 2]))
    assert one.grid is other.grid
    assert one.keys is other.keys


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("ImagePositionPatient", ["x", 0, 0]),
        ("ImagePositionPatient", [1e300, 0, 0]),
        ("ImagePositionPatient", ["NaN", 0, 0]),
        ("ImagePositionPatient", [0, 0]),
        ("ImagePositionPatient", [{"a": 1}, 0, 0]),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0]),
        ("ImageOrientationPatient", [1e200, 0, 0, 0, 1e200, 0]),
        ("ImageOrientationPatient", None),
    ],
)
def test_what_is_no_position_is_none(keyword: str, value: object) -> None:
    tag = f"{pydicom.datadict.tag_for_keyword(keyword):08X}"
    header = image((0, 0, 0)) | {tag: {"vr": "DS", "Value": value}}
    assert (
        geometry([header])["verdict"]
        == "These images carry no position and orientation in the patient that can be used."
    )


def test_an_object_among_values_costs_only_itself() -> None:
    header = image((0, 0, 0)) | {"00280030": {"vr": "DS", "Value": [{"a": 1}, 1]}}
    found = geometry([header])
    assert (found["rows"], found["orientation"]) == (256, "axial")
    assert "pixel_spacing_mm" not in found


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=8,
)
TAGS = sorted(enhanced([at(0)])) + sorted(image((0, 0, 0))) + ["00540022", "3004000C", "00540080", "00189087"]


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(TAGS), st.fixed_dictionaries({"vr": st.text(max_size=2), "Value": JSON})))
def test_any_header_is_described(changes: dict) -> None:
    for base in (image((0, 0, 0)), enhanced([at(0), at(3), at(6)]), reconstruction()):
        json.dumps(describe_geometry(planes({**base, **changes})), allow_nan=False)
