"""The index follows the folder, survives bad files and bad index files, and writes nothing beside the files."""

import os
import sqlite3
import sys
import time
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import anyio
import pydicom
import pytest

from archives.folder_helpers import SAMPLES, ask, make_file, names, opened
from dicomweb_mcp.archives.base import Busy, NotFound, Place, Unreachable
from dicomweb_mcp.archives.folder import FolderArchive, refresh
from dicomweb_mcp.archives.folder.index import FolderIndex
from dicomweb_mcp.archives.part10.header import Header, read_header

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _always_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "FRESH_SECONDS", 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    make_file(folder / "a.dcm", "1.1", "1.1.1", "1.1.1.1")
    make_file(folder / "deep/er/b.dcm", "1.2", "1.2.1", "1.2.1.1")
    return folder


def _age(folder: Path) -> None:
    """Make the files old: one that is younger than its scan is read again, because it may still be written."""
    for path in folder.rglob("*.dcm"):
        os.utime(path, (1_600_000_000, 1_600_000_000))


async def test_added_changed_and_removed_files_are_noticed(folder: Path, tmp_path: Path) -> None:
    async with opened(folder, tmp_path / "cache") as archive:
        assert await names(archive) == ["1.1", "1.2"]
        make_file(folder / "new/c.dcm", "1.3", "1.3.1", "1.3.1.1")
        assert await names(archive) == ["1.1", "1.2", "1.3"]
        make_file(folder / "a.dcm", "1.4", "1.4.1", "1.4.1.1")
        assert await names(archive) == ["1.2", "1.3", "1.4"]
        (folder / "new/c.dcm").unlink()
        assert await names(archive) == ["1.2", "1.4"]
        (folder / "deep/er/b.dcm").unlink()
        (folder / "deep/er").rmdir()
        (folder / "deep").rmdir()
        assert await names(archive) == ["1.4"]


async def test_a_fresh_index_is_not_scanned_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "FRESH_SECONDS", 60.0)
    async with opened(folder, tmp_path / "cache") as archive:
        await names(archive)
        make_file(folder / "c.dcm", "1.3", "1.3.1", "1.3.1.1")
        assert await names(archive) == ["1.1", "1.2"]
        assert [row async for row in archive.metadata(Place("1.1"))]


async def test_unchanged_files_are_not_read_again(folder: Path, tmp_path: Path) -> None:
    _age(folder)
    read: list[str] = []

    def counting(path: str) -> Header:
        read.append(Path(path).name)
        return read_header(path)

    for _ in range(2):  # the second time with a new archive on the index of the first
        async with opened(folder, tmp_path / "cache") as archive:
            archive._refresher.read = counting
            for _ in range(2):
                assert await names(archive) == ["1.1", "1.2"]
    assert sorted(read) == ["a.dcm", "b.dcm"]


async def test_the_newest_of_several_files_counts(folder: Path, tmp_path: Path) -> None:
    newer = make_file(folder / "z.dcm", "1.1", "1.1.1", "1.1.1.1", PatientID="NEW")
    os.utime(folder / "a.dcm", (1_600_000_000, 1_600_000_000))
    os.utime(newer, (1_700_000_000, 1_700_000_000))
    async with opened(folder, tmp_path / "cache") as archive:
        page = await ask(archive, "instance", study_uid="1.1", fields=["PatientID"])
        assert [row["00100020"]["Value"] for row in page.rows] == [["NEW"]]
        assert page.notes == ()
        assert (
            "1 file repeats the SOP Instance UID of another file and is left out; first: a.dcm."
            in (await archive.probe()).notes
        )
        assert await archive.problems() == [("a.dcm", "has the SOP Instance UID of z.dcm, which is newer or intact")]
        newer.unlink()
        page = await ask(archive, "instance", study_uid="1.1", fields=["PatientID"])
        assert [row["00100020"]["Value"] for row in page.rows] == [["P1"]]
        assert page.notes == ()


