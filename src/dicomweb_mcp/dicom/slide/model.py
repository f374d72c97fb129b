"""A series of slide images -> one slide: levels, label and overview, focal planes, optical paths, facts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...errors import BadArgument
from ..facts import few, first_few
from ..objects.named import MOST_NAMED
from ..values import clean
from . import notes
from .instance import Instance, PlaneKey
from .levels import FocalPlane, Level, factor, levels_of, measured, tilings
from .optics import OpticalPath

LIKE_A_LEVEL = 0.01  # by how much a thumbnail's sides may differ from those of the slide
MOST_PATHS, MOST_PLANES, MOST_NOTES = 500, 500, 20


@dataclass(frozen=True)
class SlideImage:
    """A label, overview or thumbnail; ``level`` where it is also the coarsest level."""

    role: str
    instance: Instance
    level: int | None = None


@dataclass(frozen=True)
class Slide:
    """The levels are numbered here: 0 is the finest. ``mm_per_px`` is the size of a pixel of level 0, across and
    down; ``objective_power`` is None where magnifications are computed, as 10 / um per pixel."""

    levels: tuple[Level, ...]
    images: tuple[SlideImage, ...] = ()
    planes: tuple[FocalPlane, ...] = ()
    paths: tuple[OpticalPath, ...] = ()
    mm_per_px: tuple[float, float] | None = None
    objective_power: float | None = None
    facts: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()

    def level(self, number: int) -> Level:
        """Raises BadArgument where there is no such level."""
        if not 0 <= number < len(self.levels):
            raise BadArgument(f"level={number}: {self._levels_there()}")
        return self.levels[number]

    def _levels_there(self) -> str:
        if not self.levels:
            return "this slide has no level that can be read."
        return f"this slide has the levels 0 (the finest) to {len(self.levels) - 1}."

    def plane(self, number: int) -> FocalPlane:
        """Raises BadArgument where there is no such focal plane."""
        if not 1 <= number <= len(self.planes):
            there = f"1 to {len(self.planes)}" if len(self.planes) > 1 else "1 only"
            raise BadArgument(f"focal_plane={number}: the focal planes of this slide are numbered {there}.")
        return self.planes[number - 1]

    def usual_plane(self, level: Level, paths: Sequence[str] = ()) -> FocalPlane:
        """The middle one of those that a level shows in these optical paths, if there are any."""
        shown = next(filter(None, ([plane for plane in self.planes if level.shows(plane, some)]
                                   for some in (paths, paths[:1], ()))), list(self.planes))  # fmt: skip
        return shown[len(shown) // 2]

    def path(self, wanted: str) -> OpticalPath:
        """By identifier, else by channel or description, or the part of only one of these.

        Raises BadArgument with those that there are.
        """
        said = wanted.strip().casefold()
        for fits in (
            lambda path: path.identifier.casefold() == said,
            lambda path: said in (path.channel.casefold(), path.description.casefold()),
            lambda path: said in f"{path.channel} {path.description}".casefold(),
        ):
            found = [path for path in self.paths if said and fits(path)]
            if len(found) == 1:
                return found[0]
        names = [
            f"{path.identifier} {path.name if path.name != path.identifier else ''}".strip() for path in self.paths
        ]
        raise BadArgument(
            f"optical_path={clean(wanted, 64)!r} is not one of this slide: give the identifier of one of "
            f"{few(names, MOST_NAMED)}."
        )


def slide_of(instances: Iterable[Instance]) -> Slide:
    """The slide that the instances of a series are; whatever is odd or left out stands in its notes."""
    found = list(instances)
    unique, repeated = _unique(found)
    volumes = [one for one in unique if one.role == "volume"]
    kept, elsewhere = _of_one_frame(volumes)
    levels, misfits = levels_of(kept)
    mm_per_px, source = _pixel_size(levels)
    thumbnails = [one for one in unique if one.role == "thumbnail" and all(_is_of_slide(one, part) for part in kept)]
    levels, as_level = _with_thumbnail(levels, thumbnails, mm_per_px)
    power = next((path.objective_power for level in levels for one in level.instances for path in one.paths
                  if path.objective_power), None)  # fmt: skip
    levels = measured(levels, mm_per_px, power)
    planes = _planes(levels)
    slide = Slide(
        levels=tuple(levels),
        images=tuple(
            SlideImage(one.role, one, len(levels) - 1 if one is as_level else None)
            for one in sorted(unique, key=lambda one: (one.role, one.uid))
            if one.role not in ("volume", "other")
        ),
        planes=planes,
        paths=_paths(levels),
        mm_per_px=mm_per_px,
        objective_power=power,
        facts=next((one.facts for level in levels for one in level.instances), None)
        or next((one.facts for one in unique if one.role != "other"), {}),
    )
    said = [
        *notes.on_instances(unique, repeated, elsewhere, misfits),
        *notes.on_levels(slide.levels),
        *notes.on_scale(slide.levels, mm_per_px, source, power),
        *notes.on_planes(slide.levels, planes),
    ]
    return replace(slide, notes=tuple(first_few(said, MOST_NOTES)))


def _unique(found: Sequence[Instance]) -> tuple[list[Instance], int]:
    """Without those that come twice."""
    by_uid = {one.uid: one for one in reversed(found)}
    unique = [one for one in found if not one.uid or by_uid[one.uid] is one]
    return unique, len(found) - len(unique)


def _of_one_frame(volumes: Sequence[Instance]) -> tuple[list[Instance], list[Instance]]:
    """Those that lie in the frame of reference of the largest, on the same slide, and the others."""
    sized = [one for one in volumes if one.grid]
    largest = max(sized, key=lambda one: (one.grid.columns * one.grid.rows if one.grid else 0, one.uid), default=None)
    if largest is None:
        return [], []
    kept = [one for one in sized if _is_of_slide(one, largest)]
    return kept, [one for one in sized if not _is_of_slide(one, largest)]


def _is_of_slide(one: Instance, largest: Instance) -> bool:
    """Unless both say where they lie, or on which slide, and it is not the same."""
    frames, containers = {one.frame_of_reference, largest.frame_of_reference}, {one.container, largest.container}
    return len(frames - {""}) < 2 and len(containers - {""}) < 2


def _pixel_size(levels: Sequence[Level]) -> tuple[tuple[float, float] | None, str]:
    """mm of a pixel of level 0, across and down, and what it was taken from; the finest level that says it decides."""
    for level in levels:
        if level.spacing:
            down, across = level.spacing
            size = (across / float(level.factor[0]), down / float(level.factor[1]))
            return size, "" if level.number == 0 else f"that of level {level.number}"
    for level in levels[:1]:
        for one in level.instances:
            if one.volume_mm:
                size = (one.volume_mm[0] / level.grid.columns, one.volume_mm[1] / level.grid.rows)
                return size, "ImagedVolumeWidth and ImagedVolumeHeight"
    return None, ""


def _with_thumbnail(
    levels: list[Level], thumbnails: Sequence[Instance], mm_per_px: tuple[float, float] | None
) -> tuple[list[Level], Instance | None]:
    """The levels, and as the coarsest of them the smallest thumbnail that shows the same area in one frame."""
    usable = [one for one in thumbnails if levels and _is_like_a_level(one, levels, mm_per_px)]
    if not usable:
        return levels, None
    one = min(usable, key=lambda one: (one.grid.columns if one.grid else 0, one.uid))
    image = tilings([one])
    share = factor(levels[0].grid, image[0].grid)
    return [*levels, Level(len(levels), image[0].grid, image, share, one.spacing, is_thumbnail=True)], one


def _is_like_a_level(one: Instance, levels: Sequence[Level], mm_per_px: tuple[float, float] | None) -> bool:
    finest, coarsest = levels[0], levels[-1]
    if one.grid is None or one.grid.tiles != 1 or one.is_sparse or one.grid.columns >= coarsest.grid.columns:
        return False
    frames = {part.frame_of_reference for part in finest.instances} | {""}
    if one.frame_of_reference and len(frames) > 1 and one.frame_of_reference not in frames:
        return False
    across, down = finest.grid.columns / one.grid.columns, finest.grid.rows / one.grid.rows
    if one.spacing and mm_per_px:
        return _alike(one.spacing[1], across * mm_per_px[0]) and _alike(one.spacing[0], down * mm_per_px[1])
    return _alike(across, down)


def _alike(one: float, other: float) -> bool:
    return abs(one - other) <= LIKE_A_LEVEL * other


def _planes(levels: Sequence[Level]) -> tuple[FocalPlane, ...]:
    """All focal planes in order; where no level has more than one, they are one whatever their offsets."""
    keys: Counter[PlaneKey] = Counter(key for level in levels for key in level.plane_keys)
    if not keys:
        return ()
    if all(len(level.plane_keys) < 2 for level in levels):
        return (FocalPlane(1, min(levels[0].plane_keys, default=(0.0, 0))[0], frozenset(keys)),)
    ordered = sorted(keys, key=lambda key: (key[1], key[0]))[:MOST_PLANES]
    return tuple(
        FocalPlane(number, None if key[1] else key[0], frozenset([key])) for number, key in enumerate(ordered, 1)
    )


def _paths(levels: Sequence[Level]) -> tuple[OpticalPath, ...]:
    """In the order of the finest level, by identifier."""
    found: dict[str, OpticalPath] = {}
    for level in levels:
        for one in level.instances:
            for path in one.paths:
                if path.identifier in level.path_identifiers:
                    found.setdefault(path.identifier, path)
        for identifier in sorted(level.path_identifiers):
            found.setdefault(identifier, OpticalPath(identifier))
    return tuple(found.values())[:MOST_PATHS]
