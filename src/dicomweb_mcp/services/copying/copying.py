"""A study, a series or instances of one archive into another: listed, compared, then fetched and sent."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from ...archives.base import Archive, ArchiveError
from ...archives.journal import Journal
from ...archives.part10.outgoing import Elsewhere, Outgoing
from ...dicom.native_size import value_bytes
from ..app import App
from ..idc.objects import Buckets
from ..instance import instance_metadata
from ..items import Item, Outcome, Progress, Report, reject_conflicts
from ..lookup import find_place
from ..parallel import side_by_side
from ..permits import check_permits
from ..presence import GONE, patient_id
from ..retrieve.listed import Instance, instances_at, instances_named
from ..sending import Sender
from ..transfer import MOST_UNCONFIRMED, Agree, Transfer, compare, hold_if_large
from .checks import Wanted, check
from .copier import Copier
from .held import Held
from .sources import Copied, FromArchive, FromBuckets, Source

MOST_UNREADABLE = 5  # instances of a study, one after the other


async def copy(
    app: App,
    from_archive: str | None,
    to_archive: str | None,
    wanted: Wanted,
    *,
    dry_run: bool = False,
    confirm: bool = False,
    agree: Agree | None = None,
    report: Report,
) -> Transfer:
    """Copy what is wanted; with ``dry_run``, or where that takes a ``confirm`` and ``agree`` does not give it, only say
    what would be done.

    Raises NotPermitted, BadArgument before anything is asked, ArchiveError before anything is sent.
    """
    check_permits(app, to_archive, "store")
    check(app, from_archive, to_archive, wanted)
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
        copied = [item for item in items if isinstance(item, Copied)]
        going = [item for item in copied if item.outcome is None]
        if not confirm:
            transfer.notes += await _measured(source, going)
            transfer.size = sum(item.pixels for item in going)
        if not (dry_run or confirm):
            await hold_if_large(transfer, agree)
        if not transfer.dry_run:
            transfer.notes += await journal.forget(item.file.instance_uid for item in going)
            sender = Sender(archive, None, can_confirm=can_confirm)
            async with _opened(app, source, wanted) as files, Held() as held:
                await Copier(files, sender, held, progress, len(items) - len(going)).copy(copied)
    return transfer


@asynccontextmanager
async def _opened(app: App, source: Archive, wanted: Wanted) -> AsyncIterator[Source]:
    if app.configured(source.name).is_read_only:
        async with Buckets(app, source) as buckets:
            yield FromBuckets(buckets)
    else:
        yield FromArchive(source, whole_series=not wanted.instance_uids)


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
    """An item for each instance: fit, or decided where the source does not know it or tells nothing of its study."""
    patients = await _patients(source, [one for one in instances if one.outcome is None])
    items: list[Item] = []
    for one in instances:
        if one.outcome is not None:
            items.append(Item(one.shown, Outcome.REJECTED, one.reason))
            continue
        study_uid, series_uid, instance_uid = one.key
        patient = patients[study_uid]
        if isinstance(patient, ArchiveError):
            items.append(Item(one.shown, Outcome.NOT_SENT, f"the patient of its study cannot be read: {patient}"))
            continue
        file = Outgoing(
            Elsewhere(),
            0,
            instance_uid=instance_uid,
            study_uid=study_uid,
            series_uid=series_uid,
            patient_id=patient,
            is_named_otherwise=False,
        )
        items.append(Copied(one.shown, file=file, source=source, place=one.place, pixels=one.pixels))
    return items


async def _patients(source: Archive, instances: Sequence[Instance]) -> dict[str, str | ArchiveError]:
    """The PatientID of each study, or why it is not known. Raises ArchiveError when none is."""
    found: dict[str, str | ArchiveError] = {}
    for study_uid in dict.fromkeys(one.place.study_uid for one in instances):
        found[study_uid] = await _patient(source, [one for one in instances if one.place.study_uid == study_uid])
    problems = [one for one in found.values() if isinstance(one, ArchiveError)]
    if problems and len(problems) == len(found):
        raise problems[0]
    return found


async def _patient(source: Archive, instances: Sequence[Instance]) -> str | ArchiveError:
    """In the metadata of the first instance that can be read. Raises ArchiveError where the archive itself is gone."""
    problems: list[ArchiveError] = []
    for one in instances[:MOST_UNREADABLE]:
        try:
            return patient_id(await instance_metadata(source, one.place))
        except GONE:
            raise
        except ArchiveError as problem:
            problems.append(problem)
    return problems[0]


async def _measured(source: Archive, going: Sequence[Copied]) -> list[str]:
    """Look up the pixels of which no search told in the metadata, where so few are going that their size decides
    whether it takes a confirmation; what is to be said of those that cannot be read."""
    unknown: list[str] = []

    async def look_up(item: Copied) -> None:
        try:
            item.pixels = value_bytes(await item.metadata())
        except ArchiveError:
            unknown.append(item.shown)

    if len(going) <= MOST_UNCONFIRMED:
        await side_by_side(look_up, [item for item in going if not item.pixels], source.profile.parallel)
    if not unknown:
        return []
    return [
        f"Of {len(unknown):,} of the instances no size could be read before (first: {unknown[0]}), so none was counted."
    ]
