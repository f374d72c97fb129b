"""What objects a series holds."""

from collections.abc import Sequence

from ..archives.base import Archive, NotUnderstood, Place
from ..dicom.query import Query, make_plan
from ..dicom.rules import Level
from ..dicom.uids import is_uid
from ..dicom.values import DicomJson, integer, text
from .lookup import nothing_at
from .paging import Scan, every_match

MOST_INSTANCES = 2_000
FIELDS = ("SOPClassUID", "Modality", "InstanceNumber", "Rows")


async def objects_of(archive: Archive, place: Place) -> tuple[list[DicomJson], list[str]]:
    """The instances of a series in the order of InstanceNumber, at most MOST_INSTANCES, with what a search says of
    their kind; and what is to be said of the list. Raises ArchiveError."""
    scan = await instances_of(archive, place, FIELDS, MOST_INSTANCES)
    notes = [] if scan.ended else [f"Only {len(scan.rows):,} instances of the series were looked at; it has more."]
    rows = sorted(scan.rows, key=lambda row: (integer(row, "InstanceNumber", 0) or 0, text(row, "SOPInstanceUID")))
    return rows, notes


async def instances_of(archive: Archive, place: Place, fields: Sequence[str], most: int) -> Scan:
    """The instances of a series with these fields, as a search has them: at least one, each with its UID. Raises
    ArchiveError."""
    query = Query(Level.INSTANCE, study_uid=place.study_uid, series_uid=place.series_uid, fields=tuple(fields))
    _, scan = await every_match(archive, make_plan(query, (await archive.settle()).rules), most)
    if not scan.rows:
        raise await nothing_at(archive, place)
    if not all(is_uid(text(row, "SOPInstanceUID")) for row in scan.rows):
        archive.forget(place)
        raise NotUnderstood(archive.name, "lists instances of this series whose UIDs are none.")
    return scan
