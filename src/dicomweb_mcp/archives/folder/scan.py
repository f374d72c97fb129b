"""Brings the index of a folder up to date: one walk over the directories that reads new and changed files only."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from ...paths import PART_SUFFIX, is_inside, is_link
from ..part10.header import Header, NotDicom, Unreadable, read_header
from .index import Entry, FolderIndex, Seen, folders, joined, known, write

BATCH = 500
BATCH_SECONDS = 0.5
RACY_NS = 100_000_000  # a file this young may change again without a new time

Reader = Callable[[str], Header]


@dataclass
class Progress:
    """``files`` looked at so far in this scan; ``done`` is true when it reached the end."""

    files: int = 0
    done: bool = False


@dataclass
class _Batch:
    db: sqlite3.Connection
    entries: list[Entry] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)

    def flush(self, *, only_full: bool = False) -> None:
        full = len(self.entries) >= BATCH or time.monotonic() - self.since > BATCH_SECONDS
        if self.entries and (full or not only_full):
            write(self.db, self.entries, [])
            self.entries = []
            self.since = time.monotonic()


def scan(root: str, index: FolderIndex, stop: Event, progress: Progress, read: Reader = read_header) -> None:
    """Make the index reflect the folder ``root`` (a resolved path); returns early when ``stop`` is set.

    What has vanished is taken out last, so that who searches meanwhile finds a file that moved at either place.
    Raises OSError when the folder itself cannot be listed, sqlite3.Error when the index cannot be written.
    """
    with index.open() as db:
        batch = _Batch(db)
        gone: list[tuple[str, str]] = []
        visited: set[str] = set()
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            visited.add(folder)
            before = known(db, folder)
            for item in _news(root, folder, before, progress):
                if stop.is_set():
                    batch.flush()
                    return
                if item.is_folder:
                    waiting.append(joined(folder, item.name))
                else:
                    batch.entries.append(_entry(root, folder, item, read))
                    batch.flush(only_full=True)
            gone += [(folder, name) for name in before]
        batch.flush()
        for folder in folders(db):
            if folder not in visited:
                gone += [(folder, name) for name in known(db, folder)]
        if gone:
            write(db, [], gone)
    progress.done = True


@dataclass(frozen=True, slots=True)
class _Item:
    """A directory entry; ``problem`` says why it is not opened, ``is_special`` that it is no regular file."""

    name: str
    size: int = 0
    mtime: int = 0
    is_folder: bool = False
    is_special: bool = False
    problem: str = ""


def _news(root: str, folder: str, before: dict[str, Seen], progress: Progress) -> Iterator[_Item]:
    """The folders in a directory and its new and changed files; what still stands there is taken out of ``before``."""
    path = _absolute(root, folder) if folder else root
    try:
        with os.scandir(path) as found:
            entries = list(found)
    except OSError as error:
        if not folder:
            raise
        entries = []
        item = _Item(".", problem=f"the folder cannot be listed: {error.strerror}")
        if _changed(item, before.pop(item.name, None)):
            yield item
    for entry in entries:
        progress.files += 1
        if _is_known(entry, before):
            del before[entry.name]
        elif item_or_none := _item(root, entry):
            item = item_or_none
            if item.is_folder:
                progress.files -= 1
                yield item  # a file that had its name stays in ``before`` and goes
            elif _changed(item, before.pop(item.name, None)):
                yield item


def _absolute(root: str, path: str) -> str:
    return os.sep.join((root, *path.split("/")))  # noqa: PTH118 - a Path for each of 10,000 files costs


def _is_known(entry: os.DirEntry[str], before: dict[str, Seen]) -> bool:
    """The quick way for the many files that have not changed."""
    seen = before.get(entry.name)
    if seen is None or seen[2] or not entry.is_file(follow_symlinks=False):
        return False
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return False
    return status.st_size == seen[0] and status.st_mtime_ns == seen[1]


def _changed(item: _Item, seen: Seen | None) -> bool:
    if seen is None or seen.again or (seen.size, seen.mtime) != (item.size, item.mtime):
        return True
    return bool(item.problem) and item.problem != seen.reason


def _item(root: str, entry: os.DirEntry[str]) -> _Item | None:
    """None for what is silently left out: a link to something inside the folder, which is indexed where it stands, and
    files that are still being written."""
    name = entry.name
    if name.endswith(PART_SUFFIX):
        return None
    try:
        name.encode()
    except UnicodeEncodeError:
        return _Item(name.encode("utf-8", "backslashreplace").decode(), problem="its name is not valid text")
    try:
        status = entry.stat(follow_symlinks=False)
        size, mtime = status.st_size, status.st_mtime_ns
        if is_link(entry):
            problem = _link_problem(root, entry.path)
            return _Item(name, size, mtime, problem=problem) if problem else None
        if entry.is_dir(follow_symlinks=False):
            return _Item(name, is_folder=True)
        return _Item(name, size, mtime, is_special=not entry.is_file(follow_symlinks=False))
    except FileNotFoundError:
        return None
    except OSError as error:
        return _Item(name, problem=f"cannot be read: {error.strerror}")


def _link_problem(root: str, path: str) -> str:
    target = os.path.realpath(path)
    if not is_inside(root, target):
        return "a link that leads outside the folder; it is not followed"
    return "" if Path(target).exists() else "a link that leads nowhere"


def _entry(root: str, folder: str, item: _Item, read: Reader) -> Entry:
    """What the index keeps of a file. A file that the system refuses is tried again at every scan."""
    header, problem, again = None, item.problem, abs(time.time_ns() - item.mtime) < RACY_NS
    if not problem and not item.is_special:
        try:
            header = read(_absolute(root, joined(folder, item.name)))
        except NotDicom:
            pass
        except Unreadable as reason:
            problem = str(reason)
        except OSError as error:
            problem, again = f"cannot be read: {error.strerror or type(error).__name__}", True
    return Entry(folder, item.name, item.size, item.mtime, again, header, problem)
