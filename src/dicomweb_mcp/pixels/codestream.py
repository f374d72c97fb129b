"""Headers of JPEG (ISO/IEC 10918-1), JPEG-LS (14495-1) and JPEG 2000 (15444-1) streams, read without decoding."""

from dataclasses import dataclass
from typing import Literal

from .problems import Undecodable

Family = Literal["JPEG", "JPEG-LS", "JPEG 2000"]

JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  "
STANDALONE = {0x01, *range(0xD0, 0xD8)}
FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC} | {0xF7}
LOSSLESS_HEADER = 0xC3
JPEG_LS_HEADER = 0xF7


@dataclass(frozen=True)
class Header:
    """What a stream says about itself. ``marker`` is the frame header's (SOF) second byte, 0 in JPEG 2000.

    ``is_subsampled``: the second component is coarser than the first. ``adobe_transform`` is 0 (none), 1 (YCbCr) or
    None (no Adobe marker). ``multiple_component_transform`` is JPEG 2000's own colour transform; ``offset`` is where
    the codestream begins in a JP2 file.
    """

    family: Family
    columns: int
    rows: int
    components: int
    precision: int
    is_signed: bool = False
    marker: int = 0
    component_ids: tuple[int, ...] = ()
    is_subsampled: bool = False
    has_jfif: bool = False
    adobe_transform: int | None = None
    multiple_component_transform: bool = False
    is_high_throughput: bool = False
    offset: int = 0


def family(data: bytes) -> Family | None:
    """Which family the first bytes belong to; None for anything else."""
    if data.startswith((b"\xff\x4f\xff\x51", JP2_SIGNATURE)):
        return "JPEG 2000"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG-LS" if data.startswith(b"\xff\xd8\xff\xf7") else "JPEG"
    return None


def read(data: bytes) -> Header:
    """The header of a stream of any of the families. Raises Undecodable when it is none, or cut off."""
    found = family(data)
    try:
        if found == "JPEG 2000":
            return _jpeg_2000(data)
        if found is not None:
            return _jpeg(data)
    except IndexError:
        raise Undecodable(f"The {found} stream ends in the middle of its header.") from None
    raise Undecodable("The frame does not begin like a JPEG, JPEG-LS or JPEG 2000 stream.")


def is_complete(data: bytes) -> bool:
    """The stream ends with its end marker (EOI, EOC), padding aside. Decoders fill up a cut JPEG with grey."""
    return data.rstrip(b"\x00\xff").endswith(b"\xff\xd9")


def _jpeg(data: bytes) -> Header:
    offset = 2
    has_jfif, adobe = False, None
    while True:
        while data[offset + 1] == 0xFF:
            offset += 1
        if data[offset] != 0xFF:
            raise Undecodable("The JPEG stream has no marker where one must stand; it is damaged.")
        marker = data[offset + 1]
        if marker in STANDALONE:
            offset += 2
            continue
        length = _number(data, offset + 2, 2)
        segment = data[offset + 4 : offset + 2 + length]
        if marker in FRAME_HEADERS:
            return _frame_header(marker, segment, has_jfif, adobe)
        if marker in (0xD9, 0xDA) or length < 2:
            raise Undecodable("The JPEG stream has no frame header (SOF).")
        if marker == 0xE0 and segment.startswith(b"JFIF"):
            has_jfif = True
        if marker == 0xEE and segment.startswith(b"Adobe") and len(segment) >= 12:
            adobe = segment[11]
        offset += 2 + length


def _frame_header(marker: int, segment: bytes, has_jfif: bool, adobe: int | None) -> Header:
    components = segment[5]
    return Header(
        family="JPEG-LS" if marker == JPEG_LS_HEADER else "JPEG",
        columns=_number(segment, 3, 2),
        rows=_number(segment, 1, 2),
        components=components,
        precision=segment[0],
        marker=marker,
        component_ids=tuple(segment[6 + 3 * nth] for nth in range(components)),
        is_subsampled=components > 1 and segment[10] != segment[7],
        has_jfif=has_jfif,
        adobe_transform=adobe,
    )


def _jpeg_2000(data: bytes) -> Header:
    start = _codestream_offset(data)
    if data[start : start + 4] != b"\xff\x4f\xff\x51":
        raise Undecodable("The JPEG 2000 stream does not begin with SOC and SIZ; it is damaged.")
    depth, components = data[start + 42], _number(data, start + 40, 2)
    return Header(
        family="JPEG 2000",
        columns=_number(data, start + 8, 4) - _number(data, start + 16, 4),
        rows=_number(data, start + 12, 4) - _number(data, start + 20, 4),
        components=components,
        precision=(depth & 0x7F) + 1,
        is_signed=bool(depth & 0x80),
        is_subsampled=components > 1 and data[start + 46] != data[start + 43],
        multiple_component_transform=_has_component_transform(data, start + 2),
        is_high_throughput=bool(data[start + 6] & 0x40),
        offset=start,
    )


def _codestream_offset(data: bytes) -> int:
    """Where the codestream begins: 0, or inside the ``jp2c`` box of a JP2 file."""
    offset = 0
    while data.startswith(JP2_SIGNATURE) and offset < len(data):
        length, kind = _number(data, offset, 4), data[offset + 4 : offset + 8]
        head = 16 if length == 1 else 8
        if kind == b"jp2c":
            return offset + head
        if length == 1:
            length = _number(data, offset + 8, 8)
        if length < head:
            raise Undecodable("The JP2 file has a box without length before its codestream; it is damaged.")
        offset += length
    return 0


def _has_component_transform(data: bytes, offset: int) -> bool:
    """The transform bit of the coding style (COD) in the main header."""
    while data[offset] == 0xFF and data[offset + 1] != 0x90:
        if data[offset + 1] == 0x52:
            return data[offset + 8] == 1
        offset += 2 + max(2, _number(data, offset + 2, 2))
    return False


def _number(data: bytes, offset: int, length: int) -> int:
    if offset + length > len(data):
        raise IndexError(offset)
    return int.from_bytes(data[offset : offset + length], "big")
