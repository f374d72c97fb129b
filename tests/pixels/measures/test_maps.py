"""The largest dose and where it lies; the range of parametric maps. By hand."""

from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.data import get_testdata_file

from dicomweb_mcp.pixels.measures.doses import DoseTally
from dicomweb_mcp.pixels.measures.maps import MapTally
from dicomweb_mcp.pixels.measures.tally import Tally
from dicomweb_mcp.pixels.problems import Undecodable
from segmentations import as_json, code, make


def result(tally: Tally, frames: NDArray[Any]) -> Any:
    for number in tally.frames:
        tally.add(number, frames[number - 1])
    return tally.result()


def dose(**more: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "NumberOfFrames": 2, "DoseGridScaling": 0.01, "DoseUnits": "GY", "ImagePositionPatient": [10, 20, 30],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PixelSpacing": [2, 3], "GridFrameOffsetVector": [0, 5],
    }  # fmt: skip
    return as_json(make(**{key: value for key, value in {**values, **more}.items() if value is not None}))


DOSES = np.zeros((2, 4, 4), np.uint32)
DOSES[1, 2, 3] = 5_000


@pytest.mark.parametrize("offsets", [[0, 5], [30, 35]])
def test_the_largest_dose_and_its_place(offsets: list[float]) -> None:
    found = result(DoseTally(dose(GridFrameOffsetVector=offsets)), DOSES)
    assert found.facts == {"maximum_dose_gy": 50, "maximum_dose_frame": 2, "maximum_dose_at_mm": [19, 24, 35]}


def test_a_place_that_is_not_known_is_left_out() -> None:
    found = result(DoseTally(dose(GridFrameOffsetVector=None, DoseUnits="RELATIVE")), DOSES)
    assert found.facts == {"maximum_dose": 50, "maximum_dose_frame": 2}


def test_a_dose_without_scaling_is_refused() -> None:
    with pytest.raises(Undecodable, match="DoseGridScaling"):
        DoseTally(dose(DoseGridScaling=None))


def test_the_dose_of_a_real_file() -> None:
    dataset = pydicom.dcmread(get_testdata_file("rtdose.dcm"))
    found = result(DoseTally(as_json(dataset)), dataset.pixel_array)
    assert dataset.DoseUnits == "RELATIVE"
    assert found.facts["maximum_dose"] == pytest.approx(
        dataset.pixel_array.max() * float(dataset.DoseGridScaling), rel=1e-5
    )


def mapping(slope: float | None = 2, unit: str = "um2/s") -> Any:
    scaled = {} if slope is None else {"RealWorldValueSlope": slope, "RealWorldValueIntercept": -1}
    return make(MeasurementUnitsCodeSequence=[code(unit, "unit", "UCUM")], **scaled)


def parametric(*mappings: Any, **more: Any) -> dict[str, Any]:
    groups = [make(RealWorldValueMappingSequence=[one]) if one else make(FrameType="x") for one in mappings]
    return as_json(make(NumberOfFrames=len(groups), PerFrameFunctionalGroupsSequence=groups, **more))


VALUES = np.array([[[0.0, 1], [2, np.nan]], [[3, 4], [5, -9]]])


def test_the_range_of_a_map_in_its_unit() -> None:
    found = result(MapTally(parametric(mapping(), mapping(10), FloatPixelPaddingValue=-9.0)), VALUES)
    assert found.facts == {"minimum": -1, "maximum": 49, "mean": pytest.approx(120 / 6), "unit": "unit (um2/s, UCUM)"}
    assert found.notes == ["2 pixels are padding or no numbers and were left out of the range."]


@pytest.mark.parametrize(
    "mappings", [(mapping(), mapping(unit="ms")), (mapping(), None), (mapping(None), mapping(None))]
)
def test_without_one_unit_the_range_is_of_stored_values(mappings: tuple[Any, ...]) -> None:
    found = result(MapTally(parametric(*mappings)), VALUES)
    assert (found.facts["minimum"], found.facts["maximum"]) == (-9, 5)
    assert "unit" not in found.facts
    assert any("stored values" in note for note in found.notes)


def test_a_map_of_padding_alone_has_no_range() -> None:
    assert result(MapTally(parametric(mapping(), PixelPaddingValue=3)), np.full((1, 2, 2), 3)).facts == {}


def test_what_is_too_large_for_a_number_is_said() -> None:
    assert result(DoseTally(dose(DoseGridScaling=1e308)), DOSES).facts == {}
    huge = MapTally(parametric(mapping(1e308)))
    found = result(huge, np.array([[[1e300, -1e300]]]))
    assert found.facts == {}
    assert found.notes == ["The values are too large for a range."]
