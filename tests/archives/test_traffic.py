"""Bytes taken from IDC's proxy: counted as transferred, by UTC day, by all processes together, across restarts."""

import gzip
import os
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from dicomweb_mcp.archives import traffic as module
from dicomweb_mcp.archives.base import ArchiveError
from dicomweb_mcp.archives.profiles import PROFILES
from dicomweb_mcp.archives.traffic import FILE, Traffic, traffic
from dicomweb_mcp.archives.wire import MiB, Wire
from dicomweb_mcp.settings import STATE_VARIABLE
from support import HURRIED, settings_of

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home" / "state"
    monkeypatch.setenv(STATE_VARIABLE, str(folder))
    return folder


def wire(answer: httpx.Response, kind: str = "idc") -> Wire:
    return Wire(settings_of(kind), PROFILES[kind], transport=httpx.MockTransport(lambda _: answer), patience=HURRIED)  # type: ignore[index]


async def take(answer: httpx.Response, kind: str = "idc") -> None:
    one = wire(answer, kind)
    with suppress(ArchiveError):
        await one.get("/studies", accept="*/*", most=MiB)
    await one.close()


def after_a_restart(state: Path) -> int:
    return Traffic("idc", state).today()


async def test_bytes_are_counted_as_they_were_transferred(state: Path) -> None:
    packed = gzip.compress(b"[]" + b" " * 100_000)
    await take(httpx.Response(200, stream=httpx.ByteStream(packed), headers={"Content-Encoding": "gzip"}))
    await take(httpx.Response(200, content=b"x" * 500))
    await take(httpx.Response(404, content=b"y" * 70))  # the body of a failure was transferred as well
    await take(httpx.Response(204))
    assert after_a_restart(state) == traffic("idc").today() == len(packed) + 570


@pytest.mark.parametrize("kind", ["google", "idc-google", "orthanc", "generic"])
async def test_other_archives_are_not_counted(state: Path, kind: str) -> None:
    await take(httpx.Response(200, content=b"[]"), kind)
    assert not state.exists()


async def test_small_answers_cost_no_write_each_and_are_not_lost(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []
    add = Traffic._add
    monkeypatch.setattr(Traffic, "_add", lambda *given: (written.append(given), add(*given)))
    one = wire(httpx.Response(200, content=b"z" * 1000))
    for _ in range(50):
        await one.get("/studies", accept="*/*", most=MiB)
    assert len(written) <= 1
    assert traffic("idc").today() == 50_000, "what is unsaved counts as well"
    await one.close()
    assert after_a_restart(state) == 50_000


async def test_much_is_saved_while_it_arrives(state: Path) -> None:
    """A process that is killed loses little of a long answer."""

    async def endless() -> Any:
        for _ in range(400):
            yield bytes(64 * 1024)

    one = wire(httpx.Response(200, content=endless()))
    async with one.stream("/studies", accept="*/*", most=64 * MiB, seconds=60) as stream:
        arrived = 0
        async for chunk in stream.chunks:
            arrived += len(chunk)
            if arrived == 25 * MiB:
                assert after_a_restart(state) >= 15 * MiB
    await one.close()
    assert after_a_restart(state) == 25 * MiB


def test_processes_add_up(state: Path) -> None:
    code = (
        "from pathlib import Path; import sys; from dicomweb_mcp.archives.traffic import Traffic\n"
        "one = Traffic('idc', Path(sys.argv[1]))\n"
        "for _ in range(40): one.add(7); one.save()\n"
        "while one.problem: one.save()"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(state)]) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    assert after_a_restart(state) == 4 * 40 * 7


def test_a_day_is_that_of_utc_and_the_day_before_is_forgotten(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count, day = Traffic("idc", state), "2026-11-20"
    monkeypatch.setattr(module, "utc_day", lambda: day)
    count.add(5)
    count.save()
    count.add(6)  # unsaved at midnight
    day = "2026-11-21"
    assert count.today() == 0
    count.add(10)
    assert count.today() == 10
    count.save()
    assert count.today() == after_a_restart(state) == 10
    day = "2026-11-20"
    assert after_a_restart(state) == 11


@pytest.mark.skipif(os.name == "nt", reason="modes mean nothing there")
def test_the_folder_is_for_the_user_alone(state: Path) -> None:
    Traffic("idc", state).today()
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


@pytest.mark.parametrize("wrong", ["file", "nobody"])
async def test_a_folder_that_cannot_be_written_stops_nothing(
    tmp_path: Path, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv(STATE_VARIABLE, {"file": str(tmp_path / "file" / "state"), "nobody": "~nobody-at-all"}[wrong])
    before = traffic("idc").today()
    for _ in range(3):
        await take(httpx.Response(200, content=b"x" * 2_000_000))
    count = traffic("idc")
    assert count.problem
    assert str(tmp_path) not in count.problem
    assert count.today() - before == 0, "an answer over the cap is refused before it is read"
    await take(httpx.Response(200, content=b"x" * 500))
    assert count.today() - before == 500


def test_what_could_not_be_written_is_written_later(tmp_path: Path) -> None:
    blocking = tmp_path / "state"
    blocking.write_text("no folder yet")
    count = Traffic("idc", blocking)
    count.add(9)
    count.save()
    assert count.problem
    assert count.today() == 9
    blocking.unlink()
    count.save()
    assert not count.problem
    assert count.today() == after_a_restart(blocking) == 9


def test_a_damaged_file_is_begun_anew(state: Path) -> None:
    state.mkdir(parents=True)
    (state / FILE).write_bytes(b"this is no database, whatever its name says" * 100)
    count = Traffic("idc", state)
    count.add(3)
    count.save()
    assert "damaged" in count.problem
    count.save()
    assert count.today() == after_a_restart(state) == 3
