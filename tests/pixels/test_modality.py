import base64

import numpy as np
import pytest

from dicomweb_mcp.pixels.description import PixelDescription
from dicomweb_mcp.pixels.modality import padding, real_values, unit
from dicomweb_mcp.pixels.problems import MissingBulk, Undecodable

TABLE = {"LUTDescriptor": [3, 5, 16], "LUTData": [100, 200, 300], "ModalityLUTType": "OD"}


def test_a_modality_table_wins_over_slope_and_intercept(make):
    view = make(RescaleSlope=2, RescaleIntercept=1, ModalityLUTSequence=[TABLE])
    assert real_values(np.array([0, 5, 6, 7, 9]), view, is_signed=False).tolist() == [100, 100, 200, 300, 300]
    assert unit(view) == "OD"


def test_a_modality_table_as_words(make):
    words = base64.b64encode(np.array([100, 200, 300], "<u2").tobytes()).decode()
    view = make(ModalityLUTSequence=[TABLE | {"LUTData": {"vr": "OW", "InlineBinary": words}}])
    assert real_values(np.array([6]), view, is_signed=False).tolist() == [200]


def test_a_modality_table_that_was_not_retrieved(make):
    view = make(ModalityLUTSequence=[TABLE | {"LUTData": {"vr": "OW", "BulkDataURI": "http://a/b"}}])
    with pytest.raises(MissingBulk, match="LUTData"):
        real_values(np.array([6]), view, is_signed=False)


def test_entries_of_more_bits_than_said_are_refused(make):
    view = make(ModalityLUTSequence=[TABLE | {"LUTDescriptor": [3, 5, 8]}])
    with pytest.raises(Undecodable, match="more than the 8 bits"):
        real_values(np.array([6]), view, is_signed=False)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, ""),
        ({"Modality": "CT", "RescaleIntercept": -1024}, "HU"),
        ({"Modality": "CT", "RescaleIntercept": -1024, "RescaleType": "US"}, "HU"),
        ({"Modality": "CT", "RescaleIntercept": 0, "RescaleType": "MGML"}, "MGML"),
        ({"Modality": "CT"}, ""),
        ({"Modality": "MR", "RescaleIntercept": 0, "RescaleType": "US"}, ""),
        ({"Modality": "PT", "RescaleIntercept": 0, "Units": "BQML"}, "BQML"),
        ({"Modality": "RTDOSE", "DoseGridScaling": 0.001, "DoseUnits": "GY"}, "GY"),
    ],
)
def test_units(make, attributes, expected):
    assert unit(make(**attributes)) == expected


def test_a_dose_is_scaled(make):
    assert real_values(np.array([1500]), make(DoseGridScaling=0.001), is_signed=False).tolist() == [1.5]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, None),
        ({"PixelPaddingValue": -2000}, [True, False, False, False]),
        ({"PixelPaddingValue": 63536}, [True, False, False, False]),
        ({"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1000}, [True, True, False, False]),
        ({"PixelPaddingValue": -1000, "PixelPaddingRangeLimit": -2000}, [True, True, False, False]),
        ({"PixelPaddingValue": 77}, None),
    ],
)
def test_padding(make, attributes, expected):
    view = make(PixelRepresentation=1, **attributes)
    description = PixelDescription.of(view, "1.2.840.10008.1.2.1")
    found = padding(np.array([-2000, -1500, 0, 100]), view, description)
    assert (found if found is None else found.tolist()) == expected
