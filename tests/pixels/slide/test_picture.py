"""Regions as pictures; the scale bar is measured in the picture."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.pixels.picture import MOST_BYTES
from dicomweb_mcp.pixels.slide.assemble import Assembled
from dicomweb_mcp.pixels.slide.picture import NO_BAR, region_picture
from dicomweb_mcp.pixels.slide.scale_bar import ScaleBar

INK = 235


def noise(width, height, samples=3):
    return np.random.default_rng(1).integers(
        0, 200, (height, width, samples) if samples == 3 else (height, width), "u1"
    )


def shown(pixels, *, reduce=1, native=None, **options):
    width, height = native or (pixels.shape[1], pixels.shape[0])
    assembled = Assembled(pixels, (0, 0, width, height), reduce, 1, 0)
    found = region_picture(assembled, pixels, **{"um_per_px": (0.25, 0.25), **options})
    assert len(found.picture.data) <= MOST_BYTES
    return found, np.asarray(Image.open(BytesIO(found.picture.data)))


def bar_in(picture, below):
    """Length of the bar, in pixels: the first row of the strip that has any ink."""
    strip = picture[-below:].reshape(below, picture.shape[1], -1)[..., 0]
    row = next(row for row in strip if (row == INK).any())
    where = np.flatnonzero(row == INK)
    assert where[-1] - where[0] + 1 == len(where)
    return len(where)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (20, 30), (255, 100), (512, 400)])
@pytest.mark.parametrize("samples", [1, 3])
def test_a_region_is_exact_and_never_enlarged(width, height, samples):
    pixels = noise(width, height, samples)
    found, picture = shown(pixels)
    np.testing.assert_array_equal(picture, pixels)
    assert (found.picture.mime_type, found.picture.steps, found.um_per_px) == ("image/png", (), 0.25)


@pytest.mark.parametrize("samples", [1, 3])
def test_the_scale_bar_stands_below_and_covers_nothing(samples):
    """600 pixels of 0.25 um are 150 um: at most a third is 50 um, 200 pixels."""
    pixels = noise(600, 300, samples)
    found, picture = shown(pixels, scale_bar=True)
    below = found.picture.below
    np.testing.assert_array_equal(picture[:-below], pixels)
    assert picture.ndim == pixels.ndim
    assert bar_in(picture, below) == 200
    assert found.picture.steps == (f"the {below} pixels at the bottom are a scale bar of 50 um, 200 pixels long",)


def test_a_picture_that_shrank_has_the_bar_of_its_own_pixels():
    """1500 pixels of 2 um in 500 are 6 um each: 1 mm takes 166.7."""
    found, picture = shown(noise(1500, 300), um_per_px=(2, 2), scale_bar=True, size=500)
    assert (found.um_per_px, found.picture.width) == (6, 500)
    assert bar_in(picture, found.picture.below) == 167
    assert "1 mm" in found.picture.steps[-1]


def test_a_region_that_was_reduced_counts_the_pixels_it_stands_for():
    """601 columns in squares of 3 are 201, which stand for 603: 0.75 um each."""
    found, _ = shown(noise(201, 100), reduce=3, native=(601, 300))
    assert found.um_per_px == pytest.approx(0.75)
    assert found.picture.steps == ("each 3 x 3 pixels averaged, from 601 x 300",)


@given(st.integers(96, 3000), st.integers(1, 3000), st.sampled_from([256, 700, 1568]), st.floats(0.01, 500))
def test_bar_and_picture_stay_within_size(width, height, size, um):
    found, picture = shown(np.zeros((height, width), "u1"), um_per_px=(um, um), scale_bar=True, size=size)
    assert max(picture.shape) <= size
    if found.picture.below:
        assert 1 / 8 < bar_in(picture, found.picture.below) / found.picture.width < 0.35
    else:
        assert found.picture.width < 96
        assert found.picture.steps[-1] == NO_BAR


@pytest.mark.parametrize(
    ("width_um", "length", "label"),
    [(3.0, 1, "1 um"), (2.9, 0.5, "0.5 um"), (150, 50, "50 um"), (299, 50, "50 um"), (3000, 1000, "1 mm"),
     (29_999, 5000, "5 mm"), (30_000, 10_000, "10 mm")],
)  # fmt: skip
def test_lengths_are_round(width_um, length, label):
    bar = ScaleBar(width_um)
    assert bar.length_um == pytest.approx(length)
    assert bar.label == label


@pytest.mark.parametrize("options", [{"size": 128}, {"width": 60}])
def test_a_bar_that_has_no_room_is_told(options):
    found, _ = shown(noise(options.pop("width", 128), 50), scale_bar=True, **options)
    assert found.picture.steps[-1] == NO_BAR


def test_a_scale_bar_without_a_scale_is_refused():
    with pytest.raises(BadArgument, match="how large its pixels are"):
        shown(noise(300, 300), um_per_px=None, scale_bar=True)


def test_pixels_become_square():
    found, picture = shown(noise(300, 300), um_per_px=(0.25, 0.5), scale_bar=True)
    assert picture.shape[:2] == (600 + found.picture.below, 300)


@pytest.mark.parametrize("format", ["auto", "png", "jpeg"])
def test_the_budget_holds_with_a_scale_bar(format):
    found, _ = shown(noise(1568, 1568), scale_bar=True, size=1568, format=format)
    assert max(found.picture.width, found.picture.height) <= 1568
    assert found.picture.below


def test_a_profile_that_cannot_be_used_is_told():
    pixels = noise(300, 300)
    found, picture = shown(pixels, profile=b"x")
    np.testing.assert_array_equal(picture, pixels)
    assert found.notes
