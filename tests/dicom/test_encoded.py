"""Objects that stay JSON text, held against the standard library and ``normalized``."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_mcp.dicom.encoded import EncodedObject, encoded_objects
from dicomweb_mcp.dicom.values import MOST_ELEMENTS, normalized, text

VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False, allow_infinity=False),
                   st.text(max_size=8), st.lists(st.integers(0, 9), max_size=3), st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2))  # fmt: skip
ELEMENTS = st.dictionaries(
    st.sampled_from(["vr", "Value", "InlineBinary", "BulkDataURI", "x"]),
    st.one_of(VALUES, st.sampled_from(["LO", "SQ"])),
    max_size=3,
)
TAGS = st.one_of(st.sampled_from(["0020000D", "0020000d", "00081140", "00091001"]), st.text(max_size=9))
OBJECTS = st.dictionaries(TAGS, st.one_of(ELEMENTS, VALUES), max_size=6)


def encoded(body: bytes) -> EncodedObject:
    (found,) = encoded_objects(b"[" + body + b"]")
    return found


@given(OBJECTS)
def test_it_is_what_the_standard_library_reads(obj: dict[str, Any]) -> None:
    found, expected = encoded(json.dumps(obj).encode("utf-8", "surrogatepass")), normalized(obj)
    assert dict(found) == dict(expected)
    assert repr(found) == repr(dict(found))
    assert len(found) == len(expected)
    for tag in {*obj, *expected, "00100010"}:
        assert (tag in found) == (tag in expected)
        assert found.get(tag) == expected.get(tag)
        assert found.get(tag, 3) == expected.get(tag, 3)


def test_elements_are_decoded_once_and_their_text_is_at_hand() -> None:
    found = encoded(b'{"00100020": {"vr" : "LO","Value":["a"]},"0020000d":{"vr":"UI","Value":["1.2"]},"x":3}')
    assert bytes(found.raws["00100020"]) == b'{"vr" : "LO","Value":["a"]}'
    assert bytes(found.raws["0020000D"]) == b'{"vr":"UI","Value":["1.2"]}'
    assert "00080060" not in found.raws
    assert text(found, "PatientID") == "a"
    assert found["00100020"] is found["00100020"]
    with pytest.raises(KeyError):
        found["00080060"]


def test_what_is_beyond_an_object_or_a_number() -> None:
    many = {f"{tag:08X}": {"vr": "LO"} for tag in range(MOST_ELEMENTS + 1)}
    assert dict(encoded(json.dumps(many).encode())) == {}
    digits = b"9" * 5_000
    assert encoded(b'{"00200013":{"vr":"IS","Value":[%s]}}' % digits)["00200013"]["Value"] == [digits.decode()]


def test_an_element_without_an_end_of_nesting_has_no_value() -> None:
    found = encoded(b'{"00081140":{"vr":"SQ","Value":' + b"[" * 700 + b"]" * 700 + b"}}")

    def below(frames: int) -> Any:
        return below(frames - 1) if frames else found["00081140"]

    assert below(400) == {"vr": "SQ"}


@pytest.mark.parametrize(
    "body", [b"3", b"{}", b"[3]", b"[[]]", b'[{"a":NaN}]', b'[{"a":"\xff"}]', b'[{"\xff":1}]', b'[{"a":1}', b""]
)
def test_what_is_no_list_of_objects(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        encoded_objects(body)
