"""The largest dose of an RT Dose and where it lies (PS3.3 C.8.8.3)."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...dicom.functional_groups import MOST_FRAMES, frame_count
from ...dicom.geometry import normal
from ...dicom.values import DicomJson, clean, number, numbers, text
from ..problems import Undecodable
from .tally import Measured


class DoseTally:
    """The largest stored value, times DoseGridScaling."""

    def __init__(self, obj: DicomJson) -> None:
        scaling = number(obj, "DoseGridScaling")
        if scaling is None or scaling <= 0:
            raise Undecodable("It has no usable DoseGridScaling, so nobody knows what its values mean.")
        if frame_count(obj) > MOST_FRAMES:
            raise Undecodable(f"It has more than {MOST_FRAMES:,} frames.")
        self._obj, self._scaling = obj, scaling
        self._largest: tuple[float, int, int, int] | None = None

    @property
    def frames(self) -> Sequence[int]:
        return range(1, frame_count(self._obj) + 1)

    def add(self, number: int, stored: NDArray[Any]) -> None:
        row, column = np.unravel_index(int(stored.argmax()), stored.shape)
        value = float(stored[row, column])
        if self._largest is None or value > self._largest[0]:
            self._largest = value, number, int(row), int(column)

    def result(self) -> Measured:
        if self._largest is None:
            return Measured()
        value, frame, row, column = self._largest
        if not math.isfinite(value * self._scaling):
            return Measured(notes=["The largest dose is no number."])
        units = clean(text(self._obj, "DoseUnits"), 20)
        name = "maximum_dose_gy" if units == "GY" else "maximum_dose"
        facts: dict[str, Any] = {name: float(f"{value * self._scaling:.6g}"), "maximum_dose_frame": frame}
        if place := _place(self._obj, frame, row, column):
            facts["maximum_dose_at_mm"] = place
        return Measured(facts)


def _place(obj: DicomJson, frame: int, row: int, column: int) -> list[float]:
    """The middle of a voxel in the patient; empty where it is not known. GridFrameOffsetVector holds distances from the
    first frame, or positions along z that begin with the first frame's own."""
    origin, directions = numbers(obj, "ImagePositionPatient"), numbers(obj, "ImageOrientationPatient")
    spacing, offsets = numbers(obj, "PixelSpacing"), numbers(obj, "GridFrameOffsetVector") or [0.0]
    axis = normal(directions)
    if axis is None or len(origin) != 3 or len(spacing) != 2 or len(offsets) != frame_count(obj):
        return []
    along = offsets[frame - 1] - offsets[0]
    return [
        round(at + x * column * spacing[1] + y * row * spacing[0] + z * along, 2)
        for at, x, y, z in zip(origin, directions[:3], directions[3:], axis, strict=True)
    ]
