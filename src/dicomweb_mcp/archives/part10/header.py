"""The header of one file -> what the index keeps of it: the UIDs and every short, plain, public attribute.

This runs once for every file of a folder, so it reads up to the pixels only and jumps over long values.
"""

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO

from ...dicom.uids import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, LOOSE
from .elements import (
    LONGEST_VALUE,
    PER_FRAME_GROUPS,
    PIXEL_TAGS,
    UNDEFINED,
    Raw,
    Unusual,
    Walked,
    check_inflation,
    walk,
)
from .values import Element, by_pydicom, plain_elements

DIRECTORY = "1.2.840.10008.1.3.10"
AVAILABLE_SYNTAX = "00083002"
SYNTAX = "00020010"


class NotDicom(Exception):
    """Obviously no DICOM instance: another kind of file, or a DICOMDIR."""


class Unreadable(Exception):
    """Looks like DICOM and cannot be used: why."""


@dataclass(frozen=True, slots=True)
class Header:
    """``elements`` is DICOM JSON of the short plain attributes; ``flaw`` says what is wrong with a usable file.

    ``pixel_length`` is None without pixels, and where they are encapsulated.
    """

    study_uid: str
    series_uid: str
    instance_uid: str
    elements: Mapping[str, Element]
    flaw: str = ""
    pixel_tag: int = 0
    pixel_length: int | None = None


