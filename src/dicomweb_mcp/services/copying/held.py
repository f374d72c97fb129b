"""Instances on their way from one archive into another: in memory as far as they fit, else in a private folder."""

import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from io import BytesIO
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

import anyio
from anyio import to_thread

from ..archives.base import Archive, NotFound, Place
from ..archives.part10.outgoing import Outgoing, checked, checked_in_memory
from ..archives.part10.whole import Unfit
from ..paths import make_private
from ..settings import user_state_folder

MOST_HELD = 64 << 20  # bytes in memory; what does not fit goes to the disk
ENOUGH = MOST_HELD // 2  # bytes in memory with which a batch is sent
PREFIX = "copying-"
LEFT_BEHIND = 24 * 3600.0  # seconds after which no run writes there any more


class Fetched:
    """The files of one batch; they are let go of at its end."""

    def __init__(self) -> None:
        self._held = 0
        self._folder: Path | None = None

    @property
    def is_full(self) -> bool:
        return self._held >= ENOUGH or self._folder is not None

    async def fetch(self, archive: Archive, place: Place) -> Outgoing:
        """The whole file of one instance, checked. Raises ArchiveError, OSError, BadSettings, Unfit."""
        async with aclosing(archive.instances(place)) as files:
            async for file in files:
                fetched = await self._taken(file.chunks)
                if (fetched.study_uid, fetched.series_uid, fetched.instance_uid) != (
                    place.study_uid, place.series_uid, place.instance_uid,
                ):  # fmt: skip
                    raise Unfit(f"instance {fetched.instance_uid} of series {fetched.series_uid} came instead of it")
                return fetched
        raise NotFound(archive.name, f"sent nothing for {place}.")

    async def close(self) -> None:
        """Remove what went to the disk."""
        self._held = 0
        if self._folder is not None:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(shutil.rmtree, self._folder, True)
            self._folder = None

    async def _taken(self, chunks: AsyncIterator[bytes]) -> Outgoing:
        data = BytesIO()
        async for chunk in chunks:
            if self._held + data.tell() + len(chunk) > MOST_HELD:
                return await self._on_disk(data, chunk, chunks)
            data.write(chunk)
        whole = data.getvalue()  # the same bytes, no copy of them
        fetched = await to_thread.run_sync(checked_in_memory, whole)
        self._held += len(whole)
        return fetched

    async def _on_disk(self, begun: BytesIO, chunk: bytes, rest: AsyncIterator[bytes]) -> Outgoing:
        if self._folder is None:
            self._folder = await to_thread.run_sync(_new_folder)
        path = self._folder / f"{uuid4().hex}.dcm"
        with path.open("xb") as file:
            await to_thread.run_sync(file.write, begun.getbuffer())
            await to_thread.run_sync(file.write, chunk)
            async for more in rest:
                await to_thread.run_sync(file.write, more)
        return await to_thread.run_sync(checked, path)


def _new_folder() -> Path:
    """A folder for this user alone, resolved. What a killed run left behind is removed, because it shows patients."""
    state = user_state_folder()
    make_private(state)
    for old in state.glob(f"{PREFIX}*"):
        if time.time() - old.stat().st_mtime > LEFT_BEHIND:
            shutil.rmtree(old, ignore_errors=True)
    return Path(os.path.realpath(mkdtemp(prefix=PREFIX, dir=state)))
