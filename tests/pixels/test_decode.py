"""Stored values of frames that were made for the purpose; those of real files are in test_every_image.py."""

import zlib
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest

from dicomweb_mcp.pixels.colour import to_rgb
from dicomweb_mcp.pixels.decode import DECODERS, decode
from dicomweb_mcp.pixels.description import PixelDescription
from dicomweb_mcp.pixels.problems import Undecodable

LITTLE, BIG, RLE, DEFLATED = (f"1.2.840.10008.1.2{last}" for last in (".1", ".2", ".5", ".8.1"))
JPEG, JPEG_LS, JPEG_2000, HTJ2K = (f"1.2.840.10008.1.2.4.{last}" for last in (50, 80, 90, 201))


def test_lossless_colour(codec_pattern):
    images = [codec_pattern(name) for name in ("jpeg70_rgb.dcm", "jls80.dcm")]
    one, other = (to_rgb(decode(each.frame(), each.description), each.description, each.obj) for each in images)
    np.testing.assert_array_equal(one, other)
    assert one[200, 100].tolist() != [0, 0, 0]


@pytest.fixture
def random():
    return np.random.default_rng(7)


@pytest.fixture
def describe(make):
    def described(syntax, array, **attributes):
        colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"} if array.ndim == 3 else {}
        bits = 8 * array.dtype.itemsize
        basis = {"Rows": array.shape[0], "Columns": array.shape[1], "BitsAllocated": bits, "BitsStored": bits}
        return PixelDescription.of(make(**basis | colour | attributes), syntax)

    return described


@pytest.mark.parametrize(("syntax", "order"), [(LITTLE, "<"), (BIG, ">")])
def test_bits_above_bits_stored_mean_nothing(describe, syntax, order):
    container = np.array([[0xF001, 0x0FFF], [0x0800, 0xA7FF]], f"{order}u2")
    unsigned = describe(syntax, container, BitsStored=12)
    signed = describe(syntax, container, BitsStored=12, PixelRepresentation=1)
    assert decode(container.tobytes(), unsigned).array.tolist() == [[1, 4095], [2048, 2047]]
    assert decode(container.tobytes(), signed).array.tolist() == [[1, -1], [-2048, 2047]]
    assert decode(container.tobytes(), signed).array.dtype == np.dtype("=i2")


@pytest.mark.parametrize("is_signed", [0, 1])
@pytest.mark.parametrize("bits", range(2, 33))
def test_every_number_of_bits(describe, random, bits, is_signed):
    """By Python's own integers, whatever stands above the bits."""
    size = 1 if bits <= 8 else 2 if bits <= 16 else 4
    container = random.integers(0, 256, (4, 6 * size), np.uint8).view(f"<u{size}")
    expected = [[value & ((1 << bits) - 1) for value in row] for row in container.tolist()]
    if is_signed:
        expected = [[value - (1 << bits) * (value >> (bits - 1)) for value in row] for row in expected]
    description = describe(LITTLE, container, BitsStored=bits, PixelRepresentation=is_signed)
    assert decode(container.tobytes(), description).array.tolist() == expected


def test_values_that_stand_above_other_bits(describe):
    """BitsStored 12, HighBit 15, as older files have it."""
    container = np.array([[0x123F, 0xFFF0]], "<u2")
    assert decode(container.tobytes(), describe(LITTLE, container, BitsStored=12, HighBit=15)).array.tolist() == [
        [0x123, 0xFFF]
    ]


@pytest.mark.parametrize("planar", [0, 1])
def test_planar_configuration(describe, random, planar):
    rgb = random.integers(0, 256, (3, 5, 3), np.uint8)
    raw = (rgb.transpose(2, 0, 1) if planar else rgb).tobytes()
    np.testing.assert_array_equal(decode(raw, describe(LITTLE, rgb, PlanarConfiguration=planar)).array, rgb)


def test_colour_without_planar_configuration_is_refused(describe, random):
    rgb = random.integers(0, 256, (3, 5, 3), np.uint8)
    with pytest.raises(Undecodable, match="PlanarConfiguration None"):
        decode(rgb.tobytes(), describe(LITTLE, rgb))


@pytest.mark.parametrize("padding", [b"", b"\0"])
def test_one_bit_pixels_are_unpacked_from_the_lowest_bit_on(describe, padding):
    description = replace(describe(LITTLE, np.zeros((3, 3), np.uint8)), bits_allocated=1, bits_stored=1, high_bit=0)
    assert decode(bytes([0b10010001, 0b1]) + padding, description).array.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]


