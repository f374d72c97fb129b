"""Statistics over distinct values and their counts, held against numpy over all pixels."""

import numpy as np
import pytest

from dicomweb_mcp.pixels.statistics import Statistics


@pytest.mark.parametrize("values", [[5], [1, 2, 2, 9], [-1000, -1000, 40, 3071], [0.25, 0.5, 1e-3], [1e6 + 0.1, 1e6]])
def test_they_are_those_of_all_pixels(values):
    distinct, counts = np.unique(np.asarray(values, float), return_counts=True)
    found = Statistics.of(distinct, counts, len(values) + 3)
    pixels = np.asarray(values, float)
    assert (found.count, found.left_out) == (len(values), 3)
    assert (found.minimum, found.maximum) == (pixels.min(), pixels.max())
    assert found.mean == pytest.approx(pixels.mean())
    assert found.deviation == pytest.approx(pixels.std(), abs=1e-9)


def test_values_that_do_not_occur_or_are_no_numbers_do_not_count():
    found = Statistics.of(np.asarray([-7.0, 1, 3, np.nan, np.inf]), np.asarray([0, 1, 1, 4, 1]), 7)
    assert found == Statistics(2, 1, 2, 3, 1, left_out=5)


def test_nothing_has_no_statistics():
    assert Statistics.of(np.asarray([1.0, np.nan]), np.asarray([0, 5]), 5) is None
