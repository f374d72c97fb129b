"""Every image file at hand, frame by frame, held against pydicom's own way from stored values to what is shown.

Stored values and real values are to be identical. A picture of 8 bits holds, for each pixel, the whole number that is
nearest to the brightness from 0 to 255 which pydicom computes; of two that are equally near either is right. What no
file at hand has is made here.
"""

import hashlib
import os
import warnings
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.errors import InvalidDicomError
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi, apply_windowing, iter_pixels
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from dicomweb_mcp.dicom.functional_groups import frame_view
from dicomweb_mcp.dicom.tags import tag_of
from dicomweb_mcp.pixels.colour import to_rgb
from dicomweb_mcp.pixels.decode import decode
from dicomweb_mcp.pixels.icc import AS_STORED
from dicomweb_mcp.pixels.modality import real_values
from dicomweb_mcp.pixels.problems import Undecodable
from dicomweb_mcp.pixels.render import SPACINGS, render_frame

MOST_FRAMES = 20
LARGEST = 800  # pixels of an edge that are compared: such a picture is neither shrunk nor turned into JPEG
HALF = 0.5 + 1e-6
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"
OWN = Path(__file__).parents[1] / "data"
MORE = os.environ.get("DICOMWEB_MCP_TEST_DATA")

DECODED_ELSEWHERE = {
    "test_files/JPEG-lossy.dcm": "d30242775a414c01",
    "test_files/JPGExtended.dcm": "d30242775a414c01",
    "test_files/GDCMJ2K_TextGBR.dcm": "bea5673fdd49313f",
    "test_files/SC_rgb_jpeg_gdcm.dcm": "169e619557b12114",
    "data/codec-matrix/ct/1.2.840.10008.1.2.4.51.dcm": "85e3b617e00dc755",
    "data/codec-matrix/ct/1.2.840.10008.1.2.4.53.dcm": "85e3b617e00dc755",
    "data/codec-matrix/ct/1.2.840.10008.1.2.4.55.dcm": "85e3b617e00dc755",
    "data/codec-matrix/ct/1.2.840.10008.1.2.4.57.dcm": "1bee432808f49770",
    "data/codec-matrix/ct/1.2.840.10008.1.2.4.70.dcm": "1bee432808f49770",
    "data/codec-matrix/pattern/jpeg70_rgb.dcm": "db754473cb0f7754",
}
"""What pydicom has no decoder for without more plugins: the beginning of the SHA-256 of the stored values, little-endian,
as DCMTK 3.6.7 (JPEG of 12 bits) and GDCM 3.2.6 (the others) decode them."""

NO_PICTURE = {
    "test_files/JPEG2000-embedded-sequence-delimiter.dcm": "its width was made senseless",
    "test_files/MR_truncated.dcm": "a part of its pixels is missing",
    "test_files/badVR.dcm": "its NumberOfFrames is no number; here it counts as one frame",
    "test_files/nested_priv_SQ.dcm": "it has no Rows and no Columns",
}
"""What pydicom cannot decode, whatever is installed, and why."""


def images() -> dict[str, Path]:
    """Every file with pixels of pydicom's wheel, of tests/data, and of the folder of larger files where it is named."""
    found: dict[str, Path] = {}
    for name, root in (("test_files", SHIPPED), ("data", OWN), *([("data", Path(MORE))] if MORE else [])):
        for path in sorted(each for each in root.rglob("*") if each.is_file()):
            if has_pixels(path):
                found.setdefault(f"{name}/{path.relative_to(root).as_posix()}", path)
    return found


