"""Archives that never stop sending what adds up to nothing: each call ends with its time-out, and others are answered
meanwhile."""

import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace

import anyio
import pytest

from fakes.scripted import Script, Scripted, Step, chunk, head
from hostile.world import BRISK, CALLS, OCTETS, bad_at, client_of, good
from tools.reading import answer, refusal

pytestmark = pytest.mark.anyio

NAMELESS = gzip.compress(b"")[:3] + b"\x08" + b"\0" * 6  # a gzip header that announces a file's name (RFC 1952 2.3)


def for_ever(first: bytes, then: bytes) -> Iterator[Step]:
    yield first
    while True:
        yield then


def empty_blocks() -> Iterator[Step]:
    """A gzip stream of blocks that hold nothing."""
    packer = zlib.compressobj(wbits=31)
    yield head("Content-Encoding: gzip") + chunk(packer.flush(zlib.Z_FULL_FLUSH))
    while True:
        yield chunk(packer.flush(zlib.Z_FULL_FLUSH) + b"\0\0\0\xff\xff" * 1_000)


NOT_BEGUN, NOT_FINISHED = "did not begin its answer within 2 s", "did not finish its answer within 2 s"
FLOODS: Mapping[str, tuple[str, Script, str]] = {
    "1xx": ("search_studies", lambda _: for_ever(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 500), NOT_BEGUN),
    "small chunks": ("list_series", lambda _: for_ever(head(), chunk(b" ") * 1_000), NOT_FINISHED),
    "empty blocks": ("get_metadata", lambda _: empty_blocks(), NOT_FINISHED),
    "a name in gzip": ("get_metadata", lambda _: for_ever(head("Content-Encoding: gzip") + chunk(NAMELESS), chunk(b"x" * 9_000)), NOT_FINISHED),
    "a preamble": ("render_frame", lambda _: for_ever(head(content_type=OCTETS), chunk(b"x" * 90) * 100), NOT_FINISHED),
    "part headers": ("render_frame", lambda _: for_ever(head(content_type=OCTETS) + chunk(b"--b\r\n"), chunk(b"X: y\r\n" * 15) * 100), NOT_FINISHED),
}  # fmt: skip


async def test_floods_end_and_drown_nobody() -> None:
    servers = {f"flood{number}": Scripted(bad_at(CALLS[call].resource, script))
               for number, (call, script, _) in enumerate(FLOODS.values())}  # fmt: skip
    texts: dict[str, str] = {}
    meanwhile = 0
    async with client_of({**servers, "good": Scripted(good)}, replace(BRISK, silence=30)) as client:

        async def flooded(archive: str, call: str) -> None:
            texts[archive] = await refusal(client, CALLS[call].tool, archive=archive, **CALLS[call].arguments)

        async with anyio.create_task_group() as tasks:
            for archive, (call, _, _) in zip(servers, FLOODS.values(), strict=True):
                tasks.start_soon(flooded, archive, call)
            while len(texts) < len(servers):
                await answer(client, "search_studies", archive="good")
                meanwhile += 1
        for archive, (_, _, says) in zip(servers, FLOODS.values(), strict=True):
            assert says in texts[archive], (archive, texts)
            servers[archive].script = good
            await answer(client, "search_studies", archive=archive)
    assert meanwhile >= 5
