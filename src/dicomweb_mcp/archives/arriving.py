"""A JSON list of objects (PS3.18 Annex F) that is split while it arrives.

Memory is that of one object and a little more, whatever the body's size. Ends of objects are guessed by counting
braces, which is fast and goes wrong where strings hold braces: msgspec confirms what was guessed, and where it does
not, an exact scanner finds the ends.
"""

import re
from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

from ..dicom.encoded import encoded_objects
from ..dicom.values import DicomJson
from .objects import check_count, leniently
from .wire import MiB, too_large

RUN = MiB // 16  # bytes of whole objects that are split at once
SUSPICIOUS = MiB  # bytes without an end of an object: either it is large, or strings hold braces
MOST_OBJECT = 64 * MiB
BEGINNING = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*+\[[ \t\r\n]*+(?=\{)")
BETWEEN = re.compile(rb"\}[ \t\r\n]*+,[ \t\r\n]*+\{")
SEPARATOR = re.compile(rb"[ \t\r\n]*+,[ \t\r\n]*+(?=\{)")
# What changes no depth, and objects that hold no other: not too many at once, because nothing else runs meanwhile
LEVEL = re.compile(rb'(?:[^"{}]++|"(?:[^"\\]++|\\.)*+"|\{(?:[^"{}]++|"(?:[^"\\]++|\\.)*+")*+\}){0,200}+', re.DOTALL)


class Cut(NamedTuple):
    """Where the last of the whole objects ends, and where the next one begins."""

    end: int
    next: int


class Arriving:
    """The objects of one body. Those of an empty one are none; NotUnderstood says what else it may be."""

    def __init__(self, archive: str) -> None:
        self.count = 0
        self._archive = archive
        self._held = BytesIO()
        self._due = RUN
        self._begun = False
        self._start = 0  # of the first object that was not given yet
        self._scanned, self._depth = 0, 0

    @property
    def size(self) -> int:
        """Bytes that are held and were not given yet."""
        return self._held.tell() - self._start

    @property
    def is_due(self) -> bool:
        """Whether it is time to ask for ``whole``."""
        return self.size >= self._due

    def feed(self, chunk: bytes) -> None:
        if self._start:
            self._forget()
        self._held.write(chunk)
        if self.size > MOST_OBJECT:
            raise too_large(self._archive, MOST_OBJECT)

    def whole(self) -> Sequence[DicomJson]:
        """Some of the objects that have arrived whole; more of the body must follow them."""
        held = self._held.getvalue()
        if not self._begun:
            beginning = BEGINNING.match(held)
            if beginning is None:  # no list of objects, or not in UTF-8: it is read when it is there
                self._due = MOST_OBJECT + 1
                return []
            self._begun, self._start, self._scanned = True, beginning.end(), beginning.end()
        cut = _by_count(held, self._start)
        found = None if cut is None else _strictly(_list(held, self._start, cut.end))
        if found is None and (cut or self.size >= SUSPICIOUS):
            cut = self._by_scanning(held)
            found = None if cut is None else self._read(_list(held, self._start, cut.end))
        if cut is None or found is None:
            self._due = 2 * self.size
            return []
        self._start, self._scanned, self._depth, self._due = cut.next, cut.next, 0, RUN
        return self._counted(found)

    def rest(self) -> Sequence[DicomJson]:
        """The objects that were not given yet, when the body is at its end."""
        held = self._held.getvalue()
        if self._begun:
            held = b"[" + held[self._start :]
        self._held, self._start = BytesIO(), 0
        return self._counted(self._read(held)) if held and not held.isspace() else []

    def _forget(self) -> None:
        """Let go of what was given."""
        rest = self._held.getvalue()[self._start :]
        self._held = BytesIO()
        self._held.write(rest)
        self._scanned -= self._start
        self._start = 0

    def _counted(self, found: Sequence[DicomJson]) -> Sequence[DicomJson]:
        self.count += len(found)
        check_count(self._archive, self.count)
        return found

    def _read(self, body: bytes) -> Sequence[DicomJson]:
        found = _strictly(body)
        return leniently(self._archive, body) if found is None else found

    def _by_scanning(self, held: bytes) -> Cut | None:
        """As ``_by_count``, exactly; goes on where the last scan of the same object ended."""
        at, depth, cut = self._scanned, self._depth, None
        while (at := _past_level(held, at)) < len(held) and held[at] != ord('"'):
            depth += 1 if held[at] == ord("{") else -1
            at += 1
            if depth == 0:
                separator = SEPARATOR.match(held, at)
                if separator is None:  # the end, or no list of objects: known when all is there
                    at, depth = at - 1, 1
                    break
                cut = Cut(at, separator.end())
                at = separator.end()
                if at - self._start >= RUN:
                    break
        self._scanned, self._depth = at, depth
        return cut


def _by_count(held: bytes, start: int) -> Cut | None:
    """The last cut between objects, or the first behind enough of them, if no string holds a brace."""
    depth, at, cut = 0, start, None
    for between in BETWEEN.finditer(held, start):
        end = between.start() + 1
        depth += held.count(b"{", at, end) - held.count(b"}", at, end)
        at = end
        if depth == 0:
            cut = Cut(end, between.end() - 1)
            if end - start >= RUN:
                break
    return cut


def _past_level(held: bytes, at: int) -> int:
    """The next brace that changes the depth, the quote of a string that is not whole, or the end."""
    while (found := LEVEL.match(held, at)) and found.end() > at:
        at = found.end()
    return at


def _list(held: bytes, start: int, end: int) -> bytes:
    return b"".join((b"[", memoryview(held)[start:end], b"]"))


def _strictly(body: bytes) -> Sequence[DicomJson] | None:
    """The objects of a list to the letter of the standard, None where it is none."""
    try:
        return encoded_objects(body)
    except (ValueError, RecursionError):
        return None
