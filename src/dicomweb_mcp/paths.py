"""Files of others, opened safely: where paths really lead, and whether a file is still the one that was looked at."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

# Not waiting for the other end of a pipe, and not following a link that was put in a file's place meanwhile
_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_BINARY", "O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC"))


class Changed(Exception):
    """The file is not the one that was indexed or checked: removed, written to, a link now, or unreadable."""


class NotRegular(OSError):
    """A folder, link, pipe or device where a regular file is due."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(0, "no regular file", str(path))


def is_inside(root: str, target: str) -> bool:
    """Whether a resolved path lies in the resolved folder ``root``, or is it."""
    root, target = os.path.normcase(root), os.path.normcase(target)
    return target == root or target.startswith(root.rstrip(os.sep) + os.sep)


def is_link(entry: os.DirEntry[str]) -> bool:
    """Whether a directory entry is a symbolic link or a junction of Windows."""
    if entry.is_symlink():
        return True
    if os.name != "nt" or not entry.is_dir(follow_symlinks=False):
        return False
    is_junction = getattr(entry, "is_junction", None)  # Python 3.12
    if is_junction is not None:
        return bool(is_junction())
    return os.path.normcase(os.path.realpath(entry.path)) != os.path.normcase(entry.path)


def open_regular(path: Path) -> BinaryIO:
    """A regular file at a resolved path, for a caller that closes it; anything else is not even opened.

    Raises NotRegular or another OSError.
    """
    if os.path.realpath(path) != str(path) or not stat.S_ISREG(path.lstat().st_mode):
        raise NotRegular(path)
    file = os.fdopen(os.open(path, _FLAGS), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise NotRegular(path)
    return file
