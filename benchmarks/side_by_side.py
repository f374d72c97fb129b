"""What the benchmarks share: ways timed side by side, a DICOMweb server on loopback, and the lines of the table."""

import asyncio
import gc
import json
import multiprocessing
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from multiprocessing.connection import Connection
from statistics import median
from typing import Any
from urllib.parse import parse_qs, urlsplit

Way = Callable[[], Awaitable[object]]
Times = Sequence[float]

MOST_MEMORY = 16_000_000  # bytes of a transfer, however large it is


@dataclass(frozen=True)
class Figure:
    """One line of the table: a claim, what was measured, and whether the goal is met."""

    claim: str
    figure: str
    peer: str
    ratio: str
    goal: str
    met: bool


def figures_of(name: str) -> list[Figure]:
    """The figures of one script, which is told on stderr."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    found: list[Figure] = asyncio.run(import_module(f"{__package__}.{name}").measured())
    return found


async def side_by_side(ways: Mapping[str, Way], repetitions: int, warm: int = 1) -> dict[str, list[float]]:
    """Seconds that each way takes, in turns, so that whatever else the machine does burdens all of them alike."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for repetition in range(-warm, repetitions):
        for name, way in ways.items():
            gc.collect()
            started = time.perf_counter()
            await way()
            if repetition >= 0:
                taken[name].append(time.perf_counter() - started)
    return taken


async def peak(way: Way) -> int:
    """Bytes that a way has in memory at most, beyond what was there before it."""
    gc.collect()
    tracemalloc.start()
    try:
        await way()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def compared(claim: str, ours: Times, peer: str, theirs: Times, goal: float | None, what: str = "") -> Figure:
    """The ratio of the medians against a goal, if any, with the least and the greatest ratio of one repetition."""
    ratio = median(ours) / median(theirs)
    each = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return Figure(
        claim=claim,
        figure=what or seconds(median(ours)),
        peer=f"{peer} {seconds(median(theirs))}",
        ratio=f"{ratio:.2f} ({min(each):.2f}-{max(each):.2f})",
        goal="none" if goal is None else f"at most {goal:g}",
        met=goal is None or ratio <= goal,
    )


def of_memory(done: str, taken: int, size: int) -> Figure:
    """The memory that a transfer took, against the size of its files; the goal does not grow with it."""
    return Figure(
        claim=f"peak memory, {done}",
        figure=f"{taken / 1e6:.1f} MB",
        peer=f"the files {size / 1e6:,.0f} MB",
        ratio=f"{taken / size:.4f}",
        goal=f"at most {MOST_MEMORY / 1e6:.0f} MB",
        met=taken <= MOST_MEMORY,
    )


def seconds(taken: float) -> str:
    """A time as people read it."""
    return f"{taken:.2f} s" if taken >= 1 else f"{taken * 1e3:.3g} ms"


def table(figures: Sequence[Figure]) -> str:
    """The figures in columns."""
    lines = [("claim", "figure", "peer", "ratio", "goal", "met")]
    lines += [(one.claim, one.figure, one.peer, one.ratio, one.goal, "yes" if one.met else "NO") for one in figures]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


# ---- a server --------------------------------------------------------------------------------------------------------


@contextmanager
def server(rows: Callable[[], Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    """The address of a DICOMweb server that answers every search with the rows ``offset`` to ``offset + limit``.

    It is a process of its own, so that it takes no time from those that are measured.
    """
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(rows, there), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}/dicomweb"
    finally:
        process.terminate()
        process.join()


def _serve(rows: Callable[[], Sequence[Mapping[str, Any]]], pipe: Connection) -> None:
    written = [json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() for row in rows()]

    @lru_cache(maxsize=32)
    def answer(offset: int, limit: int) -> bytes:
        body = b"[" + b",".join(written[offset : offset + limit]) + b"]"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):  # the client has gone
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                asked = parse_qs(urlsplit(request.split(b" ", 2)[1].decode()).query)
                writer.write(answer(*(int(asked.get(key, ["0"])[0]) for key in ("offset", "limit"))))
                await writer.drain()
        writer.close()

    async def listen() -> None:
        listening = await asyncio.start_server(connected, "127.0.0.1", 0)
        pipe.send(listening.sockets[0].getsockname()[1])
        await listening.serve_forever()

    asyncio.run(listen())
