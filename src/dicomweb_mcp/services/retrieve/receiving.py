"""Files taken in: each to a temporary name while it arrives, looked at, and only then given its own."""

import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from anyio import to_thread

from ...dicom.uids import EXPLICIT
from .arrived import Identity, glimpse, same_contents
from .folder import FULL, Folder
from .items import Item, Outcome, Progress, Retrieval
from .part import Part

PIECE = 1 << 20  # bytes that are written at once
EARLY = 1 << 16  # bytes that nearly always hold the header
SETTLED_AT_ONCE = 4
Early = Callable[[Identity], bool]


class Skipped(Exception):
    """The rest of a file is not wanted."""


@dataclass(frozen=True)
class Receiver:
    """Takes files into one folder. Without ``as_stored`` they are to be decompressed. ``lock`` guards what several
    threads change."""

    folder: Folder
    retrieval: Retrieval
    progress: Progress
    as_stored: bool = True
    lock: threading.Lock = field(default_factory=threading.Lock)

    async def arrived(self, chunks: AsyncIterator[bytes], is_skipped: Early | None = None) -> Part:
        """A file that has arrived, to be ``settled``.

        Raises Skipped where the beginning of the file says so, OSError when the disk is full or refuses, and what
        ``chunks`` raises; then no part of it is left.
        """
        part = Part(self.folder.new_part())
        try:
            await self._take(part, chunks, is_skipped)
        except BaseException:
            part.remove()
            raise
        return part

    async def settled(self, part: Part, settle: Callable[[Part], None]) -> None:
        """Let ``settle`` decide in a thread what becomes of a file that has arrived; its temporary name is gone
        afterwards. Raises OSError."""
        try:
            await to_thread.run_sync(settle, part)
        finally:
            part.remove()

    @asynccontextmanager
    async def settling(self, settle: Callable[[Part], None]) -> AsyncIterator[Callable[[Part], Awaitable[None]]]:
        """Takes files that have arrived and settles a few of them at a time, while others arrive: making sure that a
        file is on the disk takes longer than fetching it. Raises OSError, or what its block raises, when all are
        settled."""
        places = anyio.Semaphore(SETTLED_AT_ONCE)
        failures: list[Exception] = []

        async def run(part: Part) -> None:
            try:
                await self.settled(part, settle)
            except OSError as failure:
                failures.append(failure)
            finally:
                places.release()

        async def take(part: Part) -> None:
            try:
                await places.acquire()
            except BaseException:
                part.remove()
                raise
            tasks.start_soon(run, part)
            if failures:
                raise failures[0]

        async with anyio.create_task_group() as tasks:
            try:
                yield take
            except Exception as failure:  # a task group would wrap it, and stop the others
                failures.append(failure)
        if failures:
            raise failures[0]

    async def _take(self, part: Part, chunks: AsyncIterator[bytes], is_skipped: Early | None) -> None:
        async for chunk in chunks:
            held = part.take(chunk)
            await self.progress.arrived(len(chunk))
            if held >= (PIECE if is_skipped is None else EARLY):
                file = await to_thread.run_sync(part.written)
                if is_skipped and (identity := await to_thread.run_sync(glimpse, file)):
                    if await to_thread.run_sync(is_skipped, identity):
                        raise Skipped
                    is_skipped = None

    def settle(self, part: Part, identity: Identity, item: Item) -> None:
        """Place a file that is the item's, and decide the item. Raises OSError when the disk is full."""
        if not self.as_stored and identity.transfer_syntax != EXPLICIT:
            item.decide(
                Outcome.FAILED,
                f"the archive does not decompress it: it came in transfer syntax {identity.transfer_syntax}. "
                "as_stored=true takes it so",
            )
            return
        try:
            size = part.finish()
            self.folder.place(part.path, identity)
        except FileExistsError as taken:
            self._compare(part.path, Path(taken.filename), item)
        except OSError as error:
            if error.errno in FULL:
                raise
            item.decide(Outcome.FAILED, f"it cannot be placed: {error.strerror or error}")
        else:
            with self.lock:
                self.retrieval.bytes += size
            item.decide(Outcome.RETRIEVED, identity.doubt and f"kept as the archive sent it, but odd: {identity.doubt}")

    def _compare(self, part: Path, taken: Path, item: Item) -> None:
        try:
            is_same = same_contents(part, taken)
        except OSError:
            is_same = False
        if not is_same:
            item.decide(Outcome.DIFFERENT, "another file has its name, and is kept")
        elif item.outcome is None:
            item.decide(Outcome.ALREADY_THERE)
