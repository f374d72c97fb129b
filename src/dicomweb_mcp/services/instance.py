"""The metadata of one instance, and whether metadata belong where they were asked for."""

from contextlib import aclosing

from ..archives.base import Archive, NotUnderstood, Place
from ..dicom.values import DicomJson, text


async def instance_metadata(archive: Archive, place: Place) -> DicomJson:
    """The metadata of one instance, and of no other. Raises ArchiveError."""
    try:
        async with aclosing(archive.metadata(place)) as objects:
            async for obj in objects:
                if text(obj, "SOPInstanceUID") == place.instance_uid:
                    check_place(archive, place, obj)
                    return obj
        raise NotUnderstood(archive.name, f"answered with the metadata of another object than {place}.")
    except NotUnderstood:
        archive.forget(place)
        raise


def check_place(archive: Archive, place: Place, obj: DicomJson) -> None:
    """Metadata that say that they belong elsewhere are not shown as those of this place. Raises NotUnderstood."""
    asked = {"StudyInstanceUID": place.study_uid, "SeriesInstanceUID": place.series_uid}
    for keyword, uid in asked.items():
        said = text(obj, keyword)
        if uid and said and said != uid:
            raise NotUnderstood(archive.name, f"answered with metadata of another {keyword} than {uid}.")