@pytest.mark.parametrize("damaged_is_newer", [True, False])
async def test_an_intact_file_counts_before_a_damaged_one(folder: Path, tmp_path: Path, damaged_is_newer: bool) -> None:
    whole = (SAMPLES / "CT_small.dcm").read_bytes()
    (folder / "whole.dcm").write_bytes(whole)
    (folder / "cut.dcm").write_bytes(whole[:30_000])
    os.utime(folder / "whole.dcm", (1_600_000_000, 1_600_000_000))
    os.utime(folder / "cut.dcm", (1_600_000_000 + (1 if damaged_is_newer else -1),) * 2)
    dataset = pydicom.dcmread(SAMPLES / "CT_small.dcm")
    place = Place(dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)
    async with opened(folder, tmp_path / "cache") as archive:
        (frame,) = await archive.frames(place, [1])
        assert frame.data == dataset.PixelData
        assert (
            "cut.dcm",
            "has the SOP Instance UID of whole.dcm, which is newer or intact",
        ) in await archive.problems()


async def test_a_study_hidden_behind_a_newer_file_is_told(folder: Path, tmp_path: Path) -> None:
    newer = make_file(folder / "z.dcm", "9.9", "9.9.1", "1.1.1.1")
    os.utime(folder / "a.dcm", (1_600_000_000, 1_600_000_000))
    os.utime(newer, (1_700_000_000, 1_700_000_000))
    async with opened(folder, tmp_path / "cache") as archive:
        page = await ask(archive, filters={"StudyInstanceUID": "1.1"})
        assert page.total == 0
        assert "1 file of other studies or series cannot be found" in page.notes[0]
        assert "a.dcm" in page.notes[0]


async def test_a_deflated_file_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    import zlib

    folder = tmp_path / "files"
    ordinary = make_file(folder / "a.dcm", "1.1", "1.1.1", "1.1.1.1", syntax="1.2.840.10008.1.2.1.99")
    data = ordinary.read_bytes()
    start = data.index(b"1.2.840.10008.1.2.1.99") + 22
    pack = zlib.compressobj(wbits=-15)
    bomb = pack.compress(bytes(64)) + b"".join(pack.compress(bytes(1 << 24)) for _ in range(20)) + pack.flush()
    (folder / "bomb.dcm").write_bytes(data[:start] + bomb)
    assert (folder / "bomb.dcm").stat().st_size < 1_000_000
    async with opened(folder, tmp_path / "cache") as archive:
        assert await names(archive) == ["1.1"]
        ((path, reason),) = await archive.problems()
        assert path == "bomb.dcm"
        assert "unpacks to more than 256 MiB" in reason


async def test_bad_files_are_listed_and_stop_nothing(folder: Path, tmp_path: Path) -> None:
    good = (folder / "a.dcm").read_bytes()
    (folder / "empty.dcm").write_bytes(b"")
    (folder / "text.dcm").write_text("no DICOM at all")
    (folder / "notes.txt").write_text("notes")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    (folder / "nothing").write_bytes(bytes(500))
    (folder / "magic").write_bytes(bytes(128) + b"DICM" + bytes(range(256)))
    (folder / "cut.dcm").write_bytes(good[:200])
    (folder / "DICOMDIR").write_bytes((SAMPLES / "dicomdirtests/DICOMDIR").read_bytes())
    make_file(folder / "nostudy.dcm", "1.9", "1.9.1", "1.9.1.1", StudyInstanceUID=None)
    make_file(folder / "noseries", "1.9", "1.9.1", "1.9.1.2", SeriesInstanceUID=None)
    async with opened(folder, tmp_path / "cache") as archive:
        page = await ask(archive)
        assert page.total == 2
        problems = dict(await archive.problems())
        assert sorted(problems) == ["cut.dcm", "empty.dcm", "magic", "noseries", "nostudy.dcm", "text.dcm"]
        assert problems["empty.dcm"] == "empty"
        assert problems["text.dcm"] == "not DICOM"
        assert problems["nostudy.dcm"] == "no StudyInstanceUID"
        assert problems["noseries"] == "no SeriesInstanceUID"
        assert page.notes == (f"6 files could not be read; first: cut.dcm ({problems['cut.dcm']}).",)
        assert (await archive.contents()).skipped == 4
        (folder / "text.dcm").write_bytes(good.replace(b"1.1.1.1", b"1.1.1.2"))
        assert "text.dcm" not in dict(await archive.problems())


