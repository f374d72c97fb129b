"""Values at points and in rectangles, held against pydicom and numpy."""

import warnings

import numpy as np
import pytest
from pydicom.pixels import apply_modality_lut

from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.pixels.render import render_frame

LITTLE = "1.2.840.10008.1.2.1"


def render(image, **options):
    return render_frame(image.frame(), image.obj, transfer_syntax=image.transfer_syntax, **options)


def real_by_pydicom(image):
    """Without the padding that the file names: only a plain PixelPaddingValue is looked at here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        real = np.asarray(apply_modality_lut(image.truth(), image.dataset), float)
    return real * float(image.dataset.get("DoseGridScaling", 1))  # which pydicom leaves to others


def test_values_of_every_grey_image_are_those_of_pydicom(grey_image):
    if not grey_image.dataset.PhotometricInterpretation.startswith("MONOCHROME"):
        assert len(render(grey_image, probe=[(0, 0)]).samples[0].values) == 3, "a palette has colours"
        return
    truth = real_by_pydicom(grey_image)
    rows, columns = truth.shape
    points = [(0, 0), (columns - 1, 0), (0, rows - 1), (columns // 3, rows // 2), (columns // 2, rows // 5)]
    area = (columns // 4, rows // 4, max(1, columns // 2), max(1, rows // 3))
    found = render(grey_image, probe=points, statistics=area)
    assert [(each.x, each.y) for each in found.samples] == points
    assert [each.values[0] for each in found.samples] == pytest.approx([truth[y, x] for x, y in points])
    if "PixelPaddingValue" in grey_image.dataset:
        return
    x, y, width, height = area
    part = truth[y : y + height, x : x + width]
    (spread,) = found.statistics
    assert (spread.count, spread.left_out) == (part.size, 0)
    said = (spread.minimum, spread.mean, spread.maximum, spread.deviation)
    assert said == pytest.approx((part.min(), part.mean(), part.max(), part.std()), rel=1e-6, abs=1e-9)


def test_colour_is_red_green_and_blue(colour_image):
    truth = colour_image.truth() * (255 / (2**colour_image.dataset.BitsStored - 1))  # a picture has 8 bits
    rows, columns, _ = truth.shape
    x, y = columns // 3, rows // 3
    found = render(colour_image, probe=[(x, y)], statistics=(x, y, 2, 2))
    part = truth[y : y + 2, x : x + 2]
    assert np.abs(np.asarray(found.samples[0].values) - truth[y, x]).max() <= 1  # rounding of YBR
    for channel, spread in enumerate(found.statistics):
        assert spread.count == 4
        assert abs(spread.mean - part[..., channel].mean()) <= 1
        assert abs(spread.deviation - part[..., channel].std()) <= 1


@pytest.fixture
def padded(make):
    """4 x 4: the number of each pixel in units of 2, less 10; those below 3 are padding."""
    return make(RescaleSlope=2, RescaleIntercept=-10, PixelPaddingValue=0, PixelPaddingRangeLimit=2)


def values(obj, **options):
    return render_frame(np.arange(16, dtype="<u2").tobytes(), obj, transfer_syntax=LITTLE, **options)


def test_padding_is_told_at_points_and_left_out_of_statistics(padded):
    found = values(padded, probe=[(2, 0), (3, 0), (1, 2)], statistics=(1, 0, 3, 2))
    assert [(each.values, each.is_padding) for each in found.samples] == [((-6,), True), ((-4,), False), ((8,), False)]
    (spread,) = found.statistics  # 3, 5, 6, 7 are -4, 0, 2, 4; 1 and 2 are padding
    assert (spread.count, spread.left_out) == (4, 2)
    assert (spread.minimum, spread.mean, spread.maximum) == (-4, 0.5, 4)
    assert spread.deviation == pytest.approx((((4.5**2) + 0.5**2 + 1.5**2 + 3.5**2) / 4) ** 0.5)


def test_nothing_but_padding_has_no_statistics(padded):
    assert values(padded, statistics=(0, 0, 3, 1)).statistics == (None,)


def test_points_are_those_of_the_frame_also_beside_a_region_and_in_an_inverse_picture(make):
    obj = make(PhotometricInterpretation="MONOCHROME1")
    found = values(obj, region=(2, 2, 2, 2), probe=[(1, 0)], statistics=(0, 0, 2, 1), window="0..15")
    assert found.samples[0].values == (1,)
    assert found.statistics[0].mean == 0.5


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"probe": [(0, 0), (4, 0)]}, r"probe \[4, 0\] is not within the frame: it has 4 x 4 pixels, x from 0 to 3"),
        ({"probe": [(0, 4)]}, "y from 0 to 3"),
        ({"probe": [(-1, 0)]}, "not within the frame"),
        ({"statistics": (2, 0, 3, 1)}, "statistics x 2, y 0, 3 x 1 pixels is not within the frame"),
        ({"statistics": (0, 0, 0, 1)}, "statistics"),
    ],
)
def test_what_lies_outside_is_refused_with_what_is_there(make, options, says):
    with pytest.raises(BadArgument, match=says):
        values(make(), **options)
