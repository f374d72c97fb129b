"""The whole way from a frame to a picture and its facts; the pictures of real files are in test_every_image.py."""

import tracemalloc
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.pixels.decode import decode
from dicomweb_mcp.pixels.problems import RegionRefused, Undecodable, WindowRefused
from dicomweb_mcp.pixels.render import render_frame

LITTLE = "1.2.840.10008.1.2.1"


def shown(rendered):
    return np.asarray(Image.open(BytesIO(rendered.picture.data)))


def render(image, **options):
    return render_frame(
        image.frame(options.get("index", 0)), image.obj, transfer_syntax=image.transfer_syntax, **options
    )


@pytest.fixture
def ct(codec_ct):
    return codec_ct("4.70")


def test_the_facts_of_a_ct_slice(ct):
    rendered = render(ct)
    assert rendered.window == "window 40/400 of the file"
    assert rendered.value_range == (-3024, 1378)
    assert rendered.unit == "HU"
    assert rendered.native == (512, 512)
    assert rendered.region == (0, 0, 512, 512)
    assert rendered.photometric_interpretation == "MONOCHROME2"
    assert not rendered.lossy
    assert (rendered.picture.width, rendered.picture.height, rendered.picture.steps) == (512, 512, ())


def test_a_region_is_cut_out_of_the_same_picture(ct):
    whole, part = render(ct, window="bone"), render(ct, window="bone", region=(100, 200, 300, 260))
    np.testing.assert_array_equal(shown(part), shown(whole)[200:460, 100:400])
    assert part.region == (100, 200, 300, 260)
    real = decode(ct.frame(), ct.description).array[200:460, 100:400] - 1024.0
    assert part.value_range == (real.min(), real.max())


def test_percentiles_are_those_of_the_whole_frame(make):
    frame = np.arange(16, dtype=np.uint16).tobytes()
    part = render_frame(frame, make(), transfer_syntax=LITTLE, region=(0, 0, 2, 2))
    assert "(0 to 15)" in part.window
    assert part.value_range == (0, 5)


@pytest.mark.parametrize(
    "region", [(-1, 0, 10, 10), (0, 0, 513, 1), (500, 0, 13, 1), (0, 512, 1, 1), (0, 0, 0, 5), (0, 0, 5, -1)]
)
def test_a_region_outside_is_refused_with_the_extent(ct, region):
    with pytest.raises(RegionRefused, match="x from 0 to 511, y from 0 to 511"):
        render(ct, region=region)


def test_the_last_pixel_is_a_region(ct):
    assert render(ct, region=(511, 511, 1, 1)).native == (512, 512)


@pytest.mark.parametrize(
    ("last", "lossy"), [("5", False), ("4.90", False), ("4.50", True), ("4.51", True), ("4.81", True), ("4.91", True)]
)
def test_lossy_is_said(codec_ct, last, lossy):
    assert render(codec_ct(last)).lossy == lossy


def test_lossy_by_the_attribute(make):
    rendered = render_frame(bytes(32), make(LossyImageCompression="01"), transfer_syntax=LITTLE)
    assert rendered.lossy


@pytest.mark.parametrize("window", ["lung", "40,400", "0..255", "a name"])
def test_a_window_on_colour_is_refused(load_image, window):
    with pytest.raises(WindowRefused, match=r"these are colour \(RGB\)"):
        render(load_image(get_testdata_file("SC_rgb_rle.dcm")), window=window)


def test_a_preset_on_anything_but_ct_is_refused(load_image):
    with pytest.raises(WindowRefused, match="Modality MR"):
        render(load_image(get_testdata_file("MR_small.dcm")), window="brain")


@pytest.fixture
def render_array(make):
    """Render a small array of 16 bits, each pixel enlarged 64 times; the answer is what each pixel looks like."""

    def rendered(array, *, index=0, window="auto", **attributes):
        array = np.asarray(array)
        obj = make(Rows=array.shape[0], Columns=array.shape[1], **attributes)
        found = render_frame(array.tobytes(), obj, transfer_syntax=LITTLE, window=window, index=index)
        factor = found.picture.height // array.shape[0]
        return found, shown(found)[::factor, ::factor].tolist()

    return rendered


GREY = np.array([[0, 10, 20, 40]] * 4, np.uint16)
RAMP = np.arange(16, dtype=np.uint16).reshape(4, 4)


def test_monochrome1_is_inverted_after_the_window(render_array):
    _, normal = render_array(GREY, window="0..40")
    found, inverted = render_array(GREY, window="0..40", PhotometricInterpretation="MONOCHROME1")
    assert normal[0] == [0, 64, 128, 255]
    assert inverted[0] == [255, 191, 128, 0]
    assert "MONOCHROME1: low values are bright." in found.notes


def test_padding_is_left_out_of_percentiles_and_range(render_array):
    values = np.array([[-2000, 100, 200, 300]] * 4, np.int16)
    found, pixels = render_array(values, PixelRepresentation=1, PixelPaddingValue=-2000)
    assert found.window == "1st to 99th percentile of this frame (100 to 300), because the file has no window"
    assert found.value_range == (100, 300)
    assert pixels[0] == [0, 0, 128, 255]
    assert found.notes == ("4 of 16 pixels are padding, not counted in the range.",)


