"""Hand-computed cases."""

import pytest
from pydicom.datadict import tag_for_keyword

from dicom.objects.making import code, made, references
from dicomweb_mcp.dicom.objects.attributes import (
    UNITS,
    codes,
    cut,
    few,
    hoisted,
    reals,
    referenced,
    rounded,
    shown,
    significant,
    span,
)  # fmt: skip


def test_units_are_those_of_known_attributes() -> None:
    assert [keyword for keyword in UNITS if tag_for_keyword(keyword) is None] == []


def test_what_is_empty_is_left_out_and_numbers_have_their_unit() -> None:
    obj = made(GantryAngle="90.50", KVP=None, RTPlanLabel="A\x1bB", TreatmentDate="20240102").to_json_dict()
    assert shown(obj, "GantryAngle", "KVP", "RTPlanLabel", "TreatmentDate", "ROIName") == {
        "GantryAngle": "90.5 deg", "RTPlanLabel": "AB", "TreatmentDate": "2024-01-02",
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


def test_what_all_rows_share_is_taken_out() -> None:
    table = [{"a": 1, "b": 2, "c": 3, "n": 0}, {"a": 1, "b": 5, "n": 0}]
    assert hoisted(table, keep=("n",)) == {"a": 1}
    assert table == [{"b": 2, "c": 3, "n": 0}, {"b": 5, "n": 0}]
    assert hoisted([{"a": 1}]) == {}


@pytest.mark.parametrize(
    ("values", "count", "found"),
    [([1, "2.5"], None, [1, 2.5]), ([1], 2, []), ([1e300], None, []), (["NaN"], None, []), ([None, 1], 1, [1])],
)
def test_numbers_to_compute_with(values, count, found) -> None:
    assert reals({"300A011E": {"vr": "DS", "Value": values}}, "GantryAngle", count) == found


@pytest.mark.parametrize(("value", "short"), [(-0.001, "0"), (2.0, "2"), (2.345678, "2.35"), (-1.5, "-1.5")])
def test_rounded(value, short) -> None:
    assert str(rounded(value)) == short


@pytest.mark.parametrize(
    ("value", "short"), [(0, 0), (12345.6, 12300), (45.67, 45.7), (0.0078912, 0.00789), (999.9, 1000)]
)
def test_significant(value, short) -> None:
    assert significant(value) == short


def test_spans_and_lists() -> None:
    assert (span([3, -1.256, 2]), span([2.0, 2.001])) == ("-1.26..3", "2")
    assert (few([1, 2]), few(list(range(15)), 2)) == ("1, 2", "0, 1 and 13 more")


def test_what_is_cut_names_the_call_that_gets_it() -> None:
    obj = made(BeamSequence=[made(BeamNumber=n) for n in range(25)]).to_json_dict()
    assert cut(obj, "BeamSequence", "BeamName", "beams", 20) == [
        '5 more beams: get_metadata with fields=["BeamSequence.BeamName"].'
    ]
    assert cut(obj, "BeamSequence", "BeamName", "beams") == []
