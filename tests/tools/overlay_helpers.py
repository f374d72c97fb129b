"""Images with a segmentation and a structure set on them, made to measure."""

import io
from functools import cache
from typing import Any

import numpy as np
import pydicom
from highdicom.content import AlgorithmIdentificationSequence
from highdicom.seg import Segmentation, SegmentDescription
from pydicom import Dataset
from pydicom.sr.codedict import codes

from fakes.google import Google
from fakes.store import Store
from segmentations import make
from tools.picture_helpers import series

SEG, RTSS = "1.2.9.1", "1.2.9.2"
SIZE = 128


def volume() -> np.ndarray:
    """Five planes of two segments: a block that grows towards plane 4, and a point on plane 2."""
    found = np.zeros((5, SIZE, SIZE, 2), np.uint8)
    for plane in range(1, 5):
        found[plane, 20 : 30 + 5 * plane, 40:60, 0] = plane != 4
    found[4, 20:22, 40:42, 0] = 1
    found[1, 100, 7, 1] = 1
    return found


@cache
def made(spacing: float) -> bytes:
    """A file by highdicom: two segments made from five images."""
    algorithm = AlgorithmIdentificationSequence("maker", codes.DCM.ArtificialIntelligence, "1")
    described = [
        SegmentDescription(number, label, codes.SCT.Tissue, codes.SCT.Tissue, "AUTOMATIC", algorithm)
        for number, label in enumerate(("Block", "Point of interest"), start=1)
    ]
    built = Segmentation(
        series(5, SpacingBetweenSlices=spacing), volume(), "BINARY", described, series_instance_uid=SEG,
        series_number=9, sop_instance_uid="1.2.9.1.1", instance_number=1, manufacturer="m",
        manufacturer_model_name="m", software_versions="1", device_serial_number="1",
    )  # fmt: skip
    file = io.BytesIO()
    built.save_as(file)
    return file.getvalue()


def segments(spacing: float = 5, **more: Any) -> Dataset:
    found = pydicom.dcmread(io.BytesIO(made(spacing)))
    for keyword, value in more.items():
        setattr(found, keyword, value)
    return found


def contour(*points: tuple[float, float, float], kind: str = "CLOSED_PLANAR") -> Dataset:
    flat = [value for point in points for value in point]
    return make(ContourGeometricType=kind, NumberOfContourPoints=len(points), ContourData=flat)


def structures(image: Dataset, regions: dict[str, list[Dataset]], space: str = "") -> Dataset:
    found = make(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.481.3", SOPInstanceUID="1.2.9.2.1", SeriesInstanceUID=RTSS,
        StudyInstanceUID=image.StudyInstanceUID, Modality="RTSTRUCT", SeriesDescription="Contours",
        StructureSetROISequence=[
            make(ROINumber=number, ROIName=name, ReferencedFrameOfReferenceUID=space or image.FrameOfReferenceUID)
            for number, name in enumerate(regions, start=1)
        ],
        ROIContourSequence=[
            make(ReferencedROINumber=number, ROIDisplayColor=[0, 255, 0], ContourSequence=contours)
            for number, contours in enumerate(regions.values(), start=1)
        ],
    )  # fmt: skip
    found.file_meta = pydicom.dataset.FileMetaDataset()
    found.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    return found


def over(*objects: Dataset) -> dict[str, Any]:
    return {"pacs": (Google(Store(*objects)), "google")}
