import numpy as np
import pytest

from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.pixels.problems import WindowRefused
from dicomweb_mcp.pixels.slide.channels import Channel, compose

RAMP = np.array([[0, 100, 200, 300, 400, 500]], np.uint16)


def test_one_channel_is_grey():
    found = compose([Channel(RAMP, (0, 0, 255), (100, 400))])
    assert found.pixels.tolist() == [[0, 0, 85, 170, 255, 255]]
    assert found.windows == ((100, 400),)


def test_light_adds_up_and_is_cut():
    """By hand: 200 of 100 to 400 is a third; in (255, 200, 0) that is 85, 66.7; 0 to 500 of (0, 100, 250) gives 2/5."""
    found = compose([Channel(RAMP, (255, 200, 0), (100, 400)), Channel(RAMP, (0, 100, 250), (0, 500))])
    assert found.pixels[0, 2].tolist() == [85, 107, 100]
    assert found.pixels[0, 0].tolist() == [0, 0, 0]
    assert found.pixels[0, 5].tolist() == [255, 255, 250]


def test_without_a_window_it_is_that_of_the_region():
    values = np.arange(10_001, dtype=np.uint16).reshape(73, 137)
    found = compose([Channel(values, (255, 255, 255))])
    assert found.windows == ((100, 9900),)
    assert (found.pixels.ravel()[[100, 5000, 9900]] == [0, 128, 255]).all()


def test_an_empty_channel_stays_dark():
    found = compose([Channel(np.full((3, 3), 7, np.uint16), (255, 0, 0)), Channel(np.zeros((3, 3), "u1"), (0, 255, 0))])
    assert found.windows == ((7, 8), (0, 1))
    assert not found.pixels.any()


@pytest.mark.parametrize(
    ("channels", "error"),
    [
        ([], BadArgument),
        ([Channel(RAMP, (255, 0, 0)), Channel(RAMP.T, (255, 0, 0))], BadArgument),
        ([Channel(RAMP, (255, 0, 0), (5, 5))], WindowRefused),
    ],
)
def test_what_makes_no_sense_is_refused(channels, error):
    with pytest.raises(error):
        compose(channels)
