"""Slides that are painted here: where the pieces lie is known."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dicomweb_mcp.pixels.slide.tissue import find_tissue, label

GLASS, STAIN, PALE, BLACK, SHADOW = (243, 240, 242), (150, 60, 140), (225, 195, 215), (5, 5, 5), (150, 150, 150)


def painted(*shapes, size=(800, 400), ground=GLASS, noise=3):
    """Each shape: x, y, width, height, colour."""
    image = Image.new("RGB", size, ground)
    pen = ImageDraw.Draw(image)
    for x, y, width, height, colour in shapes:
        pen.rectangle((x, y, x + width - 1, y + height - 1), colour)
    disturbed = np.asarray(image).astype(int) + np.random.default_rng(2).integers(
        -noise, noise + 1, (size[1], size[0], 3)
    )
    return np.clip(disturbed, 0, 255).astype(np.uint8)


def assert_boxes(pieces, expected, tolerance=2):
    assert len(pieces) == len(expected)
    for piece, box in zip(pieces, expected, strict=True):
        assert np.abs(np.subtract(piece.box, box)).max() <= tolerance, (piece, box)


def test_pieces_come_largest_first_with_their_share():
    found = find_tissue(painted((500, 50, 100, 100, STAIN), (40, 60, 300, 200, STAIN), (600, 300, 60, 40, PALE)))
    assert_boxes(found.pieces, [(40, 60, 300, 200), (500, 50, 100, 100), (600, 300, 60, 40)])
    assert [piece.share for piece in found.pieces] == pytest.approx(
        [60_000 / 320_000, 1 / 32, 2400 / 320_000], rel=0.03
    )
    assert found.share == pytest.approx(sum(piece.share for piece in found.pieces))


def test_black_grey_and_dust_are_no_tissue():
    found = find_tissue(
        painted((40, 60, 300, 200, STAIN), (0, 0, 800, 20, BLACK), (400, 100, 90, 90, SHADOW), (700, 300, 5, 5, STAIN))
    )
    assert_boxes(found.pieces, [(40, 60, 300, 200)])


@pytest.mark.parametrize("ground", [GLASS, (255, 255, 255), BLACK, SHADOW])
def test_an_empty_slide_has_none(ground):
    assert find_tissue(painted(ground=ground)).pieces == ()


def test_a_slide_that_is_full_is_one_piece():
    assert_boxes(find_tissue(painted(ground=STAIN)).pieces, [(0, 0, 800, 400)], 0)


def test_boxes_that_overlap_are_one():
    """An L, and a square in its corner that does not touch it."""
    found = find_tissue(painted((100, 50, 40, 300, STAIN), (100, 310, 300, 40, STAIN), (250, 100, 60, 60, STAIN)))
    assert_boxes(found.pieces, [(100, 50, 300, 300)])
    assert found.share == pytest.approx((12_000 + 260 * 40 + 3600) / 320_000, rel=0.03)


def test_twelve_pieces_at_most():
    shapes = [(20 + 50 * (nth % 15), 40 + 200 * (nth // 15), 20, 20 + nth, STAIN) for nth in range(20)]
    found = find_tissue(painted(*shapes))
    assert (len(found.pieces), found.left_out) == (12, 8)
    assert found.pieces[0].box[3] == pytest.approx(39, abs=2)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_light_on_a_dark_ground(dtype):
    scale = np.iinfo(dtype).max // 255
    image = np.random.default_rng(3).integers(2 * scale, 6 * scale, (400, 800)).astype(dtype)
    image[50:150, 500:600] += np.array(60 * scale, dtype)
    image[60:260, 40:340] += np.array(100 * scale, dtype)
    assert_boxes(find_tissue(image).pieces, [(40, 60, 300, 200), (500, 50, 100, 100)])
    assert find_tissue(image[300:]).pieces == ()


@pytest.mark.parametrize("seed", range(20))
def test_pieces_are_those_of_a_flood_fill(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((rng.integers(1, 30), rng.integers(1, 30))) < rng.choice([0.2, 0.4, 0.6, 0.9])
    found = label(mask)
    expected = np.zeros(mask.shape, int)
    for start in zip(*np.nonzero(mask), strict=True):
        waiting = [] if expected[start] else [start]
        number = expected.max() + 1
        while waiting:
            y, x = waiting.pop()
            if 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x] and not expected[y, x]:
                expected[y, x] = number
                waiting += [(y + down, x + right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    pairs = set(zip(found.ravel().tolist(), expected.ravel().tolist(), strict=True))
    assert len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})
    assert (found > 0).tolist() == mask.tolist()
