"""Ages and dates, as ranges: conditions on PatientAge and StudyDate."""

import re
from typing import Any

from ..dicom.dates import date_range
from ..errors import BadArgument
from .condition import Condition, Values
from .index import Session

HOW_AGES = "Write ages in completed years: 50, 50..60, >=65 or <18."


def age(session: Session, values: Values) -> Condition:
    ranges = [_years(value) for value in values]
    said = [
        f"{low} or more" if high == OLDEST else f"{low} to {high}" if low < high else str(low) for low, high in ranges
    ]
    there = [row["age"] for row in session.rows(f"SELECT DISTINCT PatientAge AS age FROM index WHERE {_READABLE}")]
    ages = [age for age in there if any(low <= _completed(age) <= high for low, high in ranges)]
    of_newborns = any(low == 0 for low, _ in ranges)
    return Condition(
        "age", "list_contains($age, PatientAge)", frozenset({"PatientAge"}), f"{' or '.join(said)} completed years",
        {"age": ages}, f"NOT coalesce({_READABLE}, false)",
        ("An age of 000Y stands in many series whose age is not known.",) if of_newborns else (),
    )  # fmt: skip


OLDEST = 999
_DAYS = {"D": 1, "W": 7, "M": 365 / 12, "Y": 365}  # of the units of an age (PS3.5 6.2)
_READABLE = "regexp_full_match(PatientAge, '[0-9]{3}[DWMYdwmy]')"


def _completed(age: str) -> int:
    """An age such as ``018M`` in completed years."""
    return int(int(age[:3]) * _DAYS[age[3].upper()] / 365 + 1e-9)


def _years(written: str) -> tuple[int, int]:
    """The first and the last age in completed years."""
    text = re.sub(r"([0-9]+)\s*y(ears?)?\b", r"\1", written.strip().casefold())
    if match := re.fullmatch(r"(<=|>=|<|>)\s*([0-9]{1,3})", text):
        years = int(match[2])
        low, high = {"<=": (0, years), ">=": (years, OLDEST), "<": (0, years - 1), ">": (years + 1, OLDEST)}[match[1]]
    elif match := re.fullmatch(r"([0-9]{1,3})\s*(?:\.\.|-|to)\s*([0-9]{1,3})", text):
        low, high = int(match[1]), int(match[2])
    elif match := re.fullmatch(r"([0-9]{1,3})\s*\.\.|\.\.\s*([0-9]{1,3})", text):
        low, high = int(match[1] or 0), int(match[2] or OLDEST)
    elif re.fullmatch(r"[0-9]{1,3}", text):
        low = high = int(text)
    else:
        raise BadArgument(f"age {written[:40]!r} is not understood. {HOW_AGES}")
    if low > high:
        raise BadArgument(f"age {written[:40]!r} ends before it begins. {HOW_AGES}")
    return low, high


def study_date(_: Session, values: Values) -> Condition:
    parts, parameters, said = [], dict[str, Any](), []
    for number, value in enumerate(values):
        first, last = date_range(value)
        first, last = _iso(first) or "0001-01-01", _iso(last) or "9999-12-31"
        parts.append(f"{_DATE} BETWEEN $study_date_{number}_first::DATE AND $study_date_{number}_last::DATE")
        parameters |= {f"study_date_{number}_first": first, f"study_date_{number}_last": last}
        said.append(f"{first}..{last}".replace("0001-01-01..", "until ").replace("..9999-12-31", " and later"))
    return Condition(
        "study_date", f"({' OR '.join(parts)})", frozenset({"StudyDate"}), "; ".join(said), parameters,
        f"{_DATE} IS NULL", ("Dates of IDC are shifted by de-identification.",),
    )  # fmt: skip


_DATE = "try_cast(StudyDate AS DATE)"


def _iso(day: str) -> str:
    return f"{day[:4]}-{day[4:6]}-{day[6:]}" if day else ""
