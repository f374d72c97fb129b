"""The data set of one DICOM file, with the pixels left in the file."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from ...dicom.uids import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT
from .elements import PIXEL_TAGS, UNDEFINED, check_inflation

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

PIXEL_VRS = {0x7FE00008: "OF", 0x7FE00009: "OD", 0x7FE00010: "OW"}


class Damaged(Exception):
    """The file cannot be read to the end: why."""


@dataclass(frozen=True, slots=True)
class PixelValue:
    """The pixel data element: where its value stands in ``source``; ``length`` is None when it is encapsulated."""

    tag: int
    vr: str
    source: BinaryIO
    offset: int
    length: int | None

    def read(self, start: int, length: int) -> bytes:
        """Part of a native value; shorter when the file ends before."""
        self.source.seek(self.offset + start)
        return self.source.read(length)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A data set without its pixels. ``dataset`` is pydicom's, ``transfer_syntax`` that of the file."""

    dataset: "Dataset"
    transfer_syntax: str
    pixels: PixelValue | None

    @property
    def is_big_endian(self) -> bool:
        return self.transfer_syntax == BIG_ENDIAN


def parse(file: BinaryIO, *, tags: list[int] | None = None) -> Parsed:
    """The data set of an open file; pixels are not read, except that a deflated file is inflated as a whole.

    With ``tags`` only these top-level elements are kept. Raises Damaged.
    """
    from pydicom.filereader import read_partial

    found: list[tuple[int, str | None, int, int]] = []

    def at_pixels(tag: int, vr: str | None, length: int) -> bool:
        if tag in PIXEL_TAGS:
            found.append((int(tag), vr, length, file.tell()))
            return True
        return False

    try:
        check_inflation(file)
        dataset = read_partial(file, at_pixels, force=True, specific_tags=list(tags) if tags else None)
        if str(dataset.file_meta.get("TransferSyntaxUID") or "") == DEFLATED:
            file.seek(0)
            return _inflated(read_partial(file, force=True, specific_tags=[*tags, *PIXEL_TAGS] if tags else None))
        syntax = syntax_of(dataset)
        if not found:
            return Parsed(dataset, syntax, None)
        tag, vr, length, offset = found[0]
        if length != UNDEFINED and not tags and offset + length < _size_of(file):
            _add_rest(dataset, file, offset + length)
    except Exception as reason:  # pydicom raises what it meets
        raise Damaged(" ".join(str(reason).split())[:120] or type(reason).__name__) from None
    pixels = PixelValue(tag, _pixel_vr(tag, vr), file, offset, None if length == UNDEFINED else length)
    return Parsed(dataset, syntax, pixels)


def _size_of(file: BinaryIO) -> int:
    """Of a file, or of bytes in memory, which no system knows of."""
    return file.seek(0, os.SEEK_END)


def syntax_of(dataset: "Dataset") -> str:
    """The transfer syntax of a file, also of one that does not name it."""
    if named := str(dataset.file_meta.get("TransferSyntaxUID") or ""):
        return named
    implicit, little = dataset.original_encoding
    return BIG_ENDIAN if not little else IMPLICIT if implicit else EXPLICIT


def _pixel_vr(tag: int, vr: str | None) -> str:
    return vr if vr in ("OB", "OW", "OF", "OD") else PIXEL_VRS[tag]


def _inflated(dataset: "Dataset") -> Parsed:
    from io import BytesIO

    for tag in PIXEL_TAGS:
        if (raw := dataset.get_item(tag)) is not None:
            value = raw.value or b""
            del dataset[tag]
            return Parsed(dataset, DEFLATED, PixelValue(tag, _pixel_vr(tag, raw.VR), BytesIO(value), 0, len(value)))
    return Parsed(dataset, DEFLATED, None)


def _add_rest(dataset: "Dataset", file: BinaryIO, offset: int) -> None:
    """The few elements that may follow pixel data: signatures, padding."""
    from pydicom.filereader import read_dataset

    file.seek(offset)
    implicit, little = dataset.original_encoding
    try:
        rest = read_dataset(file, bool(implicit), bool(little))
    except Exception:  # rubbish behind the pixels says nothing about the file
        return
    for tag, raw in rest.items():
        if tag > 0x7FE00010:
            dataset[tag] = raw
