"""Slides for the tests of their tools: those of tests/data, ones made to measure, and what wsidicom reads."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from mcp import Client
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from segmentations import make
from tools.reading import call, text_of
from tools.test_preview import shown

DATA = Path(__file__).parents[1] / "data"
CAMELYON, SPARSE = DATA / "wsi_camelyon_jpeg", DATA / "wsi_sparse"
STUDY, SERIES = "1.2.7", "1.2.7.1"
TILE = 16
Box = tuple[int, int, int, int]


def datasets(folder: Path) -> list[Dataset]:
    return [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]


def series_of(path: Path) -> str:
    """Of a file, or of the first one of a folder."""
    file = next(iter(sorted(path.glob("*.dcm")))) if path.is_dir() else path
    return str(pydicom.dcmread(file, stop_before_pixels=True).SeriesInstanceUID)


async def region(client: Client, **arguments: Any) -> tuple[np.ndarray[Any, Any], str]:
    """The picture, PNG where nothing else is asked for, and its caption."""
    result = await call(client, "render_region", **{"format": "png", **arguments})
    return shown(result), text_of(result)


async def pixels(client: Client, series: str, level: int, box: Box, **more: Any) -> np.ndarray[Any, Any]:
    """A box of a level, one pixel of it in each of the picture."""
    x, y, width, height = box
    given = {"series_uid": series, "level": level, "x": x, "y": y, "width": width, "height": height, **more}
    return (await region(client, size=1568, **given))[0]


def line(caption: str, name: str) -> str:
    """The line of a caption that begins with a name."""
    return next(row.removeprefix(f"{name}: ") for row in caption.splitlines() if row.startswith(f"{name}: "))


class Oracle:
    """Regions as wsidicom reads them from files."""

    def __init__(self, files: Path | Sequence[Path]) -> None:
        wsidicom = pytest.importorskip("wsidicom")
        self._slide = wsidicom.WsiDicom.open(files)
        self._levels = sorted(self._slide.pyramid, key=lambda level: -level.size.width)  # its numbers are powers of two
        self.sizes = [(level.size.width, level.size.height) for level in self._levels]

    def __enter__(self) -> "Oracle":
        return self

    def __exit__(self, *_: object) -> None:
        self._slide.close()

    def read(self, level: int, box: Box) -> np.ndarray[Any, Any]:
        return np.asarray(self._slide.read_region(box[:2], self._levels[level].level, box[2:]))


def boxes(width: int, height: int, tile: int = 256) -> list[Box]:
    """The whole, one across borders of tiles, one that is a tile, and those at the right and lower edges."""
    found = [(0, 0, width, height), (width - 9, height - 7, 9, 7), (width // 3, height // 3, width // 2, height // 2)]
    if width > tile:
        found += [(tile - 3, 5, 7, 20), (0, 0, tile, min(tile, height)), (width - tile // 2, 0, tile // 2, height)]
    if min(width, height) > tile:
        found += [(tile - 1, tile - 1, 2, 2), (tile, tile, min(tile, width - tile), min(tile, height - tile))]
    return found


# ---- made to measure -------------------------------------------------------------------------------------------------


def made(frames: np.ndarray[Any, Any], columns: int, rows: int, number: int = 1, **more: Any) -> Dataset:
    """A slide image of 0.5 um per pixel whose frames are given, tiles of 16 x 16: (n, 16, 16, 3) in RGB, or (n, 16, 16)
    in grey of its own depth. ``spacing`` (mm, None for none) and ``paths`` (items of the sequence) beside attributes."""
    is_colour, bits = frames.ndim == 4, frames.dtype.itemsize * 8
    spacing, paths = more.pop("spacing", 0.0005), more.pop("paths", None) or [path("0")]
    measures = {} if spacing is None else {"PixelSpacing": [spacing, spacing], "SliceThickness": 0.001}
    measures |= {"SpacingBetweenSlices": 0.002} if more.get("TotalPixelMatrixFocalPlanes", 1) > 1 else {}
    uid = f"{SERIES}.{number}"
    values: dict[str, Any] = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.6", "SOPInstanceUID": uid, "Modality": "SM",
        "StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES, "PatientID": "p", "PatientName": "Patient^One",
        "StudyDate": "20200101", "StudyTime": "", "StudyID": "", "AccessionNumber": "", "InstanceNumber": number,
        "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], "DimensionOrganizationType": "TILED_FULL",
        "FrameOfReferenceUID": "1.2.8", "ContainerIdentifier": "C1", "LossyImageCompression": "00",
        "NumberOfFrames": len(frames), "TotalPixelMatrixColumns": columns, "TotalPixelMatrixRows": rows,
        "TotalPixelMatrixFocalPlanes": 1, "Columns": TILE, "Rows": TILE, "BitsAllocated": bits, "BitsStored": bits,
        "HighBit": bits - 1, "PixelRepresentation": 0, "SamplesPerPixel": 3 if is_colour else 1,
        "PhotometricInterpretation": "RGB" if is_colour else "MONOCHROME2", "OpticalPathSequence": paths,
        "NumberOfOpticalPaths": len(paths),
        "SharedFunctionalGroupsSequence": [make(PixelMeasuresSequence=[make(**measures)])] if measures else [],
    }  # fmt: skip
    values |= {"PlanarConfiguration": 0} if is_colour else {}
    found = make(**values | more)
    found.PixelData = frames.tobytes()
    found["PixelData"].VR = "OW" if bits > 8 else "OB"
    found.file_meta = pydicom.dataset.FileMetaDataset()
    found.file_meta.MediaStorageSOPClassUID = found.SOPClassUID
    found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return found


def path(identifier: str, **more: Any) -> Dataset:
    return make(OpticalPathIdentifier=identifier, ObjectiveLensPower=20, **more)


def cut(picture: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The tiles of a picture in their order, the last ones filled up."""
    rows, columns = picture.shape[:2]
    padding = [(0, -rows % TILE), (0, -columns % TILE), *[(0, 0)] * (picture.ndim - 2)]
    full = np.pad(picture, padding)
    return np.stack([
        full[top : top + TILE, left : left + TILE]
        for top in range(0, rows, TILE) for left in range(0, columns, TILE)
    ])  # fmt: skip


def noise(rows: int, columns: int, seed: int = 1, dtype: Any = np.uint8, samples: int = 3) -> np.ndarray[Any, Any]:
    shape = (rows, columns, samples) if samples > 1 else (rows, columns)
    most = int(np.iinfo(dtype).max)
    return np.random.default_rng(seed).integers(0, most, shape, dtype, endpoint=True)


def tiles_fetched(caption: str) -> tuple[int, int]:
    """How many tiles a picture took, and how many of them were fetched for it."""
    counted = re.match(r"(\d+) \((?:(\d+) fetched|none)", line(caption, "tiles"))
    assert counted, caption
    return int(counted[1]), int(counted[2] or 0)
