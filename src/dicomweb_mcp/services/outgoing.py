"""The files of a transfer, each checked by itself and against the others before anything is sent."""

import filecmp
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from anyio import to_thread

from ..archives.part10.outgoing import Outgoing, checked
from ..archives.part10.whole import Unfit
from .roots import Named

Report = Callable[[int, int, str], Awaitable[None]]  # steps done, steps in all, in words


class Outcome(StrEnum):
    """What became of a file."""

    STORED = "stored"
    ALREADY_THERE = "already_there"
    DIFFERENT = "different"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"


@dataclass
class Item:
    """One file of a transfer; ``outcome`` is None until it is decided. ``shown`` is what an answer calls it."""

    shown: str
    file: Outgoing | None = None
    outcome: Outcome | None = None
    reason: str = ""

    @property
    def outgoing(self) -> Outgoing:
        """The file of an item that is to be sent."""
        assert self.file is not None
        return self.file

    def decide(self, outcome: Outcome, reason: str = "") -> None:
        self.outcome, self.reason = outcome, reason


async def checked_items(named: Sequence[Named], study_uid: str | None, report: Report) -> list[Item]:
    """An item for each file: open, or rejected with the reason."""
    items = []
    for done, one in enumerate(named, start=1):
        item = Item(one.shown)
        if one.problem:
            item.decide(Outcome.REJECTED, one.problem)
        else:
            await _check(item, one, study_uid)
        items.append(item)
        await report(done, 2 * len(named), f"{done:,} of {len(named):,} files checked")
    await _reject_conflicts(items)
    return items


async def _check(item: Item, named: Named, study_uid: str | None) -> None:
    try:
        item.file = await to_thread.run_sync(checked, named.path, abandon_on_cancel=True)
    except Unfit as reason:
        item.decide(Outcome.REJECTED, str(reason))
        return
    if study_uid and item.file.study_uid != study_uid:
        item.decide(Outcome.REJECTED, f"belongs to study {item.file.study_uid}, not to study_uid")


def undecided(items: Iterable[Item]) -> list[Item]:
    return [item for item in items if item.outcome is None]


def grouped(items: Iterable[Item], key: Callable[[Outgoing], str]) -> dict[str, list[Item]]:
    """Items by something of their files."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item.outgoing), []).append(item)
    return groups


async def _reject_conflicts(items: Sequence[Item]) -> None:
    """Files that cannot all be true: an archive would keep one of them, or lose a whole study among them."""
    for same in grouped(undecided(items), lambda file: file.instance_uid).values():
        if len(same) > 1:
            await _reject_repeated(same)
    for members in grouped(undecided(items), lambda file: file.study_uid).values():
        _reject_if_varying(members, lambda file: file.patient_id, "the study is under another PatientID in {other}")
    for members in grouped(undecided(items), lambda file: file.series_uid).values():
        _reject_if_varying(members, lambda file: file.study_uid, "the series is in another study in {other}")


async def _reject_repeated(same: Sequence[Item]) -> None:
    """Copies are sent once; files that share a SOP Instance UID and differ are not sent at all."""
    first, *others = same
    for other in others:
        alike = await to_thread.run_sync(_equal, first.outgoing, other.outgoing, abandon_on_cancel=True)
        if alike:
            other.decide(Outcome.REJECTED, f"a copy of {first.shown}, which stands for it")
        else:
            other.decide(Outcome.REJECTED, f"has the SOPInstanceUID of {first.shown} and other content")
            first.decide(Outcome.REJECTED, f"has the SOPInstanceUID of {other.shown} and other content")


def _equal(one: Outgoing, other: Outgoing) -> bool:
    return filecmp.cmp(one.path, other.path, shallow=False)


def _reject_if_varying(members: Sequence[Item], key: Callable[[Outgoing], str], reason: str) -> None:
    first = members[0]
    other = next((item for item in members if key(item.outgoing) != key(first.outgoing)), None)
    if other is not None:
        for item in members:
            is_like_first = key(item.outgoing) == key(first.outgoing)
            item.decide(Outcome.REJECTED, reason.format(other=(other if is_like_first else first).shown))
