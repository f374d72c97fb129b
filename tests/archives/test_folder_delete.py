"""Deleting from a folder: files go into a trash, only those that are meant and unchanged, and none is ever lost."""

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from archives.folder_helpers import SAMPLES, make_file
from archives.trash_helpers import (
    SERIES,
    archive_of,
    contents,
    deleted,
    everything,
    filled_folder,
    listed,
    nothing,
    only_trash,
    other_file_system,
    trashes,
    uids,
)
from dicomweb_mcp.archives.base import Doomed, Place, Refused
from dicomweb_mcp.archives.folder import trash as module

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return filled_folder(tmp_path)


@pytest.mark.parametrize(
    ("place", "gone"),
    [
        (Place("1.2"), ["1.2.3-1", "1.2.3-2", "1.2.4-1", "1.2.4-2"]),
        (SERIES, ["1.2.3-1", "1.2.3-2"]),
        (Place("1.2", "1.2.3", "1.2.3.2"), ["1.2.3-2"]),
    ],
)
@pytest.mark.parametrize("elsewhere", [False, True])
async def test_files_go_into_the_trash_and_nothing_else_moves(
    folder: Path, place: Place, gone: list[str], elsewhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also onto another file system, where a file cannot be renamed."""
    if elsewhere:
        monkeypatch.setattr(Path, "rename", other_file_system)
    before = contents(folder)
    paths = [f"a b/{name}.dcm" for name in gone]
    times = {str(folder / path): (folder / path).stat().st_mtime_ns for path in paths}
    async with archive_of(folder) as archive:
        doomed = await archive.doomed(place)
        assert (doomed.size, doomed.instances) == (sum(len(before[path]) for path in paths), len(gone))
        assert contents(folder) == before
        notes = await deleted(archive, place, {name.replace("-", ".") for name in gone})
        assert not {name.replace("-", ".") for name in gone} & set(await uids(archive, place))
    trash = only_trash(folder)
    assert contents(folder) == {path: data for path, data in before.items() if path not in paths}
    assert everything(trash) == {str(folder / path): before[path] for path in paths}
    assert {row["from"]: (trash / row["file"]).stat().st_mtime_ns for row in listed(trash)} == times
    files = "1 file was" if len(gone) == 1 else f"{len(gone)} files were"
    assert notes[0] == f"{files} moved to {trash}; where-from.jsonl there says where each was."
    assert "The trash of this archive now takes 0.0 MB, and nothing empties it" in notes[1]
    assert len(notes) == 2
    assert not list(trash.glob(".*")), "no half-written file is left behind"


@pytest.mark.skipif(os.name == "nt", reason="modes mean nothing there")
async def test_the_trash_is_for_this_user_alone(folder: Path) -> None:
    async with archive_of(folder) as archive:
        await deleted(archive, SERIES, {"1.2.3.1", "1.2.3.2"})
    trash = only_trash(folder)
    for made in (trash, trash.parent, trash.parent.parent):
        assert stat.S_IMODE(made.stat().st_mode) == 0o700


async def test_each_deletion_has_a_folder_of_its_own(folder: Path) -> None:
    before = contents(folder)
    async with archive_of(folder) as archive:
        for number in (1, 2):
            await deleted(archive, Place("1.2", "1.2.3", f"1.2.3.{number}"), {f"1.2.3.{number}"})
    assert len(trashes(folder)) == 2
    found = {path: data for trash in trashes(folder) for path, data in everything(trash).items()}
    assert found == {str(folder / "a b" / f"1.2.3-{n}.dcm"): before[f"a b/1.2.3-{n}.dcm"] for n in (1, 2)}


async def test_only_planned_uids_go(folder: Path) -> None:
    async with archive_of(folder) as archive:
        await deleted(archive, SERIES, {"1.2.3.2", "1.9.1.1"})
        assert await uids(archive, SERIES) == ["1.2.3.1"]
        assert await uids(archive, Place("1.9")) == ["1.9.1.1"]


async def test_a_copy_of_an_instance_goes_with_it(folder: Path) -> None:
    """It would be found again otherwise. One in another study is that study's, and stays."""
    shutil.copy(folder / "a b" / "1.2.3-1.dcm", folder / "copy.dcm")
    make_file(folder / "elsewhere.dcm", "1.7", "1.7.1", "1.2.3.1")
    os.utime(folder / "elsewhere.dcm", (0, 0))
    async with archive_of(folder) as archive:
        doomed = await archive.doomed(Place("1.2", "1.2.3", "1.2.3.1"))
        assert doomed.size == 2 * (folder / "copy.dcm").stat().st_size
        assert doomed.instances == 1
        await deleted(archive, Place("1.2", "1.2.3", "1.2.3.1"), {"1.2.3.1"})
        assert await uids(archive, SERIES) == ["1.2.3.2"]
        assert await uids(archive, Place("1.7")) == ["1.2.3.1"]
    assert len(listed(only_trash(folder))) == 2


async def test_a_file_that_no_search_shows_is_not_meant(folder: Path) -> None:
    """Its instance counts in another study, so it is in no plan."""
    make_file(folder / "hidden.dcm", "1.7", "1.7.1", "1.2.3.1")
    os.utime(folder / "hidden.dcm", (0, 0))
    shown = make_file(folder / "shown.dcm", "1.7", "1.7.1", "1.7.1.2")
    async with archive_of(folder) as archive:
        assert await uids(archive, Place("1.7")) == ["1.7.1.2"]
        doomed = await archive.doomed(Place("1.7"))
        assert (doomed.size, doomed.instances) == (shown.stat().st_size, 1)
        await deleted(archive, Place("1.7"), {"1.7.1.2", "1.2.3.1"})
    assert (folder / "hidden.dcm").exists()
    assert not shown.exists()


async def test_what_is_planned_changes_with_the_files(folder: Path) -> None:
    """A file that is rewritten in its size is another one."""
    path = folder / "a b" / "1.2.3-1.dcm"
    async with archive_of(folder) as archive:
        before = await archive.doomed(SERIES)
        assert await archive.doomed(SERIES) == before
        status = path.stat()
        path.write_bytes(path.read_bytes())
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))
        after = await archive.doomed(SERIES)
    assert (after.size, after.instances) == (before.size, before.instances)
    assert after.state != before.state


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_file_that_changes_at_the_last_moment_stays(
    folder: Path, elsewhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "a b" / "1.2.3-1.dcm"
    move, put = module._move, module._path

    def edited(stored: Any, target: Path) -> None:
        if put(stored) == path:
            path.write_bytes(b"edited meanwhile")
        move(stored, target)

    monkeypatch.setattr(module, "_move", edited)
    if elsewhere:
        monkeypatch.setattr(Path, "rename", other_file_system)
    async with archive_of(folder) as archive:
        notes = await deleted(archive, SERIES, {"1.2.3.1", "1.2.3.2"})
    assert path.read_bytes() == b"edited meanwhile"
    assert not (folder / "a b" / "1.2.3-2.dcm").exists()
    assert "1 file was left where it is: a b/1.2.3-1.dcm (it changed" in notes[1]


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be exchanged there")
async def test_a_file_that_is_exchanged_between_look_and_move_is_put_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "a b" / "1.2.3-1.dcm"
    rename = Path.rename

    def exchanging(self: Path, target: Path) -> Path:
        if self == path and path.read_bytes() != b"another":
            fresh = folder / "fresh"
            fresh.write_bytes(b"another")
            fresh.replace(path)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", exchanging)
    async with archive_of(folder) as archive:
        notes = await deleted(archive, SERIES, {"1.2.3.1"})
    assert path.read_bytes() == b"another"
    assert "left where it is" in notes[0]


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be exchanged there")
async def test_nothing_is_put_back_over_another_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "a b" / "1.2.3-1.dcm"
    rename = Path.rename

    def exchanging(self: Path, target: Path) -> Path:
        if self == path:
            path.unlink()
            path.write_bytes(b"second")
        moved = rename(self, target)
        if self == path:
            path.write_bytes(b"third")
        return moved

    monkeypatch.setattr(Path, "rename", exchanging)
    async with archive_of(folder) as archive:
        notes = await deleted(archive, SERIES, {"1.2.3.1"})
    assert path.read_bytes() == b"third"
    assert (only_trash(folder) / "000001.dcm").read_bytes() == b"second"
    assert f"what was there lies in {only_trash(folder)} as 000001.dcm" in notes[0]


async def test_a_file_that_changes_while_it_is_copied_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "a b" / "1.2.3-1.dcm"
    real = module.write_whole

    def write(final: Path, chunks: Any) -> None:
        real(final, chunks)
        if final.suffix == ".dcm":
            path.write_bytes(b"edited after it was copied")

    monkeypatch.setattr(Path, "rename", other_file_system)
    monkeypatch.setattr(module, "write_whole", write)
    async with archive_of(folder) as archive:
        notes = await deleted(archive, SERIES, {"1.2.3.1"})
    assert path.read_bytes() == b"edited after it was copied"
    assert trashes(folder) == []
    assert "it changed after it was looked at" in notes[0]


@pytest.mark.parametrize("at", ["fsync", "file_digest", "rename"])
async def test_a_copy_that_fails_leaves_the_file_where_it_is(
    folder: Path, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(folder)

    def failing(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def renamed(self: Path, target: Path) -> Path:
        if at == "rename":
            raise OSError(errno.EXDEV if "trash" in target.parts else errno.EACCES, "no")
        return other_file_system(self, target)

    real = module.write_whole

    def write(final: Path, chunks: Any) -> None:
        if at == "fsync" and final.suffix == ".dcm":
            for _ in chunks:
                failing()
        real(final, chunks)

    monkeypatch.setattr(Path, "rename", renamed)
    monkeypatch.setattr(module, "write_whole", write)
    if at == "file_digest":
        monkeypatch.setattr(module.hashlib, "file_digest", lambda *_: module.hashlib.sha256(b"something else"))
    async with archive_of(folder) as archive:
        notes = await deleted(archive, SERIES, {"1.2.3.1", "1.2.3.2"})
        assert await uids(archive, SERIES) == ["1.2.3.1", "1.2.3.2"]
    assert contents(folder) == before
    assert trashes(folder) == [], "nothing was moved, and nothing stays behind"
    assert len(notes) == 1
    assert notes[0].startswith("2 files were left where they are; first: a b/1.2.3-1.dcm (")


async def test_a_trash_within_the_archive_is_refused(folder: Path) -> None:
    """What was deleted would be found again."""
    before = contents(folder)
    for state in (folder, folder / "state"):
        async with archive_of(folder, state) as archive:
            for call in (archive.doomed(SERIES), archive.delete(SERIES, {"1.2.3.1"}, Doomed(), nothing)):
                with pytest.raises(Refused, match="DICOMWEB_MCP_STATE"):
                    await call
    assert contents(folder) == before


async def test_a_trash_that_cannot_be_made(folder: Path) -> None:
    before = contents(folder)
    (folder.parent / "state").write_text("a file is in the way")
    async with archive_of(folder) as archive:
        with pytest.raises(Refused, match=r"cannot be used: .* Nothing was deleted"):
            await deleted(archive, SERIES, {"1.2.3.1"})
    assert contents(folder) == before


async def test_what_was_moved_can_be_put_back_and_is_found_again(folder: Path) -> None:
    before = contents(folder)
    async with archive_of(folder) as archive:
        await deleted(archive, Place("1.2"), {f"1.2.{s}.{n}" for s in (3, 4) for n in (1, 2)})
        trash = only_trash(folder)
        for row in listed(trash):
            shutil.move(trash / row["file"], row["from"])
        assert contents(folder) == before
        await archive._fresh(anew=True)
        assert await uids(archive, SERIES) == ["1.2.3.1", "1.2.3.2"]


async def test_files_that_were_put_back_by_the_list_are_deleted_and_shown_again(folder: Path) -> None:
    """Real files with pixels, by the steps that are documented, more than once; the times are kept as well."""
    for name in ("CT_small.dcm", "JPEG2000.dcm"):
        shutil.copy(SAMPLES / name, folder / name)
    study = dcmread(folder / "CT_small.dcm").StudyInstanceUID
    before, when = contents(folder), (folder / "CT_small.dcm").stat().st_mtime_ns
    async with archive_of(folder) as archive:
        (uid,) = await uids(archive, Place(study))
        for _ in range(2):
            await deleted(archive, Place(study), {uid})
            assert not (folder / "CT_small.dcm").exists()
            for trash in sorted((folder.parent / "state" / "trash" / "mine").iterdir()):
                for row in listed(trash):
                    if (trash / row["file"]).exists() and not Path(row["from"]).exists():
                        shutil.move(trash / row["file"], row["from"])
            assert contents(folder) == before
            await archive._fresh(anew=True)
            assert await uids(archive, Place(study)) == [uid]
            (place,) = [Place(row.study_uid, row.series_uid, uid) for row in await archive._held(Place(study))]
            (frame,) = await archive.frames(place, [1])
            assert frame.data == dcmread(SAMPLES / "CT_small.dcm").PixelData
    assert (folder / "CT_small.dcm").stat().st_mtime_ns == when
