"""Storing into a folder: each file whole or not at all, nothing overwritten, nothing left behind."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from archives.folder_helpers import SAMPLES, make_file, names, opened
from dicomweb_mcp.archives.base import Busy
from dicomweb_mcp.archives.folder import FolderArchive
from dicomweb_mcp.archives.folder.placing import place
from dicomweb_mcp.archives.part10.outgoing import checked
from dicomweb_mcp.dicom.rules import Level
from dicomweb_mcp.paths import PART_SUFFIX, Changed
from dicomweb_mcp.services.presence import EVERYWHERE, rows_by_uid

pytestmark = pytest.mark.anyio
PLACE = Path("1.2", "1.2.3", "1.2.3.4.dcm")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_file(tmp_path.resolve() / "outgoing" / "x.dcm", "1.2", "1.2.3", "1.2.3.4")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "archive"
    made.mkdir()
    return made


@asynccontextmanager
async def archive_of(folder: Path) -> AsyncIterator[FolderArchive]:
    async with opened(folder, folder.parent / "cache") as archive:
        yield archive


def everything(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir())


async def test_a_stored_file_is_there_and_found_at_once(folder: Path, source: Path) -> None:
    async with archive_of(folder) as archive:
        assert await names(archive) == []
        response = await archive.store([checked(source)])
        assert response.verdicts["1.2.3.4"].stored
        assert await names(archive, "instance") == ["1.2.3.4"]
    assert everything(folder) == [PLACE]
    assert (folder / PLACE).read_bytes() == source.read_bytes()


async def test_nothing_is_overwritten(folder: Path, source: Path) -> None:
    (folder / PLACE).parent.mkdir(parents=True)
    (folder / PLACE).write_bytes(b"something else")
    async with archive_of(folder) as archive:
        verdict = (await archive.store([checked(source)])).verdicts["1.2.3.4"]
    assert not verdict.stored
    assert "is there already" in verdict.reason
    assert (folder / PLACE).read_bytes() == b"something else"
    assert everything(folder) == [PLACE]


@pytest.mark.parametrize("at", ["fsync", "link"])
async def test_a_failure_in_the_middle_leaves_nothing_behind(
    folder: Path, source: Path, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    outgoing = checked(source)
    async with archive_of(folder) as archive:
        with monkeypatch.context() as patch:
            patch.setattr(os, at, failing)
            if at == "link":  # without hard links a file is renamed
                patch.setattr(os, "rename", failing)
            verdict = (await archive.store([outgoing])).verdicts["1.2.3.4"]
        assert not verdict.stored
        assert verdict.reason == "it cannot be written: No space left on device"
        assert everything(folder) == []
        assert (await archive.store([outgoing])).verdicts["1.2.3.4"].stored


async def test_without_hard_links_a_file_is_renamed_and_still_not_over_another(
    folder: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: Any, **__: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    place(folder, checked(source))
    assert everything(folder) == [PLACE]
    with pytest.raises(FileExistsError):
        place(folder, checked(source))
    assert everything(folder) == [PLACE]


async def test_a_file_that_is_still_written_is_no_part_of_the_archive(folder: Path, source: Path) -> None:
    """A search in the middle of storing sees neither half a file nor its temporary name."""
    shutil.copy(source, folder / f".x{PART_SUFFIX}")
    async with archive_of(folder) as archive:
        assert await names(archive, "instance") == []
        assert await archive.problems() == []


async def test_the_archives_own_folder_is_never_made_anew(folder: Path, source: Path) -> None:
    """It may be a drive that is not there just now: what lies in its place is another disk."""
    folder.rmdir()
    with pytest.raises(FileNotFoundError):
        place(folder, checked(source))
    assert not folder.exists()


async def test_a_folder_that_is_still_being_indexed_is_not_stored_into_unseen(
    folder: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The instance may be there under another name: nothing is sent before that is known."""
    shutil.copy(source, folder / "under-another-name.dcm")
    async with archive_of(folder) as archive:
        archive._refresher.patience = 0
        with pytest.raises(Busy, match="still being indexed"):
            await rows_by_uid(archive, Level.INSTANCE, {EVERYWHERE: ["1.2.3.4"]})


async def test_a_file_that_shrinks_while_it_is_copied_is_not_stored(
    folder: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outgoing = checked(source)

    os.truncate(source, 100)
    with pytest.raises(Changed):
        place(folder, outgoing)
    assert everything(folder) == []


@pytest.mark.skipif(os.name == "nt", reason="making links needs a privilege there")
async def test_nothing_is_written_through_a_link_that_leads_outside(folder: Path, source: Path) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    (folder / "1.2").symlink_to(outside)
    async with archive_of(folder) as archive:
        verdict = (await archive.store([checked(source)])).verdicts["1.2.3.4"]
    assert not verdict.stored
    assert "leads outside the folder" in verdict.reason
    assert everything(outside) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user who may not write everywhere")
async def test_a_folder_that_may_not_be_written(folder: Path, source: Path) -> None:
    folder.chmod(0o500)
    try:
        async with archive_of(folder) as archive:
            verdict = (await archive.store([checked(source)])).verdicts["1.2.3.4"]
    finally:
        folder.chmod(0o700)
    assert verdict.reason == "it cannot be written: Permission denied"


async def test_a_file_of_the_archive_can_be_sent_elsewhere(folder: Path, tmp_path: Path) -> None:
    """Every syntax is copied byte for byte."""
    other = tmp_path / "other"
    other.mkdir()
    sample = shutil.copy(SAMPLES / "examples_jpeg2k.dcm", folder / "x.dcm")
    async with archive_of(other) as archive:
        await archive.store([checked(Path(sample).resolve())])
    (stored,) = everything(other)
    assert (other / stored).read_bytes() == (SAMPLES / "examples_jpeg2k.dcm").read_bytes()
