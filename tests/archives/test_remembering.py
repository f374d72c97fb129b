"""A web archive that remembers: what it says again is what the server said, and the server is not asked."""

import json
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_mcp.archives.base import Archive, Failed, NotFound, NotUnderstood, Place
from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from dicomweb_mcp.archives.memory import EACH, LARGEST, Memory
from dicomweb_mcp.archives.profiles import PROFILES
from dicomweb_mcp.archives.remembering import RememberingArchive
from dicomweb_mcp.dicom.query import Plan, Query, make_plan
from dicomweb_mcp.dicom.rules import Level
from fakes.base import DICOM_JSON, multipart
from support import open_over, settings_of

pytestmark = pytest.mark.anyio

PLACE = Place("1.2", "1.2.3", "1.2.3.4")
SERIES = Place("1.2", "1.2.3")
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("\ud800"))
ELEMENTS = st.fixed_dictionaries(
    {"vr": st.sampled_from(["LO", "DS", "IS", "UI", "SQ"])}, optional={"Value": st.lists(VALUES, max_size=3)}
)
TAGS = st.sampled_from(["0020000D", "0020000E", "00080018", "0010001f", "not a tag"])
OBJECTS = st.lists(st.dictionaries(TAGS, ELEMENTS, max_size=4), min_size=1, max_size=4)


