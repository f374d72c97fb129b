"""Geometry of made and real series, computed by hand or by highdicom."""

import json
import math
import random
from itertools import pairwise
from pathlib import Path

import pydicom
import pytest
from highdicom.spatial import get_series_volume_positions
from pydicom.data import get_testdata_file

from dicomweb_mcp.dicom.volume import GEOMETRY_FIELDS, describe_geometry
from headers import AXIAL, CORONAL, SAGITTAL, geometry, image, series

DATA = Path(__file__).parents[2] / "data"
PYDICOM = Path(pydicom.__file__).parent / "data" / "test_files"
TILT = (1.0, 0.0, 0.0, 0.0, math.cos(math.radians(20)), -math.sin(math.radians(20)))  # a gantry tilted by 20 degrees


def every(step: float, count: int, first: float = 0.0) -> list[float]:
    return [first + step * index for index in range(count)]


def test_one_regular_volume() -> None:
    assert geometry(series(every(2.5, 120, -100))) == {
        "verdict": "One regular volume: 120 axial slices, 2.5 mm apart.",
        "regular_volume": True,
        "orientation": "axial",
        "images": 120,
        "slices": 120,
        "position_mm": {"first": -100, "last": 197.5, "towards": "head"},
        "spacing_mm": 2.5,
        "rows": 256,
        "columns": 512,
        "pixel_spacing_mm": [0.5, 0.5],
        "extent_mm": {"along_row": 256, "along_column": 128, "along_normal": 300},
    }


def test_instance_numbers_and_the_order_of_rows_do_not_matter() -> None:
    numbers = list(range(30))
    random.Random(1).shuffle(numbers)
    places = every(1.25, 30)
    headers = [image((0, 0, places[number]), InstanceNumber=index) for index, number in enumerate(numbers)]
    assert geometry(headers) == geometry(series(places)) | {
        "position_mm": {"first": 0, "last": 36.25, "towards": "head"},
    }


def test_missing_slices_are_found_where_they_are() -> None:
    places = every(2.5, 40)
    found = geometry(series([place for index, place in enumerate(places) if index not in (7, 20, 21)]))
    assert found["regular_volume"] is False
    assert found["verdict"] == (
        "Not one regular volume: 37 axial slices, because 3 slices are missing (between 15 and 20 mm, 47.5 and 55 mm)."
    )
    assert found["spacing_mm"] == 2.5
    assert found["missing_slices"] == 3
    assert found["gaps"] == [
        {"after_mm": 15, "before_mm": 20, "gap_mm": 5, "missing_slices": 1},
        {"after_mm": 47.5, "before_mm": 55, "gap_mm": 7.5, "missing_slices": 2},
    ]


def test_two_stacks_far_apart_miss_no_slices() -> None:
    """Between a head and an abdomen nothing is missing; only that they are apart is known."""
    found = geometry(series([*every(5, 8), *every(5, 8, 300)]))
    assert "missing" not in found["verdict"]
    assert "missing_slices" not in found
    assert "7 x 5 mm, 1 x 265 mm, 7 x 5 mm" in found["verdict"]


def test_a_gap_that_is_no_multiple_is_no_missing_slice() -> None:
    found = geometry(series([0, 2, 4, 6, 9, 11, 13]))
    assert "the spacing is irregular (3 x 2 mm, 1 x 3 mm, 2 x 2 mm)" in found["verdict"]
    assert found["gaps"] == [{"after_mm": 6, "before_mm": 9, "gap_mm": 3}]
    assert "missing_slices" not in found


def test_a_duplicate_slice() -> None:
    found = geometry([*series(every(5, 10)), *series([15], ContentTime="101010"), *series([20, 20])])
    assert found["verdict"] == (
        "Not one regular volume: 10 axial slices, because its positions have 1 to 3 images and 2 positions have images "
        "that nothing read here tells apart (duplicates?)."
    )
    assert (found["images"], found["slices"], found["images_per_position"]) == (13, 10, "1..3")
    assert (found["positions_with_duplicates"], found["duplicates"]) == (2, 3)
    assert found["duplicates_at_mm"] == [15, 20]


