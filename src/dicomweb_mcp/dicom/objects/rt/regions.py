"""The regions of a structure set as they can be drawn (PS3.3 C.8.8.5, C.8.8.6)."""

from dataclasses import dataclass

from ...values import DicomJson, clean, integer, items, text
from .contours import Contour, Malformed, contour_of
from .structure_set import CLOSED, MOST_POINTS, display_colour

LONGEST_NAME = 64


@dataclass(frozen=True)
class DrawnContour:
    """One contour; ``is_closed`` by its ContourGeometricType."""

    contour: Contour
    is_closed: bool


@dataclass(frozen=True)
class Region:
    """One region of interest. ``colour`` is ``#rrggbb`` or empty; ``unread`` counts contours that are no points."""

    number: int
    name: str
    colour: str
    frame_of_reference: str
    contours: tuple[DrawnContour, ...]
    unread: int


def regions(obj: DicomJson) -> list[Region]:
    """The regions that have a number, in their order. Contours beyond MOST_POINTS points in all count as unread."""
    found, points = [], 0
    for item in items(obj, "StructureSetROISequence"):
        number = integer(item, "ROINumber")
        if number is None:
            continue
        own = [one for one in items(obj, "ROIContourSequence") if integer(one, "ReferencedROINumber") == number]
        contours, unread = [], 0
        for contour in (contour for one in own for contour in items(one, "ContourSequence")):
            read = _read(contour) if points <= MOST_POINTS else None
            if read is None:
                unread += 1
                continue
            points += len(read)
            contours.append(DrawnContour(read, text(contour, "ContourGeometricType") in CLOSED))
        colour = next((colour for one in own if (colour := display_colour(one))), "")
        name, space = clean(text(item, "ROIName"), LONGEST_NAME), text(item, "ReferencedFrameOfReferenceUID")
        found.append(Region(number, name, colour, space, tuple(contours), unread))
    return found


def _read(item: DicomJson) -> Contour | None:
    try:
        return contour_of(item)
    except Malformed:
        return None
