"""Patients by their IDs, which are unique within a collection alone."""

import re

from ..errors import BadArgument
from .condition import NEAR_NAMED, Condition, Values
from .index import Session
from .wheel import release

MOST_PATTERNS = 20  # each is compared with every series


def patient(session: Session, values: Values) -> Condition:
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
