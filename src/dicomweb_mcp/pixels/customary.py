"""Windows in which images of a modality are customarily looked at, for files that name none."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..dicom.suv import body_weight
from ..dicom.values import DicomJson, raw_values, text
from .modality import unit
from .window import Window

PROJECTIONS = {"LOCALIZER", "SCOUT"}
"""Values of ImageType: rescaled as if in HU, which the values of a projection are not."""


@dataclass(frozen=True)
class Customary:
    """``words`` name the window and what it is customary for."""

    words: str
    window: Window


def customary(view: DicomJson) -> Customary | None:
    """The customary window of the frame that ``view`` describes; None where values have no common scale, as in MR and
    radiographs."""
    choose = CUSTOMARY.get(text(view, "Modality"))
    return choose(view) if choose else None


def _soft_tissue(view: DicomJson) -> Customary | None:
    if unit(view) != "HU" or not PROJECTIONS.isdisjoint(str(value).strip() for value in raw_values(view, "ImageType")):
        return None
    return Customary("window 40/400 customary for CT in HU", Window(40, 400))


def _uptake(view: DicomJson) -> Customary | None:
    found = body_weight(view)
    if found is None or found.factor is None:
        return None
    white = 10 / found.factor
    if math.isinf(white):
        return None
    return Customary(f"range 0 to 10 SUV(bw) (0 to {white:.6g}) customary for PET", Window.between(0, white))


CUSTOMARY: dict[str, Callable[[DicomJson], Customary | None]] = {"CT": _soft_tissue, "PT": _uptake}
