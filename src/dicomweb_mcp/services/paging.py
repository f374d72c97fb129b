"""Reading page after page from a server that may say little and honour less."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from ..archives.base import Archive, Page
from ..dicom.matching import Condition, meets_all
from ..dicom.query import Plan
from ..dicom.rules import Match
from ..dicom.values import DicomJson, text, values_at

MOST_PAGES = 1_000
MOST_SECONDS = 240.0  # after which no further page is asked for


class Ignored(Exception):
    """The server was sent conditions and evidently did not apply them; the search has to match them here."""

    def __init__(self, conditions: tuple[Condition, ...]) -> None:
        super().__init__(conditions)
        self.conditions = conditions


@dataclass
class Scan:
    """What reading page after page has seen so far.

    ``ended`` is True when the end of the rows was seen, False when more are known or were not read, None when that
    cannot be told. ``carried`` are the tags of conditions that some row carries, so that they can be checked.
    """

    seen: set[str] = field(default_factory=set)
    looked_at: int = 0
    first_uid: str = ""
    rows: list[DicomJson] = field(default_factory=list)
    ended: bool | None = False
    carried: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    doubtful: bool = False

    def note(self, page: Page, plan: Plan) -> None:
        """Remember what a page says of itself, and which conditions its rows can be held against."""
        self.notes += [note for note in page.notes if note not in self.notes]
        if nameless := sum(not row_uid(plan, row) for row in page.rows):
            self.notes.append(f"{nameless} rows of the archive have no {plan.level.uid} and were left out.")
        for tag in {item.attribute.tag for item in (*plan.sent, *plan.here)} - self.carried:
            if any(values_at(row, tag) for row in page.rows):
                self.carried.add(tag)

    def judge(self, archive: Archive, plan: Plan) -> None:
        """Doubt the answer when a condition could not be held against any row: one matched here found nothing to go
        by, and one sent to a server that is not trusted may have been ignored."""
        untrusted = () if archive.profile.trusted else plan.sent
        checked = dict.fromkeys((*plan.here, *untrusted))
        absent = [item.attribute.name for item in checked if item.attribute.tag not in self.carried]
        if self.looked_at and absent:
            self.notes.append(
                f"No row of the archive has a value of {', '.join(absent)}, so the filter could not be checked: "
                "nothing has one, or the archive does not return it and this answer may be wrong."
            )
            self.doubtful = True

    @property
    def complete(self) -> bool | None:
        """What an answer may say of the rows read: nothing certain where a filter could not be checked."""
        return None if self.ended and self.doubtful else self.ended


def row_uid(plan: Plan, row: DicomJson) -> str:
    """The UID of the row's own level."""
    return text(row, plan.level.uid)


def unseen(plan: Plan, rows: Sequence[DicomJson], seen: set[str]) -> list[DicomJson]:
    """The rows whose UID is not in ``seen``, each once; ``seen`` then knows them. Rows without a UID are no results."""
    fresh = []
    for row in rows:
        uid = row_uid(plan, row)
        if uid and uid not in seen:
            seen.add(uid)
            fresh.append(row)
    return fresh


def check_obeyed(plan: Plan, page: Page) -> None:
    """Raises Ignored when some row contradicts a condition that was sent, or the path that was asked. What fuzzy means
    is the server's own business."""
    told = [item for item in (*plan.sent, *plan.within) if item not in plan.here and Match.FUZZY not in item.needs]
    ignored = tuple(item for item in told if any(item.test(row) is False for row in page.rows))
    if ignored:
        raise Ignored(ignored)


async def is_more(archive: Archive, plan: Plan, page: Page, limit: int, offset: int, asked: int) -> bool | None:
    """Whether matches exist beyond the page's first ``limit`` rows; None when the server cannot say."""
    got = len(page.rows)
    if got > limit or page.remaining:
        return True
    if page.total is not None:
        return offset + min(got, limit) < page.total
    if got == 0:
        return False if offset == 0 or archive.profile.trusted else None
    largest = archive.profile.largest[plan.level]
    if got < asked and largest != 0:
        return False
    beyond = await archive.search(plan, limit=1, offset=offset + got)
    if not beyond.rows:
        return False
    known = {row_uid(plan, row) for row in page.rows}
    return True if row_uid(plan, beyond.rows[0]) not in known else None


async def matches(archive: Archive, plan: Plan, scan: Scan, most: int) -> AsyncGenerator[list[DicomJson], None]:
    """The rows that match the whole plan, page by page, each once, out of at most ``most`` that came.

    ``scan`` says afterwards what was seen. Raises Ignored, or ArchiveError.
    """
    async with aclosing(_pages(archive, plan, scan, most)) as arriving:
        async for rows in arriving:
            yield [row for row in rows if meets_all(plan.here, row)]
    scan.judge(archive, plan)


async def every_match(archive: Archive, plan: Plan, most: int) -> tuple[Plan, Scan]:
    """All matches of a plan at once, in ``Scan.rows``, and the plan as the server made it necessary."""
    while True:
        scan = Scan()
        try:
            async with aclosing(matches(archive, plan, scan, most)) as arriving:
                async for rows in arriving:
                    scan.rows += rows
        except Ignored as ignored:  # each round leaves the server fewer conditions, so this ends
            plan = plan.matched_here(ignored.conditions)
        else:
            return plan, scan


async def _pages(archive: Archive, plan: Plan, scan: Scan, most: int) -> AsyncGenerator[list[DicomJson], None]:
    size = archive.profile.page
    largest = archive.profile.largest[plan.level]
    size = min(size, largest) if largest else size
    end = time.monotonic() + MOST_SECONDS
    for _ in range(MOST_PAGES):
        asked = min(size, most - scan.looked_at)
        if asked <= 0 or time.monotonic() > end:
            break
        page = await archive.search(plan, limit=asked, offset=scan.looked_at)
        check_obeyed(plan, page)
        scan.note(page, plan)
        if _is_first_again(plan, page, scan):
            scan.notes.append("The archive ignores offset and repeats its rows; those beyond them were not reached.")
            scan.ended = None
            return
        scan.looked_at += len(page.rows)
        yield unseen(plan, page.rows, scan.seen)
        if page.incomplete:
            scan.notes.append(page.incomplete)
            return
        at_end = scan.looked_at >= page.total if page.total is not None else len(page.rows) < asked and largest != 0
        if not page.rows or (at_end and not page.remaining):
            scan.ended = True
            return
    scan.notes.append(
        f"Only the first {scan.looked_at:,} rows were looked at, so more may match: "
        "add a filter that the archive itself matches."
    )


def _is_first_again(plan: Plan, page: Page, scan: Scan) -> bool:
    """Whether a page behind the first begins like the first one."""
    uid = row_uid(plan, page.rows[0]) if page.rows else ""
    if not scan.looked_at:
        scan.first_uid = uid
        return False
    return bool(uid) and uid == scan.first_uid
