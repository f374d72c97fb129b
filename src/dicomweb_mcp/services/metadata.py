"""Metadata of a study, a series or an instance, reduced while it arrives."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

import anyio
import anyio.lowlevel

from ..archives.base import Archive, NotFound, NotUnderstood, Place
from ..dicom.rules import Level
from ..dicom.summary import Summary, parse_fields
from ..dicom.values import DicomJson, text
from .app import App
from .lookup import find_place, where_else


@dataclass(frozen=True)
class Metadata:
    """The reduced metadata of everything at a place."""

    place: Place
    summary: Summary


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
    wanted = parse_fields(fields) if fields else None
    archive = app.archive(archive_name)
    place = await find_place(app, archive, study_uid, series_uid, instance_uid)
    summary = Summary()
    if place.instance_uid:
        summary.add(await instance_metadata(archive, place), wanted, private=private)
        return Metadata(place, summary)
    try:
        async with aclosing(archive.metadata(place)) as objects:
            seen: set[str] = set()
            async for obj in objects:
                _check_place(archive, place, obj)
                uid = text(obj, "SOPInstanceUID")
                if uid and uid in seen:
                    continue
                seen.add(uid)
                summary.add(obj, wanted, private=private)
                await anyio.lowlevel.checkpoint()  # thousands of instances must not hold up other calls
    except NotFound:
        if place.level is Level.STUDY and (elsewhere := await where_else(archive, Level.STUDY, place.study_uid)):
            raise NotFound(archive.name, elsewhere) from None
        raise
    return Metadata(place, summary)


async def instance_metadata(archive: Archive, place: Place) -> DicomJson:
    """The metadata of one instance, and of no other. Raises ArchiveError."""
    async with aclosing(archive.metadata(place)) as objects:
        async for obj in objects:
            if text(obj, "SOPInstanceUID") == place.instance_uid:
                _check_place(archive, place, obj)
                return obj
    raise NotUnderstood(archive.name, f"answered with the metadata of another object than {place}.")


def _check_place(archive: Archive, place: Place, obj: DicomJson) -> None:
    """Metadata that say that they belong elsewhere are not shown as those of this place."""
    asked = {"StudyInstanceUID": place.study_uid, "SeriesInstanceUID": place.series_uid}
    for keyword, uid in asked.items():
        said = text(obj, keyword)
        if uid and said and said != uid:
            raise NotUnderstood(archive.name, f"answered with metadata of another {keyword} than {uid}.")
