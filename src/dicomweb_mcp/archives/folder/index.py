"""The SQLite index of one folder: a row per file, kept in the user's cache folder and rebuilt when it is unusable.

``files`` has one row per directory entry that was looked at. Its ``state`` is INSTANCE, SKIPPED (not DICOM) or
PROBLEM; ``reason`` says what is wrong; ``current`` is 1 for the file that stands for a SOP Instance UID, 0 for the
others, NULL for what is no instance. The columns of ``NARROWING`` hold the ``Value`` array of an attribute as JSON
text. ``heads`` has the DICOM JSON of all short plain attributes.
"""

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from ...paths import make_private
from ..part10.header import Header

SCHEMA = 2
BUSY_SECONDS = 20.0
INSTANCE, SKIPPED, PROBLEM = 0, 1, 2

NARROWING: Mapping[str, str] = {
    "00080016": "sop_class",
    "00080020": "study_date",
    "00080021": "series_date",
    "00080030": "study_time",
    "00080050": "accession",
    "00080060": "modality",
    "00080070": "manufacturer",
    "00080090": "referrer",
    "00081010": "station",
    "00081030": "study_description",
    "0008103E": "series_description",
    "00100010": "patient_name",
    "00100020": "patient_id",
    "00100030": "birth_date",
    "00100040": "sex",
    "00180015": "body_part",
    "00181030": "protocol",
    "00200010": "study_id",
    "00200011": "series_number",
}
"""Tags of the attributes that are filtered on most (``profiles.FOLDER``) -> their columns."""

_TABLES = f"""
CREATE TABLE files (
    id INTEGER PRIMARY KEY, folder TEXT NOT NULL, name TEXT NOT NULL, path TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL, mtime INTEGER NOT NULL, again INTEGER NOT NULL, state INTEGER NOT NULL, reason TEXT,
    study TEXT, series TEXT, number INTEGER, sop TEXT, current INTEGER,
    {", ".join(f"{column} TEXT" for column in NARROWING.values())}
);
CREATE TABLE heads (id INTEGER PRIMARY KEY, head TEXT NOT NULL);
CREATE INDEX by_folder ON files (folder, name, size, mtime, again, reason);
CREATE INDEX by_sop ON files (sop) WHERE sop IS NOT NULL;
CREATE INDEX by_level ON files (study, series, number, sop, path, modality, sop_class) WHERE current = 1;
CREATE INDEX with_reason ON files (path) WHERE reason IS NOT NULL;
CREATE INDEX older ON files (path) WHERE current = 0;
CREATE TRIGGER no_file_no_head AFTER DELETE ON files BEGIN DELETE FROM heads WHERE id = old.id; END;
"""
_COLUMNS = (
    "folder", "name", "path", "size", "mtime", "again", "state", "reason",
    "study", "series", "number", "sop", "current", *NARROWING.values(),
)  # fmt: skip
_INSERT = f"INSERT INTO files ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
# Among files of one SOP Instance UID an intact one counts before a damaged one, then the newest.
_CURRENT = """
UPDATE files SET current = NOT EXISTS (
    SELECT 1 FROM files other WHERE other.sop = files.sop
    AND (other.reason IS NULL, other.mtime, other.path) > (files.reason IS NULL, files.mtime, files.path)
) WHERE sop IN (SELECT sop FROM files WHERE sop IN (SELECT value FROM json_each(?))
                GROUP BY sop HAVING COUNT(*) > 1 OR MIN(current) = 0)
"""


_encode = json.JSONEncoder(separators=(",", ":")).encode  # escapes what is not ASCII, which SQLite cannot fold
_quick = msgspec.json.Encoder().encode
_ESCAPED = frozenset('"\\')


class Seen(NamedTuple):
    """A file as the index knows it. With ``again`` the next scan reads it whatever its size and time are."""

    size: int
    mtime: int
    again: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One file to write into the index: with a header, or with the reason why there is none, or skipped."""

    folder: str
    name: str
    size: int
    mtime: int
    again: bool = False
    header: Header | None = None
    problem: str = ""

    @property
    def path(self) -> str:
        return joined(self.folder, self.name)


def joined(folder: str, name: str) -> str:
    """A path relative to the archive's folder, with ``/`` on every system."""
    return f"{folder}/{name}" if folder else name


