"""The arguments of a search -> conditions on the index, each with how it was understood and which series it cannot
judge, because they have no value."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..dicom.dates import date_range
from ..dicom.uids import checked_uid
from ..errors import BadArgument
from .attributes import ATTRIBUTES, Attribute
from .index import Session
from .vocabulary import Meant, Vocabulary, meant, shown, vocabulary
from .wheel import release

MOST_VALUES = 200  # of one argument
MOST_PATTERNS = 20  # of patients: each is compared with every series
LONGEST_TEXT = 200
NEAR_NAMED = 5
HOW_AGES = "Write ages in completed years: 50, 50..60, >=65 or <18."

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


def conditions(session: Session, given: Mapping[str, Any]) -> list[Condition]:
    """The conditions of all arguments that were given. Raises BadArgument with what can be used instead."""
    return [_condition(session, argument, value) for argument, value in given.items() if value not in (None, [], "")]


def _condition(session: Session, argument: str, value: Any) -> Condition:
    values = [str(item) for item in value] if isinstance(value, list) else [str(value)]
    if len(values) > MOST_VALUES or any(len(item) > LONGEST_TEXT for item in values):
        raise BadArgument(f"{argument}: at most {MOST_VALUES} values of at most {LONGEST_TEXT} characters.")
    if any("\ud800" <= char <= "\udfff" for item in values for char in item):
        raise BadArgument(f"{argument} holds characters that are no text.")
    if attribute := ATTRIBUTES.get(argument):
        return _of_vocabulary(session, attribute, values)
    return _OTHERS[argument](session, values)


# ---- values that exist -----------------------------------------------------------------------------------------------


def _of_vocabulary(session: Session, attribute: Attribute, values: Values) -> Condition:
    words = vocabulary(session, attribute)
    found = [meant(attribute, value, words) for value in values]
    chosen = list(dict.fromkeys(value for item in found for value in item.values))
    notes = tuple(
        note
        for value, item in zip(values, found, strict=True)
        if (note := _left_out(attribute, value, item, chosen, words))
    )
    argument, column = attribute.argument, attribute.column
    if attribute.of_collections:
        collections = sorted({name for value in chosen for name in words.collections[value]})
        notes += (f"{argument} is said of whole collections: all series of {len(collections)} collections match.",)
        return Condition(
            argument, f"list_contains(${argument}, collection_id)", frozenset({"collection_id"}),
            shown(chosen, words), {argument: collections},
            f"collection_id NOT IN (SELECT collection_id FROM collections_index WHERE {column} <> '')", notes,
        )  # fmt: skip
    sql = (
        f"list_has_any(string_split({column}, ','), ${argument})"
        if attribute.is_list
        else f"list_contains(${argument}, {column})"
    )
    return Condition(
        argument,
        sql,
        frozenset({column}),
        shown(chosen, words),
        {argument: chosen},
        f"coalesce({column}, '') = ''",
        notes,
    )


def _left_out(attribute: Attribute, value: str, found: Meant, chosen: Values, words: Vocabulary) -> str:
    """What is called much the same and was not meant."""
    near = [item for item in found.near if item not in chosen]
    return f"{attribute.argument} {value!r} leaves out {shown(near, words, NEAR_NAMED)}." if near else ""


# ---- ranges, texts, UIDs ---------------------------------------------------------------------------------------------


def _age(session: Session, values: Values) -> Condition:
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


def _study_date(_: Session, values: Values) -> Condition:
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


def _text(_: Session, values: Values) -> Condition:
    words = [word for value in values for word in value.split()]
    if not words:
        raise BadArgument("text is empty: give words of a description, or leave it out.")
    parameters = {f"text_{number}": word for number, word in enumerate(words)}
    return Condition(
        "text", " AND ".join(f"contains({_DESCRIPTIONS}, lower(${name}))" for name in parameters),
        frozenset({"StudyDescription", "SeriesDescription"}),
        f"{' and '.join(map(repr, words))} in StudyDescription or SeriesDescription", parameters,
        f"trim({_DESCRIPTIONS}) = ''",
    )  # fmt: skip


_DESCRIPTIONS = "lower(coalesce(StudyDescription, '') || ' ' || coalesce(SeriesDescription, ''))"


def _patient(session: Session, values: Values) -> Condition:
    ids = [value.strip().lower() for value in values]
    patterns = {f"patient_id_{number}": _like(value) for number, value in enumerate(values) if "*" in value}
    if len(patterns) > MOST_PATTERNS:
        raise BadArgument(f"patient_id: at most {MOST_PATTERNS} values with *.")
    where = " OR ".join(["list_contains($patient_id, lower(PatientID))", *map(_ILIKE.format, patterns)])
    parameters = {"patient_id": ids, **patterns}
    found = session.rows(
        f"SELECT PatientID, list(DISTINCT collection_id) AS collections FROM index WHERE {where} "
        f"GROUP BY 1 ORDER BY 1", parameters,
    )  # fmt: skip
    having = {row["PatientID"].lower() for row in found}
    unknown = [value for value in values if "*" not in value and value.strip().lower() not in having]
    if not found:
        raise BadArgument(_unknown_patient(session, values[0]))
    several = [row for row in found if len(row["collections"]) > 1]
    notes = [
        f"PatientID {row['PatientID']} is in {' and '.join(sorted(row['collections']))}: perhaps different patients."
        for row in several[:NEAR_NAMED]
    ]
    if len(several) > NEAR_NAMED:
        notes.append(f"{len(several) - NEAR_NAMED} more PatientIDs are in several collections.")
    if unknown:
        notes.insert(0, _not_there("PatientIDs", unknown))
    understood = f"{len(found):,} PatientIDs" if len(found) > 1 else found[0]["PatientID"]
    return Condition(
        "patient_id", f"({where})", frozenset({"PatientID"}), understood, parameters, notes=tuple(notes)
    )  # fmt: skip


_ILIKE = "PatientID ILIKE ${} ESCAPE '\\'"


def _like(text: str) -> str:
    """A pattern of SQL for text in which ``*`` stands for any characters."""
    return re.sub(r"([%_\\])", r"\\\1", text.strip()).replace("*", "%")


def _unknown_patient(session: Session, wanted: str) -> str:
    near = session.rows(
        f"SELECT DISTINCT PatientID FROM index WHERE {_ILIKE.format('near')} ORDER BY 1 LIMIT {NEAR_NAMED}",
        {"near": f"%{_like(wanted.strip('*'))}%"},
    )
    said = f"IDC {release()} has no PatientID {wanted[:60]!r}."
    if near:
        said += f" Nearest: {', '.join(row['PatientID'] for row in near)}."
    return f"{said} * stands for any characters."


def _not_there(what: str, values: Values) -> str:
    named = f"{', '.join(values[:NEAR_NAMED])}{' and others' if len(values) > NEAR_NAMED else ''}"
    return f"{len(values)} {what} are not in IDC {release()}: {named}."


def _uids(argument: str, column: str) -> Callable[[Session, Values], Condition]:
    def condition(_: Session, values: Values) -> Condition:
        uids = list(dict.fromkeys(checked_uid(value, argument) for value in values))
        sql = f"list_contains(${argument}, {column})"
        shown = uids[0] if len(uids) == 1 else f"{len(uids)} UIDs"
        return Condition(argument, sql, frozenset({column}), shown, {argument: uids})

    return condition


# ---- what else the same patient or study has, releases, derived data -------------------------------------------------

_OTHER_SERIES = {
    "same_patient_has": "(collection_id, PatientID) IN (SELECT DISTINCT collection_id, PatientID FROM index WHERE {})",
    "same_study_has": "StudyInstanceUID IN (SELECT StudyInstanceUID FROM index WHERE {})",
}


def _same(argument: str) -> Callable[[Session, Values], Condition]:
    def condition(session: Session, values: Values) -> Condition:
        attribute = ATTRIBUTES["modality"]
        words = vocabulary(session, attribute)
        found = [meant(attribute, value, words).values for value in values]
        parameters = {f"{argument}_{number}": modalities for number, modalities in enumerate(found)}
        sql = " AND ".join(_OTHER_SERIES[argument].format(f"list_contains(${name}, Modality)") for name in parameters)
        of = argument.split("_")[1]
        shown = f"the same {of} also has {' and '.join('/'.join(modalities) for modalities in found)}"
        columns = {"collection_id", "PatientID"} if of == "patient" else {"StudyInstanceUID"}
        return Condition(argument, sql, frozenset(columns), shown, parameters)

    return condition


def _new_since(_: Session, values: Values) -> Condition:
    newest = int(release()[1:])
    match = re.fullmatch(r"[vV]?([0-9]{1,3})", values[0].strip())
    if not match or len(values) > 1 or not 1 <= int(match[1]) < newest:
        raise BadArgument(
            f"new_since {values[0][:20]!r}: give one release before {release()}, which the index describes, such as "
            f"v{newest - 1}."
        )
    since = int(match[1])
    return Condition(
        "new_since", "series_revised_idc_version > $new_since", frozenset({"series_revised_idc_version"}),
        f"added or revised after v{since}, so by v{since + 1} to {release()}" if since + 1 < newest
        else f"added or revised by {release()}", {"new_since": since},
    )  # fmt: skip


_DERIVED = {
    "exclude": ("analysis_result_id IS NULL", "without analysis results"),
    "only": ("analysis_result_id IS NOT NULL", "analysis results alone"),
}


def _derived(_: Session, values: Values) -> Condition:
    sql, shown = _DERIVED[values[0]]
    return Condition("derived", sql, frozenset({"analysis_result_id"}), shown)


_OTHERS: Mapping[str, Callable[[Session, Values], Condition]] = {
    "age": _age,
    "study_date": _study_date,
    "text": _text,
    "patient_id": _patient,
    "study_uid": _uids("study_uid", "StudyInstanceUID"),
    "series_uid": _uids("series_uid", "SeriesInstanceUID"),
    "same_patient_has": _same("same_patient_has"),
    "same_study_has": _same("same_study_has"),
    "new_since": _new_since,
    "derived": _derived,
}
