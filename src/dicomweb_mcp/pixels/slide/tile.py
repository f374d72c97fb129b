"""One tile of a slide -> its pixels. What all tiles of an object share is worked out once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...dicom.values import DicomJson
from ..colour import to_rgb
from ..compressed import decode_stream
from ..decode import Decoded, decode
from ..description import PixelDescription
from ..palette import Palette
from ..problems import Undecodable

JPEG_BASELINE = "1.2.840.10008.1.2.4.50"


@dataclass(frozen=True)
class Tile:
    """``pixels``: (rows, columns, 3) of 8 bits for colour, before any ICC profile, or (rows, columns) of stored values
    for grey, low values dark. ``notes`` are sentences for a person, mostly the same for all tiles."""

    pixels: NDArray[Any]
    notes: tuple[str, ...] = ()


class TileReader:
    """Reads the tiles of one object. It does not change, so threads may share it.

    Raises Undecodable (TooLarge, MissingBulk) when the attributes describe no tiles of a slide.
    """

    def __init__(self, obj: DicomJson, transfer_syntax: str) -> None:
        """Of ``obj`` the Image Pixel attributes alone are read, and nothing of it is kept."""
        description = PixelDescription.of(obj, transfer_syntax)
        if description.kind != "integer":
            raise Undecodable(f"Tiles of {description.kind} pixels are no picture of a slide.")
        self.description = description
        self.is_colour = not description.photometric_interpretation.startswith("MONOCHROME")
        self.dtype = np.dtype(np.uint8) if self.is_colour else _grey_type(description)
        is_palette = description.photometric_interpretation == "PALETTE COLOR"
        self._palette = Palette.of(obj, is_signed=description.is_signed) if is_palette else None

    @property
    def samples(self) -> int:
        """3 for colour, 1 for grey."""
        return 3 if self.is_colour else 1

    @property
    def background(self) -> int:
        """What stands for a tile that is missing: white glass, or no light."""
        return 255 if self.is_colour else 0

    def read(self, frame: bytes) -> Tile:
        """``frame``: the stored bytes of one tile, from byte 0 and bit 0 on. Raises Undecodable."""
        decoded = self._decoded(frame)
        return Tile(self._pixels(decoded), decoded.notes)

    def _decoded(self, frame: bytes) -> Decoded:
        """The JPEG decoder turns YCbCr into RGB by itself, much faster than ``to_rgb``. It counts in 16 bits after the
        point: of a million green values some 15 are rounded to the other side, as all readers built on libjpeg do."""
        if self.is_colour and self.description.transfer_syntax == JPEG_BASELINE:
            return Decoded(*decode_stream(frame, self.description, "JPEG", into_rgb=True))
        return decode(frame, self.description)

    def _pixels(self, decoded: Decoded) -> NDArray[Any]:
        if self._palette:
            return self._palette.apply(decoded.array)
        if self.is_colour:
            return to_rgb(decoded, self.description, {})  # only a palette would be looked up
        if self.description.photometric_interpretation == "MONOCHROME1":
            return self._inverse(decoded.array)
        return decoded.array

    def _inverse(self, stored: NDArray[Any]) -> NDArray[Any]:
        """The lowest value that there can be and the highest change places."""
        highest = -1 if self.description.is_signed else (1 << self.description.bits_stored) - 1
        return np.asarray(highest - stored, stored.dtype)


def _grey_type(description: PixelDescription) -> np.dtype[Any]:
    bits = max(8, description.bits_allocated)
    return np.dtype(f"{'i' if description.is_signed else 'u'}{bits // 8}")
