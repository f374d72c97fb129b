"""Filters with their meaning beside them, as a person would check a row; nothing of the program under test."""

import fnmatch
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

Row = Mapping[str, Sequence[str]]  # keyword -> values as text; no values where it is empty


@dataclass(frozen=True)
class Asked:
    """A filter as it is written, and whether one stored value meets it."""

    keyword: str
    written: Any
    meets: Callable[[str], bool] = field(repr=False)
    fuzzy: bool = False

    def holds(self, row: Row) -> bool:
        """An attribute without values meets nothing."""
        return any(self.meets(value) for value in row.get(self.keyword, ()))


def any_of(found: list[Asked]) -> Asked:
    """A list of values: one of them has to be met."""
    return Asked(found[0].keyword, [one.written for one in found], lambda value: any(one.meets(value) for one in found))


def folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold())


def words(name: str) -> list[str]:
    plain = "".join(char for char in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(char))
    return re.findall(r"[^\W_]+", plain)


# ---- text ------------------------------------------------------------------------------------------------------------


def exact(keyword: str, pool: Sequence[str]) -> st.SearchStrategy[Asked]:
    return st.sampled_from(pool).map(lambda text: Asked(keyword, text, lambda value: folded(value) == folded(text)))


@st.composite
def patterns(draw: st.DrawFn, keyword: str, pool: Sequence[str]) -> Asked:
    """Part of a stored value, with wildcards in place of the rest or of single characters."""
    text = draw(st.sampled_from(pool))
    low, high = sorted(draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=2)))
    kept = [draw(st.sampled_from([char, char, char, "?"])) for char in text[low:high]]
    pattern = draw(st.sampled_from(["*", ""])) + "".join(kept) + draw(st.sampled_from(["*", "*", "?"]))
    pattern = (pattern.strip() or "?*") if pattern.strip("* ") else "?*"
    plain = pattern.replace("[", "[[]")
    # without regard to case; and a ß, which folding takes for two letters, is also one
    ways = (folded, lambda text: unicodedata.normalize("NFC", text).lower())
    return Asked(keyword, pattern, lambda value: any(fnmatch.fnmatchcase(way(value), way(plain)) for way in ways))


@st.composite
def fuzzy_names(draw: st.DrawFn, keyword: str, pool: Sequence[str]) -> Asked:
    """Beginnings of some words of a stored name, in any order."""
    known = words(draw(st.sampled_from(pool)))
    some = draw(st.permutations(known))[: draw(st.integers(1, len(known)))]
    cut = [word[: draw(st.integers(1, len(word)))] for word in some]
    return Asked(
        keyword,
        " ".join(cut),
        lambda value: all(any(word.startswith(part) for word in words(value)) for part in cut),
        fuzzy=True,
    )


# ---- dates, times, numbers ---------------------------------------------------------------------------------------------


def day_of(text: str) -> date | None:
    digits = text.replace(".", "") if re.fullmatch(r"\d{4}\.\d{2}\.\d{2}|\d{8}", text) else ""
    return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) if digits else None


def between(keyword: str, written: str, first: date, last: date) -> Asked:
    return Asked(keyword, written, lambda value: (day := day_of(value)) is not None and first <= day <= last)


@st.composite
def dates(draw: st.DrawFn, keyword: str, pool: Sequence[str]) -> Asked:
    low, high = sorted(date.fromisoformat(draw(st.sampled_from(pool))) for _ in range(2))
    one = timedelta(days=1)
    month = low.replace(day=1)
    return draw(
        st.sampled_from(
            [
                between(keyword, low.isoformat(), low, low),
                between(keyword, f"{low}..{high}", low, high),
                between(keyword, f"{low:%Y%m%d}-{high:%Y%m%d}", low, high),
                between(keyword, f"{low:%Y}", date(low.year, 1, 1), date(low.year, 12, 31)),
                between(keyword, f"{low:%Y-%m}", month, (month + 31 * one).replace(day=1) - one),
                between(keyword, f">={low}", low, date.max),
                between(keyword, f">{low}", low + one, date.max),
                between(keyword, f"<={high}", date.min, high),
                between(keyword, f"<{high}", date.min, high - one),
                between(keyword, f"..{high}", date.min, high),
            ]
        )
    )


def span(text: str) -> tuple[int, int]:
    """The microseconds of a day that a time means: ``10`` is the whole hour, ``1015`` the whole minute."""
    whole, _, fraction = text.replace(":", "").partition(".")
    unit = {2: 3_600_000_000, 4: 60_000_000, 6: 1_000_000}[len(whole)]
    hours, minutes, seconds = (int(whole[place : place + 2] or 0) for place in (0, 2, 4))
    start = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000
    if fraction:
        start, unit = start + int(fraction.ljust(6, "0")), 10 ** (6 - len(fraction))
    return start, start + unit - 1


@st.composite
def times(draw: st.DrawFn, keyword: str, pool: Sequence[str]) -> Asked:
    low, high = sorted((draw(st.sampled_from(pool)) for _ in range(2)), key=span)
    first, last = span(low)[0], span(high)[1]
    written, begin, end = draw(
        st.sampled_from(
            [
                (low, first, span(low)[1]),
                (f"{low}..{high}", first, last),
                (f">={low}", first, span("23")[1]),
                (f"<={high}", 0, last),
            ]
        )
    )
    return Asked(keyword, written, lambda value: span(value)[1] >= begin and span(value)[0] <= end)


@st.composite
def numbers(draw: st.DrawFn, keyword: str, pool: Sequence[float]) -> Asked:
    low, high = sorted(draw(st.sampled_from(pool)) for _ in range(2))
    written, meets = draw(
        st.sampled_from(
            [
                (low, lambda number: number == low),
                (f"{low}..{high}", lambda number: low <= number <= high),
                (f">={low}", lambda number: number >= low),
                (f">{low}", lambda number: number > low),
                (f"<={high}", lambda number: number <= high),
                (f"<{high}", lambda number: number < high),
            ]
        )
    )
    return Asked(keyword, written, lambda value: meets(float(value)))
