"""Many attributes -> a small answer: constants once, what varies as a range or a set, what is long counted and named.

Bulk values are never shown. A sequence is shown when it is short, else its items are counted; ``fields`` reads it.
Memory is bounded whatever comes; what is beyond is counted.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from ..encoded import EncodedObject, decoded, element_of
from ..tags import by_tag
from ..units import OF_PIXELS, unit_of
from ..values import DicomJson, Plain
from .columns import Column, Room, Seen
from .fields import Fields, Path, elements_at, name_in, name_of, parse_fields
from .private import creator_of, creators, private_name
from .shown import LONGEST_ASKED_FOR, LONGEST_SEQUENCE, Reader, Shown
from .spread import is_number, short, with_unit

__all__ = ["Fields", "Path", "Summary", "parse_fields"]

MOST_ATTRIBUTES = 2_000
MOST_TAGS = 10_000  # of which it is remembered whether they are shown
GROUP_LENGTH = "0000"  # which says how a file was written
UID_KEYWORDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
UNKNOWN: Any = object()


class Named(NamedTuple):
    """A column, by what name its values are shown, and the keyword that tells their unit."""

    name: str
    keyword: str
    column: Column


@dataclass
class Summary:
    """What instances have in common and how they differ, by attribute name."""

    instances: int = 0
    _named: list[Named] = field(default_factory=list)
    _own: dict[str, Column | None] = field(default_factory=dict)  # by tag; None for what is not shown
    _creators: dict[str, str] = field(default_factory=dict)  # of the private attributes among them
    _columns: dict[tuple[str, ...], Column] = field(default_factory=dict)  # by tag and creator, or by path
    _wanted: dict[str, bool] = field(default_factory=dict)  # names of paths, and whether any object had them
    _room: Room = field(default_factory=Room)
    _hides: bool = False
    _beyond: int = 0
    _read: tuple[int, list[tuple[Named, Seen]]] = (-1, [])

    def add(self, obj: DicomJson, wanted: Fields | None, *, private: bool) -> None:
        """Take one instance in: the ``wanted`` paths, or all its own attributes. To be called with the same arguments
        for all instances."""
        self.instances += 1
        if wanted and wanted.paths:
            for path in wanted.paths:
                self._add_path(obj, path)
            return
        suggests = wanted is not None and wanted.all
        elements = obj.raws if isinstance(obj, EncodedObject) else obj
        if private and (reserved := creators(obj, elements)) != self._creators:
            self._creators = reserved
            self._own = {tag: column for tag, column in self._own.items() if not by_tag(tag).is_private}
        columns = self._own
        for tag, given in elements.items():
            column = columns.get(tag, UNKNOWN)
            if column is UNKNOWN:
                column = self._own_column(obj, tag, private, suggests)
            if column is None:
                continue
            if column.only == given:
                column.same += 1
            else:
                column.add(given)

    def _own_column(self, obj: DicomJson, tag: str, private: bool, suggests: bool) -> Column | None:
        """The column of an object's own attribute. That of a private one holds for objects of the same creators."""
        known, found = by_tag(tag), None
        is_creator = known.is_private and known.vr == "LO"  # which is part of the names of its attributes
        is_hidden = is_creator or known.keyword in UID_KEYWORDS or tag.endswith(GROUP_LENGTH)
        if known.is_private and not private:
            self._hides = self._hides or not is_creator
        elif not is_hidden:
            creator = creator_of(obj, tag) if known.is_private else ""
            name = private_name(tag, creator) if creator else known.name
            reader = Reader(name, known.keyword, tag, creator, LONGEST_SEQUENCE, suggests)
            found = self._column_of(reader, _read_one, (tag, creator))
            if found is None:
                return None
        if len(self._own) < MOST_TAGS:
            self._own[tag] = found
        return found

    def _add_path(self, obj: DicomJson, path: Path) -> None:
        name = name_of(path)
        self._wanted.setdefault(name, False)
        found = list(elements_at(obj, path))
        if not any(one.element for one in found):
            return
        self._wanted[name] = True
        first = next(one for one in found if one.element)
        reader = Reader(name_in(path, first), path[-1].keyword, first.tag, first.creator, LONGEST_ASKED_FOR, True)
        if (column := self._column_of(reader, _read_several, (name, first.tag, first.creator))) is None:
            return
        raw = obj.raws[first.tag] if isinstance(obj, EncodedObject) and len(path) == 1 else None
        given: Any = [dict(one.element) for one in found] if raw is None else raw
        if column.only == given:
            column.same += 1
        else:
            column.add(given)

    def _column_of(
        self, reader: Reader, read: Callable[[Reader, bytes], tuple[Shown, str]], key: tuple[str, ...]
    ) -> Column | None:
        found = self._columns.get(key)
        if found is None and len(self._columns) >= MOST_ATTRIBUTES:
            self._beyond += 1
        elif found is None:
            found = self._columns[key] = Column(partial(read, reader), self._room)
            self._named.append(Named(reader.path, reader.keyword, found))
        return found

    # ---- what came of it ---------------------------------------------------------------------------------------------

    @property
    def constant(self) -> dict[str, Plain]:
        return {name: seen.values[0][0] for (name, _, _), seen in self._seen() if self._is_constant(seen)}

    @property
    def units(self) -> dict[str, str]:
        """The units of what is constant."""
        pixels = self._unit_of_pixels()
        found = {
            name: unit_of(keyword, pixels)
            for (name, keyword, _), seen in self._seen()
            if self._is_constant(seen) and _is_numeric(seen.values[0][0])
        }
        return {name: unit for name, unit in found.items() if unit}

    @property
    def varying(self) -> dict[str, str]:
        pixels = self._unit_of_pixels()
        return {name: seen.words(unit_of(keyword, pixels)) for (name, keyword, _), seen in self._seen() if seen.differs}

    @property
    def missing(self) -> dict[str, str]:
        """Attributes that some instances lack, or that were asked for and none has."""
        pixels = self._unit_of_pixels()
        absent = {name: "no value" for name, had in self._wanted.items() if not had}
        for (name, keyword, _), seen in self._seen():
            if not seen.present and self._wanted:
                absent[name] = "no value"
            if 0 < seen.present < self.instances:
                absent[name] = f"{self.instances - seen.present:,} of {self.instances:,} lack it"
                if seen.is_single:
                    absent[name] += f"; else {with_unit(short(seen.values[0][0]), unit_of(keyword, pixels))}"
        return absent

    @property
    def elided(self) -> dict[str, str]:
        """What is only named: name -> what it is."""
        found = {name: _noted(seen) for (name, _, _), seen in self._seen() if seen.notes}
        if self._hides:
            found["private attributes"] = "left out; private=true shows them"
        if self._beyond:
            found["further attributes"] = (
                f"{self._beyond:,} values of attributes beyond the first {MOST_ATTRIBUTES:,} were not looked at"
            )
        return found

    def _seen(self) -> list[tuple[Named, Seen]]:
        if self._read[0] != self.instances:
            self._read = self.instances, [(named, named.column.seen()) for named in self._named]
        return self._read[1]

    def _is_constant(self, seen: Seen) -> bool:
        return seen.is_single and seen.present == self.instances

    def _unit_of_pixels(self) -> str:
        said = {name: seen.values[0][0] for (name, _, _), seen in self._seen() if self._is_constant(seen)}
        return OF_PIXELS.get(str(said.get("RescaleType", said.get("Units"))), "")


def _read_one(reader: Reader, text: bytes) -> tuple[Shown, str]:
    """What JSON text of an element is shown as, and its VR."""
    element = element_of(reader.tag, text)
    return reader.one(element), str(element.get("vr", ""))


def _read_several(reader: Reader, text: bytes) -> tuple[Shown, str]:
    """The same for text of the elements at a path, which may be one."""
    if text[:1] == b"{":
        return _read_one(reader, text)
    elements = decoded(text)
    vr = next((str(one["vr"]) for one in elements if one and "vr" in one), "")
    return reader.several(elements, vr), vr


def _noted(seen: Seen) -> str:
    """The notes of a column, the most frequent one first, and how many it has."""
    note, count = max(seen.notes.items(), key=lambda entry: entry[1])
    others = len(seen.notes) - 1 + seen.unlike
    if count < seen.present or others:
        return f"{note} (in {count:,} of {seen.present:,} instances{', and they differ' if others else ''})"
    return note


def _is_numeric(value: Plain) -> bool:
    return is_number(value) or (isinstance(value, list) and bool(value) and all(map(is_number, value)))
