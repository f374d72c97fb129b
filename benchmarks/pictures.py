"""A frame's stored bytes to a PNG, against pydicom and Pillow doing the same work on the same frame.

Both hold the object ready: this program its metadata and the frame, pydicom the dataset with its pixel data. Each then
decodes, rescales, windows to 8 bits, shrinks where it is asked to, and encodes with Pillow's settings for PNG. The two
pictures are compared first; pydicom decodes with what the development environment has.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from statistics import median

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import get_frame
from pydicom.pixels import apply_modality_lut, apply_windowing, pixel_array

from dicomweb_mcp.pixels.render import render_frame

from .metadata import DATA, as_json
from .side_by_side import Figure, compared, seconds, side_by_side, table

MATRIX = DATA / "codec-matrix"
PREFIX = "1.2.840.10008.1.2"
CALLS, REPETITIONS = 3, 11
GOAL = 1.1
FULL, SMALL = 1024, 256  # long edge: of 512 native pixels the first leaves all


@dataclass(frozen=True)
class Case:
    """The first frame of one file, shown with this long edge."""

    dataset: Callable[[], Dataset]
    size: int = FULL


def ct(last: str) -> Callable[[], Dataset]:
    """The CT slice of 512 x 512 in one transfer syntax."""
    return lambda: dcmread(MATRIX / "ct" / f"{PREFIX}.{last}.dcm")


def uncompressed_ct() -> Dataset:
    dataset = ct("5")()
    dataset.decompress()
    return dataset


def of_pydicom(name: str) -> Callable[[], Dataset]:
    """A file that comes with pydicom."""
    return lambda: dcmread(str(get_testdata_file(name)))


CASES = {
    "CT uncompressed": Case(uncompressed_ct),
    "CT uncompressed, shrunk": Case(uncompressed_ct, SMALL),
    "CT RLE": Case(ct("5")),
    "CT JPEG": Case(ct("4.50")),
    "CT JPEG lossless": Case(ct("4.70")),
    "CT JPEG-LS": Case(ct("4.80")),
    "CT JPEG 2000 lossless": Case(ct("4.90")),
    "US colour, uncompressed": Case(of_pydicom("examples_rgb_color.dcm")),
    "US colour, JPEG": Case(of_pydicom("examples_ybr_color.dcm")),
    "colour, JPEG lossless": Case(lambda: dcmread(MATRIX / "pattern" / "jpeg70_rgb.dcm")),
}


async def measured() -> list[Figure]:
    return [await _figure(name, case) for name, case in CASES.items()]


async def _figure(name: str, case: Case) -> Figure:
    dataset = case.dataset()
    obj, frame, syntax = as_json(dataset), _stored(dataset), dataset.file_meta.TransferSyntaxUID
    ours = partial(render_frame, frame, obj, transfer_syntax=syntax, size=case.size, format="png")
    theirs = partial(drawn_by_pydicom, dataset, case.size)
    claim = f"to PNG, {name}"
    try:
        other = theirs()
    except RuntimeError:  # what pydicom raises where all decoders that it knows are missing
        taken = await _each({"ours": ours})
        return Figure(claim, seconds(median(taken["ours"])), "pydicom: no decoder", "", "none", True)
    _same(_pixels(ours().picture.data), _pixels(other))
    taken = await _each({"ours": ours, "pydicom": theirs})
    return compared(claim, taken["ours"], "pydicom + Pillow", taken["pydicom"], GOAL)


async def _each(ways: Mapping[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Seconds for one picture, from several in a row."""

    async def often(draw: Callable[[], object]) -> None:
        for _ in range(CALLS):
            draw()

    taken = await side_by_side({name: partial(often, draw) for name, draw in ways.items()}, REPETITIONS)
    return {name: [time / CALLS for time in times] for name, times in taken.items()}


def _stored(dataset: Dataset) -> bytes:
    """The bytes of the first frame, as an archive hands them out."""
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        return get_frame(dataset.PixelData, 0, number_of_frames=int(dataset.get("NumberOfFrames", 1)))
    bits = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * dataset.BitsAllocated
    return bytes(dataset.PixelData[: bits // 8])


def drawn_by_pydicom(dataset: Dataset, size: int) -> bytes:
    """As its documentation shows it: decoded, modality LUT, window, 8 bits."""
    array = pixel_array(dataset, index=0)
    if dataset.SamplesPerPixel == 1:
        array = _as_bytes(apply_windowing(apply_modality_lut(array, dataset), dataset), dataset)
    image = Image.fromarray(array)
    if max(image.size) > size:
        scale = size / max(image.size)
        width, height = (round(length * scale) for length in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _as_bytes(windowed: NDArray[np.float64], dataset: Dataset) -> NDArray[np.uint8]:
    """pydicom windows to the range of the rescaled values that the stored bits can have."""
    least = -(1 << dataset.BitsStored - 1) if dataset.PixelRepresentation else 0
    most = least + (1 << dataset.BitsStored) - 1
    black, white = (value * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept) for value in (least, most))
    return ((windowed - black) * (255 / (white - black)) + 0.5).astype(np.uint8)


def _pixels(png: bytes) -> NDArray[np.int16]:
    return np.asarray(Image.open(BytesIO(png))).astype(np.int16)


def _same(ours: NDArray[np.int16], theirs: NDArray[np.int16]) -> None:
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1


if __name__ == "__main__":
    print(table(asyncio.run(measured())))
