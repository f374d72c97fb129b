"""Which colour space a compressed stream is in: its markers, its component ids, the attribute."""

import base64
from io import BytesIO

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom.pixels.processing import convert_color_space

from dicomweb_mcp.pixels.colour import to_rgb
from dicomweb_mcp.pixels.decode import decode
from dicomweb_mcp.pixels.description import PixelDescription
from dicomweb_mcp.pixels.problems import Undecodable

JPEG, JPEG_LOSSLESS, JPEG_2000 = (f"1.2.840.10008.1.2.4.{last}" for last in (50, 70, 90))

RAMPS = np.stack(
    [
        np.tile(np.arange(0, 240, 5, np.uint8), (32, 1)),
        np.full((32, 48), 90, np.uint8),
        np.full((32, 48), 200, np.uint8),
    ],
    -1,
)
"""Three planes that are plainly different, smooth enough for JPEG: as RGB, or as YBR_FULL."""

SUBSAMPLED_JPEG_2000 = base64.b64decode(
    "/0//UQAvAAAAAAAwAAAAIAAAAAAAAAAAAAAAMAAAACAAAAAAAAAAAAADBwEBBwIBBwIB/1IADAAAAAEABQQEAAH/XAATQEBISFBISFBISFBISFBISFD/ZAAlAAFDcmVhdGVkIGJ5IE9wZW5KUEVHIHZlcnNpb24gMi41LjT/kAAKAAAAAACSAAH/k9+AIAbt/3/H1AQIL8fUBAMfwHwggAin4AQEX8/ACAWTw+oDABFDb6PtAwALPYTAfCEAAb/B84MALFvTofUCAAN69JPD6gQAHEy+7cD5AgBLJVTvoPnDADNjoh/7P8HzhwArrxMdhfgPwHwiAILd55agfIFAkOYqQY/A+QOASnoBy0nEIP/Z"
)
"""48 x 32 YCbCr, 4:2:2, without a colour transform of its own, as slides of Aperio's compression 33003 have it; made
with OpenJPEG: Y = 5x mod 256, Cb = 8y mod 256, Cr = 255 - 10 (x // 2)."""


@pytest.fixture
def rgb_of(make):
    def rgb(frame, syntax, photometric, array=RAMPS):
        rows, columns = array.shape[:2]
        obj = make(
            Rows=rows,
            Columns=columns,
            BitsAllocated=8,
            BitsStored=8,
            SamplesPerPixel=3,
            PhotometricInterpretation=photometric,
        )
        description = PixelDescription.of(obj, syntax)
        decoded = decode(frame, description)
        return to_rgb(decoded, description, obj).astype(int), decoded

    return rgb


def jpeg(subsampling: str = "444") -> bytes:
    """RAMPS as they are in a JPEG that claims nothing about its colours."""
    return without(
        imagecodecs.jpeg8_encode(RAMPS, level=98, colorspace="YCBCR", outcolorspace="YCBCR", subsampling=subsampling)
    )


def without(stream: bytes) -> bytes:
    """Cut the APP0 and APP14 segments."""
    kept, at = stream[:2], 2
    while stream[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
        kept += b"" if stream[at + 1] in (0xE0, 0xEE) else stream[at:end]
        at = end
    return kept + stream[at:]


def marked(stream: bytes, *segments: bytes) -> bytes:
    return stream[:2] + b"".join(segments) + stream[2:]


def adobe(transform: int) -> bytes:
    return b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform])


JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
AS_RGB = RAMPS.astype(int)
AS_YBR = convert_color_space(RAMPS, "YBR_FULL", "RGB").astype(int)


@pytest.mark.parametrize(
    ("segments", "declared", "expected", "is_noted"),
    [
        ((), "RGB", AS_RGB, False),
        ((), "YBR_FULL", AS_YBR, False),
        ((), "YBR_FULL_422", AS_YBR, False),
        ((adobe(0),), "RGB", AS_RGB, False),
        ((adobe(0),), "YBR_FULL", AS_YBR, False),
        ((adobe(1),), "RGB", AS_YBR, True),
        ((adobe(1),), "YBR_FULL", AS_YBR, False),
        ((JFIF,), "YBR_FULL_422", AS_YBR, False),
        ((JFIF,), "RGB", AS_YBR, True),
        ((JFIF, adobe(1)), "RGB", AS_YBR, True),
    ],
)
def test_markers_decide_then_the_attribute(rgb_of, segments, declared, expected, is_noted):
    found, decoded = rgb_of(marked(jpeg(), *segments), JPEG, declared)
    assert np.abs(found - expected).max() <= 3
    assert bool(decoded.notes) == is_noted


