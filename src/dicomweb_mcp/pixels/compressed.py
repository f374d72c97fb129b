"""JPEG, JPEG-LS and JPEG 2000 streams -> stored values, and which colour space those are in (PS3.5 section 8.2)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import codestream
from .codestream import Family, Header
from .description import PixelDescription
from .native import fit_bits
from .problems import SERVER_SIDE, Undecodable

RGB_IDS = {(82, 71, 66), (114, 103, 98)}
"""Component ids that spell RGB or rgb."""

Result = tuple[NDArray[Any], str, tuple[str, ...]]


def decode_stream(frame: bytes, description: PixelDescription, family: Family, *, into_rgb: bool = False) -> Result:
    """Array, its photometric interpretation, and notes. ``into_rgb``: YCbCr of a lossy JPEG of 8 bits is turned into
    RGB by the decoder.

    The header is held against the description before anything is decoded, so that a bomb is refused by its header.
    Raises Undecodable.
    """
    header = _checked_header(frame, description, family)
    photometric, notes = _photometric(header, description)
    is_turned = into_rgb and photometric == "YBR_FULL" and _can_turn(header)
    try:
        array = _rgb_of_jpeg(frame) if is_turned else _decoded(frame, header)
    except Exception as reason:  # imagecodecs has an error class per codec, and ValueError and others besides
        raise Undecodable(f"The {header.family} stream is damaged: {reason}. {SERVER_SIDE}") from reason
    return _stored_values(array, header, description), "RGB" if is_turned else photometric, notes


def _can_turn(header: Header) -> bool:
    is_lossy_jpeg = header.family == "JPEG" and header.marker != codestream.LOSSLESS_HEADER
    return is_lossy_jpeg and header.precision == 8


def _rgb_of_jpeg(frame: bytes) -> NDArray[Any]:
    import imagecodecs

    return np.asarray(imagecodecs.jpeg8_decode(frame, colorspace="YCBCR", outcolorspace="RGB"))


def _checked_header(frame: bytes, description: PixelDescription, family: Family) -> Header:
    if codestream.family(frame) is None and len(frame) in (description.frame_bytes, description.frame_bytes + 1):
        raise Undecodable(
            f"The frame is labelled as {family}, but has exactly the length of an uncompressed one: the archive named "
            "the wrong transfer syntax."
        )
    header = codestream.read(frame)
    if header.family != family:
        raise Undecodable(f"The frame is labelled as {family}, but holds a {header.family} stream.")
    found = (header.columns, header.rows, header.components)
    wanted = (description.columns, description.rows, description.samples_per_pixel)
    if found != wanted:
        raise Undecodable(
            f"The {family} stream holds {_size(found)}; the attributes say {_size(wanted)}. "
            "The frame belongs to another image, or the metadata is wrong."
        )
    _check_precision(header, description)
    if not codestream.is_complete(frame):
        raise Undecodable(f"The {family} stream has no end marker: it is cut off. Retrieve the frame again.")
    return header


def _check_precision(header: Header, description: PixelDescription) -> None:
    """Samples must fit their container; and a lossy JPEG of fewer bits than BitsStored has another scale of values."""
    is_lossy_jpeg = header.family == "JPEG" and header.marker != codestream.LOSSLESS_HEADER
    is_short = is_lossy_jpeg and header.precision < description.bits_stored
    if description.kind != "integer" or header.precision > description.bits_allocated or is_short:
        raise Undecodable(
            f"The {header.family} stream has {header.precision} bits a sample, which does not go with BitsStored "
            f"{description.bits_stored} of BitsAllocated {description.bits_allocated} ({description.kind} pixels)."
        )


def _size(size: tuple[int, int, int]) -> str:
    return f"{size[0]} x {size[1]} pixels of {size[2]} sample{'s' if size[2] > 1 else ''}"


def _decoded(frame: bytes, header: Header) -> NDArray[Any]:
    """The samples as coded; only JPEG 2000 decoders undo the stream's own colour transform and subsampling."""
    import imagecodecs

    if header.family == "JPEG 2000":
        decode = imagecodecs.htj2k_decode if header.is_high_throughput else imagecodecs.jpeg2k_decode
        return np.asarray(decode(frame[header.offset :]))
    if header.family == "JPEG-LS":
        return np.asarray(imagecodecs.jpegls_decode(frame))
    if header.marker == codestream.LOSSLESS_HEADER:
        return np.asarray(imagecodecs.jpegsof3_decode(frame))
    untouched = "YCBCR" if header.components == 3 else None
    return np.asarray(imagecodecs.jpeg8_decode(frame, colorspace=untouched, outcolorspace=untouched))


