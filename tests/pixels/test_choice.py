import numpy as np
import pytest

from dicomweb_mcp.pixels.choice import choose_window, file_windows
from dicomweb_mcp.pixels.problems import WindowRefused
from dicomweb_mcp.pixels.window import Window

VALUES = np.arange(1000, dtype=np.float64)


@pytest.fixture
def ct(make):
    return make(Modality="CT", RescaleSlope=1, RescaleIntercept=-1024)


def test_auto_takes_the_files_first_window(make):
    view = make(WindowCenter=[40, -600], WindowWidth=[400, 1500], WindowCenterWidthExplanation=["SOFT", "LUNG"])
    chosen = choose_window("auto", view, VALUES)
    assert chosen.window == Window(40, 400)
    assert chosen.origin == "window 40/400 of the file (explanation SOFT)"


def test_the_files_function_is_respected(make):
    view = make(WindowCenter=40, WindowWidth=400, VOILUTFunction="LINEAR_EXACT")
    assert choose_window("auto", view, VALUES).window == Window(40, 400, "LINEAR_EXACT")
    view = make(WindowCenter=40, WindowWidth=400, VOILUTFunction="SIGMOID")
    assert choose_window("auto", view, VALUES).origin == "window 40/400 sigmoid of the file"


def test_a_window_without_width_is_passed_over(make):
    view = make(WindowCenter=[0, 50], WindowWidth=[0, 60])
    assert choose_window("auto", view, VALUES).window == Window(50, 60)


def test_a_narrow_window_of_the_file_is_shown_exact_and_said(make):
    chosen = choose_window("auto", make(WindowCenter=0.5, WindowWidth=0.8), VALUES)
    assert chosen.window == Window(0.5, 0.8, "LINEAR_EXACT")
    assert "needs a width of 1" in chosen.origin


VOI_TABLE = {"LUTDescriptor": [4, 10, 8], "LUTData": [0, 20, 200, 255], "LUTExplanation": "CURVED"}


def test_a_voi_table_where_there_is_no_window(make):
    chosen = choose_window("auto", make(VOILUTSequence=[VOI_TABLE]), VALUES)
    assert chosen.origin == "VOI lookup table of the file (explanation CURVED)"
    assert chosen.apply(np.array([-5.0, 10, 11, 12, 13, 99])).tolist() == [0, 0, 20, 200, 255, 255]


def test_a_window_comes_before_a_voi_table(make):
    view = make(WindowCenter=40, WindowWidth=400, VOILUTSequence=[VOI_TABLE])
    assert choose_window("auto", view, VALUES).window == Window(40, 400)


def test_a_voi_table_of_12_bits_is_scaled(make):
    table = {"LUTDescriptor": [2, 0, 12], "LUTData": [0, 4095]}
    assert choose_window("auto", make(VOILUTSequence=[table]), VALUES).apply(np.array([0.0, 1])).tolist() == [0, 255]


def test_a_voi_table_for_values_below_zero(make):
    view = make(RescaleSlope=1, RescaleIntercept=-10, VOILUTSequence=[VOI_TABLE | {"LUTDescriptor": [4, 0xFFFE, 8]}])
    assert choose_window("auto", view, VALUES).apply(np.array([-3.0, -1, 1])).tolist() == [0, 20, 255]


def test_eight_bit_data_is_shown_as_stored(make):
    for slope, intercept in ((1, 0), (0.1, -7)):
        view = make(BitsAllocated=8, BitsStored=8, RescaleSlope=slope, RescaleIntercept=intercept)
        chosen = choose_window("auto", view, VALUES)
        assert chosen.origin == "8-bit data as stored"
        stored = np.arange(256)
        np.testing.assert_allclose(chosen.apply(stored * slope + intercept), stored, atol=1e-9)


def test_eight_bit_data_whose_real_values_fall_has_no_stored_look(make):
    view = make(BitsAllocated=8, BitsStored=8, RescaleSlope=-1, RescaleIntercept=255)
    assert "1st to 99th percentile" in choose_window("auto", view, VALUES).origin


