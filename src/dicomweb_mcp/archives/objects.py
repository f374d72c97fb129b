"""The DICOM JSON objects of an answer's body (PS3.18 Annex F).

There can be 50,000 of them. A body is checked as a whole when it arrives, and an object is decoded when it is looked
at: one that nobody looks at costs next to nothing, and memory stays near the size of the body.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, overload

import msgspec
from anyio import to_thread

from ..dicom.encoded import TOLERANT, decoded, json_text, uncollected
from ..dicom.values import DicomJson, normalized
from .base import NotUnderstood

MOST_OBJECTS = 100_000  # a few bytes each could otherwise become gigabytes
MOST_BRACES = 2_000_000  # beyond, they are counted one by one: what nobody looks at takes memory too
LARGE = 1 << 20  # bytes; JSON beyond is read in a thread, so that other calls go on
FEW = 1_000  # objects; more of them are decoded when they are looked at
SPACE = re.compile(r"[ \t\r\n]*")

_split = msgspec.json.Decoder(list[msgspec.Raw]).decode


def objects(archive: str, body: bytes) -> Sequence[DicomJson]:
    """The objects of a JSON list, none for an empty body. Raises NotUnderstood for anything else."""
    if not body or body.isspace():
        return []
    if body.count(b"{") > MOST_BRACES:
        return leniently(archive, body)
    try:
        found = _split(body)
        if not body.isascii():  # what stands within quotes has not been looked at
            for raw in found:
                str(raw, "utf-8")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return leniently(archive, body)
    check_count(archive, len(found))
    if any(memoryview(raw)[0] != ord("{") for raw in found):
        raise _no_objects(archive)
    return Objects(archive, found) if found else []


async def rows_of(archive: str, body: bytes) -> Sequence[DicomJson]:
    """As ``objects``; those of a small body are decoded, because they will be looked at more than once."""
    if len(body) <= LARGE:
        return list(objects(archive, body))
    found = await to_thread.run_sync(objects, archive, body, abandon_on_cancel=True)
    return await to_thread.run_sync(list, found, abandon_on_cancel=True) if len(found) <= FEW else found


def json_list(found: Sequence[DicomJson]) -> bytes:
    """A body from which ``objects`` reads the same objects."""
    texts = found.raws if isinstance(found, Objects) else map(json_text, found)
    return b"[%b]" % b",".join(texts)


class Objects(Sequence[DicomJson]):
    """Objects that are decoded when they are looked at, each time anew."""

    def __init__(self, archive: str, raws: list[msgspec.Raw]) -> None:
        self._archive = archive
        self.raws = raws

    def __len__(self) -> int:
        return len(self.raws)

    def __iter__(self) -> Iterator[DicomJson]:
        return map(self._decoded, self.raws)

    @overload
    def __getitem__(self, at: int) -> DicomJson: ...

    @overload
    def __getitem__(self, at: slice) -> list[DicomJson]: ...

    def __getitem__(self, at: int | slice) -> DicomJson | list[DicomJson]:
        if isinstance(at, slice):
            return [self._decoded(raw) for raw in self.raws[at]]
        return self._decoded(self.raws[at])

    def _decoded(self, raw: msgspec.Raw) -> DicomJson:
        try:
            return normalized(decoded(raw))
        except RecursionError:
            raise _endless(self._archive) from None


# ---- what is no JSON to the letter and read all the same -------------------------------------------------------------


def leniently(archive: str, body: bytes) -> list[DicomJson]:
    """Bare NaN, half surrogates, UTF-16, a byte order mark; a byte that is no UTF-8 costs the value that it stands in.

    The objects are decoded one at a time, so that other threads get their turn in between.
    """
    text = body.decode(json.detect_encoding(body), "replace").removeprefix("\ufeff")
    start = _past_space(text, 0)
    if not text.startswith("[", start):
        raise _instead(archive, text[start:])
    found: list[DicomJson] = []
    try:
        for item in _items(text, start + 1):
            check_count(archive, len(found) + 1)
            if not isinstance(item, dict):
                raise _no_objects(archive)
            found.append(normalized(item))
    except json.JSONDecodeError:
        raise NotUnderstood(archive, "answered with JSON that is cut or damaged. Try again, or ask for less.") from None
    except RecursionError:
        raise _endless(archive) from None
    return found


def _items(text: str, at: int) -> Iterator[Any]:
    """The items of a JSON list whose bracket is before ``at``."""
    at = _past_space(text, at)
    more = not text.startswith("]", at)
    while more:
        item, at = uncollected(TOLERANT.raw_decode, text, at)
        yield item
        at = _past_space(text, at)
        more = text.startswith(",", at)
        at = _past_space(text, at + 1) if more else at
    if not text.startswith("]", at) or _past_space(text, at + 1) < len(text):
        raise json.JSONDecodeError("no end of the list", text, at)


def _past_space(text: str, at: int) -> int:
    found = SPACE.match(text, at)
    return found.end() if found else at


# ---- what is wrong ---------------------------------------------------------------------------------------------------


def _instead(archive: str, text: str) -> NotUnderstood:
    """What a text is that does not begin like a list."""
    try:
        TOLERANT.decode(text)
    except (ValueError, RecursionError):
        kind = "a web page" if text.startswith("<") else "something that is not JSON"
        return NotUnderstood(archive, f"answered with {kind}. Check that its address is the DICOMweb base.")
    return _no_objects(archive)


def _no_objects(archive: str) -> NotUnderstood:
    return NotUnderstood(
        archive,
        "answered with JSON that is no list of DICOM objects. Check that its address is the DICOMweb base.",
    )


def _endless(archive: str) -> NotUnderstood:
    return NotUnderstood(archive, "answered with JSON that is nested without end. Tell its administrator.")


def check_count(archive: str, count: int) -> None:
    if count > MOST_OBJECTS:
        raise NotUnderstood(
            archive, f"answered with more than {MOST_OBJECTS:,} objects at once. Narrow it with filters."
        )
