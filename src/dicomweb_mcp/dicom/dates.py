"""Dates and times as people write them -> DICOM DA and TM (PS3.5 6.2), as inclusive ranges.

Strict about meaning: ``01/02/2020`` could be January or February and is refused.
"""

import re
from calendar import monthrange
from datetime import date, timedelta

from ..errors import BadArgument

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
HOW_DATES = "Write 2020-01-15, 2020-01, 2020, 2020-01-15..2020-02-01, >=2020-01-15 or <2021."
HOW_TIMES = "Write 13:05, 13:05:30, 08:00..12:30 or >=08:00."

DateRange = tuple[str, str]  # first and last day as YYYYMMDD; an empty string is an open end


def date_range(text: str) -> DateRange:
    """First and last day, both included, of what a person wrote; an open end is an empty string.

    ``2021`` -> 20210101, 20211231; ``Feb 2020`` -> 20200201, 20200229; ``<2021`` -> "", 20201231;
    ``2020-01-15..`` -> 20200115, "". Raises BadArgument.
    """
    written = text.strip()
    if match := re.fullmatch(r"(<=|>=|<|>)\s*(.+)", written):
        first, last = _days(match[2])
        if match[1] == "<=":
            return "", last
        if match[1] == ">=":
            return first, ""
        return ("", _shifted(first, -1)) if match[1] == "<" else (_shifted(last, 1), "")
    ends = _ends(written)
    if ends is None:
        return _days(written)
    low, high = (end.strip() for end in ends)
    if not low and not high:
        raise BadArgument(f"{written!r} has neither a first nor a last day. {HOW_DATES}")
    first, last = _days(low)[0] if low else "", _days(high)[1] if high else ""
    if first and last and first > last:
        raise BadArgument(f"{written!r} ends before it begins. {HOW_DATES}")
    return first, last


def _ends(text: str) -> tuple[str, str] | None:
    """The two ends of a range: ``a..b``, ``a to b``, and DICOM's own ``a-b`` of whole days, months or years."""
    if ".." in text:
        low, _, high = text.partition("..")
        return low, high
    if match := re.fullmatch(r"(.+?)\s+(?:to|until)\s+(.+)", text, re.IGNORECASE):
        return match[1], match[2]
    if match := re.fullmatch(r"(\d{8}|\d{4})?\s*-\s*(\d{8}|\d{4})?", text):
        return match[1] or "", match[2] or ""
    return None


def _days(text: str) -> DateRange:
    """First and last day of one date, month or year."""
    year, month, day = _parts(text.strip())
    try:
        if month is None:
            return _written(date(year, 1, 1)), _written(date(year, 12, 31))
        if day is None:
            last = monthrange(year, month)[1]
            return _written(date(year, month, 1)), _written(date(year, month, last))
        return (_written(date(year, month, day)),) * 2
    except (ValueError, IndexError):
        raise BadArgument(f"There is no date {text!r}. {HOW_DATES}") from None


def _parts(text: str) -> tuple[int, int | None, int | None]:
    if match := re.fullmatch(r"([0-9]{4})([0-9]{2})([0-9]{2})", text):
        return int(match[1]), int(match[2]), int(match[3])
    if match := re.fullmatch(r"([0-9]{4})(?:[-/.]([0-9]{1,2})(?:[-/.]([0-9]{1,2}))?)?", text):
        return int(match[1]), _int(match[2]), _int(match[3])
    if match := re.fullmatch(r"(?:([0-9]{1,2})\.?\s+)?([A-Za-z]{3,9})\.?\s+([0-9]{4})", text):
        return int(match[3]), _month(match[2], text), _int(match[1])
    if match := re.fullmatch(r"([A-Za-z]{3,9})\.?\s+([0-9]{1,2}),?\s+([0-9]{4})", text):
        return int(match[3]), _month(match[1], text), int(match[2])
    raise BadArgument(f"{text[:40]!r} is not a date this program understands. {HOW_DATES}")


def _month(name: str, text: str) -> int:
    try:
        return MONTHS.index(name[:3].lower()) + 1
    except ValueError:
        raise BadArgument(f"{text[:40]!r} is not a date this program understands. {HOW_DATES}") from None


