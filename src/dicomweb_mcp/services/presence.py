"""What an archive has of the files of a transfer: looked up before anything is sent, and again afterwards."""

from collections.abc import Iterable, Sequence

from anyio import to_thread

from ..archives.base import Archive, ArchiveError, NotFound, NotUnderstood, Place, Refused
from ..archives.part10.dataset import Changed, Damaged
from ..archives.part10.outgoing import Outgoing
from ..dicom.compare import differences
from ..dicom.query import Query, make_plan
from ..dicom.rules import Level, Match
from ..dicom.values import DicomJson, element, text
from .metadata import instance_metadata
from .outgoing import Item, Outcome, grouped, undecided
from .parallel import side_by_side

UIDS_PER_REQUEST = 40
NAMES_SHOWN = 6
NO_SEARCH = (Refused, NotFound, NotUnderstood)  # what an archive answers that does not search by such UIDs
FIELDS = {Level.STUDY: ["PatientID"], Level.SERIES: ["Modality"], Level.INSTANCE: ["SOPClassUID"]}


async def rows_by_uid(
    archive: Archive, level: Level, uids: Iterable[str], *, study_uid: str | None = None, series_uid: str | None = None
) -> dict[str, list[DicomJson]]:
    """The search results of objects by their UIDs, in the whole archive or below a study or series; several where an
    archive has one UID several times.

    Raises ArchiveError; NotUnderstood when the archive does not search by this UID.
    """
    rules = (await archive.settle()).rules
    as_list = archive.profile.trusted and Match.LIST in rules.searchable[level].get(level.uid, ())
    found: dict[str, list[DicomJson]] = {}

    async def look_up(some: Sequence[str]) -> None:
        value = list(some) if len(some) > 1 else some[0]
        query = Query(
            level, study_uid=study_uid, series_uid=series_uid, filters={level.uid: value}, fields=FIELDS[level]
        )
        page = await archive.search(make_plan(query, rules), limit=2 * len(some), offset=0)
        if any(text(row, level.uid) not in some for row in page.rows):
            raise NotUnderstood(archive.name, f"does not search by {level.uid}, so it cannot be told what it has.")
        for row in page.rows:
            found.setdefault(text(row, level.uid), []).append(row)

    wanted = sorted(set(uids))
    step = UIDS_PER_REQUEST if as_list else 1
    chunks = [wanted[start : start + step] for start in range(0, len(wanted), step)]
    await side_by_side(look_up, chunks, archive.profile.parallel)
    return found


async def instances_there(archive: Archive, items: Sequence[Item]) -> set[str]:
    """The SOP Instance UIDs of those items that the archive has in their own series. Raises ArchiveError."""
    found: set[str] = set()
    for series_uid, members in grouped(items, lambda file: file.series_uid).items():
        uids = [item.outgoing.instance_uid for item in members]
        study_uid = members[0].outgoing.study_uid
        found |= set(await rows_by_uid(archive, Level.INSTANCE, uids, study_uid=study_uid, series_uid=series_uid))
    return found


async def compare_with(archive: Archive, items: Sequence[Item]) -> list[str]:
    """Decide the items that the archive has or that conflict with what it has; notes about what could not be told.

    Raises ArchiveError, one of NO_SEARCH when the archive does not even search by StudyInstanceUID.
    """
    studies, notes = await _compare_studies(archive, items)
    known = [item for item in undecided(items) if item.outgoing.study_uid in studies]
    there = await instances_there(archive, known)
    known_there = [item for item in known if item.outgoing.instance_uid in there]
    await side_by_side(lambda item: _compare_content(archive, item), known_there, archive.profile.parallel)
    try:
        await _reject_series_elsewhere(archive, undecided(items), studies)
        await _reject_instances_elsewhere(archive, undecided(items))
    except NO_SEARCH:
        notes.append("Whether the archive has some of these UIDs in another study could not be looked up.")
    return notes


async def _compare_studies(archive: Archive, items: Sequence[Item]) -> tuple[set[str], list[str]]:
    """The studies that the archive has. Another PatientID in a study makes some archives split or lose it: Orthanc
    identifies objects by PatientID and UIDs together."""
    by_study = grouped(undecided(items), lambda file: file.study_uid)
    found = await rows_by_uid(archive, Level.STUDY, by_study)
    untold = 0
    for uid, rows in found.items():
        told = {text(row, "PatientID") for row in rows if element(row, "PatientID") is not None}
        ours = {item.outgoing.patient_id for item in by_study[uid]}
        untold += not told and ours != {""}
        for item in by_study[uid]:
            if told - {item.outgoing.patient_id}:
                item.decide(
                    Outcome.REJECTED, "the archive has its study under another PatientID; both would be damaged by it"
                )
    notes = [f"The archive does not tell the PatientID of {untold} of the studies, so it was not compared."]
    return set(found), notes if untold else []


async def _reject_series_elsewhere(archive: Archive, items: Sequence[Item], studies: set[str]) -> None:
    by_series = grouped(items, lambda file: file.series_uid)
    own: set[str] = set()
    for study_uid, members in grouped(items, lambda file: file.study_uid).items():
        if study_uid in studies:
            uids = {item.outgoing.series_uid for item in members}
            own |= set(await rows_by_uid(archive, Level.SERIES, uids, study_uid=study_uid))
    for uid in await rows_by_uid(archive, Level.SERIES, set(by_series) - own):
        for item in by_series[uid]:
            item.decide(Outcome.REJECTED, "the archive has its SeriesInstanceUID in another study")


async def _reject_instances_elsewhere(archive: Archive, items: Sequence[Item]) -> None:
    by_uid = grouped(items, lambda file: file.instance_uid)
    for uid in await rows_by_uid(archive, Level.INSTANCE, by_uid):
        for item in by_uid[uid]:
            item.decide(Outcome.REJECTED, "the archive has its SOPInstanceUID in another study or series")


async def _compare_content(archive: Archive, item: Item) -> None:
    file = item.outgoing
    try:
        theirs = await instance_metadata(archive, Place(file.study_uid, file.series_uid, file.instance_uid))
        names = differences(await _metadata(file), theirs)
    except Changed:
        item.decide(Outcome.REJECTED, "it changed after it was checked")
    except Damaged as reason:
        item.decide(Outcome.REJECTED, f"damaged: {reason}")
    except ArchiveError as problem:
        item.decide(Outcome.UNKNOWN, f"it is there, but could not be compared. {problem}")
    else:
        if names:
            more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
            differing = f"{', '.join(names[:NAMES_SHOWN])}{more}"
            item.decide(
                Outcome.DIFFERENT, f"the archive has this SOPInstanceUID, and what it tells of it differs: {differing}"
            )
        else:
            item.decide(Outcome.ALREADY_THERE)


async def _metadata(file: Outgoing) -> DicomJson:
    return await to_thread.run_sync(file.metadata, abandon_on_cancel=True)
