import fnmatch
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_mcp.dicom.filters import condition
from dicomweb_mcp.dicom.matching import Condition, Wildcard, meets_all, name_words
from dicomweb_mcp.dicom.tags import attribute


def meets(keyword: str, wanted: Any, *stored: Any, fuzzy: bool = False) -> bool | None:
    """Whether an object that stores these values of a keyword meets the filter ``wanted``."""
    known = attribute(keyword)
    return condition(known, wanted, fuzzy=fuzzy).test({known.tag: {"vr": known.vr, "Value": list(stored)}})


@pytest.mark.parametrize(
    ("keyword", "wanted", "stored", "expected"),
    [
        ("PatientID", "P1", ["P1"], True),
        ("PatientID", "p1", ["P1 "], True),
        ("PatientID", "P", ["P1"], False),
        ("PatientID", "P*", ["P1"], True),
        ("PatientID", "?1", ["P1"], True),
        ("PatientID", "P.", ["P1"], False),
        ("PatientID", ["X", "P1"], ["P1"], True),
        ("ModalitiesInStudy", "CT", ["MR", "CT"], True),
        ("ModalitiesInStudy", ["SR", "SEG"], ["MR", "CT"], False),
        ("StudyDate", "2020", ["20200229"], True),
        ("StudyDate", "2020", ["20210101"], False),
        ("StudyDate", ">=2020", ["20191231"], False),
        ("StudyDate", "2004-01-19", ["2004.01.19"], True),
        ("StudyTime", "13:05", ["130530.123"], True),
        ("StudyTime", "13:05", ["130600"], False),
        ("StudyTime", "13:05", ["13"], True),
        ("StudyTime", "<=13:00", ["130000"], True),
        ("InstanceNumber", 3, ["0003"], True),
        ("InstanceNumber", 3, [3], True),
        ("InstanceNumber", ">3", [3], False),
        ("InstanceNumber", ">=3", [3], True),
        ("InstanceNumber", "2..4", [5], False),
        ("InstanceNumber", 3, ["three"], False),
        ("SliceThickness", "1.25", ["1.250"], True),
        ("SOPInstanceUID", "1.2.3", ["1.2.3\0"], True),
        ("SOPInstanceUID", "1.2.3", ["1.2.30"], False),
        ("PatientName", "Doe^John", [{"Alphabetic": "doe^john"}], True),
        ("PatientName", "Doe^John", [{"Alphabetic": "Doe^John^^"}], True),
        ("PatientName", "Doe", [{"Alphabetic": "Doe^John"}], False),
        ("PatientName", "Doe*", [{"Alphabetic": "Doe^John"}], True),
        ("PatientName", "山田*", [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}], True),
        ("PatientName", "M*ller*", [{"Alphabetic": "Müller^Jörg"}], True),
        ("PatientName", "M\u00fcller*", [{"Alphabetic": "Mu\u0308ller^A"}], True),
        ("AcquisitionDateTime", "2020", ["20201231235959.5"], True),
        ("AcquisitionDateTime", "2020", ["20210101000000+0100"], False),
        ("AcquisitionDateTime", "2020", ["202001"], True),
        ("AcquisitionDateTime", ">=2020-01-15T12:00", ["20200115080000"], False),
        ("AcquisitionDateTime", "2020-01-15T12:30", ["20200115123000"], True),
        ("AcquisitionDateTime", "2004-01-19T07:27:30.5+0100", ["20040119072730.5+0100"], True),
        ("PatientBirthDate", "<1950", [""], False),
        ("InstanceNumber", 3, [10**400], False),
    ],
)  # fmt: skip
def test_examples(keyword: str, wanted: Any, stored: list[Any], expected: bool) -> None:
    assert meets(keyword, wanted, *stored) is expected


@pytest.mark.parametrize(
    ("wanted", "stored", "expected"),
    [
        ("john doe", "Doe^John", True),
        ("Muller", "Müller^Jörg", True),
        ("jo", "Doe^John", True),
        ("ohn", "Doe^John", False),
        ("john smith", "Doe^John", False),
        ("O'Brien", "OBRIEN^Pat", False),
        ("obrien", "O'Brien^Pat", False),
        ("brien", "O'Brien^Pat", True),
    ],
)
def test_fuzzy_names_by_words(wanted: str, stored: str, expected: bool) -> None:
    assert meets("PatientName", wanted, {"Alphabetic": stored}, fuzzy=True) is expected


def test_absent_is_unknown_and_empty_is_no_match() -> None:
    wanted = condition(attribute("PatientID"), "P1")
    assert wanted.test({}) is None
    assert wanted.test({"00100020": {"vr": "LO"}}) is False
    assert wanted.test({"00100020": {"vr": "LO", "Value": [None]}}) is False
    assert wanted.test({"00100020": {"vr": "LO", "Value": [""]}}) is False
    assert not meets_all((wanted,), {})
    assert not meets_all((wanted,), {"00100020": {"vr": "LO"}})


def test_conditions_read_as_a_person_writes() -> None:
    assert str(condition(attribute("StudyDate"), "2020")) == "StudyDate=2020-01-01..2020-12-31"
    assert str(condition(attribute("StudyDate"), "2020-05-01")) == "StudyDate=2020-05-01"
    assert str(condition(attribute("Modality"), ["CT", "MR"])) == "Modality=CT, MR"
    assert str(condition(attribute("InstanceNumber"), ">3")) == "InstanceNumber=>3"


@given(st.text("ab*?.[]", min_size=1, max_size=8), st.text("abA.[]\n", max_size=8))
def test_wildcards_against_the_standard_library(pattern: str, stored: str) -> None:
    """fnmatch knows [] too, which DICOM does not: they are escaped for it."""
    escaped = re.sub(r"([\[\]])", r"[\1]", pattern).lower()
    expected = re.fullmatch(fnmatch.translate(escaped), stored.strip(" \0").lower()) is not None
    known = attribute("PatientID")
    found = Condition(known, (Wildcard(pattern),)).test({known.tag: {"vr": "LO", "Value": [stored]}})
    assert found is expected


@pytest.mark.parametrize(
    ("name", "words"), [("𝖠DAMS", ("adams",)), ("Groẞ", ("gross",)), ("Ǆ", ("dz",)), ("İz", ("iz",))]
)
def test_name_words_have_no_capitals_and_accents(name: str, words: tuple[str, ...]) -> None:
    assert name_words(name) == words


@given(st.text(max_size=30))
def test_name_words_are_stable(name: str) -> None:
    assert name_words(" ".join(name_words(name))) == name_words(name)
