"""Against pydicom's values, polygons filled by Pillow, and hand-made structure sets."""

import json
import math
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from dicom.objects.mangling import is_harmless, mangled_object
from dicomweb_mcp.dicom.objects.rt.structure_set import describe

BREAST = Path(__file__).parents[3] / "data" / "rt-breast" / "rtss.dcm"
SQUARE = [0, 0, 0, 10, 0, 0, 10, 10, 0, 0, 10, 0]


@pytest.fixture(scope="module")
def breast():
    return pydicom.dcmread(BREAST)


@pytest.fixture(scope="module")
def described(breast):
    return describe(breast.to_json_dict())


def filled_volume(contours, spacing: float) -> float:
    """cm3, from pictures of 0.25 mm pixels in which contours of one z are filled over one another by XOR."""
    by_plane: dict[float, list] = {}
    for contour in contours:
        data = [float(value) for value in contour.ContourData]
        by_plane.setdefault(data[2], []).append([(4 * x, 4 * y) for x, y in zip(data[0::3], data[1::3], strict=True)])
    everything = [point for plane in by_plane.values() for points in plane for point in points]
    left, top = min(x for x, _ in everything) - 2, min(y for _, y in everything) - 2
    size = (int(max(x for x, _ in everything) - left) + 4, int(max(y for _, y in everything) - top) + 4)
    pixels = 0
    for plane in by_plane.values():
        total = Image.new("1", size)
        for points in plane:
            one = Image.new("1", size)
            ImageDraw.Draw(one).polygon([(x - left, y - top) for x, y in points], fill=1)
            total = ImageChops.logical_xor(total, one)
        pixels += total.histogram()[255]
    return pixels / 16 * spacing / 1000


def test_the_rois_of_a_real_structure_set(breast, described) -> None:
    names = {int(roi.ROINumber): str(roi.ROIName) for roi in breast.StructureSetROISequence}
    types = {int(item.ReferencedROINumber): item.RTROIInterpretedType for item in breast.RTROIObservationsSequence}
    assert {row["ROINumber"]: row["ROIName"] for row in described.items} == names
    assert {row["ROINumber"]: row["RTROIInterpretedType"] for row in described.items} == types
    assert described.facts["StructureSetLabel"] == breast.StructureSetLabel
    assert described.facts["StructureSetDate"] == "1901-01-01"
    assert described.facts["all_rois"] == {"ROIGenerationAlgorithm": "MANUAL"}
    assert described.facts["plane_spacing_mm"] == 3
    assert described.items[0]["RTROIIdentificationCodeSequence"] == "Skin, NOS (C44.9, ICD-O-2)"
    assert described.items[0]["ROIDisplayColor"] == "#9a9b64"  # 154, 155, 100
    assert not any("ROIObservationLabel" in row for row in described.items)  # they repeat the names


@pytest.mark.parametrize("index", range(10))
def test_volumes_against_filled_pictures(breast, described, index) -> None:
    drawn, row = breast.ROIContourSequence[index], described.items[index]
    contours = drawn.get("ContourSequence", [])
    assert row["ROINumber"] == drawn.ReferencedROINumber
    assert row["contours"] == len(contours)
    if not contours:
        assert "estimated_volume_cm3" not in row
        assert "ROIs without contours: 2." in described.notes
        return
    heights = sorted({float(contour.ContourData[2]) for contour in contours})
    assert row["slices"] == len(heights)
    assert row["z_mm"] == f"{heights[0]}..{heights[-1]}"
    small = 0.12 if row["estimated_volume_cm3"] < 2 else 0.02  # Pillow fills the pixels of the outline too
    assert row["estimated_volume_cm3"] == pytest.approx(filled_volume(contours, 3), rel=small)


def test_the_answer_is_small(described) -> None:
    assert len(json.dumps([described.facts, described.items, described.notes])) < 3_000


