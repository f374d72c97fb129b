"""A search of the index: everything that an answer says of what matches, read in one go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from ...dicom.rules import Level
from ...errors import BadArgument
from ...idc.attributes import DEFAULT_FIELDS, GROUPS, IDENTIFYING, OF_A_UID
from ...idc.cohort import BIGGEST, Cohort
from ...idc.condition import Condition
from ...idc.filters import conditions
from ...idc.index import Row, Session
from ...idc.places import GOOGLE_BUCKET, Current, Retired, find
from ...idc.wheel import release, tables
from .asking import ask
from .known import misplaced, retired

COUNTED = ("patients", "studies", "series", "instances", "size_MB")
GROUPED_UNASKED = ("collection", "modality")
DECIMALS = 3  # of a size in MB
UIDS = {"study_uid": Level.STUDY, "series_uid": Level.SERIES}
MOST_UIDS_EXPLAINED = 5


@dataclass(frozen=True)
class IdcQuery:
    """``given``: the arguments of the filters by name. ``group_by``: rows are groups instead of series."""

    given: Mapping[str, Any]
    group_by: Sequence[str] = ()
    fields: Sequence[str] | None = None
    order: str | None = None
    limit: int = 25
    offset: int = 0


@dataclass(frozen=True)
class FoundInIndex:
    """``total`` rows there are, of which these are shown."""

    query: IdcQuery
    rows: list[Row]
    total: int
    counts: Row
    understood: dict[str, str]
    order: str
    licenses: dict[str, int] = field(default_factory=dict)
    groups: dict[str, dict[str, int]] = field(default_factory=dict)
    without_value: dict[str, int] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


async def search_index(query: IdcQuery) -> FoundInIndex:
    """What matches. Raises BadArgument with what can be used instead, IndexProblem."""
    fields = _fields(query)
    order, descending = _order(query)
    return await ask(lambda session: _search(session, query, fields, order, descending))


def _search(session: Session, query: IdcQuery, fields: Sequence[str], order: str, descending: bool) -> FoundInIndex:
    asked = conditions(session, query.given)
    cohort = Cohort(session, asked)
    counts = cohort.counts()
    page = (order, descending, query.limit, query.offset)
    if query.group_by:
        total, rows = cohort.groups(query.group_by, *page)
    else:
        total, rows = counts["series"], cohort.series(fields, *page)
    since = next((item.parameters["new_since"] for item in asked if item.argument == "new_since"), None)
    return FoundInIndex(
        query,
        [_rounded(row) for row in rows],
        total,
        counts,
        {item.argument: item.understood for item in asked},
        f"{'-' if descending else ''}{order}" if order else "as in the index",
        licenses=cohort.biggest("license_short_name"),
        groups={} if query.group_by or not counts["series"] else _biggest(cohort),
        without_value=cohort.without_value(),
        changes=cohort.changes(since) if since else {},
        notes=(*_notes(cohort, asked, counts), *_empty(query.given)),
    )


def _biggest(cohort: Cohort) -> dict[str, dict[str, int]]:
    return {name: cohort.biggest(GROUPS[name], BIGGEST) for name in GROUPED_UNASKED}


def _notes(cohort: Cohort, asked: Sequence[Condition], counts: Row) -> list[str]:
    notes = [*_about_uids(cohort.session, asked), *(note for item in asked for note in item.notes)]
    if not counts["series"] and len(asked) > 1:
        alone = cohort.without_each().items()
        said = "; ".join(f"without {argument} {count:,} series" for argument, count in alone)
        notes.insert(0, f"Nothing matches all filters together: {said or 'leaving out any one of them, none'} would.")
    if any(item.argument == "new_since" for item in asked):
        notes.append("Of removed series little is kept: changes.removed counts them by patients, studies and series.")
        if left_out := cohort.not_asked_of_removed():
            notes.append(f"changes.removed could not be filtered by {', '.join(left_out)}.")
    return notes


def _about_uids(session: Session, asked: Sequence[Condition]) -> list[str]:
    """What became of UIDs that the release does not have at the level that was meant; and what Google's store lacks."""
    notes = []
    for item in asked:
        if level := UIDS.get(item.argument):
            uids = item.parameters[item.argument]
            known = find(session, uids, first=level)
            reasons = [reason for uid in uids if (reason := _why_not(uid, level, known.get(uid)))]
            notes += reasons[:MOST_UIDS_EXPLAINED]
            if len(reasons) > MOST_UIDS_EXPLAINED:
                notes.append(
                    f"{len(reasons)} of {len(uids)} UIDs in {item.argument} match nothing; five are explained."
                )
            there = [found for found in known.values() if isinstance(found, Current) and found.level is level]
            if lacking := sum(not found.in_google_store for found in there):
                notes.append(
                    f"{lacking} of {len(there)} UIDs are not in idc-google, which has the bucket {GOOGLE_BUCKET} "
                    "alone; idc has all."
                )
    return notes


def _why_not(uid: str, level: Level, known: Current | Retired | None) -> str:
    if isinstance(known, Retired):
        return retired(known)
    if known is None:
        return (
            f"{uid} is no study or series of IDC {release()}: mistyped, newer than the index, or the UID of an "
            "instance, of which the index holds none (get_metadata with instance_uid asks the archive)."
        )
    return misplaced(uid, level, known)


def _empty(given: Mapping[str, Any]) -> list[str]:
    """A list without values may be meant as none, and is taken as no filter."""
    return [f"{argument} is an empty list, which filters nothing." for argument, value in given.items() if value == []]


def _fields(query: IdcQuery) -> Sequence[str]:
    """The columns of a row, those that identify it first."""
    if query.fields is None:
        return OF_A_UID if any(query.given.get(argument) for argument in UIDS) else DEFAULT_FIELDS
    if query.group_by:
        raise BadArgument("fields are columns of series: leave them out with group_by.")
    names = {name.casefold(): name for name in tables()["index"].columns}
    wanted = []
    for name in query.fields:
        if name.casefold() not in names:
            raise BadArgument(_no_column(name, list(names.values())))
        wanted.append(names[name.casefold()])
    return list(dict.fromkeys([*IDENTIFYING, *wanted]))


def _order(query: IdcQuery) -> tuple[str, bool]:
    """The column to sort by, empty for the order of the index, and whether the greatest comes first."""
    if not query.order:
        return ("series", True) if query.group_by else ("", False)
    name, descending = query.order.removeprefix("-"), query.order.startswith("-")
    known = [*query.group_by, *COUNTED] if query.group_by else list(tables()["index"].columns)
    found = next((column for column in known if column.casefold() == name.casefold()), None)
    if found is None:
        raise BadArgument(_no_column(name, known))
    return found, descending


def _no_column(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    offered = f"Nearest: {', '.join(near)}" if near else f"There are {', '.join(known)}"
    return f"There is no column {name[:60]!r} to show or sort by. {offered}."


def _rounded(row: Row) -> Row:
    return {name: round(value, DECIMALS) if isinstance(value, float) else value for name, value in row.items()}
