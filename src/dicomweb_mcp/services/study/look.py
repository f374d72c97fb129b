"""The series of a study, and a look into each: its role, what it refers to, what tells it from others.

A look takes one small search for instances below the series; where that cannot return what is needed, the metadata of
the instances that it found.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from anyio import to_thread

from ...archives.base import Archive, ArchiveError, NotFound, Place, Refused
from ...dicom.distinctions import DISTINCTION_FIELDS, distinctions
from ...dicom.facts import filled
from ...dicom.functional_groups import frame_count
from ...dicom.kinds import Kind, kind_of
from ...dicom.query import Query, make_plan
from ...dicom.references import FRAME_OF_REFERENCE, REFERENCE_FIELDS, Reference, references
from ...dicom.roles import ROLE_FIELDS, is_derived, role
from ...dicom.rules import Level
from ...dicom.uids import is_uid
from ...dicom.values import DicomJson, integer, plain_value, text
from ..instance import instance_metadata
from ..left_out import left_out
from ..lookup import where_else
from ..paging import every_match
from ..parallel import side_by_side

MOST_SERIES = 2_000  # listed
MOST_LOOKED_INTO = 60
MOST_OBJECTS = 4  # looked at in a series of derived objects; one in a series of images
MOST_FAILURES = 3  # series that cannot be looked into, after which no further one is tried
SERIES_FIELDS = ("Modality", "SeriesNumber", "SeriesDescription", "NumberOfSeriesRelatedInstances")


@dataclass(frozen=True)
class Seen:
    """One object that was looked at. ``whole``: all that it refers to is known, so nothing means that it does not.
    ``frames_of_reference`` are the spaces it is in."""

    instance_uid: str
    kind: Kind
    role: str
    references: tuple[Reference, ...]
    frames_of_reference: tuple[str, ...]
    distinctions: dict[str, Any]
    whole: bool


@dataclass
class Series:
    """One series of a study: the row of the search, and the objects of it that were looked at. ``looked``: it was
    tried; ``problem`` says what failed; ``more`` objects may be there than were looked at."""

    uid: str
    row: DicomJson
    objects: list[Seen] = field(default_factory=list)
    looked: bool = False
    more: bool = False
    problem: str = ""

    @property
    def count(self) -> int | None:
        """How many instances the archive says there are."""
        found = integer(self.row, "NumberOfSeriesRelatedInstances")
        return found if found is not None and found >= 0 else None

    @property
    def role(self) -> str:
        """The roles of its objects; before they were looked at, what the modality tells."""
        if self.objects:
            return ", ".join(dict.fromkeys(seen.role for seen in self.objects))
        return "" if kind_of(self.row) is Kind.OTHER else role(self.row)

    @property
    def is_derived(self) -> bool:
        return bool(self.role) and is_derived(self.role)

    def shown(self, *keywords: str) -> dict[str, Any]:
        """The row as an answer shows it: the UID, then these attributes as far as they have values."""
        found = {keyword: plain_value(self.row, keyword) for keyword in keywords or SERIES_FIELDS}
        return {"SeriesInstanceUID": self.uid, **filled(**found, role=self.role)}

    def looked_at(self) -> str:
        """``4 of 30`` where not all objects of a series of derived ones were looked at."""
        if not self.more or not self.is_derived:
            return ""
        return f"{len(self.objects)} of {self.count or 'more'}"


@dataclass
class Study:
    """The series of a study in the order of SeriesNumber. ``complete`` as in a search."""

    uid: str
    series: list[Series]
    complete: bool | None
    notes: list[str]

    def find(self, series_uid: str | None) -> Series | None:
        return next((series for series in self.series if series.uid == series_uid), None)


async def series_of(archive: Archive, study_uid: str) -> Study:
    """The series of a study. Raises NotFound when the archive lists none, or another ArchiveError."""
    rules = (await archive.settle()).rules
    plan = make_plan(Query(Level.SERIES, study_uid=study_uid, defaults=SERIES_FIELDS), rules)
    _, scan = await every_match(archive, plan, MOST_SERIES)
    if not scan.rows:
        elsewhere = await where_else(archive, Level.STUDY, study_uid)
        raise NotFound(archive.name, elsewhere or f"has no study {study_uid}. Copy UIDs whole from a search answer.")
    found = [Series(text(row, "SeriesInstanceUID"), row) for row in scan.rows]
    usable = [series for series in found if is_uid(series.uid)]
    notes = list(scan.notes)
    if nameless := len(found) - len(usable):
        notes.append(f"{nameless} series of the archive have UIDs that are none and were left out.")
    return Study(study_uid, sorted(usable, key=_place_in_study), scan.complete, notes)


def _place_in_study(series: Series) -> tuple[bool, int, str]:
    """By SeriesNumber, those without one last: archives give their rows in any order."""
    number = integer(series.row, "SeriesNumber")
    return number is None, number or 0, series.uid


async def study_or_nothing(archive: Archive, study_uid: str) -> Study:
    """The study, or one of which no series is known: what an object says of its sources is worth telling anyway."""
    try:
        return await series_of(archive, study_uid)
    except ArchiveError:
        return Study(study_uid, [], None, [])


async def look_into(archive: Archive, study: Study, series: Iterable[Series] | None = None) -> list[str]:
    """Look into the series (all of the study), those of derived objects first, side by side. What failed or was left
    out is said in the notes that come back; it never fails as a whole."""
    wanted = sorted(study.series if series is None else series, key=lambda one: not one.is_derived)
    waiting = [one for one in wanted if not one.looked]
    failed: list[Series] = []

    async def look(one: Series) -> None:
        if len(failed) >= MOST_FAILURES:
            return
        one.looked = True
        try:
            await _look(archive, study.uid, one)
        except ArchiveError as problem:
            one.problem = str(problem)
            failed.append(one)

    await side_by_side(look, waiting[:MOST_LOOKED_INTO], archive.profile.parallel)
    return _notes_of(waiting, failed)


def _notes_of(series: Sequence[Series], failed: Sequence[Series]) -> list[str]:
    notes = [f"Series {one.uid} could not be looked into, so what it refers to is not known: {one.problem}"
             for one in failed]  # fmt: skip
    if left := [one for one in series if not one.looked]:
        why = "after these failures" if failed else f"at most {MOST_LOOKED_INTO} at a time"
        named = ", ".join(one.uid for one in left[:3]) + (" and others" if len(left) > 3 else "")
        notes.append(f"{len(left)} of {len(series)} series were not looked into ({why}): {named}.")
    return notes


async def _look(archive: Archive, study_uid: str, series: Series) -> None:
    place = Place(study_uid, series.uid)
    most = MOST_OBJECTS if series.is_derived else 1
    rows = await _rows(archive, place, most)
    series.more = len(rows) > most or (series.count or 0) > most
    for row in rows[:most]:
        series.objects.append(await _seen(archive, place, row))


async def _rows(archive: Archive, place: Place, most: int) -> list[DicomJson]:
    """The first instances of a series with what is to be known of them, and one more to tell whether there are."""
    rules = (await archive.settle()).rules
    fields = dict.fromkeys((*ROLE_FIELDS, *REFERENCE_FIELDS, *DISTINCTION_FIELDS))

    async def found(defaults: Iterable[str]) -> list[DicomJson]:
        query = Query(Level.INSTANCE, study_uid=place.study_uid, series_uid=place.series_uid, defaults=tuple(defaults))
        page = await archive.search(make_plan(query, rules), limit=most + (most > 1), offset=0)
        return [row for row in page.rows if is_uid(text(row, "SOPInstanceUID")) and _belongs(row, place)]

    try:
        return await found(fields)
    except Refused:  # an attribute that it does not know: what matters is then read with the metadata
        return await found(())


def _belongs(row: DicomJson, place: Place) -> bool:
    return text(row, "SeriesInstanceUID") in ("", place.series_uid)


async def _seen(archive: Archive, place: Place, row: DicomJson) -> Seen:
    """What a row says of its object, or its metadata where a derived object names nothing in the row."""
    includes = archive.profile.returns_any  # then what a row lacks, the object lacks
    if not is_derived(role(row)) or any(one.evidence != FRAME_OF_REFERENCE for one in references(row)):
        return _read(row, whole=includes)
    if includes and kind_of(row) is Kind.IMAGE:
        return _read(row, whole=frame_count(row) == 1)  # frames refer in groups of their own
    instance = Place(place.study_uid, place.series_uid, text(row, "SOPInstanceUID"))
    return await seen_in_metadata(archive, await instance_metadata(archive, instance))


def _read(obj: DicomJson, *, whole: bool) -> Seen:
    found = references(obj)
    return Seen(
        instance_uid=text(obj, "SOPInstanceUID"),
        kind=kind_of(obj),
        role=role(obj),
        references=tuple(one for one in found if one.evidence != FRAME_OF_REFERENCE),
        frames_of_reference=tuple(one.frame_of_reference_uid for one in found if one.evidence == FRAME_OF_REFERENCE),
        distinctions=distinctions(obj),
        whole=whole,
    )


async def seen_in_metadata(archive: Archive, obj: DicomJson) -> Seen:
    """What the metadata of an object say of it; read in a thread, because there can be references from each of 100,000
    frames."""
    whole = not left_out(archive, obj)
    return await to_thread.run_sync(partial(_read, obj, whole=whole), abandon_on_cancel=True)


@dataclass(frozen=True)
class Shared:
    """The image series of a study that have one frame of reference; ``unknown`` are those of which it is not known."""

    series: list[Series]
    unknown: list[Series]


async def sharing(archive: Archive, study: Study, frame_of_reference: str) -> Shared:
    """Which image series of the study have this frame of reference. They have been looked into before; where a row
    did not carry it, the metadata of one instance are read. Localizers are in the same space as what is planned on
    them, and are no source of anything: they do not count."""
    images = [one for one in study.series if not one.objects or _is_image(one)]
    images = [one for one in images if one.role != "localizer" and not (one.is_derived and not one.objects)]

    async def read(series: Series) -> None:
        seen = series.objects[0]
        try:
            obj = await instance_metadata(archive, Place(study.uid, series.uid, seen.instance_uid))
        except ArchiveError as problem:
            series.problem = str(problem)
        else:
            series.objects[0] = await seen_in_metadata(archive, obj)

    def untold(series: Series) -> bool:
        return bool(series.objects) and not series.objects[0].frames_of_reference and not series.objects[0].whole

    await side_by_side(read, [one for one in images if untold(one) and not one.problem], archive.profile.parallel)
    return Shared(
        [one for one in images if one.objects and frame_of_reference in one.objects[0].frames_of_reference],
        [one for one in images if not one.objects or untold(one)],
    )


def _is_image(series: Series) -> bool:
    return series.objects[0].kind is Kind.IMAGE
