"""The metadata of many instances, with as little traffic as their archive allows.

Where a search returns any attribute that is asked for, only the wanted ones are fetched; else the metadata of all
instances are reduced while they arrive. Of very many instances a sample is read, and only their positions are listed.
"""

import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from anyio import lowlevel, to_thread

from ..archives.base import Archive, ArchiveError, NotUnderstood, Place
from ..dicom.acquisition import ACQUISITION_FIELDS, has_private_b_value
from ..dicom.kinds import Kind, kind_of
from ..dicom.query import Plan
from ..dicom.rules import Level
from ..dicom.summary import Summary
from ..dicom.summary.fields import Fields
from ..dicom.summary.usual import USUAL
from ..dicom.tags import Attribute, by_tag, tag_of
from ..dicom.uids import is_uid
from ..dicom.values import DicomJson, integer, raw_values, text
from ..dicom.volume import GEOMETRY_FIELDS, Plane, planes
from .instance import check_place, instance_metadata
from .left_out import WholeSequences, left_out, said
from .lookup import first_row, nothing_at
from .paging import Ignored, Scan, matches
from .parallel import side_by_side

MOST_READ = 2_000  # instances; of more a sample is read
SAMPLE = 40
MOST_LISTED = 100_000  # instances whose positions are listed
PAGE = 250  # rows with many attributes that are held at a time
IN_SPACE = frozenset({Kind.IMAGE, Kind.RT_DOSE, Kind.PARAMETRIC_MAP})  # whose geometry is told
MANY_FRAMES = 500  # of one instance; more are looked at in a thread
MOST_WITH_GROUPS = 20  # multi-frame instances that are read one by one after a search


T = TypeVar("T")


@dataclass(frozen=True)
class Wanted:
    """What is to be read of instances: what ``fields`` say, the usual attributes where they say nothing."""

    fields: Fields = field(default_factory=Fields)
    private: bool = False

    @property
    def is_usual(self) -> bool:
        return not self.fields.paths and not self.fields.all


@dataclass
class Reading:
    """What was read of the instances at a place.

    ``total`` is how many there are; ``sampled`` that only ``summary.instances`` of them were read. ``planes`` are those
    of all images where ``all_positions``. ``first`` stands for the others: an image where there is one, no localizer
    where there is anything else, and of MR images one with a private b-value.
    """

    summary: Summary = field(default_factory=Summary)
    total: int = 0
    sampled: bool = False
    planes: list[Plane] = field(default_factory=list)
    all_positions: bool = True
    first: DicomJson | None = None
    notes: list[str] = field(default_factory=list)
    _less: tuple[bool, ...] = ()  # by which ``first`` stands for less than others might

    def add(self, obj: DicomJson, wanted: Wanted, *, with_planes: bool = True) -> None:
        """Take the metadata of one more instance in."""
        self.summary.add(obj, wanted.fields, private=wanted.private)
        if self.first is None or any(self._less):
            less = _stands_for_less(obj)
            if self.first is None or less < self._less:
                self.first, self._less = obj, less
        if with_planes and not wanted.fields.paths and kind_of(obj) in IN_SPACE:
            self.planes += planes(obj)

    async def take(self, obj: DicomJson, wanted: Wanted) -> None:
        """``add`` without holding other calls up, whether there are many instances or one with many frames."""
        if (integer(obj, "NumberOfFrames") or 1) > MANY_FRAMES:
            await to_thread.run_sync(partial(self.add, obj, wanted))
        else:
            self.add(obj, wanted)
            await lowlevel.checkpoint()


async def read_instances(archive: Archive, place: Place, wanted: Wanted) -> Reading:
    """Everything at a study or series, or a sample of it. Raises ArchiveError."""
    row = await first_row(archive, place.level, place.series_uid or place.study_uid, place.study_uid) or {}
    expected = integer(row, f"NumberOf{place.level.capitalize()}RelatedInstances")
    if expected is None or expected <= MOST_READ:
        reading = await _read_all(archive, place, wanted, text(row, "Modality"), expected)
        if reading is not None:
            return reading
    return await _read_sample(archive, place, wanted)


# ---- all instances ---------------------------------------------------------------------------------------------------


