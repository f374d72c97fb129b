"""Content codings of HTTP (RFC 9110 8.4.1), undone in steps of bounded size.

httpx unpacks whatever arrived at once, up to a thousand times as much, and takes a stream that was cut for a whole one.
"""

import zlib
from collections.abc import Iterator
from typing import Any

STEP = 1024 * 1024
WINDOW_BITS = {"gzip": 31, "deflate": 15}  # as zlib wants them: with the header of gzip, of zlib
WITHOUT_HEADER = -15
ASKED_FOR = ", ".join(WINDOW_BITS)


class BadCoding(ValueError):
    """The bytes are not coded as their header says, or were cut."""


class Inflater:
    """Undoes one coding; bytes of any other pass as they are."""

    def __init__(self, coding: str) -> None:
        self._bits = WINDOW_BITS.get(coding, 0)
        self._stream: Any = None  # zlib has no name for its type
        self._begun = b""

    @staticmethod
    def knows(coding: str) -> bool:
        """Whether this is no coding or one that was asked for; several on top of each other are none of these."""
        return coding in ("", "identity", *WINDOW_BITS)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What these bytes unpack to, in pieces of at most STEP. Raises BadCoding."""
        if not self._bits:
            yield data
            return
        if self._stream is None:
            self._begun += data
            if len(self._begun) < 2:
                return
            data, self._begun = self._begun, b""
            if self._bits == WINDOW_BITS["deflate"] and not _is_zlib(data):
                self._bits = WITHOUT_HEADER  # what some servers mean by deflate
            self._stream = zlib.decompressobj(self._bits)
        while True:
            if self._stream.eof and data:  # gzip streams may follow each other (RFC 1952 2.2)
                self._stream = zlib.decompressobj(self._bits)
            try:
                piece = self._stream.decompress(data, STEP)
            except zlib.error:
                raise BadCoding("sent an answer that cannot be decompressed") from None
            data = self._stream.unconsumed_tail or self._stream.unused_data
            if piece:
                yield piece
            if not data and len(piece) < STEP:
                return

    def close(self) -> None:
        """Raises BadCoding when the stream did not end."""
        if self._begun or (self._stream is not None and not self._stream.eof):
            raise BadCoding("broke off its compressed answer")


def _is_zlib(data: bytes) -> bool:
    """Whether the first two bytes are a header of zlib (RFC 1950 2.2)."""
    return data[0] & 15 == 8 and int.from_bytes(data[:2]) % 31 == 0
