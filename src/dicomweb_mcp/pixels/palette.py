"""Palette colour (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6 and C.7.9): indices -> RGB."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dicom.values import DicomJson, element
from .lut import LookupTable, read_descriptor, table_bytes, unpack_entries
from .problems import Undecodable

CHANNELS = ("Red", "Green", "Blue")


@dataclass(frozen=True)
class Palette:
    """The tables of red, green and blue, with entries of 8 bits."""

    tables: tuple[LookupTable, ...]

    @classmethod
    def of(cls, obj: DicomJson, *, is_signed: bool) -> "Palette":
        """The tables must be inline. Raises MissingBulk, or Undecodable when they are absent or contradict
        themselves."""
        tables = [_table(obj, channel, is_signed) for channel in CHANNELS]
        eight_bit = _eight_bit([table.entries for table in tables])
        return cls(
            tuple(LookupTable(entries, table.first, 8) for entries, table in zip(eight_bit, tables, strict=True))
        )

    def apply(self, indices: NDArray[Any]) -> NDArray[np.uint8]:
        """(rows, columns) of stored values -> (rows, columns, 3) of 8 bits."""
        return np.stack([table.apply(indices) for table in self.tables], axis=-1).astype(np.uint8, copy=False)


def _table(obj: DicomJson, channel: str, is_signed: bool) -> LookupTable:
    descriptor, data = f"{channel}PaletteColorLookupTableDescriptor", f"{channel}PaletteColorLookupTableData"
    count, first, bits = read_descriptor(obj, descriptor, is_signed=is_signed)
    if bits not in (8, 16):
        raise Undecodable(f"{descriptor} says {bits} bits per entry; palettes have 8 or 16.")
    if element(obj, data) is None and element(obj, f"Segmented{data}") is not None:
        return LookupTable(
            _segmented(table_bytes(obj, f"Segmented{data}"), count, bits, f"Segmented{data}"), first, bits
        )
    return LookupTable(unpack_entries(table_bytes(obj, data), count, data), first, bits)


def _eight_bit(tables: list[NDArray[Any]]) -> list[NDArray[np.uint8]]:
    """Entries of 16 bits are scaled down; those that never pass 255 are 8-bit entries, whatever the descriptor says."""
    highest = max(int(table.max()) for table in tables)
    if highest <= 0xFF:
        return [table.astype(np.uint8) for table in tables]
    return [((table.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8) for table in tables]


def _segmented(raw: bytes, count: int, bits: int, keyword: str) -> NDArray[Any]:
    """Expand discrete, linear and indirect segments (PS3.3 C.7.9.2)."""
    words = np.frombuffer(raw[: len(raw) - len(raw) % (bits // 8)], "<u2" if bits == 16 else "u1").tolist()
    expanded: list[int] = []
    try:
        _expand(words, 0, None, bits, expanded, count)
    except (IndexError, ValueError):
        raise Undecodable(f"{keyword} is damaged: its segments cannot be expanded.") from None
    if len(expanded) != count:
        raise Undecodable(f"{keyword} expands to {len(expanded)} entries; its descriptor says {count}.")
    return np.asarray(expanded, "u2")


def _expand(words: list[int], at: int, segments: int | None, bits: int, expanded: list[int], most: int) -> None:
    """Append what the segments from ``at`` on say: ``segments`` of them, or all (None). At most ``most`` entries."""
    done = 0
    while at + 1 < len(words) and done != segments and len(expanded) <= most:
        kind, length = words[at], words[at + 1]
        at += 2
        if kind == 0:
            if at + length > len(words):
                raise ValueError("discrete segment")
            expanded.extend(words[at : at + length])
            at += length
        elif kind == 1:
            start, end = expanded[-1], words[at]
            step = (end - start) / max(1, length)
            expanded.extend(np.around(np.linspace(start + step, end, length)).astype(int).tolist())
            at += 1
        elif kind == 2 and segments is None:
            size = 4 if bits == 8 else 2
            byte_offset = sum(word << (bits * nth) for nth, word in enumerate(words[at : at + size]))
            _expand(words, byte_offset // (bits // 8), length, bits, expanded, most)
            at += size
        else:
            raise ValueError("unknown or nested segment")
        done += 1
