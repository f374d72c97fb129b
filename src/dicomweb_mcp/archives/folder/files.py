"""One file of a folder as the index knows it, opened safely."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ...paths import is_inside
from ..part10.dataset import Changed


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Where a file is and what it was like when it was indexed. ``path`` is relative to ``root``, with ``/``."""

    root: str
    path: str
    size: int
    mtime: int
    study_uid: str
    series_uid: str
    instance_uid: str
    transfer_syntax: str

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The file, at its beginning. Raises Changed unless it is the one that was indexed."""
        with self.opened() as file:
            yield file

    def opened(self) -> BinaryIO:
        """The same, for a caller that closes it."""
        path = Path(self.root, *self.path.split("/"))
        if not is_inside(self.root, os.path.realpath(path)):
            raise Changed
        try:
            status = path.stat(follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
                raise Changed
            file = path.open("rb")
        except OSError:
            raise Changed from None
        status = os.fstat(file.fileno())
        if (status.st_size, status.st_mtime_ns) != (self.size, self.mtime):
            file.close()
            raise Changed
        return file
