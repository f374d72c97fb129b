"""Deleting from a folder while it changes: what happens between the looks and the moving, and what cannot be moved."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archives.folder_helpers import make_file
from archives.trash_helpers import (
    SERIES,
    archive_of,
    contents,
    deleted,
    everything,
    filled_folder,
    nothing,
    only_trash,
    other_file_system,
    uids,
)
from dicomweb_mcp.archives.base import Outdated, Place, Refused
from dicomweb_mcp.archives.folder import trash as module

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return filled_folder(tmp_path)


def arrives(folder: Path) -> None:
    make_file(folder / "late.dcm", "1.2", "1.2.3", "1.2.3.9")


def is_copied(folder: Path) -> None:
    shutil.copy(folder / "a b" / "1.2.3-1.dcm", folder / "copy.dcm")


def is_edited(folder: Path) -> None:
    os.utime(folder / "a b" / "1.2.3-1.dcm", (1, 1))


def goes(folder: Path) -> None:
    (folder / "a b" / "1.2.3-1.dcm").unlink()


@pytest.mark.parametrize("change", [arrives, is_copied, is_edited, goes])
async def test_what_changed_since_the_plan_ends_it(folder: Path, change: Callable[[Path], None]) -> None:
    async with archive_of(folder) as archive:
        doomed = await archive.doomed(SERIES)
        change(folder)
        now = contents(folder)
        with pytest.raises(Outdated, match=r"series 1\.2\.3 changed after it was looked at\. Nothing was deleted"):
            await archive.delete(SERIES, {"1.2.3.1", "1.2.3.2"}, doomed, nothing)
    assert contents(folder) == now
    assert not (folder.parent / "state").exists()


async def test_what_arrives_while_files_are_moved_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move = module._move

    def moved(stored: Any, target: Path) -> None:
        arrives(folder)
        move(stored, target)

    monkeypatch.setattr(module, "_move", moved)
    async with archive_of(folder) as archive:
        await deleted(archive, SERIES, {"1.2.3.1", "1.2.3.2"})
        assert await uids(archive, SERIES) == ["1.2.3.9"]


async def test_one_file_that_cannot_be_moved_stops_no_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck, rename = folder / "a b" / "1.2.3-1.dcm", Path.rename

    def renamed(self: Path, target: Path) -> Path:
        if self == stuck:
            raise PermissionError(errno.EACCES, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", renamed)
    before = stuck.read_bytes()
    async with archive_of(folder) as archive:
        notes = await deleted(archive, Place("1.2"), {f"1.2.{s}.{n}" for s in (3, 4) for n in (1, 2)})
        assert await uids(archive, Place("1.2")) == ["1.2.3.1"]
    assert stuck.read_bytes() == before
    assert len(everything(only_trash(folder))) == 3
    assert notes[0].startswith("3 files were moved")
    assert notes[1] == ("1 file was left where it is: a b/1.2.3-1.dcm (it cannot be moved: Permission denied).")


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be exchanged there")
async def test_what_cannot_be_put_back_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, rename = folder / "a b" / "1.2.3-1.dcm", Path.rename

    def exchanging(self: Path, target: Path) -> Path:
        path.unlink()
        path.write_bytes(b"another")
        return rename(self, target)

    def refused(*_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "rename", exchanging)
    monkeypatch.setattr(module, "give_name", refused)
    async with archive_of(folder) as archive:
        notes = await deleted(archive, Place("1.2", "1.2.3", "1.2.3.1"), {"1.2.3.1"})
    assert (only_trash(folder) / "000001.dcm").read_bytes() == b"another"
    assert f"cannot be put back, and what was there lies in {only_trash(folder)} as 000001.dcm" in notes[0]


async def test_a_file_that_is_exchanged_after_it_was_copied_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On its way to another file system, in the moment before it is removed."""
    path = folder / "a b" / "1.2.3-1.dcm"

    def exchanging(self: Path, target: Path) -> Path:
        if self == path and "trash" not in target.parts:
            fresh = folder / "fresh"
            fresh.write_bytes(b"another")
            fresh.replace(path)
        return other_file_system(self, target)

    monkeypatch.setattr(Path, "rename", exchanging)
    async with archive_of(folder) as archive:
        notes = await deleted(archive, SERIES, {"1.2.3.1", "1.2.3.2"})
    assert path.read_bytes() == b"another"
    assert notes[0].startswith("1 file was moved")
    assert "it changed after it was looked at" in notes[1]
    assert [one.name for one in folder.rglob(".*")] == []


async def test_copies_do_not_fill_another_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(folder)
    size = sum(len(data) for path, data in before.items() if "1.2.3-" in path)
    stat = Path.stat

    def elsewhere(self: Path, **more: Any) -> os.stat_result:
        found = stat(self, **more)
        if self.name != "mine":
            return found
        return os.stat_result([*found[:2], found.st_dev + 1, *found[3:]])

    usage = shutil.disk_usage(folder)
    async with archive_of(folder) as archive:
        doomed = await archive.doomed(SERIES)
        with monkeypatch.context() as patched:
            patched.setattr(Path, "stat", elsewhere)
            patched.setattr(module.shutil, "disk_usage", lambda _: usage._replace(free=size - 1))
            with pytest.raises(Refused, match=r"No space left on device\. Nothing was deleted"):
                await archive.delete(SERIES, {"1.2.3.1", "1.2.3.2"}, doomed, nothing)
            assert contents(folder) == before
            patched.setattr(module.shutil, "disk_usage", lambda _: usage._replace(free=size))
            await archive.delete(SERIES, {"1.2.3.1", "1.2.3.2"}, doomed, nothing)
    assert len(everything(only_trash(folder))) == 2


async def test_the_answer_tells_how_large_the_trash_is(folder: Path) -> None:
    """All that was deleted from this archive, also before."""
    for number in (1, 2):
        pixels = {"BitsAllocated": 16, "PixelData": bytes(2_000_000)}
        make_file(folder / f"{number}.dcm", "1.5", f"1.5.{number}", f"1.5.{number}.1", **pixels)
    async with archive_of(folder) as archive:
        for number in (1, 2):
            notes = await deleted(archive, Place("1.5", f"1.5.{number}"), {f"1.5.{number}.1"})
            assert f"now takes {2 * number}.0 MB" in notes[-1]
            assert str(folder.parent / "state" / "trash" / "mine") in notes[-1]


async def test_where_the_files_are_is_told_even_when_the_folder_went_away(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = module.Trash.take

    def taken(self: Any, files: Any) -> Any:
        filled = take(self, files)
        folder.rename(folder.with_name("unplugged"))
        return filled

    monkeypatch.setattr(module.Trash, "take", taken)
    async with archive_of(folder) as archive:
        notes = await deleted(archive, SERIES, {"1.2.3.1", "1.2.3.2"})
    assert notes[0].startswith(f"2 files were moved to {only_trash(folder)}")
    assert "cannot be read" in notes[-1]
