"""Where the files of a deletion go: a folder of their own, outside the archive, with a list of where each came from.

Nothing is ever removed for good here, and nothing is taken that is not the file that the index knows.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from errno import EXDEV
from pathlib import Path
from uuid import uuid4

from ...paths import Changed, make_private, write_whole
from .files import StoredFile

CHUNK = 1 << 20
LISTING = "where-from.jsonl"
CHANGED = "it changed after it was looked at, or cannot be read any more"


@dataclass
class Filled:
    """What one deletion put into its folder, and the files that it ``left``: (path, why)."""

    folder: Path
    listing: str = LISTING
    moved: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Trash:
    """The trash of one archive; ``folder`` may not be there yet."""

    folder: Path

    def take(self, files: Sequence[StoredFile]) -> Filled:
        """Move files here. The list is written first, so that it is never shorter than what was moved. Raises OSError
        when there can be no folder or list."""
        for folder in (self.folder.parent, self.folder):
            make_private(folder)
        filled = Filled(self.folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}")
        filled.folder.mkdir(mode=0o700)
        names = [f"{number:06}.dcm" for number in range(1, len(files) + 1)]
        write_whole(filled.folder / LISTING, map(_line, names, files))
        for name, stored in zip(names, files, strict=True):
            try:
                _move(stored, filled.folder / name)
                filled.moved += 1
            except Changed:
                filled.left.append((stored.path, CHANGED))
            except OSError as error:
                filled.left.append((stored.path, f"it cannot be moved: {error.strerror or error}"))
        return filled


def fingerprint(files: Sequence[StoredFile]) -> str:
    """A text that differs as soon as one of the files was changed, moved, added or removed."""
    told = sorted((stored.path, stored.size, stored.mtime, stored.instance_uid) for stored in files)
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _line(name: str, stored: StoredFile) -> bytes:
    told = {
        "file": name,
        "from": str(_path(stored)),
        "size": stored.size,
        "StudyInstanceUID": stored.study_uid,
        "SeriesInstanceUID": stored.series_uid,
        "SOPInstanceUID": stored.instance_uid,
    }
    return json.dumps(told).encode() + b"\n"


def _path(stored: StoredFile) -> Path:
    return Path(stored.root, *stored.path.split("/"))


def _move(stored: StoredFile, target: Path) -> None:
    """Move one file that is unchanged. Raises Changed or OSError; then it is where it was."""
    source = _path(stored)
    with stored.opened() as file:
        known = os.fstat(file.fileno())
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != EXDEV:
            raise
        _copy(stored, target)
        return
    moved = target.lstat()
    if (moved.st_dev, moved.st_ino, moved.st_size, moved.st_mtime_ns) != (
        known.st_dev, known.st_ino, stored.size, stored.mtime,
    ):  # fmt: skip
        _put_back(target, source)
        raise Changed


def _put_back(target: Path, source: Path) -> None:
    """What was put into the file's place between looking and moving; never over what is there by now."""
    if os.path.lexists(source):
        raise OSError(0, f"it was exchanged twice meanwhile, and what was there lies in the trash as {target.name}")
    target.rename(source)


def _copy(stored: StoredFile, target: Path) -> None:
    """Onto another file system: copied, read again, and removed only when both are the same and it is unchanged."""
    read = hashlib.sha256()

    def chunks() -> Iterator[bytes]:
        with stored.opened() as file:
            while chunk := file.read(CHUNK):
                read.update(chunk)
                yield chunk

    write_whole(target, chunks())
    try:
        with target.open("rb") as file:
            if hashlib.file_digest(file, "sha256").digest() != read.digest():
                raise OSError(0, "its copy in the trash is not the same")
        stored.opened().close()  # raises Changed
        os.utime(target, ns=(stored.mtime, stored.mtime))
        _path(stored).unlink()
    except BaseException:
        with suppress(OSError):
            target.unlink()
        raise
