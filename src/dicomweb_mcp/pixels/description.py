"""The Image Pixel attributes of one frame (PS3.3 C.7.6.3), checked: what the bytes must turn out to be."""

from dataclasses import dataclass
from typing import Literal

from ..dicom.functional_groups import frame_count
from ..dicom.native_size import frame_bits
from ..dicom.values import DicomJson, element, integer, raw_values, text
from .problems import TooLarge, Undecodable

MOST_PIXELS = 100_000_000
CONTAINERS = (1, 8, 16, 32)

SAMPLES = {
    "MONOCHROME1": 1,
    "MONOCHROME2": 1,
    "PALETTE COLOR": 1,
    "RGB": 3,
    "YBR_FULL": 3,
    "YBR_FULL_422": 3,
    "YBR_RCT": 3,
    "YBR_ICT": 3,
}
"""Photometric interpretations that are understood -> samples per pixel (PS3.3 C.7.6.3.1.2)."""

Kind = Literal["integer", "float", "double"]


@dataclass(frozen=True)
class PixelDescription:
    """How a frame's pixels are laid out. ``kind`` tells Pixel Data from Float and Double Float Pixel Data."""

    rows: int
    columns: int
    samples_per_pixel: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    photometric_interpretation: str
    planar_configuration: int | None
    number_of_frames: int
    kind: Kind
    transfer_syntax: str
    pixel_vr: str = ""

    @classmethod
    def of(cls, obj: DicomJson, transfer_syntax: str) -> "PixelDescription":
        """The description in ``obj`` of frames that come in ``transfer_syntax`` (a UID).

        Raises Undecodable when an attribute is missing or makes no sense, TooLarge over 100 megapixels.
        """
        rows, columns = _size(obj)
        photometric = text(obj, "PhotometricInterpretation").upper()
        samples = _samples(obj, photometric)
        kind = _kind(obj)
        allocated, stored, high = _bits(obj, kind)
        return cls(
            rows=rows,
            columns=columns,
            samples_per_pixel=samples,
            bits_allocated=allocated,
            bits_stored=stored,
            high_bit=high,
            is_signed=kind == "integer" and integer(obj, "PixelRepresentation", 0) == 1,
            photometric_interpretation=photometric,
            planar_configuration=integer(obj, "PlanarConfiguration"),
            number_of_frames=frame_count(obj),
            kind=kind,
            transfer_syntax=transfer_syntax.strip(" \0"),
            pixel_vr=str((element(obj, "PixelData") or {}).get("vr", "")),
        )

    @property
    def pixels(self) -> int:
        """Pixels of one frame."""
        return self.rows * self.columns

    @property
    def frame_bytes(self) -> int:
        """Length of one uncompressed frame that begins on a byte; one-bit pixels are packed (PS3.5 8.1.1)."""
        samples, photometric = self.samples_per_pixel, self.photometric_interpretation
        return (frame_bits(self.rows, self.columns, samples, self.bits_allocated, photometric) + 7) // 8

    @property
    def is_subsampled(self) -> bool:
        """Two pixels share their colour in the uncompressed frame (PS3.3 C.7.6.3.1.2, YBR_FULL_422)."""
        return self.photometric_interpretation == "YBR_FULL_422"


def _size(obj: DicomJson) -> tuple[int, int]:
    rows, columns = integer(obj, "Rows"), integer(obj, "Columns")
    if rows is None or columns is None:
        raise Undecodable("The object has no Rows or no Columns: it is no image, or its metadata is incomplete.")
    if rows < 1 or columns < 1:
        raise Undecodable(f"Rows {rows} and Columns {columns} make no picture; both must be 1 or more.")
    if rows * columns > MOST_PIXELS:
        raise TooLarge(
            f"A frame of {columns} x {rows} pixels is over the limit of {MOST_PIXELS // 1_000_000} megapixels. "
            "Ask for a smaller image of the same series."
        )
    return rows, columns


def _samples(obj: DicomJson, photometric: str) -> int:
    samples = integer(obj, "SamplesPerPixel", 1)
    if not photometric:
        raise Undecodable("PhotometricInterpretation is missing: nobody can say what the pixel values mean.")
    expected = SAMPLES.get(photometric)
    if expected is None:
        raise Undecodable(f"PhotometricInterpretation {photometric} is not supported; supported: {', '.join(SAMPLES)}.")
    if samples != expected:
        raise Undecodable(f"SamplesPerPixel {samples} contradicts PhotometricInterpretation {photometric}.")
    return expected


def _kind(obj: DicomJson) -> Kind:
    """Which pixel element there is; where metadata leaves them out, floats have no BitsStored (PS3.3 C.7.6.24)."""
    if element(obj, "FloatPixelData") is not None:
        return "float"
    if element(obj, "DoubleFloatPixelData") is not None:
        return "double"
    described = raw_values(obj, "BitsStored") or raw_values(obj, "PixelRepresentation")
    if element(obj, "PixelData") is None and not described:
        allocated = integer(obj, "BitsAllocated")
        return "float" if allocated == 32 else "double" if allocated == 64 else "integer"
    return "integer"


def _bits(obj: DicomJson, kind: Kind) -> tuple[int, int, int]:
    """BitsAllocated, BitsStored, HighBit."""
    allocated = integer(obj, "BitsAllocated")
    if kind != "integer":
        expected = 32 if kind == "float" else 64
        if allocated not in (None, expected):
            raise Undecodable(f"BitsAllocated {allocated} contradicts {kind} pixel data, which has {expected}.")
        return expected, expected, expected - 1
    if allocated not in CONTAINERS:
        raise Undecodable(f"BitsAllocated {allocated} is not supported; supported: {', '.join(map(str, CONTAINERS))}.")
    stored = integer(obj, "BitsStored", allocated) or 0
    if not 1 <= stored <= allocated:
        raise Undecodable(f"BitsStored {stored} does not fit BitsAllocated {allocated}.")
    high = integer(obj, "HighBit", stored - 1)
    if high is None or not stored - 1 <= high < allocated:
        raise Undecodable(f"HighBit {high} does not fit BitsStored {stored} and BitsAllocated {allocated}.")
    return allocated, stored, high
