"""Whole series of the Imaging Data Commons from its public buckets into a folder."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from anyio import to_thread

from ...archives.base import ArchiveError
from ..idc.objects import AT_ONCE, Stored
from .arrived import Identity, Unusable, identified, identify
from .asking import Asker
from .folder import Key
from .items import Item, Outcome, undecided
from .part import Part
from .receiving import Receiver, Skipped


@dataclass(kw_only=True)
class Object(Item):
    """One object of a bucket, shown by its key until it is known which instance it is."""

    stored: Stored

    def explain(self, reason: str) -> None:
        """Why it did not arrive."""
        self.reason = reason


async def fetch_objects(
    receiver: Receiver, objects: Sequence[Object], instance_uids: Collection[str]
) -> ArchiveError | None:
    """Decide every object after two tries; those of other instances than ``instance_uids``, if there are any, leave the
    retrieval. The first problem, if there was one. Raises OSError."""
    there: dict[Key, Path] = {}
    for study in {one.stored.series.study_uid for one in objects}:
        there |= await to_thread.run_sync(receiver.folder.there, study)
    fetcher = _Fetcher(receiver, there, frozenset(instance_uids))
    asker = Asker(AT_ONCE, fetcher.fetch, Object.explain)
    for _ in range(2):
        await asker.ask([one for one in objects if one.outcome is None])
        receiver.retrieval.items = [item for item in receiver.retrieval.items if item.shown not in fetcher.unwanted]
        objects = [one for one in objects if one.shown not in fetcher.unwanted]
    for item in undecided(objects):
        item.decide(Outcome.FAILED, item.reason)
    if all(one.outcome is not Outcome.FAILED for one in objects):
        missing = set(instance_uids) - {one.shown for one in objects}
        why = "no object of the series in its bucket is this instance"
        receiver.retrieval.items += [Item(uid, Outcome.FAILED, why) for uid in sorted(missing)]
    await receiver.progress.tell()
    return asker.first_problem


class _Fetcher:
    def __init__(self, receiver: Receiver, there: dict[Key, Path], instance_uids: frozenset[str]) -> None:
        self._receiver, self._there, self._wanted = receiver, there, instance_uids
        self.unwanted: set[str] = set()

    async def fetch(self, one: Object) -> None:
        """Decide an object, or say in its ``reason`` why it is not kept. Raises ArchiveError, OSError."""

        def is_skipped(identity: Identity) -> bool:
            return self._is_skipped(one, identity)

        try:
            async with one.stored.opened() as chunks:
                part = await self._receiver.arrived(chunks, is_skipped if self._there or self._wanted else None)
            await self._receiver.settled(part, partial(self._settle, one))
        except Skipped:
            pass

    def _is_skipped(self, one: Object, identity: Identity) -> bool:
        if self._wanted and identity.instance_uid not in self._wanted:
            self.unwanted.add(one.shown)
            return True
        path = self._there.get((identity.study_uid, identity.series_uid, identity.instance_uid))
        if path is None or not self._is_it(path, one, identity):
            return False
        one.shown = identity.instance_uid
        one.decide(Outcome.ALREADY_THERE)
        return True

    def _is_it(self, path: Path, one: Object, identity: Identity) -> bool:
        """Whether a file is the object, as far as its size and its header tell."""
        try:
            found = identify(path)
            return path.stat().st_size == one.stored.object.size and found.instance_uid == identity.instance_uid
        except (Unusable, OSError):
            return False

    def _settle(self, one: Object, part: Part) -> None:
        try:
            identity = identified(part.written())
        except Unusable as reason:
            one.reason = f"what arrived for it is not kept: {reason}"
            return
        if (identity.study_uid, identity.series_uid) != (one.stored.series.study_uid, one.stored.series.series_uid):
            one.reason = f"it is an instance of another series ({identity.series_uid}), so it is not kept"
        elif self._wanted and identity.instance_uid not in self._wanted:
            self.unwanted.add(one.shown)
        else:
            one.shown = identity.instance_uid
            self._receiver.settle(part, identity, one)
