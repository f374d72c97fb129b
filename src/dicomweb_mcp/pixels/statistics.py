"""How real values are spread: what is said of a picture, of a rectangle of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Statistics:
    """Of ``count`` pixels; ``deviation`` is the standard deviation of just these (divided by their number).

    ``left_out``: how many others there were, which are padding or no finite numbers.
    """

    count: int
    minimum: float
    mean: float
    maximum: float
    deviation: float
    left_out: int = 0

    @classmethod
    def of(cls, values: NDArray[Any], counts: NDArray[np.int64], pixels: int) -> "Statistics | None":
        """Of distinct ``values`` and how often each occurs among ``pixels``; None when no finite one does."""
        present = (counts > 0) & np.isfinite(values)
        found, weights = values[present].astype(np.float64, copy=False), counts[present]
        count = int(weights.sum())
        if not count:
            return None
        lowest, highest = float(found.min()), float(found.max())
        with np.errstate(over="ignore", invalid="ignore"):  # doubles near the end of their range
            mean = float(np.average(found, weights=weights))
            found -= mean
            found *= found  # in place, because there may be as many values as pixels
            deviation = float(np.sqrt(np.average(found, weights=weights)))
        return cls(count, lowest, mean, highest, deviation, pixels - count)
