"""One CT slice in every transfer syntax of still pictures: identical where nothing is lost, else as far off as its
encoder made it. The four uncompressed ones and those that are newer than the files are made here."""

import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread, dcmwrite
from pydicom.uid import UID

from dicomweb_mcp.pixels.decode import LOSSY, decode
from dicomweb_mcp.pixels.description import PixelDescription
from dicomweb_mcp.pixels.modality import real_values

PREFIX = "1.2.840.10008.1.2"
LOSSES = {
    # the end of the transfer syntax: largest and mean difference in HU from the lossless slice
    "4.50": (64.22, 19.836),  # 8 bits: one step is 32 HU
    "4.51": (35.63, 3.844),
    "4.53": (35.63, 3.844),
    "4.55": (35.63, 3.844),
    "4.81": (1, 0.694),
    "4.91": (5, 0.571),
}
"""Measured. What DCMTK decodes is the same for .50 to .55 (test_every_image.py), so the loss is that of the files."""


@pytest.fixture
def stored(codec_ct: Any) -> np.ndarray:
    """By pydicom's own decoder of RLE, which is plain Python."""
    return codec_ct("5").truth()


def read(image: Any) -> np.ndarray:
    return decode(image.frame(), image.description).array


@pytest.mark.parametrize("last", ["5", "4.57", "4.70", "4.80", "4.90"])
def test_nothing_is_lost(codec_ct: Any, stored: np.ndarray, last: str) -> None:
    found = read(codec_ct(last))
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, stored)


@pytest.mark.parametrize("last", ["", ".1", ".1.99", ".2"])
def test_nothing_is_lost_in_an_uncompressed_file(
    codec_ct: Any, load_image: Any, stored: np.ndarray, tmp_path: Path, last: str
) -> None:
    """Implicit, explicit, deflated, big-endian; written by pydicom."""
    dataset = codec_ct("5").dataset
    dataset.decompress()
    dataset.PixelData = stored.astype(">i2" if last == ".2" else "<i2").tobytes()
    dataset.file_meta.TransferSyntaxUID = UID(PREFIX + last)
    syntax = dataset.file_meta.TransferSyntaxUID
    dcmwrite(
        tmp_path / "ct.dcm",
        dataset,
        implicit_vr=syntax.is_implicit_VR,
        little_endian=syntax.is_little_endian,
        force_encoding=True,
    )
    np.testing.assert_array_equal(read(load_image(tmp_path / "ct.dcm")), stored)
    np.testing.assert_array_equal(dcmread(tmp_path / "ct.dcm").pixel_array, stored)


@pytest.mark.parametrize("last", LOSSES)
def test_no_more_is_lost_than_the_file_has_lost(codec_ct: Any, stored: np.ndarray, last: str) -> None:
    image = codec_ct(last)
    off = np.abs(real_values(read(image), image.obj, is_signed=image.description.is_signed) - (stored - 1024.0))
    assert (off.max(), off.mean()) == pytest.approx(LOSSES[last], rel=0.001)
    assert image.transfer_syntax in LOSSY


def compressed(syntax: str, stored: np.ndarray) -> bytes:
    if syntax == "8.1":
        deflater = zlib.compressobj(wbits=-15)
        return deflater.compress(stored.astype("<i2").tobytes()) + deflater.flush()
    return bytes(imagecodecs.htj2k_encode(stored, reversible=syntax != "4.203"))


@pytest.mark.parametrize(("last", "most"), [("4.201", 0), ("4.202", 0), ("4.203", 2), ("8.1", 0)])
def test_newer_syntaxes(codec_ct: Any, stored: np.ndarray, last: str, most: int) -> None:
    """High-throughput JPEG 2000, lossless and not (2 HU at most as it is encoded here), and deflated frames."""
    description = PixelDescription.of(codec_ct("5").obj, f"{PREFIX}.{last}")
    found = decode(compressed(last, stored), description).array
    assert found.dtype == np.int16
    assert np.abs(found.astype(int) - stored).max() <= most


def test_high_throughput_is_as_pillow_decodes_it(codec_ct: Any, stored: np.ndarray, make: Any) -> None:
    """Which has OpenJPEG and no values below zero. The wavelet of the lossy one is in floats: the last digit may differ."""
    unsigned = (stored + 2000).astype(np.uint16)
    description = PixelDescription.of(make(Rows=512, Columns=512), f"{PREFIX}.4.203")
    frame = compressed("4.203", unsigned)
    truth = np.asarray(Image.open(BytesIO(frame)))
    assert np.abs(truth.astype(int) - unsigned).max() > 0, "it is lossy"
    assert np.abs(decode(frame, description).array.astype(int) - truth).max() <= 1
