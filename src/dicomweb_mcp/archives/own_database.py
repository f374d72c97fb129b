"""A small database of our own in a folder of the user, shared by all processes of the user, without which everything
works too."""

import os
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..paths import make_private
from ..settings import STATE_VARIABLE

if TYPE_CHECKING:
    from sqlite3 import Connection

BUSY_SECONDS = 1.0  # to wait for another process


class OwnDatabase:
    """One file in a folder that need not be there yet, with the tables that ``create`` makes.

    ``problem``: why it could not be used when it was last tried, empty where it could.
    """

    def __init__(self, folder: Path | None, name: str, create: str) -> None:
        self.problem = ""
        self._folder, self._name, self._create = folder, name, create

    @property
    def is_there(self) -> bool:
        """Whether there is such a file."""
        return self._folder is not None and os.path.lexists(self._folder / self._name)

    def use(self, work: "Callable[[Connection], object]") -> bool:
        """Whether ``work`` could be done on the file, which is made where it is missing; else ``problem`` says why."""
        import sqlite3

        self.problem = ""
        if self._folder is None:
            self.problem = f"{STATE_VARIABLE} names no folder"
            return False
        file = self._folder / self._name
        try:
            make_private(self._folder)
            with closing(sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)) as db:
                db.execute("PRAGMA synchronous = OFF")  # what was written last may get lost with the machine's power
                db.execute(self._create)
                work(db)
        except sqlite3.OperationalError as error:  # busy, read-only, disk full
            self.problem = str(error)
        except sqlite3.DatabaseError:
            self.problem = "it was damaged, and is begun anew"
            with suppress(OSError):
                file.unlink()
        except OSError as error:
            self.problem = error.strerror or type(error).__name__
        return not self.problem
