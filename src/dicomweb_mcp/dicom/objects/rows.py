"""What describers do with attributes and rows: take some over as they are, and say once what all rows share."""

from collections.abc import Collection, Iterable
from itertools import pairwise
from typing import Any

from ..values import DicomJson, element, plain

MOST_RANGES = 12
MOST_VALUES = 12  # of one attribute


def attributes(obj: DicomJson, *keywords: str) -> dict[str, Any]:
    """The plain values of attributes by keyword; those that are absent or empty are left out."""
    found = {keyword: few(plain(held)) for keyword in keywords if (held := element(obj, keyword)) is not None}
    return {keyword: value for keyword, value in found.items() if value is not None}


def few(value: Any) -> Any:
    """A value; of a list of many the first, and how many more there are."""
    is_long = isinstance(value, list) and len(value) > MOST_VALUES
    return [*value[:MOST_VALUES], f"and {len(value) - MOST_VALUES} more"] if is_long else value


def shared(rows: list[dict[str, Any]], keep: Collection[str] = ()) -> dict[str, Any]:
    """Takes out of two or more rows what all of them have in common, and gives it back; ``keep`` stays in them."""
    if len(rows) < 2:
        return {}
    first = rows[0]
    common = {
        name: value
        for name, value in first.items()
        if name not in keep and all(name in row and row[name] == value for row in rows)
    }
    for row in rows:
        for name in common:
            del row[name]
    return common


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
