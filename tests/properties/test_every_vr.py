"""DICOM JSON of every VR against pydicom's own values, and JSON that is nobody's."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from dicomweb_mcp.dicom.filters import condition
from dicomweb_mcp.dicom.summary import Summary, parse_fields
from dicomweb_mcp.dicom.tags import attribute
from dicomweb_mcp.dicom.values import BULK_VRS, iso_date, normalized, plain, text, uid_name

TAG = "00091001"
VISIBLE = st.characters(categories=("L", "N", "P", "Sm"), exclude_characters="\\^=")
WORDS = st.text(VISIBLE, min_size=1, max_size=12)
CODE = st.text("ABCXYZ019_", min_size=1, max_size=16)
DAY = st.dates().map(lambda day: day.isoformat().replace("-", ""))
CLOCK = st.times().map(lambda clock: clock.strftime("%H%M%S.%f"))
UID = st.lists(st.integers(0, 10**9).map(str), min_size=2, max_size=6).map(".".join)
GROUP = st.lists(WORDS, min_size=1, max_size=5).map("^".join)
NAME = st.lists(GROUP, min_size=1, max_size=3).map("=".join)


def same(value: Any) -> Any:
    return value


def times(value: str) -> str:
    fraction = value[7:].rstrip("0")
    return f"{value[:2]}:{value[2:4]}:{value[4:6]}" + (f".{fraction}" if fraction else "")


def shortest(value: float) -> float:
    """The fewest digits that stand for the same number of 32 bits, which is how NumPy writes one."""
    return value if value.is_integer() else float(str(np.float32(value)))


def unpacked(size: int, signed: bool) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (size - 1)) if signed else 0, 2 ** (size - signed) - 1)


# VR -> values as pydicom takes them, and what an answer shows of one
PLAIN: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], Any]]] = {
    "AE": (CODE, same),
    "AS": (st.from_regex(r"[0-9]{3}[DWMY]", fullmatch=True).filter(str.isascii), same),
    "AT": (st.integers(0, 0xFFFFFFFF), lambda tag: f"{tag:08X}"),
    "CS": (CODE, same),
    "DA": (DAY, iso_date),
    "DS": (st.integers(-(10**9), 10**9).map(lambda number: number / 1_000), float),
    "DT": (st.tuples(DAY, CLOCK).map("".join), lambda value: f"{iso_date(value[:8])}T{times(value[8:])}"),
    "FD": (st.floats(allow_nan=False, allow_infinity=False), same),
    "FL": (st.floats(width=32, allow_nan=False, allow_infinity=False), shortest),
    "IS": (st.integers(-(2**31), 2**31 - 1), same),
    "LO": (WORDS, same),
    "PN": (NAME, same),
    "SH": (WORDS, same),
    "SL": (unpacked(32, True), same),
    "SS": (unpacked(16, True), same),
    "SV": (unpacked(64, True), same),
    "TM": (CLOCK, times),
    "UC": (WORDS, same),
    "UI": (UID, uid_name),
    "UL": (unpacked(32, False), same),
    "US": (unpacked(16, False), same),
    "UV": (unpacked(64, False), same),
}
ONE_VALUE = ("LT", "ST", "UR", "UT")
TEXTS = ("AE", "AS", "CS", "DA", "DT", "LO", "SH", "TM", "UC", "UI")  # pydicom cannot write an empty one of several PN


def as_json(vr: str, value: Any) -> dict[str, Any]:
    """The object that pydicom writes of a data set with this one element."""
    dataset = Dataset()
    dataset.add_new(int(TAG, 16), vr, value)
    return normalized(json.loads(dataset.to_json()))


@pytest.mark.parametrize("vr", sorted(PLAIN))
@given(st.data())
@settings(max_examples=25)
def test_values_are_those_that_pydicom_holds(vr: str, data: st.DataObject) -> None:
    strategy, shown = PLAIN[vr]
    values = data.draw(st.lists(strategy, min_size=1, max_size=4))
    expected = [shown(value) for value in values]
    if vr in TEXTS:
        for place in data.draw(st.sets(st.integers(0, 5), max_size=2)):
            values.insert(place, "")
            expected.insert(place, None)
    while expected and expected[-1] is None:
        expected.pop()
    found = plain(as_json(vr, values)[TAG])
    assert found == (expected[0] if len(expected) == 1 else expected)


@pytest.mark.parametrize("vr", sorted({*PLAIN, *ONE_VALUE}))
def test_an_empty_value_is_none(vr: str) -> None:
    for nothing in (None, "" if vr in (*TEXTS, *ONE_VALUE, "PN") else []):
        assert plain(as_json(vr, nothing)[TAG]) is None


@given(st.sampled_from(ONE_VALUE), WORDS)
def test_long_text_is_one_value(vr: str, value: str) -> None:
    assert plain(as_json(vr, value)[TAG]) == value


@given(st.floats())
def test_what_is_no_number_is_said(value: float) -> None:
    for vr in ("FD", "DS"):
        found = plain(normalized({TAG: {"vr": vr, "Value": [value, 1.5]}})[TAG])
        assert isinstance(found, list)
        if math.isfinite(value):
            assert found == [value, 1.5]
        else:
            assert "(not a number)" in str(found[0])


@given(st.sampled_from(sorted(BULK_VRS)), st.binary(max_size=64))
def test_bulk_is_named_with_its_size(vr: str, value: bytes) -> None:
    even = value + bytes(-len(value) % 8)
    obj = as_json(vr, even)
    assert plain(obj[TAG]) is None
    summary = Summary()
    summary.add(obj, None, private=True)
    assert summary.elided == {TAG: f"bulk value ({vr}){f' of {len(even)} bytes' if even else ''}, not shown"}


@given(st.recursive(st.tuples(CODE, WORDS), lambda inner: st.lists(inner, max_size=3), max_leaves=8))
def test_sequences_nest_as_pydicom_nests_them(tree: Any) -> None:
    def dataset(node: Any) -> Dataset:
        made = Dataset()
        if isinstance(node, tuple):
            made.Modality, made.SeriesDescription = node
        else:
            made.ReferencedSeriesSequence = [dataset(child) for child in node]
        return made

    def check(obj: dict[str, Any], node: Any) -> None:
        if isinstance(node, tuple):
            assert (text(obj, "Modality"), text(obj, "SeriesDescription")) == node
        else:
            items = obj["00081115"].get("Value", [])
            assert len(items) == len(node)
            for item, child in zip(items, node, strict=True):
                check(item, child)

    check(normalized(json.loads(dataset(tree).to_json())), tree)


# ---- JSON of nobody ----------------------------------------------------------------------------------------------------

VRS = st.sampled_from([*PLAIN, *ONE_VALUE, *sorted(BULK_VRS), "SQ", "XX", ""])
KEYS = st.one_of(
    st.sampled_from(
        ["00100010", "00080020", "00080030", "0008002A", "00200013", "00180050", "00080016", "00081140", TAG]
    ),
    st.from_regex(r"[0-9A-Fa-f]{8}", fullmatch=True),
    st.text(max_size=9),
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
    st.sampled_from(["\ud800", "1e999", "NaN", 10**400, -0.0, "20200230", "99", "\u202e", "1\\2"]),
)  # fmt: skip


def objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    element = st.fixed_dictionaries(
        {"vr": st.one_of(VRS, values)}, optional={"Value": st.one_of(values, st.lists(values))}
    )
    return st.dictionaries(KEYS, st.one_of(element, values), max_size=4)


JUNK = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        objects(inner),
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["vr", "Value", "InlineBinary", "BulkDataURI", "Alphabetic"]), inner, max_size=3
        ),
    ),
    max_leaves=12,
)
FILTERS = {
    "PatientName": "Doe*", "StudyDate": ">=2020", "StudyTime": "10:00..11:00", "AcquisitionDateTime": "2020-01-15T10",
    "InstanceNumber": [1, "<3"], "SliceThickness": "1.5..2", "SOPClassUID": "1.2.3", "Modality": "ct", "PatientAge": "45Y",
}  # fmt: skip
CONDITIONS = [
    *(condition(attribute(key), value) for key, value in FILTERS.items()),
    condition(attribute("PatientName"), "john doe", fuzzy=True),
]
PATHS = parse_fields([*FILTERS, "ReferencedImageSequence.PatientName", TAG])


@given(objects(JUNK))
@settings(max_examples=60)
def test_json_of_nobody_becomes_json_that_can_be_written(obj: dict[str, Any]) -> None:
    found = normalized(obj)
    summary = Summary()
    summary.add(found, None, private=True)
    summary.add(found, PATHS, private=True)
    shown = [plain(element) for element in found.values()]
    written = [shown, summary.constant, summary.varying, summary.missing, summary.elided]
    json.dumps(written, allow_nan=False, ensure_ascii=False).encode()
    assert all(item.test(found) in (True, False, None) for item in CONDITIONS)
