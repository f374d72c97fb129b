"""What was read from web archives a short while ago: bounded in bytes and in time.

Only for one event loop: nothing here waits, so calls that overlap never meet it half changed.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

MOST_BYTES = 128 << 20
LARGEST = 4  # a thing that takes more than one part in so many is not kept: it would push out too much
EACH = 2_048  # bytes that Python needs for a thing besides its data: the key with its UIDs, the entry

Key = tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    thing: Any
    size: int
    until: float


class Memory:
    """Things by their keys. When it is full, those not used for longest go first; every one goes after ``seconds``."""

    def __init__(self, seconds: float, most: int = MOST_BYTES, clock: Callable[[], float] = time.monotonic) -> None:
        self.largest = most // LARGEST - EACH
        self.size = 0
        self._seconds, self._most, self._clock = seconds, most, clock
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._generation: dict[str, int] = {}

    def key(self, archive: str, *what: Hashable) -> Key:
        """The key of what is about to be asked for: made before, so that an answer that an archive gave before
        ``forget`` is not found after it."""
        return archive, self._generation.get(archive, 0), *what

    def keep(self, key: Key, thing: Any, size: int) -> None:
        """Keep what must not change any more and holds ``size`` bytes, if it is not too large."""
        self._drop(key)
        if size > self.largest:
            return
        kept = self._kept[key] = _Kept(thing, size + EACH, self._clock() + self._seconds)
        self.size += kept.size
        while self.size > self._most:
            self._drop(next(iter(self._kept)))

    def recall(self, key: Key) -> Any:
        """What was kept under this key, or None."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.until <= self._clock():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept.thing

    def forget(self, archive: str, what: Hashable = None) -> None:
        """Forget all whose key has ``what`` in it; without it all of the archive, and what that is being asked for just
        now."""
        if what is None:
            self._generation[archive] = self._generation.get(archive, 0) + 1
        for key in [key for key in self._kept if key[0] == archive and (what is None or what in key)]:
            self._drop(key)

    def _drop(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        self.size -= kept.size if kept else 0