def test_points_have_a_place_and_no_volume() -> None:
    found = describe(pydicom.dcmread(get_testdata_file("rtstruct.dcm"), force=True).to_json_dict())
    patient, isocenter, _ = found.items
    assert isocenter["point_mm"] == [0, 0, 0]
    assert isocenter["RTROIInterpretedType"] == "ISOCENTER"
    assert "estimated_volume_cm3" not in isocenter
    assert (patient["ROIVolume"], patient["estimated_volume_cm3"]) == ("49200 cm3", 3600)  # 400 x 300 x 30 mm are drawn


def structure_set(rois, observed=()) -> Dataset:
    """ROI number -> its contours, each (type, data) or (type, data, declared points)."""
    made = Dataset()
    made.StructureSetROISequence, made.ROIContourSequence, made.RTROIObservationsSequence = [], [], []
    for number, contours in rois:
        region, drawn = Dataset(), Dataset()
        region.ROINumber, region.ROIName = number, f"ROI {number}"
        drawn.ReferencedROINumber, drawn.ContourSequence = number, []
        for kind, data, *declared in contours:
            contour = Dataset()
            contour.ContourGeometricType, contour.ContourData = kind, data
            contour.NumberOfContourPoints = declared[0] if declared else len(data) // 3
            drawn.ContourSequence.append(contour)
        made.StructureSetROISequence.append(region)
        made.ROIContourSequence.append(drawn)
    for number in observed:
        observation = Dataset()
        observation.ReferencedROINumber, observation.RTROIInterpretedType = number, "GTV"
        made.RTROIObservationsSequence.append(observation)
    return made


def at(z: float, polygon=SQUARE, kind="CLOSED_PLANAR"):
    return kind, [z if index % 3 == 2 else value for index, value in enumerate(polygon)]


def described_of(*rois, **more):
    return describe(structure_set(rois, **more).to_json_dict())


def test_a_box() -> None:
    found = described_of((1, [at(0), at(2), at(4)]))
    assert found.items == [
        {"ROINumber": 1, "ROIName": "ROI 1", "contours": 3, "slices": 3, "z_mm": "0..4", "estimated_volume_cm3": 0.6}
    ]
    assert found.facts["plane_spacing_mm"] == 2
    assert any("estimated_volume_cm3: the area inside" in note for note in found.notes)


def test_different_spacings_stay_in_their_rows() -> None:
    found = described_of((1, [at(0), at(2)]), (2, [at(0), at(5)]))
    assert [row["plane_spacing_mm"] for row in found.items] == [2, 5]
    assert "plane_spacing_mm" not in found.facts


def test_a_single_plane_has_an_area() -> None:
    (row,) = described_of((1, [at(3)])).items
    assert (row["area_cm2"], row["z_mm"]) == (1, "3")
    assert "estimated_volume_cm3" not in row


def test_a_sagittal_and_an_oblique_roi_say_their_axis() -> None:
    corners = ((0, 0), (9, 0), (9, 9), (0, 9))
    found = described_of(
        (1, [("CLOSED_PLANAR", [v for y, z in corners for v in (x, y, z)]) for x in (0, 4)]),
        (
            2,
            [
                ("CLOSED_PLANAR", [v for x, y in corners for v in (x, 0.8 * y - 0.6 * z, 0.6 * y + 0.8 * z)])
                for z in (0, 5)
            ],
        ),
    )
    assert found.items[0]["x_mm"] == "0..4"
    assert (found.items[1]["along_normal_mm"], found.items[1]["normal"]) == ("0..5", "0, -0.6, 0.8")
    assert found.items[1]["estimated_volume_cm3"] == 0.81


