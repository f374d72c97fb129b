"""What get_metadata answers: an instance, a series or a study, reduced to what they say."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio

from ..archives.base import Archive, NotFound, Place
from ..dicom.acquisition import acquisition
from ..dicom.kinds import Kind, kind_of
from ..dicom.rules import Level
from ..dicom.summary.fields import parse_fields
from ..dicom.volume import describe_geometry
from .app import App
from .instance import instance_metadata
from .left_out import WholeSequences, left_out, said
from .lookup import find_place, where_else
from .series import Reading, Wanted, read_instances
from .study.table import StudyTable, study_table


@dataclass(frozen=True)
class Metadata:
    """The reduced metadata of everything at a place; ``table`` are the series of a study."""

    place: Place
    reading: Reading
    geometry: dict[str, Any] = field(default_factory=dict)
    acquisition: list[str] = field(default_factory=list)
    table: StudyTable | None = None


async def read_metadata(
    app: App,
    archive_name: str | None,
    *,
    study_uid: str | None = None,
    series_uid: str | None = None,
    instance_uid: str | None = None,
    fields: Sequence[str] | None = None,
    private: bool = False,
) -> Metadata:
    """The metadata of the lowest UID given. Raises BadArgument, UnknownAttribute or ArchiveError."""
    wanted = Wanted(parse_fields(fields), private)
    archive = app.archive(archive_name)
    place = await find_place(app, archive, study_uid, series_uid, instance_uid)
    await archive.settle()
    try:
        if place.level is Level.INSTANCE:
            return await _described(place, await _one(archive, place, wanted), wanted)
        if place.level is Level.STUDY and wanted.is_usual and not private:
            table = await study_table(app, archive, place)
            return Metadata(place, Reading(total=table.instances or 0), table=table)
        reading = await read_instances(archive, place, wanted)
        if place.level is Level.STUDY:
            reading.notes.append("This is about all series of the study together: give series_uid for one of them.")
        return await _described(place, reading, wanted)
    except NotFound:
        if place.level is Level.STUDY and (elsewhere := await where_else(archive, Level.STUDY, place.study_uid)):
            raise NotFound(archive.name, elsewhere) from None
        raise


async def _one(archive: Archive, place: Place, wanted: Wanted) -> Reading:
    """One instance; what its archive left out is read where it was asked for, and named where it was not."""
    reading = Reading(total=1)
    obj = await instance_metadata(archive, place)
    if lacking := left_out(archive, obj) if not wanted.fields.paths else ():
        reading.notes.append(f"{said(lacking)}.")
    await reading.take(await WholeSequences(archive, wanted.fields.paths).completed(place, obj), wanted)
    return reading


async def _described(place: Place, reading: Reading, wanted: Wanted) -> Metadata:
    """With what the images of a series are as a whole; attributes that were asked for by name stand alone."""
    if wanted.fields.paths or not place.series_uid or reading.first is None:
        return Metadata(place, reading)
    geometry = {}
    if reading.planes:
        geometry = await anyio.to_thread.run_sync(
            lambda: describe_geometry(reading.planes, all_positions=reading.all_positions), abandon_on_cancel=True
        )
    kind = kind_of(reading.first)
    if kind is not Kind.IMAGE:
        reading.notes.append(f"This is a {kind}: describe_object reads its content.")
    return Metadata(place, reading, geometry, acquisition(reading.first, reading.summary.varying))
