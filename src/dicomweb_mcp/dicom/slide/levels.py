"""Instances -> the levels of a pyramid: which belong together, and where each frame of a level is to be found."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import log2
from typing import NamedTuple

from .frames import Grid, in_one_plane
from .instance import Instance, PlaneKey


@dataclass(frozen=True)
class FocalPlane:
    """One distance of focus: its number on this slide, from 1, the nearest to the glass first; ``z_um`` is None where
    only the order is known. ``keys`` are the planes of the instances that it stands for."""

    number: int
    z_um: float | None
    keys: frozenset[PlaneKey]


class FrameOf(NamedTuple):
    """A frame, from 1, of an instance."""

    instance_uid: str
    frame: int


@dataclass(frozen=True)
class Tiling:
    """One image: an instance, or the parts of a concatenation in the order of their frames."""

    parts: tuple[Instance, ...]

    @property
    def grid(self) -> Grid:
        grid = self.parts[0].grid
        assert grid is not None  # none else comes into a level
        return grid

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The number of frames before each part; behind all of them where it is not known."""
        return tuple(self.expected if start is None else start for start in _starts(self.parts))

    @property
    def expected(self) -> int:
        """The number of frames that TILED_FULL means."""
        first = self.parts[0]
        return self.grid.tiles * first.plane_count * len(first.paths)

    @property
    def frames(self) -> int:
        return sum(part.frames for part in self.parts)

    def frame_at(self, plane: FocalPlane, path: str, column: int, row: int) -> FrameOf | None:
        """The frame of a tile, columns and rows counted from 0; None where the image has none there."""
        if not self.parts[0].is_sparse:
            return self._implied(plane, path, column, row)
        place = self.grid.place(column * self.grid.tile_columns, row * self.grid.tile_rows)
        for part in self.parts:
            for z, _ in plane.keys:
                sheet = part.places.sheets.get((z, path)) if part.places else None
                if sheet and (frame := sheet.frame_at(place)):
                    return FrameOf(part.uid, frame)
        return None

    def _implied(self, plane: FocalPlane, path: str, column: int, row: int) -> FrameOf | None:
        """TILED_FULL, PS3.3 C.7.6.17.3: along the line, line by line, then focal planes, then optical paths."""
        first, grid = self.parts[0], self.grid
        z = next((first.plane_index[key] for key in plane.keys if key in first.plane_index), None)
        light = first.path_index.get(path)
        if z is None or light is None:
            return None
        index = ((light * first.plane_count + z) * grid.down + row) * grid.across + column
        part = bisect_right(self.starts, index) - 1
        if part < 0:
            return None
        frame = index - self.starts[part] + 1
        held = self.parts[part].frames or self.expected
        return FrameOf(self.parts[part].uid, frame) if frame <= held else None


@dataclass(frozen=True)
class Level:
    """One resolution. ``factor`` is how many pixels of level 0 one pixel of this level is, across and down;
    ``spacing`` is as recorded, mm between rows and between columns, ``um`` micrometres across and down, computed from
    another level where this one does not say them."""

    number: int
    grid: Grid
    tilings: tuple[Tiling, ...]
    factor: tuple[Fraction, Fraction]
    spacing: tuple[float, float] | None = None
    um: tuple[float, float] | None = None
    magnification: float | None = None
    is_thumbnail: bool = False

    @property
    def um_per_px(self) -> float | None:
        return sum(self.um) / 2 if self.um else None

    @property
    def instances(self) -> list[Instance]:
        return [part for tiling in self.tilings for part in tiling.parts]

    @property
    def frames(self) -> int:
        return sum(tiling.frames or (0 if tiling.parts[0].is_sparse else tiling.expected) for tiling in self.tilings)

    @property
    def unplaced(self) -> list[str]:
        """The instances whose per-frame groups are needed before their tiles can be found."""
        return [part.uid for part in self.instances if not part.is_placed]

    @cached_property
    def plane_keys(self) -> frozenset[PlaneKey]:
        return frozenset().union(*(part.shown_planes for part in self.instances))

    @cached_property
    def path_identifiers(self) -> frozenset[str]:
        return frozenset().union(*(part.shown_paths for part in self.instances))

    @cached_property
    def sheets(self) -> frozenset[tuple[PlaneKey, str]]:
        return frozenset().union(*(part.shown_sheets for part in self.instances))

    def shows(self, plane: FocalPlane, paths: Iterable[str] = ()) -> bool:
        """Whether it has frames of a focal plane, in each of these optical paths."""
        return not plane.keys.isdisjoint(self.plane_keys) and all(
            any((key, path) in self.sheets for key in plane.keys) for path in paths
        )