def test_holes_gaps_and_mixed_kinds_are_said() -> None:
    inner = [2, 2, 0, 8, 2, 0, 8, 8, 0, 2, 8, 0]
    found = described_of(
        (1, [at(0), at(0, inner), at(1), at(1, inner)]),
        (2, [at(0), at(1), at(2), at(9)]),
        (3, [at(0), at(1), ("OPEN_PLANAR", [0, 0, 0, 1, 1, 0])]),
        (4, [("OPEN_NONPLANAR", [0, 0, 0, 1, 1, 5])]),
        (5, [at(0, kind="CLOSEDPLANAR_XOR"), at(0, inner, kind="CLOSEDPLANAR_XOR"), at(1, kind="CLOSEDPLANAR_XOR")]),
    )
    assert [row.get("estimated_volume_cm3") for row in found.items] == [0.128, 0.4, 0.2, None, 0.164]
    assert found.items[2]["ContourGeometricType"] == "CLOSED_PLANAR (2), OPEN_PLANAR (1)"
    notes = "\n".join(found.notes)
    assert "counts as a hole: 1 (2 of 2 planes), 5 (1 of 2 planes)." in notes
    assert "rough one: 2 (1..7 mm)." in notes
    assert "closed contours only: 3." in notes


def test_nothing_is_measured_of_contours_that_cannot_be_read() -> None:
    made = structure_set([(1, [at(0), at(1)]), (2, [at(0), at(1)])]).to_json_dict()
    contours = made["30060039"]["Value"][0]["30060040"]["Value"]
    contours[0]["30060050"] = {"vr": "DS", "BulkDataURI": "http://pacs.test/bulk"}
    made["30060039"]["Value"][1]["30060040"]["Value"][1]["30060050"]["Value"].pop()
    found = describe(made)
    assert [(row["contours"], row.get("estimated_volume_cm3")) for row in found.items] == [(2, None), (2, None)]
    notes = "\n".join(found.notes)
    assert "as bulk data), by ROI: 1 (1 of 2)." in notes
    assert "not triples of coordinates, by ROI: 2 (1 of 2)." in notes
    assert "cannot be read: 1, 2." in notes
    assert "pacs.test" not in notes


def test_another_number_of_points_than_declared_is_said() -> None:
    found = described_of((1, [(*at(0), 4), (*at(1), 9)]))
    assert found.items[0]["estimated_volume_cm3"] == 0.2
    assert "Contours with other points than NumberOfContourPoints says, by ROI: 1 (1 of 2)." in found.notes


def test_sequences_that_disagree_are_said() -> None:
    found = described_of((1, [at(0)]), (1, [at(1)]), observed=(1, 7))
    notes = "\n".join(found.notes)
    assert "several ROIs have the number 1," in notes
    assert "observations for ROI number 7, which no ROI has" in notes
    assert found.facts["all_rois"]["RTROIInterpretedType"] == "GTV"


def test_contours_in_two_orientations_have_no_volume() -> None:
    upright = [0, 0, 0, 0, 10, 0, 0, 10, 10, 0, 0, 10]
    found = described_of((1, [at(0), ("CLOSED_PLANAR", upright)]))
    assert "estimated_volume_cm3" not in found.items[0]
    assert any("parallel planes" in note for note in found.notes)


def test_a_contour_that_is_there_twice_is_no_hole() -> None:
    found = described_of((1, [at(0), at(0), at(1)]))
    assert (found.items[0]["estimated_volume_cm3"], found.items[0]["contours"]) == (0.2, 3)
    assert "ROIs with the same contour several times, counted once: 1 (1 times)." in found.notes


@pytest.mark.parametrize("again", [SQUARE[6:] + SQUARE[:6], [*SQUARE[9:], *SQUARE[6:9], *SQUARE[3:6], *SQUARE[:3]]])
def test_nor_is_one_that_begins_elsewhere_or_goes_the_other_way(again: list[float]) -> None:
    found = described_of((1, [at(0), ("CLOSED_PLANAR", again), at(1)]))
    assert (found.items[0]["estimated_volume_cm3"], found.items[0]["contours"]) == (0.2, 3)
    assert "ROIs with the same contour several times, counted once: 1 (1 times)." in found.notes