def read_header(path: str) -> Header:
    """The header of the file at ``path``.

    Raises NotDicom, Unreadable with the reason, or OSError.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - a Path for each of 10,000 files costs
        return header_of(file, claims=path.lower().endswith((".dcm", ".dicom")))


def header_of(file: BinaryIO, *, claims: bool) -> Header:
    """The header of an open file from its beginning; one that ``claims`` to be DICOM is Unreadable if it is not. Raises
    as ``read_header``."""
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    start = file.read(132)
    has_magic = start[128:] == b"DICM"
    claims = has_magic or claims
    if not has_magic and start[:4] not in FIRST_TAGS:
        _not_dicom("not DICOM" if size else "empty", claims)
    try:
        return _header(*_walked(file, size, has_magic))
    except Unreadable:
        raise
    except _Directory:
        raise NotDicom from None
    except _NoInstance:
        return _not_dicom("no SOPInstanceUID", claims)
    except Exception as reason:  # pydicom raises what it meets: struct.error, KeyError, zlib.error, RecursionError
        if isinstance(reason, OSError) and reason.errno is not None:
            raise  # the system's; pydicom's, about files that end too early, have no number
        return _not_dicom(f"damaged: {_brief(reason)}", claims)


class _Directory(Exception):
    """A DICOMDIR."""


class _NoInstance(Exception):
    """A data set without SOP Instance UID."""


FIRST_TAGS = frozenset(  # how a file without preamble begins, in either byte order
    struct.pack(order, group, element)
    for order in ("<HH", ">HH")
    for group in (0x0002, 0x0008)
    for element in (0x0000, 0x0001, 0x0002, 0x0005, 0x0008, 0x0012, 0x0016, 0x0018, 0x0020)
)


def _not_dicom(reason: str, claims: bool) -> Header:
    raise Unreadable(reason) if claims else NotDicom


def _brief(reason: Exception) -> str:
    text = " ".join(str(reason).split())
    return (text if len(text) <= 120 else text[:117] + "...") or type(reason).__name__


def _walked(file: BinaryIO, size: int, has_magic: bool) -> tuple[Walked, dict[str, Element]]:
    if has_magic:
        try:
            walked = walk(file, size)
        except Unusual:
            pass
        else:
            dataset = cache(lambda: _dataset(walked))
            little = walked.syntax != BIG_ENDIAN
            return walked, plain_elements(walked.values, little, lambda tag: by_pydicom(dataset(), tag))
    return _read_by_pydicom(file, size)


def _dataset(walked: Walked) -> Any:
    """The walked values as pydicom holds them before it converts them."""
    from pydicom.dataelem import RawDataElement
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

    implicit, little = walked.syntax == IMPLICIT, walked.syntax != BIG_ENDIAN
    return Dataset(
        {
            BaseTag(tag): RawDataElement(BaseTag(tag), vr, len(value), value, 0, implicit, little)
            for tag, vr, value in walked.values
        }
    )


def _read_by_pydicom(file: BinaryIO, size: int) -> tuple[Walked, dict[str, Element]]:
    from pydicom.dataelem import RawDataElement
    from pydicom.filereader import read_partial

    ends: list[tuple[int, int]] = []
    pixel_tag = 0

    def at_pixels(tag: int, vr: str | None, length: int) -> bool:
        nonlocal pixel_tag
        if tag in PIXEL_TAGS:
            pixel_tag = int(tag)
            ends.append((file.tell(), length))
            return True
        return tag == PER_FRAME_GROUPS and length == UNDEFINED

    check_inflation(file)
    dataset = read_partial(file, at_pixels, defer_size=LONGEST_VALUE, force=True)
    if 0x00041220 in dataset:
        raise _Directory
    implicit, little = dataset.original_encoding
    syntax = str(dataset.file_meta.get("TransferSyntaxUID") or "")
    found = syntax or (BIG_ENDIAN if not little else IMPLICIT if implicit else EXPLICIT)
    values: list[Raw] = []
    converted: dict[str, Element] = {}
    for tag, raw in dataset.items():
        if tag & 0x10000 or not tag & 0xFFFF or tag < 0x00080000:
            continue
        if isinstance(raw, RawDataElement):
            value = raw.value or b""
            if raw.length == len(value) <= LONGEST_VALUE:  # not one that the end of the file cuts
                values.append(Raw(tag, raw.VR, value))
        elif element := by_pydicom(dataset, tag):
            converted[f"{tag:08X}"] = element
    converted |= plain_elements(values, bool(little), lambda tag: by_pydicom(dataset, tag))
    if not ends and (last := next(reversed(list(dataset.values())), None)) and isinstance(last, RawDataElement):
        ends.append((last.value_tell, last.length))
    start, length = ends[0] if ends and found != DEFLATED else (0, UNDEFINED)
    missing = max(0, start + length - size) if length != UNDEFINED else 0
    storage_class = str(dataset.file_meta.get("MediaStorageSOPClassUID") or "")
    pixels = ends[0][1] if pixel_tag and ends[0][1] != UNDEFINED else None
    return Walked(found, storage_class, values, pixels, missing, pixel_tag), converted


def _header(walked: Walked, elements: dict[str, Element]) -> Header:
    if walked.storage_class == DIRECTORY:
        raise _Directory
    if not elements.get("00080018", {}).get("Value"):
        raise _NoInstance
    study, series, instance = (_uid(elements, name, tag) for name, tag in _UIDS)
    elements[AVAILABLE_SYNTAX] = elements[SYNTAX] = {"vr": "UI", "Value": [walked.syntax]}
    return Header(study, series, instance, elements, _flaw(walked), walked.pixel_tag, walked.pixels)


_UIDS = (("StudyInstanceUID", "0020000D"), ("SeriesInstanceUID", "0020000E"), ("SOPInstanceUID", "00080018"))


def _uid(elements: Mapping[str, Element], name: str, tag: str) -> str:
    values = elements.get(tag, {}).get("Value")
    if not values:
        raise Unreadable(f"no {name}")
    uid = "\\".join(map(str, values))
    if len(uid) > 64 or not LOOSE.fullmatch(uid):
        raise Unreadable(f"{name} {uid[:70]!r} is not a UID")
    return uid


def _flaw(walked: Walked) -> str:
    if not walked.missing:
        return ""
    if walked.pixels is None:
        return "cut off within its header"
    return f"cut off: {max(0, walked.pixels - walked.missing):,} of {walked.pixels:,} bytes of pixels are there"
