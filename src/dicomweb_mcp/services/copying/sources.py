"""Where the files of a copy come from: the archive that lists them, or for IDC its public buckets."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Protocol

from anyio import to_thread

from ...archives.base import Archive, ArchiveError, Place
from ...archives.part10.dataset import Damaged, parse
from ...dicom.values import DicomJson
from ..idc.objects import AT_ONCE as OBJECTS_AT_ONCE
from ..idc.objects import Buckets, Stored
from ..instance import instance_metadata
from ..items import Fit
from ..retrieve.asking import Request, by_series, requests_for
from ..retrieve.folder import Key
from ..sending import at_once

EARLY = 1 << 16  # bytes that nearly always hold the header
SOP_INSTANCE_UID = 0x00080018


@dataclass(kw_only=True)
class Copied(Fit):
    """An instance of the source; ``file`` has no content before it was fetched, nor after it was sent. ``pixels`` are
    the bytes of its pixels without compression, 0 where that is not known."""

    source: Archive
    place: Place
    pixels: int = 0

    @property
    def key(self) -> Key:
        return self.file.study_uid, self.file.series_uid, self.file.instance_uid

    async def metadata(self) -> DicomJson:
        """As the source tells them. Raises ArchiveError."""
        return await instance_metadata(self.source, self.place)


class Source(Protocol):
    """Gives files for requests. ``missing`` says why one may not have come without any failure."""

    @property
    def at_once(self) -> int: ...

    @property
    def missing(self) -> str: ...

    async def requests(self, items: Sequence[Copied], *, again: bool) -> Sequence[Request[Copied]]:
        """What to ask for, ``again`` for what did not come the first time. ``items`` are also those that are there."""
        ...

    def files(self, request: Request[Copied]) -> AsyncGenerator[AsyncIterator[bytes], None]:
        """The bytes of each file that comes, one file after the other. Raises ArchiveError."""
        ...


class FromArchive:
    """A series that is missing altogether in one request, others one by one, and so whatever did not come."""

    missing = "the archive did not send it"

    def __init__(self, archive: Archive, *, whole_series: bool) -> None:
        self._archive, self._whole_series = archive, whole_series
        self.at_once = at_once(archive)

    async def requests(self, items: Sequence[Copied], *, again: bool) -> Sequence[Request[Copied]]:
        return requests_for(items, whole_series=self._whole_series and not again)

    async def files(self, request: Request[Copied]) -> AsyncGenerator[AsyncIterator[bytes], None]:
        async with aclosing(self._archive.instances(request.place)) as files:
            async for file in files:
                yield file.chunks


@dataclass(kw_only=True)
class ObjectRequest(Request[Copied]):
    """One object of the bucket, which may be any instance of its series. ``is_one_of_many``: not all are wanted."""

    stored: Stored
    is_one_of_many: bool

    def wants(self, beginning: bytes) -> bool:
        """Whether the file that begins so may be one of those that are missing."""
        uid = _instance_uid(beginning)
        return not uid or any(one.key[2] == uid for one in self.instances.values() if one.outcome is None)


class FromBuckets:
    """Every object of a series of which something is missing: which instance it is stands in the object alone. Where
    not all are wanted, one is read no further than to its header."""

    missing = "no object of its series in its bucket is this instance"
    at_once = OBJECTS_AT_ONCE

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets
        self._asked: list[ObjectRequest] = []

    async def requests(self, items: Sequence[Copied], *, again: bool) -> Sequence[Request[Copied]]:
        if again:
            self._asked = [replace(one, faults=[]) for one in self._asked if one.faults]
            return self._asked
        for series, members in by_series(one for one in items if one.outcome is None).items():
            missing = {one.key: one for one in members}
            try:
                found = await self._buckets.stored_at(series)
            except ArchiveError as problem:
                Request(series, missing).explain(str(problem))
                continue
            self._asked += [
                ObjectRequest(place=series, instances=missing, stored=one, is_one_of_many=len(missing) < len(found))
                for one in found
            ]
        return self._asked

    async def files(self, request: Request[Copied]) -> AsyncGenerator[AsyncIterator[bytes], None]:
        assert isinstance(request, ObjectRequest)
        async with request.stored.opened() as chunks:
            begun = b""
            while request.is_one_of_many and len(begun) < EARLY and (chunk := await anext(chunks, b"")):
                begun += chunk
            if not request.is_one_of_many or await to_thread.run_sync(request.wants, begun):
                yield _continued(begun, chunks)


async def _continued(begun: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield begun
    async for chunk in chunks:
        yield chunk


def _instance_uid(beginning: bytes) -> str:
    """The SOP Instance UID in the beginning of a file; empty where that does not tell it."""
    try:
        return str(parse(BytesIO(beginning), tags=[SOP_INSTANCE_UID]).dataset.get("SOPInstanceUID") or "")
    except Damaged:
        return ""
