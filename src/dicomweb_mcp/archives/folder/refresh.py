"""Keeps an index fresh: one background scan at a time, for which searches wait a while."""

import os
import sqlite3
import time
from pathlib import Path
from threading import Event, Lock, Thread

import anyio

from ..part10.header import read_header
from .index import FolderIndex
from .scan import Progress, Reader, scan

FRESH_SECONDS = 1.0
PATIENCE_SECONDS = 10.0
CLOSING_SECONDS = 5.0


class Refresher:
    """Scans a folder when somebody asks and the last scan is no longer fresh.

    ``was_complete`` tells whether any scan of this process has reached the end.
    """

    def __init__(self, folder: Path, index: FolderIndex, read: Reader = read_header) -> None:
        self._folder = folder
        self._index = index
        self.read = read
        self._lock = Lock()
        self._stop = Event()
        self._thread: Thread | None = None
        self._ended = float("-inf")
        self._failure: Exception | None = None
        self._progress = Progress()
        self.patience = PATIENCE_SECONDS
        self.was_complete = False

    async def fresh(self, *, anew: bool = False) -> str:
        """Wait until the index reflects the folder; the sentence that says why it does not, after ``patience``.

        With ``anew`` also when the last scan is fresh. Raises what ended the scan: OSError or sqlite3.Error.
        """
        started = time.monotonic()
        deadline = started + self.patience
        needed = started if anew else started - FRESH_SECONDS
        pause = 0.001
        while not self._is_fresh(needed):
            if time.monotonic() >= deadline or self._stop.is_set():
                return f"the folder is still being indexed: {self._progress.files:,} files so far"
            await anyio.sleep(pause)
            pause = min(2 * pause, 0.01)
        return ""

    def _is_fresh(self, needed: float) -> bool:
        """Whether a scan ended after ``needed``; one is started when none runs."""
        with self._lock:
            if self._thread is not None or self._stop.is_set():
                return False
            if self._ended >= needed:
                if self._failure:
                    raise self._failure
                return True
            self._progress = Progress()
            self._thread = Thread(target=self._run, args=(self._progress,), name="dicom-folder-index", daemon=True)
            self._thread.start()
            return False

    def _run(self, progress: Progress) -> None:
        failure: Exception | None = None
        try:
            self._scan(progress)
        except Exception as error:  # raised again by the search that waits
            failure = error
        finally:
            with self._lock:
                self._failure = failure
                self.was_complete = self.was_complete or progress.done
                self._ended = time.monotonic()
                self._thread = None

    def _scan(self, progress: Progress) -> None:
        root = os.path.realpath(self._folder)
        try:
            scan(root, self._index, self._stop, progress, self.read)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:  # damaged behind its first page: begin again
            self._index.discard()
            scan(root, self._index, self._stop, progress, self.read)

    def close(self) -> None:
        """Stop the scan after the file that it is reading."""
        self._stop.set()
        with self._lock:
            thread = self._thread
        if thread:
            thread.join(CLOSING_SECONDS)
