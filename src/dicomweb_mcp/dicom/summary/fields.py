"""``fields`` of a caller -> paths of attributes, and what stands at a path in an object."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from ...errors import BadArgument
from ..tags import Attribute, UnknownAttribute, attribute, private_attribute
from ..values import DicomJson, element_at
from .private import creator_of, located, private_name

MOST_FIELDS = 100
ALL = "all"

Path: TypeAlias = tuple[Attribute, ...]


@dataclass(frozen=True)
class Fields:
    """What a caller wants to see: some ``paths``, or ``all``; neither when nothing was said."""

    paths: tuple[Path, ...] = ()
    all: bool = False


class Found(NamedTuple):
    """An element at a path, its own tag, and for a private one its creator; it is empty where an item lacks it."""

    element: Mapping[str, Any]
    tag: str
    creator: str


def parse_fields(fields: Sequence[str] | None) -> Fields:
    """``["PixelSpacing", "RequestAttributesSequence.ScheduledProcedureStepID", "ACME 0043xx39"]``, or ``["all"]``.

    Raises UnknownAttribute or BadArgument.
    """
    given = list(dict.fromkeys(fields or ()))
    if len(fields or ()) > MOST_FIELDS:
        raise BadArgument(f"{len(fields or ())} fields are too many; at most {MOST_FIELDS}.")
    if any(field.strip().casefold() == ALL for field in given):
        if len(given) > 1:
            raise BadArgument('fields=["all"] stands alone: give it without other names, or the names without it.')
        return Fields(all=True)
    return Fields(tuple(map(_path, given)))


def _path(text: str) -> Path:
    if not text.strip():
        raise BadArgument("fields holds an empty name: give DICOM keywords such as PixelSpacing.")
    path = tuple(_steps(text.strip().strip(".")))
    for parent in path[:-1]:
        if parent.vr != "SQ" and parent.keyword:
            raise BadArgument(f"{parent.name} in fields={text[:80]!r} is no sequence, so nothing lies inside it.")
    return path


def _steps(text: str) -> Iterator[Attribute]:
    """The attributes of a dotted path; a private creator may have dots itself, as may the name that answers give."""
    parts = re.sub(r"(?<=\S)\s+\[[^]]*\]", "", text).split(".")
    while parts:
        length, found = _first_step(parts)
        yield found
        del parts[:length]


def _first_step(parts: Sequence[str]) -> tuple[int, Attribute]:
    """The attribute that a path begins with, and of how many parts it is."""
    if found := private_attribute(parts[0]):
        return 1, found
    try:
        return 1, attribute(parts[0])
    except UnknownAttribute:
        for length in range(2, len(parts) + 1):
            if found := private_attribute(".".join(parts[:length])):
                return length, found
        raise


def name_of(path: Path) -> str:
    return ".".join(part.name for part in path)


def name_in(path: Path, found: Found) -> str:
    """The name of a path, with tag and creator as this object has them where it ends in a private attribute."""
    if not path[-1].is_private:
        return name_of(path)
    return ".".join((*(part.name for part in path[:-1]), private_name(found.tag, found.creator)))


def elements_at(obj: DicomJson, path: Path) -> Iterator[Found]:
    """The elements at a path, in every item of the sequences on the way; an empty one for an item that lacks it, so
    that the values of two paths through the same items stand side by side."""
    tag = located(obj, path[0])
    element = element_at(obj, tag) if tag else None
    if len(path) == 1:
        creator = creator_of(obj, tag) if tag and path[0].is_private else ""
        yield Found(element or {}, tag, creator)
        return
    for item in (element or {}).get("Value") or ():
        if isinstance(item, Mapping):
            yield from elements_at(item, path[1:])