def test_percentiles_where_there_is_nothing_else(make):
    chosen = choose_window("auto", make(BitsStored=12), VALUES)
    assert chosen.window == Window.between(9, 989)
    assert chosen.origin == "1st to 99th percentile of this frame (9 to 989), because the file has no window"


def test_percentiles_of_counted_values_are_those_of_all(make):
    random = np.random.default_rng(3)
    pixels = random.exponential(20, 2000).astype(int)  # few of the high ones
    values, counts = np.unique(pixels, return_counts=True)
    view = make()
    assert choose_window("auto", view, values.astype(float), counts) == choose_window(
        "auto", view, pixels.astype(float)
    )


def test_a_frame_with_little_in_it_goes_from_minimum_to_maximum(make):
    values = np.zeros(1000)
    values[0] = 30
    chosen = choose_window("auto", make(), values)
    assert (chosen.window, chosen.origin[:18]) == (Window.between(0, 30), "minimum to maximum")


def test_a_constant_frame_is_medium_grey(make):
    chosen = choose_window("auto", make(), np.full(9, 7.0))
    assert chosen.apply(np.array([7.0])).tolist() == [127.5]
    assert "all pixels are 7" in chosen.origin


def test_values_that_are_no_numbers_do_not_count(make):
    chosen = choose_window("auto", make(BitsStored=None), np.array([np.nan, np.inf, 1.0, 2.0]))
    assert chosen.window == Window.between(1, 2)
    with pytest.raises(WindowRefused, match="no finite"):
        choose_window("auto", make(BitsStored=None), np.array([np.nan]))


def test_a_preset_for_ct_in_hounsfield_units(ct):
    chosen = choose_window("lung", ct, VALUES)
    assert (chosen.window, chosen.origin) == (Window(-600, 1500), "preset lung (-600/1500)")


@pytest.mark.parametrize(
    "attributes",
    [
        {"Modality": "CT", "RescaleIntercept": 0, "RescaleType": "HU"},
        {"Modality": "CT", "RescaleIntercept": 0, "RescaleType": "US"},
        {"Modality": "OT", "RescaleIntercept": 0, "RescaleType": "HU"},
    ],
)
def test_what_counts_as_hounsfield_units(make, attributes):
    assert choose_window("bone", make(**attributes), VALUES).window == Window(480, 2500)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"Modality": "MR"}, r"Modality MR\) have no known unit"),
        ({"Modality": "PT", "RescaleIntercept": 0, "Units": "BQML"}, r"Modality PT\) are in BQML"),
        ({"Modality": "CT"}, r"Modality CT\) have no known unit"),
        ({"Modality": "CT", "RescaleIntercept": 0, "RescaleType": "Z_EFF"}, "are in Z_EFF"),
    ],
)
def test_a_preset_for_anything_else_is_refused_with_the_reason(make, attributes, reason):
    with pytest.raises(WindowRefused, match=reason):
        choose_window("lung", make(**attributes), VALUES)


def test_windows_of_the_file_by_name(make):
    view = make(
        WindowCenter=[1, 2],
        WindowWidth=[10, 20],
        WindowCenterWidthExplanation=["NORMAL", "Bone Extra"],
        VOILUTSequence=[VOI_TABLE],
    )
    assert choose_window("bone-extra", view, VALUES).window == Window(2, 20)
    assert choose_window("curved", view, VALUES).table is not None
    assert [each.name for each in file_windows(view)] == ["NORMAL", "Bone Extra", "CURVED"]
    with pytest.raises(WindowRefused, match=r"'lungs' is neither.*NORMAL, Bone Extra, CURVED.*soft_tissue"):
        choose_window("lungs", view, VALUES)


def test_a_window_of_the_file_may_have_the_name_of_a_preset(make):
    view = make(Modality="MR", WindowCenter=5, WindowWidth=6, WindowCenterWidthExplanation="BRAIN")
    assert choose_window("brain", view, VALUES).window == Window(5, 6)


