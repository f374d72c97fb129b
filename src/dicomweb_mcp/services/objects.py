"""describe_object: what one object says, or the objects of a series, with what they belong to."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from ..archives.base import Archive, ArchiveError, Place
from ..dicom.facts import few, filled
from ..dicom.kinds import Kind, kind_of
from ..dicom.objects import describe
from ..dicom.objects.conformance import problems
from ..dicom.objects.description import Description
from ..dicom.rules import Level
from ..dicom.values import DicomJson, clean, text, uid_name
from ..errors import BadArgument
from .app import App
from .documents import document_text
from .instance import instance_metadata
from .left_out import whole_object
from .listing import objects_of
from .lookup import find_place
from .measure import measure
from .study.look_alikes import look_alikes
from .study.related import related_to, sources

PAGE_LINES = 100  # of text that has no pages of its own
FEW_OBJECTS = 5  # described shortly in one answer
MOST_LABELS = 8  # named in the row of one of several objects
LONGEST_LABEL = 60
JUDGING_SECONDS = 20.0
IMAGE_SERIES = "image series"
LABELS = ("SegmentLabel", "ROIName", "BeamName", "AnnotationGroupLabel", "finding", "concept")  # of an item
NO_EVIDENCE = "does not refer to this series"


@dataclass(frozen=True)
class ObjectRequest:
    """What is to be described; ``offset`` counts the items before the first one shown."""

    study_uid: str | None = None
    series_uid: str | None = None
    instance_uid: str | None = None
    pages: tuple[int, ...] | None = None
    offset: int = 0
    volumes: bool | None = None


@dataclass
class DescribedObject:
    """A description, where the object lies, and what it was made from. ``items`` of the description are those from
    ``offset`` on, out of ``items_total``."""

    place: Place
    kind: str
    description: Description
    sources: list[dict[str, Any]] = field(default_factory=list)
    offset: int = 0
    items_total: int = 0


async def describe_object(app: App, archive_name: str | None, request: ObjectRequest) -> DescribedObject:
    """The object of an instance UID, or what a series holds. Raises BadArgument or ArchiveError."""
    archive = app.archive(archive_name)
    place = await find_place(app, archive, request.study_uid, request.series_uid, request.instance_uid)
    if place.level is Level.STUDY:
        raise BadArgument(
            f"A study is no object: call list_series with study_uid={place.study_uid}, then describe_object with a "
            "series_uid or instance_uid. get_metadata gives the table of a study."
        )
    if place.level is Level.INSTANCE:
        return await _one(archive, place, request)
    return await _series(archive, place, request)


# ---- one object ------------------------------------------------------------------------------------------------------


async def _one(archive: Archive, place: Place, request: ObjectRequest) -> DescribedObject:
    obj, notes = await whole_object(archive, place)
    kind = kind_of(obj)
    found = await anyio.to_thread.run_sync(describe, obj, abandon_on_cancel=True)
    found.notes += notes
    if more := MORE.get(kind):
        await more(archive, place, obj, found, request)
    if kind is not Kind.DOCUMENT:
        _choose_pages(found, request.pages)
    belongs: list[dict[str, Any]] = []
    try:
        belongs = await sources(archive, place, obj)
        if kind is not Kind.IMAGE:
            found.notes += await look_alikes(archive, place, obj)
    except ArchiveError as problem:
        found.notes.append(f"Not all that belongs to it could be looked up. {problem}")
    found.notes += await _judged(obj)
    belongs = [_without_own_study(place, row) for row in belongs]
    return _from(request.offset, DescribedObject(place, kind, found, belongs))


def _choose_pages(found: Description, pages: tuple[int, ...] | None) -> None:
    """Text of an object that has no pages of its own, by so many lines. Raises BadArgument."""
    count = -(-len(found.text) // PAGE_LINES)
    if count > 1:
        found.pages = count
    if not pages:
        return
    if not count:
        found.notes.append("pages chooses from text, and this object has none: it was ignored.")
    elif max(pages) > count:
        raise BadArgument(f"There is no page {max(pages)}: the text of this object has pages 1 to {count}.")
    starts = [(page - 1) * PAGE_LINES for page in dict.fromkeys(pages)]
    found.text = [line for start in starts for line in found.text[start : start + PAGE_LINES]]


def _without_own_study(place: Place, row: dict[str, Any]) -> dict[str, Any]:
    """A source without what is empty, and without the study where that is the object's own."""
    return {
        key: value
        for key, value in row.items()
        if value not in (None, "") and (key, value) != ("StudyInstanceUID", place.study_uid)
    }


