"""Reading page after page from a server that may say little and honour less."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
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
    rows: list[DicomJson] = field(default_factory=list)
    ended: bool | None = False
    doubtful: bool = False
    carried: set[str] = field(default_factory=set)  # tags of the conditions matched here that some row carries
    notes: list[str] = field(default_factory=list)

    def judge(self, plan: Plan) -> None:
        """Doubt the end when what is matched here came with no row at all: the archive may just not return it."""
        absent = [item.attribute for item in plan.here if item.attribute.tag not in self.carried]
        if self.looked_at and absent:
            names = ", ".join(item.name for item in absent)
            self.notes.append(
                f"No row of the archive carries {names}: either nothing has a value there, or the archive does not "
                "return it in a search, and then matches may be missing."
            )
            self.doubtful = True

    @property
    def complete(self) -> bool | None:
        """What an answer may say of the rows read: nothing certain where their filter may have had nothing to go by."""
        return None if self.ended and self.doubtful else self.ended


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


async def matches(archive: Archive, plan: Plan, scan: Scan, most: int) -> AsyncGenerator[list[DicomJson], None]:
    """The rows that match the whole plan, page by page, each once, out of at most ``most`` that came.

    ``scan.ended`` says afterwards whether the end was seen (True), cut (False), or cannot be known (None). Conditions
    that the server ignores are applied here.
    """
    async with aclosing(_pages(archive, plan, scan, most)) as arriving:
        async for rows in arriving:
            yield rows
    scan.judge(plan)


async def _pages(archive: Archive, plan: Plan, scan: Scan, most: int) -> AsyncGenerator[list[DicomJson], None]:
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
        scan.carried |= {item.attribute.tag for item in plan.here for row in page.rows if item.test(row) is not None}
        fresh = [row for row in page.rows if row_uid(plan, row) not in scan.seen]
        scan.seen.update(row_uid(plan, row) for row in fresh)
        scan.looked_at += len(fresh)
        yield [row for row in fresh if meets_all((*plan.here, *extra), row)]
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
