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
    inflated,
)
from .header import FIRST_TAGS

DEEPEST = 100  # sequences within sequences


class Unfit(Exception):
    """The file cannot be stored: why, and where there is one, what would mend it."""


class _Element(NamedTuple):
    tag: int
    vr: bytes
    length: int


def check_whole(file: BinaryIO, size: int) -> None:
    """Raises Unfit for what is no DICOM file, has no File Meta Information or no data set, or does not end where its
    elements do. ``size`` is that of the file in bytes."""
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
        file, position = _unpacked(file), 0
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
    _Walker(file, position, size, implicit=syntax == IMPLICIT, big_endian=syntax == BIG_ENDIAN).elements(size)


def _what_else(start: bytes) -> str:
    if not start:
        return "the file is empty"
    if start[:4] in FIRST_TAGS:
        return (
            "a DICOM data set without preamble and File Meta Information (PS3.10 7.1), so its encoding is not certain: "
            "write it anew as a DICOM file first"
        )
    return "not DICOM"


def _unpacked(file: BinaryIO) -> BinaryIO:
    data = io.BytesIO()
    try:
        for piece in inflated(file):
            data.write(piece)
    except TooLarge as reason:
        raise Unfit(str(reason)) from None
    except (zlib.error, EOFError):
        raise Unfit("cut off or damaged within its deflated data set") from None
    return data


class _Walker:
    """Walks elements from ``position`` on; ``size`` is where the file ends."""

    def __init__(self, file: BinaryIO, position: int, size: int, *, implicit: bool, big_endian: bool) -> None:
        self.position = position
        self._file, self._size, self._implicit = file, size, implicit
        order = ">" if big_endian else "<"
        self._tag = Struct(f"{order}HH").unpack
        self._short = Struct(f"{order}H").unpack
        self._long = Struct(f"{order}L").unpack

    def elements(self, end: int | None, *, implicit: bool | None = None, depth: int = 0) -> None:
        """All elements up to ``end``, or up to the delimiter of an item of undefined length. Raises Unfit."""
        implicit = self._implicit if implicit is None else implicit
        while end is None or self.position < end:
            element = self._next(implicit)
            if element.tag == ITEM_END and end is None:
                return
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
        if self.position != end:
            raise Unfit(f"damaged: the lengths of its elements do not add up at byte {self.position:,}")

    def _items(self, end: int | None, implicit: bool, depth: int) -> None:
        if depth > DEEPEST:
            raise Unfit(f"its sequences lie more than {DEEPEST} levels deep")
        while end is None or self.position < end:
            item = self._delimiter()
            if item.tag == SEQUENCE_END and end is None:
                return
            if item.tag != ITEM:
                raise Unfit(f"damaged: no item stands at byte {self.position - 8:,} of a sequence")
            self.elements(None if item.length == UNDEFINED else self.position + item.length,
                          implicit=implicit, depth=depth)  # fmt: skip
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
            f"element ({group:04X},{number:04X}) has no valid VR ({vr!r}): damaged, or not encoded as its transfer "
            "syntax says"
        )

    def _take(self, count: int) -> bytes:
        taken = self._file.read(count)
        if len(taken) < count:
            raise Unfit(f"cut off: it ends within an element at byte {self._size:,}")
        self.position += count
        return taken

    def _skip(self, element: _Element) -> None:
        end = self.position + element.length
        if end > self._size:
            tag = f"({element.tag >> 16:04X},{element.tag & 0xFFFF:04X})"
            raise Unfit(f"cut off: {end - self._size:,} bytes of element {tag} are missing")
        self._file.seek(element.length, io.SEEK_CUR)
        self.position = end