@pytest.mark.parametrize(("times", "volume"), [(2, 0.1), (3, 0.2)])
def test_contours_that_are_to_be_combined_by_xor_cancel_in_pairs(times: int, volume: float) -> None:
    """Two squares of 10 mm on planes 1 mm apart, the first of them several times (PS3.3 C.8.8.6)."""
    xor = "CLOSEDPLANAR_XOR"
    found = described_of((1, [*[at(0, kind=xor)] * times, at(1, kind=xor)]))
    assert (found.items[0]["estimated_volume_cm3"], found.items[0]["contours"]) == (volume, times + 1)
    assert not any("counted once" in note for note in found.notes)
    assert (
        "ROIs with the same CLOSEDPLANAR_XOR contour several times, of which two cancel one another: "
        f"1 ({times - 1} times)."
    ) in found.notes


def test_rois_in_several_frames_of_reference_are_said() -> None:
    made = structure_set([(1, [at(0)]), (2, [at(0)])])
    for region, uid in zip(made.StructureSetROISequence, ("1.2.3", "1.2.4"), strict=True):
        region.ReferencedFrameOfReferenceUID = uid
    assert any("2 frames of reference" in note for note in describe(made.to_json_dict()).notes)


def test_five_megabytes_of_contours() -> None:
    """Ten cylinders of 100 planes, 2 mm apart, each a polygon of 250 corners, whose area is known."""
    made = structure_set([(number, []) for number in range(1, 11)]).to_json_dict()
    for number, drawn in enumerate(made["30060039"]["Value"], start=1):
        radius, planes = 10.0 + number, []
        corners = [(radius * math.cos(math.tau * k / 250), radius * math.sin(math.tau * k / 250)) for k in range(250)]
        for z in range(100):
            data = [round(value, 4) for x, y in corners for value in (x, y, 2.0 * z)]
            planes.append(
                {"30060042": {"vr": "CS", "Value": ["CLOSED_PLANAR"]}, "30060050": {"vr": "DS", "Value": data}}
            )
        drawn["30060040"] = {"vr": "SQ", "Value": planes}
    assert len(json.dumps(made)) > 5_000_000
    found = describe(made)
    areas = [250 / 2 * (10.0 + number) ** 2 * math.sin(math.tau / 250) for number in range(1, 11)]  # mm2
    expected = [area * 2 * 100 / 1_000 for area in areas]
    assert [row["estimated_volume_cm3"] for row in found.items] == pytest.approx(expected, rel=0.01)
    assert len(json.dumps([found.facts, found.items, found.notes])) < 3_000


def test_more_than_can_be_measured_is_said() -> None:
    many = {"30060042": {"Value": ["CLOSED_PLANAR"]}, "30060050": {"Value": SQUARE}}
    made = structure_set([(1, []), (2, [])]).to_json_dict()
    made["30060039"]["Value"][0]["30060040"] = {"vr": "SQ", "Value": [many] * 60_000}
    made["30060039"]["Value"][1]["30060040"] = {"vr": "SQ", "Value": [many]}
    found = describe(made)
    assert [row["contours"] for row in found.items] == [60_000, 1]
    assert "ROIs not measured, because the object has too many contours: 1, 2." in found.notes


def test_more_rois_than_rows_are_counted() -> None:
    found = described_of(*((number, []) for number in range(400)))
    assert (found.facts["rois"], len(found.items)) == (400, 300)
    assert found.elided[0].startswith("100 more ROIs")


SMALL = structure_set(
    [(1, [at(0), at(0, SQUARE[::-1]), at(2)]), (2, [("POINT", [1, 2, 3])]), (3, [])], observed=(1, 2, 5)
).to_json_dict()


@settings(max_examples=150)
@given(st.integers(0, 10**9), st.sampled_from([0.02, 0.1, 0.3]))
def test_mangled_json_never_raises(seed, share) -> None:
    assert is_harmless(describe(mangled_object(SMALL, seed, share)))
