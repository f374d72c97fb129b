"""A grey frame as the distinct stored values it has: what is computed per value need not be computed per pixel."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDEST = 1 << 16


@dataclass(frozen=True)
class Levels:
    """``stored``: the values, shape (n,). ``index``: of each pixel into them, (rows, columns)."""

    stored: NDArray[Any]
    index: NDArray[Any]

    @classmethod
    def of(cls, frame: NDArray[Any]) -> "Levels":
        """Every value between minimum and maximum where that is a short list, else the values that occur."""
        if frame.dtype.kind in "iu":
            lowest, highest = int(frame.min()), int(frame.max())
            if highest - lowest < WIDEST:
                wide = np.int32 if frame.dtype.itemsize <= 2 else np.int64
                return cls(np.arange(lowest, highest + 1), (frame.astype(wide) - lowest).astype(np.uint16))
        stored, index = np.unique(frame, return_inverse=True)
        return cls(stored, index.reshape(frame.shape))

    def counts(self, region: tuple[slice, slice] = (slice(None), slice(None))) -> NDArray[np.int64]:
        """How many pixels of the region have each value."""
        return np.bincount(self.index[region].ravel(), minlength=len(self.stored))
