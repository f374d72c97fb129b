"""What a request for a region means: the level that is read, the box in its pixels, the size of the picture.

The one rule of rounding: edges that come from mm, from a field of view or from another level, or that are no whole
pixels as given, go outward to whole pixels of the level that is read. An edge computed from mm that is nearer than
NEAR to a whole pixel is that pixel, so that a box in mm of an answer comes back as the same box.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from ...errors import BadArgument
from ..facts import few, rounded, significant
from ..values import clean
from .levels import FocalPlane, Level
from .model import Slide
from .request import CORNER, BoxRequest, check_box
from .tiles import Box, tile_count

MOST_TILES = 400  # of one picture
NEAR = Fraction(1, 100)  # of a pixel
AS_FINE = 1.01  # how much coarser a level may be and still count as being as fine as asked
MM_PLACES = 6
MOST_NAMED = 6


@dataclass(frozen=True)
class Region:
    """What is read and shown: ``box`` in pixels of ``level``, the same in pixels of level 0 and in mm, and the size of
    the picture. ``um_per_px`` and ``magnification`` are those of the picture; ``said`` tells what was done."""

    level: Level
    box: Box
    box_of_level_0: Box
    mm: tuple[float, float, float, float] | None
    width: int
    height: int
    um_per_px: float | None
    magnification: float | None
    tiles: int
    said: tuple[str, ...] = ()

    @property
    def is_scaled(self) -> bool:
        return (self.width, self.height) != (self.box.width, self.box.height)


class _Edges(NamedTuple):
    """Left, top, right, bottom in pixels of level 0; ``slack`` is how far from a whole pixel an edge may be off."""

    left: Fraction
    top: Fraction
    right: Fraction
    bottom: Fraction
    slack: Fraction = Fraction(0)


def region(slide: Slide, request: BoxRequest, plane: FocalPlane | None = None, paths: Collection[str] = ()) -> Region:
    """What to read for a request. Where a focal plane or optical paths (identifiers) are given, only levels that show
    them are read; each path needs tiles of its own.

    Raises BadArgument for arguments that contradict each other, for a box that is not on the slide, and for one that
    needs more than MOST_TILES tiles of every level.
    """
    check_box(request)
    asked = slide.level(request.level or 0)
    edges = _edges(slide, asked, request)
    levels = _showing(slide, plane, paths, request.level)
    layers = max(1, len(paths))
    pixels = _pixels_of_level_0(slide, edges, asked, request)
    wanted = asked if request.level is not None else _as_fine(levels, pixels)
    said = []
    level = _affordable(levels, wanted, edges, layers)
    if level is not wanted:
        count = tile_count(wanted, _box(wanted, edges)) * layers
        said.append(
            f"Level {wanted.number} would take {count:,} tiles, and at most {MOST_TILES} are read for one picture: "
            f"this is from level {level.number}."
        )
    return _region(slide, level, edges, pixels, request, layers, said)


def _edges(slide: Slide, asked: Level, request: BoxRequest) -> _Edges:
    """The box as it was asked for. Raises BadArgument when any of it lies outside the slide."""
    if request.whole:
        return _Edges(Fraction(0), Fraction(0), *_end(slide))
    is_mm = request.unit == "mm"
    scale = _in_mm(slide, "unit=mm") if is_mm else asked.factor
    if request.center:
        across, down = _in_mm(slide, "field_of_view_um")
        field = Fraction(request.field_of_view_um or 0) / 1000
        middle = [Fraction(value) * share for value, share in zip(request.center, scale, strict=True)]
        half = field * across / 2, field * down / 2
        edges = _Edges(middle[0] - half[0], middle[1] - half[1], middle[0] + half[0], middle[1] + half[1], NEAR)
    else:
        x, y, width, height = (Fraction(getattr(request, name)) for name in CORNER)
        edges = _Edges(x * scale[0], y * scale[1], (x + width) * scale[0], (y + height) * scale[1],
                       NEAR if is_mm else Fraction(0))  # fmt: skip
    return _within(slide, asked, edges, is_mm)


def _within(slide: Slide, asked: Level, edges: _Edges, is_mm: bool) -> _Edges:
    """The edges, cut at those of level 0: the last pixels of another level may reach beyond it."""
    right, bottom = _end(slide)
    own = (asked.grid.columns * asked.factor[0], asked.grid.rows * asked.factor[1])
    reach = (right, bottom) if is_mm else own
    slack = edges.slack
    if min(edges.left, edges.top) < -slack or edges.right > reach[0] + slack or edges.bottom > reach[1] + slack:
        raise BadArgument(_outside(slide, asked, edges, is_mm))
    return _Edges(
        max(edges.left, Fraction(0)), max(edges.top, Fraction(0)), min(edges.right, right), min(edges.bottom, bottom),
        slack,
    )  # fmt: skip


def _outside(slide: Slide, asked: Level, edges: _Edges, is_mm: bool) -> str:
    right, bottom = _end(slide)
    is_apart = edges.right <= 0 or edges.bottom <= 0 or edges.left >= right or edges.top >= bottom
    if is_mm and slide.mm_per_px:
        width, height = (float(end) * mm for end, mm in zip((right, bottom), slide.mm_per_px, strict=True))
        extent, unit = f"{rounded(width, 4)} x {rounded(height, 4)} mm", "mm"
    else:
        extent = f"{asked.grid.columns:,} x {asked.grid.rows:,} pixels of level {asked.number}"
        unit = f"pixels of level {asked.number}"
    scale = _in_mm(slide, "unit=mm") if is_mm else asked.factor
    box = [rounded(float(edge / share), 4) for edge, share in zip(edges[:4], (*scale, *scale), strict=True)]
    return (
        f"The box ({box[0]}, {box[1]}) to ({box[2]}, {box[3]}) in {unit} lies {'' if is_apart else 'partly '}outside "
        f"the slide, which is {extent}, from (0, 0) at its left upper corner. Give a box within it."
    )


def _end(slide: Slide) -> tuple[Fraction, Fraction]:
    grid = slide.levels[0].grid
    return Fraction(grid.columns), Fraction(grid.rows)


def _in_mm(slide: Slide, argument: str) -> tuple[Fraction, Fraction]:
    """Pixels of level 0 in one mm, across and down."""
    if slide.mm_per_px is None:
        raise BadArgument(f"{argument} needs the size of a pixel, which this slide does not say: give pixels.")
    return 1 / Fraction(slide.mm_per_px[0]), 1 / Fraction(slide.mm_per_px[1])


def _showing(slide: Slide, plane: FocalPlane | None, paths: Collection[str], level: int | None) -> list[Level]:
    levels = [one for one in slide.levels
              if (plane is None or one.shows(plane, paths)) and one.path_identifiers.issuperset(paths)]  # fmt: skip
    if not levels or (level is not None and slide.levels[level] not in levels):
        what = [f"focal plane {plane.number}"] if plane else []
        what += [f"optical path {few([clean(path, 64) for path in paths], MOST_NAMED)}"] if paths else []
        there = few([one.number for one in levels]) or "none"
        where = "any level" if level is None else f"level {level}"
        raise BadArgument(f"Not on {where}: {' with '.join(what)}. Levels that show it: {there}.")
    return levels


# ---- resolution ------------------------------------------------------------------------------------------------------


def _share(level: Level) -> float:
    """Pixels of level 0 in one pixel of a level."""
    return float(sum(level.factor)) / 2


def _pixels_of_level_0(slide: Slide, edges: _Edges, asked: Level, request: BoxRequest) -> float:
    """How many pixels of level 0 make one of the picture that was asked for."""
    wanted = _share(asked)
    if request.um_per_px is not None:
        wanted = request.um_per_px / 500 / sum(1 / float(scale) for scale in _in_mm(slide, "um_per_px"))
    elif request.magnification is not None:
        finest = slide.levels[0].magnification
        if finest is None:
            raise BadArgument(
                "magnification needs the objective power or the size of a pixel, and this slide says neither: "
                "give level or size."
            )
        wanted = finest / request.magnification
    if request.size:
        wanted = max(wanted, float(max(edges.right - edges.left, edges.bottom - edges.top)) / request.size)
    return wanted


def _as_fine(levels: Sequence[Level], pixels: float) -> Level:
    """The coarsest level that is still as fine as asked; the finest where none is."""
    return max((level for level in levels if _share(level) <= pixels * AS_FINE), key=_share, default=levels[0])


def _affordable(levels: Sequence[Level], wanted: Level, edges: _Edges, layers: int) -> Level:
    """That level, or the next coarser one of which the box needs no more than MOST_TILES tiles."""
    coarser = [level for level in levels if level.number >= wanted.number]
    for level in coarser:
        if tile_count(level, _box(level, edges)) * layers <= MOST_TILES:
            return level
    last = coarser[-1]
    side = max(1, math.isqrt(MOST_TILES // max(1, layers)) - 1)
    count = tile_count(last, _box(last, edges)) * layers
    raise BadArgument(
        f"The box takes {count:,} tiles of level {last.number}, the coarsest that there is; at most {MOST_TILES} are "
        f"read for one picture. A box of {side * last.grid.tile_columns:,} x {side * last.grid.tile_rows:,} pixels of "
        f"level {last.number} fits."
    )


def _box(level: Level, edges: _Edges) -> Box:
    left, right = _outward(edges.left, edges.right, level.factor[0], level.grid.columns, edges.slack)
    top, bottom = _outward(edges.top, edges.bottom, level.factor[1], level.grid.rows, edges.slack)
    return Box(left, top, right - left, bottom - top)


def _outward(low: Fraction, high: Fraction, factor: Fraction, most: int, slack: Fraction) -> tuple[int, int]:
    """Whole pixels of a level, at least one, within its matrix."""
    start = min(max(math.floor(low / factor + slack), 0), most - 1)
    return start, min(max(math.ceil(high / factor - slack), start + 1), most)


# ---- what comes of it ------------------------------------------------------------------------------------------------


def _region(
    slide: Slide, level: Level, edges: _Edges, pixels: float, request: BoxRequest, layers: int, said: list[str]
) -> Region:
    box = _box(level, edges)
    shrunk = max(1.0, pixels / _share(level))
    if shrunk <= AS_FINE:
        shrunk = 1.0
    if request.size:
        shrunk = max(shrunk, max(box.width, box.height) / request.size)
    whole = _Edges(
        box.x * level.factor[0], box.y * level.factor[1],
        min((box.x + box.width) * level.factor[0], _end(slide)[0]),
        min((box.y + box.height) * level.factor[1], _end(slide)[1]),
    )  # fmt: skip
    if level.number == 0 and pixels * AS_FINE < 1:
        said.append(_finest(level))
    if any(abs(one - other) > edges.slack * max(level.factor) for one, other in zip(whole[:4], edges[:4], strict=True)):
        said.append(f"The edges were moved outward to whole pixels of level {level.number}.")
    width, height = (max(1, round(side / shrunk)) for side in (box.width, box.height))
    shrunk = max(box.width, box.height) / max(width, height)
    um, magnification = level.um_per_px, level.magnification
    return Region(
        level=level,
        box=box,
        box_of_level_0=_box(slide.levels[0], whole),
        mm=_mm(slide, whole),
        width=width,
        height=height,
        um_per_px=um * shrunk if um else None,
        magnification=magnification / shrunk if magnification else None,
        tiles=tile_count(level, box) * layers,
        said=tuple(said),
    )


def _finest(level: Level) -> str:
    known = f", {significant(level.um_per_px)} um per pixel," if level.um_per_px else ""
    return f"Level 0{known} is the finest that there is; pictures are not enlarged."


def _mm(slide: Slide, edges: _Edges) -> tuple[float, float, float, float] | None:
    if slide.mm_per_px is None:
        return None
    across, down = slide.mm_per_px
    left, top, right, bottom = map(float, edges[:4])
    x, y = round(left * across, MM_PLACES), round(top * down, MM_PLACES)
    return x, y, round(right * across - x, MM_PLACES), round(bottom * down - y, MM_PLACES)
