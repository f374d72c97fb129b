"""Attributes of an image wherever it has them, as short phrases with units."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ..codes import meaning
from ..functional_groups import MOST_FRAMES, PER_FRAME, SHARED, flattened
from ..tags import attribute, tag_of
from ..values import NUMBER_VRS, DicomJson, clean, items, number, numbers, raw_values, text, text_at, values_at

LONGEST = 120  # characters of one text
MOST_VALUES = 6  # of one attribute

NO_WORDS: Mapping[str, str] = {}


@dataclass(frozen=True)
class Part:
    """One attribute within a phrase.

    ``label`` stands before it; an attribute with ``plain_label=False`` needs none where it has one value with a unit.
    ``words`` translates coded values; those that become empty are left out. Numbers that are not ``> 0`` say nothing,
    unless they may be by ``signed``.
    """

    keyword: str
    unit: str = ""
    label: str = ""
    plain_label: bool = True
    words: Mapping[str, str] = field(default_factory=dict)
    signed: bool = False
    in_groups: bool = False  # an attribute of functional groups, which no search returns


Phrase = Sequence[Part | tuple[Part, ...]]
"""Parts in a row; of a tuple the first that has a value."""


class Reading:
    """The attributes of an image: at the top level, or in any functional group of its first frame.

    ``varying`` has words for the attributes that differ within the series.
    """

    def __init__(self, obj: DicomJson, varying: Mapping[str, str]) -> None:
        self.varying = varying
        self._per_frame = items(obj, PER_FRAME)
        frame = self._per_frame[0] if self._per_frame else {}
        self._macros = {tag: macro for macro in frame for tag in _inside(frame, macro)}
        shared = items(obj, SHARED)
        self.view: DicomJson = {**obj, **(_held(flattened(shared[0])) if shared else {}), **_held(flattened(frame))}

    def text(self, keyword: str) -> str:
        """The first value as clean text."""
        return clean(text(self.view, keyword), LONGEST)

    def texts(self, keyword: str) -> list[str]:
        """All values as clean text."""
        return [clean(str(value), LONGEST) for value in islice(raw_values(self.view, keyword), 16)]

    def number(self, keyword: str) -> float | None:
        return number(self.view, keyword)

    def positive(self, keyword: str) -> float | None:
        """A number that is greater than 0, else None."""
        found = number(self.view, keyword)
        return found if found is not None and found > 0 else None

    def items(self, keyword: str, most: int = MOST_VALUES) -> list["Reading"]:
        """The first items of a sequence."""
        return [Reading(item, NO_WORDS) for item in items(self.view, keyword)[:most]]

    def meaning(self, keyword: str) -> str:
        """The meaning of the first code of a sequence."""
        return clean(meaning(self.view, keyword), LONGEST)

    def private_tag(self, creator: str, group: str, element: str) -> str:
        """The tag of a private attribute by its creator (PS3.5 7.8.1); empty when the image does not have it."""
        for block in range(0x10, 0x100):
            if text_at(self.view, f"{group}00{block:02X}") == creator:
                tag = f"{group}{block:02X}{element}"
                return tag if isinstance(self.view.get(tag), dict) else ""
        return ""

    def part(self, part: Part) -> str:
        """The words for one part; empty when there is no such value."""
        words = self.varying.get(part.keyword) or self._over_frames(part)
        if words:
            return f"{part.label} {words}".strip()
        said = self._said(part)
        if not said:
            return ""
        return f"{part.label if part.plain_label else ''} {said} {part.unit}".strip()

    def phrase(self, phrase: Phrase) -> str:
        """The words for a phrase; empty when nothing of it is there."""
        found = (self._first(part) if isinstance(part, tuple) else self.part(part) for part in phrase)
        return ", ".join(filter(None, found))

    def phrases(self, phrases: Sequence[Phrase]) -> list[str]:
        return [said for phrase in phrases if (said := self.phrase(phrase))]

    def _first(self, parts: tuple[Part, ...]) -> str:
        return next((said for part in parts if (said := self.part(part))), "")

    def _said(self, part: Part) -> str:
        vr = attribute(part.keyword).vr
        if vr == "SQ":
            return self.meaning(part.keyword)
        if vr in NUMBER_VRS:
            return _numbers(self.view, part)
        values = [part.words.get(value.upper(), value) for value in self.texts(part.keyword)]
        return ", ".join(list(filter(None, values))[:MOST_VALUES])

    def _over_frames(self, part: Part) -> str:
        """Words for an attribute that differs among the frames of this object."""
        tag = tag_of(part.keyword)
        if tag not in self._macros or len(self._per_frame) < 2:
            return ""
        seen: set[str] = set()
        values: list[float] = []
        for group in islice(self._per_frame, MOST_FRAMES):
            found = _inside(group, self._macros[tag])
            key = repr(raw_values(found, part.keyword))
            if key not in seen:
                values += numbers(found, part.keyword)[:1]
            seen.add(key)
        if len(seen) < 2:
            return ""
        if len(values) == len(seen):
            unit = f" {part.unit}" if part.unit else ""
            return f"{shown(min(values))}..{shown(max(values))}{unit} ({len(seen)} values)"
        return f"of {len(seen)} values over the frames"


def first_number(element: Mapping[str, Any]) -> float | None:
    """The first number of an element, also of one that came as bytes of digits; None when there is none."""
    values, inline = element.get("Value"), element.get("InlineBinary")
    try:
        if isinstance(inline, str):
            return float(base64.b64decode(inline[:64]).decode("ascii").split("\\")[0])
        return float(values[0]) if isinstance(values, list) else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def fields(phrases: Sequence[Phrase]) -> tuple[str, ...]:
    """The keywords of phrases that a search can return."""
    parts = [part for phrase in phrases for item in phrase for part in (item if isinstance(item, tuple) else (item,))]
    return tuple(dict.fromkeys(part.keyword for part in parts if not part.in_groups))


def shown(value: float) -> str:
    """A number as people write it, with the digits that single precision has."""
    return f"{value:.7g}" if abs(value) < 1e15 else f"{value:g}"


def _inside(group: DicomJson, macro: str) -> DicomJson:
    """The first item of a macro, by its tag."""
    items = values_at(group, macro)[:1]
    return items[0] if items and isinstance(items[0], dict) else {}


def _held(macros: DicomJson) -> dict[str, Any]:
    """Those attributes that have a value."""
    return {tag: found for tag, found in macros.items() if isinstance(found, dict) and found.get("Value")}


def _numbers(view: DicomJson, part: Part) -> str:
    values = numbers(view, part.keyword)[:MOST_VALUES]
    if not values or not (part.signed or all(value > 0 for value in values)):
        return ""
    return " x ".join(map(shown, values)) if len(values) == 2 else ", ".join(map(shown, values))
