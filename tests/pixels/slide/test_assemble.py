"""Boxes against slices of the whole array, which is cut into tiles here."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.pixels.problems import TooLarge
from dicomweb_mcp.pixels.slide.assemble import Assembly, reduce_for

RNG = np.random.default_rng(6)
PADDING = 77


@st.composite
def cases(draw):
    """An array of any kind of pixels, a size of tiles, and a box within it."""
    width, height = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    samples, dtype = draw(st.sampled_from([(3, "u1"), (1, "u1"), (1, "u2"), (1, "i2")]))
    shape = (height, width, 3) if samples == 3 else (height, width)
    info = np.iinfo(dtype)
    whole = np.random.default_rng(draw(st.integers(0, 9))).integers(info.min, info.max + 1, shape, dtype)
    x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    region = (x, y, draw(st.integers(1, width - x)), draw(st.integers(1, height - y)))
    return whole, region, (draw(st.integers(1, 40)), draw(st.integers(1, 40)))


def tiles_of(whole, tile):
    """(column, row) -> a full tile, padded at the right and lower edges, in no order."""
    height, width = whole.shape[:2]
    padded = [(0, -height % tile[1]), (0, -width % tile[0]), (0, 0)][: whole.ndim]
    whole = np.pad(whole, padded, constant_values=PADDING)
    found = {
        (left // tile[0], top // tile[1]): whole[top : top + tile[1], left : left + tile[0]]
        for top in range(0, height, tile[1])
        for left in range(0, width, tile[0])
    }
    keys = list(found)
    RNG.shuffle(keys)
    return {(int(column), int(row)): found[column, row] for column, row in keys}


def assembly_of(whole, region, tile, **options):
    options = {"background": 0, **options}
    return Assembly(
        region, matrix=whole.shape[1::-1], tile=tile, samples=3 if whole.ndim == 3 else 1, dtype=whole.dtype, **options
    )


def cut(whole, region):
    x, y, width, height = region
    return whole[y : y + height, x : x + width]


def means(box, factor):
    """Square by square, halves rounded up."""
    return np.array(
        [
            [np.floor(box[top : top + factor, left : left + factor].astype(float).mean(axis=(0, 1)) + 0.5)
             for left in range(0, box.shape[1], factor)]
            for top in range(0, box.shape[0], factor)
        ]
    )  # fmt: skip


@given(cases())
def test_a_box_is_the_slice_of_the_whole(case):
    whole, region, tile = case
    assembly = assembly_of(whole, region, tile)
    for (column, row), pixels in tiles_of(whole, tile).items():
        assembly.put(column, row, pixels)
    found = assembly.result()
    assert found.pixels.dtype == whole.dtype
    np.testing.assert_array_equal(found.pixels, cut(whole, region))
    assert (found.missing, found.region, found.reduce) == (0, region, 1)


@given(cases(), st.integers(2, 17), st.sampled_from([0, 255]))
def test_reduced_it_is_the_mean_of_the_whole_wherever_tiles_meet(case, factor, background):
    whole, region, tile = case
    background = min(background, np.iinfo(whole.dtype).max)
    assembly = assembly_of(whole, region, tile, reduce=factor, background=background)
    for (column, row), pixels in tiles_of(whole, tile).items():
        assembly.put(column, row, pixels)
    np.testing.assert_array_equal(assembly.result().pixels, means(cut(whole, region), factor))


@given(cases(), st.sampled_from([1, 3]), st.integers(0, 99))
def test_tiles_that_are_missing_are_background_and_counted(case, factor, seed):
    whole, region, tile = case
    x, y, width, height = region
    assembly = assembly_of(whole, region, tile, reduce=factor, background=9)
    expected = np.full_like(whole, 9)
    missing = total = 0
    chance = np.random.default_rng(seed)
    for (column, row), pixels in tiles_of(whole, tile).items():
        left, top = column * tile[0], row * tile[1]
        is_needed = left < x + width and x < left + tile[0] and top < y + height and y < top + tile[1]
        total += is_needed
        if chance.random() < 0.5:
            missing += is_needed
            continue
        assembly.put(column, row, pixels)
        place = np.s_[top : top + tile[1], left : left + tile[0]]
        expected[place] = whole[place]
    found = assembly.result()
    wanted = cut(expected, region)
    np.testing.assert_array_equal(found.pixels, wanted if factor == 1 else means(wanted, factor))
    assert (found.missing, found.tiles) == (missing, total)


def test_sparse_tiles_need_no_grid():
    whole = RNG.integers(0, 256, (60, 60, 3), np.uint8)
    assembly = assembly_of(whole, (10, 10, 40, 40), (16, 16), background=255)
    assembly.put_at(13, 21, whole[21:37, 13:29])
    found = assembly.result()
    expected = np.full((40, 40, 3), 255, np.uint8)
    expected[11:27, 3:19] = whole[21:37, 13:29]
    np.testing.assert_array_equal(found.pixels, expected)
    assert (found.tiles, found.missing) == (16, 12)


@pytest.mark.parametrize("region", [(-1, 0, 5, 5), (0, 0, 0, 5), (56, 0, 5, 5), (0, 58, 1, 3)])
def test_a_box_that_leaves_the_level_is_refused(region):
    with pytest.raises(BadArgument, match="60 x 60"):
        assembly_of(np.zeros((60, 60), np.uint8), region, (16, 16))


def test_a_box_that_is_too_large_is_refused_before_memory_is_taken():
    def assembly(reduce):
        return Assembly(
            (0, 0, 40_000, 40_000), matrix=(50_000, 50_000), tile=(512, 512), samples=3, dtype=np.dtype("u1"),
            background=255, reduce=reduce,
        )  # fmt: skip

    with pytest.raises(TooLarge, match="40000 x 40000"):
        assembly(9)
    assert assembly(reduce_for((0, 0, 40_000, 40_000), 1024)).result().pixels.shape == (1026, 1026, 3)


@pytest.mark.parametrize(
    ("edges", "size", "factor"),
    [((1024, 9), 1024, 1), ((2047, 9), 1024, 1), ((9, 2048), 1024, 2), ((10240, 8), 64, 128)],
)
def test_what_is_assembled_is_never_smaller_than_the_picture(edges, size, factor):
    assert reduce_for((0, 0, *edges), size) == factor