def test_two_orientations_are_two_stacks() -> None:
    coronal = [image((0, y, 0), CORONAL) for y in every(3, 5)]
    found = geometry([*coronal, *series(every(2.5, 8))])
    assert found["verdict"] == (
        "Not one regular volume: 2 stacks (8 axial slices, 2.5 mm apart; 5 coronal slices, 3 mm apart), because their "
        "orientations differ."
    )
    assert [(stack["orientation"], stack["images"], stack["spacing_mm"]) for stack in found["stacks"]] == [
        ("axial", 8, 2.5),
        ("coronal", 5, 3),
    ]
    assert found["rows"] == 256
    assert "rows" not in found["stacks"][0]


def test_two_places_within_the_plane_are_two_stacks() -> None:
    left = [image((30, y, 0), SAGITTAL) for y in (0, 0, 0)]
    sides = [image((x, y, 0), SAGITTAL) for y in (0, 150) for x in every(4, 6)]
    found = geometry(sides)
    assert "2 stacks (6 sagittal slices, 4 mm apart; 6 sagittal slices, 4 mm apart)" in found["verdict"]
    assert "side by side" in found["verdict"]
    assert geometry(left)["slices"] == 1


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"Rows": 128}, "their rows and columns differ"),
        ({"PixelSpacing": [0.6, 0.6]}, "their pixel spacings differ"),
        ({"FrameOfReferenceUID": "1.2.4"}, "there are 2 frames of reference, whose positions cannot be compared"),
    ],
)
def test_what_makes_stacks_differ(more, reason) -> None:
    found = geometry([*series(every(1, 5)), *series(every(1, 5, 5), **more)])
    assert found["regular_volume"] is False
    assert reason in found["verdict"]
    assert len(found["stacks"]) == 2


def test_images_that_name_no_frame_of_reference_have_none() -> None:
    found = geometry([*series(every(1, 5)), *series(every(1, 5, 5), FrameOfReferenceUID="")])
    assert "5 images name no frame of reference" in found["verdict"]
    assert "frames_of_reference" not in found


def test_a_tilted_gantry_shears_the_stack() -> None:
    """The table moves along z by 5 mm, the planes are tilted by 20 degrees: 4.698 mm apart along the normal."""
    found = geometry([image((0, 0, z), TILT, GantryDetectorTilt=20) for z in every(5, 12)])
    assert found["regular_volume"] is False
    assert found["shear_degrees"] == 20
    assert found["spacing_mm"] == round(5 * math.cos(math.radians(20)), 2) == 4.7
    assert found["gantry_tilt_degrees"] == 20
    assert "sheared by 20 degrees (as by a tilted gantry), although its spacing is regular (4.7 mm)" in found["verdict"]
    assert "gaps" not in found


def test_an_oblique_stack_is_not_sheared() -> None:
    normal = (0.0, math.sin(math.radians(20)), math.cos(math.radians(20)))
    found = geometry([image([5 * step * part for part in normal], TILT) for step in range(12)])
    assert found["verdict"] == (
        "One regular volume: 12 oblique (20 degrees from axial towards coronal) slices, 5 mm apart."
    )


def test_slices_that_do_not_line_up() -> None:
    aside = [0.0, 9.0, 1.0, 14.0, 2.0, 21.0, 3.0, 5.0]
    found = geometry([image((x, 0, 2.0 * step)) for step, x in enumerate(aside)])
    assert found["regular_volume"] is False
    assert "do not line up" in found["verdict"]
    assert 15 < found["misaligned_mm"] < 22


def test_time_points() -> None:
    found = geometry([image((0, 0, z), TemporalPositionIdentifier=time) for z in every(4, 20) for time in range(1, 11)])
    assert found["verdict"] == (
        "Not one regular volume but 10 in one place: 20 axial slices, 4 mm apart, with 10 images at each position, told "
        "apart by TemporalPositionIdentifier (10 values)."
    )
    assert found["dimensions"] == [{"attribute": "TemporalPositionIdentifier", "count": 10, "values": "1..10"}]
    assert (found["images"], found["slices"], found["images_per_position"]) == (200, 20, 10)


def test_times_are_a_dimension_only_where_nothing_else_is() -> None:
    headers = [
        image((0, 0, z), EchoTime=echo, AcquisitionTime=f"1000{index:02}.{number}")
        for index, z in enumerate(every(4, 5))
        for number, echo in enumerate((2.3, 4.6))
    ]
    assert [row["attribute"] for row in geometry(headers)["dimensions"]] == ["EchoTime"]
    assert geometry(headers)["dimensions"][0] == {
        "attribute": "EchoTime",
        "count": 2,
        "values": [2.3, 4.6],
        "unit": "ms",
    }
    without = [{tag: value for tag, value in header.items() if tag != "00180081"} for header in headers]
    [only] = geometry(without)["dimensions"]
    assert only == {"attribute": "AcquisitionTime", "count": 2, "values": "10:00:00..10:00:04.1"}


