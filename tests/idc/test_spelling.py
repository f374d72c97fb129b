"""Two spellings of one thing, and two things."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_mcp.idc.spelling import bare_name, folded, short_name, without_version


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HEAD-NECK", "head neck"),
        ("Breast.", "BREAST"),
        ("TCGA-LUAD", "tcga_luad"),
        ("Straße", "STRASSE"),
        ("", " -_."),
    ],
)
def test_case_and_punctuation_tell_nothing_apart(one: str, other: str) -> None:
    assert folded(one) == folded(other)


@pytest.mark.parametrize(("one", "other"), [("T1", "T2"), ("CT", "C T A"), ("1.5", "16")])
def test_letters_and_digits_do(one: str, other: str) -> None:
    assert folded(one) != folded(other)


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("GE MEDICAL SYSTEMS", "GE"), ("Philips Medical Systems Nederland, B.V.", "Philips B V"), ("SIEMENS", "SIEMENS"),
        ("Siemens Healthineers", "Siemens"), ("Leica Biosystems", "Leica"), ("Medical Systems", "Medical Systems"),
        ("", ""), ("Institute of X", "Institute X"),
    ],
)  # fmt: skip
def test_a_company_is_its_name_alone(name: str, short: str) -> None:
    assert short_name(name) == short
    assert bare_name(name) == short.replace(" ", "").lower()


@given(st.text())
def test_a_short_name_is_its_own(name: str) -> None:
    assert short_name(short_name(name)) == short_name(name)
    assert bare_name(short_name(name)) == bare_name(name)
    assert folded(folded(name)) == folded(name)


def test_a_licence_without_its_version() -> None:
    assert without_version("CC BY 4.0") == without_version("cc-by") == "ccby"
    assert without_version("CC BY-NC 3.0") != without_version("CC BY 3.0")
