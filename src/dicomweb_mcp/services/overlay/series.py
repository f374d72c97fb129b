"""A series of segmentations or structure sets, opened to be drawn on images of its study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...archives.base import Archive, NotFound, NotOffered, NotUnderstood, Place, Refused
from ...dicom.facts import few
from ...dicom.geometry import SAME_DIRECTION, dot
from ...dicom.kinds import Kind, kind_of
from ...dicom.objects.named import Ambiguous, chosen
from ...dicom.rules import Level
from ...dicom.uids import is_uid
from ...dicom.values import DicomJson, clean, text
from ...errors import BadArgument
from ..app import App
from ..left_out import whole_object
from ..listing import objects_of
from ..lookup import find_place, first_row
from .base import Found, Source, Target
from .segmentation import Segmentation
from .structures import StructureSet

if TYPE_CHECKING:
    from ...pixels.overlay.colours import Colour
    from ...pixels.overlay.drawing import Mark

MOST_OBJECTS = 8
MOST_MARKS = 64
LONGEST_DESCRIPTION = 64
NEEDS_OVERLAY = "{} is about the segments of an overlay: give overlay, the UID of its series, too."
DRAWABLE = (Kind.SEGMENTATION, Kind.STRUCTURE_SET)


@dataclass(frozen=True)
class OnImage:
    """What of an overlay lies on one image: the marks, each in words, and how they were placed. ``is_whole``: nothing
    more can lie there."""

    marks: "Sequence[Mark]" = ()
    parts: Sequence[str] = ()
    how: str = ""
    notes: tuple[str, ...] = ()
    is_whole: bool = True


@dataclass(frozen=True)
class Overlay:
    """The segments or regions that are drawn: ``wanted`` are their numbers within each source, and ``colours`` go by
    the source's place from 0 and the number."""

    title: str
    sources: Sequence[Source]
    wanted: Sequence[Sequence[int]]
    colours: "Mapping[tuple[int, int], Colour]"
    notes: tuple[str, ...]

    async def on(self, target: Target) -> OnImage:
        """What of it lies on an image. Raises Misplaced where that cannot be known, Undecodable or ArchiveError."""
        marks: list[Mark] = []
        parts: list[str] = []
        notes: list[str] = list(self.notes)
        ways: list[str] = []
        is_whole = True
        for nth, (source, numbers) in enumerate(zip(self.sources, self.wanted, strict=True)):
            found = await source.on(target, numbers)
            notes += found.notes
            is_whole = is_whole and found.is_whole
            if found.parts:
                ways.append(found.how)
            self._add(nth, source, found, marks, parts)
        if len(marks) > MOST_MARKS:
            notes.append(f"Only the first {MOST_MARKS} of {len(marks)} are drawn: give segment to choose one.")
            marks, parts = marks[:MOST_MARKS], parts[:MOST_MARKS]
        return OnImage(marks, parts, "; ".join(dict.fromkeys(ways)), tuple(dict.fromkeys(notes)), is_whole)

    async def fullest(self, axis: Sequence[float]) -> float:
        """The position along an axis of the plane that holds the most of the one segment or region that is drawn.

        Raises BadArgument when there are several, or nothing of it.
        """
        places = [(source, number) for source, numbers in zip(self.sources, self.wanted, strict=True)
                  for number in numbers]  # fmt: skip
        if len(places) != 1:
            named = few([self._name(source, number) for source, number in places], MOST_MARKS)
            raise BadArgument(f'slice="largest" needs segment, because the overlay holds several: {named}.')
        source, number = places[0]
        cut = await source.fullest(number)
        if cut is None:
            raise BadArgument(
                f"{self._name(source, number)} has no area in parallel planes, so no slice holds the most of it"
                f"{self._where()}: choose by slice or position_mm."
            )
        if abs(dot(axis, cut.normal)) < SAME_DIRECTION:
            raise BadArgument(
                f"The planes of {self._name(source, number)} are not parallel to these images, so which of them holds "
                "the most of it was not measured: choose by slice or position_mm."
            )
        return dot(axis, cut.point)

    def _add(self, nth: int, source: Source, found: Found, marks: "list[Mark]", parts: list[str]) -> None:
        from ...pixels.overlay.colours import written
        from ...pixels.overlay.drawing import Mark

        for number, part in found.parts.items():
            name, colour = self._name(source, number), self.colours[nth, number]
            marks.append(Mark(name, colour, part.mask, part.paths))
            parts.append(f"{name} {written(colour)}, {part.size}")

    def _name(self, source: Source, number: int) -> str:
        return f"{number} {source.names[number]}".strip()

    def words(self, on: OnImage) -> str:
        """What is drawn on an image, or that nothing of it lies there."""
        count = sum(map(len, self.wanted))
        if on.parts:
            return f"{self.title}; {on.how}; on this image {len(on.parts)} of {count}: {'; '.join(on.parts)}"
        if on.is_whole:
            nothing = "the segment does not touch" if count == 1 else f"none of the {count} segments touches"
        else:
            what = "nothing of the segment" if count == 1 else f"none of the {count} segments"
            nothing = f"{what} could be drawn on"
        largest = 'slice="largest" with segment shows the slice with the most of it'
        return f"{self.title}; {nothing} this image{self._where()}; {largest}"

    @property
    def legend(self) -> "list[Mark]":
        """All that may be drawn, by name and colour alone."""
        from ...pixels.overlay.drawing import Mark

        return [
            Mark(self._name(source, number), self.colours[nth, number])
            for nth, (source, numbers) in enumerate(zip(self.sources, self.wanted, strict=True))
            for number in numbers
        ]

    def _where(self) -> str:
        """Where the segments or regions that are drawn lie, in words that follow others."""
        reach = [source.reach(numbers) for source, numbers in zip(self.sources, self.wanted, strict=True)]
        return f"; it lies at {'; '.join(filter(None, reach))}" if any(reach) else ""


