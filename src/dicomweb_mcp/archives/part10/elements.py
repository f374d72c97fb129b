"""A quick walk over the top-level elements of an ordinary file, for the index (PS3.5 section 7).

Ordinary means: with preamble, not deflated, well formed. For everything else ``walk`` raises Unusual and the
caller asks pydicom, which knows what writers of files do. The walk exists because indexing a folder is this loop.
"""

import zlib
from collections.abc import Callable
from struct import Struct
from typing import BinaryIO, NamedTuple

from ...dicom.uids import BIG_ENDIAN, DEFLATED, IMPLICIT

UNDEFINED = 0xFFFFFFFF
LONGEST_VALUE = 1_024
WINDOW = 1 << 16
MOST_INFLATED = 256 << 20
PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
PER_FRAME_GROUPS = 0x52009230  # can hold 100,000 items, and no search asks for them

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_META = b"\x02\x00"  # group 0002, always little endian
LONG_VRS = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_NAMES = {vr: vr.decode() for vr in LONG_VRS | SHORT_VRS}
_explicit = Struct("<HH2sH").unpack_from
_long = Struct("<L").unpack_from


class Unusual(Exception):
    """Not an ordinary file; pydicom has to read it."""


class TooLarge(Exception):
    """More than this program takes into memory: why."""


class Raw(NamedTuple):
    """One element as it stands in the file; ``vr`` is None where the file does not say it."""

    tag: int
    vr: str | None
    value: bytes


class Walked(NamedTuple):
    """``values`` are the short public top-level elements up to the pixels, without one that is cut; ``missing`` bytes
    lie beyond the end.

    ``pixels`` is the length of the pixel data, or None where there was none or it says no length; ``pixel_tag`` is
    which kind of them there is.
    """

    syntax: str
    storage_class: str
    values: list[Raw]
    pixels: int | None
    missing: int
    pixel_tag: int = 0


def walk(file: BinaryIO, size: int) -> Walked:
    """The elements of a file of ``size`` bytes that begins with a preamble. Raises Unusual."""
    file.seek(0)
    data = file.read(WINDOW)
    syntax, storage_class, position = _meta(data)
    if syntax == DEFLATED or not syntax.startswith(IMPLICIT):
        raise Unusual
    values, pixel_tag, pixels, end = _elements(
        file, data, position, syntax != IMPLICIT, ">" if syntax == BIG_ENDIAN else "<"
    )
    return Walked(syntax, storage_class, values, pixels, max(0, end - size), pixel_tag)


def check_inflation(file: BinaryIO) -> None:
    """Raises TooLarge when a deflated file unpacks to more than MOST_INFLATED bytes, EOFError or zlib.error when it
    does not unpack; leaves the file at its beginning.

    pydicom unpacks such files as a whole, and a megabyte can hold gigabytes.
    """
    syntax, position = find_data_set(file)
    if syntax == DEFLATED:
        file.seek(position)
        inflate(file, lambda _: None)
    file.seek(0)


def inflate(file: BinaryIO, write: Callable[[bytes], object]) -> int:
    """Write what the rest of a file unpacks to, piece by piece; where the stream ends in the file. Raises TooLarge
    behind MOST_INFLATED bytes, EOFError when the stream has no end, zlib.error when it is none."""
    unpack, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while not unpack.eof and (chunk := unpack.unconsumed_tail or file.read(WINDOW)):
        piece = unpack.decompress(chunk, WINDOW)
        size += len(piece)
        if size > MOST_INFLATED:
            raise TooLarge(f"its deflated data set unpacks to more than {MOST_INFLATED >> 20} MiB")
        write(piece)
    if not unpack.eof:
        raise EOFError("the deflated data set is cut off")
    return file.tell() - len(unpack.unused_data)


def find_data_set(file: BinaryIO) -> tuple[str, int]:
    """The transfer syntax that the File Meta Information of a file names, empty where it names none, and the position
    of its data set (PS3.10 7.1). A VR that PS3.5 does not know has a short length, as pydicom takes it."""
    file.seek(0)
    if file.read(132)[128:] != b"DICM":
        return "", 0
    syntax, position = "", 132
    while (start := file.read(12))[:2] == _META and len(start) == 12:
        _, element, vr, length = _explicit(start)
        position += 8
        if vr in LONG_VRS:
            length = _long(start, 8)[0]
            position += 4
        if element == 0x0010 and length <= 64:
            file.seek(position)
            syntax = file.read(length).decode("latin-1").rstrip("\0 ")
        position += length
        file.seek(position)
    return syntax, position


def _meta(data: bytes) -> tuple[str, str, int]:
    """Transfer syntax, media storage class and where the data set begins (PS3.10 section 7.1)."""
    found = {0x0010: "", 0x0002: ""}
    position = 132
    while True:
        if position + 12 > len(data):
            raise Unusual
        group, element, vr, length = _explicit(data, position)
        if group != 2:
            return found[0x0010], found[0x0002], position
        position += 8
        if vr in LONG_VRS:
            length = _long(data, position)[0]
            position += 4
        elif vr not in SHORT_VRS:
            raise Unusual
        if element in found:
            found[element] = data[position : position + length].decode("latin-1").rstrip("\0 ")
        position += length


def _elements(
    file: BinaryIO, data: bytes, position: int, explicit: bool, order: str
) -> tuple[list[Raw], int, int | None, int]:
    """Elements, tag and length of the pixels, and where the last value ends. ``depth`` counts open sequences."""
    read_explicit, read_implicit = Struct(f"{order}HH2sH").unpack_from, Struct(f"{order}HHL").unpack_from
    read_long = Struct(f"{order}L").unpack_from
    values: list[Raw] = []
    base, depth, previous = 0, 0, 0
    limit, comfortable = len(data), len(data) - LONGEST_VALUE - 12
    while True:
        if position > comfortable and limit == WINDOW:
            base += position
            file.seek(base)
            data, position = file.read(WINDOW), 0
            limit, comfortable = len(data), len(data) - LONGEST_VALUE - 12
        if position + 8 > limit:
            if depth or position < limit:
                raise Unusual
            return values, 0, None, base + position
        vr = None
        if explicit:
            group, element, code, length = read_explicit(data, position)
            position += 8
            if code in SHORT_VRS:
                vr = _NAMES[code]
            elif code in LONG_VRS:
                if position + 4 > limit:
                    raise Unusual
                vr = _NAMES[code]
                length = read_long(data, position)[0]
                position += 4
            elif group == 0xFFFE:
                length = read_long(data, position - 4)[0]
            else:
                raise Unusual
        else:
            group, element, length = read_implicit(data, position)
            position += 8
        tag = group << 16 | element
        if group == 0xFFFE:
            if not depth or tag not in (ITEM, ITEM_END, SEQUENCE_END):
                raise Unusual
            if tag == SEQUENCE_END:
                depth -= 1
            if length != UNDEFINED:
                position += length
            continue
        if not depth:
            if tag <= previous:
                raise Unusual
            previous = tag
            if tag in PIXEL_TAGS:
                if length == UNDEFINED:
                    return values, tag, None, base + position
                return values, tag, length, base + position + length
            if length <= LONGEST_VALUE and vr != "SQ" and not group & 1 and element and position + length <= limit:
                values.append(Raw(tag, vr, data[position : position + length]))
        if length == UNDEFINED:
            if tag == PER_FRAME_GROUPS and not depth:
                return values, 0, None, base + position
            if explicit and vr != "SQ":
                raise Unusual
            depth += 1
        else:
            position += length
