"""Reading page after page from a server that may say little and honour less."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from ..archives.base import Archive, Page
from ..dicom.matching import Condition, meets_all
from ..dicom.query import Plan
from ..dicom.rules import Match
from ..dicom.values import DicomJson, text

MOST_PAGES = 1_000


@dataclass
class Scan:
    """What reading page after page has seen so far."""

    seen: set[str] = field(default_factory=set)
    looked_at: int = 0
    matches: list[DicomJson] = field(default_factory=list)
    matched: int = 0
    ended: bool | None = False
    notes: list[str] = field(default_factory=list)


def row_uid(plan: Plan, row: DicomJson) -> str:
    return text(row, plan.level.uid)


async def is_more(archive: Archive, plan: Plan, page: Page, limit: int, offset: int, asked: int) -> bool | None:
    """Whether matches exist beyond the page's first ``limit`` rows; None when the server cannot say."""
    got = len(page.rows)
    if got > limit or page.remaining:
        return True
    if page.total is not None:
        return offset + min(got, limit) < page.total
    if got == 0:
        return False if offset == 0 or archive.profile.trusted_paging else None
    largest = archive.profile.largest[plan.level]
    if got < asked and largest != 0:
        return False
    beyond = await archive.search(plan, limit=1, offset=offset + got)
    if not beyond.rows:
        return False
    known = {row_uid(plan, row) for row in page.rows}
    return True if row_uid(plan, beyond.rows[0]) not in known else None


def distrusted(plan: Plan, page: Page) -> tuple[Condition, ...]:
    """Conditions that the server was sent and evidently did not apply: some row contradicts them."""
    ignored = [
        item
        for item in plan.sent
        if Match.FUZZY not in item.needs and any(item.test(row) is False for row in page.rows)
    ]
    if page.literal_names:
        ignored += [item for item in plan.sent if Match.FUZZY in item.needs]
    return tuple(ignored)


async def pages(archive: Archive, plan: Plan, scan: Scan, most: int) -> AsyncGenerator[list[DicomJson], None]:
    """The rows that match ``plan.sent``, page by page, each row once, at most ``most`` of them.

    ``scan.ended`` says afterwards whether the end was seen (True), cut (False), or cannot be known (None). Conditions
    that the server ignores are applied here.
    """
    size = archive.profile.page
    largest = archive.profile.largest[plan.level]
    size = min(size, largest) if largest else size
    extra: tuple[Condition, ...] = ()
    for _ in range(MOST_PAGES):
        asked = min(size, most - scan.looked_at)
        if asked <= 0:
            break
        page = await archive.search(plan, limit=asked, offset=scan.looked_at)
        scan.notes += [note for note in page.notes if note not in scan.notes]
        if ignored := tuple(item for item in distrusted(plan, page) if item not in extra):
            extra += ignored
            names = ", ".join(item.attribute.name for item in ignored)
            scan.notes.append(f"The archive ignored the filter {names}; it was matched here.")
        fresh = [row for row in page.rows if row_uid(plan, row) not in scan.seen]
        scan.seen.update(row_uid(plan, row) for row in fresh)
        scan.looked_at += len(fresh)
        yield [row for row in fresh if meets_all(extra, row)]
        if page.incomplete:
            scan.notes.append(page.incomplete)
            return
        if page.rows and not fresh:
            scan.notes.append("The archive ignores offset and repeats its rows; those beyond them were not reached.")
            scan.ended = None
            return
        at_end = scan.looked_at >= page.total if page.total is not None else len(page.rows) < asked and largest != 0
        if not page.rows or (at_end and not page.remaining):
            scan.ended = True
            return
    scan.notes.append(
        f"Only the first {scan.looked_at:,} rows were looked at, so more may match: "
        "add a filter that the archive itself matches."
    )
