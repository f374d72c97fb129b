"""DICOM JSON (PS3.18 Annex F) -> plain values that an answer can hold.

An *object* here is one DICOM JSON object: 8 hex digits -> ``{"vr": ..., "Value": [...]}``. Everything that comes from
an archive is text of strangers: whatever becomes visible goes through ``clean``. Elements are ``dict``: whether
something is a ``Mapping`` takes six times as long to tell, and it is asked for every value of every row.
"""

import math
import re
import struct
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from operator import is_
from typing import Any, TypeAlias

from .tags import by_tag, tag_of

DicomJson: TypeAlias = Mapping[str, Any]
Plain: TypeAlias = str | int | float | list[Any] | None

DEEPEST = 64  # sequences within sequences
LONGEST_NUMBER = 40  # digits
MOST_ELEMENTS = 5_000  # of one object, without those of its sequences
MOST_VALUES = 100_000  # of one element; an explicit length of 16 bits allows for 32,767
SIMPLE = frozenset({str, int, float, bool, type(None)})
BULK_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
NUMBER_VRS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
INTEGER_VRS = NUMBER_VRS - {"DS", "FD", "FL"}
LONGEST_TEXT = 1_000
TAG = re.compile(r"[0-9A-Fa-f]{8}")
DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")


def element(obj: DicomJson, keyword: str) -> dict[str, Any] | None:
    """The raw element of a keyword, or None when the object does not have it."""
    return element_at(obj, tag_of(keyword))


def element_at(obj: DicomJson, tag: str) -> dict[str, Any] | None:
    """The raw element of a tag, or None when the object does not have it or has something else there."""
    found = obj.get(tag)
    return found if isinstance(found, dict) else None


def transfer_syntaxes(obj: DicomJson) -> list[str]:
    """The transfer syntaxes in which the archive says it holds the object: TransferSyntaxUID, which Google and files
    give, else AvailableTransferSyntaxUID."""
    for keyword in ("TransferSyntaxUID", "AvailableTransferSyntaxUID"):
        if values := [str(value).strip(" \0") for value in raw_values(obj, keyword)]:
            return values
    return []


def raw_values(obj: DicomJson, keyword: str) -> list[Any]:
    """The ``Value`` array without nulls; empty when the attribute is absent, empty, bulk or not an array."""
    return values_at(obj, tag_of(keyword))


def values_at(obj: DicomJson, tag: str) -> list[Any]:
    """As ``raw_values``, by tag."""
    found = element_at(obj, tag)
    values = found.get("Value") if found else None
    return [value for value in values if value is not None] if isinstance(values, list) else []


def normalized(obj: Mapping[Any, Any], depth: int = 0) -> Mapping[str, Any]:
    """The object as PS3.18 F.2.2 wants it, whatever a server wrote: tags in upper case, every element an object, its
    ``vr`` text and its ``Value`` a list of what such a value can be. What is none of that, lies deeper than DEEPEST
    sequences, or is more than an object or element can hold, is left out. What is right is not copied: there can be
    millions of it."""
    found: dict[str, Any] = {}
    right = True
    for key, element in obj.items() if len(obj) <= MOST_ELEMENTS else ():
        tag = upper_tag(key) if isinstance(element, dict) else ""
        if tag:
            found[tag] = element if _is_plain(element) else _element(tag, element, depth)
        right = right and bool(tag) and tag == key and found[tag] is element
    return obj if right and len(found) == len(obj) else found


@lru_cache(maxsize=10_000)
def upper_tag(key: object) -> str:
    """A tag in upper case, or empty for what is none."""
    return key.upper() if isinstance(key, str) and TAG.fullmatch(key) else ""


def _is_plain(element: dict[Any, Any]) -> bool:
    """Whether there is nothing to mend, as in most elements: a VR, and a list of simple values."""
    vr, values = element.get("vr"), element.get("Value", [])
    return (
        len(element) == 1 + ("Value" in element)
        and isinstance(vr, str)
        and vr != "SQ"
        and isinstance(values, list)
        and len(values) <= MOST_VALUES
        and SIMPLE.issuperset(map(type, values))
    )


