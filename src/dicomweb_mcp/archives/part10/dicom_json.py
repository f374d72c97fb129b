"""The whole header of a file -> DICOM JSON (PS3.18 Annex F), and the bytes behind its BulkDataURIs.

A BulkDataURI is ``bulkdata/TAG``, within sequences ``bulkdata/SEQUENCE/ITEM/TAG`` with items counted from 0.
"""

import base64
import re
from typing import TYPE_CHECKING, Any

from ...dicom.values import BULK_VRS, DEEPEST, DicomJson
from .dataset import Parsed
from .elements import Raw
from .values import as_written, plain_elements, tidy

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MOST_INLINE = 1_024
WORDS = {"OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}
URI = re.compile(r"bulkdata/([0-9A-F]{8}(?:/[0-9]{1,9}/[0-9A-F]{8})*)")
_AMBIGUOUS = {"US or SS": "US", "OB or OW": "OW", "US or OW": "OW", "US or SS or OW": "OW"}


class NoSuchValue(Exception):
    """The file has no bulk value there."""


def metadata(parsed: Parsed) -> DicomJson:
    """The DICOM JSON object of a file, tags ascending; values that pydicom cannot convert stand as in the file, and
    sequences deeper than DEEPEST are left empty."""
    obj = _object(parsed.dataset, "bulkdata/", parsed.is_big_endian)
    obj["00020010"] = obj["00083002"] = {"vr": "UI", "Value": [parsed.transfer_syntax]}
    if pixels := parsed.pixels:
        tag = f"{pixels.tag:08X}"
        obj[tag] = {"vr": pixels.vr} if pixels.length == 0 else {"vr": pixels.vr, "BulkDataURI": f"bulkdata/{tag}"}
    return dict(sorted(obj.items()))


def _object(dataset: "Dataset", prefix: str, big_endian: bool, depth: int = 0) -> dict[str, Any]:
    obj: dict[str, Any] = {}
    for tag in sorted(dataset.keys()):
        if not tag & 0xFFFF:
            continue  # group lengths, PS3.18 F.2.2
        name = f"{tag:08X}"
        try:
            obj[name] = _json(dataset[tag], f"{prefix}{name}", big_endian, depth)
        except Exception:  # one value that pydicom cannot convert must not cost the rest
            obj[name] = as_written(dataset, tag)
    return obj


def _json(element: Any, uri: str, big_endian: bool, depth: int) -> dict[str, Any]:
    vr = str(_AMBIGUOUS.get(element.VR, element.VR))
    if vr == "SQ":
        held = element.value if depth < DEEPEST else ()
        items = [_object(item, f"{uri}/{number}/", big_endian, depth + 1) for number, item in enumerate(held)]
        return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
    if vr not in BULK_VRS:
        return tidy(element.to_json_dict(None, 0))
    value = _bytes(element)
    if not value:
        return {"vr": vr}
    if vr == "UN" and (known := plain_elements([Raw(int(element.tag), None, value)], True, lambda _: None)):
        return known[uri.rpartition("/")[2]]  # too long for its VR in an explicit syntax: PS3.5 6.2.2
    if len(value) > MOST_INLINE:
        return {"vr": vr, "BulkDataURI": uri}
    return {"vr": vr, "InlineBinary": base64.b64encode(_little_endian(value, vr, big_endian)).decode("ascii")}


def _bytes(element: Any) -> bytes:
    value = element.value
    if isinstance(value, list | tuple) or hasattr(value, "typecode"):
        raise TypeError("not bytes")
    return bytes(value or b"")


def _little_endian(value: bytes, vr: str, big_endian: bool) -> bytes:
    """The value in the byte order of PS3.18 F.2.7."""
    width = WORDS.get(vr, 1)
    if not big_endian or width == 1:
        return value
    whole = len(value) // width * width
    swapped = bytearray(whole)
    for place in range(width):
        swapped[place::width] = value[width - 1 - place : whole : width]
    return bytes(swapped) + value[whole:]


def bulk_value(parsed: Parsed, uri: str) -> bytes:
    """The value that a BulkDataURI of ``metadata`` stands for, little-endian; encapsulated pixels with their items.

    Raises NoSuchValue.
    """
    match = URI.fullmatch(uri)
    if not match:
        raise NoSuchValue
    first, *path = match[1].split("/")
    if not path and parsed.pixels and first == f"{parsed.pixels.tag:08X}":
        return _pixel_value(parsed)
    try:
        element = parsed.dataset[int(first, 16)]
        for item, tag in zip(path[::2], path[1::2], strict=True):
            element = element.value[int(item)][int(tag, 16)]
        vr = str(_AMBIGUOUS.get(element.VR, element.VR))
        if vr not in BULK_VRS:
            raise NoSuchValue
        return _little_endian(_bytes(element), vr, parsed.is_big_endian)
    except Exception:  # a missing tag or item, a plain value, or one that pydicom cannot convert
        raise NoSuchValue from None


def _pixel_value(parsed: Parsed) -> bytes:
    pixels = parsed.pixels
    if pixels is None:
        raise NoSuchValue
    if pixels.length is not None:
        return _little_endian(pixels.read(0, pixels.length), pixels.vr, parsed.is_big_endian)
    from pydicom.filereader import read_undefined_length_value
    from pydicom.tag import SequenceDelimiterTag

    pixels.source.seek(pixels.offset)
    value = read_undefined_length_value(pixels.source, True, SequenceDelimiterTag)
    return bytes(value or b"")
