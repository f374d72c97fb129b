"""Private attributes (PS3.5 7.8): the blocks that creators reserve in an object, and what pydicom knows of elements."""

import base64
import binascii
import re
import struct
from collections.abc import Iterable, Mapping
from typing import Any

from ..tags import Attribute
from ..values import NUMBER_VRS, DicomJson, clean, text_at

LONGEST_CREATOR = 64
LONGEST_DECODED = 4_096  # bytes
TEXT_VRS = frozenset({"AE", "AS", "CS", "DA", "DT", "LO", "LT", "SH", "ST", "TM", "UI", "UT"})
BINARY = {
    "FD": "d",
    "FL": "f",
    "SL": "i",
    "SS": "h",
    "SV": "q",
    "UL": "I",
    "US": "H",
    "UV": "Q",
}  # as struct calls them


def creator_of(obj: DicomJson, tag: str) -> str:
    """Who reserved the block of a private tag in this object or item; empty where nobody did."""
    return clean(text_at(obj, f"{tag[:4]}00{tag[4:6]}"), LONGEST_CREATOR)


def creators(obj: DicomJson, tags: Iterable[str]) -> dict[str, str]:
    """Which of an object's tags reserve blocks, and for which creators."""
    found = (tag for tag in tags if tag[4:6] == "00" and tag[3] in "13579BDF" and tag[6] != "0")
    return {tag: clean(text_at(obj, tag), LONGEST_CREATOR) for tag in found}


def located(obj: DicomJson, attribute: Attribute) -> str:
    """The tag of an attribute in this object: for one with a creator in the block that is the creator's, empty where it
    has none."""
    if not attribute.creator:
        return attribute.tag
    group, element = attribute.tag[:4], attribute.tag[6:]
    for tag in obj:
        if re.fullmatch(f"{group}00[1-9A-F][0-9A-F]", tag) and _same(text_at(obj, tag), attribute.creator):
            return f"{group}{tag[6:]}{element}"
    return ""


def private_name(tag: str, creator: str) -> str:
    """``00431039 GEMS_PARM_01 [Slop_int_6... slop_int_9]``: the tag, its creator, and what pydicom calls it."""
    if not creator:
        return tag
    known = _entry(tag, creator)
    return f"{tag} {creator}" + (f" [{known[2].strip('[]')}]" if known and known[2] else "")


def known_element(element: Mapping[str, Any], tag: str, creator: str) -> Mapping[str, Any]:
    """A private element of unknown VR as text or numbers, where pydicom knows which they are and they are short."""
    known = _entry(tag, creator) if creator and element.get("vr") == "UN" else None
    inline = element.get("InlineBinary")
    if known is None or not isinstance(inline, str) or len(inline) > LONGEST_DECODED * 4 // 3:
        return element
    vr = known[0].split(" or ")[0]
    try:
        values = _values(vr, base64.b64decode(inline, validate=True))
    except (binascii.Error, UnicodeDecodeError, struct.error):
        return element
    return element if values is None else {"vr": vr, "Value": values}


def _values(vr: str, data: bytes) -> list[Any] | None:
    """The values of a value field, which is little-endian; None for a VR that is neither text nor numbers."""
    if code := BINARY.get(vr):
        return list(struct.unpack(f"<{len(data) // struct.calcsize('<' + code)}{code}", data))
    if vr not in TEXT_VRS and vr not in NUMBER_VRS:
        return None
    written = data.decode().rstrip(" \0")  # ASCII or UTF-8: another character set would be a guess
    values = [written] if vr in ("LT", "ST", "UT") else written.split("\\")
    return [value.strip() for value in values] if vr in NUMBER_VRS else values


def _entry(tag: str, creator: str) -> tuple[str, str, str, str] | None:
    from pydicom import datadict

    try:
        return datadict.get_private_entry(int(tag, 16), creator)
    except KeyError:
        return None


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()
