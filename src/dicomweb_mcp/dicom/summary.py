"""Many attributes -> a small answer: constants once, what varies as a range or a set, what is long counted and named.

Bulk values are never shown. A sequence is shown when it is short, else its items are counted; ``fields`` reads it.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import BadArgument
from .codes import code_text
from .tags import Attribute, attribute, by_tag
from .values import BULK_VRS, DicomJson, Plain, element_at, plain, text

LONGEST_SEQUENCE = 400  # characters of JSON that a sequence may take within an answer
MOST_VALUES_SHOWN = 6
MOST_DISTINCT = 200
MOST_FIELDS = 100
UID_KEYWORDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")

Path = tuple[Attribute, ...]


@dataclass
class Varying:
    """The values of one attribute over the instances seen: at most MOST_DISTINCT of them in the order they came, and
    the range of all that are numbers."""

    counts: dict[str, int] = field(default_factory=dict)
    values: dict[str, Plain] = field(default_factory=dict)
    present: int = 0
    more: bool = False
    low: int | float = math.inf
    high: int | float = -math.inf
    numbers: int = 0

    def add(self, value: Plain) -> None:
        self.present += 1
        if isinstance(value, int | float):
            self.numbers += 1
            self.low, self.high = min(self.low, value), max(self.high, value)
        key = json.dumps(value, ensure_ascii=False)
        if key not in self.counts and len(self.counts) >= MOST_DISTINCT:
            self.more = True
            return
        self.counts[key] = self.counts.get(key, 0) + 1
        self.values.setdefault(key, value)

    @property
    def is_constant(self) -> bool:
        return len(self.counts) == 1 and not self.more

    @property
    def only(self) -> Plain:
        return next(iter(self.values.values()))

    def words(self) -> str:
        """``1..28 (28 values)`` for numbers, ``a (12), b (16)`` for few values, else how many and two of them."""
        values = list(self.values.values())
        amount = f"over {MOST_DISTINCT}" if self.more else str(len(values))
        if self.numbers == self.present and (len(values) > 2 or self.more):
            return f"{self.low}..{self.high} ({amount} values)"
        if len(values) <= MOST_VALUES_SHOWN and not self.more:
            return ", ".join(f"{_text(self.values[key])} ({count})" for key, count in self.counts.items())
        return f"{amount} values, among them {_text(values[0])} and {_text(values[1])}"


@dataclass
class Summary:
    """What instances have in common and how they differ, by attribute name; ``elided`` is what is only named."""

    instances: int = 0
    attributes: dict[str, Varying] = field(default_factory=dict)
    elided: dict[str, str] = field(default_factory=dict)
    wanted: dict[str, None] = field(default_factory=dict)

    def add(self, obj: DicomJson, wanted: Sequence[Path] | None, *, private: bool) -> None:
        """Take one instance in: the ``wanted`` paths, or all its own attributes."""
        self.instances += 1
        self.wanted.update({_name(path): None for path in wanted or ()})
        shown = _wanted(obj, wanted) if wanted else _own(obj, private=private)
        for name, value, note in shown:
            if note:
                self.elided.setdefault(name, note)
            elif value is not None:
                self.attributes.setdefault(name, Varying()).add(value)

    @property
    def constant(self) -> dict[str, Plain]:
        return {name: seen.only for name, seen in self.attributes.items() if self._is_constant(seen)}

    @property
    def varying(self) -> dict[str, str]:
        return {name: seen.words() for name, seen in self.attributes.items() if not seen.is_constant}

    @property
    def missing(self) -> dict[str, str]:
        """Attributes that some instances lack, or that were asked for and none has."""
        absent = {name: "no value" for name in self.wanted if name not in self.attributes and name not in self.elided}
        return absent | {
            name: f"{self.instances - seen.present} of {self.instances} lack it"
            + (f"; else {_text(seen.only)}" if seen.is_constant else "")
            for name, seen in self.attributes.items()
            if seen.present < self.instances
        }

    def _is_constant(self, seen: Varying) -> bool:
        return seen.is_constant and seen.present == self.instances


def parse_fields(fields: Sequence[str]) -> list[Path]:
    """``["PixelSpacing", "RequestAttributesSequence.ScheduledProcedureStepID"]`` -> paths of attributes.

    Raises UnknownAttribute or BadArgument.
    """
    if len(fields) > MOST_FIELDS:
        raise BadArgument(f"{len(fields)} fields are too many; at most {MOST_FIELDS}.")
    return [_path(text) for text in dict.fromkeys(fields)]


def _path(text: str) -> Path:
    if not text.strip():
        raise BadArgument("fields holds an empty name: give DICOM keywords such as PixelSpacing.")
    path = tuple(attribute(part) for part in text.strip().strip(".").split("."))
    for parent in path[:-1]:
        if parent.vr != "SQ" and parent.keyword:
            raise BadArgument(f"{parent.name} in fields={text[:80]!r} is no sequence, so nothing lies inside it.")
    return path


Shown = tuple[str, Plain, str]  # name, value, and in place of a value why there is none


def _own(obj: DicomJson, *, private: bool) -> Iterator[Shown]:
    """Every top-level attribute by ascending tag, private ones only when asked for."""
    hidden = 0
    for tag in sorted(obj):
        element = obj[tag]
        known = by_tag(tag)
        if known.keyword in UID_KEYWORDS:
            continue
        if known.is_private and not private:
            hidden += known.vr != "LO"  # the creators, which only name the others, are not counted
            continue
        yield _shown(known.name, element)
    if hidden:
        yield "private attributes", None, "left out; private=true shows them"


def _wanted(obj: DicomJson, paths: Sequence[Path]) -> Iterator[Shown]:
    for path in paths:
        name = _name(path)
        elements = list(_inside(obj, path))
        if len(elements) <= 1:
            yield from (_shown(name, found, LONGEST_SEQUENCE * 20) for found in elements)
            continue
        shown = [_shown(name, found) for found in elements]
        if any(value is not None for _, value, _ in shown):
            yield name, [value for _, value, _ in shown], ""
        notes = [note for _, _, note in shown if note]
        if notes:
            yield (
                name,
                None,
                f"{len(notes)} of {len(shown)} not shown, such as a {notes[0]}; ask for what lies below it",
            )


def _name(path: Path) -> str:
    return ".".join(part.name for part in path)


def _inside(obj: DicomJson, path: Path) -> Iterator[Mapping[str, Any]]:
    """The elements at a path, in every item of the sequences on the way; an empty one for an item that lacks it, so
    that the values of two paths through the same items stand side by side."""
    element = element_at(obj, path[0].tag)
    if len(path) == 1:
        yield element or {}
        return
    if element is None:
        return
    for item in element.get("Value") or ():
        if isinstance(item, Mapping):
            yield from _inside(item, path[1:])


def _shown(name: str, element: Mapping[str, Any], longest: int = LONGEST_SEQUENCE) -> Shown:
    if not element:
        return name, None, ""
    vr = element.get("vr", "UN")
    if vr == "SQ":
        return _sequence(name, element, longest)
    if "BulkDataURI" in element or "InlineBinary" in element or vr in BULK_VRS:
        return name, None, _bulk(vr, element)
    return name, plain(element), ""


def _bulk(vr: str, element: Mapping[str, Any]) -> str:
    inline = element.get("InlineBinary")
    size = f" of {len(inline) * 3 // 4 - inline[-2:].count('='):,} bytes" if isinstance(inline, str) else ""
    return f"bulk value ({vr}){size}, not shown"


def _sequence(name: str, element: Mapping[str, Any], longest: int) -> Shown:
    values = element.get("Value")
    found = [item for item in values if isinstance(item, Mapping)] if isinstance(values, list) else []
    if not found:
        return name, None, ""
    shown: list[Any] = [_item(item) for item in found[:50]]
    if len(found) > 50 or len(json.dumps(shown, ensure_ascii=False)) > longest:
        return name, None, f"sequence of {len(found)} item{'s' * (len(found) > 1)}"
    return name, shown[0] if len(shown) == 1 else shown, ""


def _item(item: DicomJson) -> Any:
    """An item of a sequence: a code as ``meaning (value, scheme)``, anything else as an object of its attributes."""
    if code := text(item, "CodeMeaning") and code_text(item):
        return code
    shown: dict[str, Any] = {}
    for tag in sorted(item):
        if isinstance(item[tag], Mapping):
            name, value, note = _shown(by_tag(tag).name, item[tag])
            if value is not None or note:
                shown[name] = note or value
    return shown


def _text(value: Plain) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
