"""A file on its way into an archive: checked once, and sent only while it is still the file that was checked."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ...dicom.uids import is_strict_uid
from ...dicom.values import DicomJson
from .dataset import Changed, Damaged, parse
from .dicom_json import metadata
from .header import DIRECTORY
from .whole import Unfit, check_whole

UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
TAGS = [0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00100020]
# Not waiting for the other end of a pipe, and not following a link that was put in a file's place meanwhile
FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_BINARY", "O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC"))


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A whole DICOM file with valid UIDs. ``path`` is resolved; ``stamp`` tells whether it has changed since.

    ``is_named_otherwise``: its File Meta Information names another class or instance than its data set, which counts.
    """

    path: Path
    size: int
    stamp: tuple[int, ...]
    sop_class_uid: str
    instance_uid: str
    study_uid: str
    series_uid: str
    patient_id: str
    is_named_otherwise: bool

    def opened(self) -> BinaryIO:
        """The file at its beginning, for a caller that closes it. Raises Changed."""
        try:
            file = _opened(self.path)
        except (OSError, Unfit):
            raise Changed from None
        try:
            self.check_same(file)
        except Changed:
            file.close()
            raise
        return file

    def check_same(self, file: BinaryIO) -> None:
        """Raises Changed when an open file is not what was checked, or was written to since."""
        if _stamp(os.fstat(file.fileno())) != self.stamp:
            raise Changed

    def metadata(self) -> DicomJson:
        """Its header as DICOM JSON. Raises Changed."""
        with self.opened() as file:
            return metadata(parse(file))


def checked(path: Path) -> Outgoing:
    """The file at a resolved path as one that can be stored. Raises Unfit with the reason."""
    try:
        with _opened(path) as file:
            status = os.fstat(file.fileno())
            check_whole(file, status.st_size)
            file.seek(0)
            dataset = parse(file, tags=TAGS).dataset
            if dataset.file_meta.get("MediaStorageSOPClassUID") == DIRECTORY:
                raise Unfit("a DICOMDIR, which lists other files and is not stored")
            found = {keyword: _uid(dataset, keyword) for keyword in UIDS}
            patient_id = str(dataset.get("PatientID") or "").strip(" \0")
    except OSError as error:
        raise Unfit(f"cannot be read: {error.strerror or type(error).__name__}") from None
    except Damaged as reason:
        raise Unfit(f"damaged: {reason}") from None
    return Outgoing(
        path,
        status.st_size,
        _stamp(status),
        sop_class_uid=found["SOPClassUID"],
        instance_uid=found["SOPInstanceUID"],
        study_uid=found["StudyInstanceUID"],
        series_uid=found["SeriesInstanceUID"],
        patient_id=patient_id,
        is_named_otherwise=_is_named_otherwise(dataset, found),
    )


def _opened(path: Path) -> BinaryIO:
    """Raises Unfit for what is no regular file; a device is not even opened."""
    if os.path.realpath(path) != str(path):
        raise Unfit("it became a link")
    if not stat.S_ISREG(path.lstat().st_mode):
        raise Unfit("no regular file")
    file = os.fdopen(os.open(path, FLAGS), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise Unfit("no regular file")
    return file


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _uid(dataset: Any, keyword: str) -> str:
    value = str(dataset.get(keyword) or "").rstrip("\0 ")
    if not value:
        raise Unfit(f"it has no {keyword}")
    if not is_strict_uid(value):
        raise Unfit(f"its {keyword} is not a valid UID (PS3.5 9.1): {value[:70]!r}")
    return value


def _is_named_otherwise(dataset: Any, found: dict[str, str]) -> bool:
    """Against PS3.10 table 7.1-1, and common where files were made anonymous."""
    for keyword in ("SOPClassUID", "SOPInstanceUID"):
        said = str(dataset.file_meta.get(f"MediaStorage{keyword}") or "").rstrip("\0 ")
        if said and said != found[keyword]:
            return True
    return False
