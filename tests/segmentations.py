"""The segmentations of tests/data, and small ones made to measure."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom import Dataset

DATA = Path(__file__).parent / "data"
FILES = sorted(
    path.relative_to(DATA).as_posix()
    for folder in ("ct-seg-sr", "seg-sm-ann-sr")
    for path in (DATA / folder).rglob("*seg*.dcm")
) + [
    f"ct-seg-sr/seg/{name}.dcm"
    for name in ("liver", "partial_overlaps", "sparse-labelmap-noppv", "sparse-labelmap-ppv5")
]
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


@cache
def read(name: str) -> Dataset:
    """One file; not to be changed."""
    return pydicom.dcmread(DATA / name)


def as_json(dataset: Dataset) -> dict[str, Any]:
    """DICOM JSON with the pixels as a bulk value, as servers give it."""
    return dataset.to_json_dict(1_024, lambda _: "bulk/pixels")


def frames_of(dataset: Dataset) -> np.ndarray[Any, Any]:
    pixels = dataset.pixel_array
    return pixels if pixels.ndim == 3 else pixels[None]


def code(value: str, meaning: str, scheme: str = "SCT") -> Dataset:
    return make(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def make(**values: Any) -> Dataset:
    found = Dataset()
    for keyword, value in values.items():
        setattr(found, keyword, value)
    return found


def segment(number: int | None, label: str = "Liver", **more: Any) -> Dataset:
    numbered = {} if number is None else {"SegmentNumber": number}
    return make(
        **numbered,
        SegmentLabel=label,
        SegmentAlgorithmType="MANUAL",
        SegmentedPropertyCategoryCodeSequence=[code("123037004", "Anatomical Structure")],
        SegmentedPropertyTypeCodeSequence=[code("10200004", "Liver")],
        **more,
    )


def frame(number: int | None, z: float | None, **groups: Any) -> Dataset:
    """The functional groups of a frame of a segment, axial at z."""
    found = make(**groups)
    if number is not None:
        found.SegmentIdentificationSequence = [make(ReferencedSegmentNumber=number)]
    if z is not None:
        found.PlanePositionSequence = [make(ImagePositionPatient=[0, 0, z])]
    return found


def segmentation(
    segments: list[Dataset], frames: list[Dataset], measures: dict[str, Any] | None = None, **more: Any
) -> Dataset:
    """A segmentation of 4 x 4 pixels of 2 x 1 mm (between rows, between columns)."""
    shared = make(
        PixelMeasuresSequence=[make(**{"PixelSpacing": [2, 1], **(measures or {})})],
        PlaneOrientationSequence=[make(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
    )
    values: dict[str, Any] = {
        "SOPClassUID": SEGMENTATION,
        "SOPInstanceUID": "1.2.3.4.5",
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.3.4",
        "Modality": "SEG",
        "SegmentationType": "BINARY",
        "Rows": 4,
        "Columns": 4,
        "NumberOfFrames": len(frames),
        "SegmentSequence": segments,
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": frames,
    }
    return make(**{**values, **more})
