"""Segments and contours drawn over a picture at its final size, and the strip below it that names their colours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from ...dicom.objects.rt.contours import Contour
from ...dicom.volume.plane import Plane
from ..request import Region
from .colours import Colour

FILLED = 0.25  # of the colour inside a segment; the image must still be seen
WIDTH = 2  # of outlines, in pixels of the picture
CROSS = 4  # pixels from the middle of a point's mark to its ends
FONT_SIZE, LINE, SWATCH, GAP = 13, 17, 10, 12
MOST_LINES = 6
LONGEST_NAME = 40
PAPER, INK = (48, 48, 48), (235, 235, 235)


@dataclass(frozen=True)
class Path:
    """The points of a contour, shape (points, 2), x and y in native pixels, the middle of the first one at 0."""

    points: NDArray[np.float64]
    is_closed: bool = True


def path_of(contour: Contour, image: Plane, *, is_closed: bool) -> Path:
    """A contour as it lies on an image that is placed (PS3.3 C.7.6.2.1.1)."""
    height, width = image.grid.pixel_spacing
    axes = np.array([image.grid.orientation[:3], image.grid.orientation[3:]]) / [[width], [height]]
    points = np.array([contour.x, contour.y, contour.z]).T - np.array(image.origin)
    return Path(points @ axes.T, is_closed)


@dataclass(frozen=True)
class Mark:
    """One segment or region on one image: a ``mask``, True inside, as large as the native frame, or ``paths``."""

    name: str
    colour: Colour
    mask: NDArray[np.bool_] | None = None
    paths: Sequence[Path] = ()


@dataclass(frozen=True)
class Marking:
    """Marks over a ``region`` of the native frame."""

    marks: Sequence[Mark]
    region: Region

    def over(self, picture: Image.Image) -> Image.Image:
        """The picture of the region, whatever its size, in colour and with the marks: a segment outlined and faintly
        filled, a contour as its line."""
        drawn = picture.convert("RGB")
        for mark in self.marks:
            if mark.mask is not None:
                _fill(drawn, mark.mask, self.region, mark.colour)
        pen = ImageDraw.Draw(drawn)
        for mark in self.marks:
            for path in mark.paths:
                _trace(pen, path, self._placed(path, picture.size), mark.colour)
        return drawn

    def _placed(self, path: Path, size: tuple[int, int]) -> list[tuple[float, float]]:
        """The points in pixels of the picture."""
        x, y, width, height = self.region
        scale = np.array([size[0] / width, size[1] / height])
        placed = (path.points - np.array([x, y]) + 0.5) * scale - 0.5
        return [(float(across), float(down)) for across, down in placed]


def _fill(picture: Image.Image, mask: NDArray[np.bool_], region: Region, colour: Colour) -> None:
    """Where the picture shows any of the segment. However small it is, it does not vanish when the picture shrinks."""
    x, y, width, height = region
    native = Image.fromarray(mask[y : y + height, x : x + width].astype(np.float32))
    share = np.asarray(native.resize(picture.size, Image.Resampling.BOX))
    inside = Image.fromarray((share > 0).astype(np.uint8) * 255)
    # The filter repeats the outermost pixels: what is cut off by the region has no outline there.
    outline = ImageChops.subtract(inside, inside.filter(ImageFilter.MinFilter(2 * WIDTH + 1)))
    picture.paste(colour, mask=inside.point(lambda value: round(FILLED * value)))
    picture.paste(colour, mask=outline)


def _trace(pen: ImageDraw.ImageDraw, path: Path, points: list[tuple[float, float]], colour: Colour) -> None:
    if len(points) == 1:
        ((x, y),) = points
        pen.line((x - CROSS, y, x + CROSS, y), colour, WIDTH)
        pen.line((x, y - CROSS, x, y + CROSS), colour, WIDTH)
        return
    pen.line([*points, points[0]] if path.is_closed else points, colour, WIDTH)


# ---- the strip of names ----------------------------------------------------------------------------------------------


class Strip(Protocol):
    """What stands below a picture: it widens with it, and never lies on it."""

    def height(self, width: int) -> int:
        """How high the strip below a picture of this width is; 0 for none."""

    def under(self, picture: Image.Image) -> Image.Image:
        """The picture with the strip below it, and nothing on it."""

    def said(self, width: int) -> str:
        """What the strip is, in words."""


@dataclass(frozen=True)
class Legend:
    """A square of the colour of each mark and its name."""

    marks: Sequence[Mark]

    def height(self, width: int) -> int:
        return legend_height(self.marks, width)

    def under(self, picture: Image.Image) -> Image.Image:
        return with_legend(picture, self.marks)

    def said(self, width: int) -> str:
        return "the legend"


def legend_height(marks: Sequence[Mark], width: int) -> int:
    """How high the strip below a picture of this width is."""
    return LINE * len(_lines(marks, width))


def with_legend(picture: Image.Image, marks: Sequence[Mark]) -> Image.Image:
    """The picture with a strip below it, and nothing on it: a square of each colour and the name."""
    font = ImageFont.load_default(FONT_SIZE)
    found = Image.new("RGB", (picture.width, picture.height + legend_height(marks, picture.width)), PAPER)
    found.paste(picture)
    pen = ImageDraw.Draw(found)
    for nth, line in enumerate(_lines(marks, picture.width)):
        top = picture.height + nth * LINE
        for x, name, colour in line:
            if colour:
                pen.rectangle((x, top + 4, x + SWATCH - 1, top + 4 + SWATCH - 1), colour)
            pen.text((x + SWATCH + 4 if colour else x, top + LINE - 4), name, INK, font, anchor="ls")
    return found


def _lines(marks: Sequence[Mark], width: int) -> list[list[tuple[int, str, Colour | None]]]:
    """Where in which line each name stands; those that do not fit are counted at the end."""
    font = ImageFont.load_default(FONT_SIZE)
    lines: list[list[tuple[int, str, Colour | None]]] = []
    x = 0
    for nth, mark in enumerate(marks):
        name = _fitting(mark.name, font, width - SWATCH - 8)
        taken = SWATCH + 4 + round(font.getlength(name)) + GAP
        if not lines or x + taken - GAP > width:
            if len(lines) == MOST_LINES:
                lines[-1] = [(4, f"... and {len(marks) - nth + len(lines[-1])} more", None)]
                break
            lines.append([])
            x = 4
        lines[-1].append((x, name, mark.colour))
        x += taken
    return lines


def _fitting(name: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """What of the name can be written, cut to the width."""
    cut = "".join(sign if " " <= sign <= "~" else "?" for sign in name[:LONGEST_NAME])
    while cut and font.getlength(cut) > width:
        cut = cut[:-1]
    return cut
