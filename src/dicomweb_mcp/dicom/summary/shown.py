"""One element as an answer shows it, or in few words what it is: sequences that are long, and bulk values."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..codes import code_text
from ..tags import by_tag
from ..units import unit_of
from ..values import BULK_VRS, DicomJson, Plain, items, plain, text
from .private import creator_of, known_element, private_name
from .spread import condensed, counted

LONGEST_SEQUENCE = 400  # characters of JSON that a sequence may take within an answer
LONGEST_ASKED_FOR = 8_000  # the same of one that was asked for by name
LONGEST_CODES = 300
MOST_ITEMS = 50
MOST_VALUES = 30  # of one element, or of one path in one object
MOST_PATHS = 200  # within a sequence, of which the best are suggested
TELLING = (
    "ImagePositionPatient", "SegmentLabel", "ROIName", "BeamName", "AnnotationGroupLabel", "ReferencedSOPInstanceUID",
    "ColumnPositionInTotalImagePixelMatrix", "TextValue", "ConceptNameCodeSequence",
)  # fmt: skip
NAMING = ("SegmentedPropertyTypeCodeSequence", "AnnotationPropertyTypeCodeSequence", "ConceptNameCodeSequence")


class Shown(NamedTuple):
    """A value, or in its place a note that says why there is none; neither for what is empty."""

    value: Plain = None
    note: str = ""


@dataclass(frozen=True)
class Reader:
    """How elements of one attribute are shown: ``path`` is its name, ``longest`` the room for a sequence, ``suggests``
    whether a note says what lies in the sequence and how to ask for it."""

    path: str
    keyword: str
    tag: str
    creator: str = ""
    longest: int = LONGEST_SEQUENCE
    suggests: bool = False

    def one(self, element: Mapping[str, Any]) -> Shown:
        if not element:
            return Shown()
        element = known_element(element, self.tag, self.creator)
        vr = element.get("vr", "UN")
        if vr == "SQ":
            return self._sequence(element)
        if "BulkDataURI" in element or "InlineBinary" in element or vr in BULK_VRS:
            return Shown(note=_bulk(vr, element))
        value = plain(element)
        return Shown(self._fitting(value, vr) if isinstance(value, list) else value)

    def several(self, elements: list[Mapping[str, Any]], vr: str) -> Shown:
        """What stands at one path in several items of a sequence."""
        shown = list(map(self.one, elements))
        if len(shown) == 1:
            return shown[0]
        notes = [note for _, note in shown if note]
        if len(notes) == len(shown) or (notes and all(value is None for value, _ in shown)):
            return Shown(note=f"{len(notes):,} not shown, such as a {notes[0]}")
        values = [note or value for value, note in shown]
        return Shown(self._fitting(values, vr)) if any(value is not None for value in values) else Shown()

    def _fitting(self, values: list[Any], vr: str) -> Plain:
        """Values as they are, or in words where there are many."""
        return condensed(values, vr, unit_of(self.keyword)) if len(values) > MOST_VALUES else values

    def _sequence(self, element: Mapping[str, Any]) -> Shown:
        values = element.get("Value")
        found = [item for item in values if isinstance(item, Mapping)] if isinstance(values, list) else []
        if not found:
            return Shown()
        if len(found) <= MOST_ITEMS:
            shown: list[Any] = [_item(item) for item in found]
            if len(json.dumps(shown, ensure_ascii=False)) <= self.longest:
                return Shown(shown[0] if len(shown) == 1 else shown)
        note = f"sequence of {len(found):,} item{'s' * (len(found) > 1)}"
        return Shown(note=note + _contents(found) + _call(self.path, found) if self.suggests else note)


def _bulk(vr: str, element: Mapping[str, Any]) -> str:
    inline = element.get("InlineBinary")
    size = f" of {len(inline) * 3 // 4 - inline[-2:].count('='):,} bytes" if isinstance(inline, str) else ""
    return f"bulk value ({vr}){size}, not shown"


def _item(item: DicomJson) -> Any:
    """An item of a sequence: a code as ``meaning (value, scheme)``, anything else as an object of its attributes."""
    if code := text(item, "CodeMeaning") and code_text(item):
        return code
    shown: dict[str, Any] = {}
    for tag in sorted(item):
        if isinstance(item[tag], Mapping):
            attribute = by_tag(tag)
            creator = creator_of(item, tag) if attribute.is_private else ""
            value, note = Reader("", attribute.keyword, tag, creator).one(item[tag])
            if value is not None or note:
                shown[private_name(tag, creator) if creator else attribute.name] = note or value
    return shown


def _contents(found: list[Mapping[str, Any]]) -> str:
    """``: Liver (10200004, SCT), Spleen (...)``: what the items are, by their codes; empty where they have none."""
    counts = counted([code for item in found if (code := _code(item))])
    written, shown = "", 0
    for value, count in counts:
        entry = f"{value}" + (f" ({count} times)" if count > 1 else "")
        if len(written) + len(entry) > LONGEST_CODES:
            break
        written, shown = f"{written}, {entry}" if written else entry, shown + 1
    if not shown:
        return ""
    return f": {written}" + (f" and {len(counts) - shown:,} others" if shown < len(counts) else "")


def _code(item: DicomJson) -> str:
    """The code that an item is, or that names it."""
    if code := text(item, "CodeMeaning") and code_text(item):
        return code
    named = (code_text(code) for keyword in NAMING for code in items(item, keyword)[:1])
    return next(named, "")


def _call(path: str, found: list[Mapping[str, Any]]) -> str:
    """The ``fields`` that read what lies in a sequence."""
    below = list(zip(_below(found[0], 5), range(MOST_PATHS), strict=False))
    keywords = [keyword for keyword, _ in below]
    if not path or not keywords:
        return ""
    best = next((one for name in TELLING for one in keywords if one.rpartition(".")[2] == name), keywords[0])
    return f"; fields={json.dumps([f'{path}.{best}'])}"


def _below(item: DicomJson, depth: int) -> Iterator[str]:
    """Dotted paths of the attributes in an item that are neither bulk nor private."""
    for tag in sorted(item):
        keyword, element = by_tag(tag).keyword, item[tag]
        if not keyword or not isinstance(element, Mapping):
            continue
        inner = items(item, keyword)
        if inner and not text(inner[0], "CodeMeaning"):
            yield from (f"{keyword}.{path}" for path in _below(inner[0], depth - 1)) if depth else ()
        elif element.get("Value"):
            yield keyword
