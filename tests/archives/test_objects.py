"""DICOM JSON out of a body: the standard library says what JSON is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_mcp.archives.objects import NoObjects, objects
from dicomweb_mcp.dicom.values import normalized

TEXT = st.text(max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ELEMENTS = st.fixed_dictionaries({}, optional={"vr": st.sampled_from(["LO", "SQ", "PN", "US"]), "Value": VALUES})
ROWS = st.dictionaries(st.sampled_from(["00080060", "0020000d", "00081140", "x"]), ELEMENTS | VALUES, max_size=3)


@given(rows=st.lists(ROWS, max_size=4), indent=st.sampled_from([None, 0, 2]), ascii_only=st.booleans(), mark=st.sampled_from([b"", b"\xef\xbb\xbf"]))  # fmt: skip
def test_as_the_standard_library_reads_it(rows: list[Any], indent: int | None, ascii_only: bool, mark: bytes) -> None:
    written = f"\t{json.dumps(rows, indent=indent, ensure_ascii=ascii_only)}\r\n"
    body = mark + written.encode("utf-8", "surrogatepass")
    assert list(objects(body)) == [normalized(row) for row in json.loads(body.decode("utf-8-sig", "replace"))]


@given(st.text(" \n[]{},:\"'-+.eE0123456789nulltrefalsNIy\\u", max_size=12))
def test_nothing_is_read_that_is_no_list_of_objects(written: str) -> None:
    try:
        found = list(objects(written.encode()))
    except NoObjects:
        found = None
    try:
        parsed = json.loads(written) if written.strip(" \n") else []
    except ValueError:
        parsed = None
    is_list = isinstance(parsed, list) and all(isinstance(item, dict) for item in parsed)
    assert (found is not None) == is_list


def test_objects_come_before_the_damage_behind_them() -> None:
    arriving = objects(b'[{"00080060":{"vr":"CS","Value":["CT"]}},{"0008')
    assert next(arriving) == {"00080060": {"vr": "CS", "Value": ["CT"]}}
    with pytest.raises(NoObjects, match="cut or damaged"):
        next(arriving)
