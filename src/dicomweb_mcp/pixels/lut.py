"""Lookup tables of DICOM: a descriptor (number of entries, first input, bits of an entry) and the entries."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dicom.values import DicomJson, element, numbers
from .problems import MissingBulk, Undecodable


@dataclass(frozen=True)
class LookupTable:
    """``entries``: shape (n,), unsigned. ``first``: the input that maps to entry 0. Output range 0 to 2**bits - 1."""

    entries: NDArray[Any]
    first: int
    bits: int

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """Inputs below the table take its first entry, those above it its last (PS3.3 C.11.1.1.1)."""
        index = (
            np.rint(values).astype(np.int64) - self.first if values.dtype.kind == "f" else values - np.int64(self.first)
        )
        return np.take(self.entries, index, mode="clip")


def read_table(obj: DicomJson, descriptor: str, data: str, *, is_signed: bool) -> LookupTable:
    """The table whose attributes have these keywords; ``is_signed`` tells how its first input is meant.

    Raises MissingBulk, or Undecodable when the attributes do not agree.
    """
    count, first, bits = read_descriptor(obj, descriptor, is_signed=is_signed)
    entries = _entries(obj, data, count)
    if entries.size and int(entries.max()) >> bits:
        raise Undecodable(f"{data} has entries of more than the {bits} bits that {descriptor} says.")
    return LookupTable(entries, first, bits)


def read_descriptor(obj: DicomJson, keyword: str, *, is_signed: bool) -> tuple[int, int, int]:
    """Number of entries (0 means 65,536), first input, bits per entry; signed and unsigned spellings are accepted."""
    found = numbers(obj, keyword)
    if len(found) != 3:
        raise Undecodable(f"{keyword} must have three values, not {len(found)}.")
    count, first, bits = (int(value) for value in found)
    count = count & 0xFFFF or 0x10000
    first = first - 0x10000 if is_signed and first >= 0x8000 else first
    if not 1 <= bits <= 16:
        raise Undecodable(f"{keyword} says {bits} bits per entry; 1 to 16 are possible.")
    return count, first, bits


def table_bytes(obj: DicomJson, keyword: str) -> bytes:
    """The value of a binary attribute. Raises MissingBulk when it stands elsewhere, Undecodable when it is missing."""
    found = element(obj, keyword) or {}
    inline = found.get("InlineBinary")
    if isinstance(inline, str) and inline:
        try:
            return base64.b64decode(inline, validate=True)
        except binascii.Error:
            raise Undecodable(f"{keyword} is not valid base64.") from None
    if uri := found.get("BulkDataURI"):
        raise MissingBulk(keyword, str(uri))
    raise Undecodable(f"{keyword} is missing or empty.")


def unpack_entries(raw: bytes, count: int, keyword: str) -> NDArray[Any]:
    """Little-endian words, or bytes where there are only ``count`` of them (plus one to make them even)."""
    if len(raw) == 2 * count:
        return np.frombuffer(raw, "<u2").astype("u2", copy=False)
    if len(raw) in (count, count + count % 2):
        return np.frombuffer(raw, "u1", count)
    raise Undecodable(f"{keyword} has {len(raw)} bytes; a table of {count} entries has {count} or {2 * count}.")


def _entries(obj: DicomJson, keyword: str, count: int) -> NDArray[Any]:
    """LUTData is US (an array of numbers) or OW (binary)."""
    listed = numbers(obj, keyword)
    if not listed:
        return unpack_entries(table_bytes(obj, keyword), count, keyword)
    if len(listed) != count or min(listed) < 0 or max(listed) > 0xFFFF:
        raise Undecodable(f"{keyword} must have {count} entries between 0 and 65,535.")
    return np.asarray(listed, "u2")
