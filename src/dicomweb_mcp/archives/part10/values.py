"""Raw values of plain attributes -> DICOM JSON (PS3.18 F.2), the usual ones here, the others by pydicom."""

import base64
import math
import re
import struct
from collections.abc import Callable, Iterable, MutableSequence
from functools import cache
from typing import TYPE_CHECKING, Any

from .elements import Raw

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Element = dict[str, Any]
Slow = Callable[[int], Element | None]

_PIXEL_REPRESENTATION = 0x00280103
_DESCRIPTORS = frozenset({0x00281101, 0x00281102, 0x00281103, 0x00283002})  # their middle value has its own sign
_TEXT_VRS = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)
_NOT_PLAIN = frozenset({"SQ", "OB", "OD", "OF", "OL", "OV", "OW", "UN", "OB or OW", "US or OW", "US or SS or OW"})


def plain_elements(values: Iterable[Raw], little: bool, slow: Slow) -> dict[str, Element]:
    """DICOM JSON of raw values; ``slow`` gives the element of a tag whose value is not a usual one."""
    elements: dict[str, Element] = {}
    signed = False
    for tag, vr, value in values:
        if tag < 0x00080000:
            continue  # command, meta and directory groups
        vr = vr or _dictionary_vr(tag)
        if vr == "US or SS" and tag not in _DESCRIPTORS:
            vr = "SS" if signed else "US"
        elif tag == _PIXEL_REPRESENTATION:
            signed = any(value)
        found: Element | None = {"vr": vr}
        convert = _CONVERTERS.get(vr)
        if convert is None:
            found = slow(tag)
        elif value:
            try:
                if converted := convert(value, little):
                    found = {"vr": vr, "Value": converted}
            except (ValueError, struct.error):
                found = slow(tag)
        if found is not None:
            elements[f"{tag:08X}"] = found
    return elements


def by_pydicom(dataset: "Dataset", tag: int) -> Element | None:
    """The DICOM JSON of a plain element as pydicom converts it; None for bulk and sequences."""
    try:
        element = dataset[tag]
        return None if element.VR in _NOT_PLAIN else tidy(element.to_json_dict(None, 0))
    except Exception:  # one broken value must not cost the file
        return as_written(dataset, tag)


def as_written(dataset: "Dataset", tag: int) -> Element:
    """A value that breaks the rules of its VR as it stands in the file, so that it is not taken for absent: text as
    it is written, anything else as bytes of the VR UN."""
    raw = dataset.get_item(tag, keep_deferred=True)  # without it, an empty value is converted after all
    value, vr = getattr(raw, "value", None), getattr(raw, "VR", None)
    vr = str(vr or _dictionary_vr(tag))
    if not isinstance(value, bytes):  # pydicom took it, and could not write it
        texts = value if isinstance(value, MutableSequence) else [value]
        value = "\\".join(map(str, texts)).encode("utf-8", "replace")
    if vr not in _TEXT_VRS:
        return {"vr": "UN", "InlineBinary": base64.b64encode(value).decode("ascii")} if value else {"vr": vr}
    texts = [part.strip(" \0") for part in value.decode("utf-8", "backslashreplace").split("\\")]
    values = [{"Alphabetic": text} if vr == "PN" and text else text or None for text in texts]
    return {"vr": vr, "Value": values} if any(values) else {"vr": vr}


def tidy(element: Element) -> Element:
    """pydicom's DICOM JSON of a plain element, as PS3.18 F.2 wants it: no bare NaN, null for an empty value."""
    vr = "US" if element["vr"] == "US or SS" else element["vr"]
    if vr == "PN":
        keys = ("Alphabetic", "Ideographic", "Phonetic")
        values = [_groups([str(value.get(key) or "") for key in keys]) for value in element.get("Value", [])]
    else:
        values = [_tidy_value(value) for value in element.get("Value", [])]
    return {"vr": vr, "Value": values} if any(value is not None for value in values) else {"vr": vr}


def _tidy_value(value: Any) -> Any:
    if isinstance(value, float):
        return finite(float(value))
    return str(value).rstrip("\0 ") or None if isinstance(value, str) else value


def finite(number: float) -> float | str:
    """The number, or a string where JSON has no number for it."""
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


@cache
def _dictionary_vr(tag: int) -> str:
    from pydicom.datadict import dictionary_VR

    try:
        return str(dictionary_VR(tag))
    except KeyError:
        return "UN"


def _text(value: bytes) -> str:
    if b"\x1b" in value:
        raise ValueError("escape sequences need the character set")
    return value.decode("ascii").rstrip("\0 ")


def _texts(value: bytes, _: bool) -> list[Any]:
    text = _text(value)
    if "\\" not in text:
        return [text] if text else []
    values = [part.rstrip("\0 ") or None for part in text.split("\\")]
    return values if any(values) else []


def _one_text(value: bytes, _: bool) -> list[Any]:
    text = _text(value)
    return [text] if text else []


def _names(value: bytes, _: bool) -> list[Any]:
    names = [_groups(name.split("=")) for name in _text(value).split("\\")]
    return names if any(names) else []


def _groups(texts: list[str]) -> dict[str, str] | None:
    groups = zip(("Alphabetic", "Ideographic", "Phonetic"), texts, strict=False)
    return {key: text for key, text in groups if text} or None


def _decimals(value: bytes, little: bool) -> list[Any]:
    return [None if part is None else finite(float(part)) for part in _texts(value, little)]


_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*")


def _integers(value: bytes, little: bool) -> list[Any]:
    parts = _texts(value, little)
    if not all(part is None or _INTEGER.fullmatch(part) for part in parts):
        raise ValueError("not integers")
    return [None if part is None else int(part) for part in parts]


def _binary(code: str) -> Callable[[bytes, bool], list[Any]]:
    width = struct.calcsize(f"<{code}")

    def convert(value: bytes, little: bool) -> list[Any]:
        numbers = struct.unpack(f"{'<' if little else '>'}{len(value) // width}{code}", value)
        return [finite(number) for number in numbers] if code in "fd" else list(numbers)

    return convert


_BINARY = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_CONVERTERS: dict[str, Callable[[bytes, bool], list[Any]]] = {
    **dict.fromkeys(("AE", "AS", "CS", "DA", "DT", "LO", "SH", "TM", "UC", "UI"), _texts),
    **dict.fromkeys(("LT", "ST", "UR", "UT"), _one_text),
    "PN": _names,
    "DS": _decimals,
    "IS": _integers,
    **{vr: _binary(code) for vr, code in _BINARY.items()},
}