async def test_a_file_cut_off_in_its_pixels_is_found_and_reported(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "MR_truncated.dcm").write_bytes((SAMPLES / "MR_truncated.dcm").read_bytes())
    async with opened(folder, tmp_path / "cache") as archive:
        page = await ask(archive)
        assert page.total == 1
        assert any(
            "1 file is damaged but listed; first: MR_truncated" in note for note in (await archive.probe()).notes
        )


async def test_files_without_preamble_are_accepted(folder: Path, tmp_path: Path) -> None:
    (folder / "bare").write_bytes((SAMPLES / "ExplVR_LitEndNoMeta.dcm").read_bytes())
    async with opened(folder, tmp_path / "cache") as archive:
        assert len(await names(archive)) == 3


def _link(link: Path, target: Path) -> None:
    try:
        link.symlink_to(target, target_is_directory=target.is_dir())
    except OSError:
        pytest.skip("links cannot be made here")


async def test_links_outside_are_named_and_not_followed_and_loops_end(folder: Path, tmp_path: Path) -> None:
    outside = make_file(tmp_path / "outside/x.dcm", "6.6", "6.6.1", "6.6.1.1")
    _link(folder / "file.dcm", outside)
    _link(folder / "folder", outside.parent)
    _link(folder / "deep/loop", folder)
    _link(folder / "inside.dcm", folder / "a.dcm")
    _link(folder / "nowhere", folder / "gone")
    async with opened(folder, tmp_path / "cache") as archive:
        assert await names(archive) == ["1.1", "1.2"]
        problems = dict(await archive.problems())
        assert sorted(problems) == ["file.dcm", "folder", "nowhere"]
        assert "leads outside" in problems["file.dcm"]
        assert "leads outside" in problems["folder"]


async def test_a_file_replaced_by_a_link_is_not_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = make_file(tmp_path / "outside/x.dcm", "1.1", "1.1.1", "1.1.1.1")
    async with opened(folder, tmp_path / "cache") as archive:
        await names(archive)
        (folder / "a.dcm").unlink()
        _link(folder / "a.dcm", outside)
        with pytest.raises(NotFound):
            [row async for row in archive.metadata(Place("1.1", "1.1.1", "1.1.1.1"))]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
async def test_a_forbidden_file_is_a_problem_until_it_may_be_read(folder: Path, tmp_path: Path) -> None:
    (folder / "a.dcm").chmod(0)
    async with opened(folder, tmp_path / "cache") as archive:
        assert await names(archive) == ["1.2"]
        assert (await archive.problems())[0][0] == "a.dcm"
        (folder / "a.dcm").chmod(0o600)
        assert await names(archive) == ["1.1", "1.2"]


async def test_a_file_that_the_system_refuses_is_tried_again(folder: Path, tmp_path: Path) -> None:
    def refusing(path: str) -> Header:
        if path.endswith("a.dcm"):
            raise PermissionError(13, "Permission denied")
        return read_header(path)

    async with opened(folder, tmp_path / "cache") as archive:
        archive._refresher.read = refusing
        assert await names(archive) == ["1.2"]
        assert await archive.problems() == [("a.dcm", "cannot be read: Permission denied")]
        archive._refresher.read = read_header
        assert await names(archive) == ["1.1", "1.2"]


def _snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*")}


async def test_nothing_is_written_beside_the_files(folder: Path, tmp_path: Path) -> None:
    before = _snapshot(folder)
    async with opened(folder, tmp_path / "cache") as archive:
        await names(archive)
        assert [file async for file in archive.instances(Place("1.1"))]
        assert [row async for row in archive.metadata(Place("1.1"))]
    assert _snapshot(folder) == before
    assert list((tmp_path / "cache").glob("folder-*.sqlite"))
    if sys.platform != "win32":
        assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


async def test_the_index_is_in_the_users_cache_by_default(folder: Path) -> None:
    from platformdirs import user_cache_path

    archive = FolderArchive("mine", folder)
    assert await names(archive) == ["1.1", "1.2"]
    await archive.close()
    assert list(user_cache_path("dicomweb-mcp").glob("folder-*.sqlite"))


def _broken(path: Path) -> None:
    path.write_bytes(b"this is no database" * 500)


def _older(path: Path) -> None:
    path.unlink()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE files (other TEXT)")
    db.execute("CREATE TABLE more (x TEXT)")
    db.commit()
    db.close()


