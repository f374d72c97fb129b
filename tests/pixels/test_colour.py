import base64

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, convert_color_space

from dicomweb_mcp.pixels.colour import to_rgb
from dicomweb_mcp.pixels.decode import Decoded, decode
from dicomweb_mcp.pixels.description import PixelDescription
from dicomweb_mcp.pixels.palette import Palette
from dicomweb_mcp.pixels.problems import MissingBulk, Undecodable

LITTLE = "1.2.840.10008.1.2.1"
CHANNELS = ("Red", "Green", "Blue")


def apply_palette(indices, obj, *, is_signed):
    return Palette.of(obj, is_signed=is_signed).apply(indices)


def inline(data: bytes) -> dict:
    return {"vr": "OW", "InlineBinary": base64.b64encode(data).decode()}


@pytest.fixture
def palette(make):
    """An object with the same descriptor and data, or segmented data, for the three channels."""

    def made(descriptor, data=None, segmented=None, **attributes):
        attributes |= {f"{channel}PaletteColorLookupTableDescriptor": descriptor for channel in CHANNELS}
        for prefix, values in (("", data), ("Segmented", segmented)):
            for channel, each in zip(CHANNELS, values or (), strict=False):
                attributes[f"{prefix}{channel}PaletteColorLookupTableData"] = inline(each)
        return make(PhotometricInterpretation="PALETTE COLOR", **attributes)

    return made


def test_a_real_palette_of_16_bits(load_image):
    from pydicom.data import get_testdata_file

    image = load_image(get_testdata_file("examples_palette.dcm"))
    decoded = decode(image.frame(), image.description)
    truth = apply_color_lut(image.truth(), image.dataset)
    assert truth.dtype == np.uint16
    found = to_rgb(decoded, image.description, image.obj)
    np.testing.assert_array_equal(found, np.floor(truth / 257 + 0.5))
    assert found.std() > 10


def test_entries_below_and_above_the_table(palette):
    obj = palette([3, 10, 8], [bytes([1, 2, 3, 0])] * 3)
    indices = np.array([[0, 9, 10, 11], [12, 13, 255, 10]], np.uint8)
    assert apply_palette(indices, obj, is_signed=False)[..., 0].tolist() == [[1, 1, 1, 2], [3, 3, 3, 1]]


def test_the_channels_keep_their_order(palette):
    obj = palette([2, 0, 8], [bytes([1, 2]), bytes([3, 4]), bytes([5, 6])])
    assert apply_palette(np.array([[0, 1]]), obj, is_signed=False).tolist() == [[[1, 3, 5], [2, 4, 6]]]


def test_a_first_index_below_zero(palette):
    obj = palette([2, 0xFFFF, 8], [bytes([7, 8])] * 3)
    assert apply_palette(np.array([[-5, -1, 0]], np.int8), obj, is_signed=True)[..., 0].tolist() == [[7, 7, 8]]


