"""Stored values -> real values (Modality LUT, PS3.3 C.11.1), their unit, and which of them are padding."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dicom.values import DicomJson, integer, items, number, raw_values, text
from .description import PixelDescription
from .lut import read_table
from .problems import Undecodable

UNSPECIFIED = ("", "US")
"""RescaleType values that name no unit."""


def real_values(stored: NDArray[Any], view: DicomJson, *, is_signed: bool) -> NDArray[np.float64]:
    """What the stored values mean, in the unit that ``unit`` names; same shape.

    ``view`` is the flat view of the frame. Raises MissingBulk or Undecodable for an unusable Modality LUT.
    """
    if table := items(view, "ModalityLUTSequence"):
        mapped = read_table(table[0], "LUTDescriptor", "LUTData", is_signed=is_signed).apply(stored)
        return mapped.astype(np.float64)
    slope, intercept = rescale(view)
    return stored.astype(np.float64) * slope + intercept


def rescale(view: DicomJson) -> tuple[float, float]:
    """Slope and intercept; 1 and 0 where there are none. The values of an RT Dose are scaled to its dose.

    Raises Undecodable when they are there and cannot be used, because then nobody knows what the values mean.
    """
    if (scaling := _usable(view, "DoseGridScaling")) is not None:
        return scaling, 0.0
    slope, intercept = _usable(view, "RescaleSlope"), _usable(view, "RescaleIntercept")
    return (1.0 if slope is None else slope), intercept or 0.0


def _usable(view: DicomJson, keyword: str) -> float | None:
    found = number(view, keyword)
    is_scale = keyword != "RescaleIntercept"
    if (found is None and raw_values(view, keyword)) or (is_scale and found == 0):
        raise Undecodable(f"{keyword} is no usable number, so the real values of these pixels are unknown.")
    return found


def unit(view: DicomJson) -> str:
    """RescaleType, the modality LUT's type, HU for rescaled CT, the units of PET or of a dose; else empty."""
    if table := items(view, "ModalityLUTSequence"):
        named = text(table[0], "ModalityLUTType")
        return "" if named in UNSPECIFIED else named
    if number(view, "DoseGridScaling") is not None:
        return text(view, "DoseUnits")
    named = text(view, "RescaleType")
    if named not in UNSPECIFIED:
        return named
    if number(view, "RescaleIntercept") is None:
        return ""
    modality = text(view, "Modality")
    return "HU" if modality == "CT" else text(view, "Units") if modality == "PT" else ""


def padding(stored: NDArray[Any], view: DicomJson, description: PixelDescription) -> NDArray[np.bool_] | None:
    """Where pixels are PixelPaddingValue, or up to PixelPaddingRangeLimit (PS3.3 C.7.5.1.1.2). None: nowhere."""
    value = integer(view, "PixelPaddingValue")
    if value is None or description.kind != "integer":
        return None
    limit = integer(view, "PixelPaddingRangeLimit", value)
    first, last = sorted(_signed(each, description) for each in (value, value if limit is None else limit))
    found: NDArray[np.bool_] = (stored >= first) & (stored <= last)
    return found if found.any() else None


def _signed(value: int, description: PixelDescription) -> int:
    """A padding value that was written as unsigned beside signed pixels."""
    wraps = description.is_signed and value >= 1 << (description.bits_allocated - 1)
    return value - (1 << description.bits_allocated) if wraps else value
