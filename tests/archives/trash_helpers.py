"""Deletions from a folder, and what is in its trash."""

import errno
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from archives.folder_helpers import make_file, names
from dicomweb_mcp.archives.base import Place
from dicomweb_mcp.archives.folder import FolderArchive

SERIES = Place("1.2", "1.2.3")


def filled_folder(tmp_path: Path) -> Path:
    """A study of two series of two instances, another study, and what is no DICOM."""
    made = tmp_path.resolve() / "archive"
    for series in ("1.2.3", "1.2.4"):
        for number in (1, 2):
            make_file(made / "a b" / f"{series}-{number}.dcm", "1.2", series, f"{series}.{number}")
    make_file(made / "other.dcm", "1.9", "1.9.1", "1.9.1.1")
    (made / "notes.txt").write_text("not an image")
    return made


@asynccontextmanager
async def archive_of(folder: Path, state: Path | None = None) -> AsyncIterator[FolderArchive]:
    root = folder.parent
    archive = FolderArchive("mine", folder, cache_folder=root / "cache", state_folder=state or root / "state")
    try:
        yield archive
    finally:
        await archive.close()


async def nothing(_: str) -> None:
    pass


async def deleted(archive: FolderArchive, place: Place, instances: set[str]) -> Sequence[str]:
    """Delete what is planned."""
    return (await archive.delete(place, instances, await archive.doomed(place), nothing)).notes


async def uids(archive: FolderArchive, place: Place) -> list[str]:
    return await names(archive, "instance", study_uid=place.study_uid, series_uid=place.series_uid)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def trashes(folder: Path) -> list[Path]:
    return list((folder.parent / "state" / "trash" / "mine").iterdir())


def only_trash(folder: Path) -> Path:
    (found,) = trashes(folder)
    return found


def listed(trash: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (trash / "where-from.jsonl").read_text().splitlines()]


def everything(trash: Path) -> dict[str, bytes]:
    """What is in a trash by where it came from, as its list says."""
    return {row["from"]: (trash / row["file"]).read_bytes() for row in listed(trash) if (trash / row["file"]).exists()}


def other_file_system(self: Path, target: Path, rename: Any = Path.rename) -> Path:
    if "trash" in self.parts or "trash" in target.parts:
        raise OSError(errno.EXDEV, "Invalid cross-device link")
    return rename(self, target)
