"""A file on its way to the disk."""

from contextlib import suppress
from pathlib import Path
from typing import BinaryIO


class Part:
    """A file that arrives under a temporary name. What has arrived is held until it is written, so that a small file
    takes one turn of a thread in all. Its methods, but ``take``, are for a thread, and may raise OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held = bytearray()
        self._file: BinaryIO | None = None

    def take(self, chunk: bytes) -> int:
        """Hold more bytes; how many are held now."""
        self._held += chunk
        return len(self._held)

    def write(self) -> None:
        """Write what is held. Raises FileExistsError when somebody has the name."""
        if self._file is None:
            self._file = self.path.open("xb", buffering=0)
        with memoryview(self._held) as held:
            written = 0
            while written < len(held):
                written += self._file.write(held[written:])
        self._held.clear()

    def finish(self) -> None:
        """Write the rest, and close the file."""
        self.write()
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def remove(self) -> None:
        """Close the file and remove it, if it is there."""
        self.close()
        if self._file is not None:
            with suppress(OSError):  # somebody looks at it (Windows); no scan ever counts it
                self.path.unlink(missing_ok=True)
