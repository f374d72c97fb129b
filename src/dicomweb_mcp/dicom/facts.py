"""The facts and rows of an answer: what is empty is left out, what rows share is said once, long lists are cut, and
numbers that were computed are short."""

import math
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import Any

MOST_VALUES = 12  # of one list
MOST_RANGES = 12


def filled(**values: Any) -> dict[str, Any]:
    """The values that are not empty; 0 and False are values."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def shared(rows: list[dict[str, Any]], keep: Collection[str] = ()) -> dict[str, Any]:
    """Takes out of two or more rows what all of them have in common, and gives it back; ``keep`` stays in them."""
    if len(rows) < 2:
        return {}
    common = {
        name: value
        for name, value in rows[0].items()
        if name not in keep and all(name in row and row[name] == value for row in rows)
    }
    for row in rows:
        for name in common:
            del row[name]
    return common


# ---- lists -----------------------------------------------------------------------------------------------------------


def few(values: Sequence[Any], most: int = MOST_VALUES) -> str:
    """``1, 2, 3 and 7 more``."""
    words = ", ".join(map(str, values[:most]))
    return f"{words} and {len(values) - most:,} more" if len(values) > most else words


def first_few(values: Sequence[Any], most: int = MOST_VALUES) -> list[Any]:
    """The first values, and in place of the others ``and 7 more``."""
    more = [f"and {len(values) - most:,} more"] if len(values) > most else []
    return [*values[:most], *more]


def ranges(numbers: Iterable[int]) -> str:
    """``1-3, 7`` for 7, 1, 2, 3; after MOST_RANGES parts only how many more numbers there are."""
    ordered = sorted(set(numbers))
    starts = [0, *(place + 1 for place, (one, next_) in enumerate(pairwise(ordered)) if next_ != one + 1)]
    ends = [*starts[1:], len(ordered)]
    parts = [
        str(ordered[start]) if end == start + 1 else f"{ordered[start]}-{ordered[end - 1]}"
        for start, end in zip(starts, ends, strict=True)
        if ordered
    ]
    rest = len(ordered) - ends[MOST_RANGES - 1] if len(parts) > MOST_RANGES else 0
    return ", ".join(parts[:MOST_RANGES]) + (f" and {rest} more" if rest else "")


def amount(count: int, singular: str, plural: str = "") -> str:
    """``1 image``, ``3 images``."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


# ---- numbers ---------------------------------------------------------------------------------------------------------


def rounded(value: float, places: int = 2) -> int | float:
    """A computed number for an answer: 3, 2.5, 0.12; never -0."""
    short = round(value, places)
    return int(short) if short == int(short) else short


def significant(value: float, digits: int = 3) -> int | float:
    """A computed number with so many significant digits: 12300, 45.6, 0.00789."""
    if value == 0 or not math.isfinite(value):
        return 0
    return rounded(value, digits - 1 - math.floor(math.log10(abs(value))))


def span(values: Iterable[float], places: int = 2) -> str:
    """``-167.5..123.5``, or one number where all are the same."""
    found = list(values)
    low, high = rounded(min(found), places), rounded(max(found), places)
    return str(low) if low == high else f"{low}..{high}"
