"""Bytes taken from archives that give only so many a day, by kind and UTC day: kept across restarts, and counted
together by all processes of the user."""

import math
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..settings import BadSettings, Kind, user_state_folder
from .own_database import OwnDatabase

if TYPE_CHECKING:
    from sqlite3 import Connection

FILE = "traffic.sqlite"
MOST_UNSAVED = 1024 * 1024  # bytes,
LONGEST_UNSAVED = 5.0  # and seconds: what a process that is killed may lose
OLDEST_READING = 30.0  # seconds after which what others took is read again

_CREATE = """
CREATE TABLE IF NOT EXISTS taken (kind TEXT, day TEXT, bytes INTEGER NOT NULL, PRIMARY KEY (kind, day)) WITHOUT ROWID
"""
_ADD = "INSERT INTO taken VALUES (?, ?, ?) ON CONFLICT (kind, day) DO UPDATE SET bytes = bytes + excluded.bytes"
_READ = "SELECT COALESCE(SUM(bytes), 0) FROM taken WHERE kind = ? AND day = ?"
_FORGET = "DELETE FROM taken WHERE kind = ? AND day < ?"


class Traffic:
    """The count for one kind of archive, kept in a folder that need not be there yet."""

    def __init__(self, kind: Kind, folder: Path | None) -> None:
        self._kind = kind
        self._database = OwnDatabase(folder, FILE, _CREATE)
        self._taken: Counter[str] = Counter()  # bytes by day, in this process
        self._saved: Counter[str] = Counter()
        self._tried = 0.0
        self._others = ("", 0)  # a day, and what all other processes had taken in it when that was last read
        self._looked = -math.inf
        self._using = threading.Lock()

    @property
    def problem(self) -> str:
        """Why it cannot be kept at present, empty where it can; meanwhile this process counts alone."""
        return self._database.problem

    def add(self, count: int) -> None:
        """Count bytes that arrived. They are in memory until ``save``."""
        self._taken[utc_day()] += count

    @property
    def is_due(self) -> bool:
        """Whether much is unsaved, or something for long."""
        unsaved = (self._taken - self._saved).total()
        if time.monotonic() - self._tried > LONGEST_UNSAVED:
            return unsaved > 0
        return unsaved >= MOST_UNSAVED and not self.problem

    def save(self) -> None:
        """Add what is unsaved to the count of all processes. May block for a moment; what cannot be written stays
        unsaved."""
        with self._using:
            self._tried = time.monotonic()
            new = self._taken - self._saved
            if new and self._database.use(partial(self._add, new)):
                self._saved += new

    def today(self) -> int:
        """Bytes of this UTC day, by all processes as far as they have saved them. May block for a moment."""
        day, stored = utc_day(), list[int]()
        with self._using:
            was_read = self._database.use(lambda db: stored.extend(db.execute(_READ, (self._kind, day)).fetchone()))
            self._looked = time.monotonic()
            if not was_read:
                return self._taken[day]
            others = max(0, stored[0] - self._saved[day])  # less than was saved where the file was begun anew
            self._others = day, others
            return others + self._taken[day]

    @property
    def known(self) -> int:
        """Bytes of this UTC day: those of this process, and those of others as they were last read. Costs nothing."""
        day, others = self._others
        today = utc_day()
        return self._taken[today] + (others if day == today else 0)

    @property
    def is_outdated(self) -> bool:
        """Whether ``today`` should look again what others took."""
        return time.monotonic() - self._looked > OLDEST_READING

    def _add(self, new: "Counter[str]", db: "Connection") -> None:
        db.execute("BEGIN IMMEDIATE")
        for day, count in new.items():
            db.execute(_ADD, (self._kind, day, count))
        db.execute(_FORGET, (self._kind, min(new)))
        db.execute("COMMIT")


def traffic(kind: Kind) -> Traffic:
    """The count of this process for a kind of archive."""
    try:
        return _traffic(kind, user_state_folder())
    except BadSettings:  # no reason to refuse a request
        return _traffic(kind, None)


@cache
def _traffic(kind: Kind, folder: Path | None) -> Traffic:
    return Traffic(kind, folder)


def utc_day() -> str:
    return datetime.now(UTC).date().isoformat()
