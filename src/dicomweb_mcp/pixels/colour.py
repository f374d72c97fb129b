"""Decoded colour frames -> RGB of 8 bits (PS3.3 C.7.6.3.1.2)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dicom.values import DicomJson
from .decode import Decoded
from .description import PixelDescription
from .palette import Palette
from .problems import Undecodable

RGB_OF_YBR = np.asarray(
    [[1, 1, 1], [0, -0.114 * 1.772 / 0.587, 1.772], [1.402, -0.299 * 1.402 / 0.587, 0]], dtype=np.float32
)
"""Rows Y, Cb, Cr; columns R, G, B (ITU-T T.871 section 7, the inverse of PS3.3 C.7.6.3.1.2)."""

ROWS_AT_ONCE = 512


def to_rgb(decoded: Decoded, description: PixelDescription, obj: DicomJson) -> NDArray[np.uint8]:
    """(rows, columns, 3) of 8 bits. ``obj`` gives the palette where there is one.

    Raises Undecodable for anything that is not colour, MissingBulk when the palette was not retrieved.
    """
    photometric = decoded.photometric_interpretation
    if photometric == "PALETTE COLOR":
        return Palette.of(obj, is_signed=description.is_signed).apply(decoded.array)
    if photometric == "YBR_FULL":
        return _scaled(_rgb_of_ybr(decoded.array, description.bits_stored), description)
    if photometric == "RGB":
        return _scaled(decoded.array, description)
    raise Undecodable(
        f"Pixels in {photometric} cannot be turned into RGB in transfer syntax {description.transfer_syntax}."
    )


def _rgb_of_ybr(ybr: NDArray[Any], bits: int) -> NDArray[Any]:
    """Cb and Cr have their zero at half of the scale; results are rounded and cut to the scale."""
    half, most = 1 << (bits - 1), (1 << bits) - 1
    rgb = np.empty(ybr.shape, ybr.dtype)
    for top in range(0, len(ybr), ROWS_AT_ONCE):
        strip = ybr[top : top + ROWS_AT_ONCE].astype(np.float32) - np.asarray([0, half, half], np.float32)
        rgb[top : top + ROWS_AT_ONCE] = np.clip(np.floor(strip @ RGB_OF_YBR + 0.5), 0, most)
    return rgb


def _scaled(rgb: NDArray[Any], description: PixelDescription) -> NDArray[np.uint8]:
    """0 to 2**bits - 1 -> 0 to 255, rounded; pixels of 8 bits stay as they are."""
    if description.is_signed:
        raise Undecodable("Colour pixels with a sign (PixelRepresentation 1) have no defined black and white.")
    if description.bits_stored == 8:
        return rgb.astype(np.uint8, copy=False)
    most = (1 << description.bits_stored) - 1
    return np.rint(rgb * (255.0 / most)).astype(np.uint8)
