"""Attribute matching of PS3.4 C.2.2.2, each way by itself; which server knows which way stands in its own file."""

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

DATE_RANGE = re.compile(r"(\d{8})?-(\d{8})?|\d{8}")


def equal(values: Iterable[str], wanted: str, fold: bool = False) -> bool:
    if fold:
        return any(value.casefold() == wanted.casefold() for value in values)
    return wanted in values


def wild(values: Iterable[str], pattern: str, fold: bool = False, one: str = ".") -> bool:
    """``*`` is any text, ``?`` any one character (``one``: which)."""
    body = "".join({"*": ".*", "?": one}.get(character, re.escape(character)) for character in pattern)
    expression = re.compile(body, re.DOTALL | (re.IGNORECASE if fold else 0))
    return any(expression.fullmatch(value) for value in values)


def within(values: Iterable[str], text: str) -> bool:
    """``a``, ``a-b``, ``a-`` or ``-b``, both ends included; dates compare as text."""
    if "-" not in text:
        return text in values
    low, high = text.split("-", 1)
    return any((not low or value >= low) and (not high or value <= high) for value in values if value)


def words(name: str) -> list[str]:
    """The parts of a name, without case and accents."""
    plain = unicodedata.normalize("NFKD", name)
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return [word for word in re.split(r"[\s^=,]+", plain.casefold()) if word]


def any_prefix(values: Iterable[str], wanted: str) -> bool:
    """Google's fuzzy matching: any word asked for is the beginning of any word held."""
    held = [word for value in values for word in words(value)]
    return any(word.startswith(part) for part in words(wanted) for word in held)


_SOUNDS = {
    letter: digit for digit, letters in enumerate(("bfpv", "cgjkqsxz", "dt", "l", "mn", "r"), 1) for letter in letters
}


def soundex(word: str) -> str:
    """The first letter and how the next consonants sound: Meyer and Maier are one."""
    digits = [_SOUNDS.get(letter, 0) for letter in word if letter not in "hw"]
    changed = [digit for before, digit in pairwise(digits) if digit != before and digit]
    return f"{word[:1]}{''.join(map(str, changed))}000"[:4]


def sounds_like(values: Iterable[str], wanted: str) -> bool:
    """A simple stand-in for dcm4chee's ESoundex: every word asked for sounds like some word held."""
    held = {soundex(word) for value in values for word in words(value)}
    asked = {soundex(word) for word in words(wanted.replace("*", ""))}
    return bool(asked) and asked <= held
