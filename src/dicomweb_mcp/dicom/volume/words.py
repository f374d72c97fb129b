"""Numbers as answers write them."""

from collections import Counter
from collections.abc import Sequence

MOST_SHOWN = 8  # stacks, gaps, runs of equal steps, values


def mm(value: float) -> float:
    """A length to 0.01 mm, tiny ones to three digits."""
    rounded = round(value, 2) if abs(value) >= 0.1 else float(f"{round(value, 6):.3g}")
    return int(rounded) if rounded.is_integer() else rounded


def values(found: Counter[float]) -> float | str | None:
    """The only value, few values with their counts, or a range; None for none."""
    if len(found) <= 1:
        return next(iter(found), None)
    if len(found) <= MOST_SHOWN:
        return ", ".join(f"{value:g} ({found[value]})" for value in sorted(found))
    return f"{min(found):g}..{max(found):g} ({len(found)} values)"


def joined(parts: Sequence[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)
