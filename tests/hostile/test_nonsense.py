"""Archives that answer in time, and nonsense: heads that are no HTTP, bodies that are no DICOM JSON."""

import json
from collections.abc import Iterator, Mapping

import pytest

from fakes.scripted import CUT, HANG, Script, Step, head, http
from hostile.world import CALLS, OF_JSON, ROWS, STUDY, Case, Outcome, outcomes_of, row

pytestmark = pytest.mark.anyio

HTML = b"<!DOCTYPE html><html><h1>Sign in</h1></html>"


def for_ever(first: bytes, then: bytes) -> Iterator[Step]:
    yield first
    while True:
        yield then


HEADS: Mapping[str, tuple[Script, str]] = {
    "junk for a status line": (lambda _: [b"\0\1\2 nonsense\r\n\r\n", HANG], "something that is no HTTP"),
    "HTTP/0.9": (lambda _: [ROWS, CUT], "broke off its answer"),
    "status 99999": (lambda _: [http(ROWS, status="99999 OK"), HANG], "something that is no HTTP"),
    "two lengths": (lambda _: [http(ROWS, headers=("Content-Length: 7",)), HANG], "something that is no HTTP"),
    "a length below nothing": (lambda _: [http(ROWS, length=-1), HANG], "something that is no HTTP"),
    "100,000 headers": (lambda _: [http(ROWS, headers=("X-A: b",) * 100_000), HANG], "something that is no HTTP"),
    "a header of 1 MB": (lambda _: [http(ROWS, headers=("X-A: " + "b" * 1_000_000,)), HANG], "something that is no HTTP"),
    "a header without end": (lambda _: for_ever(b"HTTP/1.1 200 OK\r\nX-A: ", b"b" * 65_536), "something that is no HTTP"),
    "chunks of no size": (lambda _: [head(), b"zz\r\n[]\r\n", HANG], "something that is no HTTP"),
    "another protocol": (lambda _: [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", HANG], "something that is no HTTP"),
}  # fmt: skip
"""What every tool meets."""


@pytest.fixture(scope="module")
async def heads() -> dict[Case, Outcome]:
    return await outcomes_of({name: script for name, (script, _) in HEADS.items()})


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("script", HEADS)
async def test_a_head_that_is_none(heads: dict[Case, Outcome], script: str, call: str) -> None:
    found = heads[script, call]
    assert found.is_error
    assert found.text.startswith("Archive bad")
    assert HEADS[script][1] in found.text
    assert found.then == ""


async def test_what_comes_before_an_answer_does_not_hide_it() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 2_000
    found = await outcomes_of({"hints": lambda _: [hints, http(ROWS)]}, ["search_studies"])
    assert not found["hints", "search_studies"].is_error


def nested(depth: int) -> bytes:
    return b'[{"00081030":{"vr":"LO","Value":' + b"[" * depth + b"]" * depth + b"}}]"


BODIES: Mapping[str, tuple[bytes, str]] = {
    "HTML": (HTML, "a web page"),
    "an object": (b'{"message":"hello"}', "JSON that is no list of DICOM objects"),
    "text in quotes": (b'"hello"', "JSON that is no list of DICOM objects"),
    "null": (b"null", "JSON that is no list of DICOM objects"),
    "a list of more than objects": (b"[" + ROWS[1:-1] + b",7]", "JSON that is no list of DICOM objects"),
    "cut": (ROWS[:-10], "JSON that is cut or damaged"),
    "more than JSON": (ROWS + b"]", "JSON that is cut or damaged"),
    "ends in the middle of a letter": (b'[{"00081030":{"vr":"LO","Value":["\xc3', "JSON that is cut or damaged"),
    "nothing but numbers": (b"0" * 1000, "not JSON"),
    "nested without end": (b"[" * 100_000, "nested"),
}


@pytest.fixture(scope="module")
async def bodies() -> dict[Case, Outcome]:
    return await outcomes_of({name: lambda _, body=body: [http(body)] for name, (body, _) in BODIES.items()}, OF_JSON)


@pytest.mark.parametrize("call", OF_JSON)
@pytest.mark.parametrize("script", BODIES)
async def test_a_body_that_is_no_dicom_json(bodies: dict[Case, Outcome], script: str, call: str) -> None:
    found = bodies[script, call]
    assert found.is_error
    assert found.text.startswith("Archive bad")
    assert BODIES[script][1] in found.text
    assert "<" not in found.text
    assert found.then == ""


def with_description(written: str) -> bytes:
    """The one image, its StudyDescription and Rows written as this JSON."""
    return json.dumps([row(**{"00081030": {"vr": "LO", "Value": ["@"]}})]).replace('"@"', written).encode()


READABLE: Mapping[str, bytes] = {
    "NaN": with_description("NaN"),
    "Infinity": with_description("-Infinity"),
    "beyond every number": with_description("1e999"),
    "an integer of 5,000 digits": with_description("9" * 5_000),
    "half a surrogate pair": with_description(r'"\ud800"'),
    "a byte order mark": b"\xef\xbb\xbf" + ROWS,
    "UTF-16": ROWS.decode().encode("utf-16"),
    "Latin-1": with_description('"Sch\u00e4del"').decode().encode("latin-1"),
    "the same key twice": ROWS[:-2] + b',"0020000d":{"vr":"UI","Value":["1.2.3"]}}]',
    "white space": b" " * 100_000 + ROWS + b"\r\n" * 50_000,
    "keys that are no tags": with_description('"x"')[:-2] + b',"":{},"7":[],"__class__":{"vr":"LO"}}]',
    **{f"a value nested {depth} deep": with_description("[" * depth + "]" * depth) for depth in (50, 200)},
    "objects nested 200 deep": with_description('{"a":' * 200 + "1" + "}" * 200),
}  # fmt: skip
"""Spoilt in one place, and otherwise good: the rest is shown."""


@pytest.fixture(scope="module")
async def readable() -> dict[Case, Outcome]:
    scripts = {name: lambda _, body=body: [http(body)] for name, body in READABLE.items()}
    return await outcomes_of(scripts, OF_JSON)


@pytest.mark.parametrize("call", OF_JSON)
@pytest.mark.parametrize("script", READABLE)
async def test_a_spoilt_value_costs_only_itself(readable: dict[Case, Outcome], script: str, call: str) -> None:
    found = readable[script, call]
    assert not found.is_error, found.text
    assert STUDY in found.text
    assert len(found.text) < 8_000


DEEP: Mapping[str, bytes] = {
    **{f"a value nested {depth} deep": with_description("[" * depth + "]" * depth) for depth in (900, 950, 975, 990)},
    "objects nested 950 deep": with_description('{"a":' * 950 + "1" + "}" * 950),
    "an element nested 900 deep": ROWS[:-2] + b',"00081030":{"vr":"LO","x":' + b"[" * 900 + b"]" * 900 + b"}}]",
}
"""As deep as the stack of Python: whether it can be read depends on where it is read."""


async def test_what_is_nested_as_deep_as_the_stack_is_read_or_refused() -> None:
    scripts = {name: lambda _, body=body: [http(body)] for name, body in DEEP.items()}
    for found in (await outcomes_of(scripts, OF_JSON)).values():
        assert STUDY in found.text or "nested without end" in found.text
        assert found.is_error == found.text.startswith("Archive bad")
        assert found.then == ""


@pytest.mark.parametrize(("script", "shown"), [("NaN", "nan"), ("Infinity", "-inf"), ("beyond every number", "inf")])
async def test_what_is_no_number_is_shown_as_it_came(readable: dict[Case, Outcome], script: str, shown: str) -> None:
    assert shown in readable[script, "get_metadata"].text
