"""The metadata of all instances of a series in one request, where that comes sooner than a search for their places."""

from collections.abc import Collection, Sequence
from contextlib import aclosing

from ..archives.base import Archive, Failed, NotFound, NotUnderstood, Place, Refused
from ..dicom.encoded import json_text
from ..dicom.rules import Level
from ..dicom.uids import is_uid
from ..dicom.values import DicomJson, integer, text
from .instance import check_place
from .lookup import first_row

MOST_METADATA = 500  # instances whose metadata are read together
MOST_BYTES = 8 << 20  # more of them are not worth the search that they save
PIXELS = ("7FE00008", "7FE00009", "7FE00010")
OF_NO_USE = (Failed, NotFound, NotUnderstood, Refused)  # the search may do better, or says what is wrong


async def metadata_first(archive: Archive, place: Place) -> Sequence[DicomJson]:
    """The whole metadata of every instance of a series of images. Empty where the archive had better be searched: they
    may be long, or are not what they should be. Raises ArchiveError for what a search would meet as well."""
    if not archive.profile.metadata_first:
        return []
    try:
        count = await _expected(archive, place)
        found = await _read(archive, place) if 1 <= count <= MOST_METADATA else {}
    except OF_NO_USE:
        return []
    is_whole = len(found) == count and all(map(is_uid, found)) and name_pixels(found.values())
    return list(found.values()) if is_whole else []


def name_pixels(objects: Collection[DicomJson]) -> bool:
    """Whether metadata that tell of images tell of their pixel data too. A server may be set up to give no more than
    what its index has, or to guess the rest from a few of the instances (Orthanc's ``SeriesMetadata``)."""
    images = [obj for obj in objects if integer(obj, "Rows") is not None]
    return bool(images) and all(any(tag in obj for tag in PIXELS) for obj in images)


async def _expected(archive: Archive, place: Place) -> int:
    """How many instances the series has, 0 where that is not known; also for slides, whose metadata tell of every
    tile."""
    assert place.series_uid
    row = await first_row(archive, Level.SERIES, place.series_uid, place.study_uid) or {}
    return 0 if text(row, "Modality") == "SM" else integer(row, "NumberOfSeriesRelatedInstances", 0) or 0


async def _read(archive: Archive, place: Place) -> dict[str, DicomJson]:
    """By SOPInstanceUID; nothing when they are too long."""
    found: dict[str, DicomJson] = {}
    size = 0
    async with aclosing(archive.metadata(place)) as objects:
        async for obj in objects:
            check_place(archive, place, obj)
            found[text(obj, "SOPInstanceUID")] = obj
            size += len(json_text(obj))
            if len(found) > 1 and size > MOST_BYTES:
                return {}
    return found
