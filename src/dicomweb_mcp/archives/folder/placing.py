"""Writing a file into a folder archive: whole under its final name, or not at all, and never over another file."""

import contextlib
import os
from pathlib import Path
from uuid import uuid4

from ...paths import is_inside
from ..part10.outgoing import Outgoing
from .scan import PART_SUFFIX


def place(folder: Path, outgoing: Outgoing) -> Path:
    """Copy a file to ``STUDY/SERIES/INSTANCE.dcm`` below ``folder``, named by their UIDs; its new path.

    Raises FileExistsError when something has that name, another OSError when it cannot be written, Changed when the
    file is no longer what was checked. Then no part of it is left behind.
    """
    root = os.path.realpath(folder)
    parent = Path(root, outgoing.study_uid, outgoing.series_uid)
    if not is_inside(root, os.path.realpath(parent)):
        raise OSError(0, f"{outgoing.study_uid} leads outside the folder by a link")
    for made in (parent.parent, parent):  # never the archive's own folder, which may be a drive that is away
        made.mkdir(exist_ok=True)
    final = parent / f"{outgoing.instance_uid}.dcm"
    part = parent / f".{uuid4().hex}{PART_SUFFIX}"
    try:
        _copy(outgoing, part)
        _give_name(part, final)
    finally:
        with contextlib.suppress(OSError):  # somebody is looking at it (Windows); no scan ever counts it
            part.unlink(missing_ok=True)
    _sync_folder(parent)
    return final


def _copy(outgoing: Outgoing, part: Path) -> None:
    with part.open("xb") as target:
        for chunk in outgoing.chunks():
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())


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
