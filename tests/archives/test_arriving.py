"""Lists of objects that arrive in pieces, held against the standard library reading them whole."""

import json
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_mcp.archives import arriving
from dicomweb_mcp.archives.arriving import Arriving
from dicomweb_mcp.archives.base import NotFound, NotUnderstood, Place
from dicomweb_mcp.dicom.encoded import EncodedObject
from dicomweb_mcp.dicom.values import normalized
from support import open_over

WRITTEN = st.one_of(st.text(max_size=6), st.text('{}[],:"\\ \n', max_size=12))
VALUES = st.recursive(
    st.one_of(st.none(), st.integers(-9, 9), st.floats(), WRITTEN),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(WRITTEN, inner, max_size=2)),
    max_leaves=4,
)
ELEMENTS = st.fixed_dictionaries(
    {"vr": st.sampled_from(["LO", "SQ"])}, optional={"Value": st.lists(VALUES, max_size=2)}
)
TAGS = st.sampled_from(["0020000D", "0020000e", "00081140", "}, {", "{"])
OBJECTS = st.lists(st.dictionaries(TAGS, ELEMENTS, max_size=3), max_size=8)


@pytest.fixture(autouse=True, scope="module")
def hurried() -> Iterator[None]:
    """Runs so short that these small bodies have many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arriving, "RUN", 24)
        patch.setattr(arriving, "SUSPICIOUS", 48)
        yield


def read(pieces: list[bytes]) -> list[Any]:
    body, found = Arriving("pacs"), []
    for piece in pieces:
        body.feed(piece)
        while body.is_due:
            found += body.whole()
    found += body.rest()
    assert body.count == len(found)
    return found


def pieces(body: bytes, places: list[int]) -> list[bytes]:
    ends = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in pairwise(ends)]


def outcome(parts: list[bytes]) -> str:
    try:
        return repr([dict(obj) for obj in read(parts)])
    except NotUnderstood:
        return "refused"


def truth(body: bytes) -> str:
    try:
        found = json.loads(body.decode(json.detect_encoding(body), "replace"))
    except ValueError:
        return "refused"
    fine = isinstance(found, list) and all(isinstance(obj, dict) for obj in found)
    return repr([dict(normalized(obj)) for obj in found]) if fine else "refused"


PLACES = st.lists(st.integers(0, 5_000), max_size=20)


@given(OBJECTS, PLACES, st.booleans(), st.sampled_from([None, 1]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_wherever_a_body_is_cut_its_objects_come_out(
    objects: list[Any], places: list[int], ascii: bool, indent: int | None, encoding: str
) -> None:
    body = json.dumps(objects, ensure_ascii=ascii, indent=indent).encode(encoding, "surrogatepass")
    assert outcome(pieces(body, places)) == truth(body)


@given(OBJECTS.filter(bool), PLACES, st.data())
def test_a_body_that_took_harm_is_read_as_it_stands_or_refused(
    objects: list[Any], places: list[int], data: st.DataObject
) -> None:
    harmed = bytearray(json.dumps(objects).encode())
    harmed[data.draw(st.integers(0, len(harmed) - 1))] = data.draw(st.sampled_from(b'{}[]",:\\0e.- \x00\x80\xff'))
    body = bytes(harmed)
    assert outcome(pieces(body, places)) == truth(body)


@given(OBJECTS.filter(bool), PLACES, st.integers(1, 5_000))
def test_a_body_that_ends_too_early_is_refused(objects: list[Any], places: list[int], end: int) -> None:
    body = json.dumps(objects).encode()
    with pytest.raises(NotUnderstood, match="cut or damaged"):
        read(pieces(body[: 1 + end % (len(body) - 1)], places))


def test_objects_are_given_while_others_arrive() -> None:
    """Also where the counting of braces goes wrong."""
    for value in ("x", "{", "}", "}, {", '\\"{', "}}}},{"):
        obj = {"0020000D": {"vr": "UI", "Value": [value]}}
        body = Arriving("pacs")
        body.feed(b"[" + b",".join([json.dumps(obj).encode()] * 50))
        found = []
        while body.is_due:
            found += body.whole()
        assert len(found) > 40, value
        assert all(isinstance(one, EncodedObject) and one == obj for one in found)


def test_one_object_that_is_no_json_to_the_letter_costs_the_others_nothing() -> None:
    plain, spoilt = b'{"0020000D":{"vr":"UI","Value":["1.2"]}}', b'{"0020000D":{"vr":"DS","Value":[NaN]}}'
    found = read([b"[" + b",".join([*[plain] * 20, spoilt, *[plain] * 20]) + b"]"])
    assert repr(found[20]) == "{'0020000D': {'vr': 'DS', 'Value': [nan]}}"
    assert sum(isinstance(obj, EncodedObject) for obj in found) > 30


@pytest.mark.parametrize("body", [b"[" + b"{}," * 60 + b"{}]", b'[{"a":{"vr":"LO"}}' + b',{"a":"{"}' * 60 + b"]"])
def test_objects_are_counted_over_the_whole_body(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb_mcp.archives.objects.MOST_OBJECTS", 50)
    with pytest.raises(NotUnderstood, match="more than 50 objects"):
        read([body[at : at + 7] for at in range(0, len(body), 7)])


@pytest.mark.parametrize("first", [b"", b"[", b'[{"a":"', b'[{"a":1},"'])
def test_an_object_may_not_be_endless(first: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "MOST_OBJECT", 4_096)
    with pytest.raises(NotUnderstood, match="larger than"):
        read([first, *[b" " * 100] * 50])


@pytest.mark.anyio
async def test_memory_does_not_grow_with_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(arriving, "RUN", 65_536)
    one = b'{"00080018":{"vr":"UI","Value":["1.2.%d"]},"00204000":{"vr":"LT","Value":["' + b"x" * 500 + b'"]}}'

    async def body() -> AsyncIterator[bytes]:
        for start in range(0, 90_000, 100):
            yield (b"," if start else b"[") + b",".join([one % number for number in range(start, start + 100)])
        yield b"]"

    archive = open_over(lambda _: httpx.Response(200, content=body()), "generic")
    tracemalloc.start()
    try:
        async with aclosing(archive.metadata(Place("1.2"))) as found:
            seen = [number async for number in _numbers(found)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seen == [0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000, 70_000, 80_000]
    assert peak < 2_000_000


async def _numbers(objects: Any) -> AsyncIterator[int]:
    expected = 0
    async for obj in objects:
        assert obj["00080018"]["Value"] == [f"1.2.{expected}"]
        if expected % 10_000 == 0:
            yield expected
        expected += 1


@pytest.mark.anyio
@pytest.mark.parametrize(("status", "body"), [(204, b""), (200, b""), (200, b" \n"), (200, b"[]"), (200, b" [ ] ")])
async def test_nothing_is_not_found(status: int, body: bytes) -> None:
    archive = open_over(lambda _: httpx.Response(status, content=body), "generic")
    with pytest.raises(NotFound):
        async with aclosing(archive.metadata(Place("1.2"))) as found:
            [obj async for obj in found]
