"""A bar of a round length in a strip below a picture, with its label."""

import math
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from ..overlay.drawing import FONT_SIZE, INK, LINE, PAPER

MARGIN, THICK = 6, 4
HEIGHT = MARGIN + THICK + LINE
LEAST_WIDTH = 96  # of the picture: on less, bar and label would not be read
LONGEST_SHARE = 1 / 3  # of the width
STEPS = (5, 2, 1)


@dataclass(frozen=True)
class ScaleBar:
    """``width_um``: what the whole width of the picture is on the slide, however many pixels it gets."""

    width_um: float

    @property
    def length_um(self) -> float:
        """The largest of 1, 2, 5, 10, ... that takes a third of the width at most; so it takes an eighth at least."""
        most = self.width_um * LONGEST_SHARE
        power = 10.0 ** math.floor(math.log10(most))
        return power * next((step for step in STEPS if step * power <= most), 1)

    @property
    def label(self) -> str:
        """Its length in words."""
        length = self.length_um
        return f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} um"

    def pixels(self, width: int) -> int:
        """How long it is below a picture of this width."""
        return max(1, round(self.length_um / self.width_um * width))

    def height(self, width: int) -> int:
        """How high the strip is; 0 below a picture that is too narrow for it."""
        return HEIGHT if width >= LEAST_WIDTH else 0

    def under(self, picture: Image.Image) -> Image.Image:
        """The picture with the strip below it, and nothing on it."""
        below = self.height(picture.width)
        if not below:
            return picture
        is_grey = picture.mode == "L"
        found = Image.new(picture.mode, (picture.width, picture.height + below), PAPER[0] if is_grey else PAPER)
        found.paste(picture)
        ink = INK[0] if is_grey else INK
        pen = ImageDraw.Draw(found)
        top = picture.height + MARGIN
        pen.rectangle((MARGIN, top, MARGIN + self.pixels(picture.width) - 1, top + THICK - 1), ink)
        font = ImageFont.load_default(FONT_SIZE)
        pen.text((MARGIN, picture.height + below - 4), self.label, ink, font, anchor="ls")
        return found

    def said(self, width: int) -> str:
        """What the strip is, in words."""
        return f"a scale bar of {self.label}, {self.pixels(width)} pixels long"