@pytest.mark.parametrize(
    ("keyword", "vr", "dtype"), [("FloatPixelData", "OF", "f4"), ("DoubleFloatPixelData", "OD", "f8")]
)
def test_floating_point_pixels(describe, random, keyword, vr, dtype):
    values = random.normal(size=(3, 4)).astype(dtype)
    description = describe(LITTLE, values, BitsStored=None, PixelRepresentation=None, **{keyword: {"vr": vr}})
    np.testing.assert_array_equal(decode(values.astype(f"<{dtype}").tobytes(), description).array, values)


def test_big_endian_bytes_that_were_written_as_words(describe):
    grey = np.array([[1, 2], [3, 4]], np.uint8)
    words = describe(BIG, grey, PixelData={"vr": "OW"})
    assert decode(bytes([2, 1, 4, 3]), words).array.tolist() == grey.tolist()
    as_bytes = describe(BIG, grey, PixelData={"vr": "OB"})
    assert decode(bytes([1, 2, 3, 4]), as_bytes).array.tolist() == grey.tolist()
    with pytest.raises(Undecodable, match="VR of PixelData"):
        decode(bytes(4), describe(BIG, grey))


def test_deflated_frames(describe, random):
    grey = random.integers(0, 65536, (5, 7), np.uint16)
    deflater = zlib.compressobj(wbits=-15)
    frame = deflater.compress(grey.astype("<u2").tobytes()) + deflater.flush()
    np.testing.assert_array_equal(decode(frame, describe(DEFLATED, grey)).array, grey)
    for damaged in (frame[:20], b"\xff" + frame[1:]):
        with pytest.raises(Undecodable):
            decode(damaged, describe(DEFLATED, grey))


def test_a_deflated_bomb_is_not_inflated(describe):
    deflater = zlib.compressobj(wbits=-15)
    bomb = deflater.compress(bytes(50_000_000)) + deflater.flush()
    with pytest.raises(Undecodable, match="has 10 bytes"):
        decode(bomb, describe(DEFLATED, np.zeros((2, 4), np.uint8)))


def test_run_length_of_one_bit_pixels(describe):
    description = replace(describe(RLE, np.zeros((3, 3), np.uint8)), bits_allocated=1, bits_stored=1, high_bit=0)
    header = np.array([1, 64, *[0] * 14], "<u4").tobytes()
    assert decode(header + bytes([1, 0b10010001, 0b1, 0]), description).array.tolist() == [
        [1, 0, 0],
        [0, 1, 0],
        [0, 1, 1],
    ]


def test_run_length_of_another_image_is_refused(codec_ct, describe):
    frame = codec_ct("5").frame()
    with pytest.raises(Undecodable, match="2 segments"):
        decode(frame, describe(RLE, np.zeros((512, 512), np.uint8)))
    for description in (describe(RLE, np.zeros((512, 511), np.uint16)), describe(RLE, np.zeros((512, 513), np.uint16))):
        with pytest.raises(Undecodable):
            decode(frame, description)
    with pytest.raises(Undecodable):
        decode(frame[:-5000], describe(RLE, np.zeros((512, 512), np.uint16)))


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2"])
def test_high_throughput_jpeg_2000(describe, random, dtype):
    low, high = (-2000, 2000) if dtype == "i2" else (0, 250)
    grey = random.integers(low, high, (32, 48)).astype(dtype)
    frame = imagecodecs.htj2k_encode(grey, reversible=True)
    found = decode(frame, describe(HTJ2K, grey, PixelRepresentation=int(dtype == "i2"))).array
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, grey)


@pytest.mark.parametrize("is_signed", [0, 1])
def test_a_jpeg_2000_stream_with_the_wrong_sign_is_read_by_the_attribute(describe, is_signed):
    values = np.array([[0, 1, 100, 127] * 8, [-128, -1, -2, -100] * 8] * 16, np.int8)
    coded = values.view(np.uint8) if is_signed else values
    frame = imagecodecs.jpeg2k_encode(coded, reversible=True, codecformat="j2k")
    expected = values if is_signed else values.view(np.uint8)
    found = decode(frame, describe(JPEG_2000, coded, PixelRepresentation=is_signed)).array
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("is_signed", [0, 1])
def test_a_jpeg_2000_stream_may_have_more_bits_than_bits_stored(describe, is_signed):
    """As pydicom has it: the stream knows its precision best."""
    values = np.full((32, 32), -3000 if is_signed else 60000, "i2" if is_signed else "u2")
    frame = imagecodecs.jpeg2k_encode(values, reversible=True, codecformat="j2k")
    description = describe(JPEG_2000, values, BitsStored=12, PixelRepresentation=is_signed)
    np.testing.assert_array_equal(decode(frame, description).array, values)


