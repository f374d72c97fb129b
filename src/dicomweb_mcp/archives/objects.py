"""The DICOM JSON objects in the body of an answer (PS3.18 Annex F), one after the other.

They are parsed one at a time, so that a large answer is not held twice and other threads get their turn in between.
"""

import gc
import json
import re
from collections.abc import Iterator
from typing import Any

from ..dicom.values import DicomJson, normalized

MOST_OBJECTS = 100_000  # a few bytes each could otherwise become gigabytes
LONGEST_INTEGER = 1_000  # digits; Python refuses to convert many more
SPACE = re.compile(r"[ \t\r\n]*")
NO_OBJECTS = "answered with JSON that is no list of DICOM objects. Check that its address is the DICOMweb base."


class NoObjects(ValueError):
    """The body is no list of DICOM JSON objects: what it is instead, and what to do."""


def objects(body: bytes) -> Iterator[DicomJson]:
    """The objects of a list, normalized; none of an empty body. Raises NoObjects where it stops being such a list."""
    text = body.decode("utf-8-sig", "replace")  # a byte that is no UTF-8 costs the value that it stands in
    start = _past_space(text, 0)
    if start == len(text):
        return
    if text[start] != "[":
        raise NoObjects(_instead(text[start:]))
    try:
        for count, item in enumerate(_items(text, start + 1)):
            if count == MOST_OBJECTS:
                raise NoObjects(f"answered with more than {MOST_OBJECTS:,} objects at once. Narrow it with filters.")
            if not isinstance(item, dict):
                raise NoObjects(NO_OBJECTS)
            yield normalized(item)
    except json.JSONDecodeError:
        raise NoObjects("answered with JSON that is cut or damaged. Try again, or ask for less.") from None
    except RecursionError:
        raise NoObjects("answered with JSON that is nested without end. Tell its administrator.") from None


def _items(text: str, at: int) -> Iterator[Any]:
    """The items of a JSON list whose bracket is before ``at``."""
    at = _past_space(text, at)
    more = not text.startswith("]", at)
    while more:
        item, at = _decoded(text, at)
        yield item
        at = _past_space(text, at)
        more = text.startswith(",", at)
        at = _past_space(text, at + 1) if more else at
    if not text.startswith("]", at) or _past_space(text, at + 1) < len(text):
        raise json.JSONDecodeError("no end of the list", text, at)


def _decoded(text: str, at: int) -> tuple[Any, int]:
    """One item and where it ends. The decoder lets no other thread in, and on a large item the collector of garbage,
    which finds none, would take most of its time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _DECODER.raw_decode(text, at)
    finally:
        if collecting:
            gc.enable()


def _instead(text: str) -> str:
    """What a text is that does not begin like a list."""
    try:
        _DECODER.decode(text)
    except (ValueError, RecursionError):
        kind = "a web page" if text.startswith("<") else "something that is not JSON"
        return f"answered with {kind}. Check that its address is the DICOMweb base."
    return NO_OBJECTS


def _past_space(text: str, at: int) -> int:
    found = SPACE.match(text, at)
    return found.end() if found else at


def _integer(digits: str) -> int | str:
    """A number, or the text of one that is none of DICOM's."""
    return int(digits) if len(digits) <= LONGEST_INTEGER else digits


_DECODER = json.JSONDecoder(parse_int=_integer)
