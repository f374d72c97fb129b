import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_mcp.dicom.filters import MOST_VALUES, condition
from dicomweb_mcp.dicom.matching import Condition, Exact, Fuzzy, Range, Wildcard
from dicomweb_mcp.dicom.rules import Match
from dicomweb_mcp.dicom.tags import attribute
from dicomweb_mcp.errors import BadArgument


def asked(keyword: str, value: object, *, fuzzy: bool = False) -> Condition:
    return condition(attribute(keyword), value, fuzzy=fuzzy)


@pytest.mark.parametrize(
    ("keyword", "value", "tests", "wire"),
    [
        ("PatientID", "P-17", [Exact("P-17")], ["P-17"]),
        ("PatientID", 17, [Exact("17")], ["17"]),
        ("PatientID", "  P 1 ", [Exact("P 1")], ["P 1"]),
        ("StudyDescription", "CT*chest?", [Wildcard("CT*chest?")], ["CT*chest?"]),
        ("Modality", "ct", [Exact("CT")], ["CT"]),
        ("Modality", ["ct", "MR", "CT"], [Exact("CT"), Exact("MR")], ["CT", "MR"]),
        ("StudyDate", "2020", [Range("20200101", "20201231")], ["20200101-20201231"]),
        ("StudyDate", "2020-01-15", [Range("20200115", "20200115")], ["20200115"]),
        ("BodyPartExamined", "C-Spine", [Exact("C-Spine")], ["C-Spine"]),
        ("BodyPartExamined", "chest", [Exact("CHEST")], ["CHEST"]),
        ("AcquisitionDateTime", "2020-01-15T10:30", [Range("20200115103000", "20200115103059.999999")],
         ["20200115103000-20200115103059.999999"]),
        ("StudyDate", ">2020", [Range("20210101", "")], ["20210101-"]),
        ("StudyTime", "13:05", [Range("130500", "130559.999999")], ["130500-130559.999999"]),
        ("InstanceNumber", 3, [Exact("3")], ["3"]),
        ("InstanceNumber", "0003", [Exact("3")], ["3"]),
        ("InstanceNumber", 3.0, [Exact("3")], ["3"]),
        ("SliceThickness", "1.25", [Exact("1.25")], ["1.25"]),
        ("SelectorUVValue", "9007199254740993", [Exact("9007199254740993")], ["9007199254740993"]),
        ("NumberOfFrames", ">=3", [Range("3", "")], ["3-"]),
        ("NumberOfFrames", "<3", [Range("", "3", strict=True)], ["-3"]),
        ("NumberOfFrames", "3..5", [Range("3", "5")], ["3-5"]),
        ("SOPClassUID", "CT Image Storage", [Exact("1.2.840.10008.5.1.4.1.1.2")], ["1.2.840.10008.5.1.4.1.1.2"]),
        ("PatientAge", "45Y", [Exact("045Y")], ["045Y"]),
        ("PatientAge", "045y", [Exact("045Y")], ["045Y"]),
        ("PatientAge", ["6 m", "04?Y"], [Exact("006M"), Wildcard("04?Y")], ["006M", "04?Y"]),
        ("StudyInstanceUID", "1.2.03", [Exact("1.2.03")], ["1.2.03"]),
        ("AcquisitionDateTime", "2020", [Range("20200101", "20201231235959.999999")], ["20200101-20201231235959.999999"]),
    ],
)  # fmt: skip
def test_what_people_write_becomes_canonical(keyword: str, value: object, tests: list, wire: list[str]) -> None:
    found = asked(keyword, value)
    assert list(found.tests) == tests
    assert list(found.values) == wire


@pytest.mark.parametrize(
    ("keyword", "value", "complaint"),
    [
        ("PatientID", "", "would match everything"),
        ("PatientID", "   ", "would match everything"),
        ("PatientID", None, "not null"),
        ("PatientID", True, "not bool"),
        ("PatientID", {"a": 1}, "not dict"),
        ("PatientID", [["x"]], "not list"),
        ("PatientID", [], "asks for nothing"),
        ("PatientID", "a\\b", "backslash"),
        ("PatientID", "a\nb", "control character"),
        ("PatientID", "a\0b", "control character"),
        ("PatientID", "x" * 65, "at most 64"),
        ("PatientID", float("nan"), "not a number"),
        ("PatientID", ["x"] * (MOST_VALUES + 1), "at most 100"),
        ("PatientName", "*", "would match everything"),
        ("PatientID", {"from": 1, "to": 2}, "not dict"),
        ("PixelData", "x", "is binary or private"),
        ("00091001", "x", "is binary or private"),
        ("Modality", "ABCDEFGHIJKLMNOPQ", "at most 16"),
        ("InstanceNumber", "three", "whole number"),
        ("InstanceNumber", 1.5, "whole number"),
        ("InstanceNumber", "5..1", "is no range"),
        ("InstanceNumber", "..", "is no range"),
        ("SliceThickness", "inf", "not a number"),
        ("SliceThickness", "1_0.5", "not a number"),
        ("SliceThickness", "١.٥", "not a number"),
        ("SliceThickness", "1e300", "not a number"),
        ("SliceThickness", 10**50, "more than 40 digits"),
        ("StudyInstanceUID", "1.2/../3", "is not a UID"),
        ("StudyInstanceUID", "1." * 40 + "1", "is not a UID"),
        ("StudyInstanceUID", "1.2.3*", "is not a UID"),
        *[("PatientAge", age, "cannot be compared") for age in (">50", "45", 45, "<050Y", "40Y..50Y", "0450Y", "old")],
        ("PatientAge", "*", "write .* for any value"),
        ("StudyDate", "soon", "StudyDate: 'soon' is not a date"),
        ("ReferencedStudySequence", "x", "is a sequence"),
    ],
)
def test_what_is_refused_and_why(keyword: str, value: object, complaint: str) -> None:
    with pytest.raises(BadArgument, match=complaint) as refusal:
        asked(keyword, value)
    assert keyword in str(refusal.value)
    assert len(str(refusal.value)) < 400


def test_fuzzy_takes_person_names_only() -> None:
    assert asked("PatientName", "Jörg MÜLLER", fuzzy=True).tests == (Fuzzy(("jorg", "muller"), "Jörg MÜLLER"),)
    assert asked("PatientID", "P1", fuzzy=True).tests == (Exact("P1"),)
    with pytest.raises(BadArgument, match="no letters"):
        asked("PatientName", "***", fuzzy=True)


def test_what_a_condition_needs_of_a_server() -> None:
    assert asked("PatientID", "a").needs == {Match.EXACT}
    assert asked("PatientID", "a*").needs == {Match.WILDCARD}
    assert asked("PatientID", ["a", "b*"]).needs == {Match.EXACT, Match.WILDCARD, Match.LIST}
    assert asked("StudyDate", "2020-01-15").needs == {Match.EXACT}
    assert asked("StudyDate", "2020").needs == {Match.RANGE}
    assert asked("InstanceNumber", ">3").is_numeric_range
    assert asked("InstanceNumber", ">3").is_strict


@given(st.sampled_from(["PatientID", "Modality", "StudyDate", "StudyTime", "InstanceNumber", "SOPInstanceUID", "PatientName"]),
       st.one_of(st.text(max_size=80), st.integers(), st.floats(), st.lists(st.text(max_size=9), max_size=4)))  # fmt: skip
def test_any_value_is_canonical_or_refused(keyword: str, value: object) -> None:
    try:
        found = asked(keyword, value)
    except BadArgument:
        return
    for wire in found.values:
        assert wire
        assert wire.isprintable()
        assert "\\" not in wire
