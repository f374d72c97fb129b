"""Which frames cover a box of a level. What a tile has beyond the matrix, at the right and lower edge, is padding."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

from ...errors import BadArgument, Problem
from ..facts import few
from .frames import Grid
from .instance import Instance
from .levels import FocalPlane, Level, Tiling

MOST_LISTED = 20_000  # tiles of one box


class Box(NamedTuple):
    """A rectangle of whole pixels: its left upper corner, counted from 0, and its size."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Tile:
    """A tile of a level: where its left upper corner lies, in pixels of the level, and the frame that it is, from 1.
    One that the slide does not have is missing: it has no instance, and frame 0. ``visible``: its parts, in its own
    pixels, that no later tile covers; None is all of it."""

    x: int
    y: int
    instance_uid: str = ""
    frame: int = 0
    visible: tuple[Box, ...] | None = None

    @property
    def is_missing(self) -> bool:
        return not self.frame


class Unplaced(Problem):
    """It is not known where the frames of a level lie."""


def tile_count(level: Level, box: Box) -> int:
    """How many tiles a box touches, of one focal plane and one optical path."""
    columns, rows = _touched(level, box)
    return len(columns) * len(rows)


def tiles_of(level: Level, box: Box, plane: FocalPlane, path: str) -> list[Tile]:
    """The tiles that cover a box in one focal plane and one optical path (its identifier), line by line, the missing
    ones among them. Where frames do not lie on the grid, those that have a pixel in the box.

    Raises Unplaced when the positions of the frames are not known: their per-frame groups were not read.
    """
    if unplaced := level.unplaced:
        raise Unplaced(
            f"Where the frames of level {level.number} lie is not known: the metadata of {few(unplaced, 3)} have no "
            "PerFrameFunctionalGroupsSequence. Use another level."
        )
    if (count := tile_count(level, box)) > MOST_LISTED:
        raise BadArgument(
            f"The box has {count:,} tiles of level {level.number}; at most {MOST_LISTED:,} can be listed."
        )
    if all(_is_on_grid(part, plane, path) for part in level.instances):
        return list(_on_grid(level, box, plane, path, level.tilings))
    return list(_anywhere(level, box, plane, path))


def _is_on_grid(part: Instance, plane: FocalPlane, path: str) -> bool:
    """Whether those of its frames that show a focal plane and an optical path lie on the grid."""
    places = part.places
    return places is None or places.is_on_grid or not any((z, path) in places.sheets for z, _ in plane.keys)


def _on_grid(level: Level, box: Box, plane: FocalPlane, path: str, tilings: Sequence[Tiling]) -> Iterator[Tile]:
    columns, rows = _touched(level, box)
    grid = level.grid
    for row in rows:
        for column in columns:
            found = (tiling.frame_at(plane, path, column, row) for tiling in tilings)
            frame = next(filter(None, found), ("", 0))
            yield Tile(column * grid.tile_columns, row * grid.tile_rows, *frame)


def _anywhere(level: Level, box: Box, plane: FocalPlane, path: str) -> Iterator[Tile]:
    """Frames in the order in which they lie over each other: by y, then x."""
    grid = level.grid
    full = [tiling for tiling in level.tilings if not tiling.parts[0].is_sparse]
    found = [(tile.y, tile.x, tile.instance_uid, tile.frame)
             for tile in _on_grid(level, box, plane, path, full) if not tile.is_missing]  # fmt: skip
    for part in level.instances:
        for z, _ in plane.keys:
            sheet = part.places.sheets.get((z, path)) if part.places else None
            for place, frame in sheet or ():
                x, y = grid.position(place)
                across = box.x - grid.tile_columns < x < box.x + box.width
                if across and box.y - grid.tile_rows < y < box.y + box.height:
                    found.append((y, x, part.uid, frame))
    if len(found) > MOST_LISTED:
        raise BadArgument(f"{len(found):,} frames lie in the box; at most {MOST_LISTED:,} can be listed.")
    return _uncovered(grid, [Tile(x, y, uid, frame) for y, x, uid, frame in sorted(found)])


def _uncovered(grid: Grid, tiles: Sequence[Tile]) -> Iterator[Tile]:
    """Without what later ones cover, so that each pixel comes once, whatever the order in which tiles arrive."""
    for nth, tile in enumerate(tiles):
        whole = Box(0, 0, grid.tile_columns, grid.tile_rows)
        parts = [whole]
        for later in islice(tiles, nth + 1, None):
            if later.y >= tile.y + grid.tile_rows or not parts:
                break
            over = Box(later.x - tile.x, later.y - tile.y, grid.tile_columns, grid.tile_rows)
            parts = [piece for part in parts for piece in _without(part, over)]
        if parts:
            yield tile if parts == [whole] else replace(tile, visible=tuple(parts))


def _without(part: Box, over: Box) -> list[Box]:
    """What is left of a box: above, left of, right of and below another one."""
    right, bottom = part.x + part.width, part.y + part.height
    left_edge, right_edge = max(part.x, over.x), min(right, over.x + over.width)
    top_edge, bottom_edge = max(part.y, over.y), min(bottom, over.y + over.height)
    if left_edge >= right_edge or top_edge >= bottom_edge:
        return [part]
    found = (
        Box(part.x, part.y, part.width, top_edge - part.y),
        Box(part.x, top_edge, left_edge - part.x, bottom_edge - top_edge),
        Box(right_edge, top_edge, right - right_edge, bottom_edge - top_edge),
        Box(part.x, bottom_edge, part.width, bottom - bottom_edge),
    )
    return [box for box in found if box.width and box.height]


def _touched(level: Level, box: Box) -> tuple[range, range]:
    """Columns and lines of tiles, counted from 0."""
    grid = level.grid
    across = range(box.x // grid.tile_columns, -(-(box.x + box.width) // grid.tile_columns))
    down = range(box.y // grid.tile_rows, -(-(box.y + box.height) // grid.tile_rows))
    return across, down
