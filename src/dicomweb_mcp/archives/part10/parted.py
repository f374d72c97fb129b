"""A file as DICOM JSON metadata and the one value that is sent beside them (PS3.18 8.6.1), which stays in the file."""

import base64
from dataclasses import dataclass
from typing import BinaryIO

from ...dicom.uids import EXPLICIT
from ...dicom.values import DicomJson
from .dataset import Damaged, Parsed, parse
from .dicom_json import bulk_value, metadata

JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
MEDIA_TYPES = {  # of the value, by transfer syntax
    EXPLICIT: "application/octet-stream",
    JPEG_BASELINE: f"image/jpeg; transfer-syntax={JPEG_BASELINE}",
}
AVAILABLE_TRANSFER_SYNTAX = "00083002"  # of what an archive has, not of a file
ITEM_HEADER = 8


@dataclass(frozen=True, slots=True)
class Parted:
    """``tag`` has no value in ``attributes``: it is ``length`` bytes of the file from ``start`` on. Where no value is
    long, it is empty."""

    attributes: DicomJson
    tag: str = ""
    media_type: str = ""
    start: int = 0
    length: int = 0


def parted(file: BinaryIO) -> Parted:
    """An open file of one frame, or of none, that was made here. Raises Damaged.

    All other binary values are in the metadata: Google takes one value beside them for each instance.
    """
    parsed = parse(file)
    attributes = dict(metadata(parsed))
    del attributes[AVAILABLE_TRANSFER_SYNTAX]
    long = [tag for tag, element in attributes.items() if "BulkDataURI" in element]
    if not long:
        return Parted(attributes)
    *others, last = long  # ascending, so that it is the pixels where there are any
    for tag in others:
        value = bulk_value(parsed, attributes[tag]["BulkDataURI"])
        attributes[tag] = {"vr": attributes[tag]["vr"], "InlineBinary": base64.b64encode(value).decode("ascii")}
    attributes[last] = {"vr": attributes[last]["vr"]}
    start, length = _where(parsed, int(last, 16))
    return Parted(attributes, last, MEDIA_TYPES[parsed.transfer_syntax], start, length)


def _where(parsed: Parsed, tag: int) -> tuple[int, int]:
    """Position and length of a value in its file; of encapsulated pixels those of their one fragment (PS3.5 A.4)."""
    pixels = parsed.pixels
    if pixels is None or pixels.tag != tag:
        element = parsed.dataset[tag]
        return element.file_tell or 0, len(element.value)
    if pixels.length is not None:
        return pixels.offset, pixels.length
    offsets = _item(parsed, pixels.offset)
    start = pixels.offset + ITEM_HEADER + offsets + ITEM_HEADER
    length = _item(parsed, start - ITEM_HEADER)
    if _item(parsed, start + length):  # of the delimiter it is 0
        raise Damaged("its picture lies in several fragments")
    return start, length


def _item(parsed: Parsed, position: int) -> int:
    """The length of the item that begins there."""
    assert parsed.pixels is not None
    parsed.pixels.source.seek(position + 4)
    return int.from_bytes(parsed.pixels.source.read(4), "little")
