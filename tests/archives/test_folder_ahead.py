"""Scans that run while searches are answered: nobody waits who need not, and nothing is missed meanwhile."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import anyio
import pytest

from archives.folder_helpers import make_file, names, opened
from dicomweb_mcp.archives.base import Place
from dicomweb_mcp.archives.folder import FolderArchive, refresh, scan
from dicomweb_mcp.archives.part10.header import Header, read_header

pytestmark = pytest.mark.anyio


class Gate:
    """Reads headers, and stops at the file of this name until it is opened."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._open = Event()
        self.reached = Event()

    def __call__(self, path: str) -> Header:
        if Path(path).name == self._name:
            self.reached.set()
            assert self._open.wait(20)
        return read_header(path)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate("new.dcm")
    yield made
    made.open()


@pytest.fixture(autouse=True)
def _a_minute_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "FRESH_SECONDS", 60.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    make_file(folder / "a.dcm", "1.1", "1.1.1", "1.1.1.1")
    make_file(folder / "deep/er/b.dcm", "1.2", "1.2.1", "1.2.1.1")
    return folder


async def _scanning(archive: FolderArchive, gate: Gate) -> list[str]:
    """What a search finds that comes when more than half of the time is over; the scan then stands at the gate."""
    archive._refresher.read = gate
    archive._refresher._ended -= 40
    found = await names(archive)
    assert await anyio.to_thread.run_sync(gate.reached.wait, 20)
    return found


async def test_the_next_scan_begins_before_anybody_has_to_wait_for_it(folder: Path, tmp_path: Path, gate: Gate) -> None:
    async with opened(folder, tmp_path / "cache") as archive:
        assert await names(archive) == ["1.1", "1.2"]
        make_file(folder / "new.dcm", "1.3", "1.3.1", "1.3.1.1")
        assert await names(archive) == ["1.1", "1.2"]
        assert await _scanning(archive, gate) == ["1.1", "1.2"]
        assert await names(archive) == ["1.1", "1.2"]
        gate.open()
        assert await archive._refresher.fresh(anew=True) == ""
        assert await names(archive) == ["1.1", "1.2", "1.3"]


async def test_an_old_index_is_waited_for(folder: Path, tmp_path: Path, gate: Gate) -> None:
    async with opened(folder, tmp_path / "cache") as archive:
        await names(archive)
        make_file(folder / "new.dcm", "1.3", "1.3.1", "1.3.1.1")
        await _scanning(archive, gate)
        archive._refresher._ended -= 40
        found: list[list[str]] = []

        async def search() -> None:
            found.append(await names(archive))

        async with anyio.create_task_group() as group:
            group.start_soon(search)
            await anyio.sleep(0.05)
            assert found == []
            gate.open()
        assert found == [["1.1", "1.2", "1.3"]]


async def test_a_file_that_moves_is_found_at_either_place(
    folder: Path, tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "BATCH", 1)
    async with opened(folder, tmp_path / "cache") as archive:
        await names(archive)
        make_file(folder / "deep/c.dcm", "1.3", "1.3.1", "1.3.1.1")
        (folder / "a.dcm").rename(folder / "deep/er/new.dcm")
        await _scanning(archive, gate)
        assert await names(archive) == ["1.1", "1.2", "1.3"]
        gate.open()
        assert await archive._refresher.fresh(anew=True) == ""
        assert await names(archive) == ["1.1", "1.2", "1.3"]
        assert (await archive.contents()).older == 0


async def test_a_file_that_changes_behind_the_scan_is_read_as_it_is_now(
    folder: Path, tmp_path: Path, gate: Gate
) -> None:
    """The scan that is running has passed the file already, so its end tells nothing about it."""
    async with opened(folder, tmp_path / "cache") as archive:
        await names(archive)
        make_file(folder / "deep/new.dcm", "1.3", "1.3.1", "1.3.1.1")
        await _scanning(archive, gate)
        make_file(folder / "a.dcm", "1.1", "1.1.1", "1.1.1.1", PatientID="CHANGED")
        read: list[list[str]] = []

        async def metadata() -> None:
            place = Place("1.1", "1.1.1", "1.1.1.1")
            read.append([row["00100020"]["Value"][0] async for row in archive.metadata(place)])

        async with anyio.create_task_group() as group:
            group.start_soon(metadata)
            await anyio.sleep(0.1)
            gate.open()
        assert read == [["CHANGED"]]
