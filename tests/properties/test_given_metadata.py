"""Whatever a caller gives as metadata is refused in words, or written and read by pydicom as it was given."""

import io
import warnings
from typing import Any

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary

from dicomweb_mcp.dicom.making.instance import make_instance
from dicomweb_mcp.dicom.making.metadata import checked_metadata
from dicomweb_mcp.dicom.making.pdf import pdf_document
from dicomweb_mcp.errors import BadArgument
from picture_files import PDF

OF_EACH_VR = sorted({entry[0]: entry[4] for entry in DicomDictionary.values() if entry[4] and not entry[3]}.values())
OFTEN = ["PatientID", "PatientName", "StudyDate", "PixelSpacing", "OtherPatientNames", "PatientWeight", "ImageComments",
         "AnatomicRegionSequence", "Modality"]  # fmt: skip
TELLING = [None, "", " ", "A", "a^b=c", "1", "-1.5", "1e5", "20200115", "2020-01-15", "10:30", "1.2.3", "é", 0, 1, -1, 2.5,
           2**15, 2**31, 2**63, 1e300, 10**400, "http://x", "ORIGINAL", "045Y", "a\\b", " b ", ["1", "2"], [1, 2], [2.5, 0.1],
           ["20200115"], [], ["a", "b", "c"], [{"CodeValue": "1"}], [{}]]  # fmt: skip
KEYWORDS = st.sampled_from([*OF_EACH_VR, *OFTEN, "nonsense", "Rows"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80) | st.sampled_from(TELLING),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYWORDS, inner, max_size=3),
    max_leaves=8,
)


def is_kept(metadata: dict[str, Any]) -> bool:
    """Whether it is taken; then it must come back as it was given."""
    try:
        checked = checked_metadata(metadata)
    except BadArgument:
        return False
    made = make_instance(pdf_document(PDF), checked, source=PDF, number=1)
    written = io.BytesIO()
    made.save_as(written, enforce_file_format=True)
    written.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # pydicom warns of values that are not valid
        found = {element.keyword: element.value for element in pydicom.dcmread(written)}
    for element in checked:
        if not element.is_empty:
            expected = pytest.approx(element.value, rel=1e-6) if element.VR == "FL" else element.value
            assert found[element.keyword] == expected, element.keyword
    return True


@given(st.dictionaries(KEYWORDS, VALUES, max_size=5))
def test_refused_in_words_or_written_as_given(metadata: dict[str, Any]) -> None:
    is_kept(metadata)


def test_values_of_every_vr() -> None:
    kept = [(keyword, value) for keyword in {*OF_EACH_VR, *OFTEN} for value in TELLING if is_kept({keyword: value})]
    assert len(kept) > 200
    assert {keyword for keyword, value in kept if value not in (None, "", " ", [])} >= set(OFTEN)
