"""What an archive has of the files of a transfer: looked up before anything is sent, and again afterwards."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..archives.base import (
    AccessDenied,
    Archive,
    ArchiveError,
    Busy,
    NotFound,
    NotOffered,
    NotUnderstood,
    Place,
    Unreachable,
)
from ..archives.journal import Journal
from ..archives.part10.dataset import Damaged
from ..dicom.compare import differences, taken_out
from ..dicom.query import Query, make_plan
from ..dicom.rules import Level, Match
from ..dicom.uids import is_uid
from ..dicom.values import DicomJson, element, raw_values, text
from ..paths import Changed
from .instance import instance_metadata
from .items import Fit, Item, Outcome, Progress, grouped, undecided
from .parallel import side_by_side

UIDS_PER_REQUEST = 40
NAMES_SHOWN = 6
NO_SEARCH = (NotFound, NotOffered)  # what a server answers that is there for storing only
GONE = (AccessDenied, Busy, Unreachable)  # problems of the archive as a whole, not of one request
FIELDS = {Level.STUDY: ["PatientID"], Level.SERIES: ["Modality"], Level.INSTANCE: ["SOPClassUID"]}

Rows = dict[str, list[DicomJson]]  # by UID; several where an archive has one UID several times


@dataclass(frozen=True)
class Below:
    """Where to look: the whole archive, a study, or a series."""

    study_uid: str | None = None
    series_uid: str | None = None


EVERYWHERE = Below()


async def rows_by_uid(archive: Archive, level: Level, wanted: Mapping[Below, Iterable[str]]) -> Rows:
    """The search results of objects by their UIDs, each looked for in its place.

    Raises ArchiveError: Busy when the archive cannot tell yet, NotUnderstood when it does not search by this UID.
    """
    rules = (await archive.settle()).rules
    as_list = archive.profile.trusted and Match.LIST in rules.searchable[level].get(level.uid, ())
    step = UIDS_PER_REQUEST if as_list else 1
    found: Rows = {}

    async def look_up(question: tuple[Below, Sequence[str]]) -> None:
        """Those that a server left out are asked for again until it gives none of them: it may cut its lists."""
        below, uids = question
        while uids:
            before = len(found)
            await ask(below, uids)
            uids = [uid for uid in uids if uid not in found] if len(found) > before else []

    async def ask(below: Below, uids: Sequence[str]) -> None:
        query = Query(
            level,
            study_uid=below.study_uid,
            series_uid=below.series_uid,
            filters={level.uid: list(uids) if len(uids) > 1 else uids[0]},
            fields=FIELDS[level],
        )
        page = await archive.search(make_plan(query, rules), limit=2 * len(uids), offset=0)
        if page.incomplete:
            raise Busy(archive.name, f"{page.incomplete}, so it cannot tell what it has. Try again in a minute.")
        if any(text(row, level.uid) not in uids for row in page.rows):
            raise NotUnderstood(archive.name, f"does not search by {level.uid}, so it cannot be told what it has.")
        for row in page.rows:
            found.setdefault(text(row, level.uid), []).append(row)

    questions = []
    for below, uids in wanted.items():
        listed = sorted(set(uids))
        questions += [(below, listed[start : start + step]) for start in range(0, len(listed), step)]
    await side_by_side(look_up, questions, archive.profile.parallel)
    return found


def patient_id(obj: DicomJson) -> str:
    """The PatientID as it stands in a file, also one of several values."""
    return "\\".join(str(value) for value in raw_values(obj, "PatientID")).strip(" \0")


async def instances_there(archive: Archive, items: Sequence[Fit]) -> set[str]:
    """The SOP Instance UIDs of those items that the archive has in their own series. Raises ArchiveError."""
    wanted: dict[Below, list[str]] = {}
    for item in items:
        below = Below(item.file.study_uid, item.file.series_uid)
        wanted.setdefault(below, []).append(item.file.instance_uid)
    return set(await rows_by_uid(archive, Level.INSTANCE, wanted))


async def compare_with(archive: Archive, items: Sequence[Item], journal: Journal, progress: Progress) -> list[str]:
    """Decide the items that the archive has or that conflict with what it has; notes about what could not be told.
    Of those that the ``journal`` knows it is enough that the archive still has them.

    Raises ArchiveError, one of NO_SEARCH when the archive does not even search by StudyInstanceUID.
    """
    studies, notes = await _compare_studies(archive, undecided(items))
    known = [item for item in undecided(items) if item.file.study_uid in studies]
    uids = await instances_there(archive, known)
    there = [item for item in known if item.file.instance_uid in uids]
    remembered = await journal.known([item.file for item in there])
    for item in there:
        if item.file.instance_uid in remembered:
            item.decide(Outcome.ALREADY_THERE)
    if remembered:
        notes.append(_remembered(len(remembered)))
    unknown = undecided(there)
    compared = len(items) - len(unknown)

    async def compare(item: Fit) -> None:
        nonlocal compared
        await _compare_content(archive, item)
        compared += 1
        await progress.tell(1, compared, "compared")

    await side_by_side(compare, unknown, archive.profile.parallel)
    await journal.add(item.file for item in unknown if item.outcome is Outcome.ALREADY_THERE)
    try:
        await _reject_series_elsewhere(archive, undecided(items), studies)
        await _reject_instances_elsewhere(archive, undecided(items))
    except NO_SEARCH:
        notes.append("Whether the archive has some of these UIDs in another study could not be looked up.")
    return notes


def _remembered(count: int) -> str:
    files, have, their, uids = ("1 file was", "has", "its", "UID") if count == 1 else (
        f"{count:,} files were", "have", "their", "UIDs")  # fmt: skip
    return (
        f"{files} compared by an earlier call and {have} not changed since; the archive still has {their} {uids}, and "
        f"{their} attributes were not compared again."
    )


async def _compare_studies(archive: Archive, items: Sequence[Fit]) -> tuple[set[str], list[str]]:
    """The studies that the archive has. Another PatientID in a study makes some archives split or lose it: Orthanc
    identifies objects by PatientID and UIDs together."""
    by_study = grouped(items, lambda file: file.study_uid)
    found = await rows_by_uid(archive, Level.STUDY, {EVERYWHERE: by_study})
    untold = 0
    for uid, rows in found.items():
        told = {patient_id(row) for row in rows if element(row, "PatientID") is not None}
        ours = by_study[uid][0].file.patient_id  # that of all of them
        if len(rows) == 1 and told != {ours}:
            told = await _patient_in_metadata(archive, uid)
        untold += not told and ours != ""
        if told - {ours}:
            for item in by_study[uid]:
                item.decide(
                    Outcome.REJECTED, "the archive has its study under another PatientID; both would be damaged by it"
                )
    notes = [f"The archive does not tell the PatientID of {untold} of the studies, so it was not compared."]
    return set(found), notes if untold else []


async def _patient_in_metadata(archive: Archive, study_uid: str) -> set[str]:
    """The PatientID in the metadata of some instance of a study, none where it does not say: Orthanc's searches lose
    letters that its metadata have."""
    rules = (await archive.settle()).rules
    plan = make_plan(Query(Level.INSTANCE, study_uid=study_uid), rules)
    for row in (await archive.search(plan, limit=1, offset=0)).rows:
        series, instance = text(row, "SeriesInstanceUID"), text(row, "SOPInstanceUID")
        if is_uid(series) and is_uid(instance):
            found = await instance_metadata(archive, Place(study_uid, series, instance))
            return {patient_id(found)} if element(found, "PatientID") is not None else set()
    return set()


async def _reject_series_elsewhere(archive: Archive, items: Sequence[Fit], studies: set[str]) -> None:
    by_series = grouped(items, lambda file: file.series_uid)
    within: dict[Below, set[str]] = {}
    for item in items:
        if item.file.study_uid in studies:
            within.setdefault(Below(item.file.study_uid), set()).add(item.file.series_uid)
    own = await rows_by_uid(archive, Level.SERIES, within)
    for uid in await rows_by_uid(archive, Level.SERIES, {EVERYWHERE: by_series.keys() - own.keys()}):
        for item in by_series[uid]:
            item.decide(Outcome.REJECTED, "the archive has its SeriesInstanceUID in another study")


async def _reject_instances_elsewhere(archive: Archive, items: Sequence[Fit]) -> None:
    by_uid = {item.file.instance_uid: item for item in items}
    for uid in await rows_by_uid(archive, Level.INSTANCE, {EVERYWHERE: by_uid}):
        by_uid[uid].decide(Outcome.REJECTED, "the archive has its SOPInstanceUID in another study or series")


async def _compare_content(archive: Archive, item: Fit) -> None:
    file = item.file
    try:
        theirs = await instance_metadata(archive, Place(file.study_uid, file.series_uid, file.instance_uid))
        ours = await item.metadata()
    except Changed:
        item.decide(Outcome.REJECTED, "it changed after it was checked")
        return
    except Damaged as reason:
        item.decide(Outcome.REJECTED, f"damaged: {reason}")
        return
    except GONE:
        raise
    except ArchiveError as problem:
        item.decide(Outcome.UNKNOWN, f"it is there, but could not be compared. {problem}")
        return
    if names := differences(ours, theirs) + taken_out(ours, theirs):
        more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
        differing = f"{', '.join(names[:NAMES_SHOWN])}{more}"
        item.decide(
            Outcome.DIFFERENT, f"the archive has this SOPInstanceUID, and what it tells of it differs: {differing}"
        )
    else:
        item.decide(Outcome.ALREADY_THERE)
