"""Answers that are, or become, larger than anything that was asked for: refused early, and memory stays bounded."""

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import count

import anyio
import pytest

from dicomweb_mcp.archives import dicomweb, objects
from dicomweb_mcp.archives.wire import MiB
from dicomweb_mcp.dicom.tags import by_tag
from fakes.scripted import Script, Scripted, Step, chunk, head, http
from hostile.world import CALLS, OCTETS, STUDY, bad_at, client_of, good, row
from tools.reading import answer, call, refusal

pytestmark = pytest.mark.anyio

GIGABYTE = 1024 * MiB


def for_ever(first: bytes, then: bytes) -> Iterator[Step]:
    yield first
    while True:
        yield then


@cache
def packed(coding: str, size: int) -> bytes:
    """So many spaces, made small."""
    packer = zlib.compressobj(9, wbits=31 if coding == "gzip" else 15)
    return b"".join(packer.compress(b" " * MiB) for _ in range(size // MiB)) + packer.flush()


def twice(size: int) -> bytes:
    return gzip.compress(packed("gzip", size))


def bomb(coding: str, data: bytes, status: str = "200 OK", content_type: str = "application/dicom+json") -> Script:
    return lambda _: [http(data, content_type, status, headers=(f"Content-Encoding: {coding}",))]


def announced(content_type: str = "application/dicom+json", size: int = GIGABYTE) -> Iterator[Step]:
    yield http(length=size, content_type=content_type)
    for _ in range(64):
        yield bytes(MiB)


LARGER = "larger than the 64 MiB that this program accepts here"
TOO_MANY = "more than 5,000 objects"
BOMBS: Mapping[str, tuple[str, Script, str, int]] = {
    "gzip": ("search_studies", bomb("gzip", packed("gzip", 96 * MiB)), LARGER, 90),
    "deflate": ("get_metadata", bomb("deflate", packed("deflate", 96 * MiB)), LARGER, 90),
    "gzip in gzip": ("list_series", bomb("gzip, gzip", twice(96 * MiB)), "compressed in a way that was not asked for", 4),
    "gzip twice": ("get_metadata", bomb("gzip\r\nContent-Encoding: gzip", twice(96 * MiB)), "compressed in a way that was not asked for", 4),
    "brotli": ("get_metadata", bomb("br", b"\x0b\x02\x80"), "compressed in a way that was not asked for", 4),
    "an error in gzip in gzip": ("search_studies", bomb("gzip, gzip", twice(96 * MiB), "500 Oops"), "failed while answering (500)", 4),
    "an error in gzip": ("search_studies", bomb("gzip", packed("gzip", 96 * MiB), "400 Bad Request"), "answered with 400", 8),
    "an error without end": ("search_studies", lambda _: for_ever(head(status="400 Bad Request"), chunk(b"x" * 65_536)), "answered with 400", 8),
    "a gigabyte, announced": ("search_studies", lambda _: announced(), LARGER, 8),
    "gigabytes of metadata, announced": ("get_metadata", lambda _: announced(size=3 * GIGABYTE), "larger than the 2048 MiB", 8),
    "an object without end": ("get_metadata", lambda _: for_ever(head() + chunk(b'[{"00081030":{"vr":"LT","Value":["'), chunk(b"{" * 65_536)), LARGER, 140),
    "objects without end": ("get_metadata", lambda _: for_ever(head() + chunk(b"[{}"), chunk(b',{"00081030":{"vr":"LT","Value":["{"]}}' * 1_000)), TOO_MANY, 20),
    "a gigabyte in chunks": ("get_metadata", lambda _: for_ever(head(), chunk(b" " * 65_536)), LARGER, 90),
    "a gigabyte of frame, announced": ("render_frame", lambda _: announced(OCTETS), "larger than the 512 MiB", 8),
    "a gigabyte of frame in chunks": ("render_frame", lambda _: for_ever(head(content_type=OCTETS), chunk(b"x" * 65_536)), "larger than the 8 MiB", 16),
    "objects of nothing": ("search_studies", bomb("gzip", gzip.compress(b"[" + b"{}," * 100_000 + b"{}]")), TOO_MANY, 20),
    "objects of little": ("get_metadata", bomb("gzip", gzip.compress(b"[" + b'{"00080060":{}},' * 100_000 + b"{}]")), TOO_MANY, 20),
    "an object of too many elements": ("get_metadata", lambda _: [http(many_elements())], "another object", 20),
}  # fmt: skip


def many_elements() -> bytes:
    return b"[{" + b",".join(b'"%08X":{}' % (0x00090000 + number) for number in range(20_000)) + b"}]"


@pytest.mark.parametrize("script", BOMBS)
async def test_memory_stays_bounded(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, bad, says, most = BOMBS[script]
    monkeypatch.setattr(objects, "MOST_OBJECTS", 5_000)
    if "8 MiB" in says:
        monkeypatch.setattr(dicomweb, "MOST_FRAMES", 8 * MiB)
    server, asked = Scripted(bad_at(CALLS[name].resource, bad)), CALLS[name]
    async with client_of({"bad": server, "good": Scripted(good)}) as client:
        await call(client, asked.tool, archive="good", **asked.arguments)  # what is imported is not counted
        tracemalloc.start()
        try:
            text = await refusal(client, asked.tool, archive="bad", **asked.arguments)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        server.script = good
        assert not (await call(client, asked.tool, archive="bad", **asked.arguments)).is_error
    assert says in text
    assert peak < most * MiB
    assert server.sent < 80 * MiB
    if "announced" in script:
        assert server.sent < 32 * MiB, "refused by its head; what was sent lies in buffers"


async def test_a_large_answer_is_read_while_others_are_answered() -> None:
    rows = [json.dumps(row(**{"00080018": {"vr": "UI", "Value": [f"1.2.3.4.{number}"]}})) for number in range(1_500)]
    large = http(f"[{','.join(rows)}]".encode())
    found: dict[str, object] = {}
    meanwhile = 0
    servers = {"large": Scripted(lambda _: [large]), "good": Scripted(good)}
    async with client_of(servers) as client:

        async def read() -> None:
            found.update(await answer(client, "get_metadata", archive="large", study_uid=STUDY, fields=["Rows"]))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            while not found:
                await answer(client, "search_studies", archive="good")
                meanwhile += 1
    assert found["instances"] == len(rows)
    assert meanwhile >= 3


async def test_tags_without_end_do_not_stay_in_memory() -> None:
    number = count()

    def new_tags(target: str) -> Iterable[Step]:
        added = {f"{next(number) * 0x20000 + 0x00090010:08X}": {"vr": "LO", "Value": ["x"]} for _ in range(2_000)}
        return [http(json.dumps([row(**added)]).encode())]

    async with client_of({"bad": Scripted(new_tags)}) as client:
        for _ in range(8):
            await answer(client, "get_metadata", archive="bad", **CALLS["get_metadata"].arguments)
    assert by_tag.cache_info().currsize <= 10_000
