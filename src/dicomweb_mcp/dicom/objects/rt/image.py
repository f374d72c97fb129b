"""RT images (PS3.3 A.17, C.8.8.2): what was taken, from where, and how large a pixel is at the isocentre."""

from typing import Any

from ...facts import filled, rounded, shared
from ...values import DicomJson
from ..attributes import cut, reals, referenced, rows, shown
from ..description import Description


def describe(obj: DicomJson) -> Description:
    """The image's plane and machine, with a row for each exposure."""
    exposures = [_exposure(item) for item in rows(obj, "ExposureSequence")]
    facts = shown(
        obj, "RTImageLabel", "RTImageName", "RTImageDescription", "ImageType", "Rows", "Columns", "NumberOfFrames",
        "RTImagePlane", "RTImageOrientation", "RTImagePosition", "XRayImageReceptorTranslation",
        "XRayImageReceptorAngle", "RadiationMachineName", "GantryAngle", "BeamLimitingDeviceAngle",
        "PatientSupportAngle", "RadiationMachineSAD", "RadiationMachineSSD", "RTImageSID", "PrimaryDosimeterUnit",
        "ReportedValuesOrigin", "FractionNumber",
    )  # fmt: skip
    facts |= _spacing(obj)
    facts |= shown(obj, "ReferencedBeamNumber", "ReferencedFractionGroupNumber")
    facts |= referenced(obj, "ReferencedRTPlanSequence")
    facts |= filled(all_exposures=shared(exposures))
    return Description(
        facts=facts,
        items=[row for row in exposures if row],
        elided=cut(obj, "ExposureSequence", "ReferencedFrameNumber", "exposures"),
    )


def _spacing(obj: DicomJson) -> dict[str, Any]:
    """The size of a pixel at the image plane, and at the isocentre where the distances of both from the source are
    given."""
    spacing = reals(obj, "ImagePlanePixelSpacing", 2)
    if not spacing:
        return {}
    facts: dict[str, Any] = {"pixel_spacing_mm": {"at_image_plane": [rounded(value, 4) for value in spacing]}}
    to_isocentre, to_image = reals(obj, "RadiationMachineSAD", 1), reals(obj, "RTImageSID", 1)
    if to_isocentre and to_image and to_isocentre[0] > 0 and to_image[0] > 1:
        scale = to_isocentre[0] / to_image[0]
        facts["pixel_spacing_mm"]["at_isocentre"] = [rounded(value * scale, 4) for value in spacing]
    return facts


def _exposure(item: DicomJson) -> dict[str, Any]:
    return shown(
        item, "ReferencedFrameNumber", "KVP", "XRayTubeCurrent", "ExposureTime", "MetersetExposure", "GantryAngle",
        "BeamLimitingDeviceAngle", "PatientSupportAngle",
    )  # fmt: skip
