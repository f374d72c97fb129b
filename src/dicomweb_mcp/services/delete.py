"""Deleting a study, a series or an instance: a plan first, then exactly that, then a search for what is left."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import anyio

from ..archives.base import (
    AccessDenied,
    Archive,
    ArchiveError,
    Deleted,
    NotFound,
    NotOffered,
    Outdated,
    Place,
    Refused,
    Tell,
)
from ..archives.journal import Journal
from ..dicom.query import Query, make_plan
from ..dicom.rules import Level
from ..dicom.uids import is_uid
from ..dicom.values import DicomJson, clean, text, uid_name
from .app import App
from .deletion import Deletion, Done, Instances, Look, Plan
from .items import Report
from .lookup import find_place, first_row, uid_plan
from .paging import every_match
from .permits import check_permits

SLOT_SECONDS = 600
MOST_INSTANCES = 100_000  # of one deletion
LOOK_AFTER = (0.0, 0.5, 2.0, 5.0)  # seconds before each look for what is left; the searches of some archives lag
OF_PATIENT = ("PatientID", "PatientName", "StudyDate")
OF_SERIES = ("Modality", "SeriesDescription")
DESCRIBING: Mapping[Level, Sequence[str]] = {
    Level.STUDY: (),
    Level.SERIES: OF_SERIES,
    Level.INSTANCE: (*OF_SERIES, "SOPClassUID", "InstanceNumber"),
}
LONGEST_VALUE = 200
DECLINED = (AccessDenied, NotOffered, Refused)  # in all likelihood nothing was begun

T = TypeVar("T")


async def delete(
    app: App,
    archive_name: str | None,
    study_uid: str | None,
    series_uid: str | None,
    instance_uid: str | None,
    token: str | None,
    *,
    report: Report,
    clock: Callable[[], float] = time.time,
) -> Deletion:
    """The plan; or with its token, of this slot of time or the one before, the plan carried out.

    Raises NotPermitted or BadArgument before anything is sent, ArchiveError when nothing was deleted.
    """
    check_permits(app, archive_name, "delete")
    if not token:
        plan = await _planned(app, app.archive(archive_name), study_uid, series_uid, instance_uid)
        return Deletion(plan, plan.token(_slot(clock)), notes=["Nothing was deleted yet.", *plan.notes])
    async with app.transfer_into(archive_name) as archive:
        plan = await _planned(app, archive, study_uid, series_uid, instance_uid)
        slot = _slot(clock)
        if not plan.is_meant_by(token, slot):
            refusal = (
                "Refused, and nothing was deleted: the token is not that of this plan. It is good for ten minutes at "
                "least and twenty at most, and only while the archive holds the same there. Show the user this plan "
                "instead."
            )
            return Deletion(plan, plan.token(slot), notes=[refusal, *plan.notes])
        return await _carried_out(archive, plan, report)


async def plan_of(
    app: App,
    archive_name: str | None,
    study_uid: str | None,
    series_uid: str | None,
    instance_uid: str | None,
    token: str,
    *,
    clock: Callable[[], float] = time.time,
) -> Plan | None:
    """The plan that a token would have carried out now; None where it would be refused. Nothing is changed."""
    check_permits(app, archive_name, "delete")
    plan = await _planned(app, app.archive(archive_name), study_uid, series_uid, instance_uid)
    return plan if plan.is_meant_by(token, _slot(clock)) else None


def _slot(clock: Callable[[], float]) -> int:
    return int(clock() // SLOT_SECONDS)


async def _planned(
    app: App, archive: Archive, study_uid: str | None, series_uid: str | None, instance_uid: str | None
) -> Plan:
    """What is at the place now. Raises Refused when it cannot be told for certain."""
    place = await find_place(app, archive, study_uid, series_uid, instance_uid)
    doomed = await archive.doomed(place)
    if place != Place(study_uid or "", series_uid, instance_uid):
        await _check_single(archive, place, study_uid)
    patient = await _patient(archive, place)
    rows = await _rows(archive, place)
    instances = _instances(place, rows)
    if not instances:
        raise NotFound(
            archive.name,
            f"has nothing at {place}: it is gone already, or belongs to another study or series than was given. Search "
            "for it again.",
        )
    if doomed.instances not in (None, len(instances)):
        raise Refused(
            archive.name,
            f"lists {len(instances):,} instances of {place} but says that it has {doomed.instances:,}, so it cannot be "
            "told what would be deleted. Try again in a minute.",
        )
    if doomed.instances is None:
        await _check_ended(archive, place, len(instances))
    described = _described(place, rows)
    return Plan(archive.name, archive.address, place, instances, patient, described, doomed, archive.profile.deletion)


async def _check_single(archive: Archive, place: Place, study_uid: str | None) -> None:
    """Raises Refused where the UID stands in several places, of which the one found was looked up."""
    page = await archive.search(await uid_plan(archive, place.level, place.uid, study_uid), limit=2, offset=0)
    if [text(row, place.level.uid) for row in page.rows].count(place.uid) > 1:
        raise Refused(
            archive.name,
            f"has {place} in several studies or series: give study_uid and series_uid as well, to tell which one is "
            "meant. Nothing was deleted.",
        )


async def _check_ended(archive: Archive, place: Place, count: int) -> None:
    """Raises Refused where a search finds instances behind those that were counted: for an archive that does not tell
    how many there are, the last look before a deletion."""
    if place.level is Level.INSTANCE:
        return
    plan = make_plan(_listing(place), (await archive.settle()).rules)
    if (await archive.search(plan, limit=1, offset=count)).rows:
        raise Refused(
            archive.name,
            f"lists more than the {count:,} instances of {place} that were counted: another one has arrived, or one is "
            "there twice. Nothing was deleted. Try again in a minute.",
        )


async def _patient(archive: Archive, place: Place) -> dict[str, str]:
    """What the archive says of the study. Raises Refused when it has several studies of one UID."""
    rules = (await archive.settle()).rules
    query = Query(Level.STUDY, filters={Level.STUDY.uid: place.study_uid}, defaults=OF_PATIENT)
    rows = (await archive.search(make_plan(query, rules), limit=5, offset=0)).rows
    same = [row for row in rows if text(row, Level.STUDY.uid) == place.study_uid]
    if len(same) > 1:
        raise Refused(
            archive.name,
            f"lists {len(same)} studies with the UID {place.study_uid}, and it cannot be told which one is meant. "
            "Nothing was deleted. Delete the right one with the archive's own program.",
        )
    return _told(same[0], OF_PATIENT) if same else {}


def _described(place: Place, rows: Sequence[DicomJson]) -> dict[str, str]:
    """What a person recognises a series or an instance by, from a row that is the same one in every search."""
    found = _told(min(rows, key=lambda row: text(row, Level.INSTANCE.uid)), DESCRIBING[place.level])
    return {keyword: uid_name(value) if keyword == "SOPClassUID" else value for keyword, value in found.items()}


def _told(row: DicomJson, keywords: Sequence[str]) -> dict[str, str]:
    return {keyword: value for keyword in keywords if (value := clean(text(row, keyword), LONGEST_VALUE))}


async def _rows(archive: Archive, place: Place) -> Sequence[DicomJson]:
    """Every instance that a search finds at the place. Raises Refused when that may not be all."""
    rules = (await archive.settle()).rules
    _, scan = await every_match(archive, make_plan(_listing(place), rules), MOST_INSTANCES)
    if scan.complete is not True:
        why = " ".join(scan.notes) or "The end of its list cannot be told."
        raise Refused(archive.name, f"does not list all instances of {place}, so nothing was deleted. {why}")
    if not all(is_uid(text(row, Level.INSTANCE.uid)) for row in scan.rows):
        raise Refused(archive.name, f"lists instances of {place} without a UID, so nothing was deleted.")
    return scan.rows


def _instances(place: Place, rows: Sequence[DicomJson]) -> Instances:
    found = {text(row, Level.INSTANCE.uid): text(row, Level.SERIES.uid) for row in rows}
    return {uid: series or place.series_uid or "" for uid, series in found.items()}


def _listing(place: Place) -> Query:
    filters = {Level.INSTANCE.uid: place.instance_uid} if place.instance_uid else None
    return Query(Level.INSTANCE, place.study_uid, place.series_uid, filters, defaults=DESCRIBING[place.level])


async def _carried_out(archive: Archive, plan: Plan, report: Report) -> Deletion:
    """Delete, and search for what is left. Raises what the archive raised when it is certain that all is left."""
    tell = _counting(report)
    forgotten = await Journal(archive.address).forget(plan.instances)  # first: it may be stopped at any moment
    deletion = Deletion(plan, "", notes=forgotten)
    problem: ArchiveError | None = None
    told = Deleted(is_whole=False)
    try:
        told = await archive.delete(plan.place, plan.instances, plan.doomed, tell)
        deletion.notes += told.notes
    except Outdated:
        raise
    except ArchiveError as error:
        problem = error
        deletion.notes.append(str(error))
    await tell("searching for what is left")
    try:
        look = await _last_look(archive, plan, problem)
    except ArchiveError as error:
        deletion.notes.append(f"Whether they are gone could not be searched for. {error}")
        deletion.done = Done(None)
        return deletion
    if problem and look.shows_all(plan):
        raise problem
    deletion.notes += look.notes(plan, was_told_so=told.is_whole)
    deletion.done = Done(look.left)
    return deletion


def _counting(report: Report) -> Tell:
    """Words as progress whose steps are counted."""
    steps = 0

    async def tell(words: str) -> None:
        nonlocal steps
        steps += 1
        await report(steps, None, words)

    return tell


async def _last_look(archive: Archive, plan: Plan, problem: ArchiveError | None) -> Look:
    """Look again and again while something is left, as long as searches may lag. What was declined and is all there was
    never begun."""
    for seconds in LOOK_AFTER:
        await anyio.sleep(seconds)
        look = await _look(archive, plan, may_be_gone=problem is None)
        if look.is_clear or (isinstance(problem, DECLINED) and look.shows_all(plan)):
            break
    return look


async def _look(archive: Archive, plan: Plan, *, may_be_gone: bool) -> Look:
    """One look. Only where the archive said that it deleted (``may_be_gone``) does a 404 mean that they are gone: else
    the archive itself may have gone from its address."""
    there = _instances(plan.place, await _unless_gone(_rows(archive, plan.place), (), may_be_gone))
    left = {uid: series for uid, series in there.items() if uid in plan.instances}
    is_listed = not there and await _unless_gone(_is_listed(archive, plan.place), False, may_be_gone)
    return Look(left, len(there) - len(left), is_listed)


async def _is_listed(archive: Archive, place: Place) -> bool:
    """Whether a search at the place's own level still finds it."""
    if place.level is Level.INSTANCE:
        return False  # that was the search for its instances
    return await first_row(archive, place.level, place.uid, place.study_uid) is not None


async def _unless_gone(asking: Awaitable[T], nothing: T, may_be_gone: bool) -> T:
    """An answer, or ``nothing`` where the archive has no such place any more, as far as that may be. Raises
    ArchiveError."""
    try:
        return await asking
    except NotFound:
        if may_be_gone:
            return nothing
        raise
