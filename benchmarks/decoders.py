"""Frames decoded: one CT slice in every compressed transfer syntax, and each other decoder that pydicom finds here.

A peer is a plugin of pydicom, with what pydicom does besides; a syntax that none of them decodes has a line without.
"""

import asyncio
from collections.abc import Awaitable, Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels import get_decoder, pixel_array
from pydicom.uid import UID

from dicomweb_mcp.pixels.decode import decode
from dicomweb_mcp.pixels.description import PixelDescription

from .side_by_side import Figure, compared, seconds, side_by_side, table

FILES = Path(__file__).parents[1] / "tests" / "data" / "codec-matrix" / "ct"
PREFIX = "1.2.840.10008.1.2"
SYNTAXES = {
    "4.50": "JPEG baseline",
    "4.51": "JPEG extended, 12 bits",
    "4.53": "JPEG spectral selection, 12 bits",
    "4.55": "JPEG full progression, 12 bits",
    "4.57": "JPEG lossless",
    "4.70": "JPEG lossless SV1",
    "4.80": "JPEG-LS",
    "4.81": "JPEG-LS near-lossless",
    "4.90": "JPEG 2000 lossless",
    "4.91": "JPEG 2000",
    "4.201": "HTJ2K lossless",
    "4.203": "HTJ2K",
    "5": "RLE",
}
"""What stands behind 1.2.840.10008.1.2, and its name."""
REPETITIONS = 15
GOALS = {"4.90": 1.3, "4.91": 1.3}
"""The ratio that is wanted, 1 for the others. JPEG 2000 is OpenJPEG on both sides, or GDCM's older one."""


async def measured() -> list[Figure]:
    return [figure for last in SYNTAXES for figure in await _figures(last)]


async def _figures(last: str) -> list[Figure]:
    dataset = _slice(last)
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    description = PixelDescription.of(dataset.to_json_dict(), syntax)
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    ours = partial(decode, frame, description)
    peers = {
        plugin: partial(pixel_array, dataset, decoding_plugin=plugin)
        for plugin in _plugins(dataset, ours().array.astype(int))
    }
    taken = await side_by_side({name: _way(work) for name, work in {"ours": ours, **peers}.items()}, REPETITIONS)
    claim = f"{SYNTAXES[last]} (.{last})"
    if not peers:
        return [Figure(claim, seconds(median(taken["ours"])), "no other decoder", "", "none", True)]
    goal = GOALS.get(last, 1)
    return [compared(claim, taken["ours"], plugin, taken[plugin], goal) for plugin in peers]


def _slice(last: str) -> Dataset:
    """From its file; High-Throughput JPEG 2000 is made of the lossless one."""
    file = FILES / f"{PREFIX}.{last}.dcm"
    if file.exists():
        return dcmread(file)
    dataset = deepcopy(dcmread(FILES / f"{PREFIX}.5.dcm"))
    coded = imagecodecs.htj2k_encode(dataset.pixel_array, reversible=last != "4.203")
    dataset.PixelData = encapsulate([bytes(coded)])
    dataset.file_meta.TransferSyntaxUID = UID(f"{PREFIX}.{last}")
    return dataset


def _plugins(dataset: Dataset, ours: NDArray[Any]) -> list[str]:
    """Those of pydicom that decode this slice, to the same values; the wavelets of some differ by one."""
    try:
        available = get_decoder(dataset.file_meta.TransferSyntaxUID).available_plugins
    except NotImplementedError:
        return []
    return [plugin for plugin in available if _off(dataset, plugin, ours) <= 1]


def _off(dataset: Dataset, plugin: str, ours: NDArray[Any]) -> float:
    try:
        return float(np.abs(pixel_array(dataset, decoding_plugin=plugin) - ours).max())
    except RuntimeError:  # such as 12 bits, which most libraries of JPEG do not have
        return float("inf")


def _way(work: Callable[[], Any]) -> Callable[[], Awaitable[object]]:
    async def way() -> object:
        return work()

    return way


if __name__ == "__main__":
    print(table(asyncio.run(measured())))
