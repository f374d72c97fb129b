"""Whether a DICOM file is whole: its elements are walked to the very end (PS3.10 section 7, PS3.5 sections 7 and A.4).

Values are jumped over, not read, so gigabytes of pixels cost no more than the elements around them.
"""

import io
import zlib
from struct import Struct
from typing import BinaryIO, NamedTuple

from ...dicom.uids import BIG_ENDIAN, DEFLATED, IMPLICIT
from .elements import (
    ITEM,
    ITEM_END,
    LONG_VRS,
    PIXEL_TAGS,
    SEQUENCE_END,
    SHORT_VRS,
    UNDEFINED,
    TooLarge,
    find_data_set,
    inflate,
)
from .header import FIRST_TAGS

DEEPEST = 100  # sequences within sequences
MOST_ELEMENTS = 2_000_000
LONGEST_SHORT = 1 << 16
TRAILER = 8  # behind deflated data: a byte to make the length even (PS3.5 A.5), or the checksum that some writers leave
LONGEST_IDENTIFIER = 256
IDENTIFYING = frozenset({0x00080016, 0x00080018, 0x00100020, 0x0020000D, 0x0020000E})  # class, instance, patient, ...


class Unfit(Exception):
    """The file cannot be stored: why, and where there is one, what would mend it."""


class CutOff(Unfit):
    """The file ends before its elements do."""


class _Element(NamedTuple):
    tag: int
    vr: bytes
    length: int


def check_whole(file: BinaryIO, size: int) -> list[int]:
    """The tags of the top-level elements that take at most LONGEST_SHORT bytes, in a DICOM file of ``size`` bytes.

    Raises Unfit for what is no DICOM file, has no File Meta Information or no data set, does not end where its elements
    do, or can be read in two ways.
    """
    file.seek(0)
    start = file.read(132)
    if start[128:] != b"DICM":
        raise Unfit(_what_else(start))
    syntax, position = find_data_set(file)
    if not syntax:
        raise Unfit("its File Meta Information names no transfer syntax (0002,0010)")
    if position >= size:
        raise Unfit("it has no data set behind its File Meta Information")
    file.seek(position)
    if syntax == DEFLATED:
        file, position = _unpacked(file, size), 0
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
    walker = _Walker(file, position, size, implicit=syntax == IMPLICIT, big_endian=syntax == BIG_ENDIAN)
    walker.data_set()
    if walker.odd:
        raise Unfit(walker.odd)
    return walker.short


def _what_else(start: bytes) -> str:
    if not start:
        return "the file is empty"
    if start[:4] in FIRST_TAGS:
        return (
            "a DICOM data set without preamble and File Meta Information (PS3.10 7.1), so its encoding is not certain: "
            "write it anew as a DICOM file first"
        )
    return "not DICOM"


def _unpacked(file: BinaryIO, size: int) -> BinaryIO:
    data = io.BytesIO()
    try:
        end = inflate(file, data.write)
    except TooLarge as reason:
        raise Unfit(str(reason)) from None
    except (zlib.error, EOFError):
        raise CutOff("cut off or damaged within its deflated data set") from None
    if size - end > TRAILER:
        raise Unfit(f"damaged: {size - end:,} bytes follow its deflated data set")
    return data


