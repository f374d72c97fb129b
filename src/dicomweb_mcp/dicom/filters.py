"""A filter as a person or a model writes it -> a ``Condition`` in DICOM's canonical form, by value representation."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import BadArgument
from .dates import date_range, date_time_range, time_range
from .matching import Condition, Exact, Fuzzy, Range, Test, Wildcard, name_words
from .tags import Attribute
from .uids import checked_uid
from .values import BULK_VRS, INTEGER_VRS, LONGEST_NUMBER, NUMBER, NUMBER_VRS, uids_by_name

MOST_VALUES = 100  # of one list
# Characters, PS3.5 6.2
LONGEST = {"AE": 16, "AS": 4, "CS": 16, "SH": 16, "LO": 64, "PN": 64 * 5, "ST": 1024, "LT": 10240}


def condition(attribute: Attribute, value: Any, *, fuzzy: bool = False) -> Condition:
    """The condition that ``value`` asks of ``attribute``: text, a number, or a list of them (any of).

    With ``fuzzy`` person names are matched by their words. Raises BadArgument with what may be written.
    """
    if attribute.vr == "SQ" or attribute.vr in BULK_VRS:
        kind = "a sequence" if attribute.vr == "SQ" else "binary or private"
        raise BadArgument(f"{attribute.name} is {kind}: it cannot be a filter. Filter on a plain attribute.")
    values = value if isinstance(value, list | tuple) else [value]
    if not values:
        raise BadArgument(f"{attribute.name}=[] asks for nothing: leave the filter out, or list the values.")
    if len(values) > MOST_VALUES:
        raise BadArgument(f"{attribute.name} has {len(values)} values; at most {MOST_VALUES} at once.")
    parse = _fuzzy if fuzzy and attribute.vr == "PN" else _PARSERS.get(attribute.vr, _text)
    tests = dict.fromkeys(parse(attribute, _written(attribute, item)) for item in values)
    return Condition(attribute, tuple(tests))


def _written(attribute: Attribute, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        kind = "null" if value is None else type(value).__name__
        raise BadArgument(f"{attribute.name} must be text, a number or a list of them, not {kind}.")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadArgument(f"{attribute.name}={value} is not a number that an archive can hold.")
        value = int(value) if value.is_integer() else value
    if isinstance(value, int) and abs(value) >= 10**LONGEST_NUMBER:
        raise BadArgument(f"{attribute.name} is a number of more than {LONGEST_NUMBER} digits, which no archive holds.")
    text = str(value).strip()
    if not text:
        raise BadArgument(f"{attribute.name} is empty, which would match everything: leave the filter out.")
    if "\\" in text or not text.isprintable():
        raise BadArgument(f"{attribute.name} holds a backslash or a control character; for several values give a list.")
    return text


def _text(attribute: Attribute, text: str) -> Test:
    longest = LONGEST.get(attribute.vr, 1024)
    if len(text) > longest:
        raise BadArgument(f"{attribute.name} has {len(text)} characters; {attribute.vr} values have at most {longest}.")
    if not text.strip("*"):
        raise BadArgument(
            f"{attribute.name}={text[:9]!r} would match everything: leave the filter out, or write ?* for any value."
        )
    return Wildcard(text) if "*" in text or "?" in text else Exact(text)


def _code_string(attribute: Attribute, text: str) -> Test:
    """Codes are upper case (PS3.5 6.2), but archives hold others: only what is all lower case was meant as upper."""
    is_modality = attribute.keyword in ("Modality", "ModalitiesInStudy")
    return _text(attribute, text.upper() if is_modality or text.islower() else text)


def _age(attribute: Attribute, text: str) -> Test:
    """Ages are text of a number and its unit (PS3.5 6.2): no archive compares them."""
    if match := re.fullmatch(r"([0-9]{1,3})\s*([DWMY])", text.upper(), re.ASCII):
        return Exact(f"{match[1]:0>3}{match[2]}")
    if re.fullmatch(r"[0-9DWMY*?]{1,4}", text.upper(), re.ASCII) and text.strip("0123456789"):
        return _text(attribute, text.upper())
    raise BadArgument(
        f"{attribute.name}={text[:40]!r} is no age. Write 45Y (or 6M, 2W, 3D), a pattern (04?Y for 40 to 49 years), or "
        "a list of them: ages are text, and cannot be compared. Ranges need a date, such as PatientBirthDate."
    )


def _fuzzy(attribute: Attribute, text: str) -> Test:
    words = name_words(text)
    if not words:
        raise BadArgument(f"{attribute.name}={text!r} holds no letters to look for.")
    return Fuzzy(words, " ".join(re.sub(r"[*?,]", " ", text).split()))


def _uid(attribute: Attribute, text: str) -> Test:
    return Exact(uids_by_name().get(text.casefold()) or checked_uid(text, attribute.name))


def _date(attribute: Attribute, text: str) -> Test:
    return Range(*_explained(attribute, date_range, text))


def _time(attribute: Attribute, text: str) -> Test:
    return Range(*_explained(attribute, time_range, text))


def _date_time(attribute: Attribute, text: str) -> Test:
    return Range(*_explained(attribute, date_time_range, text))


def _explained(attribute: Attribute, parse: Callable[[str], tuple[str, str]], text: str) -> tuple[str, str]:
    try:
        return parse(text)
    except BadArgument as problem:
        raise BadArgument(f"{attribute.name}: {problem}") from None


def _number(attribute: Attribute, text: str) -> Test:
    if match := re.fullmatch(r"(<=|>=|<|>)\s*(\S+)", text):
        bound, strict = _canonical(attribute, match[2]), len(match[1]) == 1
        return Range("", bound, strict) if match[1].startswith("<") else Range(bound, "", strict)
    if ".." in text:
        low, high = (_canonical(attribute, end) if end.strip() else "" for end in text.split("..", 1))
        if (not low and not high) or (low and high and float(low) > float(high)):
            raise BadArgument(f"{attribute.name}={text!r} is no range. Write 1..5, >=3 or <10.")
        return Range(low, high)
    return Exact(_canonical(attribute, text))


def _canonical(attribute: Attribute, text: str) -> str:
    """The number without what may be written differently: 3 for 3.0 and 0003."""
    text = text.strip()
    number = float(text) if NUMBER.fullmatch(text) else math.nan
    whole = number.is_integer()
    if not abs(number) < 10**LONGEST_NUMBER or (attribute.vr in INTEGER_VRS and not whole):
        kind = "a whole number" if attribute.vr in INTEGER_VRS else "a number"
        raise BadArgument(f"{attribute.name}={text[:40]!r} is not {kind}. Write 5, 1..5, >=3 or <10.")
    digits = re.fullmatch(r"[+-]?[0-9]+", text)  # a float would not hold all of 64 bits
    return str(int(text if digits else number)) if whole else text


_PARSERS: Mapping[str, Callable[[Attribute, str], Test]] = {
    "AS": _age,
    "CS": _code_string,
    "UI": _uid,
    "DA": _date,
    "TM": _time,
    "DT": _date_time,
    **dict.fromkeys(NUMBER_VRS, _number),
}
