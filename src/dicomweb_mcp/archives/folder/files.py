"""One file of a folder as the index knows it, opened safely."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ...paths import Changed, is_inside, open_regular


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

    def opened(self) -> BinaryIO:
        """The file at its beginning, for a caller that closes it. Raises Changed unless it is the one that was
        indexed."""
        path = Path(self.root, *self.path.split("/"))
        if not is_inside(self.root, os.path.realpath(path)):
            raise Changed
        try:
            file = open_regular(path)
        except OSError:
            raise Changed from None
        status = os.fstat(file.fileno())
        if (status.st_size, status.st_mtime_ns) != (self.size, self.mtime):
            file.close()
            raise Changed
        return file
