"""What an archive leaves out of its metadata, read from the instance itself.

Google's stores leave sequences of more than about 1 MB out, without a word and without a BulkDataURI.
"""

from collections.abc import Iterable, Sequence
from contextlib import aclosing

from anyio import to_thread

from ..archives.base import Archive, ArchiveError, NotFound, NotUnderstood, Place
from ..archives.part10.arriving import ArrivingHeader
from ..archives.part10.dataset import Damaged
from ..dicom.functional_groups import PER_FRAME, SHARED, frame_count
from ..dicom.kinds import CONTENT, kind_of
from ..dicom.summary.fields import Path
from ..dicom.tags import tag_of
from ..dicom.uids import is_uid
from ..dicom.values import DicomJson, text
from .instance import instance_metadata

MOST_FILES = 5  # whose headers are read for one answer
MOST_HEADER = 64 << 20  # bytes of a file that are read for the sake of its header


def left_out(archive: Archive, obj: DicomJson) -> list[str]:
    """The sequences that an object of this kind should have, and that the archive seems to have left out."""
    if not archive.profile.leaves_out_sequences:
        return []
    expected = list(CONTENT.get(kind_of(obj), ()))
    if frame_count(obj) > 1 and tag_of(SHARED) in obj:
        expected.append(PER_FRAME)
    if text(obj, "DimensionOrganizationType") == "TILED_FULL":  # where frames need no groups of their own
        expected = [keyword for keyword in expected if keyword != PER_FRAME]
    return [keyword for keyword in dict.fromkeys(expected) if tag_of(keyword) not in obj]


def said(keywords: Iterable[str]) -> str:
    """The words for sequences that are not in the metadata."""
    return (
        f"{', '.join(keywords)}: not in the archive's metadata, which leave large sequences out; "
        "fields reads them from the file"
    )


class WholeSequences:
    """Completes objects by sequences that were asked for by name. When a file does not have them either, they exist
    nowhere, and no further file is asked."""

    def __init__(self, archive: Archive, paths: Sequence[Path]) -> None:
        self._archive = archive
        leaves_out = archive.profile.leaves_out_sequences
        self._keywords = [path[0].keyword for path in paths if path[0].vr == "SQ" and path[0].keyword and leaves_out]
        self._left = MOST_FILES

    @property
    def may_ask(self) -> bool:
        """Whether files may be asked for."""
        return bool(self._keywords)

    async def completed(self, place: Place, obj: DicomJson) -> DicomJson:
        """The object with what the archive left out. Raises ArchiveError."""
        lacking = [keyword for keyword in self._keywords if tag_of(keyword) not in obj]
        if not lacking or not self._left:
            return obj
        series, uid = text(obj, "SeriesInstanceUID") or place.series_uid, text(obj, "SOPInstanceUID")
        if not (series and is_uid(series) and is_uid(uid)):
            return obj
        found = await with_left_out(self._archive, Place(place.study_uid, series, uid), obj, lacking)
        self._left = self._left - 1 if len(found) > len(obj) else 0
        return found


async def whole_object(archive: Archive, place: Place) -> tuple[DicomJson, list[str]]:
    """The metadata of an object, with the sequences that hold its content even where the archive leaves large ones out;
    what could not be had is a sentence."""
    obj = await instance_metadata(archive, place)
    lacking = left_out(archive, obj)
    if not lacking:
        return obj, []
    try:
        obj = await with_left_out(archive, place, obj, lacking)
    except ArchiveError as problem:
        return obj, [f"{said(lacking)}, which failed. {problem}"]
    return obj, []


async def with_left_out(archive: Archive, place: Place, obj: DicomJson, keywords: Iterable[str]) -> DicomJson:
    """The object with these attributes out of its own file, as far as the file has them and the archive's metadata
    have not. Raises ArchiveError."""
    wanted = [tag_of(keyword) for keyword in keywords]
    if not archive.profile.leaves_out_sequences or all(tag in obj for tag in wanted):
        return obj
    whole = await _header(archive, place)
    return {**obj, **{tag: whole[tag] for tag in wanted if tag in whole and tag not in obj}}


async def _header(archive: Archive, place: Place) -> DicomJson:
    """The header of an instance's file; what follows it is not fetched."""
    arriving = ArrivingHeader()
    try:
        async with aclosing(archive.instances(place)) as files:
            async for file in files:
                async for chunk in file.chunks:
                    if found := await to_thread.run_sync(arriving.feed, chunk):
                        return found
                    if arriving.size > MOST_HEADER:
                        raise NotUnderstood(
                            archive.name,
                            f"the header of {place} is longer than {MOST_HEADER >> 20} MiB and was not read.",
                        )
                return await to_thread.run_sync(arriving.end)
    except Damaged as reason:
        raise NotUnderstood(archive.name, f"the file of {place} is damaged: {reason}.") from None
    finally:
        arriving.close()
    raise NotFound(archive.name, f"gave no file of {place}.")
