"""Bodies of DICOM JSON, held against what the standard library makes of them."""

import contextlib
import gc
import json
import threading
import tracemalloc
from contextlib import aclosing
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_mcp.archives.base import NotUnderstood, Place
from dicomweb_mcp.archives.objects import objects
from dicomweb_mcp.dicom.encoded import encoded_objects
from dicomweb_mcp.dicom.query import Query, make_plan
from dicomweb_mcp.dicom.rules import Level
from dicomweb_mcp.dicom.values import DEEPEST, normalized
from support import open_over

VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
ELEMENTS = st.fixed_dictionaries(
    {"vr": st.sampled_from(["LO", "DS", "IS", "UI"])}, optional={"Value": st.lists(VALUES, max_size=3)}
)
TAGS = st.sampled_from(["0020000D", "0020000E", "00080018", "00100010", "00080060"])
OBJECTS = st.lists(st.dictionaries(TAGS, ELEMENTS, max_size=4), max_size=4)


def outcome(body: bytes) -> str:
    """The objects as text (NaN is not equal to itself), or ``refused``."""
    try:
        return repr(list(objects("pacs", body)))
    except NotUnderstood:
        return "refused"


def truth(body: bytes) -> str:
    """The same by the standard library; a byte that is no UTF-8 costs the text that it stands in."""
    try:
        found = json.loads(body.decode(json.detect_encoding(body), "replace"))
    except ValueError:
        return "refused"
    fine = isinstance(found, list) and all(isinstance(obj, dict) for obj in found)
    return repr([normalized(obj) for obj in found]) if fine else "refused"


@given(OBJECTS, st.booleans(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_whatever_is_written_is_read(found: list[dict[str, Any]], ascii: bool, encoding: str) -> None:
    body = json.dumps(found, ensure_ascii=ascii, indent=1 if ascii else None).encode(encoding, "surrogatepass")
    assert outcome(body) == truth(body)


VALUE = b'[{"0020000D":{"vr":"UI","Value":[%s]}},{"0020000D":{"vr":"UI","Value":["1.2"]}}]'


@pytest.mark.parametrize(
    "value",
    [b"01", b"1.", b".5", b"+1", b"-", b"0x1", b"1e", b"truu", b"1,", b",1", b"'x'", b'"x', b'"\\q"', b'"\\u12"', b'"a\tb"',
     b'"\x01"', b'"\xff"', b'"\xc3"', b'"\xc0\x80"', b"1]", b"{", b"{1:2}", b"{a:1}", b'{"a" 1}', b'{"\xff":1}', b"nul", b"--1",
     b"NaN", b"-Infinity", b"nan", b'"\\ud800"', b'"\xed\xa0\x80"', b'"\\ud83d\\ude00"', b'"\xf0\x9f\x98\x80"', b"1e400",
     b"-0", b"9" * 30, b"9" * 400, b"1E5", b'"\x7f"', b'{"a":1,"a":2}', b'[["x"]]', b'"/\\/"', b'"\\u0000"'],
)  # fmt: skip
def test_what_is_no_json_is_noticed_when_it_arrives(value: bytes) -> None:
    """Also within an object that nobody looks at."""
    body = VALUE % value
    assert outcome(body) == truth(body)
    if truth(body) == "refused":
        with pytest.raises(NotUnderstood, match="cut or damaged"):
            objects("pacs", body)


@given(OBJECTS.filter(bool), st.data())
def test_a_body_that_took_harm_is_read_as_it_stands_or_refused(
    found: list[dict[str, Any]], data: st.DataObject
) -> None:
    body = bytearray(json.dumps(found).encode())
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] = data.draw(st.sampled_from(b'{}[]",:\\0e.- \x00\x80\xff'))
    broken = bytes(body)
    if truth(broken) == "refused":
        assert outcome(broken) == "refused"
    else:
        assert outcome(broken) == truth(broken)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"a":[]}', b"3", b'"x"', b"null", b"[3]", b"[null]", b"[[]]", b'[{},"x"]', b"[{}, \n null]"]
)
def test_json_without_objects_is_refused(body: bytes) -> None:
    with pytest.raises(NotUnderstood, match="no list of DICOM objects"):
        objects("pacs", body)


@pytest.mark.parametrize("body", [b"", b" \r\n\t", b"[]", b" [ ] "])
def test_nothing_is_no_object(body: bytes) -> None:
    assert objects("pacs", body) == []


def test_tags_and_forms_are_mended_when_an_object_is_looked_at() -> None:
    found = objects("pacs", b'[{"0020000d":{"Value":"1.2"},"0020000D":{"vr":"UI","Value":["1.3"]},"x":3}, {"a":1}]')
    assert list(found) == [{"0020000D": {"vr": "UI", "Value": ["1.3"]}}, {}]
    assert found[-1] == {}
    assert found[:1] == [found[0]]
    with pytest.raises(IndexError):
        found[2]


