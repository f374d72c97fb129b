"""Real images, and objects made by hand, for the tests of this room. pydicom is the independent truth."""

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_files
from pydicom.encaps import get_frame
from pydicom.pixels import pixel_array

from dicomweb_mcp.dicom.tags import by_tag, tag_of
from dicomweb_mcp.pixels.description import PixelDescription

DATA = Path(__file__).parent.parent / "data"
PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

logging.getLogger("pydicom").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Image:
    """One file: pydicom's data set and the DICOM JSON object, transfer syntax and frames that this room takes."""

    dataset: Dataset
    obj: dict[str, Any]
    transfer_syntax: str

    @property
    def description(self) -> PixelDescription:
        return PixelDescription.of(self.obj, self.transfer_syntax)

    def frame(self, index: int = 0) -> bytes:
        """The bytes of a frame, from byte 0 and bit 0 on; the last uncompressed one keeps a byte of padding."""
        pixels = next(self.dataset[keyword].value for keyword in PIXEL_KEYWORDS if keyword in self.dataset)
        description = self.description
        frames, length = description.number_of_frames, description.frame_bytes
        if self.dataset.file_meta.TransferSyntaxUID.is_encapsulated:
            return get_frame(pixels, index, number_of_frames=frames)
        if description.bits_allocated == 1:  # frames follow each other without a gap
            bits = np.unpackbits(np.frombuffer(pixels, np.uint8), bitorder="little")
            return np.packbits(bits[index * description.pixels :][: description.pixels], bitorder="little").tobytes()
        padding = int(index + 1 == frames)
        return pixels[index * length : (index + 1) * length + padding]

    def truth(self, **options: Any) -> np.ndarray:
        """Frame 0 by pydicom. Fails as pydicom fails."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pixel_array(self.dataset, index=0, **options)


def load(path: str | Path) -> Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = dcmread(path)
        obj = dataset.to_json_dict(suppress_invalid_tags=True)
    return Image(dataset, obj, str(dataset.file_meta.TransferSyntaxUID))


@cache
def _decodable() -> dict[str, Image]:
    """Every image in pydicom's wheel that pydicom itself decodes here."""
    found = {}
    for path in sorted(map(Path, get_testdata_files("**/*"))):
        try:
            image = load(path)
            image.truth()
        except Exception:  # no DICOM file, no image, or one that pydicom cannot decode: it fails in many ways
            continue
        found[f"{path.parent.name}-{path.name}"] = image
    assert len(found) > 60, "pydicom's test files are missing"
    return found


SELECTIONS: dict[str, Callable[[Dataset], bool]] = {
    "grey_image": lambda dataset: dataset.SamplesPerPixel == 1,
    "colour_image": lambda dataset: dataset.SamplesPerPixel == 3,
}
"""Fixture -> which of pydicom's images it runs through."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for fixture, selects in SELECTIONS.items():
        if fixture in metafunc.fixturenames:
            images = {name: each for name, each in _decodable().items() if selects(each.dataset)}
            metafunc.parametrize(fixture, images.values(), ids=images.keys())


@pytest.fixture
def codec_ct() -> Callable[[str], Image]:
    """The same CT slice by the end of its transfer syntax, such as "4.70"."""
    return lambda last: load(DATA / "codec-matrix" / "ct" / f"1.2.840.10008.1.2.{last}.dcm")


@pytest.fixture
def codec_pattern() -> Callable[[str], Image]:
    return lambda name: load(DATA / "codec-matrix" / "pattern" / name)


@pytest.fixture
def load_image() -> Callable[[str | Path], Image]:
    return load


@pytest.fixture
def make() -> Callable[..., dict[str, Any]]:
    """DICOM JSON of a small image: ``make(Rows=4, WindowCenter=[40, 50])``; None leaves an attribute out."""

    def made(**attributes: Any) -> dict[str, Any]:
        basis: dict[str, Any] = {
            "Rows": 4,
            "Columns": 4,
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "BitsAllocated": 16,
            "BitsStored": 16,
            "HighBit": None,
            "PixelRepresentation": 0,
        }
        return to_json(basis | attributes)

    return made


def to_json(attributes: dict[str, Any]) -> dict[str, Any]:
    """Keyword -> value, list of values, list of dicts (a sequence), or an element as it is (a dict with "vr")."""
    obj: dict[str, Any] = {}
    for keyword, value in attributes.items():
        if value is None:
            continue
        tag = tag_of(keyword)
        if isinstance(value, dict):
            obj[tag] = value
            continue
        values = value if isinstance(value, list) else [value]
        values = [to_json(each) if isinstance(each, dict) else each for each in values]
        obj[tag] = {"vr": by_tag(tag).vr, "Value": values}
    return obj
