"""Uncompressed frames (PS3.5 section 8.1) -> stored values."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import codestream
from .description import PixelDescription
from .problems import Undecodable

FLOATS = {"float": "f4", "double": "f8"}


def decode_native(frame: bytes, description: PixelDescription, order: str) -> NDArray[Any]:
    """The array of an uncompressed frame; ``order`` is "<" or ">".

    Raises Undecodable unless the frame is as long as the attributes say.
    """
    check_length(frame, description)
    raw = frame[: description.frame_bytes]
    if description.is_subsampled:
        return _upsampled(raw, description, order)
    return interleave(raw, description, order, description.planar_configuration)


def check_length(frame: bytes, description: PixelDescription) -> None:
    """Raises Undecodable unless an uncompressed frame is as long as the attributes say; one byte of padding is
    accepted."""
    expected = description.frame_bytes
    if len(frame) not in (expected, expected + 1):
        raise Undecodable(_wrong_length(frame, expected))


def interleave(raw: bytes, description: PixelDescription, order: str, planar_configuration: int | None) -> NDArray[Any]:
    """Bytes of exactly one frame -> (rows, columns) or (rows, columns, 3)."""
    rows, columns, samples = description.rows, description.columns, description.samples_per_pixel
    values = _values(raw, description, order)
    if samples == 1:
        return values.reshape(rows, columns)
    if planar_configuration == 0:
        return values.reshape(rows, columns, samples)
    if planar_configuration == 1:
        return np.ascontiguousarray(values.reshape(samples, rows, columns).transpose(1, 2, 0))
    raise Undecodable(f"PlanarConfiguration {planar_configuration} of colour pixels; it must be 0 or 1.")


def fit_bits(container: NDArray[Any], bits: int, is_signed: bool) -> NDArray[Any]:
    """Unsigned ``container`` -> its low ``bits`` as a number; what stands above them means nothing (PS3.5 8.1.1)."""
    unused = 8 * container.dtype.itemsize - bits
    if is_signed:
        signed = container.view(f"i{container.dtype.itemsize}")
        return (signed << unused) >> unused if unused > 0 else signed
    return container & container.dtype.type((1 << bits) - 1) if unused > 0 else container


def _values(raw: bytes, description: PixelDescription, order: str) -> NDArray[Any]:
    """The samples in the order in which they stand, as numbers of this machine."""
    if description.kind != "integer":
        return _native_order(np.frombuffer(raw, order + FLOATS[description.kind]))
    if description.bits_allocated == 1:
        count = description.pixels * description.samples_per_pixel
        return np.unpackbits(np.frombuffer(raw, "u1"), count=count, bitorder="little")
    container = _native_order(np.frombuffer(raw, f"{order}u{description.bits_allocated // 8}"))
    below = description.high_bit - description.bits_stored + 1
    return fit_bits(container >> below if below else container, description.bits_stored, description.is_signed)


def _native_order(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _upsampled(raw: bytes, description: PixelDescription, order: str) -> NDArray[Any]:
    """Y Y Cb Cr for each two pixels -> YBR_FULL."""
    if description.columns % 2:
        raise Undecodable(f"YBR_FULL_422 needs an even number of columns, not {description.columns}.")
    quads = _values(raw, description, order).reshape(description.rows, description.columns // 2, 4)
    array = np.empty((description.rows, description.columns, 3), quads.dtype)
    array[:, 0::2, 0], array[:, 1::2, 0] = quads[..., 0], quads[..., 1]
    array[..., 1:] = np.repeat(quads[..., 2:], 2, axis=1)
    return array


def _wrong_length(frame: bytes, expected: int) -> str:
    family = codestream.family(frame)
    if family:
        return (
            f"The frame is labelled as uncompressed, but its {len(frame):,} bytes are a {family} stream: the archive "
            "named the wrong transfer syntax. Ask for the frame in the syntax in which it is stored."
        )
    return (
        f"The uncompressed frame has {len(frame):,} bytes; Rows, Columns, SamplesPerPixel and BitsAllocated need "
        f"{expected:,}. The frame is cut off, holds several frames, or has another transfer syntax."
    )