async def open_overlay(
    app: App, archive: Archive, study_uid: str, series_uid: str, segment: int | str | None = None
) -> Overlay:
    """The segments or regions of a series, or the one that is named. Raises BadArgument or ArchiveError."""
    place = await _place(app, archive, study_uid, series_uid)
    rows, notes = await objects_of(archive, place)
    kinds = {kind_of(row) for row in rows}
    if not kinds & set(DRAWABLE):
        raise BadArgument(
            f"overlay draws segmentations (SEG) and structure sets (RTSTRUCT); series {place.series_uid} holds "
            f"{few(sorted(kinds))}. describe_object with the series_uid of the images names what was made from them."
        )
    rows = [row for row in rows if kind_of(row) in DRAWABLE]
    if len(rows) > MOST_OBJECTS:
        raise BadArgument(f"The overlay series holds {len(rows)} objects, and at most {MOST_OBJECTS} are drawn.")
    sources: list[Source] = []
    for row in rows:
        own = Place(place.study_uid, place.series_uid, text(row, "SOPInstanceUID"))
        obj, more = await whole_object(archive, own)
        notes += more
        sources.append(await _source(archive, own, obj))
    if not any(source.names for source in sources):
        raise BadArgument("The overlay names no segments or regions that could be drawn: describe_object reads it.")
    # The objects of a series are of one modality and share its description, so the last one tells.
    description = clean(text(obj, "SeriesDescription"), LONGEST_DESCRIPTION)
    title = ", ".join([str(kind_of(obj)), *([f'"{description}"'] if description else []), f"series {place.series_uid}"])
    return Overlay(title, sources, _wanted(sources, segment), _colours(sources), tuple(notes))


async def _place(app: App, archive: Archive, study_uid: str, series_uid: str) -> Place:
    """The place of the overlay, which must be in the study of the images."""
    try:
        place = await find_place(app, archive, None, series_uid, None)
    except (BadArgument, NotOffered, NotUnderstood, Refused):  # the archive cannot look up the study
        place = Place(study_uid, series_uid)
    except NotFound:  # nowhere, or it does not search without a study
        if not await first_row(archive, Level.SERIES, series_uid, study_uid):
            await _refuse_instance(archive, study_uid, series_uid)
            raise
        place = Place(study_uid, series_uid)
    if place.study_uid != study_uid:
        raise BadArgument(
            f"The overlay series belongs to another study ({place.study_uid}) than the images ({study_uid}): it is not "
            "drawn, because nothing says that they lie in one space."
        )
    assert place.level is Level.SERIES
    return place


async def _refuse_instance(archive: Archive, study_uid: str, uid: str) -> None:
    """Raises BadArgument for the UID of an instance, with that of its series."""
    row = await first_row(archive, Level.INSTANCE, uid, study_uid)
    if row and is_uid(series := text(row, "SeriesInstanceUID")):
        raise BadArgument(f"overlay={uid} is the UID of an instance: overlay takes that of its series, {series}.")


async def _source(archive: Archive, place: Place, obj: DicomJson) -> Source:
    if kind_of(obj) is Kind.STRUCTURE_SET:
        return await StructureSet.of(obj)
    return Segmentation(archive, place, obj)


def _wanted(sources: Sequence[Source], segment: int | str | None) -> list[list[int]]:
    """The numbers that are drawn of each source: all, or the one of one source."""
    if segment is None:
        return [list(source.names) for source in sources]
    found: list[list[int]] = []
    problem: BadArgument | None = None
    for source in sources:
        try:
            found.append([chosen(segment, source.names)])
        except Ambiguous:
            raise
        except BadArgument as reason:
            problem = problem or reason
            found.append([])
    if problem and not any(found):
        raise problem
    return found


def _colours(sources: Sequence[Source]) -> "dict[tuple[int, int], Colour]":
    from ...pixels.overlay.colours import colours_of

    keys = [(nth, number) for nth, source in enumerate(sources) for number in source.names]
    wanted = {place: sources[nth].recommended[number] for place, (nth, number) in enumerate(keys)}
    return {keys[place]: colour for place, colour in colours_of(wanted).items()}
