"""Several requests side by side, and the first failure as itself instead of a group of failures."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import anyio

T = TypeVar("T")


async def side_by_side(work: Callable[[T], Awaitable[None]], arguments: Iterable[T], at_once: int) -> None:
    """Call ``work`` with each argument, at most ``at_once`` calls at a time; the first failure ends the others and is
    raised."""
    waiting = iter(arguments)
    failures: list[Exception] = []

    async def worker() -> None:
        for argument in waiting:
            try:
                await work(argument)
            except Exception as failure:
                failures.append(failure)
                tasks.cancel_scope.cancel()
                return

    async with anyio.create_task_group() as tasks:
        for _ in range(at_once):
            tasks.start_soon(worker)
    if failures:
        raise failures[0]
