"""A real server on loopback that answers byte by byte, as a script says."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from enum import Enum


class Ending(Enum):
    """How a script can end an answer, other than by having nothing more to say."""

    HANG = "say nothing until the client goes away"
    CUT = "close the connection"
    RESET = "close it so that the client gets a reset"


HANG, CUT, RESET = Ending
Step = bytes | float | Ending  # what to send, seconds to wait, or how to end
Script = Callable[[str], Iterable[Step]]  # of the request's target

BATCH = 1 << 20


class Scripted:
    """Answers each request with the steps of its script, which can be replaced at any time.

    ``asked`` are the targets of the requests, ``connections`` how many were ever opened, ``open`` how many are now,
    ``sent`` the bytes that the client's side took.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[str] = []
        self.heads: list[bytes] = []
        self.connections = self.open = self.sent = self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/dicom-web"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Scripted"]:
        """At a new port the first time, at the same one when it is started again."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        self.open += 1
        try:
            while await self._answered(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client went away
        except asyncio.CancelledError:
            pass  # the test is over; a cancelled task would be logged
        finally:
            self.open -= 1
            writer.transport.abort()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection stays."""
        head = await reader.readuntil(b"\r\n\r\n")
        target = head.split(b" ", 2)[1].decode()
        self.heads.append(head)
        self.asked.append(target)
        for step in self.script(target):
            if isinstance(step, bytes):
                for start in range(0, len(step), BATCH):
                    piece = step[start : start + BATCH]
                    writer.write(piece)
                    await writer.drain()
                    self.sent += len(piece)
            elif isinstance(step, Ending):
                await self._end(step, reader, writer)
                return False
            elif await _went_away(reader, step):
                return False
        return True

    async def _end(self, how: Ending, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if how is HANG:
            await reader.read()
        elif how is CUT:
            writer.close()
            await writer.wait_closed()
        else:
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if _windows() else "ii", 1, 0))
            writer.transport.abort()


async def _went_away(reader: asyncio.StreamReader, seconds: float) -> bool:
    """Wait, but no longer than the client stays."""
    try:
        await asyncio.wait_for(reader.read(1), seconds)
    except TimeoutError:
        return False
    return True


def _windows() -> bool:
    import sys

    return sys.platform == "win32"


def http(
    body: bytes = b"",
    content_type: str = "application/dicom+json",
    status: str = "200 OK",
    *,
    length: int | None = None,
    headers: tuple[str, ...] = (),
) -> bytes:
    """An answer with a Content-Length, which may lie."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def head(*headers: str, status: str = "200 OK", content_type: str = "application/dicom+json") -> bytes:
    """The head of a chunked answer."""
    lines = [f"HTTP/1.1 {status}", "Transfer-Encoding: chunked", f"Content-Type: {content_type}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked answer; of no bytes: its end."""
    return b"%x\r\n%b\r\n" % (len(data), data)