@pytest.mark.parametrize("scale", [1, 1_000_000])
def test_a_range_of_padding_is_left_out_too(render_array, scale):
    """Also where there are too many values to list them."""
    values = np.array([[-2000, -1800, 100, 300]] * 4, np.int32) * scale
    wide = {"BitsAllocated": 32, "BitsStored": 32, "PixelRepresentation": 1}
    limits = {"PixelPaddingValue": -2000 * scale, "PixelPaddingRangeLimit": -1500 * scale}
    found, pixels = render_array(values, **wide, **limits)
    assert found.value_range == (100 * scale, 300 * scale)
    assert found.ends == (100 * scale, 300 * scale)
    assert pixels[0] == [0, 0, 0, 255]
    assert found.notes == ("8 of 16 pixels are padding, not counted in the range.",)


def test_a_frame_of_padding_is_still_shown(render_array):
    found, _ = render_array(np.full((4, 4), 7, np.uint16), PixelPaddingValue=7)
    assert found.value_range == (7, 7)


def test_a_frame_of_an_enhanced_object_has_its_own_window(render_array):
    found, pixels = render_array(
        GREY,
        index=1,
        NumberOfFrames=2,
        SharedFunctionalGroupsSequence=[
            {"PixelValueTransformationSequence": [{"RescaleSlope": 2, "RescaleIntercept": -40, "RescaleType": "HU"}]}
        ],
        PerFrameFunctionalGroupsSequence=[
            {"FrameVOILUTSequence": [{"WindowCenter": 1, "WindowWidth": 1}]},
            {"FrameVOILUTSequence": [{"WindowCenter": 0, "WindowWidth": 80, "VOILUTFunction": "LINEAR_EXACT"}]},
        ],
    )
    assert found.window == "window 0/80 linear-exact of the file"
    assert (found.value_range, found.unit) == ((-40, 40), "HU")
    assert pixels[0] == [0, 64, 128, 255]


@pytest.mark.parametrize("index", [-1, 2])
def test_a_frame_that_is_not_there_is_refused(render_array, index):
    with pytest.raises(BadArgument, match="frames 1 to 2"):
        render_array(GREY, index=index, NumberOfFrames=2)


def test_floating_point_pixels(render_array):
    values = np.array([[0.0, 0.25, 0.5, np.nan]] * 4, np.float32)
    floats = {"FloatPixelData": {"vr": "OF"}, "BitsAllocated": 32, "BitsStored": None, "PixelRepresentation": None}
    found, pixels = render_array(values, window="0..1", **floats)
    assert pixels[0] == [0, 64, 128, 0]
    assert found.value_range == (0, 0.5)
    assert found.notes == ("Pixels that are not numbers are black.",)
    automatic, pixels = render_array(values, **floats)
    assert "1st to 99th percentile" in automatic.window
    assert pixels[0] == [0, 128, 255, 0]


def test_values_that_are_no_numbers_stay_black_in_monochrome1(render_array):
    floats = {"FloatPixelData": {"vr": "OF"}, "BitsAllocated": 32, "BitsStored": None, "PixelRepresentation": None}
    values = np.array([[0.0, 1.0, np.nan, 1.0]] * 4, np.float32)
    assert render_array(values, PhotometricInterpretation="MONOCHROME1", **floats)[1][0] == [255, 0, 0, 0]


def test_a_segmentation_is_shown_as_stored(load_image):
    rendered = render(load_image(get_testdata_file("liver_1frame.dcm")))
    assert set(np.unique(shown(rendered))) == {0, 255}
    assert rendered.window == "segmentation as stored"
    assert rendered.ends == (0, 1)
    assert rendered.value_range == (0, 1)


def test_a_segmentation_is_shrunk_without_greys(load_image):
    rendered = render(load_image(get_testdata_file("liver_1frame.dcm")), size=100)
    assert set(np.unique(shown(rendered))) == {0, 255}


