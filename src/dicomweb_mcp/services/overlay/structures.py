"""A structure set drawn on an image: the contours that lie in its plane (PS3.3 C.8.8.6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import itemgetter
from statistics import median_low

import anyio

from ...dicom.geometry import CLOSE, SAME_PLACE, by_place, dot, normal
from ...dicom.objects.rt.contours import FLATTEST, stacked
from ...dicom.objects.rt.regions import DrawnContour, Region, regions
from ...dicom.values import DicomJson
from .base import Cut, Found, Misplaced, Part, Target, check_space


@dataclass(frozen=True)
class _Placed:
    """Contours of a region that are parallel to an image, each with its place along the image's normal; and how many
    are not."""

    contours: Sequence[tuple[float, DrawnContour]]
    askew: int


class StructureSet:
    """The regions of one object (PS3.3 A.19)."""

    def __init__(self, found: Sequence[Region]) -> None:
        self._regions: dict[int, Region] = {}
        for region in found:
            same = self._regions.get(region.number)  # against the standard; the contours are those of both
            name = f"{same.name} / {region.name}" if same else region.name
            self._regions[region.number] = replace(same or region, name=name)

    @classmethod
    async def of(cls, obj: DicomJson) -> "StructureSet":
        """Its contours can be many, so they are read in a worker thread."""
        return cls(await anyio.to_thread.run_sync(regions, obj, abandon_on_cancel=True))

    @property
    def names(self) -> Mapping[int, str]:
        return {number: region.name for number, region in self._regions.items()}

    @property
    def recommended(self) -> Mapping[int, str]:
        return {number: region.colour for number, region in self._regions.items()}

    def reach(self, numbers: Sequence[int]) -> str:
        contours = [one.contour for number in numbers for one in self._regions[number].contours]
        heights = [value for contour in contours for value in contour.z]
        return f"z {min(heights):.2f} to {max(heights):.2f} mm" if heights else ""

    async def on(self, target: Target, numbers: Sequence[int]) -> Found:
        if not (target.plane.is_placed and target.plane.grid.pixel_spacing):
            raise Misplaced("This image has no place in the patient, so the contours cannot be drawn on it.")
        return await anyio.to_thread.run_sync(self._on, target, numbers, abandon_on_cancel=True)

    async def fullest(self, number: int) -> Cut | None:
        return await anyio.to_thread.run_sync(self._fullest, number, abandon_on_cancel=True)

    def _fullest(self, number: int) -> Cut | None:
        closed = [one.contour for one in self._regions[number].contours if one.is_closed]
        planes = stacked(closed)
        if planes is None:
            return None
        best = max(range(len(planes.areas)), key=lambda nth: planes.areas[nth])
        return Cut(tuple(part * planes.positions[best] for part in planes.normal), planes.normal)

    def _on(self, target: Target, numbers: Sequence[int]) -> Found:
        found = Found(how="placed by patient coordinates")
        drawable = [self._regions[number] for number in numbers if self._regions[number].contours]
        own = target.plane.grid.frame_of_reference
        elsewhere = [region for region in drawable if not own or region.frame_of_reference != own]
        if elsewhere and len(elsewhere) == len(drawable):
            check_space(target, elsewhere[0].frame_of_reference, "the structure set")
        if elsewhere:
            found.notes.append(f"Regions in another frame of reference are not drawn: {_named(elsewhere)}.")
        farthest, askew, unread = 0.0, [], [self._regions[number] for number in numbers if self._regions[number].unread]
        for region in (region for region in drawable if region not in elsewhere):
            placed = _parallel(region, target)
            if placed.askew:
                askew.append(region)
            distance, nearest = _nearest(placed.contours, _position(target), target.plane.grid.thickness)
            if nearest:
                farthest = max(farthest, distance)
                found.parts[region.number] = _part(nearest, target)
        if farthest > CLOSE:
            found.how += f"; the nearest contours lie up to {farthest:.2f} mm from the plane of the image"
        if askew:
            found.notes.append(
                f"Contours in planes that are not parallel to this image are not drawn: {_named(askew)}."
            )
        if unread:
            found.notes.append(f"Not all contours of these regions could be read: {_named(unread)}.")
        found.is_whole = not (elsewhere or askew or unread)
        return found


def _named(found: Sequence[Region]) -> str:
    return ", ".join(f"{region.number} {region.name}".strip() for region in found)


def _axis(target: Target) -> Sequence[float]:
    return normal(target.plane.grid.orientation) or (0.0, 0.0, 1.0)


def _position(target: Target) -> float:
    return dot(_axis(target), target.plane.origin)


def _parallel(region: Region, target: Target) -> _Placed:
    axis, found = _axis(target), []
    for one in region.contours:
        points = zip(one.contour.x, one.contour.y, one.contour.z, strict=True)
        heights = [dot(axis, point) for point in points]
        if max(heights) - min(heights) <= FLATTEST:
            found.append((sum(heights) / len(heights), one))
    return _Placed(found, len(region.contours) - len(found))


def _nearest(
    contours: Sequence[tuple[float, DrawnContour]], position: float, thickness: float
) -> tuple[float, list[DrawnContour]]:
    """The contours of the plane that is nearest to a position, if it is no farther than half the usual distance of
    planes and half the thickness of the image."""
    if not contours:
        return 0.0, []
    planes = by_place(contours, itemgetter(0))
    places = [plane[0][0] for plane in planes]
    steps = [after - before for before, after in pairwise(places)]
    known = [*([median_low(steps)] if steps else []), *([thickness] if thickness else [])]
    reach = max(min(known, default=0.0) / 2, CLOSE) + SAME_PLACE
    distance, best = min((abs(place - position), nth) for nth, place in enumerate(places))
    return (distance, [one for _, one in planes[best]]) if distance <= reach else (0.0, [])


def _part(contours: Sequence[DrawnContour], target: Target) -> Part:
    from ...pixels.overlay.drawing import path_of

    paths = [path_of(one.contour, target.plane, is_closed=one.is_closed) for one in contours]
    return Part(f"{len(paths)} contour{'s' * (len(paths) != 1)}", paths=paths)