def test_b_values_with_directions() -> None:
    """One image without and six with a gradient, at each of three positions."""
    directions = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.7, 0.7, 0], [0, 0.7, 0.7], [0.7, 0, 0.7]]
    headers = [image((0, 0, z), DiffusionBValue=0.0) for z in every(3, 3)] + [
        image((0, 0, z), DiffusionBValue=1000.0, DiffusionGradientOrientation=direction)
        for z in every(3, 3)
        for direction in directions
    ]
    found = geometry(headers)
    assert "with 7 images at each position, told apart by DiffusionBValue (2 values) and " in found["verdict"]
    assert found["dimensions"][0] == {
        "attribute": "DiffusionBValue", "count": 2, "values": [0, 1000], "unit": "s/mm²",
    }  # fmt: skip
    assert (found["dimensions"][1]["count"], found["dimensions"][1]["images_without_it"]) == (6, 3)
    assert "DiffusionGradientOrientation (6 values or none)" in found["verdict"]


def test_thick_and_thin_slices_at_one_place() -> None:
    found = geometry([image((0, 0, z), SliceThickness=thick) for z in every(2, 6) for thick in (1, 5)])
    assert "told apart by SliceThickness (2 values)" in found["verdict"]
    assert found["slice_thickness_mm"] == "1 (6), 5 (6)"


def test_an_image_that_one_of_several_volumes_lacks() -> None:
    headers = [image((0, 0, z), EchoTime=echo) for z in every(3, 6) for echo in (10, 80)]
    found = geometry(headers[:5] + headers[6:])
    assert found["regular_volume"] is False
    assert "its positions have 1 to 2 images, told apart by EchoTime (2 values)" in found["verdict"]
    assert found["positions_with_other_counts"] == [{"at_mm": 6, "images": 1}]


@pytest.mark.parametrize("drift", [0.004, 0.015])
def test_a_table_that_drifts_a_little_between_time_points(drift: float) -> None:
    """Images of one place that lie 0.045 mm apart do not make the next place one of hundreds of missing slices."""
    times = [
        image((0, 0, z + drift * time), TemporalPositionIdentifier=time) for z in every(2.5, 8) for time in range(4)
    ]
    found = geometry(times)
    assert (found["slices"], found["spacing_mm"], found["images_per_position"]) == (8, 2.5, 4)
    assert "missing" not in found["verdict"]


def test_magnitude_and_phase() -> None:
    headers = [
        image((0, 0, z), ImageType=["ORIGINAL", "PRIMARY", kind, "ND"], TriggerTime=time)
        for z in every(8, 3)
        for kind in "MP"
        for time in (0, 40, 80, 120)
    ]
    found = geometry(headers)
    assert [(row["attribute"], row["count"]) for row in found["dimensions"]] == [("TriggerTime", 4), ("ImageType", 2)]
    assert found["dimensions"][1]["values"] == ["ORIGINAL\\PRIMARY\\M\\ND", "ORIGINAL\\PRIMARY\\P\\ND"]


def test_padding_tells_no_images_apart() -> None:
    """Values of CS are padded with spaces that say nothing, and some archives send them."""
    types = (["DERIVED ", "PRIMARY", "AXIAL"], ["DERIVED", "PRIMARY", "AXIAL"])
    found = geometry(
        [image((0, 0, z)) | {"00080008": {"vr": "CS", "Value": kind}} for z in every(8, 3) for kind in types]
    )
    assert found["duplicates"] == 3
    assert "dimensions" not in found


