"""A file that has arrived: which instance it is, and whether all of it is there."""

import os
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

from ...archives.part10.dataset import Damaged, parse
from ...archives.part10.header import SYNTAX, Header, NotDicom, Unreadable, header_of
from ...archives.part10.whole import CutOff, Unfit, check_whole
from ...dicom.native_size import FLOATING, value_bytes
from ...dicom.uids import NATIVE_OR_DEFLATED
from ...dicom.values import text_at
from ...paths import open_regular
from ..presence import patient_id

CHUNK = 1 << 20
PATIENT_ID = 0x00100020


class Unusable(Exception):
    """The file is not kept: why."""


@dataclass(frozen=True)
class Identity:
    """What a file says that it is. ``doubt`` is what is odd about one that is there to its end."""

    study_uid: str
    series_uid: str
    instance_uid: str
    patient_id: str
    transfer_syntax: str
    doubt: str = ""


def identify(path: Path) -> Identity:
    """The instance that a file holds, which must be whole. Raises Unusable."""
    try:
        with open_regular(path) as file:
            return identified(file)
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror or type(error).__name__}") from None


def identified(file: BinaryIO) -> Identity:
    """The instance that an open file holds, from its beginning on. Raises Unusable, OSError."""
    return _identified(file, _doubt(file))


def glimpse(file: BinaryIO) -> Identity | None:
    """As ``identified`` for a file whose end is not there yet; None while it does not say what it is."""
    try:
        return _identified(file, "", is_whole=False)
    except (Unusable, OSError):
        return None


def same_contents(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes. Raises OSError."""
    with open_regular(one) as first, open_regular(other) as second:
        if os.fstat(first.fileno()).st_size != os.fstat(second.fileno()).st_size:
            return False
        chunks = zip_longest(iter(lambda: first.read(CHUNK), b""), iter(lambda: second.read(CHUNK), b""))
        return all(a == b for a, b in chunks)


def _doubt(file: BinaryIO) -> str:
    if file.read(132)[128:] != b"DICM":
        raise Unusable("no DICOM file")
    try:
        check_whole(file, os.fstat(file.fileno()).st_size)
    except CutOff as reason:
        raise Unusable(str(reason)) from None
    except Unfit as reason:
        return str(reason)
    return ""


def _identified(file: BinaryIO, doubt: str, *, is_whole: bool = True) -> Identity:
    try:
        header = header_of(file, claims=False)
    except NotDicom:
        raise Unusable("no DICOM instance") from None
    except Unreadable as reason:
        raise Unusable(str(reason)) from None
    if header.flaw and is_whole:
        raise Unusable(header.flaw)
    doubt = doubt or _pixel_doubt(header)
    return Identity(
        header.study_uid,
        header.series_uid,
        header.instance_uid,
        _patient_id(file, header) if is_whole else "",
        text_at(header.elements, SYNTAX),
        doubt,
    )


def _pixel_doubt(header: Header) -> str:
    """What is odd about the length of uncompressed pixels."""
    length = header.pixel_length
    if length is None or text_at(header.elements, SYNTAX) not in NATIVE_OR_DEFLATED:
        return ""
    due = value_bytes(header.elements, FLOATING.get(header.pixel_tag, 0))
    if not due or length in (due, due + due % 2):
        return ""
    what = "parts of its images are missing" if length < due else "nothing says what the others are"
    return f"it has {length:,} bytes of pixels where its attributes say {due:,}, so {what}"


def _patient_id(file: BinaryIO, header: Header) -> str:
    """The PatientID, also one that is too long for a header."""
    if f"{PATIENT_ID:08X}" in header.elements:
        return patient_id(header.elements)
    file.seek(0)
    try:
        value = parse(file, tags=[PATIENT_ID]).dataset.get("PatientID")
    except Damaged as reason:
        raise Unusable(f"damaged: {reason}") from None
    return str(value or "").strip(" \0")
