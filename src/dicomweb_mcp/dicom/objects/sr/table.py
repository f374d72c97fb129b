"""What of a report is shown as rows instead of lines."""

from dataclasses import dataclass, field
from typing import Any

MOST_ROWS = 1_000


@dataclass
class Table:
    """``rows`` with what holds for the whole table in ``facts``; ``shown`` are the ids of the content items that the
    rows stand for."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    shown: set[int] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    elided: list[str] = field(default_factory=list)
