import json
from typing import Any

import pytest

from dicomweb_mcp.dicom.summary import MOST_DISTINCT, Summary, parse_fields
from dicomweb_mcp.dicom.tags import UnknownAttribute, attribute
from dicomweb_mcp.dicom.values import normalized
from dicomweb_mcp.errors import BadArgument


def obj(**values: Any) -> dict[str, Any]:
    found = {}
    for keyword, value in values.items():
        known = attribute(keyword)
        found[known.tag] = {"vr": known.vr, "Value": value if isinstance(value, list) else [value]}
    return found


def summed(*objects: dict[str, Any], fields: list[str] | None = None, private: bool = False) -> Summary:
    summary = Summary()
    for one in objects:
        summary.add(one, parse_fields(fields) if fields else None, private=private)
    return summary


def test_what_is_shared_stands_once_and_what_varies_as_a_range() -> None:
    found = summed(*(obj(Modality="CT", InstanceNumber=number, KVP=120) for number in range(1, 29)))
    assert found.constant == {"Modality": "CT", "KVP": 120}
    assert found.varying == {"InstanceNumber": "1..28 (28 values)"}
    assert found.missing == {}
    assert found.instances == 28


def test_few_values_are_counted_many_are_not_listed() -> None:
    found = summed(*(obj(ImageType=["A", "B"] if number < 3 else ["A", "C"]) for number in range(5)))
    assert found.varying == {"ImageType": '["A", "B"] (3), ["A", "C"] (2)'}
    found = summed(*(obj(InstanceNumber=number) for number in range(1, 501)))
    assert found.varying == {"InstanceNumber": "1..500 (over 200 values)"}
    found = summed(*(obj(StudyDescription=f"d{number:03}") for number in range(MOST_DISTINCT + 50)))
    assert found.varying["StudyDescription"].startswith("over 200 values")
    assert len(found.attributes["StudyDescription"].counts) == MOST_DISTINCT


def test_what_only_some_have_is_said_with_its_value() -> None:
    found = summed(obj(Modality="CT", KVP=120), obj(Modality="CT"))
    assert found.constant == {"Modality": "CT"}
    assert found.missing == {"KVP": "1 of 2 lack it; else 120"}
    assert "KVP" not in found.varying


def test_fields_that_nobody_has_are_said() -> None:
    found = summed(obj(Modality="CT"), fields=["KVP", "Modality"])
    assert found.constant == {"Modality": "CT"}
    assert found.missing == {"KVP": "no value"}


def test_bulk_is_named_and_never_shown() -> None:
    pixels = {"7FE00010": {"vr": "OW", "BulkDataURI": "x"}, "00420011": {"vr": "OB", "InlineBinary": "AAECAw=="}}
    found = summed({**obj(Modality="CT"), **pixels})
    assert found.elided == {
        "EncapsulatedDocument": "bulk value (OB) of 4 bytes, not shown",
        "PixelData": "bulk value (OW), not shown",
    }
    assert "AAEC" not in json.dumps(found.constant)


def test_short_sequences_are_shown_and_codes_by_meaning() -> None:
    code = obj(CodeValue="T-62000", CodingSchemeDesignator="SRT", CodeMeaning="Liver")
    segment = {**obj(SegmentNumber=1, SegmentLabel="Liver"), "0062000F": {"vr": "SQ", "Value": [code]}}
    found = summed({"00620002": {"vr": "SQ", "Value": [segment]}})
    assert found.constant["SegmentSequence"] == {
        "SegmentNumber": 1,
        "SegmentLabel": "Liver",
        "SegmentedPropertyTypeCodeSequence": "Liver (T-62000, SRT)",
    }
    nested = {
        "00620002": {
            "vr": "SQ",
            "Value": [{"0062000F": {"vr": "SQ", "Value": [obj(CodeValue="x" * 60)] * n}} for n in (1, 90)],
        }
    }
    found = summed(nested, fields=["SegmentSequence.SegmentedPropertyTypeCodeSequence"])
    assert (
        "1 of 2 not shown, such as a sequence of 90 items"
        in found.elided["SegmentSequence.SegmentedPropertyTypeCodeSequence"]
    )
    assert found.missing == {}
    many = summed({"00620002": {"vr": "SQ", "Value": [segment] * 300}})
    assert many.elided == {"SegmentSequence": "sequence of 300 items"}


def test_paths_into_sequences_read_every_item() -> None:
    items = [obj(SegmentLabel=f"organ {number}") for number in range(3)]
    one = {"00620002": {"vr": "SQ", "Value": items}}
    found = summed(one, fields=["SegmentSequence.SegmentLabel", "segment sequence.00620004"])
    assert found.constant == {"SegmentSequence.SegmentLabel": ["organ 0", "organ 1", "organ 2"]}
    partly = {"00620002": {"vr": "SQ", "Value": [obj(SegmentLabel="a", SegmentNumber=1), obj(SegmentLabel="b")]}}
    found = summed(partly, fields=["SegmentSequence.SegmentLabel", "SegmentSequence.SegmentNumber"])
    assert found.constant["SegmentSequence.SegmentNumber"] == [1, None], "values of two paths stand side by side"
    found = summed(one, fields=["SegmentSequence.SegmentLabel", "segment sequence.00620004"])
    assert found.missing == {"SegmentSequence.SegmentNumber": "no value"}


def test_private_attributes_are_counted_or_shown() -> None:
    private = {"00091001": {"vr": "LO", "Value": ["secret"]}, "00090010": {"vr": "LO", "Value": ["ACME"]}}
    assert summed({**obj(Modality="CT"), **private}).elided == {
        "private attributes": "left out; private=true shows them"
    }
    assert summed({**obj(Modality="CT"), **private}, private=True).constant == {
        "Modality": "CT",
        "00090010": "ACME",
        "00091001": "secret",
    }


def test_spoiled_values_are_reported_as_such() -> None:
    found = summed({"00180050": {"vr": "DS", "Value": [float("nan")]}, "00200013": {"vr": "IS", "Value": [12.5]}})
    assert found.constant == {"SliceThickness": "nan (not a number)", "InstanceNumber": "12.5 (not an integer)"}


@pytest.mark.parametrize("strange", [{"00080060": None}, {"00080060": "CT"}, {"00080060": {}}, {"xyz": {"vr": "CS"}},
                                     {"00080060": {"vr": "CS", "Value": "CT"}}, {"00080060": {"vr": "SQ", "Value": [None, 3]}}])  # fmt: skip
def test_strange_json_is_survived(strange: dict[str, Any]) -> None:
    assert summed(normalized(strange)).instances == 1


def test_fields_that_make_no_sense() -> None:
    with pytest.raises(UnknownAttribute, match="Did you mean Modality"):
        parse_fields(["Modalty"])
    with pytest.raises(BadArgument, match=r"Rows in .* is no sequence"):
        parse_fields(["Rows.Columns"])
    with pytest.raises(BadArgument, match="empty name"):
        parse_fields([" "])
    with pytest.raises(BadArgument, match="at most 100"):
        parse_fields(["Rows"] * 101)
