"""One frame's bytes -> its stored values, for every transfer syntax of still pictures (PS3.5 section 8, Annex A)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..dicom.values import uid_name
from ..dicom.video import video_refusal
from . import codestream
from .compressed import decode_stream
from .description import PixelDescription
from .native import decode_native, interleave
from .problems import SERVER_SIDE, Undecodable

Decoder: TypeAlias = Callable[[bytes, PixelDescription], "Decoded"]


@dataclass(frozen=True)
class Decoded:
    """Stored values, shape (rows, columns) or (rows, columns, 3), in native byte order.

    ``photometric_interpretation`` is that of ``array``: RGB where a decoder undid the colour transform of its stream,
    YBR_FULL where that is still to do. ``notes`` are sentences for a person.
    """

    array: NDArray[Any]
    photometric_interpretation: str
    notes: tuple[str, ...] = ()


def decode(frame: bytes, description: PixelDescription) -> Decoded:
    """The stored values of one frame that begins at byte 0, bit 0.

    Raises Undecodable when the transfer syntax is not one of ``DECODERS``, the bytes are damaged, cut off or too many,
    or hold a picture of another size than the description says.
    """
    decoder = DECODERS.get(description.transfer_syntax)
    if decoder is None:
        name = uid_name(description.transfer_syntax)
        raise Undecodable(
            video_refusal(description.transfer_syntax)
            or f"Frames in {name} ({description.transfer_syntax}) are not decoded here. {SERVER_SIDE}"
        )
    decoded = decoder(frame, description)
    expected: tuple[int, ...] = (description.rows, description.columns)
    if description.samples_per_pixel > 1:
        expected += (description.samples_per_pixel,)
    if decoded.array.shape != expected:
        raise Undecodable(f"The decoder returned an array of {decoded.array.shape}; the attributes say {expected}.")
    return decoded


def _little_endian(frame: bytes, description: PixelDescription) -> Decoded:
    return _native(frame, description, "<")


def _big_endian(frame: bytes, description: PixelDescription) -> Decoded:
    if description.bits_allocated <= 8 and description.pixel_vr != "OB":
        frame = _unswapped(frame, description)
    return _native(frame, description, ">")


def _native(frame: bytes, description: PixelDescription, order: str) -> Decoded:
    array = decode_native(frame, description, order)
    photometric = "YBR_FULL" if description.is_subsampled else description.photometric_interpretation
    return Decoded(array, photometric)


def _unswapped(frame: bytes, description: PixelDescription) -> bytes:
    """Bytes that were written as big-endian words (VR OW), back in their order (PS3.5 8.1.1 and Annex A.3)."""
    if description.pixel_vr != "OW":
        raise Undecodable(
            "Big-endian pixels of up to 8 bits can only be read when the VR of PixelData (OB or OW) is known."
        )
    if len(frame) % 2:
        raise Undecodable(
            "A big-endian frame of words (VR OW) has an odd length; swap the words before cutting frames."
        )
    return np.frombuffer(frame, "u2").byteswap().tobytes()


def _deflated(frame: bytes, description: PixelDescription) -> Decoded:
    """Deflated Image Frame Compression (PS3.5 A.4.12): each frame is a raw deflate stream (RFC 1951)."""
    import zlib

    inflater = zlib.decompressobj(-15)
    try:
        raw = inflater.decompress(frame, description.frame_bytes + 2)
    except zlib.error as reason:
        raise Undecodable(f"The deflated frame is damaged: {reason}.") from reason
    return _little_endian(raw, description)


def _run_length(frame: bytes, description: PixelDescription) -> Decoded:
    """RLE (PS3.5 Annex G): byte planes, the most significant first, one sample after the other."""
    import imagecodecs

    container = max(1, description.bits_allocated // 8)
    segments = int.from_bytes(frame[:4], "little")
    if description.kind != "integer" or segments != description.samples_per_pixel * container:
        raise Undecodable(
            f"The RLE frame has {segments} segments; {description.samples_per_pixel} samples of "
            f"{description.bits_allocated} bits need {description.samples_per_pixel * container}."
        )
    expected = (description.pixels + 7) // 8 if description.bits_allocated == 1 else description.pixels * segments
    try:
        raw = bytes(imagecodecs.dicomrle_decode(frame, dtype=f"<u{container}", out=expected))
    except Exception as reason:  # imagecodecs has an error class per codec, and ValueError and others besides
        raise Undecodable(f"The RLE frame is damaged: {reason}.") from reason
    if len(raw) != expected:
        raise Undecodable(f"The RLE frame holds {len(raw)} bytes of pixels, {expected} are needed; it is cut off.")
    planes = interleave(raw, description, "<", planar_configuration=1)
    return Decoded(planes, description.photometric_interpretation.replace("YBR_FULL_422", "YBR_FULL"))


def _stream(family: codestream.Family) -> Decoder:
    def decoder(frame: bytes, description: PixelDescription) -> Decoded:
        return Decoded(*decode_stream(frame, description, family))

    return decoder


_PREFIX = "1.2.840.10008.1.2"
_JPEG, _JPEG_LS, _JPEG_2000 = _stream("JPEG"), _stream("JPEG-LS"), _stream("JPEG 2000")

DECODERS: dict[str, Decoder] = {
    _PREFIX: _little_endian,
    f"{_PREFIX}.1": _little_endian,
    f"{_PREFIX}.1.98": _little_endian,
    f"{_PREFIX}.1.99": _little_endian,
    f"{_PREFIX}.2": _big_endian,
    f"{_PREFIX}.5": _run_length,
    f"{_PREFIX}.8.1": _deflated,
    **{f"{_PREFIX}.4.{last}": _JPEG for last in (50, 51, 53, 55, 57, 70)},
    **{f"{_PREFIX}.4.{last}": _JPEG_LS for last in (80, 81)},
    **{f"{_PREFIX}.4.{last}": _JPEG_2000 for last in (90, 91, 201, 202, 203)},
}
"""Transfer syntax -> decoder. Video and JPIP are missing on purpose: they are described, not guessed at."""

LOSSY = frozenset(f"{_PREFIX}.4.{last}" for last in (50, 51, 53, 55, 81, 91, 203))
"""Transfer syntaxes that lose detail, or may."""