def test_component_ids_that_spell_rgb(rgb_of):
    stream = jpeg()
    at = stream.index(b"\xff\xc0") + 10
    scan = stream.index(b"\xff\xda") + 5
    spelled = bytearray(stream)
    for nth, letter in enumerate(b"RGB"):
        spelled[at + 3 * nth] = letter
        spelled[scan + 2 * nth] = letter
    found, decoded = rgb_of(bytes(spelled), JPEG, "YBR_FULL")
    assert np.abs(found - AS_RGB).max() <= 3
    assert "spell RGB" in decoded.notes[0]


def test_a_subsampled_stream_is_never_rgb(rgb_of):
    found, decoded = rgb_of(jpeg("422"), JPEG, "RGB")
    assert np.abs(found - AS_YBR).max() <= 4
    assert "fewer samples" in decoded.notes[0]


def test_a_subsampled_stream_that_claims_rgb_itself_is_believed(rgb_of):
    found, _ = rgb_of(marked(jpeg("422"), adobe(0)), JPEG, "RGB")
    assert np.abs(found - AS_RGB).max() <= 6


def test_an_adobe_marker_that_is_too_short_counts_for_nothing(rgb_of):
    found, _ = rgb_of(marked(jpeg(), b"\xff\xee\x00\x0cAdobe\x00\x01\x01\x01\x01"), JPEG, "RGB")
    assert np.abs(found - AS_RGB).max() <= 3


@pytest.mark.parametrize("declared", ["YBR_RCT", "YBR_ICT"])
def test_colour_spaces_of_jpeg_2000_are_refused_in_jpeg(rgb_of, declared):
    with pytest.raises(Undecodable, match="belongs to JPEG 2000"):
        rgb_of(jpeg(), JPEG, declared)


def j2k(transform: bool, container: str = "j2k") -> bytes:
    return imagecodecs.jpeg2k_encode(RAMPS, reversible=True, codecformat=container, mct=transform)


@pytest.mark.parametrize(
    ("transform", "declared", "expected", "is_noted"),
    [
        (True, "YBR_RCT", AS_RGB, False),
        (True, "YBR_ICT", AS_RGB, False),
        (True, "RGB", AS_RGB, False),
        (False, "RGB", AS_RGB, False),
        (False, "YBR_FULL", AS_YBR, False),
        (False, "YBR_FULL_422", AS_YBR, False),
        (False, "YBR_ICT", AS_YBR, True),
    ],
)
@pytest.mark.parametrize("container", ["j2k", "jp2"])
def test_jpeg_2000_with_and_without_its_own_transform(rgb_of, transform, declared, expected, is_noted, container):
    found, decoded = rgb_of(j2k(transform, container), JPEG_2000, declared)
    np.testing.assert_array_equal(found, expected)
    assert bool(decoded.notes) == is_noted


def test_the_irreversible_transform_of_jpeg_2000(rgb_of):
    """YBR_ICT as slides have it; the truth is what was coded, and what Pillow makes of it."""
    frame = imagecodecs.jpeg2k_encode(RAMPS, level=60, reversible=False, codecformat="j2k", mct=True)
    found, decoded = rgb_of(frame, JPEG_2000, "YBR_ICT")
    assert (decoded.photometric_interpretation, decoded.notes) == ("RGB", ())
    assert np.abs(found - AS_RGB).max() <= 2
    np.testing.assert_array_equal(found, np.asarray(Image.open(BytesIO(frame))))


def test_the_colour_space_of_a_jp2_file_is_not_undone_twice(rgb_of):
    frame = imagecodecs.jpeg2k_encode(RAMPS, reversible=True, codecformat="jp2", mct=False, colorspace="SYCC")
    np.testing.assert_array_equal(rgb_of(frame, JPEG_2000, "YBR_FULL")[0], AS_YBR)


@pytest.mark.parametrize(("transform", "declared"), [(True, "YBR_FULL"), (True, "YBR_FULL_422"), (False, "YBR_RCT")])
def test_contradictions_in_jpeg_2000_are_refused(rgb_of, transform, declared):
    with pytest.raises(Undecodable, match="colours are uncertain"):
        rgb_of(j2k(transform), JPEG_2000, declared)


@pytest.mark.parametrize("declared", ["YBR_ICT", "YBR_FULL_422", "RGB"])
def test_subsampled_jpeg_2000(rgb_of, declared):
    y, x = np.mgrid[0:32, 0:48]
    ybr = np.stack([5 * x, 8 * y, 255 - 10 * (x // 2)], -1) % 256
    found, _ = rgb_of(SUBSAMPLED_JPEG_2000, JPEG_2000, declared)
    assert np.abs(found - convert_color_space(ybr.astype(np.uint8), "YBR_FULL", "RGB")).max() <= 1
