"""Content items of structured reports (PS3.3 C.17.3): names, values and children, whatever is missing or wrong."""

import math
from collections.abc import Callable, Collection, Iterator

from ...codes import coded, meaning
from ...facts import amount, first_few
from ...values import DEEPEST, DicomJson, clean, element, integer, items, number, plain_value, raw_values, text
from ..sop_references import SopReference, reference

MOST_ITEMS = 200_000  # looked at in one report
LONGEST_PART = 200
SAME_VALUE = 1e-6  # a decimal string has 16 characters
NO_UNIT = ("1", "{1}", "{ratio}")
_SCHEMES = {"SNM3": "SRT", "99SDM": "SRT"}  # older names of one scheme, PS3.16 8.1
_MARKS = {  # what tells the value type of an item that does not name it
    "MeasuredValueSequence": "NUM",
    "ConceptCodeSequence": "CODE",
    "TextValue": "TEXT",
    "PersonName": "PNAME",
    "DateTime": "DATETIME",
    "Date": "DATE",
    "Time": "TIME",
    "UID": "UIDREF",
    "GraphicData": "SCOORD",
    "ReferencedSOPSequence": "COMPOSITE",
    "ContentSequence": "CONTAINER",
}
Concept = tuple[str, str]


def children(item: DicomJson) -> list[DicomJson]:
    return items(item, "ContentSequence")


def name(item: DicomJson) -> str:
    """The meaning of the concept name; empty when the item has none."""
    return meaning(item, "ConceptNameCodeSequence")


def concept(item: DicomJson) -> Concept:
    """Code value and scheme of the concept name."""
    found = items(item, "ConceptNameCodeSequence")
    if not found:
        return "", ""
    scheme = text(found[0], "CodingSchemeDesignator")
    return text(found[0], "CodeValue"), _SCHEMES.get(scheme, scheme)


def value_type(item: DicomJson) -> str:
    """The declared value type, else the one that the item's attributes speak for; empty when nothing tells it."""
    declared = clean(text(item, "ValueType"), 16).upper()
    return declared or next((vr for keyword, vr in _MARKS.items() if element(item, keyword) is not None), "")


def relationship(item: DicomJson) -> str:
    return clean(text(item, "RelationshipType"), 16).upper()


def walk(root: DicomJson, closed: Collection[Concept] = ()) -> Iterator[DicomJson]:
    """The items below one, in document order, at most MOST_ITEMS; not those below items of the ``closed`` concepts."""
    left = MOST_ITEMS
    stack = [iter(children(root))]
    while stack and left:
        item = next(stack[-1], None)
        if item is None:
            stack.pop()
            continue
        left -= 1
        yield item
        if (below := children(item)) and not (closed and concept(item) in closed):
            stack.append(iter(below))


def containers(root: DicomJson, concepts: Collection[Concept], closed: Collection[Concept] = ()) -> list[DicomJson]:
    """The items below one that have one of these concept names, and content."""
    return [item for item in walk(root, closed) if element(item, "ContentSequence") and concept(item) in concepts]


def target(root: DicomJson, item: DicomJson) -> DicomJson | None:
    """The item that a by-reference relationship leads to (C.17.3.2.5); the root is ``1``."""
    path = raw_values(item, "ReferencedContentItemIdentifier")
    found = root
    for ordinal in path[1:]:
        below = (element(found, "ContentSequence") or {}).get("Value")
        if not isinstance(ordinal, int) or not isinstance(below, list) or not 0 < ordinal <= len(below):
            return None
        found = below[ordinal - 1]
        if not isinstance(found, dict):
            return None
    return found if path[:1] == [1] else None


def is_by_reference(item: DicomJson) -> bool:
    return bool(raw_values(item, "ReferencedContentItemIdentifier"))


def is_modifier(item: DicomJson) -> bool:
    """Whether an item only qualifies its parent, and has nothing below it."""
    return (
        relationship(item) == "HAS CONCEPT MOD"
        and value_type(item) in ("CODE", "TEXT")
        and not element(item, "ContentSequence")
        and not is_by_reference(item)
    )


def modifiers(item: DicomJson) -> str:
    """What only qualifies an item, in brackets to be set behind it: `` [Derivation: Mean]``; or empty."""
    found = [line(child, with_code=False) for child in children(item) if is_modifier(child)]
    return f" [{'; '.join(found)}]" if found else ""


def line(item: DicomJson, *, with_code: bool = True) -> str:
    """``Diameter: 12.5 mm``: name and value, as far as the item has them."""
    return clean(": ".join(filter(None, (name(item), value_text(item, with_code=with_code)))), LONGEST_PART)


def by_reference(root: DicomJson, item: DicomJson) -> str:
    """What a by-reference relationship leads to: ``→ item 1.2.3 (Diameter: 12.5 mm)``."""
    path = raw_values(item, "ReferencedContentItemIdentifier")
    found = target(root, item)
    words = line(found) if found is not None else "there is none"
    return f"→ item {clean('.'.join(map(str, path[:DEEPEST])), LONGEST_PART)}" + (f" ({words})" if words else "")