async def _read_all(
    archive: Archive, place: Place, wanted: Wanted, modality: str, expected: int | None
) -> Reading | None:
    """Every instance; None when there turn out to be more than MOST_READ."""
    reading, seen = Reading(), set[str]()
    attributes = _includable(archive, wanted, modality)
    scan = Scan(ended=attributes is None)
    whole = WholeSequences(archive, wanted.fields.paths)
    if attributes is not None:
        source = _rows(archive, place, attributes, scan, PAGE)
    elif expected is None and await _has_too_many(archive, place):
        return None
    else:
        source = _at_once(archive, place) if whole.may_ask else archive.metadata(place)
    pages = attributes is not None and expected is None  # nothing can be asked while metadata arrive
    async with aclosing(source) as objects:
        async for obj in objects:
            check_place(archive, place, obj)
            uid = text(obj, "SOPInstanceUID")
            if uid and uid in seen:
                continue
            seen.add(uid)
            if len(seen) > MOST_READ or (pages and len(seen) == PAGE and await _has_too_many(archive, place)):
                return None
            await reading.take(await whole.completed(place, obj), wanted)
    reading.total = reading.summary.instances
    if not reading.total:
        raise await nothing_at(archive, place)
    _doubt(reading, expected, scan)
    if attributes is not None and wanted.is_usual:
        await _read_groups(archive, place, reading, sorted(seen))
        reading.notes.append('Only the usual attributes were asked for: fields=["all"] reads all of them.')
    return reading


def _doubt(reading: Reading, expected: int | None, scan: Scan) -> None:
    """Say where instances did not come: of those that did, nothing follows for the geometry of all."""
    reading.notes += scan.notes if scan.ended is not True else ()
    if expected is not None and expected > reading.total:
        reading.notes.append(f"The archive says that it has {expected:,} instances here, and gave {reading.total:,}.")
    reading.all_positions = not reading.notes


async def _at_once(archive: Archive, place: Place) -> AsyncGenerator[DicomJson, None]:
    """All metadata before the first is given: nothing else may be asked of an archive while they arrive."""
    async with aclosing(archive.metadata(place)) as objects:
        found = [obj async for obj in objects]
    for obj in found:
        yield obj


async def _has_too_many(archive: Archive, place: Place) -> bool:
    """Whether there are more than MOST_READ instances, asked of an archive that has not said how many there are, so
    that not all of these are fetched in vain."""
    if not archive.profile.honours_offset:
        return False
    plan = Plan(Level.INSTANCE, place.study_uid, place.series_uid, (), (), include=(), columns=())
    return bool((await archive.search(plan, limit=1, offset=MOST_READ)).rows)


def _includable(archive: Archive, wanted: Wanted, modality: str) -> tuple[Attribute, ...] | None:
    """What to ask a search for; None where the metadata have to be read instead."""
    rules = archive.profile.rules
    if not archive.profile.returns_any or wanted.fields.all or wanted.private:
        return None
    if wanted.fields.paths:
        named = [path[0] for path in wanted.fields.paths]
        return _with_uids(named) if all(item.keyword and rules.gives(Level.INSTANCE, item) for item in named) else None
    usual = (*USUAL, *ACQUISITION_FIELDS[""], *ACQUISITION_FIELDS.get(modality, ()), *GEOMETRY_FIELDS)
    known = [by_tag(tag_of(keyword)) for keyword in usual]
    return _with_uids([item for item in known if rules.gives(Level.INSTANCE, item)])


def _with_uids(attributes: Sequence[Attribute]) -> tuple[Attribute, ...]:
    uids = [by_tag(tag_of(keyword)) for keyword in Level.INSTANCE.uids]
    return tuple(dict.fromkeys((*uids, *attributes)))


async def _rows(
    archive: Archive, place: Place, attributes: tuple[Attribute, ...], scan: Scan, page: int | None = None
) -> AsyncGenerator[DicomJson, None]:
    """The rows of an instance search with these attributes; at most ``page`` are held at a time."""
    plan = Plan(Level.INSTANCE, place.study_uid, place.series_uid, (), (), include=attributes, columns=attributes)
    try:
        async with aclosing(matches(archive, plan, scan, MOST_LISTED, page=page)) as arriving:
            async for rows in arriving:
                for row in rows:
                    yield row
    except Ignored:
        raise NotUnderstood(archive.name, f"lists instances that do not belong to {place}.") from None


