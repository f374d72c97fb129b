"""Batches that are sent while others arrive."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup

from ..items import Fit
from ..sending import BATCH_FILES

ENOUGH = 16 << 20  # bytes with which a batch is sent
AT_ONCE = 2  # batches that are sent at a time

Send = Callable[[Sequence[Fit]], Awaitable[None]]


class Outbox:
    """Takes what is to be sent. Who adds to it waits while the archive is busy with the batches before, so that no more
    is read than can be sent."""

    def __init__(self, send: Send, tasks: TaskGroup) -> None:
        self._send, self._tasks = send, tasks
        self._batch: list[Fit] = []
        self._adding = anyio.Lock()
        self._places = anyio.Semaphore(1)  # the first batch alone: an archive may take nothing
        self._is_first = True
        self.failures: list[Exception] = []

    async def add(self, item: Fit) -> None:
        """Send it with others, as soon as they are enough."""
        async with self._adding:
            self._batch.append(item)
            if len(self._batch) == BATCH_FILES or sum(one.file.size for one in self._batch) >= ENOUGH:
                await self.send()

    async def send(self) -> None:
        """Send what there is. Raises what went wrong with a batch before."""
        batch, self._batch = self._batch, []
        if batch:
            await self._places.acquire()
            self._tasks.start_soon(self._sent, batch)
        if self.failures:
            raise self.failures[0]

    async def _sent(self, batch: Sequence[Fit]) -> None:
        try:
            await self._send(batch)
        except Exception as failure:
            self.failures.append(failure)
        for _ in range(AT_ONCE if self._is_first else 1):
            self._places.release()
        self._is_first = False


@asynccontextmanager
async def outbox(send: Send) -> AsyncIterator[Outbox]:
    """At its end everything was sent. Raises what its block raises, or what went wrong with a batch."""
    failures: list[Exception]
    async with anyio.create_task_group() as tasks:
        box = Outbox(send, tasks)
        failures = box.failures
        try:
            yield box
            await box.send()
        except Exception as failure:  # a task group would wrap it
            failures.append(failure)
            tasks.cancel_scope.cancel()
    if failures:
        raise failures[0]
