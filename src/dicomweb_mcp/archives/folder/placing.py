"""Writing a file into a folder archive: whole under its final name, or not at all, and never over another file."""

import contextlib
import os
import shutil
from pathlib import Path
from uuid import uuid4

from ...paths import is_inside
from ..part10.outgoing import Outgoing
from .scan import PART_SUFFIX

CHUNK = 1 << 20


def place(folder: Path, outgoing: Outgoing) -> Path:
    """Copy a file to ``STUDY/SERIES/INSTANCE.dcm`` below ``folder``, named by their UIDs; its new path.

    Raises FileExistsError when something has that name, another OSError when it cannot be written, Changed when the
    file is no longer what was checked. Then nothing is left behind.
    """
    root = os.path.realpath(folder)
    parent = Path(root, outgoing.study_uid, outgoing.series_uid)
    parent.mkdir(parents=True, exist_ok=True)
    if not is_inside(root, os.path.realpath(parent)):
        raise OSError(f"{outgoing.study_uid} is a link that leads outside the folder")
    final = parent / f"{outgoing.instance_uid}.dcm"
    part = parent / f".{uuid4().hex}{PART_SUFFIX}"
    try:
        _copy(outgoing, part)
        _give_name(part, final)
    finally:
        part.unlink(missing_ok=True)
    _sync_folder(parent)
    return final


def _copy(outgoing: Outgoing, part: Path) -> None:
    with outgoing.opened() as source, part.open("xb") as target:
        shutil.copyfileobj(source, target, CHUNK)
        target.flush()
        os.fsync(target.fileno())
        outgoing.check_same(source)


def _give_name(part: Path, final: Path) -> None:
    """A hard link fails where the name is taken, which a renaming on POSIX systems does not."""
    try:
        os.link(part, final)
    except FileExistsError:
        raise
    except OSError:  # no hard links here (FAT, some network drives)
        if final.exists():
            raise FileExistsError(f"{final.name} is there already") from None
        part.rename(final)


def _sync_folder(folder: Path) -> None:
    """So that the name outlives a power failure too, where the system lets folders be synced."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
