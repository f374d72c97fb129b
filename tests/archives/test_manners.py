"""What one day and one call take of IDC's proxy: its limits, what is said where they are reached, what still comes."""

import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from dicomweb_mcp.archives import manners
from dicomweb_mcp.archives import traffic as traffic_module
from dicomweb_mcp.archives.base import Busy, TooMuch
from dicomweb_mcp.archives.manners import one_call
from dicomweb_mcp.archives.profiles import PROFILES
from dicomweb_mcp.archives.traffic import Traffic
from dicomweb_mcp.archives.wire import MiB, Wire
from dicomweb_mcp.settings import STATE_VARIABLE
from support import HURRIED, settings_of

pytestmark = pytest.mark.anyio

PIECE = 1_000
SERIES = "/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.5/frames/1"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    monkeypatch.setenv(STATE_VARIABLE, str(folder))
    return folder


@pytest.fixture
def small_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call may take ten pieces."""
    monkeypatch.setattr(manners, "MOST_OF_A_CALL", 10 * PIECE)


class Pieces(httpx.AsyncByteStream):
    """A body in pieces that knows how many were read, and waits before each one where it is told to."""

    def __init__(self, count: int, gate: Callable[[], Any] | None = None) -> None:
        self.count, self.read, self.gate = count, 0, gate

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.count):
            if self.gate:
                await self.gate()
            self.read += 1
            yield bytes(PIECE)


class Server:
    """Answers each request with the next body; ``announcing`` its length or not."""

    def __init__(self, *bodies: Pieces, announcing: bool = True) -> None:
        self.bodies, self.announcing, self.asked = list(bodies), announcing, 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        body = self.bodies.pop(0)
        headers = {"Content-Length": str(body.count * PIECE)} if self.announcing else {}
        return httpx.Response(200, stream=body, headers=headers)


def wire(server: Any, kind: str = "idc", **more: Any) -> Wire:
    settings = settings_of(kind, **more)
    return Wire(settings, PROFILES[settings.resolved_kind], transport=httpx.MockTransport(server), patience=HURRIED)


async def get(one: Wire, path: str = SERIES) -> int:
    return len((await one.get(path, accept="*/*", most=64 * MiB)).body)


def full(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=bytes(1_000_000))


# ---- the day -----------------------------------------------------------------------------------------------------------


async def test_nothing_is_sent_after_the_days_bytes_and_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(*(Pieces(700) for _ in range(4)))
    one = wire(server, daily_mb=2)
    day = "2026-11-20"
    monkeypatch.setattr(traffic_module, "utc_day", lambda: day)
    for _ in range(3):
        assert await get(one) == 700_000, "the one that goes over the limit is read to its end"
    with pytest.raises(TooMuch) as raised:
        await get(one)
    assert server.asked == 3
    said = str(raised.value)
    for part in (
        "Archive pacs: ", "2 MB were taken since 00:00 UTC", "2 MB a day", "courtesy", "not the archive's quota",
        "ends at 00:00 UTC", "idc download 1.2.3.4 ", "without any limit", "daily_mb",
    ):  # fmt: skip
        assert part in said
    assert re.search(r"UTC, \d+ (h|min) from now", said)
    assert not re.search(r"://|\bIP\b|VPN|address|429", said)
    assert len(said) < 700
    day = "2026-11-21"
    assert await get(one) == 700_000, "another day"
    await one.close()


def test_it_is_two_gigabytes_where_nothing_else_is_set() -> None:
    assert settings_of("idc").daily_bytes == 2_000_000_000
    assert settings_of("idc", daily_mb=5).daily_bytes == 5_000_000
    assert settings_of("idc-google").daily_bytes is None


@pytest.mark.parametrize(
    ("now", "left"),
    [((0, 0, 0), "24 h"), ((18, 48, 59), "5 h"), ((22, 30, 0), "2 h"), ((23, 1, 0), "59 min"),
     ((23, 59, 59), "1 min")],
)  # fmt: skip
def test_how_long_it_lasts(now: tuple[int, int, int], left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Clock":
            assert tz is UTC
            return cls(2026, 11, 20, *now, tzinfo=tz)

    monkeypatch.setattr(manners, "datetime", Clock)
    assert manners._until_midnight() == left


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/studies/1.2.3/series/1.2.3.4/metadata", "1.2.3.4"),
        ("/studies/1.2.3/metadata", "1.2.3"),
        ("/studies/1.2.3/series?limit=1", "1.2.3"),
        ("/studies?limit=1", "SERIES_UID"),
        ("/studies/1.2.3/series/1.2;rm/metadata", "SERIES_UID"),
        (f"/studies/{'1.' * 40}1/metadata", "SERIES_UID"),
    ],
)
async def test_the_series_or_study_of_the_request_is_named(path: str, named: str, state: Path) -> None:
    other = Traffic("idc", state)
    other.add(1_000_000)
    other.save()
    with pytest.raises(TooMuch, match=rf"idc download {re.escape(named)} \("):
        await get(wire(full, daily_mb=1), path)


async def test_what_other_processes_take_is_noticed_without_a_look_for_each_request(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    today = Traffic.today
    monkeypatch.setattr(Traffic, "today", lambda self: (looks.append(1), today(self))[1])
    one, other = wire(lambda _: httpx.Response(200, content=b"[]"), daily_mb=1), Traffic("idc", state)
    for _ in range(50):
        await get(one)
    assert len(looks) == 1
    other.add(1_000_000)
    other.save()
    await get(one)
    monkeypatch.setattr(traffic_module, "OLDEST_READING", -1.0)  # as if time had passed
    with pytest.raises(Busy):
        await get(one)
    assert len(looks) == 2
    await one.close()


async def test_the_first_requests_side_by_side_all_know_what_was_taken_before(state: Path) -> None:
    before = Traffic("idc", state)
    before.add(1_000_000)
    before.save()
    server = Server()
    one = wire(server, daily_mb=1)
    refused: list[TooMuch] = []

    async def ask() -> None:
        try:
            await get(one)
        except TooMuch as problem:
            refused.append(problem)

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(ask)
    assert len(refused) == 4
    assert server.asked == 0


async def test_a_count_that_was_begun_anew_keeps_what_this_process_took(state: Path) -> None:
    one = wire(full, daily_mb=1)
    await get(one)
    await one.close()
    (state / traffic_module.FILE).unlink()
    assert traffic_module.traffic("idc").today() == 1_000_000
    with pytest.raises(TooMuch):
        await get(one)


# ---- a call ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_calls")
async def test_an_announced_answer_that_is_too_much_is_not_read() -> None:
    body = Pieces(7)
    server = Server(Pieces(4), body, Pieces(6))
    one = wire(server)
    with one_call():
        assert await get(one) == 4 * PIECE
        with pytest.raises(TooMuch) as raised:
            await get(one)
        assert body.read == 0
        assert await get(one) == 6 * PIECE, "what fits comes"
    said = str(raised.value)
    for part in (
        "Archive pacs: ", "more than 10,000 bytes", "4,000 bytes so far", "a further 7,000 bytes were announced",
        "idc download 1.2.3.4 ", "Ask for less",
    ):  # fmt: skip
        assert part in said
    assert not re.search(r"://|\bIP\b|VPN|429", said)


@pytest.mark.usefixtures("small_calls")
async def test_an_answer_of_unknown_length_is_stopped_in_the_middle() -> None:
    body = Pieces(1_000)
    one = wire(Server(body, announcing=False))
    with one_call(), pytest.raises(TooMuch, match="the rest of an answer was not read"):
        await get(one)
    assert body.read == 11
    assert traffic_module.traffic("idc").today() == 11 * PIECE, "what came is counted"


@pytest.mark.usefixtures("small_calls")
async def test_of_a_stream_whose_rest_is_left_the_length_is_no_reason() -> None:
    one = wire(Server(Pieces(1_000)))
    with one_call():
        async with one.stream(SERIES, accept="*/*", most=64 * MiB, seconds=5) as stream:
            assert len(await anext(stream.chunks)) == PIECE
            await stream.chunks.aclose()


@pytest.mark.usefixtures("small_calls")
async def test_tasks_of_a_call_share_what_it_may_take_and_another_call_has_its_own() -> None:
    """Two announced answers side by side: the first one keeps its place, the second one is not begun."""
    first, second = Pieces(8, gate=lambda: anyio.sleep(0.01)), Pieces(8)
    one = wire(Server(first, second))
    ended: list[str] = []

    async def ask() -> None:
        try:
            ended.append(str(await get(one)))
        except TooMuch:
            ended.append("refused")

    with one_call():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            tasks.start_soon(ask)
    assert ended == ["refused", "8000"]
    assert (first.read, second.read) == (8, 0)
    with one_call():
        assert await get(wire(Server(Pieces(10)))) == 10 * PIECE


@pytest.mark.usefixtures("small_calls")
async def test_an_answer_that_broke_off_gives_back_what_it_did_not_take() -> None:
    async def breaking() -> None:
        raise httpx.ReadError("gone")

    one = wire(Server(Pieces(9, gate=breaking), Pieces(9)))
    with one_call():
        with pytest.raises(Exception, match="broke off"):
            await get(one)
        assert await get(one) == 9 * PIECE


@pytest.mark.usefixtures("small_calls")
@pytest.mark.parametrize("kind", ["google", "idc-google", "orthanc", "generic"])
async def test_other_archives_know_no_such_limit(kind: str) -> None:
    with one_call():
        assert await get(wire(Server(Pieces(50)), kind)) == 50 * PIECE


def test_a_call_may_take_two_hundred_megabytes() -> None:
    assert manners.MOST_OF_A_CALL == 200_000_000


# ---- the archive's own limits --------------------------------------------------------------------------------------------


async def test_what_the_proxy_answers_in_place_of_a_429_is_tried_again_ever_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Google's limit per minute arrives as a 500."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(anyio, "sleep", sleep)
    monkeypatch.setattr("random.uniform", lambda least, most: (least + most) / 2)
    statuses = [500, 500, 500, 200]
    assert await get(wire(lambda _: httpx.Response(statuses.pop(0), content=b"[]"))) == 2
    assert waits == [HURRIED.back_off * factor for factor in (1, 2, 4)]