def test_labels_are_spread_over_the_grey_values(render_array):
    eight = {"BitsAllocated": 8, "BitsStored": 8, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.7"}
    found, pixels = render_array(np.array([[0, 1, 2, 5]] * 4, np.uint8), PixelPaddingValue=0, **eight)
    assert pixels[0] == [0, 51, 102, 255]
    assert found.window == "labels as stored, 5 is the highest of this frame"
    assert found.ends == (0, 5)
    assert found.value_range == (0, 5)


def test_a_fractional_segmentation_knows_its_highest_value(render_array):
    found, pixels = render_array(
        np.array([[0, 20, 50, 100]] * 4, np.uint8),
        BitsAllocated=8,
        BitsStored=8,
        SOPClassUID="1.2.840.10008.5.1.4.1.1.66.4",
        SegmentationType="FRACTIONAL",
        MaximumFractionalValue=100,
    )
    assert pixels[0] == [0, 51, 128, 255]
    assert found.window == "fractional segmentation as stored, 100 is whole"
    assert found.ends == (0, 100)


def test_other_pixels_of_one_bit_are_no_segmentation(make):
    packed = bytes([0b10101010, 0b10101010])
    one_bit = {"BitsAllocated": 1, "BitsStored": 1, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.1"}
    found = render_frame(packed, make(**one_bit), transfer_syntax=LITTLE)
    assert (found.window, found.ends) == ("one-bit data as stored", (0, 1))
    found = render_frame(packed, make(PhotometricInterpretation="MONOCHROME1", **one_bit), transfer_syntax=LITTLE)
    assert found.ends == (1, 0), "where low values are bright, 1 is black"
    assert shown(found)[0, ::64].tolist() == [255, 0, 255, 0]


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("RescaleSlope", "NaN"), ("RescaleSlope", "abc"), ("RescaleSlope", 0), ("RescaleIntercept", "?"),
     ("DoseGridScaling", 0)],
)  # fmt: skip
def test_a_scale_that_cannot_be_used_is_not_guessed(render_array, keyword, value):
    with pytest.raises(Undecodable, match=f"{keyword} is no usable number"):
        render_array(RAMP, **{"RescaleIntercept": -1024, keyword: value})


def test_windows_that_cannot_be_read_are_left_out_in_their_pairs(render_array):
    found, _ = render_array(RAMP, WindowCenter=[None, 40], WindowWidth=[400, 80])
    assert found.window == "window 40/80 of the file"
    found, _ = render_array(RAMP, WindowCenter=["NaN"], WindowWidth=[400])
    assert "because the file's window cannot be read" in found.window


@pytest.mark.parametrize("value", [0.0, 3e38, -3e38, 1e-300])
def test_a_frame_of_one_value_is_medium_grey(render_array, value):
    double = {"BitsAllocated": 64, "BitsStored": None, "PixelRepresentation": None}
    found, pixels = render_array(np.full((4, 4), value, np.float64), **double)
    assert "shown as medium grey" in found.window
    assert set(pixels[0]) <= {127, 128}


def test_what_is_black_and_white_is_known(render_array):
    found, _ = render_array(RAMP, window="40,80")
    assert found.ends == (0, 79)
    found, _ = render_array(RAMP, window="0..10")
    assert found.ends == (0, 10)
    found, _ = render_array(RAMP, window="5,10,sigmoid")
    assert found.ends is None


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ({"PixelSpacing": [2, 1]}, (128, 256)),
        ({"PixelSpacing": [1, 2]}, (256, 128)),
        ({"ImagerPixelSpacing": [2, 1]}, (128, 256)),
        ({"PixelAspectRatio": [2, 1]}, (128, 256)),
        ({"PixelSpacing": [1, 1], "PixelAspectRatio": [2, 1]}, (256, 256)),
        ({"PixelSpacing": [0, 1]}, (256, 256)),
    ],
)
def test_pixels_are_made_square(make, attributes, size):
    rendered = render_frame(GREY.tobytes(), make(**attributes), transfer_syntax=LITTLE)
    assert (rendered.picture.width, rendered.picture.height) == size


def test_what_a_jpeg_contradicts_is_noted(load_image):
    image = load_image(get_testdata_file("SC_rgb_jpeg_dcmtk.dcm"))
    image.obj["00280004"]["Value"] = ["RGB"]
    assert "JFIF" in render(image).notes[0]


@pytest.mark.parametrize(
    "options", [{"size": 5000}, {"format": "webp"}, {"window": "40"}, {"region": (0, 0, 999, 1)}, {"index": 9}]
)
def test_a_bad_request_is_refused_before_anything_is_decoded(ct, options):
    with pytest.raises(BadArgument):
        render_frame(b"", ct.obj, transfer_syntax=ct.transfer_syntax, **options)


def test_a_frame_of_floats_takes_little_more_than_its_real_values_do(make):
    """Each pixel has a value of its own. In doubles, as real values are, they take twice the bytes of the frame."""
    values = np.random.default_rng(5).permutation(1 << 20).astype("<f4").reshape(1024, 1024)
    obj = make(Rows=1024, Columns=1024, BitsAllocated=32, BitsStored=None, PixelRepresentation=None)
    frame = values.tobytes()
    render_frame(frame, obj, transfer_syntax=LITTLE, size=64)  # what is imported is not counted
    tracemalloc.start()
    try:
        found = render_frame(
            frame, obj, transfer_syntax=LITTLE, size=64, probe=[(3, 7)], statistics=(500, 100, 400, 30)
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * len(frame)
    part = values[100:130, 500:900].astype(float)
    (spread,) = found.statistics
    assert found.samples[0].values == (values[7, 3],)
    assert (spread.count, spread.minimum, spread.maximum) == (12_000, part.min(), part.max())
    assert (spread.mean, spread.deviation) == pytest.approx((part.mean(), part.std()), rel=1e-12)
    low, high = np.percentile(values, (1, 99), method="inverted_cdf")
    assert found.ends == (low, high)
