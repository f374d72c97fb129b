"""One condition on one attribute, and whether a DICOM JSON object meets it (PS3.4 C.2.2.2).

This is the only place where matching is written: the folder archive decides by it, a web archive uses it for what its
server cannot match and to notice a server that ignored a filter. Text is compared without regard to case, because
servers differ and a missed study is worse than one too many that can be seen; UIDs and numbers are compared exactly.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from .rules import TEXT_VRS, Match
from .tags import Attribute
from .values import NUMBER_VRS, DicomJson, element_at, iso_date, person_name, values_at


@dataclass(frozen=True)
class Exact:
    """Single value matching, C.2.2.2.1; list of UID matching is several of them."""

    text: str


@dataclass(frozen=True)
class Wildcard:
    """``*`` is any run of characters, ``?`` any one character, C.2.2.2.4."""

    pattern: str


@dataclass(frozen=True)
class Range:
    """Both ends included (C.2.2.2.5) unless ``strict``; an empty end is open."""

    low: str
    high: str
    strict: bool = False


@dataclass(frozen=True)
class Fuzzy:
    """Every word begins some part of the name, in any order, without accents and case."""

    words: tuple[str, ...]
    text: str


Test: TypeAlias = Exact | Wildcard | Range | Fuzzy


def _kind(test: Test) -> Match:
    match test:
        case Range(low, high) if low != high:
            return Match.RANGE
        case Wildcard():
            return Match.WILDCARD
        case Fuzzy():
            return Match.FUZZY
        case _:
            return Match.EXACT


@dataclass(frozen=True)
class Condition:
    """An attribute and one or more tests, of which one must hold. Values are in DICOM's canonical form."""

    attribute: Attribute
    tests: tuple[Test, ...]

    @property
    def needs(self) -> frozenset[Match]:
        """The ways of matching that a server must offer to take this condition."""
        kinds = {_kind(test) for test in self.tests}
        return frozenset(kinds | ({Match.LIST} if len(self.tests) > 1 else set()))

    @property
    def is_strict(self) -> bool:
        """Whether an end of a range is left out, which QIDO-RS cannot say."""
        return any(isinstance(test, Range) and test.strict for test in self.tests)

    @property
    def is_numeric_range(self) -> bool:
        return self.attribute.vr in NUMBER_VRS and any(isinstance(test, Range) for test in self.tests)

    @cached_property
    def values(self) -> tuple[str, ...]:
        """The values of the query parameter, one per test, unencoded."""
        return tuple(_wire(test) for test in self.tests)

    @property
    def wanted(self) -> str:
        """The values as a person writes them."""
        return ", ".join(_shown(self.attribute.vr, test) for test in self.tests)

    def __str__(self) -> str:
        return f"{self.attribute.name}={self.wanted}"

    def test(self, obj: DicomJson) -> bool | None:
        """Whether the object meets the condition, which an empty attribute never does; None when it does not carry
        the attribute at all."""
        if element_at(obj, self.attribute.tag) is None:
            return None
        return any(self._meets(value) for value in values_at(obj, self.attribute.tag))

    def _meets(self, value: Any) -> bool:
        return any(_meets(self.attribute.vr, test, value) for test in self.tests)


def _wire(test: Test) -> str:
    match test:
        case Exact(text) | Wildcard(text) | Fuzzy(text=text):
            return text
        case Range(low, high):
            return low if low == high else f"{low}-{high}"


def _shown(vr: str, test: Test) -> str:
    match test:
        case Range(low, high) if vr == "DA":
            return iso_date(low) if low == high else f"{iso_date(low)}..{iso_date(high)}"
        case Range(low, high, strict):
            if strict:
                return f">{low}" if low else f"<{high}"
            return low if low == high else f"{low}..{high}"
        case Fuzzy(text=text):
            return f"{text} (fuzzy)"
        case _:
            return _wire(test)


