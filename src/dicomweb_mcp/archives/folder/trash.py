"""Where the files of a deletion go: a folder of their own, outside the archive, with a list of where each came from.

Nothing is ever removed for good here, and nothing is taken that is not the file that the index knows.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from errno import ENOSPC, EXDEV
from pathlib import Path
from uuid import uuid4

from ...paths import Changed, give_name, make_private, new_part, write_whole
from .files import StoredFile

CHUNK = 1 << 20
LISTING = "where-from.jsonl"
CHANGED = "it changed after it was looked at, or cannot be read any more"


@dataclass
class Filled:
    """What one deletion put into its folder, and the files that it ``left``: (path, why)."""

    folder: Path
    moved: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """Sentences about both, as far as there are any."""
        notes = []
        if self.moved:
            files = "1 file was" if self.moved == 1 else f"{self.moved:,} files were"
            notes.append(f"{files} moved to {self.folder}; {LISTING} there says where each was.")
        if self.left:
            path, why = self.left[0]
            count = len(self.left)
            files = (
                "1 file was left where it is:" if count == 1 else f"{count:,} files were left where they are; first:"
            )
            notes.append(f"{files} {path} ({why}).")
        return notes


@dataclass(frozen=True)
class Trash:
    """The trash of one archive; ``folder`` may not be there yet."""

    folder: Path

    def take(self, files: Sequence[StoredFile]) -> Filled:
        """Move files here. The list is written first, so that it is never shorter than what was moved. Raises OSError
        when there can be no folder or list."""
        for folder in (self.folder.parent, self.folder):
            make_private(folder)
        self._check_space(files)
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
        if not filled.moved:
            _remove_if_empty(filled.folder)
        return filled

    def _check_space(self, files: Sequence[StoredFile]) -> None:
        """Raises OSError where copies would fill another disk, which all the user's programs may need."""
        is_elsewhere = bool(files) and Path(files[0].root).stat().st_dev != self.folder.stat().st_dev
        if is_elsewhere and sum(one.size for one in files) > shutil.disk_usage(self.folder).free:
            raise OSError(ENOSPC, os.strerror(ENOSPC))

    def told(self) -> str:
        """A sentence on how much lies here, and who empties it."""
        size = sum(_size(folder, name) for folder, _, names in os.walk(self.folder) for name in names)
        return (
            f"The trash of this archive now takes {size / 1e6:,.1f} MB, and nothing empties it: a person deletes "
            f"what is no longer needed from {self.folder}."
        )


def _remove_if_empty(folder: Path) -> None:
    """Unless something else lies there than the list: a file that was exchanged and cannot be put back."""
    with suppress(OSError):
        if [path.name for path in folder.iterdir()] == [LISTING]:
            (folder / LISTING).unlink()
            folder.rmdir()


def _size(folder: str, name: str) -> int:
    try:
        return Path(folder, name).lstat().st_size
    except OSError:  # somebody empties it just now
        return 0


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
    with stored.opened() as file:
        known = os.fstat(file.fileno())
    try:
        _take(stored, target, known)
    except OSError as error:
        if error.errno != EXDEV:
            raise
        _copy(stored, target)


def _take(stored: StoredFile, target: Path, known: os.stat_result) -> None:
    """Rename the file that was opened, if it is unchanged. Raises Changed for another one, which is put back, or
    OSError."""
    source = _path(stored)
    source.rename(target)
    moved = target.lstat()
    if (moved.st_dev, moved.st_ino, moved.st_size, moved.st_mtime_ns) != (
        known.st_dev, known.st_ino, stored.size, stored.mtime,
    ):  # fmt: skip
        _put_back(target, source)
        raise Changed


def _put_back(target: Path, source: Path) -> None:
    """What was put into the file's place between looking and moving; never over what is there by now."""
    try:
        give_name(target, source)
    except OSError as error:
        why = "exchanged twice meanwhile" if isinstance(error, FileExistsError) else "exchanged, and cannot be put back"
        raise OSError(0, f"it was {why}, and what was there lies in {target.parent} as {target.name}") from None
    target.unlink(missing_ok=True)  # a link to it has the name


def _copy(stored: StoredFile, target: Path) -> None:
    """Onto another file system: copied, read again, and removed only when both are the same and it is unchanged."""
    read = hashlib.sha256()
    source = _path(stored)
    file = stored.opened()
    known = os.fstat(file.fileno())

    def chunks() -> Iterator[bytes]:
        while chunk := file.read(CHUNK):
            read.update(chunk)
            yield chunk

    with file:
        write_whole(target, chunks())
    try:
        with target.open("rb") as copy:
            if hashlib.file_digest(copy, "sha256").digest() != read.digest():
                raise OSError(0, "its copy in the trash is not the same")
        os.utime(target, ns=(stored.mtime, stored.mtime))
        aside = new_part(source.parent)  # no scan counts it
        _take(stored, aside, known)
        try:
            aside.unlink()
        except OSError:
            _put_back(aside, source)
            raise
    except BaseException:
        with suppress(OSError):
            target.unlink()
        raise
