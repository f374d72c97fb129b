"""Whole files of the Imaging Data Commons from its public buckets: listed and read by HTTPS, without signing in.

The objects of a series lie below its UUID, named by UUIDs of their own; which SOP Instance each of them is stands in it
alone. A listing is that of Amazon's ListObjectsV2.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlencode
from xml.parsers import expat

from ..settings import ArchiveSettings
from .base import NotFound, NotUnderstood
from .profiles import GENERIC
from .wire import MiB, Patience, Wire

PROFILE = replace(GENERIC, parallel=4, tries=4)
MOST_LISTING = 16 * MiB  # of one page, which lists 1,000 objects at most
MOST_OBJECTS = 100_000
MOST_OBJECT = 64 * 1024 * MiB
NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.dcm")
LONGEST_TEXT = 2_000  # of one element of a listing


@dataclass(frozen=True)
class BucketObject:
    """One object of a bucket."""

    key: str
    size: int


@dataclass(frozen=True)
class Listing:
    """One page of a listing; ``token`` asks for the next one and is empty at the end."""

    objects: tuple[BucketObject, ...]
    token: str


class Bucket:
    """One public bucket, reached as the archive ``like`` is. ``address`` has ``{}`` where the bucket's name belongs."""

    def __init__(self, like: ArchiveSettings, bucket: str, address: str, *, patience: Patience | None = None) -> None:
        settings = ArchiveSettings(
            name=like.name, url=address.format(bucket), kind="generic", ca=like.ca, proxy=like.proxy
        )
        self._wire = Wire(settings, PROFILE, patience=patience)
        self.name = bucket

    async def objects(self, series_uuid: str) -> list[BucketObject]:
        """The files of a series. Raises ArchiveError, NotFound when there are none."""
        found: list[BucketObject] = []
        token = ""
        while True:
            query = {"list-type": "2", "prefix": f"{series_uuid}/", **({"continuation-token": token} if token else {})}
            answer = await self._wire.get("/", accept="application/xml", query=urlencode(query), most=MOST_LISTING)
            page = self._listing(answer.body)
            found += [item for item in page.objects if self._is_file(series_uuid, item)]
            if len(found) > MOST_OBJECTS or (page.token and page.token == token):
                raise NotUnderstood(self._wire.name, f"the listing of the bucket {self.name} does not end.")
            token = page.token
            if not token:
                break
        if not found:
            raise NotFound(
                self._wire.name,
                f"the bucket {self.name} has no files of this series: the index may be of another release. Try "
                "idc download with its UID.",
            )
        return found

    @asynccontextmanager
    async def opened(self, item: BucketObject) -> AsyncIterator[AsyncGenerator[bytes, None]]:
        """The bytes of an object as they arrive. Raises ArchiveError, also while they are read where there are not as
        many as were listed."""
        seconds = self._wire.patience.stream
        async with self._wire.stream(f"/{item.key}", accept="*/*", most=MOST_OBJECT, seconds=seconds) as stream:
            yield self._whole(item, stream.chunks)

    async def _whole(self, item: BucketObject, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            yield chunk
        if size != item.size:
            raise NotUnderstood(
                self._wire.name, f"{item.size:,} bytes of an object were due, and {size:,} bytes arrived. Try again."
            )

    async def close(self) -> None:
        """Close idle connections."""
        await self._wire.close()

    def _is_file(self, series_uuid: str, item: BucketObject) -> bool:
        folder, _, name = item.key.rpartition("/")
        return folder == series_uuid and NAME.fullmatch(name) is not None

    def _listing(self, body: bytes) -> Listing:
        try:
            return listing(body)
        except (expat.ExpatError, ValueError) as error:
            raise NotUnderstood(
                self._wire.name, f"the bucket {self.name} answered with something else than a listing ({error})."
            ) from None


def listing(body: bytes) -> Listing:
    """A page of ListObjectsV2. Raises ExpatError or ValueError for what is none; document types, and with them
    entities, are refused before they could mean anything."""
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.Parse(body, True)
    if reader.root != "ListBucketResult":
        raise ValueError("another document")
    is_cut = reader.once.get("IsTruncated", "false") == "true"
    token = reader.once.get("NextContinuationToken", "") if is_cut else ""
    if is_cut and not token:
        raise ValueError("a listing that goes on without a token")
    return Listing(tuple(reader.objects), token)


class _Reader:
    """Keeps what a listing says of its objects."""

    def __init__(self) -> None:
        self.root = ""
        self.once: dict[str, str] = {}
        self.objects: list[BucketObject] = []
        self._path: list[str] = []
        self._texts: list[str] = []
        self._object: dict[str, str] = {}

    def refuse(self, *_: object) -> None:
        raise ValueError("it declares a document type")

    def start(self, name: str, _: object) -> None:
        name = name.rpartition(" ")[2]
        self.root = self.root or name
        self._path.append(name)
        self._texts = []

    def text(self, text: str) -> None:
        self._texts.append(text[:LONGEST_TEXT])

    def end(self, _: str) -> None:
        value = "".join(self._texts)[:LONGEST_TEXT]
        match self._path:
            case [_, "Contents"]:
                self._add()
            case [_, "Contents", name]:
                self._object[name] = value
            case [_, name]:
                self.once[name] = value
        self._path.pop()
        self._texts = []

    def _add(self) -> None:
        size = self._object.get("Size", "")
        if not re.fullmatch("[0-9]{1,15}", size) or not self._object.get("Key"):
            raise ValueError("an object without key or size")
        self.objects.append(BucketObject(self._object["Key"], int(size)))
        self._object = {}
