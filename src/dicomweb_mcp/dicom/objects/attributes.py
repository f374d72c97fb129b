"""Attributes of an object as a description shows them: by keyword, with their unit, empty ones left out."""

from typing import Any

from ..codes import coded
from ..facts import MOST_VALUES, few
from ..tags import by_tag, tag_of
from ..units import unit_of
from ..values import DicomJson, clean, items, numbers, plain, values_at
from .sop_references import uid_of

MOST_ROWS = 300  # of one object; an answer shows fewer
MOST_LISTED = 20  # of what stands in one fact
MOST_REFERENCES = 6
GREATEST = 1e9

UNITS = {
    "BeamLimitingDeviceAngle": "degrees",
    "CumulativeDoseToDoseReference": "Gy",
    "DeliveredTreatmentTime": "s",
    "DeliveryMaximumDose": "Gy",
    "DeliveryWarningDose": "Gy",
    "GantryAngle": "degrees",
    "MultiplexGroupTimeOffset": "ms",
    "NotchFilterFrequency": "Hz",
    "OrganAtRiskFullVolumeDose": "Gy",
    "OrganAtRiskLimitDose": "Gy",
    "OrganAtRiskMaximumDose": "Gy",
    "PatientSupportAngle": "degrees",
    "ReferenceAirKermaRate": "µGy/h at 1 m",
    "ROIVolume": "cm3",
    "SamplingFrequency": "Hz",
    "SpecifiedTreatmentTime": "s",
    "TargetMaximumDose": "Gy",
    "TargetMinimumDose": "Gy",
    "TotalReferenceAirKerma": "µGy at 1 m",
    "XRayImageReceptorAngle": "degrees",
}
"""Units of attributes of radiotherapy and of waveforms, besides those that dicom.units has for all."""


def shown(obj: DicomJson, *keywords: str) -> dict[str, Any]:
    """Those of these attributes that have a value, as ``plain`` writes it, with its unit where there is one:
    ``{"GantryAngle": "90 degrees"}``. The VR is the dictionary's, whatever the archive says."""
    found = {}
    for keyword in keywords:
        tag = tag_of(keyword)
        values = values_at(obj, tag)
        value = plain({"vr": by_tag(tag).vr, "Value": values[:MOST_VALUES]})
        if value in (None, []):
            continue
        if (unit := UNITS.get(keyword) or unit_of(keyword)) and isinstance(value, int | float):
            value = f"{value} {unit}"
        if len(values) > MOST_VALUES:
            value = f"{_joined(value)} ... ({len(values) - MOST_VALUES:,} more values)"
        found[keyword] = value
    return found


def codes(obj: DicomJson, *keywords: str) -> dict[str, str]:
    """Those of these code sequences that have a code, in words."""
    return {keyword: clean(words) for keyword in keywords if (words := coded(obj, keyword))}


def rows(obj: DicomJson, keyword: str, most: int = MOST_ROWS) -> list[DicomJson]:
    """The first items of a sequence."""
    return items(obj, keyword)[:most]


def cut(obj: DicomJson, keyword: str, inside: str, what: str, most: int = MOST_ROWS) -> list[str]:
    """What to put into ``elided`` when a sequence has more items than ``rows`` gives; ``inside`` is what tells them
    apart."""
    more = len(items(obj, keyword)) - most
    return [f'{more:,} more {what}: get_metadata with fields=["{keyword}.{inside}"].'] if more > 0 else []


def referenced(obj: DicomJson, *keywords: str) -> dict[str, Any]:
    """The instances to which these sequences refer: by the sequence's keyword, the UID or the first few of them."""
    found: dict[str, Any] = {}
    for keyword in keywords:
        uids = [uid for item in items(obj, keyword) if (uid := uid_of(item, "ReferencedSOPInstanceUID"))]
        if uids:
            found[keyword] = uids[0] if len(uids) == 1 else few(uids, MOST_REFERENCES)
    return found


def reals(obj: DicomJson, keyword: str, count: int | None = None) -> list[float]:
    """The values to compute with; empty unless there are ``count`` of them, all of a size that lengths and angles
    can have."""
    found = numbers(obj, keyword)
    usable = (count is None or len(found) == count) and all(abs(value) <= GREATEST for value in found)
    return found if usable else []


def _joined(value: Any) -> str:
    return " x ".join(map(str, value)) if isinstance(value, list) else str(value)
