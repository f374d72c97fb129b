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
    for keyword, uid in _asked(place).items():
        if not _agree(text(obj, keyword), uid):
            raise NotUnderstood(archive.name, f"answered with metadata of another {keyword} than {uid}.")


def belongs(place: Place, obj: DicomJson) -> bool:
    """Whether metadata do not say that they belong elsewhere."""
    return all(_agree(text(obj, keyword), uid) for keyword, uid in _asked(place).items())


def _asked(place: Place) -> dict[str, str | None]:
    return {"StudyInstanceUID": place.study_uid, "SeriesInstanceUID": place.series_uid}


def _agree(said: str, uid: str | None) -> bool:
    return not said or not uid or said == uid
