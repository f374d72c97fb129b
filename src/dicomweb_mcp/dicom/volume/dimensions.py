"""What tells the images at one position apart: time, b-value, echo, type, ..., or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..facts import filled
from ..values import iso_date_time, iso_time
from .plane import Key, Plane
from .tables import CLOCKS, DIMENSIONS, Dimension

MOST_VALUES = 8
Members = Sequence[Sequence[Plane]]


@dataclass(frozen=True)
class Varied:
    """An attribute that differs among the images at one position: at most ``count`` values there,
    ``values`` overall."""

    dimension: Dimension
    count: int
    values: tuple[float | str, ...]
    lacking: int

    def facts(self) -> dict[str, object]:
        return filled(
            attribute=self.dimension.keyword,
            count=self.count,
            values=self._shown(),
            unit=self.dimension.unit,
            images_without_it=self.lacking or None,
        )

    def _shown(self) -> object:
        """Few values as they are; of many the first and the last."""
        if self.dimension in CLOCKS:
            convert = iso_date_time if self.dimension.keyword.endswith("DateTime") else iso_time
            return f"{convert(str(self.values[0]))}..{convert(str(self.values[-1]))}"
        values = [int(value) if isinstance(value, float) and value.is_integer() else value for value in self.values]
        if len(values) <= MOST_VALUES:
            return values
        return f"{values[0]}..{values[-1]}" if not any(isinstance(value, str) for value in values) else None

    @property
    def words(self) -> str:
        none = " or none" if self.lacking else ""
        return f"{self.dimension.keyword} ({self.count} value{'s' * (self.count != 1)}{none})"


@dataclass(frozen=True)
class Multiplicity:
    """How many images lie at one position, and why. ``alike`` are the places in the list of positions where nothing
    tells some images apart; ``surplus`` is how many there are besides one of each."""

    least: int
    most: int
    varied: tuple[Varied, ...] = ()
    alike: tuple[int, ...] = ()
    surplus: int = 0

    @property
    def is_complete(self) -> bool:
        """Every position has as many images, each of its own kind."""
        return self.least == self.most and not self.alike


def multiplicity(members: Members) -> Multiplicity:
    """What tells the images at each position apart, as few attributes as that takes in the order of preference."""
    sizes = [len(images) for images in members]
    least, most = min(sizes), max(sizes)
    together = [list(images) for images in members if len(images) > 1]
    varied: list[Varied] = []
    for index, dimension in enumerate(DIMENSIONS):
        if not together:
            break
        apart = _split(together, index, clock=False)
        if apart is not None:
            varied.append(_varied(members, dimension, index, clock=False))
            together = apart
    if together and least == most:
        for index, dimension in enumerate(CLOCKS):
            if _split(together, index, clock=True) == []:
                varied.append(_varied(members, dimension, index, clock=True))
                together = []
                break
    return Multiplicity(
        least, most, tuple(varied), _positions(members, together), sum(map(len, together)) - len(together)
    )


def _value(plane: Plane, index: int, clock: bool) -> Key:
    values = plane.clocks if clock else plane.keys
    return values[index] if index < len(values) else None


def _split(together: list[list[Plane]], index: int, *, clock: bool) -> list[list[Plane]] | None:
    """What is still together when images are told apart by one more attribute; None when it tells nothing apart."""
    left: list[list[Plane]] = []
    parted = False
    for images in together:
        parts: dict[Key, list[Plane]] = {}
        for plane in images:
            parts.setdefault(_value(plane, index, clock), []).append(plane)
        parted = parted or len(parts) > 1
        left += [part for part in parts.values() if len(part) > 1]
    return left if parted else None


def _varied(members: Members, dimension: Dimension, index: int, *, clock: bool) -> Varied:
    count = lacking = 0
    overall: set[float | str] = set()
    for images in members:
        values = [_value(plane, index, clock) for plane in images]
        own = {value for value in values if value is not None}
        count = max(count, len(own))
        lacking += values.count(None)
        overall |= own
    ordered = sorted(overall, key=lambda value: (isinstance(value, str), value))
    return Varied(dimension, count, tuple(ordered), lacking)


def _positions(members: Members, together: list[list[Plane]]) -> tuple[int, ...]:
    """At which positions images are left together."""
    left = {id(plane) for images in together for plane in images}
    return tuple(index for index, images in enumerate(members) if any(id(plane) in left for plane in images))
