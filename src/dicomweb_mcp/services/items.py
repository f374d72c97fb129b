"""The files of a transfer, each checked by itself and against the others before anything is sent."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from pathlib import Path
from typing import Generic, TypeVar

from anyio import to_thread

from ..archives.part10.outgoing import Outgoing, checked
from ..archives.part10.whole import Unfit
from ..dicom.making.pdf import HEADER
from ..dicom.values import DicomJson
from ..paths import Changed, open_regular
from .roots import Named

Report = Callable[[float, float | None, str], Awaitable[None]]  # steps done, steps in all where known, in words
PHASES = 3  # checking, comparing, sending
T = TypeVar("T", bound=StrEnum)


class Outcome(StrEnum):
    """What became of a file."""

    STORED = "stored"
    ALREADY_THERE = "already_there"
    DIFFERENT = "different"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"


@dataclass
class Decidable(Generic[T]):
    """One file, or what becomes one; ``outcome`` is None until it is decided. ``shown`` is what an answer calls it,
    ``reason`` may also say why a try failed."""

    shown: str
    outcome: T | None = None
    reason: str = ""

    def decide(self, outcome: T, reason: str = "") -> None:
        self.outcome, self.reason = outcome, reason


class Item(Decidable[Outcome]):
    """One file of a transfer."""


@dataclass(kw_only=True)
class Fit(Item):
    """One that is fit to be sent."""

    file: Outgoing

    async def metadata(self) -> DicomJson:
        """Its elements that are not long, as DICOM JSON. Raises Changed, Damaged, Unfit or ArchiveError."""
        return await to_thread.run_sync(self.file.metadata, abandon_on_cancel=True)


class Progress:
    """Tells how far a transfer of so many files is, at every hundredth of a phase."""

    def __init__(self, report: Report, files: int) -> None:
        self._report, self._files, self._told = report, files, 0

    async def tell(self, phase: int, done: int, doing: str) -> None:
        """``done`` files have passed this phase, counted from 0."""
        steps = phase * self._files + done
        if done == self._files or (steps - self._told) * 100 >= self._files:
            self._told = steps
            await self._report(steps, PHASES * self._files, f"{done:,} of {self._files:,} files {doing}")


async def checked_items(named: Sequence[Named], study_uid: str | None, progress: Progress) -> list[Item]:
    """An item for each file: fit, or rejected with the reason."""
    items = []
    for done, one in enumerate(named, start=1):
        items.append(await _checked(one, study_uid))
        await progress.tell(0, done, "checked")
    await reject_conflicts(items)
    return items


async def _checked(named: Named, study_uid: str | None) -> Item:
    if named.problem:
        return Item(named.shown, Outcome.REJECTED, named.problem)
    try:
        file = await to_thread.run_sync(checked, named.path, abandon_on_cancel=True)
    except Unfit as reason:
        kind = await to_thread.run_sync(_kind_to_make, named.path)
        made = f" but a {kind}: give metadata, with PatientID, of which a DICOM file is made" if kind else ""
        return Item(named.shown, Outcome.REJECTED, f"{reason}{made}")
    if study_uid and file.study_uid != study_uid:
        return Item(named.shown, Outcome.REJECTED, f"belongs to study {file.study_uid}, not to study_uid")
    return Fit(named.shown, file=file)


def _kind_to_make(path: Path) -> str:
    """JPEG, PNG, TIFF or PDF by the first bytes of what is no DICOM file, of which one could be made; else empty."""
    from ..pixels.image_file import kind_of

    try:
        with open_regular(path) as file:
            start = file.read(132)
    except OSError:
        return ""
    if start[128:] == b"DICM":
        return ""
    return "PDF" if start.startswith(HEADER) else kind_of(start) or ""


def undecided(items: Iterable[Item]) -> list[Fit]:
    """Those that are fit and whose outcome is open."""
    return [item for item in items if isinstance(item, Fit) and item.outcome is None]


def grouped(items: Iterable[Fit], key: Callable[[Outgoing], str]) -> dict[str, list[Fit]]:
    """Items by something of their files."""
    groups: dict[str, list[Fit]] = {}
    for item in items:
        groups.setdefault(key(item.file), []).append(item)
    return groups


async def reject_conflicts(items: Sequence[Item]) -> None:
    """Files that cannot all be true: an archive would keep one of them, or lose a whole study among them."""
    for same in grouped(undecided(items), lambda file: file.instance_uid).values():
        if len(same) > 1:
            await _reject_repeated(same)
    for members in grouped(undecided(items), lambda file: file.study_uid).values():
        _reject_if_varying(members, lambda file: file.patient_id, "the study is under another PatientID in {other}")
    for members in grouped(undecided(items), lambda file: file.series_uid).values():
        _reject_if_varying(members, lambda file: file.study_uid, "the series is in another study in {other}")


async def _reject_repeated(same: Sequence[Fit]) -> None:
    """Copies are sent once; files that share a SOP Instance UID and differ are not sent at all."""
    first, *others = same
    try:
        alike = [await to_thread.run_sync(_equal, first.file, other.file, abandon_on_cancel=True) for other in others]
    except Changed:
        alike = [False]
    for item, other in zip(same, [others[0], *[first] * len(others)], strict=True):
        if not all(alike):
            item.decide(
                Outcome.REJECTED, f"has the SOPInstanceUID of {other.shown}, and these files are not all the same"
            )
        elif item is not first:
            item.decide(Outcome.REJECTED, f"a copy of {first.shown}, which stands for it")


def _equal(one: Outgoing, other: Outgoing) -> bool:
    return one.size == other.size and all(a == b for a, b in zip_longest(one.chunks(), other.chunks()))


def _reject_if_varying(members: Sequence[Fit], key: Callable[[Outgoing], str], reason: str) -> None:
    first = members[0]
    other = next((item for item in members if key(item.file) != key(first.file)), None)
    if other is not None:
        for item in members:
            is_like_first = key(item.file) == key(first.file)
            item.decide(Outcome.REJECTED, reason.format(other=(other if is_like_first else first).shown))
