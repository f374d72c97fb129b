"""The DICOM JSON objects of an answer's body.

There can be 50,000 of them. A body is checked as a whole when it arrives, and an object is decoded when it is looked
at: one that nobody looks at costs next to nothing, and memory stays near the size of the body.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, overload

import msgspec

from ..dicom.values import DicomJson, normalized
from .base import NotUnderstood

_split = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode = msgspec.json.Decoder().decode


def objects(archive: str, body: bytes) -> Sequence[DicomJson]:
    """The objects of a JSON list, none for an empty body. Raises NotUnderstood for anything else."""
    if not body or body.isspace():
        return []
    try:
        found = _split(body)
        if not body.isascii():  # what stands within quotes has not been looked at
            for raw in found:
                str(raw, "utf-8")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _leniently(archive, body)
    if any(memoryview(raw)[0] != ord("{") for raw in found):
        raise _no_objects(archive)
    return Objects(archive, found) if found else []


class Objects(Sequence[DicomJson]):
    """Objects that are decoded when they are looked at, each time anew."""

    def __init__(self, archive: str, raws: list[msgspec.Raw]) -> None:
        self._archive = archive
        self._raws = raws

    def __len__(self) -> int:
        return len(self._raws)

    def __iter__(self) -> Iterator[DicomJson]:
        return map(self._decoded, self._raws)

    @overload
    def __getitem__(self, at: int) -> DicomJson: ...

    @overload
    def __getitem__(self, at: slice) -> list[DicomJson]: ...

    def __getitem__(self, at: int | slice) -> DicomJson | list[DicomJson]:
        if isinstance(at, slice):
            return [self._decoded(raw) for raw in self._raws[at]]
        return self._decoded(self._raws[at])

    def _decoded(self, raw: msgspec.Raw) -> DicomJson:
        try:
            return normalized(_decode(raw))
        except msgspec.ValidationError:  # a number that is too large: infinite, as Python reads it
            return normalized(json.loads(bytes(raw), parse_int=float))
        except RecursionError:
            raise _no_json(self._archive, b"") from None


def _leniently(archive: str, body: bytes) -> list[DicomJson]:
    """What is no JSON to the letter and read all the same: bare NaN, half surrogates, UTF-16, a byte order mark."""
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise _no_json(archive, body) from None
    if not isinstance(found, list) or not all(isinstance(obj, dict) for obj in found):
        raise _no_objects(archive)
    return [normalized(obj) for obj in found]


def _no_json(archive: str, body: bytes) -> NotUnderstood:
    kind = "a web page" if body[:1_000].lstrip()[:1] == b"<" else "something that is not JSON"
    return NotUnderstood(archive, f"answered with {kind}. Check that its address is the DICOMweb base.")


def _no_objects(archive: str) -> NotUnderstood:
    return NotUnderstood(archive, "answered with JSON that is no list of DICOM objects.")
