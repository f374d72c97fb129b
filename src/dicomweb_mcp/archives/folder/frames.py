"""Frames of a file, cut out without reading the others where that is possible (PS3.5 section 8 and Annex A.4)."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from ...dicom.uids import BIG_ENDIAN, DEFLATED, EXPLICIT
from ..part10.dataset import Damaged, PixelValue, parse
from .files import StoredFile

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MOST_LAYOUTS = 64
MOST_OFFSETS = 100_000
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


class FrameReader:
    """Reads frames; remembers the layout of the files asked last, because tiles are asked one by one."""

    def __init__(self) -> None:
        self._layouts: OrderedDict[StoredFile, Layout] = OrderedDict()
        self._lock = Lock()

    def read(self, stored: StoredFile, numbers: Sequence[int]) -> list[tuple[bytes, str]]:
        """The bytes of each frame (numbers from 1) and the transfer syntax that they have.

        Raises NoPixels, NoSuchFrame, Damaged with the reason, or Changed.
        """
        with stored.opened() as file:
            if stored.transfer_syntax == DEFLATED:
                parsed = parse(file, tags=list(_TAGS))
                layout = _layout(parsed.dataset, parsed.pixels)
                pixels = parsed.pixels
            else:
                layout = self._known(stored) or self._learn(stored, file)
                pixels = PixelValue(layout.tag, layout.vr, file, layout.offset, layout.length)
            for number in numbers:
                if not 1 <= number <= layout.frames:
                    raise NoSuchFrame(layout.frames)
            if pixels is None:
                raise NoPixels
            return [_frame(layout, pixels, number, stored.transfer_syntax) for number in numbers]

    def _known(self, stored: StoredFile) -> Layout | None:
        with self._lock:
            if layout := self._layouts.get(stored):
                self._layouts.move_to_end(stored)
            return layout

    def _learn(self, stored: StoredFile, file: Any) -> Layout:
        parsed = parse(file, tags=list(_TAGS))
        layout = _layout(parsed.dataset, parsed.pixels)
        if layout.table is None or len(layout.table[0]) <= MOST_OFFSETS:
            with self._lock:
                self._layouts[stored] = layout
                while len(self._layouts) > MOST_LAYOUTS:
                    self._layouts.popitem(last=False)
        return layout


def _layout(dataset: "Dataset", pixels: PixelValue | None) -> Layout:
    """Raises NoPixels, or Damaged when the attributes of the pixels are missing."""
    if pixels is None or pixels.length == 0:
        raise NoPixels
    try:
        frames = max(1, int(dataset.get("NumberOfFrames") or 1))
        allocated = {0x7FE00008: 32, 0x7FE00009: 64}.get(pixels.tag) or int(dataset.BitsAllocated)
        if pixels.length is None:
            return Layout(
                frames, 0, allocated, pixels.tag, pixels.vr, pixels.offset, None, _table(dataset, pixels, frames)
            )
        samples = int(dataset.get("SamplesPerPixel") or 1)
        if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
            samples = 2  # two pixels share their colour, PS3.3 C.7.6.3.1.2
        bits = int(dataset.Rows) * int(dataset.Columns) * samples * allocated
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
