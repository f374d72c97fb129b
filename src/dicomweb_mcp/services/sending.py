"""Files on their way into an archive: batches side by side, decided by what the archive says and a search finds."""

import time
from collections.abc import Iterator, Sequence

import anyio

from ..archives.base import (
    NO_CHOICE,
    AccessDenied,
    Archive,
    ArchiveError,
    Busy,
    Choices,
    Failed,
    NotOffered,
    Refused,
)
from ..dicom.stow import StoreResponse
from ..errors import Problem
from ..paths import Changed
from .items import Fit, Outcome, Progress, undecided
from .parallel import side_by_side
from .presence import instances_there
from .replies import Next, Reply, stored_elsewhere

BATCH_FILES = 50
BATCH_BYTES = 64 << 20
MOST_AT_ONCE = 4
CONFIRM_AFTER = (0.0, 0.5, 2.0)  # seconds before each look for what was just stored
TURNED_AWAY = (AccessDenied, NotOffered)  # nothing was taken in
BROKEN_DOWN = (Failed, Busy)  # something may have been taken in all the same


def batches(items: Sequence[Fit]) -> Iterator[list[Fit]]:
    """Items in their order, at most BATCH_FILES and BATCH_BYTES together; a larger file goes alone."""
    batch: list[Fit] = []
    size = 0
    for item in items:
        if batch and (len(batch) == BATCH_FILES or size + item.file.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += item.file.size
    if batch:
        yield batch


class Sender:
    """Sends batches and decides the outcome of every file; ``can_confirm`` by a search."""

    def __init__(
        self, archive: Archive, study_uid: str | None, *, can_confirm: bool, choices: Choices = NO_CHOICE
    ) -> None:
        self._archive, self._study_uid, self._can_confirm = archive, study_uid, can_confirm
        self._choices = choices
        self.ended: Problem | None = None  # after which nothing more is sent

    async def send(self, items: Sequence[Fit], files: int, progress: Progress) -> None:
        """Send everything, of so many files in all. Raises AccessDenied or NotOffered when nothing was taken in."""
        pace = _Pace(sum(item.file.size for item in items))
        done = files - len(items)

        async def send(batch: Sequence[Fit]) -> None:
            nonlocal done
            await self.send_batch(batch)
            done += len(batch)
            await progress.tell(2, done, f"done, {pace.after(batch)}")

        waiting = batches(items)
        for first in waiting:  # alone: an archive that takes nothing is asked no more than once
            await send(first)
            break
        await side_by_side(send, waiting, at_once(self._archive))
        self.raise_if_turned_away(items)

    async def send_batch(self, batch: Sequence[Fit]) -> None:
        """Send these together, unless the archive has stopped to answer, and decide them all."""
        if self.ended is None:
            await self._send(batch)
        for item in undecided(batch):
            item.decide(Outcome.NOT_SENT, str(self.ended))

    def raise_if_turned_away(self, items: Sequence[Fit]) -> None:
        """Raises AccessDenied or NotOffered when nothing of all that was sent was taken in."""
        if isinstance(self.ended, TURNED_AWAY) and all(item.outcome is Outcome.NOT_SENT for item in items):
            raise self.ended

    async def _send(self, batch: Sequence[Fit], *, is_repeated: bool = False) -> None:
        """One request, and for what did not arrive by it another one, as far as that can mend it."""
        response, problem = await self._request(batch)
        if isinstance(problem, TURNED_AWAY):
            self.ended = problem
            return
        elsewhere = stored_elsewhere({item.file.instance_uid for item in batch}, response)
        if elsewhere:
            self.ended = Refused(self._archive.name, elsewhere)
        present = await self._present(batch, response, problem)
        reply = Reply(response, problem, present, elsewhere, self._can_confirm, is_repeated)
        for item in batch:
            if known := reply.outcome(item.file.instance_uid):
                item.decide(*known)
        left = undecided(batch)
        match reply.next(len(batch)):
            case Next.END:
                self.ended = problem
            case Next.TOGETHER:
                await self._send_parts([left], is_repeated=True)
            case Next.APART:
                await self._send_parts([left[: len(left) // 2], left[len(left) // 2 :]])
            case Next.REJECT:
                for item in left:
                    item.decide(Outcome.REJECTED, reply.why)

    async def _send_parts(self, parts: Sequence[Sequence[Fit]], *, is_repeated: bool = False) -> None:
        for part in parts:
            if part and self.ended is None:
                await self._send(part, is_repeated=is_repeated)

    async def _request(self, batch: Sequence[Fit]) -> tuple[StoreResponse, Problem | None]:
        try:
            return await self._archive.store([item.file for item in batch], self._study_uid, self._choices), None
        except Changed:
            return StoreResponse({}), Refused(
                self._archive.name,
                "was not sent it: the file changed after it was checked, or cannot be read any more.",
            )
        except ArchiveError as problem:
            return StoreResponse({}), problem

    async def _present(self, batch: Sequence[Fit], response: StoreResponse, problem: Problem | None) -> set[str] | None:
        """Which of the files a search finds; None when that cannot be told. What was not refused is looked for again
        after a while, because some archives index what they took in a little later."""
        if not self._can_confirm:
            return None
        refused = {uid for uid, verdict in response.verdicts.items() if not verdict.stored}
        is_answered = problem is None or isinstance(problem, BROKEN_DOWN)
        expected = {item.file.instance_uid for item in batch} - refused if is_answered else set()
        found: set[str] = set()
        for seconds in CONFIRM_AFTER:
            await anyio.sleep(seconds)
            try:
                found |= await instances_there(
                    self._archive, [item for item in batch if item.file.instance_uid not in found]
                )
            except ArchiveError:
                return None
            if expected <= found:
                break
        return found


def at_once(archive: Archive) -> int:
    """Batches that are sent at a time: one place is left to whoever else asks the archive something meanwhile."""
    return max(1, min(MOST_AT_ONCE, archive.profile.parallel - 1))


class _Pace:
    """How many bytes are through, and how fast."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._begun = total, 0, time.monotonic()

    def after(self, batch: Sequence[Fit]) -> str:
        """In words, with one more batch through."""
        self._done += sum(item.file.size for item in batch)
        rate = self._done / max(1e-3, time.monotonic() - self._begun)
        return f"{self._done / 1e6:,.1f} of {self._total / 1e6:,.1f} MB, {rate / 1e6:,.1f} MB/s"
