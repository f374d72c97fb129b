"""Whether two DICOM JSON objects say the same: what an archive holds against a file that may be sent."""

import math
from collections.abc import Mapping
from typing import Any

from .identifying import NAMING
from .tags import by_tag
from .values import BULK_VRS, INTEGER_VRS, NUMBER_VRS, DicomJson, clean, person_name

LONGEST = 1 << 20
TEXT_VRS = frozenset({"AE", "AS", "CS", "DA", "DT", "LO", "LT", "SH", "ST", "TM", "UC", "UI", "UR", "UT"})
# What an archive writes for itself: the character set (JSON is UTF-8), the syntax it holds, padding; also group 0002
OWN_OF_ARCHIVE = frozenset({"00080005", "00083002", "FFFCFFFC"})
_NAMING = {f"{tag:08X}": keyword for tag, keyword in NAMING.items()}
DOUBLE, SINGLE, NOTHING = 1e-9, 1e-6, 1e-12  # tolerances, relative but the last: numbers are written and read again


def differences(ours: DicomJson, theirs: DicomJson) -> list[str]:
    """The names of attributes that ``ours`` has and ``theirs`` lacks or has otherwise, in order of their tags.

    Bulk values and private attributes are not compared. A sequence that ``theirs`` lacks does not count, because
    archives leave large ones out of their metadata.
    """
    found = []
    for tag, element in sorted(ours.items()):
        is_private = int(tag[:4], 16) & 1
        if is_private or tag.startswith("0002") or tag in OWN_OF_ARCHIVE or _is_bulk(element) or not _values(element):
            continue
        other = theirs.get(tag)
        other = other if isinstance(other, Mapping) else {}
        is_left_out = element.get("vr") == "SQ" and not _values(other)
        if not is_left_out and not _is_bulk(other) and not _same_values(element, other):
            found.append(by_tag(tag).name)
    return found


def taken_out(ours: DicomJson, theirs: DicomJson) -> list[str]:
    """The names of attributes naming a person that ``theirs`` alone has: our file was made anonymous since."""
    return [name for tag, name in _NAMING.items() if _values(theirs.get(tag) or {}) and not _has(ours, tag)]


def _has(obj: DicomJson, tag: str) -> bool:
    element = obj.get(tag) or {}
    return bool(_values(element)) or _is_bulk(element)


def _is_bulk(element: Mapping[str, Any]) -> bool:
    return element.get("vr") in BULK_VRS or "BulkDataURI" in element or "InlineBinary" in element


def _values(element: Mapping[str, Any]) -> list[Any]:
    """The values without the empty ones at the end."""
    values = element.get("Value")
    kept = list(values) if isinstance(values, list) else []
    while kept and kept[-1] in (None, ""):
        kept.pop()
    return kept


def _same_values(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    mine, others = _values(ours), _values(theirs)
    vr = str(ours.get("vr"))
    if vr in TEXT_VRS:
        return _text(mine) == _text(others)
    return len(mine) == len(others) and all(_same(vr, one, other) for one, other in zip(mine, others, strict=True))


def _text(values: list[Any]) -> str:
    r"""Values as one text: archives split those that may hold a ``\`` (ST), or show it as the Yen sign of ISO_IR 13."""
    return clean("\\".join("" if value is None else str(value).strip() for value in values).replace("¥", "\\"), LONGEST)


def _same(vr: str, one: Any, other: Any) -> bool:
    if vr == "SQ":
        return isinstance(one, Mapping) and isinstance(other, Mapping) and not differences(one, other)
    if vr == "PN":
        return person_name(one) == person_name(other)
    if vr in NUMBER_VRS:
        return _same_number(vr, one, other)
    return clean(str(one)) == clean(str(other))


def _same_number(vr: str, one: Any, other: Any) -> bool:
    try:
        if vr in INTEGER_VRS:
            return int(one) == int(other)
        return math.isclose(float(one), float(other), rel_tol=SINGLE if vr == "FL" else DOUBLE, abs_tol=NOTHING)
    except (TypeError, ValueError, OverflowError):
        return clean(str(one)) == clean(str(other))
