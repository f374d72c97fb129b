"""What the pixels of a frame are worth, at points and in rectangles: real values of grey, RGB of colour."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .levels import Levels
from .request import Point, Region
from .statistics import Statistics

CHANNEL = np.arange(256)


@dataclass(frozen=True)
class Sample:
    """One pixel: a real value, or red, green and blue from 0 to 255."""

    x: int
    y: int
    values: tuple[float, ...]
    is_padding: bool = False


@dataclass(frozen=True)
class GreyValues:
    """``levels`` with the ``real`` value of each; ``outside``: which of them are padding, None for none."""

    levels: Levels
    real: NDArray[np.float64]
    outside: NDArray[np.bool_] | None

    def at(self, point: Point) -> Sample:
        x, y = point
        nth = self.levels.of_pixel(x, y)
        return Sample(x, y, (float(self.real[nth]),), self.outside is not None and bool(self.outside[nth]))

    def within(self, region: Region) -> tuple[Statistics | None, ...]:
        """One; padding is left out."""
        counts = self.levels.counts(slices(region))
        if self.outside is not None:
            counts = np.where(self.outside, 0, counts)
        return (Statistics.of(self.real, counts, region[2] * region[3]),)


@dataclass(frozen=True)
class ColourValues:
    """``rgb``: (rows, columns, 3) of 8 bits."""

    rgb: NDArray[np.uint8]

    def at(self, point: Point) -> Sample:
        x, y = point
        return Sample(x, y, tuple(float(value) for value in self.rgb[y, x]))

    def within(self, region: Region) -> tuple[Statistics | None, ...]:
        """Three: of red, green and blue."""
        part = self.rgb[slices(region)].reshape(-1, 3)
        return tuple(Statistics.of(CHANNEL, np.bincount(channel, minlength=256), len(part)) for channel in part.T)


def slices(region: Region) -> tuple[slice, slice]:
    """Rows and columns of a region, to index a frame with."""
    x, y, width, height = region
    return slice(y, y + height), slice(x, x + width)
