"""How images were acquired, in short phrases with units; what is not there is left out."""

from collections.abc import Callable, Mapping

from ..values import DicomJson
from .emission import NUCLEAR_FIELDS, PET_FIELDS, PET_UNITS, nuclear_medicine, positron_emission
from .magnetic import MR_FIELDS, has_private_b_value, magnetic_resonance
from .microscopy import SLIDE_FIELDS, slide_microscopy
from .projection import ANGIOGRAPHY_FIELDS, PROJECTION_FIELDS, angiography, projection
from .reading import Reading, fields
from .sonography import ULTRASOUND_FIELDS, ultrasound
from .tables import (
    ANGIOGRAPHY,
    CONTRAST,
    CT,
    DEVICE,
    NUCLEAR,
    PET,
    POSITION,
    PROJECTION,
    SLIDE,
    ULTRASOUND,
    WARNINGS,
)

__all__ = ["ACQUISITION_FIELDS", "acquisition", "has_private_b_value"]


def _computed_tomography(reading: Reading) -> list[str]:
    tilt = reading.number("GantryDetectorTilt")
    said = reading.phrases(CT)
    return [*said, f"gantry tilt {tilt:g} degrees"] if tilt and abs(tilt) < 90 else said


_TELLERS: dict[str, Callable[[Reading], list[str]]] = {
    "CT": _computed_tomography,
    "MR": magnetic_resonance,
    "PT": positron_emission,
    "NM": nuclear_medicine,
    "MG": projection,
    "DX": projection,
    "CR": projection,
    "XA": angiography,
    "RF": angiography,
    "US": ultrasound,
    "SM": slide_microscopy,
}

ACQUISITION_FIELDS: Mapping[str, tuple[str, ...]] = {
    "": (*fields([*DEVICE, POSITION, CONTRAST, *WARNINGS]), "BurnedInAnnotation", "Modality", "SOPClassUID"),
    "CT": (*fields(CT), "GantryDetectorTilt"),
    "MR": MR_FIELDS,
    "PT": (*fields([PET_UNITS, *PET]), *PET_FIELDS),
    "NM": (*fields(NUCLEAR), *NUCLEAR_FIELDS),
    **{modality: (*fields(PROJECTION), *PROJECTION_FIELDS) for modality in ("MG", "DX", "CR")},
    **{modality: (*fields(ANGIOGRAPHY), *ANGIOGRAPHY_FIELDS) for modality in ("XA", "RF")},
    "US": (*fields(ULTRASOUND), *ULTRASOUND_FIELDS),
    "SM": (*fields(SLIDE), *SLIDE_FIELDS),
}
"""Modality -> what an instance search has to return for its phrases; under "" what every modality has."""


def acquisition(obj: DicomJson, varying: Mapping[str, str]) -> list[str]:
    """The phrases for one representative instance of a series, of whose frames the first is told. ``varying`` has words
    for the attributes that differ within the series, by keyword; these are told instead of the one value."""
    reading = Reading(obj, varying)
    teller = _TELLERS.get(reading.text("Modality"))
    own = teller(reading) if teller else []
    said = [*reading.phrases(DEVICE), *own, *reading.phrases([POSITION, CONTRAST, *WARNINGS])]
    if reading.text("BurnedInAnnotation") == "YES":
        said.append("text is burned into the pixels (BurnedInAnnotation YES)")
    return [phrase for phrase in said if phrase]
