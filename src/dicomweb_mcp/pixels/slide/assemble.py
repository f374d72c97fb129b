"""Tiles -> the pixels of a box of the total pixel matrix (PS3.3 C.8.12.4.1.1), each pixel from its own tile."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadArgument
from ..problems import TooLarge
from ..request import Region

MOST_PIXELS = 16_000_000  # of what is assembled
LARGEST_REDUCE = 128  # sums of 16 bits must fit 32


@dataclass(frozen=True)
class Assembled:
    """``pixels``: (rows, columns) or (rows, columns, 3), each of them ``reduce`` x ``reduce`` pixels of the level.
    ``region``: what they show, in pixels of the level. ``missing``: tiles shown as background, of ``tiles``."""

    pixels: NDArray[Any]
    region: Region
    reduce: int
    tiles: int
    missing: int


def reduce_for(region: Region, size: int) -> int:
    """The largest whole factor by which a region may shrink while it is assembled for a picture of ``size``."""
    return min(LARGEST_REDUCE, max(1, max(region[2:]) // size))


class Assembly:
    """Takes tiles as they arrive, in any order, and keeps none of them. Not for several threads at once.

    With ``reduce`` each pixel is the rounded mean of a square of ``reduce`` pixels, counted from the corner of the
    region. Sums are kept until all tiles are there, so the result is that of the whole region wherever tiles meet. At
    the right and lower edge of the region squares that it cuts are the mean of what is inside.
    """

    def __init__(
        self,
        region: Region,
        *,
        matrix: tuple[int, int],
        tile: tuple[int, int],
        samples: int,
        dtype: np.dtype[Any],
        background: int,
        reduce: int = 1,
    ) -> None:
        """``region``: x, y, width, height in pixels of the level. ``matrix`` and ``tile``: width and height of the
        total pixel matrix and of a tile. Raises BadArgument, TooLarge."""
        x, y, width, height = region
        if width < 1 or height < 1 or x < 0 or y < 0 or x + width > matrix[0] or y + height > matrix[1]:
            raise BadArgument(
                f"The box x {x}, y {y}, {width} x {height} pixels is not within the level: it has {matrix[0]} x "
                f"{matrix[1]} pixels."
            )
        if not 1 <= reduce <= LARGEST_REDUCE:
            raise BadArgument(f"reduce {reduce}: allowed are 1 to {LARGEST_REDUCE}.")
        shape = (math.ceil(height / reduce), math.ceil(width / reduce))
        if shape[0] * shape[1] > MOST_PIXELS:
            raise TooLarge(
                f"A box of {width} x {height} pixels is over the limit of {MOST_PIXELS // 1_000_000} megapixels. "
                "Ask for a smaller box, or a coarser level."
            )
        self._region, self._tile, self._reduce, self._background = region, tile, reduce, background
        self._dtype = dtype
        across = (x + width - 1) // tile[0] - x // tile[0] + 1
        self._tiles = across * ((y + height - 1) // tile[1] - y // tile[1] + 1)
        self._touched: set[tuple[int, int]] = set()  # places of the grid
        full = shape if samples == 1 else (*shape, samples)
        # Reduced: sums of how much pixels differ from the background, so that those which never come count as such.
        self._found = np.full(full, background, dtype) if reduce == 1 else np.zeros(full, np.int32)

    def put(self, column: int, row: int, tile: NDArray[Any]) -> None:
        """A tile by its place in the grid, from 0."""
        self.put_at(column * self._tile[0], row * self._tile[1], tile)

    def put_at(self, x: int, y: int, tile: NDArray[Any]) -> None:
        """A tile by the place of its first pixel in the total pixel matrix, from 0; sparse tiles need no grid. Tiles
        must not overlap. What lies outside the region is left out, the padding of tiles at the edges with it."""
        left, top = max(x, self._region[0]), max(y, self._region[1])
        right = min(x + tile.shape[1], self._region[0] + self._region[2])
        bottom = min(y + tile.shape[0], self._region[1] + self._region[3])
        if left >= right or top >= bottom:
            return
        inside = tile[top - y : bottom - y, left - x : right - x]
        self._add(left - self._region[0], top - self._region[1], inside)
        columns = range(left // self._tile[0], (right - 1) // self._tile[0] + 1)
        rows = range(top // self._tile[1], (bottom - 1) // self._tile[1] + 1)
        self._touched |= {(column, row) for row in rows for column in columns}

    def _add(self, x: int, y: int, part: NDArray[Any]) -> None:
        """``part`` begins at a pixel of the region."""
        if self._reduce == 1:
            self._found[y : y + part.shape[0], x : x + part.shape[1]] = part
            return
        sums = _sums(_sums(part.astype(np.int32) - self._background, y, self._reduce, 0), x, self._reduce, 1)
        top, left = y // self._reduce, x // self._reduce
        self._found[top : top + sums.shape[0], left : left + sums.shape[1]] += sums

    def result(self) -> Assembled:
        """What is there by now."""
        pixels = self._found if self._reduce == 1 else self._means()
        return Assembled(pixels, self._region, self._reduce, self._tiles, self._tiles - len(self._touched))

    def _means(self) -> NDArray[Any]:
        rows, columns = (_lengths(edge, self._reduce) for edge in (self._region[3], self._region[2]))
        counts = np.outer(rows, columns)
        if self._found.ndim == 3:
            counts = counts[..., np.newaxis]
        return (np.floor(self._found / counts + 0.5) + self._background).astype(self._dtype)


def _sums(part: NDArray[Any], start: int, factor: int, axis: int) -> NDArray[Any]:
    """Sums along an axis, of pixels ``start`` and following, over the squares in which they lie."""
    first = factor - start % factor
    borders = [0, *range(first, part.shape[axis], factor)]
    return np.add.reduceat(part, borders, axis=axis, dtype=np.int32)


def _lengths(edge: int, factor: int) -> NDArray[np.int32]:
    """How many pixels of the region each reduced one stands for, along one side."""
    return np.minimum(factor, edge - np.arange(0, edge, factor)).astype(np.int32)
