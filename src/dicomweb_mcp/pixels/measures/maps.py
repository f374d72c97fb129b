"""Least, greatest and mean value of a parametric map, in its unit (PS3.3 C.8.32, C.7.6.16.2.11)."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...dicom.codes import code_text
from ...dicom.functional_groups import MOST_FRAMES, PER_FRAME, SHARED, frame_count, frame_views
from ...dicom.tags import tag_of
from ...dicom.values import DicomJson, items, number
from ..problems import Undecodable
from .tally import Measured

GROUPS = (SHARED, PER_FRAME)
PADDING = ("PixelPaddingValue", "FloatPixelPaddingValue", "DoubleFloatPixelPaddingValue")

Scale = tuple[float, float, str]
"""Slope, intercept and unit of a linear mapping to real world values."""


class MapTally:
    """The range of all pixels that are numbers and no padding. Stored values where the frames do not share a unit."""

    def __init__(self, obj: DicomJson) -> None:
        frames = frame_count(obj)
        if frames > MOST_FRAMES:
            raise Undecodable(f"It has more than {MOST_FRAMES:,} frames.")
        groups = {tag: obj[tag] for tag in map(tag_of, (*GROUPS, "RealWorldValueMappingSequence")) if tag in obj}
        scales = [_scale(view) for view in frame_views(groups, frames)]
        units = {scale[2] if scale else None for scale in scales}
        self._unit = units.pop() if len(units) == 1 else None
        self._scales = [scale[:2] if scale and self._unit is not None else (1.0, 0.0) for scale in scales]
        self._padding = next((value for keyword in PADDING if (value := number(obj, keyword)) is not None), None)
        self._several = any(
            len(items(view, "RealWorldValueMappingSequence")) > 1 for view in frame_views(groups, frames)
        )
        self._low, self._high, self._sum, self._count, self._left_out = np.inf, -np.inf, 0.0, 0, 0

    @property
    def frames(self) -> Sequence[int]:
        return range(1, len(self._scales) + 1)

    def add(self, number: int, stored: NDArray[Any]) -> None:
        values = stored.astype(np.float64).ravel()
        if self._padding is not None:
            values = values[values != self._padding]
        numbers = values[np.isfinite(values)]
        self._left_out += stored.size - numbers.size
        if not numbers.size:
            return
        slope, intercept = self._scales[number - 1]
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is said in the result
            real = numbers * slope + intercept
            self._low, self._high = min(self._low, float(real.min())), max(self._high, float(real.max()))
            self._sum += float(real.sum())
        self._count += real.size

    def result(self) -> Measured:
        notes = []
        if self._left_out:
            notes.append(f"{self._left_out:,} pixels are padding or no numbers and were left out of the range.")
        if self._several:
            notes.append("There are several real world value mappings; the first one was applied.")
        if not self._count:
            return Measured(notes=notes)
        if self._unit is None:
            notes.append("The range is of stored values: there is no linear mapping to one unit.")
        if not math.isfinite(self._low + self._high + self._sum):
            return Measured(notes=[*notes, "The values are too large for a range."])
        facts: dict[str, Any] = {
            "minimum": _rounded(self._low),
            "maximum": _rounded(self._high),
            "mean": _rounded(self._sum / self._count),
        }
        return Measured({**facts, **({"unit": self._unit} if self._unit else {})}, notes=notes)


def _scale(view: DicomJson) -> Scale | None:
    mapping = items(view, "RealWorldValueMappingSequence")
    if not mapping:
        return None
    slope, intercept = number(mapping[0], "RealWorldValueSlope"), number(mapping[0], "RealWorldValueIntercept")
    units = items(mapping[0], "MeasurementUnitsCodeSequence")
    if slope is None or intercept is None:
        return None
    return slope, intercept, code_text(units[0]) if units else ""


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