class FolderIndex:
    """The index file of one folder. Every user opens a connection of its own; SQLite keeps them apart (WAL)."""

    def __init__(self, folder: Path, cache_folder: Path) -> None:
        key = hashlib.sha256(os.path.normcase(os.path.realpath(folder)).encode("utf-8", "surrogateescape")).hexdigest()
        self._cache = cache_folder
        self.file = cache_folder / f"folder-{key[:32]}.sqlite"

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """A connection to the index with its tables in place, closed at the end.

        A file that is no index is replaced, an older one is emptied. Raises sqlite3.Error or OSError.
        """
        try:
            db = self._connected()
        except sqlite3.OperationalError:  # busy, read-only, disk full: nothing that a new file would mend
            raise
        except sqlite3.DatabaseError:
            self.discard()
            db = self._connected()
        with closing(db):
            yield db

    def discard(self) -> None:
        """Remove a damaged index; the next scan fills a new one."""
        for suffix in ("", "-wal", "-shm"):
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)

    def _connected(self) -> sqlite3.Connection:
        make_private(self._cache)
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            db = sqlite3.connect(self.file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                if _version(db) != SCHEMA:
                    _create(db)
                db.execute("PRAGMA synchronous = NORMAL")
                return db
            except sqlite3.OperationalError as error:
                db.close()
                # SQLite does not wait for another process that turns WAL on at the same moment
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
            except BaseException:
                db.close()
                raise
            time.sleep(0.01)


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _create(db: sqlite3.Connection) -> None:
    """Empty tables of this version, unless another process was quicker."""
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("BEGIN IMMEDIATE")
    try:
        if _version(db) != SCHEMA:
            for kind in ("trigger", "index", "table"):
                names = db.execute("SELECT name FROM sqlite_master WHERE type = ? AND sql NOT NULL", (kind,)).fetchall()
                for (name,) in names:
                    quoted = name.replace('"', '""')
                    db.execute(f'DROP {kind} IF EXISTS "{quoted}"')
            for statement in _TABLES.split(";\n"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {SCHEMA}")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def known(db: sqlite3.Connection, folder: str) -> dict[str, Seen]:
    """The files of one directory (not of those in it), by name."""
    rows = db.execute("SELECT name, size, mtime, again, reason FROM files WHERE folder = ?", (folder,))
    return {name: Seen(size, mtime, bool(again), reason) for name, size, mtime, again, reason in rows}


def folders(db: sqlite3.Connection) -> list[str]:
    """Every directory of which the index holds files."""
    found: list[str] = []
    row = db.execute("SELECT MIN(folder) FROM files").fetchone()
    while row[0] is not None:
        found.append(row[0])
        row = db.execute("SELECT MIN(folder) FROM files WHERE folder > ?", row).fetchone()
    return found


def write(db: sqlite3.Connection, entries: Iterable[Entry], gone: Iterable[tuple[str, str]]) -> None:
    """Put entries in and take vanished files (directory, name) out, in one transaction."""
    entries = list(entries)
    removed = [joined(folder, name) for folder, name in gone] + [entry.path for entry in entries]
    db.execute("BEGIN IMMEDIATE")
    try:
        touched = _remove(db, removed)
        for entry in entries:
            row = db.execute(_INSERT, _row(entry))
            if header := entry.header:
                head = _quick(header.elements).decode()
                db.execute("INSERT INTO heads (id, head) VALUES (?, ?)", (row.lastrowid, head))
                touched.add(header.instance_uid)
        db.execute(_CURRENT, (json.dumps(sorted(touched)),))
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _remove(db: sqlite3.Connection, paths: list[str]) -> set[str]:
    """Take files out; the SOP Instance UIDs that they had."""
    among = "path IN (SELECT value FROM json_each(?))"
    listed = json.dumps(paths)
    uids = {uid for (uid,) in db.execute(f"SELECT sop FROM files WHERE {among} AND sop IS NOT NULL", (listed,))}
    db.execute(f"DELETE FROM files WHERE {among}", (listed,))
    return uids


def _row(entry: Entry) -> list[object]:
    header = entry.header
    place = [entry.folder, entry.name, entry.path, entry.size, entry.mtime, entry.again]
    if header is None:
        state = PROBLEM if entry.problem else SKIPPED
        return [*place, state, entry.problem or None, *[None] * (len(_COLUMNS) - 8)]
    uids = [header.study_uid, header.series_uid, _number(header), header.instance_uid, 1]
    return [*place, INSTANCE, header.flaw or None, *uids, *(_values(header, tag) for tag in NARROWING)]


def _values(header: Header, tag: str) -> str | None:
    values = header.elements.get(tag, {}).get("Value")
    if not values:
        return None
    first = values[0]
    if (
        len(values) == 1
        and isinstance(first, str)
        and first.isascii()
        and first.isprintable()
        and not _ESCAPED & {*first}
    ):
        return f'["{first}"]'  # what JSON makes of most values, sooner
    return _encode(values)


def _number(header: Header) -> int | None:
    """InstanceNumber where it is one number that SQLite can hold."""
    values = header.elements.get("00200013", {}).get("Value") or []
    return values[0] if len(values) == 1 and isinstance(values[0], int) and abs(values[0]) < 1 << 53 else None
