"""Deleting a study, a series or an instance: a plan first, then exactly that, then a search for what is left.

A plan's token is a hash of what it says and of the time: nothing has to be remembered between the two calls, and it is
worth nothing as soon as the archive holds something else there.
"""

import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import anyio

from ..archives.base import AccessDenied, Archive, ArchiveError, NotFound, NotOffered, Place, Refused
from ..dicom.query import Query, make_plan
from ..dicom.rules import Level
from ..dicom.uids import is_uid
from ..dicom.values import DicomJson, clean, text
from .app import App
from .lookup import find_place, first_row
from .paging import every_match
from .permits import check_permits

SLOT_SECONDS = 600
MOST_INSTANCES = 100_000  # of one deletion
LOOK_AFTER = (0.0, 0.5, 2.0, 5.0)  # seconds before each look for what is left; the searches of some archives lag
OF_PATIENT = ("PatientID", "PatientName", "StudyDate")
LONGEST_VALUE = 200
DECLINED = (AccessDenied, NotOffered, Refused)  # nothing was begun

Report = Callable[[float, float | None, str], Awaitable[None]]
T = TypeVar("T")
Instances = dict[str, str]  # SOP Instance UID -> Series Instance UID, empty where the archive does not tell


@dataclass(frozen=True)
class Plan:
    """What a deletion would take, as the archive tells it now."""

    archive: str
    address: str
    place: Place
    instances: Instances
    patient: dict[str, str]
    size: int | None
    state: str

    def token(self, slot: int) -> str:
        """What names this plan in one slot of time."""
        said = [self.archive, self.address, self.place.path, self.patient, self.size, self.state, slot]
        content = json.dumps([*said, len(self.instances), sorted(self.instances)])
        return hashlib.sha256(content.encode()).hexdigest()[:20]

    def is_meant_by(self, token: str, slot: int) -> bool:
        """Whether a token is this plan's, of this slot or the one before."""
        return token.strip() in (self.token(slot), self.token(slot - 1))

    @property
    def series_count(self) -> int | None:
        """In how many series the instances are, None where the archive does not tell of each."""
        found = set(self.instances.values())
        return None if "" in found else len(found)


@dataclass(frozen=True)
class Done:
    """What became of a plan: the instances that a search ``found`` afterwards, None where none could be made."""

    found: Instances | None


@dataclass
class Deletion:
    """A plan; with ``done`` it was carried out, else ``token`` would do it."""

    plan: Plan
    token: str
    done: Done | None = None
    notes: list[str] = field(default_factory=list)


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
        return Deletion(plan, plan.token(_slot(clock)), notes=["Nothing was deleted yet."])
    async with app.transfer_into(archive_name) as archive:
        plan = await _planned(app, archive, study_uid, series_uid, instance_uid)
        slot = _slot(clock)
        if not plan.is_meant_by(token, slot):
            refusal = (
                "Refused, and nothing was deleted: the token is not that of this plan. It is good for ten minutes at "
                "least and twenty at most, and only while the archive holds the same there. Show the user this plan "
                "instead."
            )
            return Deletion(plan, plan.token(slot), notes=[refusal])
        return await _carried_out(archive, plan, report)


async def agreed(
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
    patient = await _patient(archive, place)
    instances = await _instances(archive, place)
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
    return Plan(archive.name, archive.address, place, instances, patient, doomed.size, doomed.state)


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
    return _told(same[0]) if same else {}


def _told(row: DicomJson) -> dict[str, str]:
    return {keyword: value for keyword in OF_PATIENT if (value := clean(text(row, keyword), LONGEST_VALUE))}


async def _instances(archive: Archive, place: Place) -> Instances:
    """Everything that a search finds at the place. Raises Refused when that may not be all."""
    rules = (await archive.settle()).rules
    filters = {Level.INSTANCE.uid: place.instance_uid} if place.instance_uid else None
    query = Query(Level.INSTANCE, place.study_uid, place.series_uid, filters)
    _, scan = await every_match(archive, make_plan(query, rules), MOST_INSTANCES)
    if scan.complete is not True:
        why = " ".join(scan.notes) or "The end of its list cannot be told."
        raise Refused(archive.name, f"does not list all instances of {place}, so nothing was deleted. {why}")
    found = {text(row, Level.INSTANCE.uid): text(row, Level.SERIES.uid) for row in scan.rows}
    if not all(map(is_uid, found)):
        raise Refused(archive.name, f"lists instances of {place} without a UID, so nothing was deleted.")
    return {uid: series or place.series_uid or "" for uid, series in found.items()}


async def _carried_out(archive: Archive, plan: Plan, report: Report) -> Deletion:
    """Delete, and search for what is left. Raises what the archive raised when it is certain that all is left."""
    steps = 0

    async def tell(words: str) -> None:
        nonlocal steps
        steps += 1
        await report(steps, None, words)

    deletion = Deletion(plan, "")
    problem: ArchiveError | None = None
    try:
        deletion.notes += await archive.delete(plan.place, plan.instances, tell)
    except ArchiveError as error:
        problem = error
        deletion.notes.append(str(error))
    await tell("searching for what is left")
    looks = (0.0,) if isinstance(problem, DECLINED) else LOOK_AFTER
    found, said = await _left(archive, plan, looks, was_told_so=problem is None)
    if problem and found is not None and len(found) == len(plan.instances):
        raise problem
    if found and not problem:
        deletion.notes.append(
            f"The archive reported no failure, but a search still finds {len(found):,} of the instances, which do not "
            "count as deleted: its searches may lag, so look again with list_instances in a minute."
        )
    deletion.notes += said
    deletion.done = Done(found)
    return deletion


async def _left(
    archive: Archive, plan: Plan, looks: tuple[float, ...], *, was_told_so: bool
) -> tuple[Instances | None, list[str]]:
    """Which of the planned instances a search finds, after a few looks; None when there could be none. With what else
    is to be said. Only where the archive told so (``was_told_so``) does a 404 mean that they are gone: else the archive
    itself may have gone from its address."""
    found: Instances = plan.instances
    listed = True
    for seconds in looks:
        await anyio.sleep(seconds)
        try:
            there = await _unless_gone(_instances(archive, plan.place), {}, was_told_so)
            found = {uid: series for uid, series in there.items() if uid in plan.instances}
            listed = not there and await _unless_gone(_is_listed(archive, plan.place), False, was_told_so)
        except ArchiveError as error:
            return None, [f"Whether they are gone could not be searched for. {error}"]
        if not found and not listed:
            break
    if there.keys() - plan.instances.keys():
        return found, ["Instances that came after the plan are there, and were not meant to be deleted."]
    return found, [f"A search still lists the {plan.place.level} itself, without instances."] if listed else []


async def _is_listed(archive: Archive, place: Place) -> bool:
    """Whether a search at the place's own level still finds it."""
    uid = place.instance_uid or place.series_uid or place.study_uid
    if place.level is Level.INSTANCE:
        return False  # that was the search for its instances
    return await first_row(archive, place.level, uid, place.study_uid) is not None


async def _unless_gone(asking: Awaitable[T], nothing: T, may_be_gone: bool) -> T:
    """An answer, or ``nothing`` where the archive has no such place any more, as far as that may be. Raises
    ArchiveError."""
    try:
        return await asking
    except NotFound:
        if may_be_gone:
            return nothing
        raise
