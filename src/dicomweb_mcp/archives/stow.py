"""The body of a STOW-RS request (PS3.18 10.5.2), read from the files while it is sent."""

from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

from anyio import to_thread

from .part10.outgoing import Outgoing
from .wire import Body

# Exactly this header: Orthanc up to plugin 1.18 skips in silence a part whose Content-Type has parameters.
PART = "--{boundary}\r\nContent-Type: application/dicom\r\n\r\n"
END = "--{boundary}--\r\n"
LINE_END = b"\r\n"


def store_body(files: Sequence[Outgoing]) -> Body:
    """Whole files as multipart/related; its length is known before anything is read.

    Its chunks raise Changed when a file is no longer what was checked.
    """
    boundary = uuid4().hex
    part, end = PART.format(boundary=boundary).encode(), END.format(boundary=boundary).encode()

    async def chunks() -> AsyncIterator[bytes]:
        for file in files:
            yield part
            reading = file.chunks()
            try:
                while chunk := await to_thread.run_sync(next, reading, b""):
                    yield chunk
            finally:
                reading.close()
            yield LINE_END
        yield end

    length = sum(len(part) + file.size + len(LINE_END) for file in files) + len(end)
    return Body(f'multipart/related; type="application/dicom"; boundary={boundary}', length, chunks)
