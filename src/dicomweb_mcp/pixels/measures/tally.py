"""What measuring pixels gives, and what every way of measuring offers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from numpy.typing import NDArray


@dataclass
class Measured:
    """``facts`` hold for the object, ``rows`` for its segments by SegmentNumber; ``notes`` are sentences."""

    facts: dict[str, Any] = field(default_factory=dict)
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Tally(Protocol):
    """Measures an object frame by frame. Raises Undecodable when its attributes do not say what the values mean."""

    @property
    def frames(self) -> Sequence[int]:
        """The frames that are needed, from 1, in the order in which they are to be added."""
        ...

    def add(self, number: int, stored: NDArray[Any]) -> None:
        """Take in the stored values of a frame."""
        ...

    def result(self) -> Measured:
        """What was measured, after the last frame."""
        ...
