"""A head of ellipsoids, as a CT of 60 slices and as a PET of larger pixels in the same frame of reference."""

from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

STUDY, SPACE, CT, PET = "1.2.826.0.1.3680043.10.1.1", "1.2.826.0.1.3680043.10.1.2", "1.2.826.0.1.3680043.10.1.3", \
    "1.2.826.0.1.3680043.10.1.4"  # fmt: skip
CLASSES = {"CT": "1.2.840.10008.5.1.4.1.1.2", "PT": "1.2.840.10008.5.1.4.1.1.128"}

ELLIPSOIDS = (
    # x, y, z of the middle and half the axes, in mm; then HU, and the uptake
    ((0, 0, 0), (80, 100, 85), 900, 1.0),
    ((0, 0, 0), (74, 94, 79), 35, 4.0),
    ((-22, -5, 5), (9, 32, 20), 8, 0.5),
    ((22, -5, 5), (9, 32, 20), 8, 0.5),
    ((35, 40, 25), (12, 14, 16), 60, 14.0),
    ((0, -80, -45), (18, 14, 22), -950, 0.0),
)


def write(folder: Path) -> None:
    """Both series, one file for each slice."""
    for modality, uid, rows, pixel, slices, step in (("CT", CT, 128, 1.6, 60, 3.0), ("PT", PET, 64, 3.2, 45, 4.0)):
        for number in range(1, slices + 1):
            z = (number - (slices + 1) / 2) * step
            values = _slice(rows, pixel, z, is_pet=modality == "PT")
            _file(modality, uid, number, [-(rows - 1) / 2 * pixel] * 2 + [z], pixel, step, values).save_as(
                folder / f"{modality}{number}.dcm", enforce_file_format=True
            )


def _slice(rows: int, pixel: float, z: float, *, is_pet: bool) -> NDArray[np.int16]:
    places = (np.arange(rows) - (rows - 1) / 2) * pixel
    x, y = places[None, :], places[:, None]
    found = np.full((rows, rows), 0.0 if is_pet else -1000.0)
    for (a, b, c), (p, q, r), density, uptake in ELLIPSOIDS:
        inside = ((x - a) / p) ** 2 + ((y - b) / q) ** 2 + ((z - c) / r) ** 2 <= 1
        found[inside] = uptake * 1000 if is_pet else density
    noise = np.random.default_rng(int(z * 10) + 10_000).normal(0, 150 if is_pet else 12, found.shape)
    return np.clip(found + noise, 0 if is_pet else -1024, 20_000).astype(np.int16)


def _file(
    modality: str, uid: str, number: int, place: list[float], pixel: float, step: float, values: NDArray[np.int16]
) -> pydicom.Dataset:
    found = pydicom.Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.SOPClassUID, found.SOPInstanceUID, found.Modality = CLASSES[modality], f"{uid}.{number}", modality
    found.StudyInstanceUID, found.SeriesInstanceUID, found.FrameOfReferenceUID = STUDY, uid, SPACE
    found.PatientID, found.PatientName, found.StudyDate = "PHANTOM", "Phantom^Head", "20200101"
    found.SeriesDescription = f"Ellipsoids as {modality}"
    found.InstanceNumber, found.ImagePositionPatient = number, place
    found.ImageOrientationPatient, found.PixelSpacing, found.SliceThickness = [1, 0, 0, 0, 1, 0], [pixel] * 2, step
    found.Rows = found.Columns = len(values)
    found.SamplesPerPixel, found.PhotometricInterpretation = 1, "MONOCHROME2"
    found.BitsAllocated = found.BitsStored = 16
    found.HighBit, found.PixelRepresentation = 15, 1
    found.RescaleSlope, found.RescaleIntercept = 1, 0
    if modality == "CT":
        found.RescaleType, found.WindowCenter, found.WindowWidth = "HU", 40, 400
    else:
        found.Units = "BQML"
    found.PixelData = values.tobytes()
    return found