def _stored_values(array: NDArray[Any], header: Header, description: PixelDescription) -> NDArray[Any]:
    """In the container and with the sign that the attributes say.

    A JPEG 2000 stream knows a sign; where it contradicts PixelRepresentation, the attribute is right, and the bits are
    read anew. The other streams know none.
    """
    coded = np.ascontiguousarray(array)
    coded = coded.view(f"u{coded.dtype.itemsize}")
    bits = description.bits_stored if header.family == "JPEG" else header.precision
    width = max(coded.dtype.itemsize, description.bits_allocated // 8)
    return fit_bits(coded.astype(f"u{width}", copy=False), bits, description.is_signed)


def _photometric(header: Header, description: PixelDescription) -> tuple[str, tuple[str, ...]]:
    """The colour space of the decoded samples: what the stream says for certain, else what the attribute says."""
    declared = description.photometric_interpretation
    if header.components != 3:
        return declared, ()
    if header.family == "JPEG 2000":
        return _of_jpeg_2000(header, declared)
    if declared in ("YBR_RCT", "YBR_ICT"):
        raise Undecodable(
            f"PhotometricInterpretation {declared} belongs to JPEG 2000, not to a {header.family} stream."
        )
    found, because = _marked(header)
    if found is None or (found == "RGB") == (declared == "RGB"):
        return found or declared.replace("YBR_FULL_422", "YBR_FULL"), ()
    return found, (f"PhotometricInterpretation says {declared}, but {because}: shown as {found}.",)


def _marked(header: Header) -> tuple[str | None, str]:
    """What a JPEG or JPEG-LS stream says about its colours, and by what; None when it says nothing."""
    if header.component_ids in RGB_IDS:
        return "RGB", "the component ids of the stream spell RGB"
    if header.has_jfif:
        return "YBR_FULL", "the stream has a JFIF marker, which means YCbCr"
    if header.adobe_transform == 1:
        return "YBR_FULL", "the stream has an Adobe marker that means YCbCr"
    if header.is_subsampled and header.adobe_transform is None:
        return "YBR_FULL", "the stream has fewer samples of the second component, as only YCbCr has"
    return None, ""


def _of_jpeg_2000(header: Header, declared: str) -> tuple[str, tuple[str, ...]]:
    """PS3.5 8.2.4: YBR_RCT and YBR_ICT go with the stream's own transform, which decoders undo; the others without.

    Slides made of Aperio's compression 33003 are declared YBR_ICT and hold YCbCr without that transform. Subsampled
    streams come out of the decoder as RGB.
    """
    if header.is_subsampled:
        return "RGB", ()
    if header.multiple_component_transform:
        if declared.startswith("YBR_FULL"):
            raise Undecodable(
                f"The stream has a colour transform that {declared} excludes; its colours are uncertain. {SERVER_SIDE}"
            )
        return "RGB", ()
    if declared == "YBR_RCT":
        raise Undecodable(
            f"YBR_RCT is declared, but the stream has no colour transform; its colours are uncertain. {SERVER_SIDE}"
        )
    if declared == "YBR_ICT":
        return "YBR_FULL", ("YBR_ICT is declared, but the stream has no colour transform of its own: shown as YCbCr.",)
    return declared.replace("YBR_FULL_422", "YBR_FULL"), ()
