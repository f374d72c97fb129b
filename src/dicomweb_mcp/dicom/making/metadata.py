"""Metadata that a caller gives (keyword -> value) -> a checked data set. Messages name attributes and never a value."""

import re
import sys
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...errors import BadArgument
from ..dates import date_range
from ..tags import Attribute, attribute
from ..uids import is_strict_uid
from .modules import (
    COMPUTED,
    COMPUTED_GROUPS,
    ENUMERATED,
    GIVEN_OF_PIXELS,
    IODS,
    QUERY_NUMBERS,
)

if TYPE_CHECKING:
    from pydicom import Dataset

MOST_ELEMENTS = 1_000
DEEPEST = 8  # sequences within sequences
LINES = frozenset("\r\n\t\f")  # in texts of several lines
LONG_TEXTS = {"LT", "ST", "UT"}  # in these a backslash is a character, elsewhere it parts values
TEXTS = {"AE", "AS", "CS", "DA", "DT", "LO", "PN", "SH", "TM", "UC", "UI", "UR"} | LONG_TEXTS
INTEGERS = {"SL", "SS", "SV", "UL", "US", "UV"}
FLOATS = {"FD", "FL"}
DECIMALS = {"DS", "IS"}
LARGEST = {"FL": 3.4028234e38}  # of 32 bits; all others have 64
HOW = {  # PS3.5 table 6.2-1
    "AE": "at most 16 characters of ASCII",
    "AS": "digits and a unit, such as 045Y, 006M or 010D",
    "CS": "at most 16 of A to Z, 0 to 9, blank and underscore",
    "DA": "a day, such as 2020-01-15 or 20200115",
    "DS": "a number of at most 16 characters",
    "DT": "such as 20200115103000 or 20200115",
    "FD": "a number",
    "FL": "a number",
    "IS": "a whole number of 32 bits",
    "LO": "text of at most 64 characters on one line",
    "LT": "text of at most 10,240 characters",
    "PN": "a name such as Doe^Jane, each part at most 64 characters",
    "SH": "text of at most 16 characters on one line",
    "ST": "text of at most 1,024 characters",
    "TM": "a time, such as 10:30:00 or 103000",
    "UC": "text on one line",
    "UI": "a UID: digits and dots, no leading zeros, at most 64 characters",
    "UR": "a URI",
    "UT": "text",
}


def checked_metadata(metadata: Mapping[str, Any]) -> "Dataset":
    """The data set of what is given. Raises BadArgument with the attribute that is wrong, and what it can be."""
    dataset = _Reader().data_set(metadata, "", 0)
    if "SOPClassUID" in dataset and dataset.SOPClassUID not in IODS:
        possible = ", ".join(f"{uid} ({iod.name})" for uid, iod in IODS.items())
        raise BadArgument(f"SOPClassUID: made here are {possible}.")
    return dataset


class _Reader:
    def __init__(self) -> None:
        self._count = 0

    def data_set(self, metadata: Mapping[str, Any], where: str, depth: int) -> "Dataset":
        from pydicom import Dataset

        if depth > DEEPEST:
            raise BadArgument(f"{where}: at most {DEEPEST} sequences can lie within each other.")
        dataset = Dataset()
        for key, value in metadata.items():
            self._count += 1
            if self._count > MOST_ELEMENTS:
                raise BadArgument(f"metadata has more than {MOST_ELEMENTS:,} attributes.")
            known = _known(str(key))
            name = f"{where}{known.keyword}"
            if not depth:
                _check_given(known)
            if known.keyword in dataset:
                raise BadArgument(f"{name} is given twice.")
            dataset[int(known.tag, 16)] = self._element(known, value, name, depth)
        return dataset

    def _element(self, known: Attribute, value: Any, name: str, depth: int) -> Any:
        from pydicom.config import RAISE
        from pydicom.dataelem import DataElement

        tag = int(known.tag, 16)
        if known.vr == "SQ":
            items = value if isinstance(value, list) else None
            if items is None or not all(isinstance(item, Mapping) for item in items):
                raise BadArgument(f"{name} is a sequence: give a list of objects of keywords.")
            sets = [self.data_set(item, f"{name}.", depth + 1) for item in items]
            return DataElement(tag, "SQ", sets)
        values = _values(known, value, name)
        _check_number(tag, len(values), name)
        try:
            return DataElement(
                tag, known.vr, values if len(values) > 1 else values[0] if values else None, validation_mode=RAISE
            )
        except (ValueError, TypeError, OverflowError):
            raise _wrong(known, name) from None


