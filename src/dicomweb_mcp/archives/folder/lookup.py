"""What the index of a folder knows besides search results: the files at a place, the problems, the counts."""

import json
import sqlite3
from dataclasses import dataclass

from ..base import Place
from .files import StoredFile
from .index import PROBLEM, SKIPPED


@dataclass(frozen=True)
class Contents:
    """How many files the folder holds: ``instances`` count, ``older`` have the SOP Instance UID of one that
    counts instead (an intact one before a damaged one, then the newest), ``skipped`` are obviously
    not DICOM, ``unreadable`` could not be used, ``flawed`` are used although cut off.

    ``hidden`` are those of the older ones that belong to another study or series. ``first_*`` are examples: a path,
    and why.
    """

    instances: int
    older: int
    skipped: int
    unreadable: int
    flawed: int
    first_unreadable: tuple[str, str] | None = None
    first_flawed: tuple[str, str] | None = None
    first_older: str = ""
    hidden: int = 0
    first_hidden: str = ""

    @property
    def gaps(self) -> tuple[str, ...]:
        """Sentences about files whose content searches may miss."""
        notes = []
        if self.first_unreadable:
            path, reason = self.first_unreadable
            notes.append(f"{_files(self.unreadable)} could not be read; first: {path} ({reason}).")
        if self.hidden:
            notes.append(
                f"{_files(self.hidden)} of other studies or series cannot be found, because other files have the same "
                f"SOP Instance UID; first: {self.first_hidden}."
            )
        return tuple(notes)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about everything that is wrong, none when all is well."""
        notes = list(self.gaps)
        if self.first_flawed:
            path, reason = self.first_flawed
            verb = "is" if self.flawed == 1 else "are"
            notes.append(f"{_files(self.flawed)} {verb} damaged but listed; first: {path} ({reason}).")
        if self.older:
            repeats, are = ("repeats", "is") if self.older == 1 else ("repeat", "are")
            notes.append(
                f"{_files(self.older)} {repeats} the SOP Instance UID of another file and {are} left out; first: "
                f"{self.first_older}."
            )
        return tuple(notes)


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def contents(db: sqlite3.Connection) -> Contents:
    """The counts, from indexes that hold the exceptions only."""
    (instances,) = db.execute("SELECT COUNT(*) FROM files WHERE current = 1").fetchone()
    older, first_older = db.execute("SELECT COUNT(*), MIN(path) FROM files WHERE current = 0").fetchone()
    (skipped,) = db.execute("SELECT COUNT(*) FROM files WHERE state = ?", (SKIPPED,)).fetchone()
    hidden, first_hidden = db.execute(_HIDDEN).fetchone() if older else (0, None)
    unreadable, first_unreadable = _with_reason(db, "state = ?")
    flawed, first_flawed = _with_reason(db, "state <> ?")
    return Contents(
        instances, older, skipped, unreadable, flawed, first_unreadable, first_flawed, first_older or "",
        hidden, first_hidden or "",
    )  # fmt: skip


_HIDDEN = """
SELECT COUNT(*), MIN(old.path) FROM files old JOIN files new ON new.sop = old.sop AND new.current = 1
WHERE old.current = 0 AND (old.study <> new.study OR old.series <> new.series)
"""


def _with_reason(db: sqlite3.Connection, state: str) -> tuple[int, tuple[str, str] | None]:
    where = f"FROM files WHERE reason IS NOT NULL AND {state}"
    (count,) = db.execute(f"SELECT COUNT(*) {where}", (PROBLEM,)).fetchone()
    return count, db.execute(f"SELECT path, reason {where} ORDER BY path LIMIT 1", (PROBLEM,)).fetchone()


def problems(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """(path, why) of every file that is not used or is flawed, by path."""
    found = db.execute("SELECT path, reason FROM files WHERE reason IS NOT NULL").fetchall()
    older = db.execute(
        "SELECT old.path, new.path FROM files old JOIN files new ON new.sop = old.sop AND new.current = 1 "
        "WHERE old.current = 0"
    )
    found += [(path, f"has the SOP Instance UID of {used}, which is newer or intact") for path, used in older]
    return sorted(found)


def files_at(db: sqlite3.Connection, root: str, place: Place, *, repeated: bool = False) -> list[StoredFile]:
    """The files of a study, series or instance: by series, then InstanceNumber, then SOP Instance UID. With
    ``repeated`` also those that stand for nothing, because another one has their SOP Instance UID."""
    uids = [("study", place.study_uid), ("series", place.series_uid), ("sop", place.instance_uid)]
    given = [(column, uid) for column, uid in uids if uid]
    where = " AND ".join([f"{column} = ?" for column, _ in given] + ([] if repeated else ["current = 1"]))
    found = db.execute(
        "SELECT path, size, mtime, study, series, sop, json_extract(head, '$.\"00083002\".Value') "
        f"FROM files JOIN heads USING (id) WHERE {where} ORDER BY study, series, number, sop",
        [uid for _, uid in given],
    )
    return [
        StoredFile(root, path, size, mtime, study, series, sop, json.loads(syntax)[0])
        for path, size, mtime, study, series, sop, syntax in found
    ]
