"""What is open: the archives, by name. One ``App`` lives as long as the server."""

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import anyio

from ..archives.base import Archive, Busy, Health
from ..archives.memory import Memory
from ..archives.profiles import PROFILES, Profile
from ..dicom.rules import Level
from ..errors import BadArgument
from ..settings import ArchiveSettings, Settings

BUCKETS = "https://{}.s3.amazonaws.com"
MOST_PLACES = 20_000
TRANSFER_SECONDS = 600.0  # to wait for another transfer into the same archive
REMEMBERED_SECONDS = 300.0  # objects hardly ever move or change, but it happens

Parents = tuple[str, str | None]  # StudyInstanceUID, and SeriesInstanceUID of an instance


def open_archive(settings: ArchiveSettings) -> Archive:
    """The archive of its settings. The libraries it needs are imported here, so that a start does not pay for them."""
    if settings.path is not None:
        from ..archives.folder import FolderArchive

        return FolderArchive(settings.name, settings.path)
    from ..archives.dicomweb import DicomwebArchive

    return DicomwebArchive(settings)


class App:
    """Settings and the archives opened under them, and what is known of which object lies in which.

    ``opener`` makes the archive of its settings; tests put fakes here. ``bucket_address`` is where IDC's public buckets
    are, each by its name.
    """

    def __init__(self, settings: Settings, opener: Callable[[ArchiveSettings], Archive] = open_archive) -> None:
        self.settings = settings
        self.places = Places()
        self.memory = Memory(REMEMBERED_SECONDS)
        self.bucket_address = BUCKETS
        self._opener = opener
        self._open: dict[str, Archive] = {}
        self._transfers: dict[str, anyio.Lock] = {}
        self._by_name = {archive.name.casefold(): archive for archive in settings.archives}

    @property
    def names(self) -> list[str]:
        return [archive.name for archive in self.settings.archives]

    def configured(self, name: str | None) -> ArchiveSettings:
        """The settings of an archive by name, the first for None. Raises BadArgument with the names there are."""
        if name is None or not name.strip():
            return self.settings.archives[0]
        found = self._by_name.get(name.strip().casefold())
        if found is None:
            raise BadArgument(f"There is no archive {name[:40]!r}. Configured: {', '.join(self.names)}.")
        return found

    def archive(self, name: str | None) -> Archive:
        """The archive by name, opened when first asked for."""
        settings = self.configured(name)
        if settings.name not in self._open:
            self._open[settings.name] = self._opener(settings)
        return self._open[settings.name]

    def remembering(self, name: str | None) -> Archive:
        """The archive by name, for pictures: a web archive is not asked again for what was read a short while ago. A
        folder is, because that costs no request, and its files are edited."""
        archive = self.archive(name)
        if not self.remembers(name):
            return archive
        from ..archives.remembering import RememberingArchive

        return RememberingArchive(archive, self.memory)

    def remembers(self, name: str | None) -> bool:
        """Whether what was read of an archive for pictures is remembered."""
        return self.configured(name).path is None

    def profile(self, name: str | None) -> Profile:
        """The row of the archive's kind, without opening it."""
        settings = self.configured(name)
        opened = self._open.get(settings.name)
        return opened.profile if opened else PROFILES[settings.resolved_kind]

    @asynccontextmanager
    async def transfer_into(self, name: str | None) -> AsyncIterator[Archive]:
        """The archive, for one transfer at a time: what another one stores or deletes meanwhile would go past its
        checks. Raises Busy when the one before does not end."""
        archive = self.archive(name)
        lock = self._transfers.setdefault(archive.name, anyio.Lock())
        try:
            with anyio.fail_after(TRANSFER_SECONDS):
                await lock.acquire()
        except TimeoutError:
            raise Busy(archive.name, "is still being changed by another call. Try again when it is done.") from None
        try:
            yield archive
        finally:
            self.memory.forget(archive.name)
            self.places.forget(archive.name)
            lock.release()

    async def close(self) -> None:
        """Close every archive that was opened."""
        while self._open:
            _, archive = self._open.popitem()
            await archive.close()


class Places:
    """Which study and series a UID was found in, by archive: a cache that cannot change an answer, bounded."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, Level, str], tuple[float, Parents]] = OrderedDict()

    def remember(self, archive: str, level: Level, uid: str, parents: Parents) -> None:
        """Keep the parents of a series or instance; the one not used for longest is dropped."""
        self._known[archive, level, uid] = (time.monotonic() + REMEMBERED_SECONDS, parents)
        self._known.move_to_end((archive, level, uid))
        if len(self._known) > MOST_PLACES:
            self._known.popitem(last=False)

    def recall(self, archive: str, level: Level, uid: str) -> Parents | None:
        """The parents of a series or instance, if they were looked up before."""
        until, parents = self._known.get((archive, level, uid), (0.0, None))
        return parents if time.monotonic() < until else None

    def forget(self, archive: str) -> None:
        """Forget all of one archive."""
        for key in [key for key in self._known if key[0] == archive]:
            del self._known[key]


async def probe(app: App, names: Sequence[str]) -> dict[str, Health]:
    """What each archive answers to the cheapest question, asked side by side."""
    found: dict[str, Health] = {}

    async def ask(name: str) -> None:
        found[name] = await app.archive(name).probe()

    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(ask, name)
    return found
