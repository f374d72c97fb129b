"""Factors of standardized uptake values, worked out by hand: 70 kg, 350 MBq of fluorine 18 (6,588 s), 1,098 s = 1/6 of
a half-life is 2 ** (1/6) = 1.122462."""

import base64
import json
from typing import Any

import pydicom
import pytest
from pydicom.dataelem import DataElement

from dicomweb_mcp.dicom.suv import body_weight

UNDECAYED = 70_000 / 350e6  # 0.0002 g/ml per Bq/ml


def pet(dose: dict[str, Any] | None = None, philips: dict[int, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A PET image that has all; None leaves an attribute out."""
    item = {
        "RadionuclideTotalDose": "350000000",
        "RadionuclideHalfLife": "6588",
        "RadiopharmaceuticalStartDateTime": "20200102100000",
    } | (dose or {})
    attributes = {
        "Modality": "PT",
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.128",
        "Units": "BQML",
        "DecayCorrection": "START",
        "CorrectedImage": ["DECY", "ATTN"],
        "PatientWeight": "70",
        "SeriesDate": "20200102",
        "SeriesTime": "114948",  # one half-life after the injection
        "AcquisitionDate": "20200102",
        "AcquisitionTime": "115500",
    } | changes
    made, inside = pydicom.Dataset(), pydicom.Dataset()
    for keyword, value in item.items():
        if value is not None:
            setattr(inside, keyword, value)
    made.RadiopharmaceuticalInformationSequence = [inside]
    for keyword, value in attributes.items():
        if value is not None:
            setattr(made, keyword, value)
    if philips:
        made.add(DataElement((0x7053, 0x10), "LO", "Philips PET Private Group"))
        for element, value in philips.items():
            made.add(DataElement((0x7053, 0x1000 + element), "DS", value))
    found: dict[str, Any] = json.loads(made.to_json())
    return found


@pytest.mark.parametrize(
    ("obj", "half_lives", "said"),
    [
        pytest.param(pet(), 1, "from Bq/ml, 70 kg, 350 MBq, decay over 6588 s from the injection to SeriesTime", id="start"),
        pytest.param(pet(DecayCorrection="ADMIN"), 0, "decay corrected to the injection", id="administration"),
        pytest.param(pet(SeriesTime="100000"), 0, "decay over 0 s", id="scanned at once"),
        pytest.param(pet(SeriesTime="101818.0"), 1 / 6, "decay over 1098 s", id="fraction of a second"),
        pytest.param(
            pet(dose={"RadiopharmaceuticalStartDateTime": "20200101233000"}, SeriesTime="011948", AcquisitionTime="0130"),
            1, "decay over 6588 s", id="midnight, dated",
        ),
        pytest.param(
            pet(dose={"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": "233000.00"},
                SeriesTime="011948", AcquisitionTime="013000"),
            1, "across midnight?", id="midnight, no date",
        ),
        pytest.param(
            pet(dose={"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": "100000"}),
            1, "the time of injection has no date", id="no date",
        ),
        pytest.param(
            pet(dose={"RadiopharmaceuticalStartDateTime": "20200102080000.5+0000"}, TimezoneOffsetFromUTC="+0200",
                SeriesTime="114948.5"),
            1, "decay over 6588 s", id="injection in UTC",
        ),
        pytest.param(
            pet(dose={"RadiopharmaceuticalStartDateTime": "20200102100000-0500"}), 1, "6588 s", id="offset without another",
        ),
        pytest.param(pet(SeriesDate=None, AcquisitionDate=None), 1, "decay over 6588 s", id="no day of the scan"),
        pytest.param(
            pet(SeriesTime="180000", AcquisitionTime="114948"), 1,
            "AcquisitionTime of this image, because SeriesTime is later", id="derived later",
        ),
        pytest.param(pet(SeriesTime=None, AcquisitionTime="114948"), 1, "because there is no SeriesTime", id="no series time"),
    ],
)  # fmt: skip
def test_the_dose_decays_until_the_start_of_the_scan(obj: dict[str, Any], half_lives: float, said: str) -> None:
    found = body_weight(obj)
    assert found is not None
    assert found.factor == pytest.approx(UNDECAYED * 2**half_lives, rel=1e-9)
    assert said in found.how


def test_the_start_of_a_scan_by_the_reference_time_of_a_frame() -> None:
    """A frame of 120 s (a short one: its average is 59.9 s after its beginning), whose reference is 1,860 s after the
    start: the start is the acquisition less 1,860 s plus 59.9 s."""
    obj = pet(SeriesTime="180000", AcquisitionTime="121948", FrameReferenceTime="1859900", ActualFrameDuration="120000")
    found = body_weight(obj)
    assert found is not None
    assert found.factor == pytest.approx(UNDECAYED * 2, rel=1e-4)
    assert "AcquisitionTime and FrameReferenceTime" in found.how


@pytest.mark.parametrize(
    ("obj", "factor", "said"),
    [
        (pet(Units="GML"), 1, "SUV already"),
        (pet(Units="GML", SUVType="BW", PatientWeight=None), 1, "SUV already"),
        (
            pet(Units="CNTS", philips={0x00: "0.00042"}, PatientWeight=None),
            0.00042,
            "SUV factor (7053,1000) of Philips",
        ),
        (pet(Units="CNTS", philips={0x00: "0", 0x09: "1.5"}), 1.5 * UNDECAYED * 2, "activity factor (7053,1009)"),
    ],
)
def test_other_units(obj: dict[str, Any], factor: float, said: str) -> None:
    found = body_weight(obj)
    assert found is not None
    assert found.factor == pytest.approx(factor)
    assert said in found.how


def test_private_factors_that_came_as_bytes() -> None:
    obj = pet(Units="CNTS", philips={0x00: "0"})
    obj["70531000"] = {"vr": "UN", "InlineBinary": base64.b64encode(b"0.00042 ").decode()}
    found = body_weight(obj)
    assert found is not None
    assert found.factor == pytest.approx(0.00042)


@pytest.mark.parametrize(
    ("obj", "reason"),
    [
        (pet(PatientWeight="0"), "no PatientWeight (it is 0)"),
        (pet(PatientWeight=None), "no PatientWeight"),
        (pet(dose={"RadionuclideTotalDose": "350"}), "RadionuclideTotalDose 350 is too small to be in Bq"),
        (pet(dose={"RadionuclideTotalDose": None}), "no RadionuclideTotalDose"),
        (pet(dose={"RadionuclideHalfLife": "0"}), "no RadionuclideHalfLife (it is 0)"),
        (pet(dose={"RadiopharmaceuticalStartDateTime": "20200102120000"}), "the injection is later"),
        (pet(dose={"RadiopharmaceuticalStartDateTime": "20190705100000"}), "half-lives before the scan"),
        (pet(dose={"RadiopharmaceuticalStartDateTime": "2020010299"}), "the time of injection cannot be read"),
        (
            pet(dose={"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": "114949"}),
            "half-lives before the scan",
        ),
        (pet(DecayCorrection="NONE"), "DecayCorrection NONE"),
        (pet(CorrectedImage=["DECY"]), "not corrected for attenuation"),
        (pet(Units="CNTS"), "Units CNTS, without a private factor of Philips"),
        (pet(Units="PROPCPS"), "Units PROPCPS, where Bq/ml (BQML) are needed"),
        (pet(Units=None), "no Units"),
        (pet(Units="GML", SUVType="LBM"), "of another type (LBM)"),
        (pet(SOPClassUID="1.2.840.10008.5.1.4.1.1.130"), "enhanced PET"),
        (pet(Units="CNTS", philips={0x00: "-1"}), "no usable number"),
        ({"00080060": {"vr": "CS", "Value": ["PT"]}}, "no Units"),
    ],
)
def test_what_is_missing_is_named(obj: dict[str, Any], reason: str) -> None:
    found = body_weight(obj)
    assert found is not None
    assert found.factor is None
    assert reason in found.how


LATER = {"SeriesTime": "180000", "AcquisitionTime": "114948", "ActualFrameDuration": "120000"}


@pytest.mark.parametrize(
    "obj",
    [
        pytest.param(pet(**LATER, FrameReferenceTime="1e20"), id="longer than any time"),
        pytest.param(pet(**LATER, FrameReferenceTime="1e15"), id="before the first year"),
        pytest.param(pet(dose={"RadionuclideHalfLife": "1e300"}, **(LATER | {"ActualFrameDuration": "1"}),
                         FrameReferenceTime="-1e300"), id="after the last year"),
        pytest.param(pet(dose={"RadiopharmaceuticalStartDateTime": "00010101000000+9900"}, TimezoneOffsetFromUTC="-0000"),
                     id="an offset to before the first year"),
    ],
)  # fmt: skip
def test_times_beyond_every_calendar(obj: dict[str, Any]) -> None:
    found = body_weight(obj)
    assert found is not None
    assert found.factor is None
    assert "beyond what can be computed with" in found.how


def test_a_fraction_of_a_second_is_never_more_than_one() -> None:
    """0.1e5 would be 10,000 s."""
    found = body_weight(pet(SeriesTime="114948.1e5", AcquisitionTime="114948"))
    assert found is not None
    assert found.factor == pytest.approx(UNDECAYED * 2)
    assert "from the injection to AcquisitionTime of this image" in found.how


def test_only_pet_has_uptake() -> None:
    assert body_weight(pet(Modality="CT")) is None
