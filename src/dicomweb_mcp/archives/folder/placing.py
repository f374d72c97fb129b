"""Writing a file into a folder archive: whole under its final name, or not at all, and never over another file."""

import os
from pathlib import Path

from ...paths import is_inside, write_whole
from ..part10.outgoing import Outgoing


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
    write_whole(final, outgoing.chunks())
    return final