def _int(text: str | None) -> int | None:
    return int(text) if text else None


def _written(day: date) -> str:
    return f"{day.year:04d}{day.month:02d}{day.day:02d}"


def _shifted(day: str, days: int) -> str:
    try:
        return _written(date(int(day[:4]), int(day[4:6]), int(day[6:])) + timedelta(days=days))
    except OverflowError:
        raise BadArgument(f"No day lies beyond {day}. {HOW_DATES}") from None


def date_time_range(text: str) -> tuple[str, str]:
    """First and last instant of dates and of date-times, as DT without offset; an open end is an empty string.

    ``2020-01-15T10:30`` -> 20200115103000, 20200115103059.999999; ``2020`` and what ``date_range`` reads as whole days;
    between date-times ``..``, ``>=`` and ``<=``. Raises BadArgument.
    """
    written = text.strip()
    if not re.search(r"\d[Tt ]\d\d|(?<!\d)\d{10}", written):
        first, last = date_range(written)
        return first, f"{last}235959.999999" if last else ""
    if match := re.fullmatch(r"(<=|>=)\s*(.+)", written):
        first, last = _moments(match[2])
        return ("", last) if match[1] == "<=" else (first, "")
    low, dots, high = written.partition("..")
    if not dots:
        return _moments(written)
    first, last = _moments(low)[0] if low.strip() else "", _moments(high)[1] if high.strip() else ""
    if first and last and first > last:
        raise BadArgument(f"{written[:60]!r} ends before it begins. {HOW_DATES}")
    return first, last


def _moments(text: str) -> tuple[str, str]:
    """First and last instant of one date, or of one date with a time; an offset from UTC is not compared."""
    whole = re.sub(r"(?<=\d)(?:\+(?:0\d|1[0-4])|-(?:0\d|1[0-2])):?[0-5]\d$", "", text.strip())
    if match := re.fullmatch(r"(\d{8})(\d{2,6}(?:\.\d{1,6})?)", whole, re.ASCII):
        day, clock = match[1], match[2]
    else:
        day, _, clock = whole.upper().replace(" ", "T").partition("T")
    first, last = _days(day)
    if not clock:
        return first, f"{last}235959.999999"
    if first != last:
        raise BadArgument(f"{text.strip()[:40]!r} has a time without a day. {HOW_DATES}")
    begin, end = _instants(clock)
    return first + begin, first + end


def time_range(text: str) -> tuple[str, str]:
    """First and last instant of what a person wrote, as TM ``HHMMSS.FFFFFF``; an open end is an empty string.

    ``13:05`` -> 130500, 130559.999999. Raises BadArgument.
    """
    written = text.strip()
    if match := re.fullmatch(r"(<=|>=)\s*(.+)", written):
        first, last = _instants(match[2])
        return ("", last) if match[1] == "<=" else (first, "")
    if ".." in written:
        low, _, high = written.partition("..")
    elif match := re.fullmatch(r"([\d:.]+)?\s*(?:-|to)\s*([\d:.]+)?", written):
        low, high = match[1] or "", match[2] or ""
    else:
        return _instants(written)
    if not low.strip() and not high.strip():
        raise BadArgument(f"{written!r} has neither a first nor a last time. {HOW_TIMES}")
    first, last = _instants(low)[0] if low.strip() else "", _instants(high)[1] if high.strip() else ""
    if first and last and first > last:
        raise BadArgument(f"{written!r} ends before it begins; a range does not cross midnight. {HOW_TIMES}")
    return first, last


def _instants(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"(\d{2}):?(?:(\d{2}):?(?:(\d{2})(?:\.(\d{1,6}))?)?)?", text.strip(), re.ASCII)
    if not match or int(match[1]) > 23 or int(match[2] or 0) > 59 or int(match[3] or 0) > 60:
        raise BadArgument(f"{text[:40]!r} is not a time. {HOW_TIMES}")
    hours, minutes, seconds, fraction = match.groups()
    first = hours + (minutes or "00") + (seconds or "00")
    last = hours + (minutes or "59") + (seconds or "59")
    return (
        first + (f".{fraction}" if fraction else ""),
        f"{last}.{(fraction or '').ljust(6, '9')}",
    )
