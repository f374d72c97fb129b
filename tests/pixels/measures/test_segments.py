"""Voxels, volumes and boxes of segments, against highdicom and against what can be counted by hand."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from highdicom.seg import Segmentation
from numpy.typing import NDArray
from pydicom import Dataset

from dicomweb_mcp.pixels.measures.segments import SegmentTally
from dicomweb_mcp.pixels.problems import Undecodable
from segmentations import FILES, as_json, code, frame, frames_of, make, read, segment, segmentation

IN_PATIENT = [name for name in FILES if "_sm_" not in name and "_cr_" not in name]
ON_SLIDES = [name for name in FILES if "_sm_" in name]


def measured(dataset: Dataset, frames: NDArray[Any] | None = None) -> Any:
    pixels = frames_of(dataset) if frames is None else frames
    tally = SegmentTally(as_json(dataset))
    for number in tally.frames:
        tally.add(number, pixels[number - 1])
    return tally.result()


def box_of(row: Mapping[str, Any], name: str = "bounding_box_mm") -> list[float]:
    return [float(end) for side in row[name].split(", ") for end in side.split(" ")[1].split("..")]


def masks(volume: NDArray[Any], dataset: Dataset) -> dict[int, NDArray[Any]]:
    """Segment number -> its array, without the background."""
    numbers = [item.SegmentNumber for item in dataset.SegmentSequence]
    last = volume[..., -len(numbers) :] if volume.shape[-1] == len(numbers) else volume
    listed = numbers if last.shape[-1] == len(numbers) else [number for number in numbers if number]
    return {number: last[..., at] for at, number in enumerate(listed) if number}


@pytest.mark.parametrize("name", IN_PATIENT)
def test_volumes_and_boxes_are_those_of_highdicom(name: str) -> None:
    dataset = read(name)
    volume = Segmentation.from_dataset(dataset).get_volume(rescale_fractional=False)
    rows = measured(dataset).rows
    maximum = dataset.get("MaximumFractionalValue", 1)
    for number, mask in masks(volume.array, dataset).items():
        row = rows[number]
        assert row["voxels"] == pytest.approx(mask.sum() / maximum, abs=0.005)
        assert row["volume_ml"] == pytest.approx(mask.sum() / maximum * np.prod(volume.spacing) / 1_000, rel=1e-3)
        places = np.argwhere(mask)
        corners = np.array([[*place, 1] for edge in (places.min(0) - 0.5, places.max(0) + 0.5) for place in [edge]])
        ends = np.sort((volume.affine @ corners.T)[:3], axis=1)
        assert box_of(row) == pytest.approx(ends.ravel().tolist(), abs=0.01)


@pytest.mark.parametrize("name", ON_SLIDES)
def test_areas_on_slides_are_those_of_highdicom(name: str) -> None:
    dataset = read(name)
    matrix = Segmentation.from_dataset(dataset).get_total_pixel_matrix()
    rows = measured(dataset).rows
    spacing = 0.000499
    for number, mask in masks(matrix, dataset).items():
        if not mask.any():
            assert rows.get(number, {"voxels": 0})["voxels"] == 0
            continue
        assert rows[number]["voxels"] == mask.sum()
        assert rows[number]["area_mm2"] == pytest.approx(mask.sum() * spacing**2, rel=1e-3)
        (top, left), (bottom, right) = np.argwhere(mask).min(0), np.argwhere(mask).max(0)
        edges = [left * spacing, (right + 1) * spacing, top * spacing, (bottom + 1) * spacing]
        assert box_of(rows[number]) == pytest.approx(edges, rel=1e-3, abs=1e-9)


def test_where_no_place_is_known_pixels_are_counted() -> None:
    dataset = read("seg-sm-ann-sr/seg_image_cr_binary.dcm")
    found = measured(dataset)
    assert found.rows[1]["voxels"] == dataset.pixel_array.sum()
    assert "volume_ml" not in found.rows[1]
    assert "place is not known" in found.notes[0]


# ---- by hand ---------------------------------------------------------------------------------------------------------

ONES = np.ones((4, 4), np.uint8)


def dotted(*places: tuple[int, int], value: int = 1) -> NDArray[Any]:
    found = np.zeros((4, 4), np.uint8)
    for place in places:
        found[place] = value
    return found


def test_one_voxel_of_known_size_and_place() -> None:
    """2 mm between rows, 1 mm between columns, 3 mm between slices; row 3, column 1 of the slice at z = 10."""
    dataset = segmentation([segment(1)], [frame(1, 10)], {"SpacingBetweenSlices": 3})
    row = measured(dataset, np.array([dotted((3, 1))])).rows[1]
    assert row == {"voxels": 1, "volume_ml": 0.006, "bounding_box_mm": "x 0.5..1.5, y 5..7, z 8.5..11.5"}


def test_frames_of_one_segment_at_one_place_count_once() -> None:
    dataset = segmentation([segment(1)], [frame(1, 0), frame(1, 0), frame(1, 3)], {"SpacingBetweenSlices": 3})
    found = measured(dataset, np.array([dotted((0, 0), (0, 1)), dotted((0, 1), (0, 2)), dotted((0, 0))]))
    assert found.rows[1]["voxels"] == 4
    assert any("1 frames lie where another one" in note for note in found.notes)


def test_two_segments_at_one_place_are_two() -> None:
    dataset = segmentation([segment(1), segment(2)], [frame(1, 0), frame(2, 0)], {"SpacingBetweenSlices": 3})
    found = measured(dataset, np.array([ONES, ONES]))
    assert [row["voxels"] for row in found.rows.values()] == [16, 16]
    assert len(found.notes) == 1


def test_uneven_slices_make_an_estimate() -> None:
    dataset = segmentation([segment(1)], [frame(1, z) for z in (0, 2, 5)])
    found = measured(dataset, np.array([ONES] * 3))
    assert any("Volumes are estimates" in note for note in found.notes)
    assert found.rows[1]["volume_ml"] == pytest.approx(48 * 2 * 2.5 / 1_000)


def test_without_any_depth_there_is_no_volume() -> None:
    found = measured(segmentation([segment(1)], [frame(1, 0)]), np.array([ONES]))
    assert found.rows[1]["voxels"] == 16
    assert "volume_ml" not in found.rows[1]
    assert any("no volumes" in note for note in found.notes)


@pytest.mark.parametrize("place", [{"PlanePositionSequence": [make(ImagePositionPatient=[0, 0, 1e300])]},
                                   {"PixelMeasuresSequence": [make(PixelSpacing=[1e300, 1e300])]}])  # fmt: skip
def test_places_beyond_all_measure_are_unknown(place: dict[str, Any]) -> None:
    dataset = segmentation([segment(1)], [frame(1, None, **place)], {"SpacingBetweenSlices": 3})
    assert measured(dataset, np.array([ONES])).rows[1] == {"voxels": 16, "bounding_box": "x 0..4, y 0..4"}


def test_frames_of_different_directions_make_no_volume() -> None:
    tilted = frame(1, 3, PlaneOrientationSequence=[make(ImageOrientationPatient=[1, 0, 0, 0, 0, -1])])
    found = measured(
        segmentation([segment(1)], [frame(1, 0), tilted], {"SpacingBetweenSlices": 3}), np.array([ONES, ONES])
    )
    assert found.rows[1]["voxels"] == 32
    assert "volume_ml" not in found.rows[1]
    assert any("different orientations" in note for note in found.notes)


@pytest.mark.parametrize("directions", [[1, 0, 0, 0.6, 0.8, 0], [2, 0, 0, 0, 2, 0]])
def test_directions_that_are_none_make_no_volume(directions: list[float]) -> None:
    skew = frame(1, 0, PlaneOrientationSequence=[make(ImageOrientationPatient=directions)])
    dataset = segmentation([segment(1)], [skew], {"SpacingBetweenSlices": 3})
    assert measured(dataset, np.array([ONES])).rows[1] == {"voxels": 16, "bounding_box": "x 0..4, y 0..4"}


def test_any_value_but_0_is_one_voxel_of_a_binary_segment() -> None:
    dataset = segmentation([segment(1)], [frame(1, 0), frame(1, 0), frame(1, 3)], {"SpacingBetweenSlices": 3})
    pixels = np.array([dotted((0, 0), value=255), dotted((0, 0), (1, 1), value=1), dotted((2, 2), value=255)])
    assert measured(dataset, pixels).rows[1]["voxels"] == 3


def test_fractions_are_summed() -> None:
    more = {"SegmentationType": "FRACTIONAL", "MaximumFractionalValue": 100}
    dataset = segmentation([segment(1)], [frame(1, 0)], {"SpacingBetweenSlices": 1}, **more)
    found = measured(dataset, np.array([dotted((0, 0), (1, 1), (2, 2), value=50)]))
    assert found.rows[1]["voxels"] == 1.5
    assert found.rows[1]["volume_ml"] == 0.003
    assert any("Fractional" in note for note in found.notes)


def test_fractions_of_nothing_are_refused() -> None:
    with pytest.raises(Undecodable, match="MaximumFractionalValue"):
        SegmentTally(as_json(segmentation([segment(1)], [frame(1, 0)], SegmentationType="FRACTIONAL")))


def test_fractions_above_one_are_refused() -> None:
    more = {"SegmentationType": "FRACTIONAL", "MaximumFractionalValue": 100}
    with pytest.raises(Undecodable, match="MaximumFractionalValue"):
        measured(segmentation([segment(1)], [frame(1, 0)], **more), np.array([dotted((0, 0), value=101)]))


def test_segments_of_one_number_are_refused() -> None:
    with pytest.raises(Undecodable, match="same numbers"):
        SegmentTally(as_json(segmentation([segment(1), segment(1)], [frame(1, 0)])))


def label_map(*segments: Dataset, **more: Any) -> Dataset:
    return segmentation(
        list(segments), [frame(None, 0)], {"SpacingBetweenSlices": 1}, SegmentationType="LABELMAP", **more
    )


LABELS = np.array([[[0, 0, 7, 7], [0, 9, 9, 7], [0, 0, 0, 0], [5, 5, 5, 5]]], np.uint8)


def test_a_label_map_is_counted_by_its_values() -> None:
    found = measured(label_map(segment(7), segment(9)), LABELS)
    assert {number: row["voxels"] for number, row in found.rows.items()} == {5: 4, 7: 3, 9: 2}
    assert box_of(found.rows[7])[:4] == [1.5, 3.5, -1, 3]
    assert any("not described: 5." in note for note in found.notes)
    assert found.rows[7]["frames"] == 1


def test_padding_and_background_are_no_segments() -> None:
    background = segment(0, "Outside")
    background.SegmentedPropertyTypeCodeSequence = [code("125040", "Background", "DCM")]
    found = measured(label_map(background, segment(7), segment(9), PixelPaddingValue=5), LABELS)
    assert found.rows.keys() == {7, 9}
    assert len(found.notes) == 1


def test_a_segment_of_number_0_that_is_no_background_counts() -> None:
    assert measured(label_map(segment(0), segment(7), segment(9), segment(5)), LABELS).rows[0]["voxels"] == 7


def test_thousands_of_labels_in_one_frame() -> None:
    labels = np.arange(16, dtype=np.uint16).reshape(1, 4, 4) * 4_000
    found = measured(label_map(segment(4_000)), labels)
    assert len(found.rows) == 15
    assert all(row["voxels"] == 1 for row in found.rows.values())
    assert any(note.endswith("and 4 more.") for note in found.notes)


def test_an_empty_segment_has_no_box() -> None:
    found = measured(
        segmentation([segment(1)], [frame(1, 0)], {"SpacingBetweenSlices": 1}), np.zeros((1, 4, 4), np.uint8)
    )
    assert found.rows[1] == {"voxels": 0, "volume_ml": 0}