def _known(key: str) -> Attribute:
    """The attribute of a key. Raises BadArgument, with the nearest keywords for one that there is not."""
    known = attribute(key)
    if not known.keyword:
        raise BadArgument(f"{known.tag} is no attribute of the standard: only those with a keyword can be given.")
    return known


def _check_given(known: Attribute) -> None:
    tag = int(known.tag, 16)
    is_computed = known.keyword in COMPUTED or tag in QUERY_NUMBERS or tag >> 16 in COMPUTED_GROUPS
    if is_computed and known.keyword not in GIVEN_OF_PIXELS:
        raise BadArgument(
            f"{known.keyword} describes the pixels or the file, and is told from them here: leave it out."
        )


def _values(known: Attribute, value: Any, name: str) -> list[Any]:
    given = value if isinstance(value, list) else [value]
    values = [_value(known, one, name) for one in given]
    if any(one == "" for one in values) and len(values) > 1:
        raise BadArgument(f"{name}: one of its values is empty.")
    allowed = ENUMERATED.get(known.keyword)
    if allowed and not allowed.issuperset(one for one in values if one != ""):
        raise BadArgument(f"{name} must be one of {', '.join(sorted(allowed))}.")
    return [one for one in values if one != ""]


def _value(known: Attribute, value: Any, name: str) -> Any:
    """One value as pydicom takes it, "" for none. Raises BadArgument."""
    vr = known.vr
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        raise _wrong(known, name)
    if vr in INTEGERS and isinstance(value, int):
        return value
    if vr in FLOATS | DECIMALS and isinstance(value, int | float):
        if not abs(value) <= LARGEST.get(vr, sys.float_info.max):  # NaN is not, either
            raise _wrong(known, name)
        return value if vr in FLOATS else _decimal(value)
    if vr in TEXTS | DECIMALS and isinstance(value, str):
        return _text(known, value.strip(" "), name)
    if vr not in HOW and vr not in INTEGERS:
        raise BadArgument(f"{name} has binary values (VR {vr}), which cannot be given here: leave it out.")
    raise _wrong(known, name)


def _text(known: Attribute, text: str, name: str) -> str:
    vr = known.vr
    allowed = LINES if vr in LONG_TEXTS else frozenset()
    if any(unicodedata.category(char) in ("Cc", "Cs") and char not in allowed for char in text):
        raise BadArgument(f"{name} holds control characters; it can be {HOW[vr]}.")
    if "\\" in text and vr not in LONG_TEXTS:
        raise BadArgument(f"{name} holds a backslash, which parts values: give several values as a list.")
    if vr == "DA" and text:
        return _day(text, known, name)
    if vr == "TM":
        return text.replace(":", "")
    if vr == "UI" and text and not is_strict_uid(text):
        raise _wrong(known, name)
    return text


def _day(text: str, known: Attribute, name: str) -> str:
    try:
        first, last = date_range(text)
    except BadArgument:
        raise _wrong(known, name) from None
    if first != last:
        raise _wrong(known, name)
    return first


def _decimal(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.10g}"


def _check_number(tag: int, count: int, name: str) -> None:
    """The number of values against the value multiplicity of the dictionary: ``1``, ``1-3``, ``2-n``, ``3-3n``."""
    from pydicom.datadict import dictionary_VM

    multiplicity = dictionary_VM(tag)
    match = re.match(r"(\d+)(?:-(\d*)(n?))?", multiplicity)
    if not count or not match:
        return
    least, most = int(match[1]), match[2] if match[2] is not None else match[1]
    step = int(most) if match[3] and most else 1
    is_within = count % step == 0 if match[3] else count <= int(most)
    if count < least or not is_within:
        raise BadArgument(f"{name} has {count} values; it can have {multiplicity}.")


def _wrong(known: Attribute, name: str) -> BadArgument:
    return BadArgument(f"{name} is not valid (VR {known.vr}): {HOW.get(known.vr, 'a whole number in its range')}.")
