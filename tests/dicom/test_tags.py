import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary

from dicomweb_mcp.dicom.tags import UnknownAttribute, attribute, by_tag, nearest_keywords, tag_of


@pytest.mark.parametrize(
    "written",
    ["PatientName", "patientname", "patient_name", "Patient's Name", "Patient Name", "00100010", "0010,0010",
     "(0010,0010)", "(0010, 0010)", "0x00100010", " PatientName "],
)  # fmt: skip
def test_one_attribute_in_many_spellings(written: str) -> None:
    assert attribute(written) == by_tag("00100010")
    assert attribute(written).vr == "PN"


@given(st.sampled_from(sorted(DicomDictionary)))
def test_every_tag_and_keyword_of_the_dictionary_is_found(number: int) -> None:
    vr, _, _, _, keyword = DicomDictionary[number]
    found = by_tag(f"{number:08X}")
    assert found.keyword == keyword
    assert vr.startswith(found.vr)
    if keyword:
        assert attribute(keyword) == found
        assert tag_of(keyword) == f"{number:08X}"


@pytest.mark.parametrize(
    ("wrong", "meant"), [("Modalty", "Modality"), ("StudyDtae", "StudyDate"), ("PatinetID", "PatientID")]
)
def test_a_misspelling_names_what_was_meant(wrong: str, meant: str) -> None:
    with pytest.raises(UnknownAttribute, match=f"Did you mean .*{meant}"):
        attribute(wrong)


def test_private_and_unknown_tags() -> None:
    assert by_tag("00091001").is_private
    assert by_tag("00091001").vr == "UN"
    assert by_tag("00090010").vr == "LO"
    assert by_tag("00091001").name == "00091001"
    assert attribute("OtherPatientIDs").retired


@pytest.mark.parametrize("nonsense", ["", "   ", "qqqqqqqqqq", "12345", "(0010)", "x" * 10_000])
def test_nonsense_is_refused_in_one_short_sentence(nonsense: str) -> None:
    with pytest.raises(UnknownAttribute) as refusal:
        attribute(nonsense)
    assert len(str(refusal.value)) < 300


def test_nearest_of_a_given_set() -> None:
    assert nearest_keywords("pateintid", ("PatientID", "StudyDate")) == ["PatientID"]