def test_localizers_are_counted_and_left_out() -> None:
    scout = image((0, 0, 0), SAGITTAL, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    found = geometry([scout, *series(every(2, 9))])
    assert found["regular_volume"] is True
    assert found["localizers"] == 1
    assert found["images"] == 9
    assert geometry([scout])["verdict"] == "No volume: 1 localizer image."


def test_images_without_a_position_are_counted() -> None:
    bare = {tag: value for tag, value in image((0, 0, 0)).items() if tag != "00200032"}
    found = geometry([bare, *series(every(2, 9))])
    assert found["verdict"] == "Not one regular volume: 9 axial slices, because 1 image has no position."
    assert found["without_position"] == 1
    assert geometry([bare, bare]) == {
        "verdict": "These images carry no position and orientation in the patient that can be used.",
        "images": 2,
    }


def test_a_single_image_claims_no_volume() -> None:
    found = geometry(series([12.25]))
    assert found["verdict"] == "No volume: a single image, axial."
    assert found["regular_volume"] is None
    assert found["position_mm"] == 12.25


def test_a_sample_has_no_verdict() -> None:
    found = geometry(series([0, 100, 340, 345]), all_positions=False)
    assert found["regular_volume"] is None
    assert "only the positions of some images were read" in found["verdict"]
    assert found["orientation"] == "axial"
    assert not {"spacing_mm", "gaps", "position_mm", "slices", "extent_mm"} & set(found)


def test_small_pixels_may_differ_by_little() -> None:
    found = geometry(
        [*series(every(1, 5), PixelSpacing=[0.1, 0.1]), *series(every(1, 5, 5), PixelSpacing=[0.1004] * 2)]
    )
    assert "because their pixel spacings differ." in found["verdict"]


@pytest.mark.parametrize(
    ("thickness", "spacing", "expected"),
    [
        (5, 2.5, {"slice_thickness_mm": 5, "overlap_mm": 2.5}),
        (5, 6, {"slice_thickness_mm": 5, "between_slices_mm": 1}),
        (2.5, 2.5, {}),
        (2.5, 2.51, {}),
    ],
)
def test_slices_overlap_or_leave_room(thickness, spacing, expected) -> None:
    found = geometry(series(every(spacing, 6), SliceThickness=thickness))
    names = ("slice_thickness_mm", "overlap_mm", "between_slices_mm")
    assert {name: found[name] for name in names if name in found} == expected


@pytest.mark.parametrize(("digits", "step"), [(1, 0.625), (2, 0.6252), (1, 2.53), (2, 1.953125)])
def test_rounded_positions_are_regular(digits, step) -> None:
    found = geometry(series([round(place, digits) for place in every(step, 200, -301.3)]))
    assert found["regular_volume"] is True, found
    assert found["spacing_mm"] == pytest.approx(step, abs=0.006)


def test_rounded_positions_with_a_missing_slice() -> None:
    places = [round(place, 1) for place in every(0.625, 200)]
    del places[50]
    found = geometry(series(places))
    assert [(gap["after_mm"], gap["missing_slices"]) for gap in found["gaps"]] == [(round(49 * 0.625, 1), 1)]


def test_the_steps_of_microscopes_are_not_one_place() -> None:
    found = geometry(series([index * 0.008 for index in range(20)], PixelSpacing=[0.008, 0.008], SliceThickness=0.008))
    assert (found["regular_volume"], found["slices"], found["spacing_mm"]) == (True, 20, 0.008)


@pytest.mark.parametrize(
    ("orientation", "words"),
    [
        (AXIAL, "axial"),
        (CORONAL, "coronal"),
        (SAGITTAL, "sagittal"),
        ((-1, 0, 0, 0, -1, 0), "axial"),
        (TILT, "oblique, 20 degrees from axial towards coronal"),
        ((0.8, 0, 0.6, 0, 1, 0), "oblique, 36.9 degrees from axial towards sagittal"),
        # row (2,-1,0)/sqrt(5), column (1,2,-5)/sqrt(30): the normal is (1,2,1)/sqrt(6), acos(2/sqrt(6)) = 35.3
        ((0.894427, -0.447214, 0, 0.182574, 0.365148, -0.912871), "oblique, 35.3 degrees from coronal"),
    ],
)
def test_orientations_in_words(orientation, words) -> None:
    assert geometry([image((0, 0, 0), orientation)])["orientation"] == words


def test_more_orientations_than_are_compared() -> None:
    headers = [
        image((0, 0, 0), (math.cos(math.radians(angle)), math.sin(math.radians(angle)), 0, 0, 0, -1))
        for angle in range(80)
    ]
    found = geometry(headers)
    assert found["verdict"].startswith("Not one regular volume: over 50 stacks (")
    assert found["more_stacks"] == 42
    assert found["images_in_more_stacks"] == 72
    assert len(json.dumps(found)) < 2_200


def test_nothing_at_all() -> None:
    assert describe_geometry([]) == {
        "verdict": "These images carry no position and orientation in the patient that can be used.",
        "images": 0,
    }


def test_the_head_of_a_tilted_gantry() -> None:
    """A GE CT: the table moves by 13 x 4.22, 1.14 and 13 x 7.38 mm along z, the planes are tilted by 18.5 degrees, and
    along their normal these are 4.00, 1.08 and 7.00 mm, as thick as the slices are."""
    headers = json.loads((DATA / "ct-head-ge" / "headers.json").read_text(encoding="utf-8"))
    heights = sorted(header["00200032"]["Value"][2] for header in headers)
    steps = [round(after - before, 2) for before, after in pairwise(heights)]
    assert steps == [4.22] * 13 + [1.14] + [7.38] * 13
    found = geometry(headers)
    slope = math.cos(math.radians(18.5))
    assert [run["spacing_mm"] for run in found["steps"]] == [round(z * slope, 2) for z in (4.22, 1.14, 7.38)]
    assert [run["steps"] for run in found["steps"]] == [13, 1, 13]
    assert found["shear_degrees"] == found["gantry_tilt_degrees"] == 18.5
    assert found["orientation"] == "oblique, 18.5 degrees from axial towards coronal"
    assert found["slice_thickness_mm"] == "4 (14), 7 (14)"
    assert found["regular_volume"] is False


def test_the_headers_are_those_of_the_files(test_data: Path) -> None:
    files = [json.loads(pydicom.dcmread(path, stop_before_pixels=True).to_json())
             for path in sorted((test_data / "ct-head-ge").glob("*.dcm"))]  # fmt: skip
    headers = json.loads((DATA / "ct-head-ge" / "headers.json").read_text(encoding="utf-8"))
    assert geometry(files) == geometry(headers)


@pytest.mark.parametrize(
    "folder",
    ["dicomdirtests/77654033/CT2", "dicomdirtests/98892001/CT5N", "dicomdirtests/98892003/MR1",
     "dicomdirtests/98892003/MR2", "dicomdirtests/98892003/MR700"],
)  # fmt: skip
def test_highdicom_agrees_on_what_is_regular(folder: str) -> None:
    files = [path for path in sorted((PYDICOM / folder).iterdir()) if path.is_file()]
    _agree([pydicom.dcmread(path, stop_before_pixels=True) for path in files])


@pytest.mark.parametrize("folder", ["ct-seg-sr/ct", "ct-seg-sr/24x38x3"])
def test_highdicom_agrees_on_the_test_data(folder: str) -> None:
    datasets = [pydicom.dcmread(path, stop_before_pixels=True) for path in sorted((DATA / folder).glob("*[0-9].dcm"))]
    _agree(datasets)


def _agree(datasets: list[pydicom.Dataset]) -> None:
    """Both find one volume with the same spacing, or both find none."""
    found = geometry([json.loads(dataset.to_json()) for dataset in datasets])
    same = ("ImageOrientationPatient", "Rows", "Columns", "FrameOfReferenceUID")
    spacing = None
    if all(len({str(dataset.get(keyword)) for dataset in datasets}) == 1 for keyword in same):
        spacing, _ = get_series_volume_positions(datasets)
    assert (spacing is not None) == bool(found["regular_volume"])
    if spacing is not None:
        assert found["spacing_mm"] == pytest.approx(spacing, abs=0.005)


def test_fields_are_keywords_and_no_sequences() -> None:
    for keyword in GEOMETRY_FIELDS:
        tag = pydicom.datadict.tag_for_keyword(keyword)
        assert tag is not None
        assert pydicom.datadict.dictionary_VR(tag) != "SQ"


def test_rows_of_a_search_say_the_same_as_whole_headers() -> None:
    headers = json.loads((DATA / "ct-head-ge" / "headers.json").read_text(encoding="utf-8"))
    tags = {f"{pydicom.datadict.tag_for_keyword(keyword):08X}" for keyword in GEOMETRY_FIELDS}
    rows = [{tag: value for tag, value in header.items() if tag in tags} for header in headers]
    assert geometry(rows) == geometry(headers)


@pytest.mark.parametrize("name", ["examples_palette.dcm", "test-SR.dcm", "reportsi.dcm", "waveform_ecg.dcm"])
def test_objects_without_positions(name: str) -> None:
    header = json.loads(pydicom.dcmread(str(get_testdata_file(name)), stop_before_pixels=True).to_json())
    assert geometry([header]) == {
        "verdict": "These images carry no position and orientation in the patient that can be used.",
        "images": 1,
    }
