"""A call that its client gives up stops asking the archive, over both transports and in both protocol eras."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest
from mcp import Client, StdioServerParameters

from fakes.scripted import HANG, Script, Scripted, Step, http
from hostile.world import CALLS, PATIENT, ROWS, Call, bad_at, client_of, good, resource, row
from tools.reading import answer, call

pytestmark = pytest.mark.anyio

MODES = ["auto", "legacy"]


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    with anyio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 (a server has no event for each thing that is waited for)
            await anyio.sleep(0.01)


async def given_up(client: Client, server: Scripted, given: Call, number: int = 1, places: int = 6) -> None:
    """Start so many calls, wait until the archive has been asked by as many as it has places for, and cancel them."""
    async with anyio.create_task_group() as tasks:
        for _ in range(number):
            tasks.start_soon(partial(call, client, given.tool, **given.arguments))
        await until(lambda: asked(server, given.resource) >= min(number, places))
        tasks.cancel_scope.cancel()


def asked(server: Scripted, name: str) -> int:
    return sum(resource(target) == name for target in server.asked)


async def stays(*servers: Scripted) -> None:
    """Nothing more is asked."""
    before = [len(server.asked) for server in servers]
    await anyio.sleep(0.3)
    assert [len(server.asked) for server in servers] == before


SILENT: dict[str, Script] = {
    "no answer": lambda _: [HANG],
    "half a head": lambda _: [b"HTTP/1.1 200 OK\r\nX-", HANG],
    "half a body": lambda _: [http(ROWS)[:-20], HANG],
    "a drip": lambda _: drip(),
}


def drip() -> Iterator[Step]:
    yield http(length=100_000)
    while True:
        yield b" "
        yield 0.05


@pytest.mark.parametrize("mode", MODES)
async def test_a_cancelled_call_closes_its_connection(mode: str) -> None:
    cases = [
        (Scripted(bad_at(given.resource, script)), given) for script in SILENT.values() for given in CALLS.values()
    ]
    servers = {f"bad{number}": server for number, (server, _) in enumerate(cases)}
    async with client_of(servers, mode=mode) as client:
        for name, (server, given) in zip(servers, cases, strict=True):
            await given_up(client, server, replace(given, arguments={**given.arguments, "archive": name}))
            await until(lambda server=server: not server.open)
        await stays(*servers.values())


@pytest.mark.parametrize("mode", MODES)
async def test_cancelled_calls_free_their_places(mode: str) -> None:
    """More calls than the archive has places for, some of them waiting for one."""
    server = Scripted(lambda _: [HANG])
    async with client_of({"bad": server}, mode=mode) as client:
        for _ in range(3):
            server.asked.clear()
            await given_up(client, server, CALLS["search_studies"], number=10)
            await until(lambda: not server.open)
        server.script = good
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(answer, client, "search_studies")


async def test_a_cancelled_call_is_not_tried_again() -> None:
    """Between two tries, while it waits for the server to recover."""
    server = Scripted(lambda _: [http(b"", status="503 Busy")])
    async with client_of({"bad": server}, replace(PATIENT, back_off=0.1), kind="google") as client:
        await given_up(client, server, CALLS["search_studies"])
        await stays(server)
        server.script = good
        await answer(client, "search_studies")


async def test_a_cancelled_count_asks_for_no_further_page() -> None:
    def pages(target: str) -> Iterator[Step]:
        yield 0.05
        offset = int(parse_qs(urlsplit(target).query).get("offset", ["0"])[0])
        yield http(
            json.dumps(
                [row(**{"0020000D": {"vr": "UI", "Value": [f"1.{offset + at}"]}}) for at in range(1_000)]
            ).encode()
        )

    server = Scripted(pages)
    async with client_of({"bad": server}) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(call, client, "search_studies", count=True))
            await until(lambda: len(server.asked) >= 3)
            tasks.cancel_scope.cancel()
        await anyio.sleep(0.2)  # what was under way
        await stays(server)


@pytest.mark.parametrize("mode", MODES)
async def test_over_stdio(mode: str, tmp_path: Path) -> None:
    """A process with its real time-outs, which are longer than this test waits."""
    server = Scripted(lambda _: [HANG])
    async with server.running():
        parameters = StdioServerParameters(
            command=sys.executable,
            args=["-m", "dicomweb_mcp", "--archive", f"bad={server.url}/of/no/kind"],
            env={**os.environ, "DICOMWEB_MCP_CACHE": str(tmp_path)},
        )
        async with Client(parameters, mode=mode) as client:
            await given_up(client, server, CALLS["search_studies"], number=6, places=4)
            await until(lambda: not server.open)
            await stays(server)
            server.script = good
            await answer(client, "search_studies")
