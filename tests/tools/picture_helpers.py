"""Images to look at, the servers that have them, and what is to be seen on a sheet."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from fakes.base import Fake
from fakes.dcm4chee import Dcm4chee
from fakes.google import IDC_BASE, Google
from fakes.store import Store
from tools.reading import text_of

Making = Callable[[Store], Fake]

SERVERS = [
    pytest.param("google", lambda store: Google(store), id="google"),
    pytest.param("idc", lambda store: Google(store, IDC_BASE, idc=True), id="idc"),
    pytest.param("dcm4chee", lambda store: Dcm4chee(store), id="dcm4chee"),
]


def dataset(name: str) -> pydicom.Dataset:
    return pydicom.dcmread(get_testdata_file(name))


def series(count: int, **more: Any) -> list[pydicom.Dataset]:
    """Slices 10 mm apart whose InstanceNumber runs against space; slice k shows noise around 100 k."""
    rng, made = np.random.default_rng(7), []
    for k in range(1, count + 1):
        one = dataset("CT_small.dcm")
        one.InstanceNumber = count - k + 1
        one.ImagePositionPatient = [0, 0, 10.0 * k]
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{k}"
        one.RescaleSlope, one.RescaleIntercept = 1, 0
        one.PixelData = rng.integers(100 * k, 100 * k + 90, (128, 128)).astype(np.int16).tobytes()
        for keyword, value in more.items():
            setattr(one, keyword, value)
        made.append(one)
    return made


def tile_lines(result: Any) -> list[str]:
    return [line for line in text_of(result).splitlines() if line.startswith("row ")]


def place_of(picture: np.ndarray, sheet: np.ndarray) -> tuple[int, int] | None:
    """Where a picture stands on the sheet, every pixel of it the same."""
    height, width = picture.shape[:2]
    for y, x in np.argwhere((sheet == picture[0, 0]) if sheet.ndim == 2 else (sheet == picture[0, 0]).all(-1)):
        if np.array_equal(sheet[y : y + height, x : x + width], picture):
            return int(y), int(x)
    return None
