"""Windows by the formulas of PS3.3 C.11.2.1.2, by pydicom, by hand; and how people write them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_windowing

from dicomweb_mcp.pixels.problems import WindowRefused
from dicomweb_mcp.pixels.window import PRESETS, Window, as_bytes, parse_window

VALUES = np.arange(-1500, 3000, dtype=np.float64)


@pytest.mark.parametrize(
    ("window", "value", "brightness"),
    [
        # the examples of PS3.3 C.11.2.1.2.1: c=2048, w=4096; c=2048, w=1; c=0, w=100; c=0, w=1
        (Window(2048, 4096), 0, 0),
        (Window(2048, 4096), 4095, 255),
        (Window(2048, 4096), 2047, (2047 - 2047.5) / 4095 * 255 + 127.5),
        (Window(2048, 1), 2047, 0),
        (Window(2048, 1), 2047.5, 0),
        (Window(2048, 1), 2048, 255),
        (Window(0, 100), -50, 0),
        (Window(0, 100), -49, ((-49 + 0.5) / 99 + 0.5) * 255),
        (Window(0, 100), 49, 255),
        (Window(0, 1), -1, 0),
        (Window(0, 1), 0, 255),
        # C.11.2.1.3.2: c=2048, w=4096; c=2048, w=1; c=0, w=100
        (Window(2048, 4096, "LINEAR_EXACT"), 0, 0),
        (Window(2048, 4096, "LINEAR_EXACT"), 4096, 255),
        (Window(2048, 4096, "LINEAR_EXACT"), 1024, 63.75),
        (Window(2048, 1, "LINEAR_EXACT"), 2047.5, 0),
        (Window(2048, 1, "LINEAR_EXACT"), 2048.5, 255),
        (Window(0, 100, "LINEAR_EXACT"), 0, 127.5),
        # C.11.2.1.3.1
        (Window(40, 400, "SIGMOID"), 40, 127.5),
        (Window(40, 400, "SIGMOID"), 140, 255 / (1 + math.exp(-1))),
        (Window(40, 400, "SIGMOID"), -1e9, 0),
        (Window(40, 400), math.nan, 0),
        (Window(40, 400), math.inf, 255),
    ],
)
def test_by_hand(window, value, brightness):
    assert window.apply(np.array([value], float))[0] == pytest.approx(brightness, abs=1e-9)


@pytest.mark.filterwarnings("ignore:overflow encountered in exp")
@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("center", "width"), [(40, 400), (-600, 1500), (40.5, 1.5), (100, 1), (0, 2)])
def test_as_pydicom_computes_it(function, center, width):
    truth = Dataset()
    truth.PhotometricInterpretation, truth.BitsStored, truth.PixelRepresentation = "MONOCHROME2", 8, 0
    truth.WindowCenter, truth.WindowWidth, truth.VOILUTFunction = center, width, function
    np.testing.assert_allclose(Window(center, width, function).apply(VALUES), apply_windowing(VALUES, truth), atol=1e-9)


@given(
    center=st.floats(-5000, 5000),
    width=st.floats(1, 10000),
    function=st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
    values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50),
)
def test_brightness_rises_with_the_value_and_stays_in_range(center, width, function, values):
    shown = as_bytes(Window(center, width, function).apply(np.array(sorted(values))))
    assert shown.dtype == np.uint8
    assert np.all(np.diff(shown.astype(int)) >= 0)
    far = as_bytes(Window(center, width, function).apply(np.array([-1e9, 1e9])))
    assert far.tolist() == [0, 255]


def test_halves_are_rounded_up():
    assert as_bytes(np.array([0.0, 0.49, 0.5, 127.5, 254.5, 255.0])).tolist() == [0, 0, 1, 128, 255, 255]


@pytest.mark.parametrize(
    ("written", "center", "width", "function"),
    [
        ("40,400", 40, 400, "LINEAR"),
        (" -600 , 1500 ", -600, 1500, "LINEAR"),
        ("\N{MINUS SIGN}600,1500", -600, 1500, "LINEAR"),
        ("+40/400", 40, 400, "LINEAR"),
        ("40 400", 40, 400, "LINEAR"),
        ("40;400", 40, 400, "LINEAR"),
        ("40.5,80.25", 40.5, 80.25, "LINEAR"),
        ("C40 W400", 40, 400, "LINEAR"),
        ("WL: 40, WW: 400", 40, 400, "LINEAR"),
        ("center=40, width=400", 40, 400, "LINEAR"),
        ("40,400,linear", 40, 400, "LINEAR"),
        ("40,0.5,linear-exact", 40, 0.5, "LINEAR_EXACT"),
        ("40,400,LINEAR_EXACT", 40, 400, "LINEAR_EXACT"),
        ("40,400,sigmoid", 40, 400, "SIGMOID"),
        ("-100..300", 100, 400, "LINEAR_EXACT"),
        (" 0 .. 0.5 ", 0.25, 0.5, "LINEAR_EXACT"),
        ("-3..-1", -2, 2, "LINEAR_EXACT"),
        ("1e3,2e3", 1000, 2000, "LINEAR"),
    ],
)
def test_a_persons_spelling(written, center, width, function):
    found = parse_window(written)
    assert found.kind == "given"
    assert found.window == Window(center, width, function)


@pytest.mark.parametrize("written", ["auto", "AUTO", " Auto ", ""])
def test_auto(written):
    assert parse_window(written).kind == "auto"


@pytest.mark.parametrize("written", ["soft_tissue", "Soft Tissue", "soft-tissue", "SOFTTISSUE"])
def test_presets_in_any_spelling(written):
    found = parse_window(written)
    assert (found.kind, found.name, found.window) == ("preset", "soft_tissue", Window(40, 400))


def test_the_presets_are_those_that_are_promised():
    assert PRESETS == {
        "soft_tissue": (40, 400),
        "lung": (-600, 1500),
        "liver": (90, 150),
        "bone": (480, 2500),
        "brain": (40, 80),
        "mediastinum": (50, 350),
        "abdomen": (60, 400),
        "subdural": (75, 215),
        "stroke": (40, 40),
    }


def test_a_word_may_be_a_window_of_the_file():
    assert (parse_window("My Window").kind, parse_window("My Window").name) == ("named", "My Window")


@pytest.mark.parametrize("written", ["40", "40,", "40,5,400", "0...5", "..", "1..2..3", "40,400,5", "%", "x" * 65])
def test_what_is_not_understood_is_refused_with_what_is_allowed(written):
    with pytest.raises(WindowRefused, match=r"Allowed: \"auto\", a CT preset \(soft_tissue, lung.*min\.\.max"):
        parse_window(written)


@pytest.mark.parametrize("written", ["40,0", "40,-5", "40,0.5", "40,0,linear-exact", "40,0,sigmoid", "1e999,5"])
def test_widths_that_a_function_does_not_allow(written):
    with pytest.raises(WindowRefused, match=r"too small|finite"):
        parse_window(written)


@pytest.mark.parametrize("written", ["5..5", "300..-100"])
def test_ranges_the_wrong_way_round(written):
    with pytest.raises(WindowRefused, match="min below max"):
        parse_window(written)
