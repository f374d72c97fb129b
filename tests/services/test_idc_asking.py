"""Questions to the index: cancelled ones stop, few run at once, and without the extra it is said how to install it."""

import threading

import anyio
import pytest

from dicomweb_mcp.idc.index import IndexProblem, Row, Session
from dicomweb_mcp.services.idc import asking
from dicomweb_mcp.services.idc.asking import AT_ONCE, ask, idc_archive
from fakes.google import Google
from fakes.store import Store
from support import app_over

pytestmark = pytest.mark.anyio

ENDLESS = "SELECT count(*) AS pairs FROM index AS a, index AS b WHERE a.SeriesInstanceUID > b.StudyInstanceUID"


async def test_what_is_found_is_handed_back() -> None:
    assert await ask(lambda session: session.rows("SELECT 1 AS one")) == [{"one": 1}]


async def test_a_cancelled_call_ends_at_once_and_its_query_soon_after() -> None:
    begun, ended = threading.Event(), threading.Event()

    def work(session: Session) -> list[Row]:
        begun.set()
        try:
            return session.rows(ENDLESS)
        finally:
            ended.set()

    async with anyio.create_task_group() as group:
        group.start_soon(ask, work)
        await anyio.to_thread.run_sync(begun.wait, 10)
        await anyio.sleep(0.1)  # until the query runs
        group.cancel_scope.cancel()
    assert await anyio.to_thread.run_sync(ended.wait, 5), "of itself it would stop after ten seconds"
    assert await ask(lambda session: session.rows("SELECT 1 AS one")) == [{"one": 1}], "its place is free again"


async def test_a_call_cancelled_while_it_waits_asks_nothing() -> None:
    free, asked = threading.Event(), threading.Event()
    async with anyio.create_task_group() as group:
        for _ in range(AT_ONCE):
            group.start_soon(ask, lambda _: free.wait(10))
        await anyio.sleep(0.05)
        with anyio.move_on_after(0.05) as waited:
            await ask(lambda _: asked.set())
        assert waited.cancelled_caught
        free.set()
    assert not asked.is_set()


async def test_few_run_at_once() -> None:
    running, most, lock = 0, 0, threading.Lock()
    free = threading.Event()

    def work(_: Session) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        free.wait(0.05)
        with lock:
            running -= 1

    async with anyio.create_task_group() as group:
        for _ in range(3 * AT_ONCE):
            group.start_soon(ask, work)
    assert most == AT_ONCE


async def test_without_the_extra_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "the_index", lambda: None)
    with pytest.raises(IndexProblem, match=r"not installed: .*pip install 'dicomweb-mcp\[idc\]'"):
        await ask(lambda session: session.rows("SELECT 1 AS one"))


async def test_the_archive_of_an_answer_is_the_first_of_idc() -> None:
    fake = Google(Store())
    assert idc_archive(app_over({"pacs": (fake, "orthanc"), "mine": (fake, "idc"), "idc": (fake, "idc")})) == "mine"
    assert idc_archive(app_over({"pacs": (fake, "orthanc")})) == "idc", "what `--archive idc` would call it"
