"""The arguments of a search -> conditions on the index, each with how it was understood and which series it cannot
judge, because they have no value."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from ..dicom.uids import checked_uid
from ..errors import BadArgument
from .attributes import ATTRIBUTES, Attribute
from .condition import NEAR_NAMED, Condition, Values
from .index import Session
from .patients import patient
from .ranges import age, study_date
from .vocabulary import Meant, Vocabulary, meant, shown, vocabulary
from .wheel import release

MOST_VALUES = 200  # of one argument
LONGEST_TEXT = 200


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
    matches = "list_has_any(string_split({1}, ','), ${0})" if attribute.is_list else "list_contains(${0}, {1})"
    missing = "" if attribute.may_be_empty else f"coalesce({column}, '') = ''"
    return Condition(
        argument, matches.format(argument, column), frozenset({column}), shown(chosen, words), {argument: chosen},
        missing, notes,
    )  # fmt: skip


def _left_out(attribute: Attribute, value: str, found: Meant, chosen: Values, words: Vocabulary) -> str:
    """What is called much the same and was not meant."""
    near = [item for item in found.near if item not in chosen]
    return f"{attribute.argument} {value!r} leaves out {shown(near, words, NEAR_NAMED)}." if near else ""


# ---- texts, UIDs -----------------------------------------------------------------------------------------------------


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
    "age": age,
    "study_date": study_date,
    "text": _text,
    "patient_id": patient,
    "study_uid": _uids("study_uid", "StudyInstanceUID"),
    "series_uid": _uids("series_uid", "SeriesInstanceUID"),
    "same_patient_has": _same("same_patient_has"),
    "same_study_has": _same("same_study_has"),
    "new_since": _new_since,
    "derived": _derived,
}
