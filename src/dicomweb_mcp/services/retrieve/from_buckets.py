"""Whole series of the Imaging Data Commons from its public buckets, where the offline index says that they lie."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from anyio import to_thread

from ...archives.base import Archive, ArchiveError, NotOffered, Place
from ...idc.downloads import fit_for_commands
from ...idc.index import Session
from ...idc.wheel import HOW_TO_INSTALL, is_installed, release
from ..app import App
from ..idc.asking import ask
from ..lookup import nothing_at
from ..parallel import side_by_side
from .arrived import Identity, Unusable, identify
from .folder import Key
from .items import Item, Outcome, undecided
from .receiving import Receiver, Skipped

if TYPE_CHECKING:
    from ...archives.buckets import Bucket, BucketObject

AT_ONCE = 4
_PLACES = "SELECT SeriesInstanceUID AS series, aws_bucket AS bucket, crdc_series_uuid AS uuid FROM index WHERE {} = ?"


@dataclass(kw_only=True)
class Object(Item):
    """One object of a bucket: an instance of this series, which one is known when it arrives."""

    series: Place
    bucket: "Bucket"
    stored: "BucketObject"


def refuse_without_index(archive: Archive, uid: str) -> None:
    """Raises NotOffered where nothing tells where the files lie."""
    if not is_installed():
        raise NotOffered(
            archive.name,
            "is for looking at single images: whole files come from IDC's public buckets, and without the index it is "
            f"not known where they lie. Run idc download {uid} (of the package idc-index), or {HOW_TO_INSTALL}.",
        )


async def objects_at(
    app: App, archive: Archive, places: Collection[Place], buckets: dict[str, "Bucket"]
) -> list[Object]:
    """The objects of series, or of all series of studies. ``buckets`` are those that were opened. Raises ArchiveError,
    IndexProblem."""
    from ...archives.buckets import Bucket  # with httpx, which a start does not pay for

    found: list[Object] = []
    for place in places:
        for series_uid, bucket_name, uuid in await _series(archive, place):
            if bucket_name not in buckets:
                like = app.configured(archive.name)
                buckets[bucket_name] = Bucket(like, bucket_name, app.bucket_address)
            bucket = buckets[bucket_name]
            series = Place(place.study_uid, series_uid)
            found += [
                Object(stored.key, series=series, bucket=bucket, stored=stored) for stored in await bucket.objects(uuid)
            ]
    return found


async def _series(archive: Archive, place: Place) -> list[tuple[str, str, str]]:
    """UID, bucket and folder of each series at the place."""

    def look(session: Session) -> list[tuple[str, str, str]]:
        sql = _PLACES.format(place.level.uid)
        rows = session.rows(sql, [place.series_uid or place.study_uid])
        return [(row["series"], row["bucket"] or "", row["uuid"] or "") for row in rows]

    rows = await ask(look)
    if not rows:
        raise await nothing_at(archive, place)
    if len(fit_for_commands([(bucket, uuid) for _, bucket, uuid in rows])) < len(rows):
        raise NotOffered(
            archive.name,
            f"the index of IDC {release()} does not say in which bucket {place} lies: idc download may know.",
        )
    return rows


async def fetch_objects(
    archive: Archive, receiver: Receiver, objects: Sequence[Object], instance_uids: Collection[str]
) -> ArchiveError | None:
    """Decide every object after two tries; those of other instances than ``instance_uids``, if there are any, leave the
    retrieval. The first problem, if there was one. Raises OSError."""
    there: dict[Key, Path] = {}
    for study in {one.series.study_uid for one in objects}:
        there |= await to_thread.run_sync(receiver.folder.there, study)
    fetcher = _Fetcher(receiver, there, frozenset(instance_uids))
    for _ in range(2):
        await side_by_side(fetcher.fetch, [one for one in objects if one.outcome is None], AT_ONCE)
        receiver.retrieval.items = [item for item in receiver.retrieval.items if item.shown not in fetcher.unwanted]
        objects = [one for one in objects if one.shown not in fetcher.unwanted]
    for item in undecided(objects):
        item.decide(Outcome.FAILED, item.reason)
    if all(one.outcome is not Outcome.FAILED for one in objects):
        missing = set(instance_uids) - {one.shown for one in objects}
        why = "no object of the series in its bucket is this instance"
        receiver.retrieval.items += [Item(uid, Outcome.FAILED, why) for uid in sorted(missing)]
    await receiver.progress.tell()
    return fetcher.first_problem


class _Fetcher:
    def __init__(self, receiver: Receiver, there: dict[Key, Path], instance_uids: frozenset[str]) -> None:
        self._receiver, self._there, self._wanted = receiver, there, instance_uids
        self.unwanted: set[str] = set()
        self.first_problem: ArchiveError | None = None

    async def fetch(self, one: Object) -> None:
        """Decide an object, or say in its ``reason`` why it did not arrive."""

        def is_skipped(identity: Identity) -> bool:
            return self._is_skipped(one, identity)

        try:
            async with one.bucket.opened(one.stored) as chunks:
                part = await self._receiver.arrived(chunks, is_skipped if self._there or self._wanted else None)
            await self._receiver.settled(part, partial(self._settle, one))
        except Skipped:
            pass
        except ArchiveError as problem:
            self.first_problem = self.first_problem or problem
            one.reason = str(problem)

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
            return path.stat().st_size == one.stored.size and found.instance_uid == identity.instance_uid
        except (Unusable, OSError):
            return False

    def _settle(self, one: Object, part: Path) -> None:
        size = part.stat().st_size
        if size != one.stored.size:
            one.reason = f"{size:,} of its {one.stored.size:,} bytes arrived"
            return
        try:
            identity = identify(part)
        except Unusable as reason:
            one.reason = f"what arrived for it is not kept: {reason}"
            return
        if (identity.study_uid, identity.series_uid) != (one.series.study_uid, one.series.series_uid):
            one.reason = f"it is an instance of another series ({identity.series_uid}), so it is not kept"
        elif self._wanted and identity.instance_uid not in self._wanted:
            self.unwanted.add(one.shown)
        else:
            one.shown = identity.instance_uid
            self._receiver.settle(part, identity, one)