@pytest.mark.parametrize("last", ["4.50", "4.51", "4.53", "4.55", "4.57", "4.70", "4.80", "4.81", "4.90", "4.91"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.99])
def test_a_frame_that_is_cut_off_is_refused(codec_ct, last, kept):
    """libjpeg would fill up with grey."""
    image = codec_ct(last)
    frame = image.frame()
    with pytest.raises(Undecodable):
        decode(frame[: int(len(frame) * kept)], image.description)


@pytest.mark.parametrize("last", ["4.50", "4.70", "4.80", "4.90"])
def test_another_size_is_refused_by_the_header(codec_ct, last, monkeypatch):
    """Before anything is decoded: the decoders are out of reach here."""
    image = codec_ct(last)
    for name in ("jpeg8", "jpegsof3", "jpegls", "jpeg2k"):
        monkeypatch.delattr(imagecodecs, f"{name}_decode")
    with pytest.raises(Undecodable, match=r"holds 512 x 512 pixels of 1 sample; the attributes say 511 x 512"):
        decode(image.frame(), replace(image.description, columns=511))


def test_a_stream_of_more_bits_than_the_container_is_refused(codec_ct):
    image = codec_ct("4.70")
    with pytest.raises(Undecodable, match="16 bits a sample"):
        decode(image.frame(), replace(image.description, bits_allocated=8, bits_stored=8))


def test_a_lossy_jpeg_of_8_bits_does_not_pass_for_12(codec_ct):
    image = codec_ct("4.50")
    with pytest.raises(Undecodable, match="8 bits a sample"):
        decode(image.frame(), replace(image.description, bits_allocated=16, bits_stored=12))


@pytest.mark.parametrize(("last", "family"), [("4.70", "JPEG"), ("4.80", "JPEG-LS"), ("4.90", "JPEG 2000")])
def test_compressed_bytes_that_are_labelled_uncompressed_are_named(codec_ct, last, family):
    image = codec_ct(last)
    with pytest.raises(Undecodable, match=f"are a {family} stream: the archive named the wrong transfer syntax"):
        decode(image.frame(), replace(image.description, transfer_syntax=LITTLE))


def test_uncompressed_bytes_that_are_labelled_compressed_are_named(codec_ct):
    with pytest.raises(Undecodable, match="exactly the length of an uncompressed one"):
        decode(bytes(512 * 512 * 2), codec_ct("4.90").description)


def test_streams_of_another_family_are_named(codec_ct):
    with pytest.raises(Undecodable, match="labelled as JPEG 2000, but holds a JPEG stream"):
        decode(codec_ct("4.70").frame(), replace(codec_ct("4.70").description, transfer_syntax=JPEG_2000))
    with pytest.raises(Undecodable, match="does not begin like"):
        decode(b"not a picture", codec_ct("4.70").description)


@pytest.mark.parametrize("wrong", [-2, -1, 2, 100])
def test_an_uncompressed_frame_of_another_length_is_refused(describe, wrong):
    grey = np.zeros((8, 8), np.uint16)
    with pytest.raises(Undecodable, match=f"has {128 + wrong} bytes"):
        decode(bytes(128 + wrong), describe(LITTLE, grey))


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        ("1.2.840.10008.1.2.4.102", "MPEG-4 AVC/H.264"),
        ("1.2.840.10008.1.2.4.107", "HEVC/H.265"),
        ("1.2.840.10008.1.2.4.94", "JPIP"),
        ("1.2.3.4", "1.2.3.4"),
    ],
)
def test_video_and_unknown_syntaxes_are_named_not_guessed(describe, syntax, name):
    with pytest.raises(Undecodable, match=name):
        decode(b"", describe(syntax, np.zeros((2, 2), np.uint8)))


def test_all_syntaxes_of_still_pictures_are_there():
    assert all(f"1.2.840.10008.1.2.4.{last}" in DECODERS for last in (50, 51, 57, 70, 80, 81, 90, 91, 201, 202, 203))
    assert {LITTLE, BIG, RLE, DEFLATED, "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99"} <= set(DECODERS)