def has_pixels(path: Path) -> bool:
    """Pixels in a transfer syntax that is known: without one nobody can say what the bytes are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = dcmread(path, specific_tags=[*PIXELS])
        except InvalidDicomError:
            return False
    return "TransferSyntaxUID" in found.file_meta and any(keyword in found for keyword in PIXELS)


IMAGES = images()
DECODABLE = [name for name in IMAGES if name not in DECODED_ELSEWHERE and name not in NO_PICTURE]


@pytest.fixture
def image(request: pytest.FixtureRequest, load_image: Any) -> Any:
    return load_image(IMAGES[request.param])


@pytest.mark.parametrize("image", DECODABLE, indirect=True)
def test_it_is_as_pydicom_has_it(image: Any) -> None:
    is_grey = image.description.photometric_interpretation.startswith("MONOCHROME")
    frames = min(image.description.number_of_frames, MOST_FRAMES)
    for index, stored in enumerate(by_pydicom(image.dataset, frames, as_rgb=False)):
        ours = decode(image.frame(index), image.description)
        assert ours.array.dtype == stored.dtype.newbyteorder("=")
        np.testing.assert_array_equal(ours.array, stored, f"stored values of frame {index + 1}")
        if is_grey:
            check_grey(image, index, stored)
    if not is_grey:
        for index, rgb in enumerate(by_pydicom(image.dataset, frames, as_rgb=True)):
            check_colour(image, index, rgb)


def by_pydicom(dataset: Dataset, frames: int, *, as_rgb: bool) -> Iterator[np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from iter_pixels(dataset, indices=range(frames), as_rgb=as_rgb)


def check_grey(image: Any, index: int, stored: np.ndarray) -> None:
    """Real values and the picture: with the file's first window, or its table, else with one over half of the values."""
    tables = tables_of(image.dataset, index)
    real = np.asarray(apply_modality_lut(stored, tables), np.float64) * float(image.dataset.get("DoseGridScaling", 1))
    ours = real_values(stored, frame_view(image.obj, index), is_signed=image.description.is_signed)
    np.testing.assert_array_equal(ours, real, f"real values of frame {index + 1}")
    window = "auto"
    if "WindowCenter" not in tables and "VOILUTSequence" not in tables:
        center, width = (real.max() + real.min()) / 2, (real.max() - real.min()) / 2 or 1
        tables.WindowCenter, tables.WindowWidth, tables.VOILUTFunction = float(center), float(width), "LINEAR_EXACT"
        window = f"{float(center)!r},{float(width)!r},linear-exact"
    brightness = brightness_by_pydicom(real, tables)
    if image.description.photometric_interpretation == "MONOCHROME1":
        brightness = 255 - brightness
    pixels, _ = shown(image, index, window)
    assert np.abs(pixels - brightness[:LARGEST, :LARGEST]).max() <= HALF, f"the picture of frame {index + 1}"


def tables_of(dataset: Dataset, index: int) -> Dataset:
    """What says how the stored values of a frame are shown, where pydicom looks for it."""
    tables = Dataset()
    groups = [
        *dataset.get("SharedFunctionalGroupsSequence", []),
        *dataset.get("PerFrameFunctionalGroupsSequence", [])[index : index + 1],
    ]
    macros = ("PixelValueTransformationSequence", "FrameVOILUTSequence")
    for level in (dataset, *(item for group in groups for macro in macros for item in group.get(macro, []))):
        for keyword in (
            "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction",
            "VOILUTSequence", "BitsStored", "PixelRepresentation", "PhotometricInterpretation",
        ):  # fmt: skip
            if keyword in level:
                tables[keyword] = level[keyword]
    return tables


def brightness_by_pydicom(real: np.ndarray, tables: Dataset) -> np.ndarray:
    """0 to 255, not rounded. ``real`` values have been rescaled: pydicom is told of 8 bits that need no rescaling."""
    if "WindowCenter" not in tables:
        bits = tables.VOILUTSequence[0].LUTDescriptor[2]
        return apply_voi(real.astype(np.int64), tables) * (255 / ((1 << bits) - 1))
    window = Dataset()
    window.BitsStored, window.PixelRepresentation, window.PhotometricInterpretation = 8, 0, "MONOCHROME2"
    for keyword in ("WindowCenter", "WindowWidth", "VOILUTFunction"):
        if keyword in tables:
            window[keyword] = tables[keyword]
    return np.asarray(apply_windowing(real, window, index=0), np.float64)


def check_colour(image: Any, index: int, rgb: np.ndarray) -> None:
    """Red, green and blue of 8 bits, and the picture where no ICC profile changes them."""
    if image.description.photometric_interpretation == "PALETTE COLOR":
        rgb = apply_color_lut(rgb, image.dataset)
    bits = 8 * rgb.dtype.itemsize if rgb.max() > 255 else 8
    expected = rgb * (255 / ((1 << bits) - 1))
    ours = to_rgb(decode(image.frame(index), image.description), image.description, frame_view(image.obj, index))
    assert np.abs(ours - expected).max() <= HALF, f"the colours of frame {index + 1}"
    pixels, colours = shown(image, index)
    if colours == AS_STORED:
        np.testing.assert_array_equal(pixels, ours[:LARGEST, :LARGEST], f"the picture of frame {index + 1}")


