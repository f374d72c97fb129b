"""Good manners with an archive that everybody shares: what one day and one call of a tool take of it.

The limits are this program's own, and far below the archive's, which are another matter (429). What has no call around
it, such as the probe of the command line, knows the day's limit alone.
"""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime

import anyio

from ..dicom.uids import is_uid
from ..settings import ArchiveSettings
from .base import Archive, Place, TooMuch
from .profiles import Profile
from .traffic import traffic

MOST_OF_A_CALL = 200_000_000  # bytes
LESS = "Ask for less: fewer images, a smaller part, or metadata alone."


@dataclass
class Call:
    """What one call took of shared archives, and what answers have announced to it that have not arrived yet."""

    most: float = math.inf
    taken: int = 0
    announced: int = 0

    @property
    def left(self) -> float:
        return self.most - self.taken - self.announced


_CALL: ContextVar[Call] = ContextVar("_CALL")


@contextmanager
def one_call() -> Iterator[None]:
    """What is asked for inside is one call, also by the tasks that are started there."""
    token = _CALL.set(Call(MOST_OF_A_CALL))
    try:
        yield
    finally:
        _CALL.reset(token)


class Manners:
    """What keeps one archive's requests within the limits, and counts what they bring."""

    def __init__(self, settings: ArchiveSettings, profile: Profile, most: int) -> None:
        self._archive, self._profile, self._most = settings.name, profile, most
        self._traffic = traffic(profile.kind)

    async def admit(self, url: str) -> None:
        """Raises TooMuch when the day's bytes have been taken.

        How far a day can go beyond its limit: by the answers that are arriving in this process, as many as the profile
        allows side by side and each within what its call may take; and by what other processes took since they were
        last looked at, up to ``traffic.OLDEST_READING`` seconds ago, or have not saved. Processes that cannot keep
        their count in a file have a day's limit each.
        """
        if self._traffic.is_outdated:
            await anyio.to_thread.run_sync(self._traffic.today)
        if (taken := self._traffic.known) >= self._most:
            raise TooMuch(
                self._archive,
                f"is asked for nothing more today: {_mb(taken)} were taken since 00:00 UTC, and {_mb(self._most)} a "
                "day are the limit that this program sets itself, as a courtesy to a resource that many share; it is "
                f"not the archive's quota. It ends at 00:00 UTC, {_until_midnight()} from now; daily_mb in the "
                f"archive's table of the configuration file raises it. {_elsewhere(self._profile, url)}",
            )

    @contextmanager
    def body(self, url: str, announced: int = 0) -> Iterator[Callable[[int], None]]:
        """For the body of one answer: gives what counts each piece of it as it arrives.

        Raises TooMuch before the first one where the ``announced`` length is more than is left of the call; what was
        announced is kept free for it, so that answers side by side do not stop each other half way. The counting raises
        TooMuch when the call has taken all that it may.
        """
        call, expected = _call(), announced
        if announced > call.left:
            raise _too_much(self._archive, self._profile, f"a further {_mb(announced)} were announced", url)
        call.announced += expected

        def count(size: int) -> None:
            nonlocal expected
            self._traffic.add(size)
            came = min(size, expected)
            expected -= came
            call.announced -= came
            call.taken += size
            if call.left < 0:
                raise _too_much(self._archive, self._profile, "the rest of an answer was not read", url)

        try:
            yield count
        finally:
            call.announced -= expected

    async def save(self, *, at_once: bool = False) -> None:
        """Save what was counted: now and then, so that small answers cost no write each."""
        if at_once or self._traffic.is_due:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._traffic.save)


def refuse_costly(archive: Archive, size: int, place: Place) -> None:
    """Refuse what would take so many bytes, before the first is fetched. For sizes that are known or to be expected;
    those that are an upper bound stop nothing: what arrives is counted. Raises TooMuch."""
    if archive.profile.counts_bytes and size > _call().left:
        raise _too_much(archive.name, archive.profile, f"a further {_mb(size)} would be needed", place.path)


def _call() -> Call:
    return _CALL.get(None) or Call()


def _too_much(archive: str, profile: Profile, what: str, url: str) -> TooMuch:
    taken = _call().taken
    return TooMuch(
        archive,
        f"this call would take more than {_mb(MOST_OF_A_CALL)}, the most that this program takes in one call of a "
        f"resource that many share: {_mb(taken) if taken else 'nothing'} so far, and {what}. {LESS} "
        f"{_elsewhere(profile, url)}",
    )


def _elsewhere(profile: Profile, url: str) -> str:
    """Where the whole of what was asked for comes from: the series or study in the request's path, if it names one."""
    named = re.search(r"/studies/([^/?]+)(?:/series/([^/?]+))?", url)
    uid = (named[2] or named[1]) if named else ""
    return profile.elsewhere.format(uid if is_uid(uid) else "SERIES_UID")


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 1_000_000 else f"{size:,} bytes"


def _until_midnight() -> str:
    now = datetime.now(UTC)
    minutes = 24 * 60 - now.hour * 60 - now.minute
    return f"{minutes / 60:.0f} h" if minutes >= 90 else f"{minutes} min"
