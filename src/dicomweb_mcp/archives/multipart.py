"""multipart/related as it arrives: chunks in, parts out (RFC 2046 5.1, PS3.18 8.6).

Bytes of a part are never touched: no stripping, no decoding. A delimiter is CRLF ``--boundary`` followed by a line end
or ``--``; the first one may stand at the very beginning.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from functools import lru_cache

LONGEST_HEADERS = 16_384
LONGEST_TYPE = 1_000
# what makes a boundary a delimiter: "--", a line end behind padding, or as much of these as has arrived
FOLLOWING = re.compile(rb"(?P<epilogue>--)|[ \t]{0,1000}(?P<headers>(?=\r\n))|(?P<undecided>-\Z|[ \t]{0,1000}\r?\Z)")


class BadMultipart(ValueError):
    """The body is no multipart of this boundary, or was cut."""


@dataclass(frozen=True)
class MediaType:
    """A Content-Type: ``type`` in lower case and its parameters; a ``type`` parameter may hold a whole media type."""

    type: str
    parameters: Mapping[str, str]

    @classmethod
    @lru_cache(maxsize=128)  # each of a thousand parts has the same
    def parse(cls, header: str) -> "MediaType":
        message = Message()
        message["Content-Type"] = header[:LONGEST_TYPE].replace("\r", " ").replace("\n", " ")
        found = message.get_params(failobj=[], unquote=True)
        return cls(message.get_content_type(), {str(key).lower(): str(value) for key, value in found[1:]})

    @property
    def is_multipart(self) -> bool:
        return self.type.startswith("multipart/")

    @property
    def transfer_syntax(self) -> str:
        """The ``transfer-syntax`` parameter, also one inside a quoted ``type`` as Orthanc writes it; else empty."""
        own = self.parameters.get("transfer-syntax", "")
        if not own and (match := re.search(r"transfer-syntax=\"?([0-9.]+)", self.parameters.get("type", ""))):
            own = match[1]
        return own if re.fullmatch(r"[0-9.]+", own) else ""


@dataclass(frozen=True)
class PartStart:
    """A part begins; its bytes follow as ``bytes``. Header names are lower case."""

    headers: Mapping[str, str]


class MultipartReader:
    """Push parser: ``feed`` gives what a chunk completes, ``PartStart`` and then the part's bytes."""

    def __init__(self, boundary: str) -> None:
        if not boundary or len(boundary) > 200:
            raise BadMultipart("no usable boundary")
        self._delimiter = b"\r\n--" + boundary.encode("latin-1", "replace")
        self._unquoted = self._delimiter.replace(b"'", b"") if re.fullmatch("'[^']+'", boundary) else b""
        self._buffer = bytearray(b"\r\n")  # so that a delimiter at the very beginning looks like any other
        self._state = "preamble"

    def feed(self, chunk: bytes) -> Iterator[PartStart | bytes]:
        """What this chunk completes. Raises BadMultipart when a part's headers do not end."""
        self._buffer += chunk
        if self._unquoted and not self._settle_quotes():
            return
        while self._state != "epilogue":
            before = self._state, len(self._buffer)
            found = self._headers() if self._state == "headers" else self._body()
            if found:
                yield found
            if before == (self._state, len(self._buffer)):
                return
        self._buffer.clear()

    def close(self) -> None:
        """Raises BadMultipart unless the closing delimiter was seen."""
        if self._state != "epilogue":
            raise BadMultipart("the multipart answer ends before its closing boundary")

    def _headers(self) -> PartStart | None:
        """The header block once it is whole. The buffer begins with the line end of the delimiter's line."""
        end = self._buffer.find(b"\r\n\r\n", 0, LONGEST_HEADERS)
        if end < 0:
            if len(self._buffer) >= LONGEST_HEADERS:
                raise BadMultipart("a part's headers do not end")
            return None
        unfolded = re.sub(r"\r\n(?=[ \t])", "", bytes(self._buffer[2:end]).decode("latin-1"))
        del self._buffer[: end + 4]
        self._state = "body"
        pairs = (line.partition(":") for line in unfolded.split("\r\n") if ":" in line)
        return PartStart({name.strip().lower(): value.strip() for name, _, value in pairs})

    def _body(self) -> bytes:
        """Bytes up to the next delimiter, or as far as they are certain; those of the preamble are dropped."""
        at, after, following = self._next_delimiter()
        found = bytes(self._buffer[:at]) if self._state == "body" else b""
        del self._buffer[:after]
        self._state = following or self._state
        return found

    def _settle_quotes(self) -> bool:
        """Single quotes are part of a boundary (RFC 2045 5.1), but some servers mean them as quotes: how the body
        begins tells. False while too little of it is there."""
        if len(self._buffer) < len(self._delimiter):
            return False
        if self._buffer.startswith(self._unquoted):
            self._delimiter = self._unquoted
        self._unquoted = b""
        return True

    def _next_delimiter(self) -> tuple[int, int, str]:
        """Bytes before it, where the rest goes on, and the state that follows; no state while none is certain."""
        at = -1
        while (at := self._buffer.find(self._delimiter, at + 1)) >= 0:
            after = at + len(self._delimiter)
            found = FOLLOWING.match(self._buffer, after)
            if found and found.lastgroup == "undecided":
                return at, at, ""
            if found and found.lastgroup:
                return at, found.end(), found.lastgroup
        certain = max(0, len(self._buffer) - len(self._delimiter) + 1)
        return certain, certain, ""


@dataclass(frozen=True)
class Part:
    """One part; ``chunks`` must be read to the end before the next part is asked for."""

    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]

    @property
    def media_type(self) -> MediaType:
        return MediaType.parse(self.headers.get("content-type", "application/octet-stream"))


async def parts(content_type: str, chunks: AsyncIterator[bytes]) -> AsyncGenerator[Part, None]:
    """The parts of an answer, one after the other. A body that is not multipart, or has no boundary, is one part.

    Raises BadMultipart when the body is cut or a part's Content-Length disagrees with its bytes.
    """
    media = MediaType.parse(content_type)
    boundary = media.parameters.get("boundary", "")
    if not media.is_multipart or not boundary:
        yield Part({"content-type": content_type}, chunks)
        return
    events = _events(MultipartReader(boundary), chunks)
    pending: list[PartStart] = []
    async for event in events:
        if isinstance(event, PartStart):
            pending = [event]
        while pending:
            start = pending.pop()
            body = _until_next(start, events, pending)
            yield Part(start.headers, body)
            async for _ in body:  # whatever the reader left
                pass


async def _events(reader: MultipartReader, chunks: AsyncIterator[bytes]) -> AsyncGenerator[PartStart | bytes, None]:
    async for chunk in chunks:
        for event in reader.feed(chunk):
            yield event
    reader.close()


async def _until_next(
    start: PartStart, events: AsyncIterator[PartStart | bytes], pending: list[PartStart]
) -> AsyncIterator[bytes]:
    size = 0
    async for event in events:
        if isinstance(event, PartStart):
            pending.append(event)
            break
        size += len(event)
        yield event
    declared = start.headers.get("content-length", "")
    if re.fullmatch("[0-9]{1,18}", declared) and int(declared) != size:
        raise BadMultipart(f"a part of {declared} bytes arrived with {size}")