async def _judged(obj: DicomJson) -> list[str]:
    """What highdicom finds wrong, as long as it does not take too long."""
    with anyio.move_on_after(JUDGING_SECONDS):
        return await anyio.to_thread.run_sync(problems, obj, abandon_on_cancel=True)
    return ["Not checked for conformance: it took too long."]


def _from(offset: int, found: DescribedObject) -> DescribedObject:
    """The items from ``offset`` on."""
    total = len(found.description.items)
    if offset and offset >= total:
        raise BadArgument(f"offset={offset}: there are {total} items, counted from 0. Leave offset out to begin anew.")
    found.description.items = found.description.items[offset:]
    found.offset, found.items_total = offset, total
    return found


async def _pixels(archive: Archive, place: Place, obj: DicomJson, found: Description, request: ObjectRequest) -> None:
    await measure(archive, place, obj, found, request.volumes)


async def _document(archive: Archive, place: Place, obj: DicomJson, found: Description, request: ObjectRequest) -> None:
    lines, found.pages, notes = await document_text(archive, place, obj, request.pages)
    found.text += lines
    found.notes += notes


# What else than the metadata is read, by kind: it is added to the description.
MORE: Mapping[Kind, Callable[[Archive, Place, DicomJson, Description, ObjectRequest], Awaitable[None]]] = {
    Kind.SEGMENTATION: _pixels,
    Kind.RT_DOSE: _pixels,
    Kind.PARAMETRIC_MAP: _pixels,
    Kind.DOCUMENT: _document,
}


# ---- a series --------------------------------------------------------------------------------------------------------


async def _series(archive: Archive, place: Place, request: ObjectRequest) -> DescribedObject:
    rows, notes = await objects_of(archive, place)
    kinds = Counter(map(kind_of, rows))
    if Kind.IMAGE in kinds:
        found = await _image_series(archive, place, rows, notes)
    elif len(rows) == 1:
        return await _one(archive, _instance(place, rows[0]), request)
    else:
        return await _several(archive, place, rows, kinds, request.offset, notes)
    return _from(request.offset, found)


def _instance(place: Place, row: DicomJson) -> Place:
    return Place(place.study_uid, place.series_uid, text(row, "SOPInstanceUID"))


async def _image_series(archive: Archive, place: Place, rows: list[DicomJson], notes: list[str]) -> DescribedObject:
    """What was made from the images of a series; the images themselves are for other tools."""
    related = await related_to(archive, place)
    kinds = Counter(uid_name(text(row, "SOPClassUID")) for row in rows)
    facts = filled(
        Modality=clean(text(rows[0], "Modality"), LONGEST_LABEL),
        instances=None if notes else len(rows),
        SOPClassUID=[clean(f"{name} ({count})", LONGEST_LABEL) for name, count in kinds.most_common(5) if name],
    )
    found = Description(facts=facts, notes=[*notes, *related.notes])
    found.items = [*related.rows, *({**row, "evidence": NO_EVIDENCE} for row in related.unrelated)]
    if not related.rows:
        found.notes.append("No derived series of the study was found to refer to these images.")
    found.elided.append("The images: get_metadata for acquisition and geometry, render_frame to look at them.")
    return DescribedObject(place, IMAGE_SERIES, found)


async def _several(
    archive: Archive, place: Place, rows: list[DicomJson], kinds: Counter[Kind], offset: int, notes: list[str]
) -> DescribedObject:
    """A row for each of some objects: its UID, what it holds, and those facts that are not the same in all."""
    if offset >= len(rows):
        raise BadArgument(f"offset={offset}: the series has {len(rows)} objects, counted from 0.")
    page = rows[offset : offset + FEW_OBJECTS]
    described = []
    for row in page:
        obj = await instance_metadata(archive, _instance(place, row))
        described.append(await anyio.to_thread.run_sync(describe, obj, abandon_on_cancel=True))
    shared = {key: value for key, value in described[0].facts.items()
              if all(one.facts.get(key) == value for one in described)}  # fmt: skip
    found = Description(facts=shared, notes=notes)
    for row, one in zip(page, described, strict=True):
        own = {key: value for key, value in one.facts.items() if key not in shared}
        count = len(one.items) or None
        found.items.append(filled(SOPInstanceUID=text(row, "SOPInstanceUID"), items=count, labels=_labels(one), **own))
    found.notes.append(f"The series holds {len(rows)} objects: give the instance_uid of one to see all of it.")
    kind = " and ".join(kinds)
    return DescribedObject(place, kind, found, offset=offset, items_total=len(rows))


def _labels(described: Description) -> str:
    """The names of the first few different items."""
    keyword = next((key for key in LABELS if any(key in row for row in described.items)), "")
    names = list(dict.fromkeys(clean(str(row[keyword]), LONGEST_LABEL) for row in described.items if keyword in row))
    return few(names, MOST_LABELS)
