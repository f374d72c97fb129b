"""Which files were found in which archive with the same attributes: so that they are not compared again.

What was only sent is not in it: another program may have stored something else under the same UID a moment before,
which some archives keep without a word.

The archive itself is always asked first whether it still has an object; the journal only spares reading its metadata.
What this program itself deletes or sends is forgotten before: the archive may have something else under the UID then.

It holds a digest of archive, path, stamp and UIDs for each file, behind one of the SOP Instance UID alone by which it
is forgotten; none of them can be read from it.
"""

import time
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from anyio import to_thread

from ..settings import BadSettings, user_state_folder
from .own_database import OwnDatabase
from .part10.outgoing import Outgoing

if TYPE_CHECKING:
    from sqlite3 import Connection

FILE = "stored.sqlite"
DAYS = 30  # that something is remembered
MOST = 200_000  # files
DAY = 86_400
PREFIX = 16  # bytes of a digest that stand for the SOP Instance UID
END = b"\xff" * 33  # behind every digest of a prefix

_CREATE = "CREATE TABLE IF NOT EXISTS known (digest BLOB PRIMARY KEY, day INTEGER NOT NULL) WITHOUT ROWID"
_KNOWN = "SELECT 1 FROM known WHERE digest = ?"
_ADD = "INSERT OR REPLACE INTO known VALUES (?, ?)"
_FORGET = "DELETE FROM known WHERE digest BETWEEN ? AND ?"
_FORGET_OLD = "DELETE FROM known WHERE day < ?"
_FORGET_OLDEST = """
DELETE FROM known WHERE digest IN
(SELECT digest FROM known ORDER BY day LIMIT MAX(0, (SELECT COUNT(*) FROM known) - ?))
"""


class Journal:
    """The files known to be in the archive at an address: a help only, which never ends a transfer."""

    def __init__(self, address: str) -> None:
        self._address = address
        try:
            folder = user_state_folder()
        except BadSettings:
            folder = None
        self._database = OwnDatabase(folder, FILE, _CREATE)

    @property
    def problem(self) -> str:
        """Why it cannot be kept, empty where it can."""
        return self._database.problem

    async def known(self, files: Sequence[Outgoing]) -> set[str]:
        """The SOP Instance UIDs of those that the archive was seen to have, and that have not changed since."""
        found: set[str] = set()

        def look(db: "Connection") -> None:
            found.update(
                file.instance_uid
                for file in files
                if file.content.mark and db.execute(_KNOWN, (self._digest(file),)).fetchone()
            )

        await to_thread.run_sync(self._database.use, look)  # also for none: so that a damaged one is begun anew
        return found

    async def add(self, files: Iterable[Outgoing]) -> None:
        """Remember that the archive has these, but for those of which nobody could tell whether they have changed; what
        is old is forgotten."""
        today = int(time.time()) // DAY
        rows = [(self._digest(file), today) for file in files if file.content.mark]

        def write(db: "Connection") -> None:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(_ADD, rows)
            db.execute(_FORGET_OLD, (today - DAYS,))
            db.execute(_FORGET_OLDEST, (MOST,))
            db.execute("COMMIT")

        if rows:
            await to_thread.run_sync(self._database.use, write)

    async def forget(self, instance_uids: Iterable[str]) -> list[str]:
        """Forget all files of these, in whichever archive: one archive may be known by several addresses. A note where
        that failed."""
        prefixes = [_prefix(uid) for uid in instance_uids]

        def write(db: "Connection") -> None:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(_FORGET, [(prefix, prefix + END) for prefix in prefixes])
            db.execute("COMMIT")

        if prefixes and self._database.is_there:
            await to_thread.run_sync(self._database.use, write)
            if self.problem and self._database.is_there:  # a damaged one is gone
                return [self._unforgotten()]
        return []

    def _unforgotten(self) -> str:
        return (
            f"What was compared before could not be forgotten ({self.problem}): a later call may say already_there of "
            f"files that have these UIDs and are not what the archive has. Delete {FILE} in the program's state folder."
        )

    def _digest(self, file: Outgoing) -> bytes:
        what = (self._address, *(file.content.mark or ()), file.study_uid, file.series_uid, file.instance_uid)
        return _prefix(file.instance_uid) + sha256(repr(what).encode()).digest()


def _prefix(instance_uid: str) -> bytes:
    return sha256(instance_uid.encode()).digest()[:PREFIX]
