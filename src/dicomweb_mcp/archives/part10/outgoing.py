"""A file on its way into an archive: checked once, and sent only while it is still the file that was checked."""

import io
import os
from collections.abc import Generator, Iterator, MutableSequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ...dicom.identifying import NAMING, SAYING
from ...dicom.uids import is_strict_uid
from ...dicom.values import DicomJson
from ...paths import Changed, open_regular
from .dataset import Damaged, parse
from .dicom_json import metadata
from .header import DIRECTORY
from .parted import Parted, parted
from .whole import Unfit, check_whole

CHUNK = 1 << 20
UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
TAGS = [0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00100020]
EMPTY = b" \0^=\\"  # what a value without content may be made of


class Content(Protocol):
    """Where the bytes of a file are. ``mark`` is the same as long as they are; None where that cannot be told."""

    @property
    def mark(self) -> tuple[object, ...] | None: ...

    def opened(self) -> BinaryIO:
        """To be read from its beginning. Raises OSError or Changed."""
        ...

    def check_same(self, file: BinaryIO) -> None:
        """Raises Changed when what was opened is not what was checked."""
        ...


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A file at a resolved path; ``stamp`` tells whether it has changed since."""

    path: Path
    stamp: tuple[int, ...]

    @property
    def mark(self) -> tuple[object, ...]:
        return str(self.path), self.stamp

    def opened(self) -> BinaryIO:
        return open_regular(self.path)

    def check_same(self, file: BinaryIO) -> None:
        if _stamp(os.fstat(file.fileno())) != self.stamp:
            raise Changed


@dataclass(frozen=True, slots=True)
class InMemory:
    """A file that was just fetched."""

    data: bytes
    mark: None = None

    def opened(self) -> BinaryIO:
        return io.BytesIO(self.data)

    def check_same(self, file: BinaryIO) -> None:
        """Nobody else has it."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A file that is still in another archive, or was let go of."""

    mark: None = None

    def opened(self) -> BinaryIO:
        raise Changed

    def check_same(self, file: BinaryIO) -> None:
        raise Changed


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A whole DICOM file with valid UIDs.

    ``is_named_otherwise``: its File Meta Information names another class or instance than its data set, which counts.
    ``identifying``: the attributes of its data set that name a person, and what it says of that itself; never a value.
    """

    content: Content
    size: int
    instance_uid: str
    study_uid: str
    series_uid: str
    patient_id: str
    is_named_otherwise: bool
    identifying: tuple[str, ...] = ()

    def chunks(self, start: int = 0, length: int | None = None) -> Generator[bytes, None, None]:
        """Its bytes, or ``length`` of them from ``start`` on, at most CHUNK at a time. Raises Changed, also behind the
        last one."""
        try:
            with self._opened() as file:
                file.seek(start)
                left = self.size if length is None else length
                while left and (chunk := file.read(min(CHUNK, left))):
                    left -= len(chunk)
                    yield chunk
                self.content.check_same(file)
        except OSError:
            raise Changed from None

    def metadata(self) -> DicomJson:
        """Its elements that are not long, as DICOM JSON. Raises Changed, Damaged or Unfit."""
        try:
            with self._opened() as file:
                short = check_whole(file, self.size)
                file.seek(0)
                return metadata(parse(file, tags=short))
        except OSError:
            raise Changed from None
        except RecursionError:
            raise Damaged("its sequences lie too deep to be read") from None

    def parted(self) -> Parted:
        """Its metadata, and where the value is that is sent beside them. Raises Changed, also when it is damaged."""
        try:
            with self._opened() as file:
                return parted(file)
        except (OSError, Damaged):
            raise Changed from None

    def _opened(self) -> BinaryIO:
        file = self.content.opened()
        try:
            self.content.check_same(file)
        except BaseException:
            file.close()
            raise
        return file


def checked(path: Path) -> Outgoing:
    """The file at a resolved path as one that can be stored. Raises Unfit with the reason."""
    try:
        with open_regular(path) as file:
            status = os.fstat(file.fileno())
            return _checked(file, status.st_size, OnDisk(path, _stamp(status)))
    except OSError as error:
        raise Unfit(f"cannot be read: {error.strerror or type(error).__name__}") from None


def checked_in_memory(data: bytes) -> Outgoing:
    """The bytes of a file as one that can be stored. Raises Unfit with the reason."""
    return _checked(io.BytesIO(data), len(data), InMemory(data))


def _checked(file: BinaryIO, size: int, content: Content) -> Outgoing:
    try:
        short = set(check_whole(file, size))
        file.seek(0)
        dataset = parse(file, tags=[*TAGS, *short.intersection(NAMING), *short.intersection(SAYING)]).dataset
        if dataset.file_meta.get("MediaStorageSOPClassUID") == DIRECTORY:
            raise Unfit("a DICOMDIR, which lists other files and is not stored")
        found = {keyword: _uid(dataset, keyword) for keyword in UIDS}
        return Outgoing(
            content,
            size,
            instance_uid=found["SOPInstanceUID"],
            study_uid=found["StudyInstanceUID"],
            series_uid=found["SeriesInstanceUID"],
            patient_id=_text(dataset, "PatientID").strip(" \0"),
            is_named_otherwise=_is_named_otherwise(dataset, found),
            identifying=(*_naming(dataset), *_saying(dataset)),
        )
    except (Unfit, OSError):
        raise
    except Exception as reason:  # pydicom converts a value when it is asked for, and raises what it meets
        raise Unfit(f"damaged: {' '.join(str(reason).split())[:120] or type(reason).__name__}") from None


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _text(dataset: Any, keyword: str) -> str:
    """A value as it stands in the file, also one of several values."""
    value = dataset.get(keyword)
    return "\\".join(map(str, value)) if isinstance(value, list | tuple | MutableSequence) else str(value or "")


def _uid(dataset: Any, keyword: str) -> str:
    value = _text(dataset, keyword).rstrip("\0 ")
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


def _naming(dataset: Any) -> Iterator[str]:
    """The attributes that hold something, as bytes: what they say is nobody's business here."""
    for tag, keyword in NAMING.items():
        if tag in dataset:
            value = dataset.get_item(tag).value
            if value.strip(EMPTY) if isinstance(value, bytes) else value:
                yield keyword


def _saying(dataset: Any) -> Iterator[str]:
    for keyword, values in SAYING.values():
        if (value := _text(dataset, keyword).strip().upper()) in values:
            yield f"{keyword} {value}"
