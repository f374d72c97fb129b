"""Copying from one archive into another: compared first, then fetched and sent batch by batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..archives.base import AccessDenied, Archive, ArchiveError, Busy, NotOffered, Place, Refused, Unreachable
from ..archives.journal import Journal
from ..archives.part10.outgoing import Elsewhere, Outgoing
from ..archives.part10.whole import Unfit
from ..dicom.uids import checked_uid
from ..dicom.values import DicomJson
from ..errors import BadArgument
from ..paths import is_inside
from ..settings import BadSettings
from .app import App
from .fetched import Fetched
from .instance import instance_metadata
from .items import Fit, Item, Outcome, Progress, Report, reject_conflicts, undecided
from .lookup import find_place
from .parallel import side_by_side
from .permits import check_permits
from .presence import patient_id
from .retrieve.listed import Instance, instances_at, instances_named
from .sending import BATCH_FILES, Sender
from .transfer import Transfer, compare, is_large

BATCHES_AT_ONCE = 2  # each holds its files in memory
MOST_GONE = 3  # failures of the source, one after the other, after which nothing more is fetched
GONE = (AccessDenied, Busy, NotOffered, Unreachable)


@dataclass(kw_only=True)
class Copied(Fit):
    """An instance of the source; ``file`` has no content before it was fetched, nor after it was sent."""

    source: Archive
    place: Place

    async def metadata(self) -> DicomJson:
        """As the source tells them. Raises ArchiveError."""
        return await instance_metadata(self.source, self.place)


@dataclass(frozen=True)
class Wanted:
    """A study, a series, or instances."""

    study_uid: str | None = None
    series_uid: str | None = None
    instance_uids: Sequence[str] = ()


async def copy(
    app: App,
    from_archive: str | None,
    to_archive: str | None,
    wanted: Wanted,
    *,
    dry_run: bool = False,
    confirm: bool = False,
    report: Report,
) -> Transfer:
    """Copy what is wanted; with ``dry_run``, or without ``confirm`` where that takes one, only say what would be done.

    Raises NotPermitted, BadArgument before anything is asked, ArchiveError before anything is sent.
    """
    check_permits(app, to_archive, "store")
    _check(app, from_archive, to_archive, wanted)
    source = app.archive(from_archive)
    instances, notes = await _listed(app, source, wanted)
    items = await _items(source, instances)
    await reject_conflicts(items)
    progress = Progress(report, len(items))
    await progress.tell(0, len(items), "listed")
    transfer = Transfer(items, notes, dry_run)
    async with app.transfer_into(to_archive) as archive:
        journal = Journal(archive.address)
        can_confirm = await compare(archive, transfer, journal, progress)
        going = [item for item in undecided(items) if isinstance(item, Copied)]
        pixels = {one.place: one.pixels for one in instances}
        if not (dry_run or confirm) and is_large(len(going), sum(pixels[item.place] for item in going)):
            transfer.dry_run = transfer.wants_confirmation = True
        if not transfer.dry_run:
            sender = Sender(archive, None, can_confirm=can_confirm)
            await _Copier(source, sender, progress, len(items) - len(going)).copy(going)
    return transfer


def _check(app: App, from_archive: str | None, to_archive: str | None, wanted: Wanted) -> None:
    source, target = app.configured(from_archive), app.configured(to_archive)
    for uid in wanted.instance_uids:
        checked_uid(uid, "instance_uids")
    if not (wanted.study_uid or wanted.series_uid or wanted.instance_uids):
        raise BadArgument("Give study_uid, series_uid or instance_uids, copied from a search answer.")
    if source.name == target.name or (source.url is not None and source.url == target.url):
        raise BadArgument(
            f"from_archive and to_archive are the same archive, {source.name}: name two. Nothing was sent."
        )
    if source.path is not None and target.path is not None:
        one, other = str(source.path.resolve()), str(target.path.resolve())
        if is_inside(one, other) or is_inside(other, one):
            raise BadArgument(
                f"The folders of {source.name} and {target.name} lie in each other, so copies would be in one of them "
                "twice. Nothing was sent."
            )
    if source.is_read_only:
        raise Refused(
            source.name,
            "gives whole files from its public buckets only: fetch them with retrieve_instances, then store them with "
            "store_instances. Nothing was sent.",
        )


async def _listed(app: App, source: Archive, wanted: Wanted) -> tuple[list[Instance], list[str]]:
    """Every instance once."""
    notes: list[str] = []
    if wanted.instance_uids:
        found = await instances_named(app, source, wanted.study_uid, wanted.series_uid, wanted.instance_uids)
    else:
        found, notes = await instances_at(
            source, await find_place(app, source, wanted.study_uid, wanted.series_uid, None)
        )
    return list({one.key: one for one in found}.values()), notes


async def _items(source: Archive, instances: Sequence[Instance]) -> list[Item]:
    """An item for each instance: fit, or rejected where the source does not know it."""
    patients: dict[str, str] = {}
    items: list[Item] = []
    for one in instances:
        if one.outcome is not None:
            items.append(Item(one.shown, Outcome.REJECTED, one.reason))
            continue
        study_uid, series_uid, instance_uid = one.key
        if study_uid not in patients:
            patients[study_uid] = patient_id(await instance_metadata(source, one.place))
        file = Outgoing(
            Elsewhere(),
            0,
            instance_uid=instance_uid,
            study_uid=study_uid,
            series_uid=series_uid,
            patient_id=patients[study_uid],
            is_named_otherwise=False,
        )
        items.append(Copied(one.shown, file=file, source=source, place=one.place))
    return items


class _Copier:
    """Fetches and sends; an instance that the source does not give is decided, and the others go on."""

    def __init__(self, source: Archive, sender: Sender, progress: Progress, done: int) -> None:
        self._source, self._sender, self._progress, self._done = source, sender, progress, done
        self._bytes = 0
        self._gone = 0
        self._problem: ArchiveError | None = None  # of the source, when it last failed

    async def copy(self, items: Sequence[Copied]) -> None:
        """Decide every item. Raises AccessDenied or NotOffered when nothing was taken in."""
        waiting = (items[start : start + BATCH_FILES] for start in range(0, len(items), BATCH_FILES))
        for first in waiting:  # alone: an archive that takes nothing is asked no more than once
            await self._copy(first)
            break
        await side_by_side(self._copy, waiting, BATCHES_AT_ONCE)
        self._sender.raise_if_turned_away(items)

    async def _copy(self, items: Sequence[Copied]) -> None:
        waiting = iter(items)
        while batch := await self._copy_batch(waiting):
            self._done += len(batch)
            self._bytes += sum(item.file.size for item in batch if item.outcome is Outcome.STORED)
            await self._progress.tell(2, self._done, f"done, {self._bytes / 1e6:,.1f} MB")

    async def _copy_batch(self, waiting: Iterator[Copied]) -> Sequence[Copied]:
        batch = []
        fetched = Fetched()
        try:
            for item in waiting:
                batch.append(item)
                if self._sender.ended is None:
                    await self._fetch(item, fetched)
                if fetched.is_full:
                    break
            if going := undecided(batch):
                await self._sender.send_batch(going)
        finally:
            for item in batch:
                item.file = replace(item.file, content=Elsewhere())
            await fetched.close()
        return batch

    async def _fetch(self, item: Copied, fetched: Fetched) -> None:
        if self._gone >= MOST_GONE:
            item.decide(Outcome.NOT_SENT, f"not fetched, because its archive fails. {self._problem}")
            return
        try:
            file = await fetched.fetch(self._source, item.place)
        except ArchiveError as problem:
            self._problem = problem
            self._gone = self._gone + 1 if isinstance(problem, GONE) else 0
            item.decide(Outcome.NOT_SENT, f"could not be fetched. {problem}")
        except Unfit as reason:
            item.decide(Outcome.REJECTED, f"what its archive sent is not fit to be stored: {reason}")
        except (BadSettings, OSError) as error:
            why = getattr(error, "strerror", None) or error
            item.decide(Outcome.NOT_SENT, f"too large for the memory, and the state folder cannot hold it: {why}")
        else:
            self._gone = 0
            if file.patient_id != item.file.patient_id:
                item.decide(Outcome.REJECTED, "its file is under another PatientID than its study")
            else:
                item.file = file
