"""Keeps an index fresh: one background scan at a time, for which searches wait a while.

A search that comes when half of the time is over has the next scan started and does not wait for it, so that searches
one after the other hardly ever wait.
"""

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
        self._began = self._ended = float("-inf")  # the last scan that is over
        self._failure: Exception | None = None
        self._progress = Progress()
        self.patience = PATIENCE_SECONDS
        self.was_complete = False

    async def fresh(self, *, anew: bool = False) -> str:
        """Wait until the index reflects the folder; the sentence that says why it does not, after ``patience``.

        With ``anew`` also when the last scan is fresh. Raises what ended the scan: OSError or sqlite3.Error.
        """
        asked = time.monotonic()
        deadline = asked + self.patience
        pause = 0.001
        while not self._is_fresh(asked, anew):
            if time.monotonic() >= deadline or self._stop.is_set():
                return f"the folder is still being indexed: {self._progress.files:,} files so far"
            await anyio.sleep(pause)
            pause = min(2 * pause, 0.004)
        return ""

    def _is_fresh(self, asked: float, anew: bool) -> bool:
        """Whether the last scan is recent enough for who asked then; a new one is started when it soon will not be."""
        with self._lock:
            if self._stop.is_set():
                return False
            fresh = self._began >= asked if anew else self._ended >= asked - FRESH_SECONDS
            due = not fresh or self._ended < asked - FRESH_SECONDS / 2
            if due and self._thread is None:
                self._progress = Progress()
                self._thread = Thread(target=self._run, args=(self._progress,), name="dicom-folder-index", daemon=True)
                self._thread.start()
            if fresh and self._failure:
                raise self._failure
            return fresh

    def _run(self, progress: Progress) -> None:
        began = time.monotonic()
        failure: Exception | None = None
        try:
            self._scan(progress)
        except Exception as error:  # raised again by the search that waits
            failure = error
        finally:
            with self._lock:
                self._failure = failure
                self.was_complete = self.was_complete or progress.done
                self._began, self._ended = began, time.monotonic()
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
