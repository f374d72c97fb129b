"""Which files are known to be in which archive: so that a transfer that was cut off, or is run again, goes on without
comparing again what was compared or confirmed before.

The archive itself is always asked first whether it still has an object; the journal only spares reading its metadata.
It holds a digest of archive, path, stamp and UIDs for each file, from which none of them can be read.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from anyio import to_thread

from ..archives.part10.outgoing import Outgoing
from ..paths import make_private
from ..settings import STATE_VARIABLE, BadSettings, user_state_folder
from .items import Fit

if TYPE_CHECKING:
    from sqlite3 import Connection

FILE = "stored.sqlite"
DAYS = 30  # that something is remembered
MOST = 200_000  # files
BUSY_SECONDS = 1.0  # to wait for another process
DAY = 86_400

_CREATE = "CREATE TABLE IF NOT EXISTS known (digest BLOB PRIMARY KEY, day INTEGER NOT NULL) WITHOUT ROWID"
_KNOWN = "SELECT 1 FROM known WHERE digest = ?"
_ADD = "INSERT OR REPLACE INTO known VALUES (?, ?)"
_FORGET = "DELETE FROM known WHERE day < ?"
_FORGET_OLDEST = """
DELETE FROM known WHERE digest IN
(SELECT digest FROM known ORDER BY day LIMIT MAX(0, (SELECT COUNT(*) FROM known) - ?))
"""


class Journal:
    """The files known to be in the archive at an address.

    ``problem``: why it cannot be kept, empty where it can. It is a help only, so that this never ends a transfer.
    """

    def __init__(self, address: str) -> None:
        self.problem = ""
        self._address = address
        try:
            self._folder: Path | None = user_state_folder()
        except BadSettings:
            self._folder = None

    async def known(self, items: Sequence[Fit]) -> list[Fit]:
        """Those that were found to be in the archive, by a search or a comparison, and have not changed since."""
        found: list[Fit] = []

        def look(db: "Connection") -> None:
            found.extend(item for item in items if db.execute(_KNOWN, (self._digest(item.file),)).fetchone())

        await to_thread.run_sync(self._use, look)
        return found

    async def add(self, items: Iterable[Fit]) -> None:
        """Remember that the archive has these; what is old is forgotten."""
        today = int(time.time()) // DAY
        rows = [(self._digest(item.file), today) for item in items]

        def write(db: "Connection") -> None:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(_ADD, rows)
            db.execute(_FORGET, (today - DAYS,))
            db.execute(_FORGET_OLDEST, (MOST,))
            db.execute("COMMIT")

        if rows:
            await to_thread.run_sync(self._use, write)

    def _digest(self, file: Outgoing) -> bytes:
        what = (self._address, str(file.path), file.stamp, file.study_uid, file.series_uid, file.instance_uid)
        return sha256(repr(what).encode()).digest()

    def _use(self, work: "Callable[[Connection], None]") -> None:
        """Do ``work`` on the file, which is made where it is missing; what stands in the way becomes ``problem``."""
        import sqlite3

        if self._folder is None:
            self.problem = f"{STATE_VARIABLE} names no folder"
            return
        file = self._folder / FILE
        try:
            make_private(self._folder)
            with closing(sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)) as db:
                db.execute("PRAGMA synchronous = OFF")  # it may get lost with the machine's power
                db.execute(_CREATE)
                work(db)
        except sqlite3.OperationalError as error:  # busy, read-only, disk full
            self.problem = str(error)
        except sqlite3.DatabaseError:  # damaged: begun anew by the next use
            with suppress(OSError):
                file.unlink()
        except OSError as error:
            self.problem = error.strerror or type(error).__name__
