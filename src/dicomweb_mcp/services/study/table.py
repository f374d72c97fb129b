"""The table of a study: its series with their roles, and what the derived ones refer to."""

from dataclasses import dataclass, field
from typing import Any

from ...archives.base import Archive, ArchiveError, Place
from ...dicom.facts import filled
from ...dicom.query import Query
from ...dicom.rules import Level
from ...dicom.values import DicomJson, integer, plain_value
from ..app import App
from ..search import DEFAULT_FIELDS, search
from .links import Whereabouts, named
from .look import Series, Study, look_into, series_of


@dataclass
class StudyTable:
    """The series of a study, a row each: keywords, ``role`` and, of derived ones, ``refers_to``.

    ``study`` is what the search says of the study itself; ``complete`` as in a search.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    study: dict[str, Any] = field(default_factory=dict)
    instances: int | None = None
    notes: list[str] = field(default_factory=list)
    complete: bool | None = None


async def study_table(app: App, archive: Archive, place: Place) -> StudyTable:
    """The series of a study with their roles and what the derived ones refer to. Raises NotFound for no such study, or
    another ArchiveError when its series cannot be listed."""
    study = await series_of(archive, place.study_uid)
    if not archive.profile.rules.own_matching:
        for series in study.series:
            app.places.remember(archive.name, Level.SERIES, series.uid, (study.uid, None))
    notes = [*study.notes, *await look_into(archive, study)]
    where = Whereabouts(archive, study)
    rows = [filled(**series.shown(), refers_to=await _refers_to(where, study, series)) for series in study.series]
    row = await _study_row(archive, study.uid, notes)
    told = {keyword: plain_value(row, keyword) for keyword in ("StudyInstanceUID", *DEFAULT_FIELDS[Level.STUDY])}
    return StudyTable(rows, filled(**told), _instances(study, row), notes, study.complete)


async def _study_row(archive: Archive, study_uid: str, notes: list[str]) -> DicomJson:
    """What a search says of the study; empty, with a note, when it says nothing."""
    try:
        found = await search(archive, Query(Level.STUDY, filters={"StudyInstanceUID": study_uid}), limit=1)
    except ArchiveError as problem:
        notes.append(f"The study's own attributes are not known: {problem}")
        return {}
    return next(iter(found.rows), {})


def _instances(study: Study, row: DicomJson) -> int | None:
    counts = [series.count for series in study.series]
    if study.complete and all(count is not None for count in counts):
        return sum(filter(None, counts))
    return integer(row, "NumberOfStudyRelatedInstances")


async def _refers_to(where: Whereabouts, study: Study, series: Series) -> list[str]:
    """Short words for what the derived objects of a series refer to: UIDs of series, the best evidence first."""
    if not series.is_derived:
        return []
    links = await where.links(one for seen in series.objects for one in seen.references)
    if links:
        return named([link.words(study) for link in links])
    frames = any(seen.frames_of_reference for seen in series.objects)
    return ["nothing but a frame of reference"] if frames else ["nothing"] if series.objects else []
