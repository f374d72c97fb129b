"""Where a manifest may be written: a new file below a file root, and nowhere else."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...dicom.values import clean
from ...errors import BadArgument, Problem
from ...paths import is_inside, write_whole

LONGEST_SHOWN = 300
NAME = re.compile(r"\w[\w .()+-]{0,150}(?<![ .])")  # a name on every system, and nothing else to a shell
DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?", re.IGNORECASE)  # Windows


class NotWritten(Problem):
    """A manifest that could not be written: why, and that nothing was left behind."""


def free_place(path: str, roots: Sequence[Path]) -> Path:
    """The resolved path of a file that is not there yet; relative paths are below the first root.

    Raises BadArgument for one outside the roots, whose folder is missing, that is taken, or that is no fit name.
    """
    shown = _shown(path)
    if not path.isprintable():
        raise BadArgument(
            f"manifest={shown!r} holds control characters or others that cannot be seen. Nothing was written."
        )
    folder, name = os.path.split(path)
    if not NAME.fullmatch(name) or DEVICES.fullmatch(name):
        raise BadArgument(
            f"manifest={shown!r} does not end in a name for a file: letters, digits, blanks and . _ - + ( ), such as "
            "idc/manifest.s5cmd. Nothing was written."
        )
    parent = os.path.realpath(Path(roots[0], folder))
    if not any(is_inside(os.path.realpath(root), parent) for root in roots):
        listed = ", ".join(_shown(str(root)) for root in roots)
        raise BadArgument(f"{shown} is not below a file root, so it is not written. File roots: {listed}.")
    if not os.path.isdir(parent):  # noqa: PTH112 - a resolved path as text
        raise BadArgument(f"The folder of {shown} is not there: make it first, or name another. Nothing was written.")
    place = Path(parent, name)
    if os.path.lexists(place):
        raise BadArgument(f"{shown} is there already, and nothing is overwritten: name another file.")
    return place


def write(path: str, roots: Sequence[Path], chunks: Iterable[bytes]) -> Path:
    """Write a manifest, whole or not at all; where it is. Raises BadArgument as ``free_place``, or NotWritten."""
    place = free_place(path, roots)  # looked at again: folders may have become links meanwhile
    try:
        write_whole(place, chunks)
    except FileExistsError:
        raise BadArgument(f"{_shown(path)} is there already, and nothing is overwritten: name another file.") from None
    except OSError as error:
        raise NotWritten(
            f"{_shown(path)} could not be written: {error.strerror or 'the system gave no reason'}. No part of it was "
            "left behind."
        ) from None
    return place


def _shown(path: str) -> str:
    return clean(path.encode("utf-8", "backslashreplace").decode(), LONGEST_SHOWN)
