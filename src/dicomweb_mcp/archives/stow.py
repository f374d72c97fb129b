"""The body of a STOW-RS request (PS3.18 10.5.2), read from the files while it is sent."""

from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

from anyio import to_thread

from .part10.outgoing import Outgoing

CHUNK = 1 << 20
# Exactly this header: Orthanc up to plugin 1.18 skips in silence a part whose Content-Type has parameters.
PART = "--{boundary}\r\nContent-Type: application/dicom\r\n\r\n"
END = "--{boundary}--\r\n"
LINE_END = b"\r\n"


class StoreBody:
    """Whole files as multipart/related; can be read more than once. ``length`` is known before anything is read."""

    def __init__(self, files: Sequence[Outgoing]) -> None:
        boundary = uuid4().hex
        self._files = files
        self._part = PART.format(boundary=boundary).encode()
        self._end = END.format(boundary=boundary).encode()
        self.content_type = f'multipart/related; type="application/dicom"; boundary={boundary}'
        self.length = sum(len(self._part) + file.size + len(LINE_END) for file in files) + len(self._end)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, at most CHUNK bytes at a time. Raises Changed when a file is no longer what was checked."""
        for outgoing in self._files:
            yield self._part
            file = await to_thread.run_sync(outgoing.opened)
            try:
                left = outgoing.size
                while left and (chunk := await to_thread.run_sync(file.read, min(CHUNK, left))):
                    left -= len(chunk)
                    yield chunk
                outgoing.check_same(file)
            finally:
                file.close()
            yield LINE_END
        yield self._end