def _meets(vr: str, test: Test, value: Any) -> bool:
    if vr == "PN":
        return _meets_name(test, value)
    if isinstance(value, Mapping):
        return False
    if vr in NUMBER_VRS:
        return _meets_number(test, value)
    text = str(value).strip(" \0")
    if isinstance(test, Range):
        return bool(text) and _in_range(test, *_extent(vr, text))
    if vr in TEXT_VRS:
        return _meets_text(test, text)
    return isinstance(test, Exact) and test.text == text


def _meets_text(test: Test, text: str) -> bool:
    match test:
        case Exact(wanted):
            return _folded(text) == _folded(wanted)
        case Wildcard(pattern):
            if _pattern(_folded(pattern)).fullmatch(_folded(text)):
                return True
            # folding makes two letters of ß, which a ? would miss
            return not text.isascii() and _pattern(_lower(pattern)).fullmatch(_lower(text)) is not None
        case _:
            return False


def _meets_name(test: Test, value: Any) -> bool:
    whole = person_name(value)
    groups = [whole, *whole.split("=")]
    if isinstance(test, Fuzzy):
        parts = name_words(whole)
        return all(any(part.startswith(word) for part in parts) for word in test.words)
    return any(_meets_text(test, group) or _meets_text(test, group.rstrip("^")) for group in groups)


def _meets_number(test: Test, value: Any) -> bool:
    try:
        number = float(value)
        match test:
            case Exact(text):
                whole = isinstance(value, int) and "." not in text
                return value == int(text) if whole else number == float(text)
            case Range(low, high, strict):
                above = not low or number > float(low) or (not strict and number == float(low))
                below = not high or number < float(high) or (not strict and number == float(high))
                return above and below
            case _:
                return False
    except (TypeError, ValueError, OverflowError):
        return False  # a value that is no number meets no condition on numbers


def _in_range(test: Range, first: str, last: str) -> bool:
    return (not test.low or last >= test.low) and (not test.high or first <= test.high)


def _extent(vr: str, text: str) -> tuple[str, str]:
    """The first and last instant that a stored value may mean: a stored time of ``13`` is the whole hour."""
    if vr == "DA":
        day = iso_date(text).replace("-", "")
        return day, day
    if vr == "TM":
        whole, _, fraction = text.replace(":", "").partition(".")
        if len(whole) < 6:
            return whole.ljust(6, "0"), whole + "595959"[len(whole) :] + ".999999"
        return f"{whole}.{fraction.ljust(6, '0')}", f"{whole}.{(fraction or '').ljust(6, '0')}"
    local = re.sub(r"[+-]\d{4}$", "", text)
    first, last = "00000101000000", "99991231235959"  # what a partial date-time may mean
    if len(local) < 14:
        return local + first[len(local) :], local + last[len(local) :] + ".999999"
    return local, local.ljust(21, "9") if "." in local else f"{local}.999999"


def _pattern(pattern: str) -> re.Pattern[str]:
    parts: Mapping[str, str] = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(char, re.escape(char)) for char in pattern), re.DOTALL)


def _folded(text: str) -> str:
    """Without regard to case, and to whether an accent is a character of its own."""
    return unicodedata.normalize("NFC", text.casefold())


def _lower(text: str) -> str:
    """In lower case, every letter still one."""
    return unicodedata.normalize("NFC", text).lower()


def name_words(text: str) -> tuple[str, ...]:
    """The words of a name, folded: no case, no accents, split at everything that is not a letter or digit."""
    folded = _without_accents(_without_accents(text).casefold())  # folding can bring letters that decompose
    return tuple(re.findall(r"\w+", folded.replace("_", " ")))


def _without_accents(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def meets_all(conditions: tuple[Condition, ...], obj: DicomJson) -> bool:
    """Whether the object meets every condition; an attribute that it does not carry does not match."""
    return all(condition.test(obj) is True for condition in conditions)