def _damaged_inside(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


@pytest.mark.parametrize("spoil", [_broken, _older, _damaged_inside])
async def test_a_bad_index_is_rebuilt(folder: Path, tmp_path: Path, spoil: Any) -> None:
    async with opened(folder, tmp_path / "cache") as archive:
        await names(archive)
    (file,) = (tmp_path / "cache").glob("folder-*.sqlite")
    for side in ("-wal", "-shm"):
        file.with_name(file.name + side).unlink(missing_ok=True)
    spoil(file)
    async with opened(folder, tmp_path / "cache") as archive:
        assert await names(archive) == ["1.1", "1.2"]


async def test_two_archives_share_an_index(folder: Path, tmp_path: Path) -> None:
    for number in range(300):
        make_file(folder / f"many/{number}.dcm", "1.5", "1.5.1", f"1.5.1.{number}")
    found: list[list[str]] = []
    async with opened(folder, tmp_path / "cache") as one, opened(folder, tmp_path / "cache") as two:

        async def search(archive: FolderArchive) -> None:
            found.append(await names(archive, "instance"))

        async with anyio.create_task_group() as group:
            for archive in (one, two, one, two):
                group.start_soon(search, archive)
    assert [len(uids) for uids in found] == [302] * 4


async def test_searches_during_the_first_indexing_say_so(folder: Path, tmp_path: Path) -> None:
    for number in range(50):
        make_file(folder / f"many/{number}.dcm", "1.5", "1.5.1", f"1.5.1.{number}")

    def slow(path: str) -> Header:
        time.sleep(0.02)
        return read_header(path)

    async with opened(folder, tmp_path / "cache") as archive:
        archive._refresher.read = slow
        archive._refresher.patience = 0.2
        pages = []

        async def search() -> None:
            pages.append(await ask(archive, "instance"))

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(search)
        for page in pages:
            assert page.incomplete.startswith("the folder is still being indexed: ")
            assert page.incomplete.endswith(" files so far")
            assert page.total is None
        with pytest.raises(Busy, match="still being indexed"):
            [row async for row in archive.metadata(Place("1.5"))]
        archive._refresher.patience = 10.0
        page = await ask(archive, "instance")
        assert (page.incomplete, page.total) == ("", 52)


async def test_close_stops_indexing_promptly(folder: Path, tmp_path: Path) -> None:
    for number in range(100):
        make_file(folder / f"many/{number}.dcm", "1.5", "1.5.1", f"1.5.1.{number}")
    read: list[str] = []

    def slow(path: str) -> Header:
        read.append(path)
        time.sleep(0.05)
        return read_header(path)

    archive = FolderArchive("mine", folder, cache_folder=tmp_path / "cache")
    archive._refresher.read = slow
    archive._refresher.patience = 0.1
    await ask(archive)
    with anyio.fail_after(2):
        await archive.close()
    count = len(read)
    await anyio.sleep(0.2)
    assert len(read) == count < 100


async def test_a_missing_folder_is_said_and_its_index_kept(folder: Path, tmp_path: Path) -> None:
    async with opened(folder, tmp_path / "cache") as archive:
        assert (await archive.probe()).reachable
        _age(folder)
        await names(archive)
        os.rename(folder, tmp_path / "away")  # noqa: PTH104
        health = await archive.probe()
        assert not health.reachable
        assert "cannot be read" in health.problem
        with pytest.raises(Unreachable, match=r"Archive mine: the folder .* cannot be read"):
            await ask(archive)
        (tmp_path / "away").rename(folder)
        read: list[str] = []
        archive._refresher.read = lambda path: read.append(path) or read_header(path)
        assert await names(archive) == ["1.1", "1.2"]
        assert read == []


def test_a_new_index_can_be_opened_by_many_at_once(tmp_path: Path) -> None:
    failures: list[Exception] = []

    def use(cache: Path, start: Barrier) -> None:
        start.wait()
        try:
            with FolderIndex(tmp_path, cache).open() as db:
                db.execute("SELECT COUNT(*) FROM files").fetchone()
        except Exception as failure:
            failures.append(failure)

    for number in range(40):  # without the retry about one in twenty-five fails
        start = Barrier(8)
        threads = [Thread(target=use, args=(tmp_path / str(number), start)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