def test_zero_entries_mean_65536(palette):
    table = (np.arange(65536) // 2).astype("<u2").tobytes()
    found = apply_palette(np.array([[65535, 0]], np.uint16), palette([0, 0, 16], [table] * 3), is_signed=False)
    assert found[..., 0].tolist() == [[127, 0]]


def test_8_bit_entries_in_words(palette):
    obj = palette([2, 0, 8], [np.array([9, 250], "<u2").tobytes()] * 3)
    assert apply_palette(np.array([[0, 1]]), obj, is_signed=False)[..., 1].tolist() == [[9, 250]]


def test_8_bit_values_under_a_16_bit_descriptor(palette):
    obj = palette([2, 0, 16], [np.array([9, 250], "<u2").tobytes()] * 3)
    assert apply_palette(np.array([[0, 1]]), obj, is_signed=False)[..., 1].tolist() == [[9, 250]]


SEGMENTS_16 = [0, 2, 100, 65535, 1, 5, 3, 1, 3, 60000, 0, 1, 7]
SEGMENTS_8 = [0, 2, 100, 255, 1, 5, 3, 1, 3, 200, 0, 1, 7]


@pytest.mark.parametrize(("bits", "segments"), [(16, SEGMENTS_16), (8, SEGMENTS_8)])
def test_segmented_tables_as_pydicom_expands_them(palette, bits, segments):
    data = np.array(segments, "<u2" if bits == 16 else "u1").tobytes()
    data += b"\0" * (len(data) % 2)
    truth = Dataset()
    for channel in CHANNELS:
        setattr(truth, f"{channel}PaletteColorLookupTableDescriptor", [11, 0, bits])
        setattr(truth, f"Segmented{channel}PaletteColorLookupTableData", data)
    truth.set_original_encoding(False, True)
    indices = np.arange(11, dtype=np.uint8)[None]
    expected = apply_color_lut(indices, truth) / (257 if bits == 16 else 1)
    found = apply_palette(indices, palette([11, 0, bits], segmented=[data] * 3), is_signed=False)
    np.testing.assert_array_equal(found, np.floor(expected + 0.5))


@pytest.mark.parametrize(("bits", "offset"), [(16, [14, 0]), (8, [7, 0, 0, 0])])
def test_an_indirect_segment_repeats_segments_from_a_byte_offset(palette, bits, offset):
    """PS3.3 C.7.9.2.3. Words: discrete (1 2 3) at 0, linear to 9 in 2 at 5, discrete (4) ..., copy of one segment."""
    segments = [0, 3, 1, 2, 3, 0, 0, 0, 2, 200, 100, 2, 1, *offset]
    data = np.array(segments, "<u2" if bits == 16 else "u1").tobytes()
    data += b"\0" * (len(data) % 2)
    if bits == 16:
        data = data.replace(np.array([200, 100], "<u2").tobytes(), np.array([51400, 25700], "<u2").tobytes())
        data = data.replace(np.array([1, 2, 3], "<u2").tobytes(), np.array([257, 514, 771], "<u2").tobytes())
    found = apply_palette(np.arange(7)[None], palette([7, 0, bits], segmented=[data] * 3), is_signed=False)
    assert found[0, :, 0].tolist() == [1, 2, 3, 200, 100, 200, 100]


@pytest.mark.parametrize(
    "segments",
    [
        [1, 5, 3],  # a linear segment without a beginning
        [0, 9, 1],  # a discrete segment that is cut off
        [7, 1, 1],  # an unknown kind
        [0, 2, 1, 2],  # too few entries
        [2, 1, 0, 0, 2, 1, 0, 0],  # a copy that never ends
    ],
)
def test_damaged_segments_are_refused(palette, segments):
    data = np.array(segments, "<u2").tobytes()
    with pytest.raises(Undecodable, match="Segmented"):
        apply_palette(np.zeros((1, 1), np.uint8), palette([5, 0, 16], segmented=[data] * 3), is_signed=False)


def test_a_palette_that_was_not_retrieved_is_named(palette):
    obj = palette([2, 0, 8])
    obj |= {"00281201": {"vr": "OW", "BulkDataURI": "http://archive/bulk/1"}}
    with pytest.raises(MissingBulk, match=r"RedPaletteColorLookupTableData.*http://archive/bulk/1") as raised:
        apply_palette(np.zeros((1, 1), np.uint8), obj, is_signed=False)
    assert (raised.value.keyword, raised.value.uri) == ("RedPaletteColorLookupTableData", "http://archive/bulk/1")


@pytest.mark.parametrize(
    ("descriptor", "data", "message"),
    [
        ([2, 0, 8], None, "is missing"),
        ([2, 0, 8], b"\1", "has 1 bytes"),
        ([2, 0, 12], b"\1\2", "12 bits"),
        ([2, 0], b"\1\2", "three values"),
    ],
)
def test_palettes_that_contradict_themselves(palette, descriptor, data, message):
    obj = palette(descriptor, [data] * 3 if data else None)
    with pytest.raises(Undecodable, match=message):
        apply_palette(np.zeros((1, 1), np.uint8), obj, is_signed=False)


@pytest.fixture
def colour(make):
    def described(photometric="RGB", **attributes):
        obj = make(SamplesPerPixel=3, PhotometricInterpretation=photometric, PlanarConfiguration=0, **attributes)
        return PixelDescription.of(obj, LITTLE), obj

    return described


def test_all_ybr_colours_as_pydicom_converts_them(colour):
    grid = np.arange(0, 256, 5, dtype=np.uint8)
    ybr = np.stack(np.meshgrid(grid, grid, grid), -1).reshape(len(grid), -1, 3)
    description, obj = colour("YBR_FULL", BitsAllocated=8, BitsStored=8)
    found = to_rgb(Decoded(ybr, "YBR_FULL"), description, obj)
    np.testing.assert_array_equal(found, convert_color_space(ybr, "YBR_FULL", "RGB"))


@pytest.mark.parametrize(
    ("bits", "stored", "shown"), [(16, 65535, 255), (16, 257, 1), (12, 4095, 255), (12, 2048, 128)]
)
def test_colour_of_more_bits_is_scaled_by_bits_stored(colour, bits, stored, shown):
    description, obj = colour(BitsStored=bits)
    assert to_rgb(Decoded(np.full((2, 2, 3), stored, np.uint16), "RGB"), description, obj).max() == shown


def test_ybr_of_12_bits_has_its_grey_at_half_of_the_scale(colour):
    description, obj = colour("YBR_FULL", BitsStored=12)
    ybr = np.full((2, 2, 3), 2048, np.uint16)
    ybr[..., 0] = 4095
    assert np.unique(to_rgb(Decoded(ybr, "YBR_FULL"), description, obj)).tolist() == [255]


@pytest.mark.parametrize("photometric", ["YBR_RCT", "YBR_ICT"])
def test_jpeg_2000_colour_in_another_syntax_is_refused(colour, photometric):
    description, obj = colour(photometric, BitsAllocated=8, BitsStored=8)
    with pytest.raises(Undecodable, match=photometric):
        to_rgb(decode(bytes(48), description), description, obj)


def test_colour_with_a_sign_is_refused(colour):
    description, obj = colour(BitsAllocated=8, BitsStored=8, PixelRepresentation=1)
    with pytest.raises(Undecodable, match="sign"):
        to_rgb(decode(bytes(48), description), description, obj)


def test_palettes_of_8_and_16_bits_look_alike(test_data, load_image):
    images = [load_image(test_data / "codec-matrix" / "pattern" / name) for name in ("palette.dcm", "palette_16.dcm")]
    one, other = (to_rgb(decode(each.frame(), each.description), each.description, each.obj) for each in images)
    assert np.abs(one.astype(int) - other).max() <= 1
    assert one.std() > 10
