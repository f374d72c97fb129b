"""The body of a STOW-RS request (PS3.18 10.5.2), read from the files while it is sent."""

import json
from collections.abc import AsyncIterator, Generator, Sequence
from typing import NamedTuple
from uuid import uuid4

from anyio import to_thread

from ..dicom.uids import EXPLICIT
from .part10.outgoing import Outgoing
from .wire import Body

# Exactly this header: Orthanc up to plugin 1.18 skips in silence a part whose Content-Type has parameters.
FILE = ("Content-Type: application/dicom",)
METADATA = (f"Content-Type: application/dicom+json; transfer-syntax={EXPLICIT}",)  # that of the binary values in them
LINE_END = b"\r\n"


class _Part(NamedTuple):
    """One part: its header lines, and its bytes or where they are in a file."""

    headers: tuple[str, ...]
    content: bytes | Outgoing
    start: int
    length: int

    def chunks(self) -> Generator[bytes, None, None]:
        if isinstance(self.content, Outgoing):
            yield from self.content.chunks(self.start, self.length)
        else:
            yield self.content


def store_body(files: Sequence[Outgoing]) -> Body:
    """Whole files as multipart/related; its length is known before anything is read.

    Its chunks raise Changed when a file is no longer what was checked.
    """
    return _multipart("application/dicom", [_Part(FILE, file, 0, file.size) for file in files])


def json_body(files: Sequence[Outgoing]) -> Body:
    """The metadata of all files in one part, and in one more for each file the value that is named there by its
    address, as Google Cloud Healthcare takes them. Raises Changed, as its chunks do."""
    attributes, values = [], []
    for file in files:
        parted = file.parted()
        obj = {**parted.attributes}
        if parted.tag:
            uri = f"{file.instance_uid}/{parted.tag}"
            obj[parted.tag] = {**obj[parted.tag], "BulkDataURI": uri}
            headers = (f"Content-Location: {uri}", f"Content-Type: {parted.media_type}")
            values.append(_Part(headers, file, parted.start, parted.length))
        attributes.append(obj)
    written = json.dumps(attributes, ensure_ascii=False, allow_nan=False).encode()
    return _multipart("application/dicom+json", [_Part(METADATA, written, 0, len(written)), *values])


def _multipart(media_type: str, parts: Sequence[_Part]) -> Body:
    boundary = uuid4().hex
    heads = ["\r\n".join((f"--{boundary}", *part.headers, "", "")).encode() for part in parts]
    end = f"--{boundary}--\r\n".encode()

    async def chunks() -> AsyncIterator[bytes]:
        for head, part in zip(heads, parts, strict=True):
            yield head
            reading = part.chunks()
            try:
                while chunk := await to_thread.run_sync(next, reading, b""):
                    yield chunk
            finally:
                reading.close()
            yield LINE_END
        yield end

    length = sum(map(len, heads)) + sum(part.length + len(LINE_END) for part in parts) + len(end)
    return Body(f'multipart/related; type="{media_type}"; boundary={boundary}', length, chunks)
