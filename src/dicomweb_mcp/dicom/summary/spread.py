"""Many values -> a few words: a range and its step, the values with how often they occur, or how many there are."""

import json
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias, TypeGuard

from ..values import NUMBER_VRS, Plain

Counts: TypeAlias = Sequence[tuple[Plain, int]]  # distinct values, and how often each occurs
Number: TypeAlias = int | float

FEW = 6
FEW_UIDS = 3
IN_ORDER = frozenset({"DA", "DT", "TM"})  # whose ISO texts sort by time
SAME_STEP = 0.001  # of the step
LONGEST_VALUE = 200  # characters of one value among others
LONGEST_LIST = 3_000  # characters of texts that are listed


def in_words(counts: Counts, vr: str, unit: str = "", *, more: bool = False) -> str:
    """What differing values have in common. ``more``: there are others between them."""
    for is_one, said in ((is_number, _range), (_vectors(counts), _ranges)) if vr in NUMBER_VRS else ():
        found: list[tuple[Any, int]] = [entry for entry in counts if is_one(entry[0])]
        if len(found) > 1 and _is_many(found, more) and len(counts) - len(found) <= FEW:
            others = _listed([entry for entry in counts if not is_one(entry[0])], "")
            words = f"{said([value for value, _ in found], unit, more)} ({'at least ' * more}{len(found):,} values)"
            return f"{words}; {others}" if others else words
    amount = f"{'at least ' * more}{len(counts):,} values"
    if len(counts) <= (FEW_UIDS if vr == "UI" else FEW) and not more:
        return _listed(sorted(counts, key=_in_line), unit)
    texts = sorted(value for value, _ in counts if isinstance(value, str))
    if vr in IN_ORDER and len(texts) == len(counts):
        return f"{texts[0]}..{texts[-1]} ({amount})"
    if vr == "UI":
        return amount
    return f"{amount}, among them {short(counts[0][0])} and {short(counts[1][0])}"


def condensed(values: Sequence[Plain], vr: str, unit: str = "") -> str:
    """A long list of values of one element or path, of which texts are listed as far as there is room."""
    counts = counted(values)
    head = f"{len(values):,} values: "
    if len(counts) == 1:
        return f"{head}all {with_unit(short(counts[0][0]), unit)}"
    if vr in NUMBER_VRS or vr in IN_ORDER or vr == "UI":
        return head + in_words(counts, vr, unit)
    shown, room = 0, LONGEST_LIST
    while shown < len(counts) and room > 0:
        room -= len(short(counts[shown][0])) + 6
        shown += 1
    rest = len(counts) - shown
    return head + _listed(counts[:shown], unit) + (f", and {rest:,} other values" if rest else "")


def counted(values: Sequence[Plain]) -> list[tuple[Plain, int]]:
    """Distinct values in the order they came, and how often each occurs."""
    return tallied([(value, 1) for value in values])


def _in_line(entry: tuple[Plain, int]) -> tuple[int, Any]:
    """Numbers ascending, then vectors, then texts: archives give their instances in any order."""
    value, _ = entry
    if is_number(value):
        return 0, value
    if isinstance(value, list) and all(map(is_number, value)):
        return 1, value
    return 2, short(value)


def tallied(counts: Counts) -> list[tuple[Plain, int]]:
    """The same with equal values taken together."""
    seen: dict[str, list[Any]] = {}
    for value, count in counts:
        seen.setdefault(json.dumps(value), [value, 0])[1] += count
    return [(value, count) for value, count in seen.values()]


def is_number(value: object) -> TypeGuard[Number]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def short(value: Plain) -> str:
    """A value among others, as text."""
    written = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return written if len(written) <= LONGEST_VALUE else f"{written[:LONGEST_VALUE]}..."


def with_unit(written: str, unit: str) -> str:
    return f"{written} {unit}" if unit else written


def _vectors(counts: Counts) -> Callable[[Plain], bool]:
    """Whether a value is a list of numbers; none is where their lengths differ."""

    def is_vector(value: Plain) -> bool:
        return isinstance(value, list) and all(map(is_number, value))

    lengths = {len(value) for value, _ in counts if isinstance(value, list) and is_vector(value)}
    return is_vector if len(lengths) == 1 else lambda _: False


def _is_many(found: Sequence[tuple[Any, int]], more: bool) -> bool:
    """Whether a range says more than the values: there are many, or each occurs once."""
    return more or len(found) > FEW or (len(found) > 2 and all(count == 1 for _, count in found))


def _range(values: Sequence[Number], unit: str, more: bool) -> str:
    low, high, step = min(values), max(values), None if more else _step(values)
    said = with_unit(f"{low}..{high}", unit)
    return said if step is None else f"{said}, step {with_unit(step, unit)}"


def _ranges(vectors: Sequence[Sequence[Number]], unit: str, more: bool) -> str:
    """``[-125, -125, -120..118.5 step 2.5] mm``: the range of each component."""
    parts = []
    for values in zip(*vectors, strict=True):
        low, high, step = min(values), max(values), None if more else _step(values)
        parts.append(str(low) if low == high else f"{low}..{high}" + (f" step {step}" if step else ""))
    return with_unit(f"[{', '.join(parts)}]", unit)


def _step(values: Sequence[Number]) -> str | None:
    """The step of values that ascend regularly when they are sorted; None where they do not."""
    ordered = sorted(set(values))
    if len(ordered) < 3:
        return None
    step = float(f"{(ordered[-1] - ordered[0]) / (len(ordered) - 1):.6g}")
    regular = math.isfinite(step) and all(abs(b - a - step) <= step * SAME_STEP for a, b in pairwise(ordered))
    return None if not regular else str(int(step) if step.is_integer() else step)


def _listed(counts: Counts, unit: str) -> str:
    return ", ".join(
        f"{with_unit(short(value), unit if is_number(value) else '')} ({count:,})" for value, count in counts
    )
