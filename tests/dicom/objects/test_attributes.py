"""Hand-computed cases."""

import pytest
from pydicom.datadict import tag_for_keyword

from dicom.objects.making import code, made, references
from dicomweb_mcp.dicom.objects.attributes import UNITS, codes, cut, reals, referenced, shown


def test_units_are_those_of_known_attributes() -> None:
    assert [keyword for keyword in UNITS if tag_for_keyword(keyword) is None] == []


def test_what_is_empty_is_left_out_and_numbers_have_their_unit() -> None:
    obj = made(GantryAngle="90.50", KVP=None, RTPlanLabel="A\x1bB", TreatmentDate="20240102").to_json_dict()
    assert shown(obj, "GantryAngle", "KVP", "RTPlanLabel", "TreatmentDate", "ROIName") == {
        "GantryAngle": "90.5 degrees", "RTPlanLabel": "AB", "TreatmentDate": "2024-01-02",
    }  # fmt: skip


def test_what_is_no_number_has_no_unit() -> None:
    assert shown({"300A011E": {"vr": "DS", "Value": ["abc"]}}, "GantryAngle") == {"GantryAngle": "abc (not a number)"}


def test_many_values_are_cut_and_counted() -> None:
    obj = {"300A011E": {"vr": "DS", "Value": list(range(1000))}}
    assert shown(obj, "GantryAngle")["GantryAngle"].endswith("10 x 11 ... (988 more values)")


def test_references_and_codes() -> None:
    obj = made(
        ReferencedDoseSequence=references(*(f"1.2.{n}" for n in range(9))), DerivationCodeSequence=code("1", "Sum")
    )
    found = referenced(obj.to_json_dict(), "ReferencedDoseSequence", "ReferencedStructureSetSequence")
    assert found == {"ReferencedDoseSequence": "1.2.0, 1.2.1, 1.2.2, 1.2.3, 1.2.4, 1.2.5 and 3 more"}
    assert codes(obj.to_json_dict(), "DerivationCodeSequence") == {"DerivationCodeSequence": "Sum (1, DCM)"}


@pytest.mark.parametrize(
    ("values", "count", "found"),
    [([1, "2.5"], None, [1, 2.5]), ([1], 2, []), ([1e300], None, []), (["NaN"], None, []), ([None, 1], 1, [1])],
)
def test_numbers_to_compute_with(values, count, found) -> None:
    assert reals({"300A011E": {"vr": "DS", "Value": values}}, "GantryAngle", count) == found


def test_what_is_cut_names_the_call_that_gets_it() -> None:
    obj = made(BeamSequence=[made(BeamNumber=n) for n in range(25)]).to_json_dict()
    assert cut(obj, "BeamSequence", "BeamName", "beams", 20) == [
        '5 more beams: get_metadata with fields=["BeamSequence.BeamName"].'
    ]
    assert cut(obj, "BeamSequence", "BeamName", "beams") == []
