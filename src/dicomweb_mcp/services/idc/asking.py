"""Questions to the index: in a thread, stopped when the caller is cancelled, few at a time."""

from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio.lowlevel import RunVar

from ...idc.index import Index, IndexProblem, Session, the_index
from ...idc.wheel import HOW_TO_INSTALL
from ...settings import READ_ONLY_KINDS
from ..app import App

AT_ONCE = 2
T = TypeVar("T")
_LIMITER = RunVar[anyio.CapacityLimiter]("_LIMITER")


async def ask(work: Callable[[Session], T]) -> T:
    """What ``work`` finds in the index. Raises IndexProblem, also without the extra ``idc``."""
    index = await anyio.to_thread.run_sync(the_index)
    if index is None:
        raise IndexProblem(f"The index of IDC is not installed: {HOW_TO_INSTALL}.")
    return await _interruptibly(index, work)


async def _interruptibly(index: Index, work: Callable[[Session], T]) -> T:
    async with _limiter():
        session = index.session()

        def run() -> T:
            with session:
                return work(session)

        try:
            return await anyio.to_thread.run_sync(run, abandon_on_cancel=True)
        finally:
            session.interrupt()  # of no effect at the usual end; a thread that was abandoned stops by it


def _limiter() -> anyio.CapacityLimiter:
    """Those of one event loop wait for each other."""
    limiter = _LIMITER.get(None)
    if limiter is None:
        limiter = anyio.CapacityLimiter(AT_ONCE)
        _LIMITER.set(limiter)
    return limiter


def idc_archive(app: App) -> str:
    """The archive to which UIDs of the index can be taken: the first configured one of IDC, else its usual name."""
    return next((item.name for item in app.settings.archives if item.resolved_kind in READ_ONLY_KINDS), "idc")
