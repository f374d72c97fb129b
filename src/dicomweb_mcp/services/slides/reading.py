"""The images of a slide, read as cheaply as the archive allows: per-frame groups only where tiles cannot be found
without them, and never kept."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

import anyio

from ...archives.base import Archive, NotUnderstood, Place
from ...dicom.encoded import json_text, without
from ...dicom.functional_groups import PER_FRAME
from ...dicom.query import Query, make_plan
from ...dicom.rules import Level as SearchLevel
from ...dicom.slide import Instance, Slide, read_instance, slide_of
from ...dicom.tags import tag_of
from ...dicom.uids import is_uid
from ...dicom.values import DicomJson, clean, integer, text
from ...errors import BadArgument
from ..app import App
from ..instance import check_place
from ..left_out import whole_object
from ..lookup import find_place, nothing_at
from ..paging import every_match

MOST_INSTANCES = 500  # of one series
DECODED = 10  # times larger than its text is DICOM JSON that was decoded
FIELDS = (
    "SOPClassUID", "Modality", "ImageType", "SeriesDescription", "StudyDate", "FrameOfReferenceUID",
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "LossyImageCompression", "BurnedInAnnotation",
    "TotalPixelMatrixColumns", "TotalPixelMatrixRows", "TotalPixelMatrixFocalPlanes",
    "TotalPixelMatrixOriginSequence", "ImagedVolumeWidth", "ImagedVolumeHeight", "DimensionOrganizationType",
    "NumberOfOpticalPaths", "OpticalPathSequence", "SharedFunctionalGroupsSequence", "ConcatenationUID",
    "InConcatenationNumber", "InConcatenationTotalNumber", "ConcatenationFrameOffsetNumber", "ContainerIdentifier",
    "ContainerTypeCodeSequence", "SpecimenDescriptionSequence", "Manufacturer", "ManufacturerModelName",
    "ImageOrientationSlide", "ICCProfile", "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor", "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData",
)  # fmt: skip
"""What the levels are built of and tiles are decoded with, and no more."""


@dataclass
class OpenedSlide:
    """A slide, where it lies, and the metadata of its instances by UID, without their per-frame groups."""

    place: Place
    slide: Slide
    objects: Mapping[str, DicomJson] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes in memory, roughly: of the metadata when all of them have been looked at, and of the frames' places."""
        texts = sum(len(json_text(obj)) for obj in self.objects.values())
        sheets = [sheet for level in self.slide.levels for one in level.instances if one.places
                  for sheet in one.places.sheets.values()]  # fmt: skip
        return DECODED * texts + sum(sheet.size for sheet in sheets)

    def place_of(self, uid: str) -> Place:
        """Of an instance."""
        return Place(self.place.study_uid, self.place.series_uid, uid)

    @property
    def first(self) -> DicomJson:
        """The metadata of the finest level, for what holds for the whole series."""
        uids = [one.uid for level in self.slide.levels for one in level.instances]
        return next((self.objects[uid] for uid in uids if uid in self.objects), next(iter(self.objects.values()), {}))


async def find_slide(app: App, archive: Archive, study_uid: str | None, series_uid: str | None) -> Place:
    """The series that is meant. Raises BadArgument or ArchiveError."""
    place = await find_place(app, archive, study_uid, series_uid, None)
    if place.level is SearchLevel.STUDY:
        raise BadArgument(
            f"A slide is a series: call describe_slide with study_uid={place.study_uid}, then give a series_uid of it."
        )
    return place


async def open_slide(app: App, archive: Archive, place: Place) -> OpenedSlide:
    """The slide of a series, as it was read a short while ago where pictures are remembered: the model alone, because
    metadata with per-frame groups may be too large to be kept. Raises BadArgument for a series of other images, or
    ArchiveError."""
    if not app.remembers(archive.name):
        return await _read(archive, place)
    key = app.memory.key(archive.name, "slide", place)
    opened: OpenedSlide | None = app.memory.recall(key)
    if opened is None:
        opened = await _read(app.archive(archive.name), place)
        app.memory.keep(key, opened, opened.size)
    return opened


async def _read(archive: Archive, place: Place) -> OpenedSlide:
    await archive.settle()
    found = _Found()
    if archive.profile.returns_any:
        await _by_search(archive, place, found)
    else:
        await _by_metadata(archive, place, found)
    slide = await anyio.to_thread.run_sync(slide_of, found.instances, abandon_on_cancel=True)
    if not slide.levels and not slide.images:
        kind = clean(text(next(iter(found.objects.values()), {}), "Modality"), 16) or "other images"
        raise BadArgument(
            f"Series {place.series_uid} is no slide ({kind}): preview_series and render_frame show other images, "
            "describe_object reads derived objects."
        )
    return OpenedSlide(place, slide, found.objects)


@dataclass
class _Found:
    instances: list[Instance] = field(default_factory=list)
    objects: dict[str, DicomJson] = field(default_factory=dict)

    async def add(self, archive: Archive, place: Place, obj: DicomJson) -> None:
        """Read one object in a thread, because its groups may be many, and let go of them."""
        check_place(archive, place, obj)
        uid = text(obj, "SOPInstanceUID")
        if not is_uid(uid):
            raise NotUnderstood(archive.name, "lists instances of this series whose UIDs are none.")
        if len(self.objects) >= MOST_INSTANCES:
            raise BadArgument(f"The series has more than {MOST_INSTANCES} instances, too many for one slide.")
        self.instances.append(await anyio.to_thread.run_sync(read_instance, obj, abandon_on_cancel=True))
        self.objects[uid] = without(obj, tag_of(PER_FRAME))


async def _by_search(archive: Archive, place: Place, found: _Found) -> None:
    """What a search returns, and the metadata of those alone whose tiles are listed one by one."""
    query = Query(SearchLevel.INSTANCE, study_uid=place.study_uid, series_uid=place.series_uid, fields=FIELDS)
    _, scan = await every_match(archive, make_plan(query, archive.profile.rules), MOST_INSTANCES)
    if not scan.rows:
        raise await nothing_at(archive, place)
    if not scan.ended:
        raise BadArgument(f"The series has more than {MOST_INSTANCES} instances, too many for one slide.")
    for row in scan.rows:
        uid = text(row, "SOPInstanceUID")
        if _is_listed(row) and is_uid(uid):
            row, _ = await whole_object(archive, Place(place.study_uid, place.series_uid, uid))
        await found.add(archive, place, row)


def _is_listed(row: DicomJson) -> bool:
    """Whether its tiles may lie where their groups say; one tile that is the whole matrix cannot."""
    sides = [(integer(row, f"TotalPixelMatrix{side}") or 0, integer(row, side) or 0) for side in ("Columns", "Rows")]
    is_tiled = text(row, "DimensionOrganizationType") == "TILED_SPARSE" or any(all_of > tile for all_of, tile in sides)
    is_many = (integer(row, "NumberOfFrames") or 1) > 1
    return text(row, "DimensionOrganizationType") != "TILED_FULL" and bool(sides[0][0]) and (is_tiled or is_many)


async def _by_metadata(archive: Archive, place: Place, found: _Found) -> None:
    """One request for all of them, each read while the next ones arrive."""
    async with aclosing(archive.metadata(place)) as objects:
        async for obj in objects:
            await found.add(archive, place, obj)