def _element(tag: str, element: dict[str, Any], depth: int) -> dict[str, Any]:
    """An element with members of the right kinds; itself when it has no others."""
    kept = {name: element[name] for name in ("vr", "InlineBinary", "BulkDataURI") if isinstance(element.get(name), str)}
    vr = kept["vr"] if "vr" in kept else kept.setdefault("vr", by_tag(tag).vr)
    if "Value" in element:
        values = element["Value"] if isinstance(element["Value"], list) else [element["Value"]]
        if vr == "SQ":
            kept["Value"] = _items(values, depth)
        elif len(values) <= MOST_VALUES:
            kept["Value"] = values if SIMPLE.issuperset(map(type, values)) else [_simple(value) for value in values]
    right = len(kept) == len(element) and all(kept[name] is element.get(name) for name in kept)
    return element if right else kept


def _items(values: list[Any], depth: int) -> list[Any]:
    """The items of a sequence; the same list when all of them are right."""
    items = [normalized(item, depth + 1) for item in values if isinstance(item, dict)] if depth < DEEPEST else []
    right = len(items) == len(values) and all(map(is_, items, values))
    return values if right else items


def _simple(value: Any) -> Any:
    """A value that is text or a number, or the groups of a person name; None in the place of anything else."""
    if isinstance(value, dict):
        return {group: name for group, name in value.items() if isinstance(name, str)}
    return value if type(value) in SIMPLE else None


def text(obj: DicomJson, keyword: str) -> str:
    """The first value as a stripped string, exactly as the archive gave it; empty when there is none. For machines."""
    return text_at(obj, tag_of(keyword))


def text_at(obj: DicomJson, tag: str) -> str:
    """As ``text``, by tag."""
    values = values_at(obj, tag)
    if not values:
        return ""
    if isinstance(values[0], dict):
        return person_name(values[0])
    return str(values[0]).strip(" \0")


def numbers(obj: DicomJson, keyword: str) -> list[float]:
    """All values as finite floats; empty unless every one of them is such a number."""
    try:
        found = [float(value) for value in raw_values(obj, keyword)]
    except (TypeError, ValueError, OverflowError):
        return []
    return found if all(map(math.isfinite, found)) else []


def aligned_numbers(obj: DicomJson, keyword: str) -> list[float | None]:
    """All values in their places, None for what is empty or no finite number."""
    values = (element(obj, keyword) or {}).get("Value")
    return (
        [number({tag_of(keyword): {"Value": [value]}}, keyword) for value in values] if isinstance(values, list) else []
    )


def number(obj: DicomJson, keyword: str) -> float | None:
    """The first value as a finite float, or None."""
    found = numbers(obj, keyword)
    return found[0] if found else None


def integer(obj: DicomJson, keyword: str, default: int | None = None) -> int | None:
    """The first value as an int, or ``default``."""
    found = number(obj, keyword)
    return default if found is None else int(found)


def items(obj: DicomJson, keyword: str) -> list[DicomJson]:
    """The items of a sequence."""
    return [item for item in raw_values(obj, keyword) if isinstance(item, dict)]


def plain(attribute: Mapping[str, Any]) -> Plain:
    """What an answer shows of one element: None when it is empty, one value, or a list of them.

    Dates and times become ISO 8601, well-known UIDs their names, person names ``Alphabetic=Ideographic=Phonetic``,
    numbers numbers. Sequences and bulk values are not plain: ``summary`` counts and names them.
    """
    vr = attribute.get("vr", "UN")
    values = attribute.get("Value")
    if not isinstance(values, list):
        return None
    shown = [one(vr, value) for value in values]
    while shown and shown[-1] is None:
        shown.pop()
    return shown[0] if len(shown) == 1 else (shown or None)


def plain_value(obj: DicomJson, keyword: str) -> Plain:
    """What an answer shows of an attribute, by its keyword; None when it is absent or empty."""
    return plain(element(obj, keyword) or {})


def one(vr: str, value: Any) -> Plain:
    """One item of a ``Value`` array, by its VR; None for null and empty strings."""
    if value is None or value == "":
        return None
    if isinstance(value, dict):
        return person_name(value) or None if vr == "PN" else None
    if vr in NUMBER_VRS:
        return _number(vr, value)
    written = clean(str(value))
    if convert := _WRITERS.get(vr):
        written = convert(written)
    return written or None


