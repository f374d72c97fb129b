"""One condition of a search on the index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

NEAR_NAMED = 5  # values that a note names

Values = Sequence[str]


@dataclass(frozen=True)
class Condition:
    """``sql`` holds for the rows that match, ``missing`` for those that say nothing about it (empty: all do).

    ``columns``: those of the index that both use. ``parameters`` begin with the argument's name.
    """

    argument: str
    sql: str
    columns: frozenset[str]
    understood: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    missing: str = ""
    notes: tuple[str, ...] = ()
