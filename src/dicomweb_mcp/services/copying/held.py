"""Files on their way from one archive into another: in memory as far as they fit there, else in a private folder."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

import anyio
from anyio import to_thread

from ...archives.part10.outgoing import InMemory, OnDisk, Outgoing, checked, checked_in_memory
from ...paths import new_private_folder
from ...settings import user_state_folder

MOST_HELD = 64 << 20  # bytes in memory at a time; what does not fit goes to the disk
PREFIX = "copying-"


class Held:
    """The files of one copy that are held at a time; what is left of them is let go of at its end."""

    def __init__(self) -> None:
        self._bytes = 0  # in memory, also of files that are arriving
        self._arriving = 0
        self._freed = anyio.Event()
        self._folder: Path | None = None
        self._making = anyio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(shutil.rmtree, self._folder, True)

    @asynccontextmanager
    async def room(self) -> AsyncIterator[None]:
        """Room for one file that is to arrive, once others have made it."""
        while self._bytes + self._arriving * MOST_HELD // 4 > MOST_HELD // 2:  # a quarter for what each may still take
            await self._freed.wait()
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1
            self._free(0)

    async def taken(self, chunks: AsyncIterator[bytes]) -> Outgoing:
        """A file for which there is ``room``, when all of it has arrived. Raises Unfit, OSError or BadSettings, and
        what ``chunks`` raises; then nothing of it is held."""
        data = BytesIO()
        try:
            async for chunk in chunks:
                if self._bytes + len(chunk) > MOST_HELD:
                    return await self._on_disk(data, chunk, chunks)
                data.write(chunk)
                self._bytes += len(chunk)
            whole = data.getvalue()  # the same bytes, no copy of them
            file = await to_thread.run_sync(checked_in_memory, whole)
            self._bytes += file.size
            return file
        finally:
            self._free(data.tell())

    async def let_go(self, file: Outgoing) -> None:
        """The file is not needed any more."""
        if isinstance(file.content, InMemory):
            self._free(file.size)
        elif isinstance(file.content, OnDisk):
            with suppress(OSError):  # somebody looks at it (Windows); it goes with its folder
                await to_thread.run_sync(file.content.path.unlink)

    def _free(self, size: int) -> None:
        self._bytes -= size
        self._freed.set()
        self._freed = anyio.Event()

    async def _on_disk(self, begun: BytesIO, chunk: bytes, rest: AsyncIterator[bytes]) -> Outgoing:
        async with self._making:
            if self._folder is None:
                self._folder = await to_thread.run_sync(new_private_folder, user_state_folder(), PREFIX)
        path = self._folder / f"{uuid4().hex}.dcm"
        try:
            with path.open("xb") as file:
                await to_thread.run_sync(file.write, begun.getbuffer())
                await to_thread.run_sync(file.write, chunk)
                async for more in rest:
                    await to_thread.run_sync(file.write, more)
            return await to_thread.run_sync(checked, path)
        except Exception:
            with suppress(OSError):
                path.unlink()
            raise
