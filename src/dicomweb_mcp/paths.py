"""Files of others, opened safely: where paths really lead, and whether a file is still the one that was looked at; new
files, written whole; and folders of our own."""

import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import BinaryIO
from uuid import uuid4

PART_SUFFIX = ".dicomweb-mcp-part"  # a file that is still being written
ABANDONED = 24 * 3600.0  # seconds after which no run writes to its folder any more
# Not waiting for the other end of a pipe, and not following a link that was put in a file's place meanwhile
_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_BINARY", "O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC"))
# A folder as a place only, which needs no permission to list it
_FOLDER_FLAGS = _FLAGS | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_PATH", 0)
_FOLDERS_CAN_BE_HELD = os.open in os.supports_dir_fd and hasattr(os, "O_PATH")  # not on Windows, nor on macOS


class Changed(Exception):
    """The file is not the one that was indexed or checked: removed, written to, a link now, or unreadable."""


class NotRegular(OSError):
    """A folder, link, pipe or device where a regular file is due."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(0, "no regular file", str(path))


def make_private(folder: Path) -> None:
    """A folder for this user alone, made where it is missing. Raises OSError when that cannot be done."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(OSError):  # somebody else's folder: then it is theirs to protect
        folder.chmod(0o700)


def new_private_folder(parent: Path, prefix: str) -> Path:
    """A new folder for this user alone, resolved. What killed runs left behind under this prefix is removed, because it
    shows patients. Raises OSError."""
    make_private(parent)
    for old in parent.glob(f"{prefix}*"):
        with suppress(OSError):  # another run removes it, too
            if time.time() - old.stat().st_mtime > ABANDONED:
                shutil.rmtree(old, ignore_errors=True)
    return Path(os.path.realpath(mkdtemp(prefix=prefix, dir=parent)))


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

    No folder on the way may have become a link meanwhile. Raises NotRegular or another OSError.
    """
    if os.path.realpath(path) != str(path):
        raise NotRegular(path)
    with held(path.parent) as folder:
        return _open_regular(path, name_in(folder, path), folder)


def _open_regular(path: Path, name: str, folder: int | None) -> BinaryIO:
    if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        raise NotRegular(path)
    file = os.fdopen(os.open(name, _FLAGS, dir_fd=folder), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise NotRegular(path)
    return file


@contextmanager
def held(folder: Path) -> Iterator[int | None]:
    """A folder at a resolved path, reached folder by folder, so that none can be exchanged for a link between looking
    and opening; None where the system cannot do that. Raises OSError, also where one is a link."""
    if not _FOLDERS_CAN_BE_HELD:
        yield None
        return
    descriptor = os.open(folder.anchor, _FOLDER_FLAGS)
    try:
        for part in folder.parts[1:]:
            inner = os.open(part, _FOLDER_FLAGS, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def name_in(folder: int | None, path: Path) -> str:
    """What a path is called for a system call that is given its folder, if it is ``held``."""
    return str(path) if folder is None else path.name


def write_whole(final: Path, chunks: Iterable[bytes]) -> None:
    """A new file, whole under its name or not there at all, and never over another one. Its folder must be there.

    Raises FileExistsError when something has that name, another OSError when it cannot be written, and what ``chunks``
    raises. Then no part of it is left behind.
    """
    part = new_part(final.parent)
    try:
        with part.open("xb") as target:
            for chunk in chunks:
                target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
        give_name(part, final)
    finally:
        with suppress(OSError):  # somebody is looking at it (Windows); no scan ever counts it
            part.unlink(missing_ok=True)
    sync_folder(final.parent)


def new_part(folder: Path) -> Path:
    """The name of a file that is about to be written there."""
    return folder / f".{uuid4().hex}{PART_SUFFIX}"


def give_name(part: Path, final: Path, folder: int | None = None) -> None:
    """Let a file that was written have its name, in a folder that may be ``held``, and never over another one: a hard
    link fails where the name is taken, which a renaming on POSIX systems does not. Raises FileExistsError or another
    OSError."""
    name = name_in(folder, final)
    try:
        os.link(part, name, dst_dir_fd=folder)
    except FileExistsError:
        raise
    except OSError:  # no hard links here (FAT, some network drives)
        with suppress(FileNotFoundError):
            os.stat(name, dir_fd=folder, follow_symlinks=False)
            raise FileExistsError(f"{final.name} is there already") from None
        os.rename(part, name, dst_dir_fd=folder)


def sync_folder(folder: Path) -> None:
    """So that the name outlives a power failure too, where the system lets folders be synced."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