def references(item: DicomJson) -> list[SopReference]:
    """The instances that an IMAGE, COMPOSITE or WAVEFORM item names."""
    return [reference(held) for held in items(item, "ReferencedSOPSequence")]


def value_text(item: DicomJson, *, with_code: bool = True) -> str:
    """The value as one line; empty for containers, references to instances, and values that are not there."""
    kind = value_type(item)
    if kind == "CODE":
        return (
            clean(coded(item, "ConceptCodeSequence"), LONGEST_PART)
            if with_code
            else meaning(item, "ConceptCodeSequence")
        )
    return _VALUES[kind](item) if kind in _VALUES else ""


def _value(item: DicomJson, keyword: str) -> str | int | float | None:
    """A value; the first of several as one text."""
    value = plain_value(item, keyword)
    return ", ".join(map(str, first_few(value))) if isinstance(value, list) else value


def _plain(keyword: str) -> Callable[[DicomJson], str]:
    def written(item: DicomJson) -> str:
        value = _value(item, keyword)
        return "" if value is None else str(value)

    return written


def numeric(item: DicomJson) -> tuple[str | int | float, str]:
    """Value and unit of a NUM item. Where there is no value its qualifier says why; a floating point or rational value
    that says something else than the decimal one stands behind it."""
    measured = (items(item, "MeasuredValueSequence") or [item])[0]
    value = _value(measured, "NumericValue")
    if value is None:
        value = _value(measured, "FloatingPointValue")
    qualifier = meaning(item, "NumericValueQualifierCodeSequence")
    if value is None:
        return f"no value ({qualifier})" if qualifier else "no value", ""
    more = _more_exact(measured) + (f" ({qualifier})" if qualifier else "")
    return f"{value}{more}" if more else value, unit(measured)


def _more_exact(measured: DicomJson) -> str:
    decimal, exact = number(measured, "NumericValue"), number(measured, "FloatingPointValue")
    top, bottom = number(measured, "RationalNumeratorValue"), number(measured, "RationalDenominatorValue")
    said = ""
    if decimal is not None and exact is not None and not math.isclose(decimal, exact, rel_tol=SAME_VALUE):
        said += f" (as floating point: {exact})"
    return said + (f" (= {top:.15g}/{bottom:.15g})" if top is not None and bottom else "")


def unit(measured: DicomJson) -> str:
    """A unit as people write it: the UCUM code, or its meaning where the code is hard to read; empty for none."""
    found = items(measured, "MeasurementUnitsCodeSequence")
    if not found:
        return "(no unit given)"
    code, words = clean(text(found[0], "CodeValue"), 64), clean(text(found[0], "CodeMeaning"), 64)
    if code in NO_UNIT:
        return ""
    if text(found[0], "CodingSchemeDesignator") != "UCUM" or "[" in code or not code:
        return words or code
    return code[1:-1] if code.startswith("{") and code.find("}") == len(code) - 1 else code


def _numeric_text(item: DicomJson) -> str:
    value, unit = numeric(item)
    return f"{value} {unit}" if unit else str(value)


def _points(coordinates: int) -> Callable[[DicomJson], str]:
    def written(item: DicomJson) -> str:
        shape = clean(text(item, "GraphicType"), 32) or "region"
        held = (element(item, "GraphicData") or {}).get("Value")
        return f"{shape}, {amount(len(held) // coordinates, 'point')}" if isinstance(held, list) else shape

    return written


def _times(item: DicomJson) -> str:
    kind = clean(text(item, "TemporalRangeType"), 32) or "times"
    keywords = ("ReferencedSamplePositions", "ReferencedTimeOffsets", "ReferencedDateTime")
    return f"{kind}, {amount(sum(len(raw_values(item, keyword)) for keyword in keywords), 'value')}"


def _table(item: DicomJson) -> str:
    rows, columns = integer(item, "NumberOfTableRows"), integer(item, "NumberOfTableColumns")
    return f"table of {rows} rows and {columns} columns" if rows is not None and columns is not None else "table"


_VALUES: dict[str, Callable[[DicomJson], str]] = {
    "TEXT": _plain("TextValue"),
    "NUM": _numeric_text,
    "PNAME": _plain("PersonName"),
    "DATE": _plain("Date"),
    "TIME": _plain("Time"),
    "DATETIME": _plain("DateTime"),
    "UIDREF": _plain("UID"),
    "SCOORD": _points(2),
    "SCOORD3D": _points(3),
    "TCOORD": _times,
    "TABLE": _table,
}
REFERRING = ("IMAGE", "COMPOSITE", "WAVEFORM")
KNOWN = {*_VALUES, *REFERRING, "CODE", "CONTAINER"}
