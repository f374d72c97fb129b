"""The values of one attribute over many instances, kept as JSON text and decoded once, at the end."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, TypeAlias

from ..values import NUMBER_VRS, Plain
from .shown import Shown
from .spread import IN_ORDER, Counts, in_words, is_number, short, tallied

LONG = 1_000  # bytes; of longer values one example is kept, and digests of the others
MOST_DISTINCT = 2_000
MOST_HELD = 4_000_000  # bytes of all distinct values together
OVERHEAD = 150  # bytes that one of them takes besides its text

Decode: TypeAlias = Callable[[bytes], tuple[Shown, str]]


@dataclass
class Room:
    """How many bytes of distinct values may still be kept, by all columns together."""

    left: int = MOST_HELD


@dataclass
class Seen:
    """What the instances had: distinct values and notes with their counts, the VR, and how many had any.

    ``unlike`` counts long values of which no more is known than that they differ. ``more``: some were not kept, and
    only their extremes are among ``values``.
    """

    values: Counts = ()
    notes: Mapping[str, int] = field(default_factory=dict)
    vr: str = ""
    present: int = 0
    unlike: int = 0
    more: bool = False

    @property
    def is_single(self) -> bool:
        return len(self.values) == 1 and not (self.notes or self.unlike or self.more)

    @property
    def differs(self) -> bool:
        return bool(self.values) and not self.is_single

    def words(self, unit: str) -> str:
        """How the values differ."""
        if self.unlike or len(self.values) == 1:
            amount = f"{len(self.values) + self.unlike:,} different values, " if self.unlike else ""
            return f"{amount}such as {short(self.values[0][0])}"
        return in_words(self.values, self.vr, unit, more=self.more)


class Column:
    """One attribute.

    ``only`` is the text, or element, that all instances so far had, and ``same`` how many: who finds it again counts it
    there, without a call.
    """

    __slots__ = (
        "_counts",
        "_decode",
        "_digests",
        "_example",
        "_extremes",
        "_first",
        "_is_ranged",
        "_room",
        "_unkept",
        "only",
        "same",
    )

    def __init__(self, decode: Decode, room: Room) -> None:
        self.only: Any = None
        self.same = 0
        self._first = b""
        self._counts: dict[bytes, int] = {}
        self._digests: dict[bytes, int] = {}
        self._example = Shown(), ""
        self._extremes: tuple[Plain, Plain] | None = None
        self._is_ranged: bool | None = None
        self._unkept = 0
        self._decode, self._room = decode, room

    def add(self, given: Any) -> None:
        """Take a value in: an element, a list of them, or JSON text as bytes or msgspec.Raw."""
        text = json.dumps(given).encode() if isinstance(given, dict | list) else bytes(given)
        if not self._counts and not self._digests and len(text) <= LONG:
            self._first, self._counts[text] = text, 0
            self.only, self.same = given if isinstance(given, dict | list | bytes) else given.copy(), 1
            return
        if self.only is not None:
            self._counts[self._first] += self.same
            self.only, self.same = None, 0
        counts, key = self._counts, text
        if len(text) > LONG:
            counts, key = self._digests, blake2b(text, digest_size=16).digest()
            if not counts:
                self._example = self._decode(text)
        if key in counts:
            counts[key] += 1
        elif self._room.left > 0 and len(self._counts) + len(self._digests) < MOST_DISTINCT:
            counts[key] = 1
            self._room.left -= len(key) + OVERHEAD
        else:
            self._leave(text)

    def _leave(self, text: bytes) -> None:
        """Count a value that is not kept."""
        if self._is_ranged is None:
            vrs = (self._decode(kept)[1] for kept in self._counts)
            self._is_ranged = next(filter(None, vrs), "") in NUMBER_VRS | IN_ORDER
        if not self._is_ranged:
            self._unkept += any(member in text for member in (b'"Value"', b'"BulkDataURI"', b'"InlineBinary"'))
            return
        (value, note), _ = self._decode(text)
        self._unkept += value is not None or bool(note)
        if value is not None:
            low, high = self._extremes or (value, value)
            self._extremes = _extreme(min, low, value), _extreme(max, high, value)

    def seen(self) -> Seen:
        """What the instances had, decoded."""
        found: list[tuple[Plain, str, int]] = []
        vr = self._example[1]
        for text, count in self._counts.items():
            (value, note), its = self._decode(text)
            vr = vr or its
            found.append((value, note, count + self.same if text == self._first else count))
        values: list[tuple[Plain, int]] = [(value, count) for value, _, count in found if value is not None]
        notes: list[tuple[Plain, int]] = [(note, count) for _, note, count in found if note]
        (value, note), _ = self._example
        long = sum(self._digests.values())
        if value is not None:
            values.append((value, next(iter(self._digests.values()))))
        elif note:
            notes.append((note, long))
        present = sum(count for value, note, count in found if value is not None or note) + long + self._unkept
        if self._extremes:
            values += [(self._extremes[0], 0), (self._extremes[1], 0)]
        return Seen(
            tallied(values),
            {str(note): count for note, count in tallied(notes)},
            vr,
            present,
            max(0, len(self._digests) - 1),
            self._unkept > 0,
        )


def _extreme(pick: Callable[..., Any], one: Plain, other: Plain) -> Plain:
    """The lesser or greater of two values, of lists by component; the first where they cannot be compared."""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [_extreme(pick, *pair) for pair in zip(one, other, strict=True)]
    alike = (is_number(one) and is_number(other)) or (isinstance(one, str) and isinstance(other, str))
    return pick(one, other) if alike else one
