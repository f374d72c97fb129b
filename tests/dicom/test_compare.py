"""Whether two objects say the same, whatever way a server writes JSON."""

from copy import deepcopy
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file

from dicomweb_mcp.dicom.compare import differences, taken_out


def e(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (e("DS", 80.5), e("DS", "80.50")),
        (e("IS", 7), e("IS", "007")),
        (e("FL", 0.10000000149), e("FL", 0.1)),
        (e("FL", 1.4e-45), e("FL", 0)),
        (e("PN", {"Alphabetic": "Doe^John"}), e("PN", {"Alphabetic": "Doe^John^^"})),
        (e("PN", {"Alphabetic": "Doe^John"}), e("PN", "Doe^John")),
        (e("CS", "A ", "B"), e("CS", "A", "B ")),
        (e("ST", "STANDARD\\1,1"), e("ST", "STANDARD", "1,1")),
        (e("CS", "A", "B"), e("CS", "A¥B")),
        (e("LO"), e("LO", None)),
        (e("LO", "x", ""), e("LO", "x")),
        (e("SQ", {"00080100": e("SH", "X")}), e("SQ", {"00080100": e("SH", "X"), "00080104": e("LO", "more")})),
        (e("OW"), {"vr": "OW", "BulkDataURI": "http://x"}),
        ({"vr": "OB", "InlineBinary": "AAAA"}, {"vr": "OB", "BulkDataURI": "x"}),
    ],
)  # fmt: skip
def test_ways_to_write_the_same(ours: Any, theirs: Any) -> None:
    assert differences({"00080060": ours}, {"00080060": theirs}) == []


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (e("DS", 80.5), e("DS", 80.6)),
        (e("IS", 1_000_000), e("IS", 1_000_001)),
        (e("IS", 7), e("IS")),
        (e("CS", "A"), e("CS", "B")),
        (e("CS", "A"), e("CS", "A", "B")),
        (e("PN", {"Alphabetic": "Doe^John"}), e("PN", {"Alphabetic": "Doe^Jane"})),
        (e("SQ", {"00080100": e("SH", "X")}), e("SQ", {"00080100": e("SH", "Y")})),
        (e("SQ", {}, {}), e("SQ", {})),
        (e("US", 1), e("US", "x")),
    ],
)  # fmt: skip
def test_what_differs(ours: Any, theirs: Any) -> None:
    assert differences({"00080060": ours}, {"00080060": theirs}) == ["Modality"]


def test_what_an_archive_lacks_or_adds() -> None:
    ours = {"00080060": e("CS", "CT"), "00280010": e("US", 4), "00091001": e("LO", "private"), "00080005": e("CS", "X"),
            "00020010": e("UI", "1.2"), "00081140": e("SQ", {}), "00100010": e("PN")}  # fmt: skip
    assert differences(ours, {"00080060": e("CS", "CT"), "00081030": e("LO", "added")}) == ["Rows"]


@pytest.mark.parametrize("name", ["CT_small.dcm", "rtplan.dcm", "test-SR.dcm", "waveform_ecg.dcm"])
def test_every_change_of_a_real_file_is_noticed(name: str) -> None:
    """pydicom's own JSON of the file is the truth; each plain attribute is changed in turn."""
    obj = pydicom.dcmread(get_testdata_file(name)).to_json_dict(suppress_invalid_tags=True)
    assert differences(obj, deepcopy(obj)) == []
    changed = 0
    for tag, element in obj.items():
        if (
            element["vr"] not in ("CS", "LO", "SH", "UI", "DA", "US", "IS")
            or not element.get("Value")
            or int(tag[:4], 16) & 1
        ):
            continue
        if tag == "00080005":
            continue
        other = deepcopy(obj)
        other[tag]["Value"][0] = 4242 if element["vr"] in ("US", "IS") else "20000102"
        assert len(differences(obj, other)) == 1, tag
        changed += 1
    assert changed > 10


@pytest.mark.parametrize("ours", [{}, {"00100010": {"vr": "PN"}}, {"00100010": {"vr": "PN", "Value": [""]}}])
def test_a_name_that_was_taken_out_is_a_difference(ours: dict[str, Any]) -> None:
    theirs = {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]},
        "00081030": {"vr": "LO", "Value": ["CT"]},
    }
    assert taken_out(ours, theirs) == ["PatientName"]
    assert taken_out({**ours, "00100010": theirs["00100010"]}, theirs) == []
    assert differences(ours, theirs) == []
