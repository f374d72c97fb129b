"""A file on its way to the disk."""

import os
from contextlib import suppress
from io import BufferedRandom
from pathlib import Path


class Part:
    """A file that arrives under a temporary name. What has arrived is held until it is written, so that a small file
    takes one turn of a thread in all. Its methods, but ``take``, are for a thread, and may raise OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held = bytearray()
        self._file: BufferedRandom | None = None

    def take(self, chunk: bytes) -> int:
        """Hold more bytes; how many are held now."""
        self._held += chunk
        return len(self._held)

    def written(self) -> BufferedRandom:
        """The file with all that has arrived, to be read. Raises FileExistsError when somebody has its name."""
        if self._file is None:
            self._file = self.path.open("x+b")
        self._file.seek(0, os.SEEK_END)
        self._file.write(self._held)
        self._held.clear()
        self._file.seek(0)
        return self._file

    def finish(self) -> int:
        """Make sure that all of it is on the disk, and close it; how many bytes it has."""
        with self.written() as file:
            file.flush()
            os.fsync(file.fileno())
            return os.fstat(file.fileno()).st_size

    def remove(self) -> None:
        """Close the file and remove it, if it is there."""
        if self._file is not None:
            with suppress(OSError):  # somebody looks at it (Windows); no scan ever counts it. Or the disk is full
                self._file.close()
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
