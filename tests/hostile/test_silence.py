"""Archives that stop answering, at every point of an answer."""

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import anyio
import pytest
from mcp import Client

from dicomweb_mcp.server import build
from fakes.scripted import CUT, HANG, RESET, Script, Scripted, Step, chunk, head, http
from hostile.world import BRISK, CALLS, ROWS, Case, Outcome, client_of, good, outcomes_of
from support import app_at
from tools.reading import answer, refusal

pytestmark = pytest.mark.anyio

HEAD = http(ROWS, headers=("X-Padding: " + "x" * 40,))
CUT_GZIP = gzip.compress(ROWS)[:-9]
PATIENT = replace(BRISK, answer=4, metadata=4)  # so that a busy machine is not taken for a silent archive


def drip(data: bytes) -> Iterator[Step]:
    for at in range(len(data)):
        yield data[at : at + 1]
        yield 0.1
    yield HANG


SCRIPTS: Mapping[str, tuple[Script, str]] = {
    "no answer": (lambda _: [HANG], "sent nothing for 1 s"),
    "hangs in the head": (lambda _: [HEAD[:40], HANG], "sent nothing for 1 s"),
    "hangs in the body": (lambda _: [HEAD[:-40], HANG], "sent nothing for 1 s"),
    "hangs in a chunk": (lambda _: [head(), chunk(ROWS)[:-40], HANG], "sent nothing for 1 s"),
    "hangs before the last chunk": (lambda _: [head(), chunk(ROWS), HANG], "sent nothing for 1 s"),
    "drips its head": (lambda _: drip(HEAD), "did not begin its answer within 4 s"),
    "drips its body": (lambda _: [http(length=1_000), *drip(ROWS)], "did not finish its answer within 4 s"),
    "ends its gzip too early": (
        lambda _: [http(CUT_GZIP, headers=("Content-Encoding: gzip",))],
        "broke off its compressed answer",
    ),
    "closes at once": (lambda _: [CUT], "broke off its answer"),
    "closes in the head": (lambda _: [HEAD[:40], CUT], "broke off its answer"),
    "closes in the body": (lambda _: [HEAD[:-40], CUT], "broke off its answer"),
    "closes in a chunk": (lambda _: [head(), chunk(ROWS)[:-40], CUT], "broke off its answer"),
    "closes before the last chunk": (lambda _: [head(), chunk(ROWS), CUT], "broke off its answer"),
    "resets at once": (lambda _: [RESET], "broke off its answer"),
    "resets in the body": (lambda _: [HEAD[:-40], 0.05, RESET], "broke off its answer"),
}


@pytest.fixture(scope="module")
async def outcomes() -> dict[Case, Outcome]:
    return await outcomes_of({name: script for name, (script, _) in SCRIPTS.items()}, patience=PATIENT)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("script", SCRIPTS)
async def test_an_answer_that_does_not_arrive(outcomes: dict[Case, Outcome], script: str, call: str) -> None:
    found = outcomes[script, call]
    assert found.is_error
    assert found.text.startswith("Archive bad")
    assert SCRIPTS[script][1] in found.text
    assert "ry again" in found.text or "ask for less" in found.text
    assert found.seconds < 10
    assert found.then == "", "good again, and asked again"


async def test_an_archive_that_is_not_there() -> None:
    server = Scripted(good)
    async with server.running():
        app = app_at({"gone": server.url}, BRISK)
    async with Client(build(app)) as client:
        for call in CALLS.values():
            text = await refusal(client, call.tool, **call.arguments)
            assert text.startswith("Archive gone: cannot be reached: no connection")
            assert "Check its address" in text
        async with server.running():
            await answer(client, "search_studies")


async def test_calls_that_hang_hold_up_nobody() -> None:
    """More of them than the archive has places for, and than there are worker threads."""
    servers = {"bad": Scripted(lambda _: [HANG]), "good": Scripted(good)}
    async with client_of(servers) as client, anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(partial(client.call_tool, "search_studies", {"archive": "bad"}))
        with anyio.fail_after(10):
            for call in CALLS.values():
                result = await client.call_tool(call.tool, {"archive": "good", **call.arguments})
                assert not result.is_error
        assert servers["bad"].open == 6, "the places of its kind"
        tasks.cancel_scope.cancel()
