"""Where paths really lead: the two questions behind "nothing outside these folders is opened"."""

import os


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
