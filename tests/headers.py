"""Made headers of series, as DICOM JSON that pydicom writes."""

import json
from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset

from dicomweb_mcp.dicom.volume import describe_geometry, planes

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"


def made(**values: Any) -> Dataset:
    """A dataset of keywords; a dict is a sequence of one item, a list of dicts one of several."""
    dataset = Dataset()
    for keyword, value in values.items():
        if isinstance(value, dict):
            value = [made(**value)]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            value = [made(**item) for item in value]
        setattr(dataset, keyword, value)
    return dataset


def as_json(**values: Any) -> dict[str, Any]:
    return json.loads(made(**values).to_json())


def image(origin: Sequence[float], orientation: Sequence[float] = AXIAL, **more: Any) -> dict[str, Any]:
    """A header of one image."""
    values = {
        "SOPClassUID": MR_IMAGE,
        "FrameOfReferenceUID": "1.2.3",
        "ImagePositionPatient": [round(value, 6) for value in origin],
        "ImageOrientationPatient": list(orientation),
        "PixelSpacing": [0.5, 0.5],
        "Rows": 256,
        "Columns": 512,
        "SliceThickness": 2.5,
    }
    return as_json(**{**values, **more})


def series(places: Sequence[float], **more: Any) -> list[dict[str, Any]]:
    """Axial headers at these z."""
    return [image((-128, -64, z), **more) for z in places]


def geometry(headers: Sequence[dict[str, Any]], **options: Any) -> dict[str, Any]:
    return describe_geometry([plane for header in headers for plane in planes(header)], **options)