def test_a_number_of_thousands_of_digits_costs_only_itself() -> None:
    body = b'[{"00200013":{"vr":"IS","Value":[%s]},"0020000D":{"vr":"UI","Value":["1.2"]}}]' % (b"9" * 5_000)
    (found,) = objects("pacs", body)
    assert found["0020000D"]["Value"] == ["1.2"]
    assert found["00200013"]["Value"] == ["9" * 5_000]


@pytest.mark.parametrize("depth", [100, 300, 320, 330, 900, 5_000, 100_000])
def test_nesting_without_end_ends_in_an_answer_or_a_refusal(depth: int) -> None:
    """The stack is deeper when an object is looked at than when its syntax was checked."""
    body = b"[" + b'{"00081140":{"vr":"SQ","Value":[' * depth + b"]}}" * depth + b"]"

    def below(frames: int) -> str:
        return below(frames - 1) if frames else "\n".join(map(repr, found))

    try:
        found = objects("pacs", body)
        shown = below(100)
    except NotUnderstood:
        assert depth > 100
    else:
        assert shown.count("00081140") == DEEPEST + 1  # so many sequences within the first


def test_fifty_thousand_rows_take_little_more_than_their_bytes() -> None:
    row = b'{"00080018":{"vr":"UI","Value":["1.2.%d"]},"00100010":{"vr":"PN","Value":[{"Alphabetic":"M\xc3\xbcller^%d"}]}}'
    body = b"[" + b",".join([row % (number, number) for number in range(50_000)]) + b"]"
    tracemalloc.start()
    try:
        found = objects("pacs", body)
        assert sum(obj["00080018"]["Value"] == [f"1.2.{number}"] for number, obj in enumerate(found)) == 50_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < len(body)


@pytest.mark.anyio
async def test_the_body_is_not_held_twice() -> None:
    body = b"[" + b",".join([b'{"00080018":{"vr":"UI","Value":["1.2"]},"x":"' + b"y" * 1_000_000 + b'"}'] * 20) + b"]"
    pieces = httpx.Response(200, content=(body[at : at + 65_536] async for at in _every(65_536, len(body))))
    archive = open_over(lambda _: pieces, "generic")
    tracemalloc.start()
    try:
        page = await archive.search(make_plan(Query(Level.STUDY), archive.profile.rules), limit=5, offset=0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(page.rows) == 20
    assert peak < 1.5 * len(body)


@pytest.mark.anyio
@pytest.mark.parametrize("asked", ["search", "metadata"])
async def test_only_large_bodies_leave_the_event_loop(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of searches are decoded, objects of metadata split; their elements are decoded where they are looked at."""
    threads: list[int] = []

    def watched(work: Any) -> Any:
        def working(*given: Any) -> Any:
            threads.append(threading.get_ident())
            return work(*given)

        return working

    monkeypatch.setattr("dicomweb_mcp.archives.objects.objects", watched(objects))
    monkeypatch.setattr("dicomweb_mcp.archives.objects.normalized", watched(normalized))
    monkeypatch.setattr("dicomweb_mcp.archives.arriving.encoded_objects", watched(encoded_objects))
    for size, beside in ((10, False), (3_000_000, True)):
        body = b'[{"00204000":{"vr":"LT","Value":["%s"]}}]' % (b"x" * size)
        archive = open_over(lambda _, body=body: httpx.Response(200, content=body), "generic")
        if asked == "search":
            await archive.search(make_plan(Query(Level.STUDY), archive.profile.rules), limit=5, offset=0)
        else:
            async with aclosing(archive.metadata(Place("1.2"))) as found:
                assert [obj async for obj in found]
        assert threads
        assert {thread != threading.get_ident() for thread in threads} == {beside}
        threads.clear()


async def _every(step: int, end: int) -> Any:
    for at in range(0, end, step):
        yield at


def test_objects_of_nothing_are_counted_before_they_take_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"[" + b"{}," * 500_000 + b"{}]"
    monkeypatch.setattr("dicomweb_mcp.archives.objects.MOST_BRACES", 1_000)
    monkeypatch.setattr("dicomweb_mcp.archives.objects.MOST_OBJECTS", 1_000)
    tracemalloc.start()
    try:
        with pytest.raises(NotUnderstood, match="more than 1,000 objects"):
            objects("pacs", body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(body)


@pytest.mark.parametrize("body", [b"[{}, {}]", b"[{}, NaN]", b'[{"a": 1', b"[" * 100_000])
def test_the_collector_of_garbage_is_on_again(body: bytes) -> None:
    with contextlib.suppress(NotUnderstood):
        list(objects("pacs", body))
    assert gc.isenabled()