def shown(image: Any, index: int, window: str = "auto") -> tuple[np.ndarray, str]:
    """The picture, each native pixel once, up to ``LARGEST`` of them; and what was done to its colours."""
    width, height = min(image.description.columns, LARGEST), min(image.description.rows, LARGEST)
    rendered = render_frame(
        image.frame(index),
        without_shape(image.obj),
        transfer_syntax=image.transfer_syntax,
        index=index,
        window=window,
        region=(0, 0, width, height),
        size=LARGEST,
        format="png",
    )
    pixels = np.asarray(Image.open(BytesIO(rendered.picture.data)))
    factor = pixels.shape[0] // height
    assert pixels.shape[:2] == (factor * height, factor * width)
    return pixels[::factor, ::factor], rendered.colours


def without_shape(node: Any) -> Any:
    """DICOM JSON without what says how high and wide a pixel is, at all levels: such a picture is not stretched."""
    if isinstance(node, dict):
        return {
            key: without_shape(value) for key, value in node.items() if key not in {tag_of(each) for each in SPACINGS}
        }
    return [without_shape(each) for each in node] if isinstance(node, list) else node


RAMP = np.arange(0, 65536, 257 // 2, np.int64)[:512].reshape(16, 32)  # 0 to 65,408
MODALITY_TABLE = [{"LUTDescriptor": [256, 20_000, 16], "LUTData": [(x * 177) % 4096 for x in range(256)]}]
VOI_TABLE = [{"LUTDescriptor": [512, 200, 12], "LUTData": [(x * x) // 64 for x in range(512)]}]
BELOW_ZERO = [{"LUTDescriptor": [512, -300, 12], "LUTData": [x * 8 for x in range(512)]}]
HOUNSFIELD = {"RescaleSlope": "0.5", "RescaleIntercept": "-1024.25"}
FRAMES = [(2, -7, 100, 500, "LINEAR"), (0.25, 40, 900, 2000.5, "SIGMOID"), (1, 0, 30_000, 0.5, "LINEAR_EXACT")]
"""Slope, intercept, center, width and function of each frame."""

MADE: Mapping[str, tuple[str, dict[str, Any]]] = {
    # name -> type of the pixels, what else the data set says
    "sigmoid": ("u2", {**HOUNSFIELD, "WindowCenter": 40, "WindowWidth": 4000, "VOILUTFunction": "SIGMOID"}),
    "linear exact": ("u2", {**HOUNSFIELD, "WindowCenter": 40, "WindowWidth": 400.5, "VOILUTFunction": "LINEAR_EXACT"}),
    "several windows": ("u2", {**HOUNSFIELD, "WindowCenter": [40, 9000], "WindowWidth": [4000, 100]}),
    "a width of 1": ("u2", {"WindowCenter": 30_000, "WindowWidth": 1}),
    "modality table": ("u2", {"ModalityLUTSequence": MODALITY_TABLE}),
    "modality table, window": ("u2", {"ModalityLUTSequence": MODALITY_TABLE, "WindowCenter": 2000, "WindowWidth": 900}),
    "modality table, VOI table": ("u2", {"ModalityLUTSequence": MODALITY_TABLE, "VOILUTSequence": VOI_TABLE}),
    "VOI table": ("u2", {"RescaleSlope": "0.25", "RescaleIntercept": "0", "VOILUTSequence": VOI_TABLE}),
    "VOI table for values below zero": ("i2", {"VOILUTSequence": BELOW_ZERO}),
    "low values are bright": (
        "u2",
        {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": 30_000, "WindowWidth": 9999},
    ),
    "12 bits with a sign": ("i2", {"BitsStored": 12, "HighBit": 11, "WindowCenter": 0, "WindowWidth": 1500}),
    "8 bits with a sign": ("i1", {"WindowCenter": 0, "WindowWidth": 100}),
    "32 bits with a sign": ("i4", {"WindowCenter": 0, "WindowWidth": 30_000}),
    "floats": ("f4", {**HOUNSFIELD, "WindowCenter": 0.5, "WindowWidth": 9000}),
    "doubles": ("f8", {"WindowCenter": 0, "WindowWidth": 9000, "VOILUTFunction": "SIGMOID"}),
    "each frame its own": (
        "u2",
        {
            "NumberOfFrames": len(FRAMES),
            "SharedFunctionalGroupsSequence": [
                {"FrameVOILUTSequence": [{"WindowCenter": 1, "WindowWidth": 1}]},
            ],
            "PerFrameFunctionalGroupsSequence": [
                {
                    "PixelValueTransformationSequence": [{"RescaleSlope": slope, "RescaleIntercept": intercept}],
                    "FrameVOILUTSequence": [{"WindowCenter": center, "WindowWidth": width, "VOILUTFunction": function}],
                }
                for slope, intercept, center, width, function in FRAMES
            ],
        },
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_is_shown_as_pydicom_has_it(name: str, tmp_path: Path, load_image: Any) -> None:
    kind, more = MADE[name]
    dtype = np.dtype(kind).newbyteorder("<")
    ramp = (RAMP - (32_768 if dtype.kind != "u" else 0)) // (1 if dtype.itemsize > 1 else 256)
    frames = more.get("NumberOfFrames", 1)
    element = {"f4": "FloatPixelData", "f8": "DoubleFloatPixelData"}.get(kind, "PixelData")
    made = dataset_of(
        {
            "SOPClassUID": SecondaryCaptureImageStorage,
            "SOPInstanceUID": "1.2.3",
            "Rows": 16,
            "Columns": 32,
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "BitsAllocated": 8 * dtype.itemsize,
            **(of_integers(dtype) if dtype.kind != "f" else {}),
            element: ramp.astype(dtype).tobytes() * frames,
            **more,
        }
    )
    made.ensure_file_meta()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dcmwrite(tmp_path / "made.dcm", made, implicit_vr=False, little_endian=True, enforce_file_format=True)
    image = load_image(tmp_path / "made.dcm")
    for index, stored in enumerate(by_pydicom(image.dataset, frames, as_rgb=False)):
        np.testing.assert_array_equal(decode(image.frame(index), image.description).array, stored)
        check_grey(image, index, stored)


def of_integers(dtype: np.dtype) -> dict[str, int]:
    bits = 8 * dtype.itemsize
    return {"BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": int(dtype.kind == "i")}


def dataset_of(attributes: Mapping[str, Any]) -> Dataset:
    """Lists of dicts are sequences; numbers whose VR depends on the pixels are signed where one is below zero."""
    made = Dataset()
    for keyword, value in attributes.items():
        if isinstance(value, list) and isinstance(value[0], dict):
            value = [dataset_of(item) for item in value]
        vr = dictionary_VR(tag_for_keyword(keyword) or 0)
        if " or " in vr:
            vr = "OW" if keyword == "PixelData" else "SS" if min(value) < 0 else "US"
        made.add_new(keyword, vr, value)
    return made


@pytest.mark.parametrize("image", DECODED_ELSEWHERE, indirect=True)
def test_it_is_as_others_decode_it(image: Any, request: pytest.FixtureRequest) -> None:
    ours = decode(image.frame(), image.description).array
    digest = hashlib.sha256(ours.astype(ours.dtype.newbyteorder("<")).tobytes()).hexdigest()
    assert digest.startswith(DECODED_ELSEWHERE[request.node.callspec.params["image"]])


@pytest.mark.parametrize("image", [*DECODED_ELSEWHERE, *NO_PICTURE], indirect=True)
def test_what_pydicom_cannot_decode_is_known(image: Any) -> None:
    """One that it learns to decode leaves the list; one that it fails on is not in the list, and fails above."""
    with pytest.raises((RuntimeError, NotImplementedError, ValueError, AttributeError)):
        list(by_pydicom(image.dataset, 1, as_rgb=False))


@pytest.mark.parametrize("name", ["JPEG2000-embedded-sequence-delimiter", "MR_truncated", "nested_priv_SQ"])
def test_what_is_no_picture_is_refused(load_image: Any, name: str) -> None:
    image = load_image(SHIPPED / f"{name}.dcm")
    with pytest.raises(Undecodable):
        decode(image.frame(), image.description)
