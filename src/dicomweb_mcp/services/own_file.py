"""The file of one instance, for what its archive does not give otherwise."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from tempfile import TemporaryFile
from typing import BinaryIO

from anyio import to_thread

from ..archives.base import Archive, NotFound, NotUnderstood, Place

MOST_BYTES = 64 << 20


@asynccontextmanager
async def own_file(archive: Archive, place: Place) -> AsyncGenerator[BinaryIO, None]:
    """The whole file of an instance in a temporary one, which is gone afterwards. Raises ArchiveError."""
    with TemporaryFile() as file:
        await _fetch(archive, place, file)
        yield file


async def _fetch(archive: Archive, place: Place, to: BinaryIO) -> None:
    size = 0
    async with aclosing(archive.instances(place)) as files:
        async for file in files:
            async for chunk in file.chunks:
                size += len(chunk)
                if size > MOST_BYTES:
                    raise NotUnderstood(archive.name, f"has a file of over {MOST_BYTES >> 20} MiB for {place}.")
                await to_thread.run_sync(to.write, chunk)
            to.seek(0)
            return
    raise NotFound(archive.name, f"gave no file of {place}.")
