import numpy as np
import pytest

from dicomweb_mcp.pixels.levels import Levels


def test_a_short_range_is_listed_whole():
    frame = np.array([[-3, 0], [1, -3]], np.int16)
    levels = Levels.of(frame)
    assert levels.stored.tolist() == [-3, -2, -1, 0, 1]
    np.testing.assert_array_equal(levels.spread(levels.stored), frame)
    assert levels.counts().tolist() == [2, 0, 0, 1, 1]
    assert levels.counts((slice(0, 1), slice(0, 2))).tolist() == [1, 0, 0, 1, 0]


def test_the_whole_range_of_16_bits():
    for frame in (np.array([[-32768, 32767]], np.int16), np.array([[0, 65535]], np.uint16)):
        levels = Levels.of(frame)
        assert len(levels.stored) == 65536
        np.testing.assert_array_equal(levels.spread(levels.stored), frame)


@pytest.mark.parametrize(
    "frame",
    [
        np.array([[4_000_000_000, 0], [7, 4_000_000_000]], np.uint32),
        np.array([[0.5, np.nan], [np.nan, -1.0]]),
    ],
)
def test_values_that_are_too_many_to_list_stand_for_themselves(frame):
    levels = Levels.of(frame)
    np.testing.assert_array_equal(levels.spread(levels.stored), frame)
    np.testing.assert_array_equal([[levels.of_pixel(x, y) for x in (0, 1)] for y in (0, 1)], [[0, 1], [2, 3]])
    assert levels.counts().tolist() == [1, 1, 1, 1]
    assert levels.counts((slice(1, 2), slice(0, 2))).tolist() == [0, 0, 1, 1]
