"""Search: pages, counts and order, honest about what is missing.

``complete`` is True only when the end of the matches was seen, False when more are known to exist, None when the
server cannot say. A server that ignores a filter, an ``offset`` or a ``limit`` is noticed and told, and no loop
depends on it.
"""

import re
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from ..archives.base import Archive
from ..dicom.matching import Condition
from ..dicom.query import Plan, Query, make_plan
from ..dicom.rules import Level, NotSearchable
from ..dicom.tags import Attribute
from ..dicom.uids import checked_uid
from ..dicom.values import NUMBER_VRS, DicomJson, element_at, plain
from ..errors import BadArgument
from .empty import why_empty
from .paging import Ignored, Scan, is_more, look_at, matches, row_uid, unseen

MOST_ROWS = 500
MOST_ORDERED = 5_000
MOST_COUNTED = 50_000

# What a row shows after its UIDs when ``fields`` is not given, in order; the first ones are the last to give way.
DEFAULT_FIELDS: Mapping[Level, tuple[str, ...]] = {
    Level.STUDY: (
        "StudyDate", "PatientID", "ModalitiesInStudy", "StudyDescription", "PatientName",
        "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances", "AccessionNumber",
    ),
    Level.SERIES: (
        "Modality", "SeriesNumber", "SeriesDescription", "NumberOfSeriesRelatedInstances", "BodyPartExamined",
        "SeriesDate",
    ),
    Level.INSTANCE: ("InstanceNumber", "SOPClassUID", "NumberOfFrames", "Rows", "Columns"),
}  # fmt: skip
ACROSS_STUDIES = ("PatientID", "StudyDate")  # of series that are not listed below one study


@dataclass(frozen=True)
class Found:
    """What a search answers with: DICOM JSON objects and everything that is known about their completeness.

    With ``is_count`` no objects were asked for.
    """

    plan: Plan
    rows: list[DicomJson]
    offset: int
    complete: bool | None
    total: int | None = None
    next_offset: int | None = None
    notes: tuple[str, ...] = ()
    is_count: bool = False


async def search(archive: Archive, query: Query, *, limit: int = 25, offset: int = 0, count: bool = False) -> Found:
    """One page of what matches a query; with ``count`` only how many match.

    Raises BadArgument, NotSearchable (before anything is sent) or ArchiveError.
    """
    query = _checked(query, limit, offset)
    profile = await archive.settle()
    plan = make_plan(query, profile.rules)
    if profile.largest_offset is not None and offset > profile.largest_offset:
        raise BadArgument(f"Archive {archive.name} serves offsets up to {profile.largest_offset:,}: narrow the search.")
    while True:
        try:
            found = await _answered(archive, plan, limit, offset, count)
        except Ignored as ignored:  # each round leaves the server fewer conditions, so this ends
            plan = _without(plan, ignored.conditions)
        else:
            return found


async def _answered(archive: Archive, plan: Plan, limit: int, offset: int, count: bool) -> Found:
    if count:
        return await _counted(archive, plan)
    if plan.order:
        return await _ordered(archive, plan, limit, offset)
    # a page in the middle cannot tell whether the rows before it were those of the filters
    doubted = offset > 0 and plan.sent and not archive.profile.trusted
    if plan.here or doubted:
        return await _scanned(archive, plan, limit, offset)
    return await _paged(archive, plan, limit, offset)


def _without(plan: Plan, ignored: tuple[Condition, ...]) -> Plan:
    """The plan with these conditions matched here, because the server ignores them."""
    names = ", ".join(item.attribute.name for item in ignored)
    note = f"The archive ignored the filter {names}; it was matched here."
    return replace(plan.matched_here(ignored), notes=(*plan.notes, note))


def _checked(query: Query, limit: int, offset: int) -> Query:
    if not 1 <= limit <= MOST_ROWS:
        raise BadArgument(f"limit={limit}: give 1 to {MOST_ROWS}, and page on with next_offset.")
    if offset < 0:
        raise BadArgument(f"offset={offset}: give 0 or the next_offset of the answer before.")
    defaults = query.defaults or DEFAULT_FIELDS[query.level]
    if query.level is Level.SERIES and not query.study_uid:
        defaults = (*defaults, *ACROSS_STUDIES)
    return replace(
        query,
        defaults=defaults,
        study_uid=checked_uid(query.study_uid, "study_uid") if query.study_uid else None,
        series_uid=checked_uid(query.series_uid, "series_uid") if query.series_uid else None,
    )


# ---- one page, matched and cut by the server -------------------------------------------------------------------------


async def _paged(archive: Archive, plan: Plan, limit: int, offset: int) -> Found:
    largest = archive.profile.largest[plan.level]
    asked = min(limit + 1, largest) if largest else limit + 1
    page = await archive.search(plan, limit=asked, offset=offset)
    look = await look_at(plan, page)
    scan = Scan(looked_at=len(page.rows))
    scan.note(look, plan)
    scan.judge(archive, plan)
    notes = scan.notes
    if len(page.rows) > asked:
        notes.append("The archive ignored the limit; the rows beyond it were cut here.")
    if offset and page.rows and (not archive.profile.honours_offset or len(page.rows) > asked):
        first = await archive.search(plan, limit=1, offset=0)
        if first.rows and row_uid(plan, first.rows[0]) == look.uids[0]:
            return await _without_offset(archive, plan, limit, offset)
    consumed = look.uids[:limit]
    rows = [page.rows[place] for place in unseen(consumed, set())]
    more = await is_more(archive, plan, look, limit, offset, asked)
    scan.ended = None if more is None else not more
    complete, total = scan.complete, page.total
    if page.incomplete:
        notes.append(page.incomplete)
        complete, total = False, None
    elif len(rows) < len(consumed):
        total = None  # rows that came twice or are no results count differently here and there
    elif complete and (rows or offset == 0):
        total = offset + len(rows)
    elif total is None and page.remaining is not None:
        total = offset + len(page.rows) + page.remaining
    found = Found(
        plan, rows, offset, complete, total, next_offset=offset + len(consumed) if more and consumed else None,
        notes=tuple(notes),
    )  # fmt: skip
    return found if rows or offset or not complete else await _explained(archive, found)


