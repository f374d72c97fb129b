"""Reading page after page from a server that may say little and honour less."""

import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from anyio import to_thread

from ..archives.base import Archive, Page
from ..dicom.matching import Condition, meets_all
from ..dicom.query import Plan
from ..dicom.rules import Match
from ..dicom.values import DicomJson, text, values_at

MOST_PAGES = 1_000
MANY_ROWS = 1_000  # more are looked at in a thread, so that other calls go on
MOST_SECONDS = 240.0  # after which no further page is asked for


class Ignored(Exception):
    """The server was sent conditions and evidently did not apply them; the search has to match them here."""

    def __init__(self, conditions: tuple[Condition, ...]) -> None:
        super().__init__(conditions)
        self.conditions = conditions


@dataclass(frozen=True)
class Look:
    """What one look at each row of a page showed, because rows may be decoded anew whenever they are looked at.

    ``uids`` are those of the rows' own level, empty where a row has none; ``matching`` says which rows meet what is
    matched here; ``carried`` are the tags of conditions of which some row has a value, so that they can be checked.
    """

    page: Page
    uids: list[str] = field(default_factory=list)
    matching: list[bool] = field(default_factory=list)
    carried: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Rows:
    """Some rows of a page, by their places in it."""

    page: Page
    places: list[int]

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[DicomJson]:
        return (self.page.rows[place] for place in self.places)


@dataclass
class Scan:
    """What reading page after page has seen so far.

    ``ended`` is True when the end of the rows was seen, False when more are known or were not read, None when that
    cannot be told.
    """

    seen: set[str] = field(default_factory=set)
    looked_at: int = 0
    first_uid: str = ""
    rows: list[DicomJson] = field(default_factory=list)
    ended: bool | None = False
    carried: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    doubtful: bool = False

    def note(self, look: Look, plan: Plan) -> None:
        """Remember what a page says of itself, and which conditions its rows can be held against."""
        self.notes += [note for note in look.page.notes if note not in self.notes]
        if nameless := look.uids.count(""):
            self.notes.append(f"{nameless} rows of the archive have no {plan.level.uid} and were left out.")
        self.carried |= look.carried

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


async def look_at(plan: Plan, page: Page) -> Look:
    """One look at each row. Raises Ignored when some row contradicts a condition that was sent, or the path that was
    asked."""
    if len(page.rows) > MANY_ROWS:
        return await to_thread.run_sync(_look_at, plan, page)
    return _look_at(plan, page)


def _look_at(plan: Plan, page: Page) -> Look:
    # what fuzzy means is the server's own business
    told = [item for item in (*plan.sent, *plan.within) if item not in plan.here and Match.FUZZY not in item.needs]
    tags = {item.attribute.tag for item in (*plan.sent, *plan.here)}
    found, obeyed = Look(page), told
    for row in page.rows:
        found.uids.append(row_uid(plan, row))
        found.matching.append(meets_all(plan.here, row))
        found.carried.update([tag for tag in tags - found.carried if values_at(row, tag)])
        obeyed = [item for item in obeyed if item.test(row) is not False]
    if len(obeyed) < len(told):
        raise Ignored(tuple(item for item in told if item not in obeyed))
    return found


def unseen(uids: Sequence[str], seen: set[str]) -> list[int]:
    """Where the UIDs stand that are not in ``seen``, each once; ``seen`` then knows them. Rows without a UID are no
    results."""
    fresh = []
    for place, uid in enumerate(uids):
        if uid and uid not in seen:
            seen.add(uid)
            fresh.append(place)
    return fresh


async def is_more(archive: Archive, plan: Plan, look: Look, limit: int, offset: int, asked: int) -> bool | None:
    """Whether matches exist beyond the page's first ``limit`` rows; None when the server cannot say."""
    page, got = look.page, len(look.uids)
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
    return True if row_uid(plan, beyond.rows[0]) not in look.uids else None


async def matches(
    archive: Archive, plan: Plan, scan: Scan, most: int, *, page: int | None = None
) -> AsyncGenerator[Rows, None]:
    """The rows that match the whole plan, page by page, each once, out of at most ``most`` that came; ``page`` rows are
    asked for at a time, as many as suit the archive when left out.

    ``scan`` says afterwards what was seen. Raises Ignored, or ArchiveError.
    """
    async with aclosing(_pages(archive, plan, scan, most, page or archive.profile.page)) as arriving:
        async for rows in arriving:
            yield rows
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


async def _pages(archive: Archive, plan: Plan, scan: Scan, most: int, size: int) -> AsyncGenerator[Rows, None]:
    largest = archive.profile.largest[plan.level]
    size = min(size, largest) if largest else size
    end = time.monotonic() + MOST_SECONDS
    for _ in range(MOST_PAGES):
        asked = min(size, most - scan.looked_at)
        if asked <= 0 or time.monotonic() > end:
            break
        page = await archive.search(plan, limit=asked, offset=scan.looked_at)
        look = await look_at(plan, page)
        scan.note(look, plan)
        if _is_first_again(look, scan):
            scan.notes.append("The archive ignores offset and repeats its rows; those beyond them were not reached.")
            scan.ended = None
            return
        scan.looked_at += len(page.rows)
        yield Rows(page, [place for place in unseen(look.uids, scan.seen) if look.matching[place]])
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


def _is_first_again(look: Look, scan: Scan) -> bool:
    """Whether a page behind the first begins like the first one."""
    uid = look.uids[0] if look.uids else ""
    if not scan.looked_at:
        scan.first_uid = uid
        return False
    return bool(uid) and uid == scan.first_uid