class _Walker:
    """Walks elements from ``position`` on; ``size`` is where the file ends. ``odd`` is empty, or why the file is unfit
    though it is there to its end."""

    def __init__(self, file: BinaryIO, position: int, size: int, *, implicit: bool, big_endian: bool) -> None:
        self.position = position
        self.short: list[int] = []
        self.odd = ""
        self._count = 0
        self._file, self._size, self._implicit = file, size, implicit
        order = ">" if big_endian else "<"
        self._tag = Struct(f"{order}HH").unpack
        self._short = Struct(f"{order}H").unpack
        self._long = Struct(f"{order}L").unpack

    def data_set(self) -> None:
        """All elements up to the end of the file; what is ``odd`` about them keeps nobody from walking on. Raises
        Unfit."""
        last = -1
        while self.position < self._size:
            start = self.position
            element = self._next(self._implicit)
            if element.tag <= last and not self.odd:
                self.odd = (
                    f"element {_written(element.tag)} does not stand in ascending order (PS3.5 7.1): programs would "
                    "read the file in different ways"
                )
            last = element.tag
            if last in IDENTIFYING and element.length > LONGEST_IDENTIFIER and not self.odd:
                self.odd = f"element {_written(last)} is longer than its VR allows"
            self._value(element, self._implicit, 0)
            if self.position - start <= LONGEST_SHORT:
                self.short.append(last)

    def _elements(self, end: int | None, implicit: bool, depth: int) -> None:
        """The elements of an item up to ``end``, or up to the delimiter of an item of undefined length."""
        while end is None or self.position < end:
            element = self._next(implicit)
            if element.tag == ITEM_END and end is None:
                return
            self._value(element, implicit, depth)
        if self.position != end:
            raise Unfit(f"damaged: the lengths of its elements do not add up at byte {self.position:,}")

    def _value(self, element: _Element, implicit: bool, depth: int) -> None:
        if element.tag >> 16 == 0xFFFE:
            raise Unfit(f"damaged: a delimiter stands at byte {self.position - 8:,} where an element is due")
        if element.tag in PIXEL_TAGS and element.length == UNDEFINED:
            self._fragments()
        elif element.length == UNDEFINED:
            self._items(None, implicit or element.vr == b"UN", depth + 1)  # PS3.5 6.2.2, note on UN
        elif element.vr == b"SQ":
            self._items(self.position + element.length, implicit, depth + 1)
        else:
            self._skip(element)

    def _items(self, end: int | None, implicit: bool, depth: int) -> None:
        if depth > DEEPEST:
            raise Unfit(f"its sequences lie more than {DEEPEST} levels deep")
        while end is None or self.position < end:
            item = self._delimiter()
            if item.tag == SEQUENCE_END and end is None:
                return
            if item.tag != ITEM:
                raise Unfit(f"damaged: no item stands at byte {self.position - 8:,} of a sequence")
            self._elements(None if item.length == UNDEFINED else self.position + item.length, implicit, depth)
        if self.position != end:
            raise Unfit(f"damaged: the items of a sequence do not add up at byte {self.position:,}")

    def _fragments(self) -> None:
        """Encapsulated pixel data, PS3.5 A.4."""
        while (item := self._delimiter()).tag != SEQUENCE_END:
            if item.tag != ITEM or item.length == UNDEFINED:
                raise Unfit(f"damaged: no fragment of pixel data stands at byte {self.position - 8:,}")
            self._skip(item)

    def _delimiter(self) -> _Element:
        group, number = self._tag(self._take(4))
        return _Element(group << 16 | number, b"", self._long(self._take(4))[0])

    def _next(self, implicit: bool) -> _Element:
        """Tag, VR and length of the element that begins here."""
        self._count += 1
        if self._count > MOST_ELEMENTS:
            raise Unfit(f"it has more than {MOST_ELEMENTS:,} elements")
        group, number = self._tag(self._take(4))
        tag = group << 16 | number
        if implicit or group == 0xFFFE:
            return _Element(tag, b"", self._long(self._take(4))[0])
        vr = self._take(2)
        if vr in SHORT_VRS:
            return _Element(tag, vr, self._short(self._take(2))[0])
        if vr in LONG_VRS:
            self._take(2)
            return _Element(tag, vr, self._long(self._take(4))[0])
        raise Unfit(
            f"element {_written(tag)} has no valid VR ({vr!r}): damaged, or not encoded as its transfer syntax says"
        )

    def _take(self, count: int) -> bytes:
        taken = self._file.read(count)
        if len(taken) < count:
            raise CutOff(f"cut off: it ends within an element at byte {self._size:,}")
        self.position += count
        return taken

    def _skip(self, element: _Element) -> None:
        end = self.position + element.length
        if end > self._size:
            raise CutOff(f"cut off: {end - self._size:,} bytes of element {_written(element.tag)} are missing")
        self._file.seek(element.length, io.SEEK_CUR)
        self.position = end


def _written(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