def _number(vr: str, value: Any) -> Plain:
    if isinstance(value, str):
        stripped = value.strip(" \0")
        if not NUMBER.fullmatch(stripped):
            return f"{clean(stripped, 60)} (not a number)"
        try:
            value = int(stripped) if vr in INTEGER_VRS else float(stripped)
        except ValueError:
            return f"{clean(stripped, 60)} (not an integer)" if vr in INTEGER_VRS else f"{stripped} (not a number)"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{clean(str(value), 60)} (not a number)"
    if isinstance(value, int) and abs(value) >= 10**LONGEST_NUMBER:
        return "(a number too long to show)"
    if isinstance(value, float):
        if not math.isfinite(value):
            return f"{value} (not a number)"
        if vr in INTEGER_VRS:
            return int(value) if value.is_integer() else f"{value} (not an integer)"
        if value.is_integer():
            return int(value) if abs(value) < 1e15 else value
        return _shortest(value) if vr == "FL" else value
    return value


def _shortest(value: float) -> float:
    """A number of 32 bits as the shortest text has it that stands for it: 0.1 for 0.10000000149011612."""
    try:
        stored = struct.pack("<f", value)
        return next(
            found for digits in range(1, 10) if struct.pack("<f", found := float(f"{value:.{digits}g}")) == stored
        )
    except OverflowError:  # none of 32 bits, whatever the server says
        return value


def person_name(value: Any) -> str:
    """A PN value as DICOM writes it: ``Yamada^Tarou=山田^太郎``; a bare string is tolerated."""
    if not isinstance(value, dict):
        return clean(str(value))
    groups = [clean(str(value.get(key) or "")).rstrip("^") for key in ("Alphabetic", "Ideographic", "Phonetic")]
    return "=".join(groups).rstrip("=")


def clean(text: str, longest: int = LONGEST_TEXT) -> str:
    """Text of an archive, made harmless: one line, no control, format or bidirectional characters, capped."""
    if text.isprintable() and "  " not in text and len(text) <= longest:
        return text.strip()  # most texts are harmless: nothing invisible, no white space but single blanks
    kept = "".join(" " if char.isspace() else char for char in text if char.isspace() or _visible(char))
    kept = re.sub(r" {2,}", " ", kept).strip()
    if len(kept) > longest:
        kept = f"{kept[:longest]}... ({len(kept) - longest} more characters)"
    return kept


def clean_lines(text: str, longest: int = LONGEST_TEXT) -> list[str]:
    """Text of an archive as its lines, each made harmless by ``clean``; empty lines are left out."""
    lines = (clean(line, longest) for line in re.split(r"\r\n|[\r\n\f\v\x85\u2028\u2029]", text))
    return [line for line in lines if line]


def _visible(char: str) -> bool:
    """Not control, format, surrogate, private use or unassigned (Unicode categories C*)."""
    return (char.isascii() and char.isprintable()) or unicodedata.category(char)[0] != "C"


def iso_date(value: str) -> str:
    """``20040119`` (also the old ``2004.01.19``) -> ``2004-01-19``; anything else stays as it is."""
    match = DATE.fullmatch(value)
    return "-".join(match.groups()) if match else value


def iso_time(value: str) -> str:
    """``072730.5`` -> ``07:27:30.5``, ``0727`` -> ``07:27``; anything else stays as it is."""
    match = re.fullmatch(r"(\d{2})(?:(\d{2})(?:(\d{2})(\.\d{1,6})?)?)?", value)
    if not match:
        return value
    hours, minutes, seconds, fraction = match.groups()
    written = ":".join(part for part in (hours, minutes, seconds) if part)
    return written + (fraction.rstrip("0").rstrip(".") if fraction else "")


def iso_date_time(value: str) -> str:
    """``20040119072730.5+0100`` -> ``2004-01-19T07:27:30.5+0100``; partial dates and anything else stay as they are."""
    match = re.fullmatch(r"(\d{8})(\d{2,6}(?:\.\d{1,6})?)?([+-]\d{4})?", value)
    if not match:
        return value
    day, clock, zone = match.groups()
    return iso_date(day) + (f"T{iso_time(clock)}" if clock else "") + (zone or "")


def uid_name(value: str) -> str:
    """The name of a well-known UID (PS3.6 Annex A), such as ``CT Image Storage``; any other UID as it is."""
    from pydicom.uid import UID_dictionary

    known = UID_dictionary.get(value)
    return known[0] if known else value


@cache
def uids_by_name() -> dict[str, str]:
    """Folded name or keyword of a well-known UID -> the UID."""
    from pydicom.uid import UID_dictionary

    return {name.casefold(): uid for uid, entry in UID_dictionary.items() for name in (entry[0], entry[4]) if name}


_WRITERS = {"DA": iso_date, "TM": iso_time, "DT": iso_date_time, "UI": uid_name}