def tilings(instances: Iterable[Instance]) -> tuple[Tiling, ...]:
    """The images that these instances are; where several show the same, those that lost nothing come first."""
    found: dict[str, list[Instance]] = defaultdict(list)
    for instance in instances:
        found[instance.concatenation_uid or f"of {instance.uid}"].append(instance)
    made = [Tiling(_placed(parts)) for parts in found.values()]
    return tuple(sorted(made, key=lambda tiling: (tiling.parts[0].is_lossy is not False, tiling.parts[0].uid)))


def _placed(parts: Sequence[Instance]) -> tuple[Instance, ...]:
    """In the order of their frames, without those of which it is not known where they begin: after a part that is
    missing, for instance. The first stays where none is known."""
    counted = sorted(parts, key=lambda part: (part.part or 0, part.first_frame or 0, part.uid))
    if counted[0].is_sparse:
        return tuple(counted)
    known = [
        (start, part.uid, part) for part, start in zip(counted, _starts(counted), strict=True) if start is not None
    ]
    return tuple(part for *_, part in sorted(known, key=lambda one: one[:2])) or tuple(counted[:1])


def _starts(parts: Sequence[Instance]) -> list[int | None]:
    """The frames before each part, which are in order; counted where it does not say so and follows another."""
    starts: list[int | None] = []
    number, frames = 0, 0
    for part in parts:
        follows = not part.concatenation_uid or part.part in (None, number + 1)
        start = part.first_frame if part.first_frame is not None else frames if follows else None
        starts.append(start)
        if start is not None:
            number, frames = part.part or number + 1, start + part.frames
    return starts


def levels_of(instances: Sequence[Instance]) -> tuple[list[Level], list[Instance]]:
    """Levels by the size of their matrix, the finest first, and what does not fit into them: instances whose tiles
    have another size than most of their level."""
    by_size: dict[tuple[int, int], list[tuple[Grid, Instance]]] = defaultdict(list)
    for instance in instances:
        if instance.grid:
            by_size[instance.grid.columns, instance.grid.rows].append((instance.grid, instance))
    levels: list[Level] = []
    others: list[Instance] = []
    for size in sorted(by_size, key=lambda size: (size[0] * size[1], size), reverse=True):
        counted = Counter(grid for grid, _ in by_size[size])
        grid = max(counted, key=lambda grid: (counted[grid], grid.tile_columns, grid.tile_rows))
        fitting = [instance for own, instance in by_size[size] if own == grid]
        others += [instance for own, instance in by_size[size] if own != grid]
        finest = levels[0].grid if levels else grid
        spacing = next((instance.spacing for instance in fitting if instance.spacing), None)
        levels.append(Level(len(levels), grid, tilings(_focused(fitting)), factor(finest, grid), spacing))
    return levels, others


def _focused(instances: Sequence[Instance]) -> list[Instance]:
    """The instances of a level, with frames that were each focused on their own in one focal plane."""
    sparse = [instance for instance in instances if instance.places]
    places = in_one_plane([instance.places for instance in sparse if instance.places])
    joined = {id(one): replace(one, places=own) for one, own in zip(sparse, places, strict=True)}
    return [joined.get(id(instance), instance) for instance in instances]


def factor(finest: Grid, grid: Grid) -> tuple[Fraction, Fraction]:
    """How many pixels of the finest level one pixel is, across and down: a whole number where the sizes are those that
    it gives, rounded either way, as in most pyramids; else the ratio of the sizes."""
    ratio = max(finest.columns / grid.columns, 1.0)
    for whole in (2 ** round(log2(ratio)), round(ratio)):
        if _fits(finest.columns, whole, grid.columns) and _fits(finest.rows, whole, grid.rows):
            return Fraction(whole), Fraction(whole)
    return Fraction(finest.columns, grid.columns), Fraction(finest.rows, grid.rows)


def _fits(full: int, whole: int, reduced: int) -> bool:
    return reduced in (full // whole, -(-full // whole))


def measured(levels: Sequence[Level], mm_per_px: tuple[float, float] | None, power: float | None) -> list[Level]:
    """The levels with what follows from the size of a pixel of level 0, across and down, and from the objective."""
    return [_measured(level, mm_per_px, power) for level in levels]


def _measured(level: Level, mm_per_px: tuple[float, float] | None, power: float | None) -> Level:
    across, down = map(float, level.factor)
    um = None
    if level.spacing:
        um = (level.spacing[1] * 1000, level.spacing[0] * 1000)
    elif mm_per_px:
        um = (mm_per_px[0] * across * 1000, mm_per_px[1] * down * 1000)
    magnification = power / across if power else (20 / sum(um) if um else None)
    return replace(level, um=um, magnification=magnification)