def test_a_window_as_given(make):
    assert choose_window("40,400", make(), VALUES).origin == "window 40/400 as given"
    assert choose_window("-100..300", make(), VALUES).origin == "range -100..300 as given"


# ---- what a modality is customarily looked at with -------------------------------------------------------------------

PET = {
    "Modality": "PT",
    "Units": "BQML",
    "DecayCorrection": "ADMIN",
    "PatientWeight": 70,
    "RescaleSlope": 1,
    "RescaleIntercept": 0,
    "RadiopharmaceuticalInformationSequence": [
        {"RadionuclideTotalDose": 350e6, "RadionuclideHalfLife": 6588, "RadiopharmaceuticalStartTime": "100000"}
    ],
}
"""350 MBq over 70,000 g make 5,000 Bq/ml an SUV of 1."""


def test_ct_in_hounsfield_units_without_a_window_is_shown_as_soft_tissue(ct):
    chosen = choose_window("auto", ct, np.array([-1000.0, 30, 3000]))
    assert chosen.window == Window(40, 400)
    assert chosen.origin == "window 40/400 customary for CT in HU, because the file has no window"


def test_pet_with_a_known_uptake_goes_from_0_to_10(make):
    chosen = choose_window("auto", make(**PET), np.array([0.0, 20_000]))
    np.testing.assert_allclose(chosen.apply(np.array([0.0, 5_000, 25_000, 50_000, 90_000])), [0, 25.5, 127.5, 255, 255])
    assert chosen.origin == "range 0 to 10 SUV(bw) (0 to 50000) customary for PET, because the file has no window"


@pytest.mark.parametrize(
    "changed",
    [
        {"PatientWeight": 0},  # no factor
        {"Units": "PROPCNTS"},
        {"PatientWeight": 1e-303},
        {"Modality": "CT", "RescaleIntercept": None},  # no HU
        {"Modality": "CT", "RescaleType": "Z_EFF"},
        {"Modality": "CT", "RescaleType": "HU", "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
        *({"Modality": modality} for modality in ("MR", "CR", "DX", "MG", "NM", "US")),
    ],
)
def test_no_customary_window_where_values_have_no_common_scale(make, changed):
    origin = choose_window("auto", make(**PET | changed), VALUES).origin
    assert origin == "1st to 99th percentile of this frame (9 to 989), because the file has no window"


def test_the_files_window_and_8_bit_data_come_before_the_customary_one(make, ct):
    windowed = make(Modality="CT", RescaleIntercept=-1024, WindowCenter=-600, WindowWidth=1500)
    assert choose_window("auto", windowed, VALUES).window == Window(-600, 1500)
    eight = make(Modality="CT", RescaleIntercept=-1024, BitsAllocated=8, BitsStored=8)
    assert choose_window("auto", eight, VALUES).origin == "8-bit data as stored"


@pytest.mark.parametrize("values", [[-1000.0, -990, -980], [300.0, 310, 320], [-1000.0, -990, 3000]])
def test_a_customary_window_that_would_show_black_and_white_alone_is_not_taken(ct, values):
    chosen = choose_window("auto", ct, np.array(values))
    assert chosen.window == Window.between(values[0], values[-1])
    assert chosen.origin == (
        f"1st to 99th percentile of this frame ({values[0]:g} to {values[-1]:g}), because the file has no window and "
        "all pixels would be black or white in window 40/400 customary for CT in HU"
    )


def test_values_that_do_not_occur_do_not_make_a_customary_window_fit(ct):
    chosen = choose_window("auto", ct, np.array([-1000.0, -990, 40]), np.array([5, 5, 0]))
    assert chosen.window == Window.between(-1000, -990)


def test_uptake_too_little_to_be_seen_is_spread(make):
    chosen = choose_window("auto", make(**PET), np.array([0.0, 10, 90]))
    assert chosen.window == Window.between(0, 90)
    assert "all pixels would be black or white in range 0 to 10 SUV(bw) (0 to 50000) customary for PET" in chosen.origin
