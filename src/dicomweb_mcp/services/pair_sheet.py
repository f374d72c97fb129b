"""The sheet of two series, A and B: pairs of tiles that share one scale in mm, and what is said of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import anyio

from ..archives.manners import refuse_costly
from ..dicom.geometry import dot
from ..dicom.values import integer, numbers
from ..dicom.volume.pairing import Spot
from .captions import size
from .pictures import Shown
from .preview_caption import (
    about,
    identity,
    label_lines,
    labelled,
    layout_words,
    lines,
    notes,
    numbered,
    overlay_fact,
    pixels,
    place_words,
    rendered_by,
)  # fmt: skip
from .samples import Sample, SeriesRequest
from .tiles import Drawing

if TYPE_CHECKING:
    from ..pixels.overlay.drawing import Mark
    from ..pixels.picture import Picture
    from ..pixels.sheet import Layout, Shape, Tile

SAME_CENTRE = 1.0  # mm
BESIDE = "Distances are along the normal of A, from the middle of its image."


@dataclass(frozen=True)
class Pair:
    """A sample of A, and what B has there: a sample, and how far along A's normal it lies."""

    sample: Sample
    other: Sample | None = None
    distance: float = 0.0


def spot_of(drawing: Drawing, sample: Sample) -> Spot:
    """Where a sample lies. What its own metadata do not say is taken from another: all are of one stack."""
    views = (drawing.view(one) for one in (sample, *drawing.samples) if one.obj)
    view = next((view for view in views if len(numbers(view, "PixelSpacing")) == 2), {})
    extent = integer(view, "Columns", 1) or 1, integer(view, "Rows", 1) or 1
    return Spot.middle(sample.slice, numbers(view, "PixelSpacing") or (0.0, 0.0), extent)


def signed(distance: float, digits: int) -> str:
    """With its sign; what is rounded to nothing has a plus."""
    return f"{round(distance, digits) + 0.0:+.{digits}f}"


@dataclass(frozen=True)
class PairSheet:
    """Two series whose metadata were read, as one picture."""

    first: Drawing
    second: Drawing
    pairs: Sequence[Pair]
    request: SeriesRequest

    async def show(self) -> Shown:
        """Draw both, and put them side by side."""
        from ..pixels.sheet import compose, shape_in_mm

        cost = self.first.expected_bytes() + self.second.expected_bytes()
        refuse_costly(self.first.archive, cost, self.first.place)
        shapes = [drawing.shapes(shape_in_mm) for drawing in (self.first, self.second)]
        layout = self._layout(*shapes)
        sizes = [{number: layout.tile_size(shape) for number, shape in each.items()} for each in shapes]
        await self.first.draw(sizes[0])
        self.second.lost = self.second.lost or self.first.lost
        await self.second.draw(sizes[1])
        if not any(drawn.rendered for drawing in (self.first, self.second) for drawn in drawing.tiles.values()):
            self.first.refuse_nothing()
        tiles = [tile for pair in self.pairs for tile in self._tiles(pair, *sizes)]
        drawn = {mark.name for drawing in (self.first, self.second) for mark in drawing.legend()}
        legend = [mark for mark in self._legend if mark.name in drawn]
        work = partial(compose, tiles, layout, size=self.request.size, format=self.request.format, legend=legend)
        picture = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
        return Shown(picture, self._facts(layout, picture), self._notes())

    def _layout(self, first: "Mapping[int, Shape]", second: "Mapping[int, Shape]") -> "Layout":
        from ..pixels.sheet import lay_out

        windows, shapes = len(self.request.windows), []
        for pair in self.pairs:
            each = first[pair.sample.number], second[pair.other.number] if pair.other else (0.0, 0.0)
            shapes.append((max(each[0][0], each[1][0]), max(each[0][1], each[1][1])))
        return lay_out(
            shapes, beside=2 * windows, lines=1 + (windows > 1), size=self.request.size, in_mm=True, legend=self._legend
        )

    @property
    def _legend(self) -> "Sequence[Mark]":
        """All that the overlay may draw."""
        return self.first.overlay.legend if self.first.overlay else ()

    # ---- tiles -------------------------------------------------------------------------------------------------------

    def _tiles(self, pair: Pair, first: Mapping[int, int], second: Mapping[int, int]) -> "list[Tile]":
        """Those of A, then those of B; ``first`` and ``second`` are their sizes by number of the sample."""
        return [*labelled(self.first, pair.sample, first[pair.sample.number], "A"), *self._b(pair, second)]

    def _b(self, pair: Pair, sizes: Mapping[int, int]) -> "list[Tile]":
        from ..pixels.sheet import Tile

        windows, other = self.request.windows, pair.other
        if other is None:
            none = "B", "B", "B"
            return [Tile(None, label_lines(none, ["none here"], windows, window), 0) for window in windows]
        tiles = []
        for window in windows:
            drawn = self.second.tiles[other.number, window]
            said = ["not shown" if drawn.problem else f"{signed(pair.distance, 1)} mm"]
            label = label_lines(numbered(self.second, other, "B"), said, windows, window)
            tiles.append(Tile(drawn.picture, label, sizes[other.number]))
        return tiles

    # ---- words -------------------------------------------------------------------------------------------------------

    def _facts(self, layout: "Layout", picture: "Picture") -> dict[str, str]:
        facts = {"archive": self.first.archive.name}
        for name, drawing in (("A", self.first), ("B", self.second)):
            said = identity(drawing) | about(drawing) | overlay_fact(drawing) | pixels(drawing.tiles)
            facts |= {f"{name} {keyword}": value for keyword, value in said.items()}
        facts["tiles"] = (
            f"{layout_words(layout)}; in each pair A, then B; {layout.scale:.3g} picture pixels for one mm in all"
        )
        facts["picture"] = size(picture)
        facts["rendered by"] = rendered_by([self.first, self.second])
        windows = len(self.request.windows)
        mine = lines(self.first)
        theirs = {sample.number: line for sample, line in zip(self.second.samples, lines(self.second), strict=True)}
        for nth, (pair, line) in enumerate(zip(self.pairs, mine, strict=True)):
            place = place_words(layout, nth * 2 * windows, 2 * windows)
            facts[place] = f"A: {line}; B: {self._line(pair, theirs)}"
        return facts

    def _line(self, pair: Pair, theirs: Mapping[int, str]) -> str:
        if pair.other is None:
            return f"no slice of it within {self.second.stack.reach or 0.0:.4g} mm"
        return f"{signed(pair.distance, 2)} mm from A, {theirs[pair.other.number]}"

    def _notes(self) -> tuple[str, ...]:
        said = [f"{name}: {note}" for name, drawing in (("A", self.first), ("B", self.second))
                for note in notes(drawing)]  # fmt: skip
        aside = max(self._aside(pair) for pair in self.pairs)
        if aside > SAME_CENTRE:
            said.append(
                f"The tiles share a scale, not a centre: the middle of B's image lies up to {aside:.1f} mm beside A's."
            )
        if about(self.first).get("edges") != about(self.second).get("edges"):
            said.append("Both are shown as they are stored, and their edges are not the same.")
        return (BESIDE, *said)

    def _aside(self, pair: Pair) -> float:
        """How far the middles of two images lie apart within the plane, in mm."""
        if pair.other is None:
            return 0.0
        here, there = spot_of(self.first, pair.sample), spot_of(self.second, pair.other)
        way = [one - other for one, other in zip(there.point, here.point, strict=True)]
        return math.sqrt(max(0.0, dot(way, way) - dot(way, here.axis) ** 2))
