"""Metadata of a study, a series or an instance, reduced while it arrives."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

from ..archives.base import Place
from ..dicom.summary import Summary, parse_fields
from ..dicom.values import text
from .app import App
from .lookup import find_place


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
    async with aclosing(archive.metadata(place)) as objects:
        async for obj in objects:
            if place.instance_uid and (found := text(obj, "SOPInstanceUID")) and found != place.instance_uid:
                continue
            summary.add(obj, wanted, private=private)
    return Metadata(place, summary)