async def _explained(archive: Archive, found: Found) -> Found:
    """An empty answer with the reasons that could be found."""
    return replace(found, notes=(*found.notes, *await why_empty(archive, found.plan)))


async def _without_offset(archive: Archive, plan: Plan, limit: int, offset: int) -> Found:
    """A server that ignores ``offset``: everything up to the wanted rows is asked for at once and cut here."""
    page = await archive.search(plan, limit=offset + limit + 1, offset=0)
    await look_at(plan, page)
    rows = list(page.rows[offset : offset + limit])
    more = len(page.rows) > offset + limit
    note = "The archive ignores offset: the rows before it were fetched too and left out here."
    if not rows:
        note = (
            f"The archive ignores offset and gave only its first {len(page.rows)} rows, so nothing beyond them can be "
            "reached this way: narrow the search with filters."
        )
    complete = False if more or not rows else None
    return Found(plan, rows, offset, complete, next_offset=offset + len(rows) if more and rows else None, notes=(note,))


# ---- many pages, matched, counted or ordered here --------------------------------------------------------------------


async def _scanned(archive: Archive, plan: Plan, limit: int, offset: int) -> Found:
    """Matches found by reading the rows that the server's filters let through, up to the profile's limit of rows."""
    scan = Scan()
    wanted = offset + limit + 1
    async with aclosing(matches(archive, plan, scan, archive.profile.scan)) as arriving:
        async for some in arriving:
            scan.rows += some
            if len(scan.rows) >= wanted:
                break
    more = len(scan.rows) > offset + limit
    rows = scan.rows[offset : offset + limit]
    complete = False if more else scan.complete
    found = Found(
        plan, rows, offset, complete,
        total=len(scan.rows) if complete else None,
        next_offset=offset + len(rows) if more else None,
        notes=tuple(scan.notes),
    )  # fmt: skip
    return found if rows or offset or not complete else await _explained(archive, found)


async def _counted(archive: Archive, plan: Plan) -> Found:
    """Only the number of matches: the server's own where it says it, else by reading every page."""
    scan, matched = Scan(), 0
    if archive.profile.counts and not plan.here:
        first = await archive.search(plan, limit=1, offset=0)
        if first.total is not None and not first.incomplete:
            found = Found(plan, [], 0, True, total=first.total, notes=first.notes, is_count=True)
            return found if found.total else await _explained(archive, found)
    async with aclosing(matches(archive, plan, scan, MOST_COUNTED)) as arriving:
        async for some in arriving:
            matched += len(some)
    if scan.complete:
        found = Found(plan, [], 0, True, total=matched, notes=tuple(scan.notes), is_count=True)
        return found if matched else await _explained(archive, found)
    scan.notes.append(f"At least {matched:,} match: a lower bound.")
    return Found(plan, [], 0, scan.complete, notes=tuple(scan.notes), is_count=True)


async def _ordered(archive: Archive, plan: Plan, limit: int, offset: int) -> Found:
    """All matches sorted here, then the page. Refused when there are too many: a sorted part would mislead."""
    assert plan.order
    attribute, descending = plan.order
    scan = Scan()
    async with aclosing(matches(archive, plan, scan, max(archive.profile.scan, MOST_ORDERED + 1))) as arriving:
        async for some in arriving:
            scan.rows += some
            if len(scan.rows) > MOST_ORDERED:
                break
    if len(scan.rows) > MOST_ORDERED or not scan.ended:
        known = f"more than {MOST_ORDERED:,}" if len(scan.rows) > MOST_ORDERED else f"at least {len(scan.rows):,}"
        raise NotSearchable(
            f"order={attribute.name} needs all matches, and {known} match without an end in reach: the first ones in "
            "order may be among those not read. Narrow the search with filters, or leave order out."
        )
    keyed = [(_sort_key(attribute, row), row) for row in scan.rows]
    present = sorted((pair for pair in keyed if pair[0] is not None), key=lambda pair: pair[0], reverse=descending)
    arranged = [row for _, row in present] + [row for key, row in keyed if key is None]
    rows = arranged[offset : offset + limit]
    more = len(arranged) > offset + limit
    if missing := len(arranged) - len(present):
        scan.notes.append(f"{missing} without {attribute.name} stand at the end.")
    found = Found(
        plan, rows, offset, False if more else scan.complete,
        total=None if scan.doubtful else len(arranged),
        next_offset=offset + limit if more else None,
        notes=tuple(scan.notes),
    )  # fmt: skip
    return found if arranged else await _explained(archive, found)


def _sort_key(attribute: Attribute, row: DicomJson) -> Any:
    value = plain(element_at(row, attribute.tag) or {})
    values = value if isinstance(value, list) else [value]
    if attribute.vr == "AS":
        return _days(value)
    if attribute.vr in NUMBER_VRS:
        return values if all(isinstance(item, int | float) for item in values) else None
    return str(value).casefold() if value is not None else None


_DAYS = {"D": 1, "W": 7, "M": 30.4, "Y": 365.25}


def _days(age: Any) -> float | None:
    """An age such as 045Y in days, about."""
    match = re.fullmatch(r"([0-9]{1,3})([DWMY])", str(age), re.ASCII)
    return int(match[1]) * _DAYS[match[2]] if match else None
