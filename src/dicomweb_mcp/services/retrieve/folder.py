"""The folder that files are retrieved into: where it may be, and the place of each file in it."""

import errno
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from ...dicom.values import clean
from ...errors import BadArgument, Problem
from ...paths import PART_SUFFIX, give_name, held, is_inside, name_in, new_part, sync_folder
from ..idc.manifest_file import DEVICES, NAME
from .arrived import Identity
from .names import marked_name, plain_name

LONGEST_SHOWN = 300
FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
PART = re.compile(rf"\.[0-9a-f]{{32}}{re.escape(PART_SUFFIX)}")
MOST_KEPT = 64  # folders that are held for a whole retrieval
FORGOTTEN = 24 * 3600.0  # seconds after which nobody writes to a part any more

Key = tuple[str, str, str]  # StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID


class NotWritten(Problem):
    """Files cannot be written: why, and what is there."""


class Folder:
    """A folder below a file root. Its methods may raise OSError, and be called from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._patients: dict[str, Path] = {}
        self._made: set[Path] = set()  # folders that need not be looked at again
        self._changed: set[Path] = set()
        self._kept_open: dict[Path, int] = {}
        self._at_end = ExitStack()
        self._choosing = threading.Lock()

    @property
    def free(self) -> int:
        """Bytes that are free on its disk."""
        return shutil.disk_usage(self.path).free

    def new_part(self) -> Path:
        """The name of a file that is about to arrive."""
        return new_part(self.path)

    def forget_parts(self) -> None:
        """Remove what runs that were killed long ago have left behind."""
        for entry in _entries(self.path):
            with suppress(OSError):  # it has gone meanwhile, or somebody looks at it (Windows)
                if PART.fullmatch(entry.name) and time.time() - entry.stat(follow_symlinks=False).st_mtime > FORGOTTEN:
                    os.unlink(entry.path)  # noqa: PTH108 - as listed

    def there(self, study_uid: str) -> dict[Key, Path]:
        """The files of a study that lie in their places, under whichever patient, each by the UIDs of its path."""
        found: dict[Key, Path] = {}
        for patient in _entries(self.path):
            for series in self._below(Path(patient.path, study_uid)):
                for file in self._below(Path(series.path)):
                    name, suffix = os.path.splitext(file.name)  # noqa: PTH122 - UIDs have many dots
                    if suffix == ".dcm":
                        found.setdefault((study_uid, series.name, name), Path(file.path))
        return found

    def _below(self, folder: Path) -> Iterator[os.DirEntry[str]]:
        """What is in a folder below this one; nothing of one that lies elsewhere or may not be looked at, where nothing
        can be placed either."""
        real = os.path.realpath(folder)
        if is_inside(str(self.path), real):
            with suppress(OSError), os.scandir(real) as entries:
                yield from entries

    def place(self, part: Path, identity: Identity) -> Path:
        """Give a file that has arrived its name; where it is now.

        Raises FileExistsError with the name when something has it, NotADirectoryError where a link or a file is in its
        way, another OSError when it cannot be placed.
        """
        final = self._place_of(identity)
        try:
            with self._kept(final.parent) as folder:
                give_name(part, final, folder)
        except FileExistsError:
            raise FileExistsError(errno.EEXIST, "there already", str(final)) from None
        with self._choosing:
            self._changed.add(final.parent)
        return final

    def close(self) -> None:
        """Let the names that were given outlive a power failure, and let go of the folders."""
        self._kept_open.clear()
        self._at_end.close()
        while self._changed:
            sync_folder(self._changed.pop())

    def _place_of(self, identity: Identity) -> Path:
        study = self._patient(identity.patient_id) / identity.study_uid
        for folder in (study, study / identity.series_uid):
            self._make(folder)
        return study / identity.series_uid / f"{identity.instance_uid}.dcm"

    def _patient(self, patient_id: str) -> Path:
        with self._choosing:
            if patient_id not in self._patients:
                folder = self.path / self._name(patient_id)
                self._make(folder)
                self._patients[patient_id] = folder
            return self._patients[patient_id]

    def _name(self, patient_id: str) -> str:
        """That of no other patient, also where upper and lower case are the same."""
        plain, marked = plain_name(patient_id), marked_name(patient_id)
        names = {entry.name for entry in _entries(self.path)}
        is_another = any(name != plain and name.casefold() == plain.casefold() for name in names)
        return marked if is_another or marked in names else plain

    def _make(self, folder: Path) -> None:
        if folder in self._made:
            return
        with self._held(folder.parent) as parent, suppress(FileExistsError):
            os.mkdir(name_in(parent, folder), dir_fd=parent)
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{folder.name} is there and no folder", str(folder))
        self._made.add(folder)

    @contextmanager
    def _kept(self, folder: Path) -> Iterator[int | None]:
        """As ``_held``; the first ones stay held until the end, because most files go where others went before."""
        if folder in self._kept_open:
            yield self._kept_open[folder]
            return
        with ExitStack() as stack:
            descriptor = stack.enter_context(self._held(folder))
            with self._choosing:
                if descriptor is not None and folder not in self._kept_open and len(self._kept_open) < MOST_KEPT:
                    self._kept_open[folder] = descriptor
                    self._at_end.push(stack.pop_all())
            yield descriptor

    def _held(self, folder: Path) -> AbstractContextManager[int | None]:
        """A folder below this one, held so that nothing is made outside."""
        real = os.path.realpath(folder)
        if not is_inside(str(self.path), real):
            raise NotADirectoryError(errno.ENOTDIR, "a link in its way leads outside the folder", str(folder))
        return held(Path(real))


def opened_folder(directory: str, roots: Sequence[Path]) -> Folder:
    """The folder of this name below a file root, made where it is missing; relative ones are below the first root.

    Raises BadArgument for one that leads outside, that is no folder or has no fit name, NotWritten when it cannot be
    made.
    """
    shown = clean(directory.encode("utf-8", "backslashreplace").decode(), LONGEST_SHOWN)
    if not directory.strip() or not directory.isprintable():
        raise BadArgument(f"directory={shown!r} is empty or holds characters that cannot be seen. Nothing was fetched.")
    path = os.path.realpath(Path(roots[0], directory))
    root = next((one for one in map(os.path.realpath, roots) if is_inside(one, path)), None)
    if root is None:
        listed = ", ".join(clean(str(one), LONGEST_SHOWN) for one in roots)
        raise BadArgument(f"directory={shown!r} is not below a file root. File roots: {listed}. Nothing was fetched.")
    if not os.path.isdir(root):  # noqa: PTH112 - a resolved path as text; it may be a drive that is away
        raise BadArgument(f"The file root of {shown} is not there: make it first. Nothing was fetched.")
    _make_below(root, Path(path), shown)
    return Folder(Path(path))


def _make_below(root: str, path: Path, shown: str) -> None:
    below = list(reversed([path, *path.parents][: len(path.parts) - len(Path(root).parts)]))
    missing = [folder for folder in below if not os.path.lexists(folder)]
    if not all(NAME.fullmatch(folder.name) and not DEVICES.fullmatch(folder.name) for folder in missing):
        raise BadArgument(
            f"directory={shown!r} is no name for a folder on every system: letters, digits, blanks and . _ - + ( ). "
            "Nothing was fetched."
        )
    for folder in below:
        try:
            folder.mkdir(exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise BadArgument(f"directory={shown!r} is no folder. Nothing was fetched.") from None
        except OSError as error:
            raise NotWritten(f"{shown} could not be made: {error.strerror}. Nothing was fetched.") from None
    if not is_inside(root, os.path.realpath(path)):  # a folder became a link meanwhile
        raise BadArgument(f"directory={shown!r} is not below a file root. Nothing was fetched.")


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What is in a folder; nothing where it is none."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        yield from entries
