"""Fetches instances and sends them on, as many at a time as memory holds."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from ...archives.part10.outgoing import Elsewhere
from ...archives.part10.whole import Unfit
from ...settings import BadSettings
from ..items import Fit, Outcome, Progress, undecided
from ..retrieve.asking import Asker, Request
from ..retrieve.folder import Key
from ..sending import Sender
from .held import Held
from .outbox import Outbox, outbox
from .sources import Copied, Source


class Copier:
    """Fetches from a source what ``sender`` is to send. An instance that does not come is asked for once more, and then
    the others go on without it."""

    def __init__(self, source: Source, sender: Sender, held: Held, progress: Progress, done: int) -> None:
        self._source, self._sender, self._held, self._progress = source, sender, held, progress
        self._done = done  # files that were decided before
        self._bytes = 0
        self._arrived: set[Key] = set()

    async def copy(self, items: Sequence[Copied]) -> None:
        """Decide every item whose outcome is open. Raises AccessDenied or NotOffered when nothing was taken in."""
        going = undecided(items)
        for again in (False, True):
            if undecided(going) and self._sender.ended is None:
                requests = await self._source.requests(items, again=again)
                async with outbox(self._send) as box:
                    fetch = partial(self._fetch, box, is_last=again)
                    await Asker(self._source.at_once, fetch, _explain).ask(requests)
        left = undecided(going)
        if self._sender.ended is not None:
            await self._sender.send_batch(left)  # says of each why it was not sent
        for item in undecided(left):
            item.decide(Outcome.NOT_SENT, f"could not be fetched: {item.reason or self._source.missing}")
        await self._tell(len(left))
        self._sender.raise_if_turned_away(going)

    async def _fetch(self, box: Outbox, request: Request[Copied], *, is_last: bool) -> None:
        try:
            async with aclosing(self._source.files(request)) as files:
                while self._sender.ended is None:
                    async with self._held.room():  # before anything is asked: no server waits for long to be read
                        chunks = await anext(files, None)
                        if chunks is None:
                            break
                        item = await self._taken(request, chunks)
                    if item:
                        await box.add(item)
        except (BadSettings, OSError) as error:  # the source's come as ArchiveError
            why = getattr(error, "strerror", None) or error
            _explain(request, f"too large for the memory, and the state folder cannot hold it: {why}")
            return
        if request.faults:
            self._settle_faults(request, is_last=is_last)

    async def _taken(self, request: Request[Copied], chunks: AsyncIterator[bytes]) -> Copied | None:
        """The item of a file that arrives, if it was asked for and has not come before."""
        try:
            file = await self._held.taken(chunks)
        except Unfit as reason:
            request.fault(f"it is not fit to be stored: {reason}")
            return None
        key = file.study_uid, file.series_uid, file.instance_uid
        item = request.instances.get(key)
        if item is not None and key not in self._arrived and item.file.patient_id == file.patient_id:
            self._arrived.add(key)
            item.file = file
            return item
        await self._held.let_go(file)
        if item is None:
            request.fault(f"instance {file.instance_uid} of series {file.series_uid} came instead")
        elif key not in self._arrived:
            self._arrived.add(key)
            item.decide(Outcome.REJECTED, "its file is under another PatientID than its study")
            await self._tell(1)
        return None

    def _settle_faults(self, request: Request[Copied], *, is_last: bool) -> None:
        """What came by itself and was wrong twice is not asked for any more."""
        faults = "; ".join(request.faults)
        request.explain(faults)
        if is_last and request.place.instance_uid:
            for key, item in request.instances.items():
                if key not in self._arrived:
                    item.decide(Outcome.REJECTED, f"what its archive sends cannot be used: {faults}")

    async def _send(self, batch: Sequence[Fit]) -> None:
        try:
            await self._sender.send_batch(batch)
        finally:
            for item in batch:
                file, item.file = item.file, replace(item.file, content=Elsewhere())
                await self._held.let_go(file)
        self._bytes += sum(item.file.size for item in batch if item.outcome is Outcome.STORED)
        await self._tell(len(batch))

    async def _tell(self, done: int) -> None:
        self._done += done
        await self._progress.tell(2, self._done, f"done, {self._bytes / 1e6:,.1f} MB")


def _explain(request: Request[Copied], reason: str) -> None:
    request.fault(reason)
    request.explain(reason)
