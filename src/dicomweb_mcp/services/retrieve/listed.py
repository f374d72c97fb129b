"""Which instances a retrieval is about, and which of them are there already."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread

from ...archives.base import Archive, NotFound, NotUnderstood, Place, Refused
from ...dicom.native_size import value_bytes
from ...dicom.query import Query, make_plan
from ...dicom.rules import Level
from ...dicom.uids import EXPLICIT, NATIVE, is_uid
from ...dicom.values import DicomJson, text, transfer_syntaxes
from ..app import App
from ..lookup import find_place, nothing_at
from ..paging import every_match
from ..parallel import side_by_side
from .arrived import Unusable, identify
from .folder import Folder, Key
from .items import Item, Outcome

MOST_INSTANCES = 50_000
SIZE = (
    "Rows", "Columns", "BitsAllocated", "SamplesPerPixel", "NumberOfFrames", "PhotometricInterpretation",
    "AvailableTransferSyntaxUID",
)  # fmt: skip


@dataclass(kw_only=True)
class Instance(Item):
    """One instance; ``pixels`` are the bytes of its pixels without compression, 0 where that is not known. Its file
    has them so where it ``is_native``."""

    place: Place
    pixels: int = 0
    is_native: bool = False

    @property
    def key(self) -> Key:
        return self.place.study_uid, self.place.series_uid or "", self.place.instance_uid or ""


async def instances_at(archive: Archive, place: Place) -> tuple[list[Instance], list[str]]:
    """Every instance of a study or series, and what is to be said of the list. Raises ArchiveError, Refused when there
    are too many."""
    rules = (await archive.settle()).rules
    query = Query(
        Level.INSTANCE, study_uid=place.study_uid, series_uid=place.series_uid, defaults=("SeriesInstanceUID", *SIZE)
    )
    _, scan = await every_match(archive, make_plan(query, rules), MOST_INSTANCES)
    if not scan.rows:
        raise await nothing_at(archive, place)
    if len(scan.rows) >= MOST_INSTANCES:
        raise Refused(archive.name, f"has more than {MOST_INSTANCES:,} instances there: retrieve single series.")
    notes = list(scan.notes)
    if not scan.ended:
        notes.append("The archive cannot say whether its list of instances is complete: there may be more.")
    return [_instance(archive, place, row) for row in scan.rows], notes


def _instance(archive: Archive, place: Place, row: DicomJson) -> Instance:
    series, instance = place.series_uid or text(row, "SeriesInstanceUID"), text(row, "SOPInstanceUID")
    if not is_uid(series) or not is_uid(instance):
        raise NotUnderstood(archive.name, "lists instances without valid UIDs: name a series_uid, or instance_uids.")
    syntaxes = transfer_syntaxes(row)
    return Instance(
        instance,
        place=Place(place.study_uid, series, instance),
        pixels=value_bytes(row),
        is_native=bool(syntaxes) and NATIVE.issuperset(syntaxes),
    )


async def instances_named(
    app: App, archive: Archive, study_uid: str | None, series_uid: str | None, uids: Sequence[str]
) -> list[Instance]:
    """Each of these instances once; those that the archive does not know have failed. Raises ArchiveError when it knows
    none, BadArgument for a malformed UID."""
    found: dict[str, Instance] = {}
    missing: list[NotFound] = []

    async def look_up(uid: str) -> None:
        try:
            place = await find_place(app, archive, study_uid, series_uid, uid)
        except NotFound as problem:
            missing.append(problem)
            found[uid] = Instance(uid, Outcome.FAILED, str(problem), place=Place(study_uid or "", series_uid, uid))
        else:
            found[uid] = Instance(uid, place=place)

    wanted = list(dict.fromkeys(uid.strip(" \0\t\r\n") for uid in uids))
    await side_by_side(look_up, wanted, archive.profile.parallel)
    if len(missing) == len(wanted):
        raise missing[0]
    return [found[uid] for uid in wanted]


async def decide_those_there(folder: Folder, instances: Iterable[Instance], *, as_stored: bool) -> None:
    """Decide the instances whose places in the folder are taken, by themselves or by something else. Raises
    OSError."""
    by_study: dict[str, list[Instance]] = {}
    for instance in instances:
        if instance.outcome is None:
            by_study.setdefault(instance.place.study_uid, []).append(instance)
    for study, members in by_study.items():
        taken = await to_thread.run_sync(folder.there, study)
        for instance in members:
            if path := taken.get(instance.key):
                await to_thread.run_sync(_decide, instance, path, as_stored)


def _decide(instance: Instance, path: Path, as_stored: bool) -> None:
    try:
        found = identify(path)
    except Unusable as reason:
        instance.decide(Outcome.DIFFERENT, f"a file has its name that is not this instance, and is kept: {reason}")
        return
    if (found.study_uid, found.series_uid, found.instance_uid) != instance.key:
        instance.decide(Outcome.DIFFERENT, "a file of another instance has its name, and is kept")
    elif not as_stored and found.transfer_syntax != EXPLICIT:
        instance.decide(Outcome.DIFFERENT, "it is there in another transfer syntax: name another directory")
    else:
        instance.decide(Outcome.ALREADY_THERE, found.doubt and f"whole, but odd: {found.doubt}")