async def _read_groups(archive: Archive, place: Place, reading: Reading, uids: Sequence[str]) -> None:
    """For multi-frame images, whose geometry is in functional groups that a search leaves out: the metadata of each,
    where there are few."""
    first = reading.first or {}
    if kind_of(first) not in IN_SPACE or (integer(first, "NumberOfFrames") or 1) == 1:
        return
    if text(first, "Modality") == "SM" or not place.series_uid:
        return
    if len(uids) > MOST_WITH_GROUPS:
        reading.notes.append(f"The frames of these {len(uids)} multi-frame images were not looked at one by one.")
        return
    reading.planes = []
    for uid in uids:
        obj = await instance_metadata(archive, Place(place.study_uid, place.series_uid, uid))
        reading.planes += await to_thread.run_sync(planes, obj)
        if uid == text(first, "SOPInstanceUID"):
            reading.first = obj
        if lacking := left_out(archive, obj):
            reading.notes.append(f"Instance {uid}: {said(lacking)}.")


# ---- a sample of very many -------------------------------------------------------------------------------------------


async def _read_sample(archive: Archive, place: Place, wanted: Wanted) -> Reading:
    """Some instances spread over all of them; of the others only what a search says of their positions."""
    reading, scan = Reading(sampled=True), Scan()
    rules = archive.profile.rules
    known = [by_tag(tag_of(keyword)) for keyword in GEOMETRY_FIELDS]
    listed = [item for item in known if rules.gives(Level.INSTANCE, item)] if place.series_uid else []
    found: list[tuple[str, str]] = []  # SeriesInstanceUID, SOPInstanceUID; there can be 100,000
    async with aclosing(_rows(archive, place, _with_uids(listed), scan)) as rows:
        async for row in rows:
            series, uid = text(row, "SeriesInstanceUID") or place.series_uid, text(row, "SOPInstanceUID")
            if not (series and is_uid(series) and is_uid(uid)):
                raise NotUnderstood(archive.name, f"lists instances of {place} without their UIDs.")
            found.append((sys.intern(series), uid))
            if place.series_uid and integer(row, "Rows") is not None:
                reading.planes += planes(row)
    reading.all_positions = scan.complete is True and all(plane.is_placed for plane in reading.planes)
    if not reading.all_positions:
        reading.planes = []
    reading.total = len(found)
    sample = [Place(place.study_uid, series, uid) for series, uid in spread(found, SAMPLE)]
    await _read_each(archive, sample, wanted, reading)
    if scan.complete is not True:
        reading.notes += scan.notes
    return reading


def spread(items: Sequence[T], most: int) -> list[T]:
    """At most so many items, evenly spread, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]


async def _read_each(archive: Archive, places: Sequence[Place], wanted: Wanted, reading: Reading) -> None:
    """The metadata of single instances, side by side; those that fail are counted."""
    found: dict[str, DicomJson] = {}
    failures: list[ArchiveError] = []

    async def read(place: Place) -> None:
        try:
            found[place.instance_uid or ""] = await instance_metadata(archive, place)
        except ArchiveError as failure:
            failures.append(failure)

    await side_by_side(read, places, archive.profile.parallel)
    if not found:
        raise failures[0]
    for place in places:
        if obj := found.get(place.instance_uid or ""):
            reading.add(obj, wanted, with_planes=not reading.all_positions)
    reading.notes.append(
        f"A sample: {len(found)} of {reading.total:,} instances were read, evenly spread over the list; constant, "
        "varying and missing are about these."
    )
    if failures:
        reading.notes.append(f"{len(failures)} instances of the sample could not be read: {failures[0]}")


def _stands_for_less(obj: DicomJson) -> tuple[bool, bool, bool]:
    """By how much an instance stands for less of its series than others: it is no image, it is a localizer, it is an MR
    image without a private b-value, such as that without a gradient in a series of diffusion."""
    is_localizer = not {"LOCALIZER", "SCOUT"}.isdisjoint(str(value).strip() for value in raw_values(obj, "ImageType"))
    lacks_b_value = text(obj, "Modality") == "MR" and not has_private_b_value(obj)
    return kind_of(obj) is not Kind.IMAGE, is_localizer, lacks_b_value
