"""A contact sheet: many small pictures on one, with a label above each and never on it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..dicom.geometry import FARTHEST
from ..dicom.values import DicomJson, integer, numbers
from ..errors import BadArgument
from .overlay.drawing import Legend, Mark, legend_height
from .picture import ENLARGED_TO, LEAST_WITH_LEGEND, MOST_ASPECT, SQUARE_ENOUGH, Picture, encode
from .render import SPACINGS
from .request import SMALLEST_SIZE

GAP, SEAM = 8, 2  # pixels between slices, and between the windows of one slice
FONT_SIZE, LINE = 13, 17
LONGEST_LABEL = 100  # characters that are looked at
LEAST_TILE = 48  # long edge; less shows nothing
PAPER, INK, FRAME = 48, 235, 96  # grey levels; the paper is lighter than air, so that tiles have edges

Shape: TypeAlias = tuple[float, float]
Label: TypeAlias = Sequence[str]
"""One line above a tile: the same said ever more shortly; the first that fits is drawn."""


@dataclass(frozen=True)
class Layout:
    """Where the tiles are. ``across`` counts slices in a row and ``beside`` the tiles of each; ``scale`` is picture
    pixels for one native pixel along its longer side, or for one mm (``in_mm``); ``cell`` holds the largest tile, below
    ``strip`` of labels."""

    across: int
    down: int
    beside: int
    scale: float
    cell: tuple[int, int]
    strip: int
    in_mm: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the sheet."""
        return GAP + self.across * (self._group + GAP), GAP + self.down * (self.strip + self.cell[1] + GAP)

    @property
    def _group(self) -> int:
        return self.beside * self.cell[0] + (self.beside - 1) * SEAM

    def place(self, nth: int) -> tuple[int, int]:
        """Row and column of a tile, both from 1; ``nth`` counts tiles from 0."""
        which, part = divmod(nth, self.beside)
        return which // self.across + 1, which % self.across * self.beside + part + 1

    def corner(self, nth: int) -> tuple[int, int]:
        """The top left pixel of a tile's cell."""
        row, column = self.place(nth)
        group, part = divmod(column - 1, self.beside)
        x = GAP + group * (self._group + GAP) + part * (self.cell[0] + SEAM)
        return x, GAP + (row - 1) * (self.strip + self.cell[1] + GAP) + self.strip

    def tile_size(self, shape: Shape) -> int:
        """The long edge with which a frame of this shape is to be rendered."""
        return _edge(max(shape), self.scale, self.in_mm)


@dataclass(frozen=True)
class Tile:
    """One picture of the sheet, None where there is none to show; ``labels`` are the lines above it."""

    picture: Picture | None
    labels: Sequence[Label]
    size: int


def shape_of(view: DicomJson) -> Shape:
    """Width and height of a frame in square pixels, as ``picture.encode`` stretches them; two zeros without pixels."""
    columns, rows = float(integer(view, "Columns", 0) or 0), float(integer(view, "Rows", 0) or 0)
    spacings = (numbers(view, keyword) for keyword in SPACINGS)
    height, width = next((found for found in spacings if len(found) == 2 and min(found) > 0), [1.0, 1.0])
    aspect = height / width
    if not 1 / MOST_ASPECT <= aspect <= MOST_ASPECT or abs(aspect - 1) <= SQUARE_ENOUGH:
        return columns, rows
    return (columns, rows * aspect) if aspect > 1 else (columns / aspect, rows)


def shape_in_mm(view: DicomJson) -> Shape:
    """Width and height of a frame in mm; two zeros where PixelSpacing does not say them, or what none can be."""
    columns, rows = float(integer(view, "Columns", 0) or 0), float(integer(view, "Rows", 0) or 0)
    found = numbers(view, "PixelSpacing")
    is_known = len(found) == 2 and min(found) > 0 and max(found) <= FARTHEST
    return (columns * found[1], rows * found[0]) if is_known else (0.0, 0.0)


