"""A grey frame as the stored values that it has: what is computed per value need not be computed per pixel."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDEST = 1 << 16
EVERYWHERE = (slice(None), slice(None))


@dataclass(frozen=True)
class Levels:
    """``stored``: the values, shape (n,). ``index``: of each pixel into them, (rows, columns).

    Floats and integers over a wide range are not sorted out: each pixel is a level of its own, in the order of the
    frame, and ``index`` is None.
    """

    stored: NDArray[Any]
    index: NDArray[Any] | None
    shape: tuple[int, ...]

    @classmethod
    def of(cls, frame: NDArray[Any]) -> "Levels":
        """Every value between minimum and maximum where that is a short list, else every pixel."""
        if frame.dtype.kind in "iu":
            lowest, highest = int(frame.min()), int(frame.max())
            if highest - lowest < WIDEST:
                wide = np.int32 if frame.dtype.itemsize <= 2 else np.int64
                index = (frame.astype(wide) - lowest).astype(np.uint16)
                return cls(np.arange(lowest, highest + 1), index, frame.shape)
        return cls(frame.ravel(), None, frame.shape)

    def counts(self, region: tuple[slice, slice] = EVERYWHERE) -> NDArray[Any]:
        """How many pixels of the region have each value."""
        if self.index is not None:
            return np.bincount(self.index[region].ravel(), minlength=len(self.stored))
        inside = np.zeros(self.shape, np.uint8)
        inside[region] = 1
        return inside.ravel()

    def spread(self, of_levels: NDArray[Any]) -> NDArray[Any]:
        """What was computed for each value, for each pixel: (rows, columns)."""
        return of_levels.reshape(self.shape) if self.index is None else np.take(of_levels, self.index)

    def of_pixel(self, x: int, y: int) -> int:
        """Which of the values a pixel has."""
        return y * self.shape[1] + x if self.index is None else int(self.index[y, x])