class Server:
    """Answers what it is told to, and keeps the paths that it was asked for."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        return self.answer(request)

    def remembered(self, memory: Memory | None = None) -> RememberingArchive:
        return RememberingArchive(open_over(self, "generic"), memory or Memory(300))


def of_json(body: Any) -> Server:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Server(lambda _: httpx.Response(200, content=content, headers={"Content-Type": DICOM_JSON}))


def of_frames(request: httpx.Request) -> httpx.Response:
    """Frame 7 is b"7" in a transfer syntax of its own."""
    numbers = request.url.path.rpartition("/")[2].split(",")
    head = "Content-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4."
    body = multipart((([head + number], number.encode()) for number in numbers), "b")
    return httpx.Response(200, content=body, headers={"Content-Type": "multipart/related; boundary=b"})


def plan(level: Level = Level.INSTANCE) -> Plan:
    series = "1.2.3" if level is Level.INSTANCE else None
    return make_plan(Query(level, study_uid="1.2", series_uid=series), PROFILES["generic"].rules)


async def metadata_of(archive: Archive, place: Place = PLACE) -> list[dict[str, Any]]:
    async with aclosing(archive.metadata(place)) as objects:
        return [dict(obj) async for obj in objects]


async def first_of(archive: Archive, place: Place = PLACE) -> dict[str, Any]:
    async with aclosing(archive.metadata(place)) as objects:
        async for obj in objects:
            return dict(obj)
    raise AssertionError


@given(OBJECTS)
def test_what_is_remembered_reads_as_it_did(found: list[dict[str, Any]]) -> None:
    """Also NaN, half surrogates and integers of any length; as text, because NaN is not equal to itself."""

    async def compare() -> None:
        server = of_json(found)
        plain, archive = open_over(server, "generic"), server.remembered()
        page = await plain.search(plan(), limit=9, offset=0)
        truth = repr(list(page.rows)), repr(await metadata_of(plain))
        server.asked.clear()
        for _ in range(3):
            page = await archive.search(plan(), limit=9, offset=0)
            assert (repr(list(page.rows)), repr(await metadata_of(archive))) == truth
        assert len(server.asked) == 2

    anyio.run(compare)


async def test_nobody_can_change_what_is_remembered() -> None:
    row = {"00080018": {"vr": "UI", "Value": ["1.2.3.4"]}}
    archive = of_json([row]).remembered()
    for _ in range(3):
        page = await archive.search(plan(), limit=9, offset=0)
        obj = await first_of(archive)
        for found in (page.rows[0], obj):
            assert found == row
            found["00080018"]["Value"][0] = "changed"  # type: ignore[index]


async def test_many_rows_are_remembered_too() -> None:
    """So many that they are decoded when they are looked at."""
    rows = [{"00080018": {"vr": "UI", "Value": [f"1.2.3.{n}"]}, "00081030": {"vr": "LO", "Value": ["ü" * 900]}}
            for n in range(1_100)]  # fmt: skip
    server = of_json(json.dumps(rows, ensure_ascii=False).encode())
    archive = server.remembered()
    for _ in range(2):
        assert list((await archive.search(plan(), limit=2_000, offset=0)).rows) == rows
        assert await metadata_of(archive, SERIES) == rows
    assert len(server.asked) == 2


async def test_pages_are_told_apart_and_all_searches_but_those_within_a_series_are_asked_again() -> None:
    server = of_json([{}])
    archive = server.remembered()
    for limit, offset in [(1, 0), (2, 0), (1, 1), (1, 0)]:
        await archive.search(plan(), limit=limit, offset=offset)
    assert len(server.asked) == 3
    anywhere = make_plan(Query(Level.INSTANCE, filters={"SOPInstanceUID": "1.2.3.4"}), PROFILES["generic"].rules)
    for other in (plan(Level.STUDY), plan(Level.SERIES), anywhere) * 2:
        await archive.search(other, limit=1, offset=0)
    assert len(server.asked) == 3 + 6


@pytest.mark.parametrize(("found", "requests"), [(["1.2.3"], 1), ([], 2), (["1.2.4"], 2), (["1.2.3", "1.2.4"], 2)])
async def test_of_a_series_by_its_uid_the_row_is_remembered_and_nothing_else(found: list[str], requests: int) -> None:
    server = of_json([{"0020000E": {"vr": "UI", "Value": [uid]}} for uid in found])
    archive = server.remembered()
    rules = PROFILES["generic"].rules
    by_uid = make_plan(Query(Level.SERIES, study_uid="1.2", filters={"SeriesInstanceUID": "1.2.3"}), rules)
    for _ in range(2):
        assert len((await archive.search(by_uid, limit=2, offset=0)).rows) == len(found)
    assert len(server.asked) == requests
    archive.forget(SERIES)
    await archive.search(by_uid, limit=2, offset=0)
    assert len(server.asked) == requests + 1


async def test_that_there_is_nothing_is_asked_again_but_not_where_a_list_ends() -> None:
    server = of_json([])
    archive = server.remembered()
    for _ in range(2):
        assert (await archive.search(plan(), limit=5, offset=0)).rows == []
    assert len(server.asked) == 2
    for _ in range(2):
        assert (await archive.search(plan(), limit=5, offset=5)).rows == []
    assert len(server.asked) == 3


async def test_only_frames_that_are_missing_are_asked_for_in_one_request() -> None:
    server = Server(of_frames)
    archive = RememberingArchive(open_over(server, "google"), Memory(300))
    for numbers in ([3], [5, 3, 1, 5], [1, 3, 5]):
        frames = await archive.frames(PLACE, numbers)
        assert [(frame.number, frame.data, frame.transfer_syntax, frame.as_stored) for frame in frames] == [
            (number, b"%d" % number, f"1.2.840.10008.1.2.4.{number}", True) for number in numbers
        ]
    assert [path.rpartition("/")[2] for path in server.asked] == ["3", "5,1"]
    await archive.frames(Place("1.2", "1.2.3", "1.2.3.5"), [3])
    assert len(server.asked) == 3


async def test_failures_are_not_remembered() -> None:
    server = Server(lambda _: httpx.Response(404))
    archive = server.remembered()
    questions: list[Callable[[], Any]] = [
        lambda: archive.frames(PLACE, [1]),
        lambda: metadata_of(archive),
        lambda: archive.bulkdata(PLACE, "bulk/1"),
        lambda: archive.search(plan(), limit=1, offset=0),
    ]
    for question in questions:
        for status, error in [(404, NotFound), (500, Failed)]:
            server.answer = lambda _, status=status: httpx.Response(status)  # type: ignore[misc]
            server.asked.clear()
            for _ in range(2):
                with pytest.raises(error):
                    await question()
            assert len(server.asked) >= 2
    assert archive._memory.size == 0


async def test_a_stream_that_nobody_read_to_its_end_is_not_remembered() -> None:
    rows = [{"00080018": {"vr": "UI", "Value": [f"1.2.3.{n}"]}} for n in range(4)]
    server = of_json(rows)
    archive = server.remembered()
    for _ in range(2):
        assert await first_of(archive, SERIES) == rows[0]
    assert len(server.asked) == 2
    for _ in range(2):
        assert await metadata_of(archive, SERIES) == rows
    assert len(server.asked) == 3


async def test_a_stream_that_was_cut_is_not_remembered() -> None:
    padding = "x" * 100_000
    rows = [{"00080018": {"vr": "UI", "Value": [f"1.2.3.{n}"]}, "00104000": {"vr": "LT", "Value": [padding]}}
            for n in range(4)]  # fmt: skip
    whole = json.dumps(rows).encode()
    server = of_json(whole[:-9])
    archive = server.remembered()
    with pytest.raises(NotUnderstood):
        await metadata_of(archive, SERIES)
    server.answer = of_json(whole).answer
    assert await metadata_of(archive, SERIES) == rows


async def test_the_metadata_of_one_instance_are_remembered_when_the_first_object_was_taken() -> None:
    row = {"00080018": {"vr": "UI", "Value": ["1.2.3.4"]}}
    server = of_json([row])
    archive = server.remembered()
    for _ in range(2):
        assert await first_of(archive) == row
    assert len(server.asked) == 1


async def test_what_is_too_large_is_handed_on_whole_and_not_kept() -> None:
    row = {"00104000": {"vr": "LT", "Value": ["x" * 9_000]}}
    server = of_json([row] * 40)
    memory = Memory(300, LARGEST * (EACH + 10_000))
    archive = server.remembered(memory)
    for _ in range(2):
        assert await metadata_of(archive, SERIES) == [row] * 40
        assert list((await archive.search(plan(), limit=50, offset=0)).rows) == [row] * 40
    assert len(server.asked) == 4
    assert memory.size == 0


async def test_calls_that_overlap_each_get_all_of_it() -> None:
    """A slow server, a memory of a few frames, and calls that ask for the same and for others."""
    memory = Memory(300, LARGEST * (EACH + 100))

    class Slow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await anyio.sleep(0.001)
            return of_frames(request)

    slow = RememberingArchive(DicomwebArchive(settings_of("google"), transport=Slow()), memory)

    async def look(start: int) -> None:
        for nth in range(10):
            numbers = [1 + (start + nth + more) % 9 for more in range(4)]
            assert [frame.data for frame in await slow.frames(PLACE, numbers)] == [b"%d" % n for n in numbers]
            assert 0 < memory.size <= LARGEST * (EACH + 100)

    async with anyio.create_task_group() as tasks:
        for start in range(5):
            tasks.start_soon(look, start)


async def test_storing_through_it_forgets() -> None:
    server = Server(of_frames)
    archive = server.remembered()
    await archive.frames(PLACE, [1])
    server.answer = lambda _: httpx.Response(409, json={})
    with pytest.raises(Exception, match="did not take it"):
        await archive.store([])
    server.answer = of_frames
    await archive.frames(PLACE, [1])
    assert [path.rpartition("/")[2] for path in server.asked] == ["1", "studies", "1"]
