"""Files taken in: each to a temporary name while it arrives, looked at, and only then given its own."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread

from ...dicom.uids import EXPLICIT
from .arrived import Identity, glimpse, same_contents
from .folder import FULL, Folder, NotWritten
from .items import Item, Outcome, Progress, Retrieval

PIECE = 1 << 20  # bytes that are written at once
EARLY = 1 << 16  # bytes that nearly always hold the header
Early = Callable[[Identity], bool]


class Skipped(Exception):
    """The rest of a file is not wanted."""


@dataclass(frozen=True)
class Receiver:
    """Takes files into one folder. Without ``as_stored`` they are to be decompressed."""

    folder: Folder
    retrieval: Retrieval
    progress: Progress
    as_stored: bool = True

    @asynccontextmanager
    async def part(self, chunks: AsyncIterator[bytes], is_skipped: Early | None = None) -> AsyncIterator[Path]:
        """A file that has arrived under a temporary name, which is gone afterwards.

        Raises Skipped where the beginning of the file says so, NotWritten when the disk is full or refuses, and what
        ``chunks`` raises.
        """
        path = self.folder.new_part()
        try:
            await self._write(path, chunks, is_skipped)
            yield path
        except OSError as error:
            raise self.not_written(error) from None
        finally:
            with suppress(OSError):  # somebody looks at it (Windows); no scan ever counts it
                path.unlink(missing_ok=True)

    async def _write(self, path: Path, chunks: AsyncIterator[bytes], is_skipped: Early | None) -> None:
        held = bytearray()
        with path.open("xb") as file:

            def write() -> None:
                file.write(held)
                file.flush()
                held.clear()

            async for chunk in chunks:
                held += chunk
                await self.progress.arrived(len(chunk))
                if len(held) >= (PIECE if is_skipped is None else EARLY):
                    await to_thread.run_sync(write)
                    if is_skipped and (identity := await to_thread.run_sync(glimpse, path)):
                        if await to_thread.run_sync(is_skipped, identity):
                            raise Skipped
                        is_skipped = None
            await to_thread.run_sync(write)

    def settle(self, part: Path, identity: Identity, item: Item) -> None:
        """Place a file that is the item's, and decide the item. Raises NotWritten when the disk is full."""
        if not self.as_stored and identity.transfer_syntax != EXPLICIT:
            item.decide(
                Outcome.FAILED,
                f"the archive does not decompress it: it came in transfer syntax {identity.transfer_syntax}. "
                "as_stored=true takes it so",
            )
            return
        try:
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            size = part.stat().st_size
            self.folder.place(part, identity)
        except FileExistsError as taken:
            self._compare(part, Path(taken.filename), item)
        except OSError as error:
            if error.errno in FULL:
                raise
            item.decide(Outcome.FAILED, f"it cannot be placed: {error.strerror or error}")
        else:
            self.retrieval.bytes += size
            item.decide(Outcome.RETRIEVED, identity.doubt and f"kept as the archive has it, but odd: {identity.doubt}")

    def _compare(self, part: Path, taken: Path, item: Item) -> None:
        try:
            is_same = same_contents(part, taken)
        except OSError:
            is_same = False
        if not is_same:
            item.decide(Outcome.DIFFERENT, "another file has its name, and is kept")
        elif item.outcome is None:
            item.decide(Outcome.ALREADY_THERE)

    def not_written(self, error: OSError) -> NotWritten:
        """The error for a disk that takes no more, or for a folder that does not let files be written."""
        done = len(self.retrieval.of(Outcome.RETRIEVED))
        kept = f"{done:,} files were retrieved and are whole; no part of another was left behind."
        if error.errno in FULL:
            return NotWritten(f"The disk is full. {kept} Free some space and call this again: it goes on from there.")
        return NotWritten(f"No file can be written there: {error.strerror or type(error).__name__}. {kept}")
