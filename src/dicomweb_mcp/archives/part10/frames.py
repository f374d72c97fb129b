"""Frames of a file, cut out without reading the others where that is possible (PS3.5 section 8 and Annex A.4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from ...dicom.native_size import FLOATING, frame_bits
from ...dicom.uids import BIG_ENDIAN, DEFLATED, EXPLICIT
from .dataset import Damaged, PixelValue, parse

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_TAGS = (
    0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280006, 0x00280103,
    0x7FE00001, 0x7FE00002,
)  # fmt: skip

Table = tuple[list[int], list[int]]


class NoPixels(Exception):
    """The file has no pixel data."""


class NoSuchFrame(Exception):
    """``frames`` is how many there are."""

    def __init__(self, frames: int) -> None:
        super().__init__(frames)
        self.frames = frames


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the frames of a file are. ``bits`` is the size of a native frame; ``table`` has offsets and lengths."""

    frames: int
    bits: int
    allocated: int
    tag: int
    vr: str
    offset: int
    length: int | None
    table: Table | None


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of a file that is open."""

    layout: Layout
    pixels: PixelValue
    transfer_syntax: str

    @classmethod
    def of(cls, file: BinaryIO) -> "Frames":
        """Raises NoPixels, or Damaged with the reason."""
        parsed = parse(file, tags=list(_TAGS))
        if parsed.pixels is None or parsed.pixels.length == 0:
            raise NoPixels
        return cls(_layout(parsed.dataset, parsed.pixels), parsed.pixels, parsed.transfer_syntax)

    def read(self, numbers: Sequence[int]) -> list[tuple[bytes, str]]:
        """The bytes of each frame (numbers from 1) and the transfer syntax that they have.

        Raises NoSuchFrame, or Damaged with the reason.
        """
        for number in numbers:
            if not 1 <= number <= self.layout.frames:
                raise NoSuchFrame(self.layout.frames)
        return [_frame(self.layout, self.pixels, number, self.transfer_syntax) for number in numbers]


def _layout(dataset: "Dataset", pixels: PixelValue) -> Layout:
    """Raises Damaged when the attributes of the pixels are missing."""
    try:
        frames = max(1, int(dataset.get("NumberOfFrames") or 1))
        allocated = FLOATING.get(pixels.tag) or int(dataset.BitsAllocated)
        if pixels.length is None:
            return Layout(
                frames, 0, allocated, pixels.tag, pixels.vr, pixels.offset, None, _table(dataset, pixels, frames)
            )
        samples = int(dataset.get("SamplesPerPixel") or 1)
        photometric = str(dataset.get("PhotometricInterpretation", ""))
        bits = frame_bits(int(dataset.Rows), int(dataset.Columns), samples, allocated, photometric)
    except Exception as reason:  # an attribute that is missing or no number, a broken item
        raise Damaged(f"its frames cannot be found: {' '.join(str(reason).split())[:120]}") from None
    return Layout(frames, bits, allocated, pixels.tag, pixels.vr, pixels.offset, pixels.length, None)


def _table(dataset: "Dataset", pixels: PixelValue, frames: int) -> Table | None:
    """Offsets (from the first item after the offset table) and lengths; None leaves the search to ``get_frame``."""
    from pydicom.encaps import parse_basic_offsets, parse_fragments

    offsets, lengths = dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths")
    if offsets and lengths:
        return _words(offsets), _words(lengths)
    source = pixels.source
    source.seek(pixels.offset)
    if frames == 1 or parse_basic_offsets(source):
        return None
    first = source.tell()
    count, starts = parse_fragments(source)
    if count != frames:
        return None
    found = []
    for start in starts:
        source.seek(start + 4)
        found.append(int.from_bytes(source.read(4), "little"))
    return [start - first for start in starts], found


def _words(value: bytes) -> list[int]:
    return [int.from_bytes(value[start : start + 8], "little") for start in range(0, len(value) - 7, 8)]


def _frame(layout: Layout, pixels: PixelValue, number: int, syntax: str) -> tuple[bytes, str]:
    if layout.length is None:
        return _encapsulated(layout, pixels, number - 1), syntax
    if syntax == DEFLATED:
        syntax = EXPLICIT
    swapped = syntax == BIG_ENDIAN and pixels.vr == "OW" and layout.allocated <= 8 and bool(layout.bits % 16)
    # words of an odd frame span two frames: they are put right here, and no byte order is left in such pixels
    return _native(layout, pixels, number - 1, swapped), EXPLICIT if swapped else syntax


def _encapsulated(layout: Layout, pixels: PixelValue, index: int) -> bytes:
    from pydicom.encaps import get_frame

    pixels.source.seek(pixels.offset)
    try:
        frame: bytes = get_frame(pixels.source, index, extended_offsets=layout.table, number_of_frames=layout.frames)
    except Exception as reason:  # pydicom raises what it meets: ValueError, struct.error, StopIteration
        raise Damaged(f"frame {index + 1} cannot be found: {' '.join(str(reason).split())[:160]}") from None
    if layout.table and len(frame) < layout.table[1][index]:
        raise Damaged(f"it is cut off within frame {index + 1}")
    return frame


def _native(layout: Layout, pixels: PixelValue, index: int, swapped: bool) -> bytes:
    """The bits of one frame, from bit 0 of byte 0; frames of one-bit pixels follow each other without padding."""
    start = index * layout.bits
    end = start + layout.bits
    first, last = start // 8, (end + 7) // 8
    if swapped:
        first, last = first // 2 * 2, (last + 1) // 2 * 2
    raw = pixels.read(first, last - first) if last <= (layout.length or 0) else b""
    if len(raw) < last - first:
        raise Damaged(f"it is cut off: frame {index + 1} is not there, or not whole")
    if swapped:
        turned = bytearray(len(raw))
        turned[0::2], turned[1::2] = raw[1::2], raw[0::2]
        raw = bytes(turned)
    shift = start - 8 * first
    if shift % 8 == 0 and layout.bits % 8 == 0:
        return raw[shift // 8 : shift // 8 + layout.bits // 8]
    bits = int.from_bytes(raw, "little") >> shift & ((1 << layout.bits) - 1)
    return bits.to_bytes((layout.bits + 7) // 8, "little")