def lay_out(
    shapes: Sequence[Shape],
    *,
    beside: int,
    lines: int,
    size: int,
    in_mm: bool = False,
    legend: Sequence[Mark] = (),
) -> Layout:
    """The layout with the largest tiles that keeps the sheet and its ``legend`` within ``size``; all tiles have one
    scale. Shapes are in square pixels, which grow by whole factors; ``in_mm`` they are lengths, and have any scale.

    Raises BadArgument when the tiles would be too small to see anything.
    """
    width, height = max(1.0, *(shape[0] for shape in shapes)), max(1.0, *(shape[1] for shape in shapes))
    strip = lines * LINE
    below = legend_height(legend, size // 2) if size >= LEAST_WITH_LEGEND else 0  # the sheet may be narrower than size
    best: tuple[float, int, int] | None = None
    for across in range(1, len(shapes) + 1):
        down = math.ceil(len(shapes) / across)
        free = size - GAP - across * (GAP + (beside - 1) * SEAM), size - below - GAP - down * (GAP + strip)
        scale = min(free[0] / (across * beside * width), free[1] / (down * height))
        candidate = (scale if in_mm else _whole(scale, max(width, height)), -across * down, across)
        best = candidate if best is None else max(best, candidate)
    assert best is not None
    scale, _, across = best
    if max(width, height) * scale < min(LEAST_TILE, max(width, height)):
        raise BadArgument(
            f"{len(shapes) * beside} tiles in {size} pixels would be too small to see anything: "
            "ask for fewer samples or windows, or a larger size."
        )
    cell = (_edge(width, scale, in_mm), _edge(height, scale, in_mm))
    return Layout(across, math.ceil(len(shapes) / across), beside, scale, cell, strip, in_mm)


def _whole(scale: float, longest: float) -> float:
    """Tiles are enlarged as ``picture.encode`` does: by a whole factor, and not beyond what is easily seen."""
    return scale if scale < 1 else float(min(math.floor(scale), max(1, math.ceil(ENLARGED_TO / longest))))


def _edge(length: float, scale: float, in_mm: bool) -> int:
    """Pixels that grow by a whole factor get all the room they need; anything else stays below its share."""
    return math.ceil(length * scale) if scale >= 1 and not in_mm else max(1, math.floor(length * scale))


def compose(
    tiles: Sequence[Tile], layout: Layout, *, size: int, format: str = "auto", legend: Sequence[Mark] = ()
) -> Picture:
    """The sheet, within the budgets of every picture; a ``legend`` names marks below it."""
    return encode(_drawn(tiles, layout), size=size, format=format, below=Legend(legend) if legend else None)


def _drawn(tiles: Sequence[Tile], layout: Layout) -> NDArray[np.uint8]:
    pictures = [_opened(tile) for tile in tiles]
    is_grey = all(picture is None or picture.mode == "L" for picture in pictures)
    sheet = Image.new("L", layout.size, PAPER)
    if not is_grey:
        sheet = sheet.convert("RGB")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(FONT_SIZE)
    for nth, (tile, picture) in enumerate(zip(tiles, pictures, strict=True)):
        x, y = layout.corner(nth)
        width, height = layout.cell
        for line, label in enumerate(tile.labels):
            written = _fitting(label, font, width)
            pen.text((x, y - layout.strip + line * LINE + LINE - 4), written, _ink(sheet, INK), font, anchor="ls")
        if picture is None:
            _cross_out(pen, (x, y, x + width - 1, y + height - 1), _ink(sheet, FRAME))
        else:
            sheet.paste(picture, (x + (width - picture.width) // 2, y + (height - picture.height) // 2))
    return np.asarray(sheet)


def _opened(tile: Tile) -> Image.Image | None:
    """The pixels of a tile. It came without loss; only below the smallest size is it still to be shrunk."""
    if tile.picture is None:
        return None
    image = Image.open(BytesIO(tile.picture.data))
    image.load()
    if tile.size < SMALLEST_SIZE and max(image.size) > tile.size:
        image.thumbnail((tile.size, tile.size), Image.Resampling.LANCZOS)
    return image


def _fitting(label: Label, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """The longest way to say it that fits; cut, where none does."""
    ways = ["".join(sign if " " <= sign <= "~" else "?" for sign in way[:LONGEST_LABEL]) for way in label]
    for way in ways:
        if font.getlength(way) <= width:
            return way
    cut = ways[-1] if ways else ""
    while cut and font.getlength(cut) > width:
        cut = cut[:-1]
    return cut


def _cross_out(pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int], ink: int | tuple[int, int, int]) -> None:
    left, top, right, bottom = box
    pen.rectangle(box, outline=ink)
    pen.line((left, top, right, bottom), fill=ink)
    pen.line((left, bottom, right, top), fill=ink)


def _ink(sheet: Image.Image, level: int) -> int | tuple[int, int, int]:
    return level if sheet.mode == "L" else (level, level, level)
