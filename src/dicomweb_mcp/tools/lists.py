"""A search's result -> a list answer within its budget: optional fields give way first, then rows."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from ..dicom.matching import Condition
from ..dicom.rules import Level
from ..dicom.values import DicomJson, clean, element_at, plain, text
from ..services.search import DEFAULT_FIELDS, Found
from .answers import LIST_BUDGET, ListAnswer, size

KEPT_FIELDS = 4  # of the default ones never give way to space: what tells rows apart
SHORT = 60  # characters of a value in a row that does not fit otherwise
ROOM_FOR_A_NOTE = 200  # which will name the fields that were left out
LONGEST_FILTER, LONGEST_NOTE, MOST_NOTES = 200, 500, 10  # characters, characters, sentences


def list_answer(archive: str, found: Found, *, fields_given: bool) -> ListAnswer:
    """The answer for what was found, each half at most LIST_BUDGET characters."""
    rows = [row_of(found.plan.level, row, found) for row in found.rows]
    if found.is_count:
        return _envelope(archive, found, rows).model_copy(update=dict.fromkeys(("returned", "offset", "rows")))
    answer = _envelope(archive, found, rows)
    if size(answer) <= LIST_BUDGET:
        return answer
    notes: list[str] = []
    if not fields_given and (dropped := _drop_fields(archive, found, rows)):
        notes.append(f"Left out for space: {', '.join(dropped)}. Ask for them by fields, with a smaller limit.")
    return _cut_rows(archive, found, rows, notes)


def row_of(level: Level, row: DicomJson, found: Found) -> dict[str, Any]:
    """One match as an object keyed by keyword: its UIDs, then its columns; empty values are left out."""
    known = {"StudyInstanceUID": found.plan.study_uid, "SeriesInstanceUID": found.plan.series_uid}
    shown: dict[str, Any] = {}
    for keyword in level.uids:
        if uid := clean(text(row, keyword)) or known.get(keyword):
            shown[keyword] = uid
    for column in found.plan.columns:
        value = _value(row, column.tag)
        if value is not None:
            shown[column.name] = value
    return shown


def _value(row: DicomJson, tag: str) -> Any:
    element = element_at(row, tag)
    return plain(element) if element is not None else None


def _envelope(
    archive: str, found: Found, rows: list[dict[str, Any]], notes: Sequence[str] = (), cut: bool = False
) -> ListAnswer:
    common, rest = shared_by_all(rows, (found.plan.level.uid,))
    order = found.plan.order
    said = dict.fromkeys((*found.plan.notes, *found.notes, *notes))
    return ListAnswer(
        archive=archive,
        returned=len(rows),
        offset=found.offset,
        next_offset=found.offset + len(rows) if cut else found.next_offset,
        complete=False if cut else found.complete,
        total=found.total,
        order=f"{'-' if order[1] else ''}{order[0].name}" if order else None,
        sent=_shown(found.plan.sent),
        matched_here=_shown(found.plan.here),
        notes=[clean(note, LONGEST_NOTE) for note in list(said)[:MOST_NOTES]],
        common=common,
        rows=rest,
    )


def _shown(conditions: Sequence[Condition]) -> dict[str, str]:
    """Filters as they were understood; a long list of values is cut, because its sender knows it."""
    return {item.attribute.name: clean(item.wanted, LONGEST_FILTER) for item in conditions}


def shared_by_all(rows: list[dict[str, Any]], own: Sequence[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """From three rows on: what all of them share, and the rows without it. What is a row's own stays."""
    if len(rows) < 3:
        return {}, rows
    first = rows[0]
    shared = {
        key: value
        for key, value in first.items()
        if key not in own and all(key in row and row[key] == value for row in rows)
    }
    return shared, [{key: value for key, value in row.items() if key not in shared} for row in rows]


def _drop_fields(archive: str, found: Found, rows: list[dict[str, Any]]) -> list[str]:
    """Take optional columns out of the rows, the last first, until the answer fits; their names."""
    names = [column.name for column in found.plan.columns]
    optional = [name for name in names if name in DEFAULT_FIELDS[found.plan.level][KEPT_FIELDS:]]
    dropped: list[str] = []
    while optional and size(_envelope(archive, found, rows)) > LIST_BUDGET - ROOM_FOR_A_NOTE:
        name = optional.pop()
        if sum(row.pop(name, None) is not None for row in rows):
            dropped.insert(0, name)
    return dropped


def _cut_rows(archive: str, found: Found, rows: list[dict[str, Any]], notes: list[str]) -> ListAnswer:
    """As many rows as fit, at least one; ``next_offset`` goes on with the first that was cut."""
    whole = _envelope(archive, found, rows, notes)
    if size(whole) <= LIST_BUDGET:
        return whole

    def cut_after(kept: int) -> ListAnswer:
        return _envelope(archive, found, rows[:kept], [*notes, _rows_note(kept, len(rows))], cut=True)

    fits = bisect_left(range(1, len(rows)), True, key=lambda kept: size(cut_after(kept)) > LIST_BUDGET)
    if fits:
        return cut_after(fits)
    uids = found.plan.level.uids
    short = {key: value if key in uids else _short(value) for key, value in rows[0].items()}
    note = f"Values were cut to {SHORT} characters: ask get_metadata for them."
    return _envelope(archive, found, [short], [*notes, note], cut=len(rows) > 1)


def _rows_note(kept: int, rows: int) -> str:
    return f"{kept} of {rows} rows fit into one answer: go on with next_offset, or ask for fewer fields."


def _short(value: Any) -> Any:
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return value if len(str(value)) <= SHORT else str(value)[:SHORT] + "..."
