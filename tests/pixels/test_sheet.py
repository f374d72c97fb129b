"""Contact sheets: one scale, labels that never touch a picture, and the budgets of every picture."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.pixels.picture import MOST_BYTES, Picture, encode
from dicomweb_mcp.pixels.sheet import GAP, SEAM, Layout, Tile, compose, lay_out, shape_of

HOSTILE = (
    "x" * 5_000,
    "\N{SKULL}" * 300 + "\0\n\r\t\x1b[31m",
    "\N{RIGHT-TO-LEFT OVERRIDE}evil",
    "<b>&amp;</b>" * 99,
    "",
)


def tile(pixels: NDArray[np.uint8], *labels: str, size: int = 1568) -> Tile:
    return Tile(encode(pixels, size=size, for_sheet=True), [(label,) for label in labels], size)


def pixels_of(picture: Picture) -> NDArray[Any]:
    return np.asarray(Image.open(BytesIO(picture.data)))


def cells(sheet: NDArray[Any], layout: Layout, tiles: int) -> list[NDArray[Any]]:
    width, height = layout.cell
    corners = [layout.corner(nth) for nth in range(tiles)]
    return [sheet[y : y + height, x : x + width] for x, y in corners]


@pytest.mark.parametrize("tiles", [1, 2, 3, 5, 7, 9, 10, 36])
@pytest.mark.parametrize("beside", [1, 2, 4])
@pytest.mark.parametrize("shape", [(512.0, 512.0), (64.0, 64.0), (3000.0, 2500.0), (256.0, 1024.0), (640.0, 153.7)])
def test_tiles_lie_within_the_sheet_and_apart(tiles: int, beside: int, shape: tuple[float, float]) -> None:
    layout = lay_out([shape] * tiles, beside=beside, lines=2, size=1568)
    assert max(layout.size) <= 1568
    taken = np.zeros(layout.size[::-1], int)
    places = []
    for nth in range(tiles * beside):
        x, y = layout.corner(nth)
        assert y >= layout.strip, "there is room for the label"
        taken[y - layout.strip : y + layout.cell[1], x : x + layout.cell[0]] += 1
        assert x + layout.cell[0] < layout.size[0]
        assert y + layout.cell[1] < layout.size[1]
        places.append(layout.place(nth))
    assert taken.max() == 1
    assert places == sorted(places), "read from left to right, then down"
    assert len({row for row, _ in places[:beside]}) == 1, "the windows of a slice stand in one row"


def test_the_layout_with_the_largest_tiles_is_chosen() -> None:
    square = lay_out([(512.0, 512.0)] * 9, beside=1, lines=1, size=1024)
    assert (square.across, square.down) == (3, 3)
    wide = lay_out([(1000.0, 250.0)] * 4, beside=1, lines=1, size=1024)
    assert (wide.across, wide.down) == (1, 4)
    tall = lay_out([(250.0, 1000.0)] * 4, beside=1, lines=1, size=1024)
    assert (tall.across, tall.down) == (4, 1)


def test_small_frames_grow_by_a_whole_factor_and_all_alike() -> None:
    layout = lay_out([(64.0, 64.0), (100.0, 50.0)], beside=1, lines=1, size=1024)
    assert layout.scale == 3, "100 pixels become at least 256"
    assert [layout.tile_size(shape) for shape in ((64.0, 64.0), (100.0, 50.0))] == [192, 300]


@pytest.mark.parametrize(
    ("rows", "columns", "attributes", "shape"),
    [
        (100, 200, {}, (200, 100)),
        (100, 200, {"00280030": {"vr": "DS", "Value": [2.0, 1.0]}}, (200, 200)),  # PixelSpacing: rows are 2 mm apart
        (100, 200, {"00280034": {"vr": "IS", "Value": [1, 2]}}, (400, 100)),  # PixelAspectRatio: twice as wide as high
        (100, 200, {"00280030": {"vr": "DS", "Value": [0.0, 1.0]}}, (200, 100)),
        (100, 200, {"00280030": {"vr": "DS", "Value": [500.0, 1.0]}}, (200, 100)),  # implausible
        (0, 0, {}, (0, 0)),
    ],
)
def test_the_shape_of_a_frame_in_square_pixels(
    rows: int, columns: int, attributes: dict[str, Any], shape: tuple[float, float]
) -> None:
    view = {"00280010": {"vr": "US", "Value": [rows]}, "00280011": {"vr": "US", "Value": [columns]}, **attributes}
    assert shape_of(view) == shape


def test_too_many_tiles_for_a_small_picture_are_refused() -> None:
    with pytest.raises(BadArgument, match="fewer samples"):
        lay_out([(512.0, 512.0)] * 36, beside=4, lines=2, size=256)
    assert lay_out([(512.0, 512.0)] * 36, beside=1, lines=1, size=1024).scale < 1


def test_every_pixel_of_a_tile_is_there_and_labels_touch_none() -> None:
    rng = np.random.default_rng(3)
    frames = [rng.integers(0, 256, (300, 280), dtype=np.uint8) for _ in HOSTILE]
    layout = lay_out([(280.0, 300.0)] * len(frames), beside=1, lines=2, size=1568)
    assert layout.scale == 1
    tiles = [tile(frame, label, label) for frame, label in zip(frames, HOSTILE, strict=True)]
    sheet = pixels_of(compose(tiles, layout, size=1568, format="png"))
    assert sheet.shape == layout.size[::-1]
    for frame, cell in zip(frames, cells(sheet, layout, len(frames)), strict=True):
        assert np.array_equal(frame, cell)
    for nth in range(len(frames)):
        x, y = layout.corner(nth)
        margin = sheet[y - layout.strip : y, x + layout.cell[0] : x + layout.cell[0] + 8]
        assert (margin == margin[0, 0]).all(), "a label ends where its tile ends"


def test_the_first_way_to_say_it_that_fits_is_drawn() -> None:
    black = np.zeros((300, 60), np.uint8)
    layout = lay_out([(60.0, 300.0)], beside=1, lines=1, size=400)

    def strip(*ways: str) -> NDArray[Any]:
        picture = compose([Tile(encode(black, size=1568), [ways], 300)], layout, size=400)
        return pixels_of(picture)[: layout.corner(0)[1]]

    assert np.array_equal(strip("12 of 140 and much more", "12/140"), strip("12/140"))
    assert np.array_equal(strip("12/140", "12"), strip("12/140"))
    assert not np.array_equal(strip("12/140"), strip("12"))


def test_an_empty_tile_is_crossed_out_and_colour_stays_colour() -> None:
    red = np.zeros((300, 300, 3), np.uint8)
    red[..., 0] = 200
    layout = lay_out([(300.0, 300.0)] * 2, beside=1, lines=1, size=1024)
    sheet = pixels_of(compose([tile(red, "1"), Tile(None, [("2",)], 300)], layout, size=1024))
    first, second = cells(sheet, layout, 2)
    assert (first == (200, 0, 0)).all()
    assert (second[0, 0] == second[150, 150]).all(), "the diagonal"
    assert (second[0, 0] != second[150, 100]).any(), "and paper beside it"


def test_tiles_below_the_smallest_size_are_shrunk() -> None:
    small = np.full((20, 20), 99, np.uint8)
    layout = lay_out([(600.0, 600.0), (20.0, 20.0)], beside=1, lines=1, size=1300)
    assert layout.scale == 1
    large = tile(np.full((600, 600), 200, np.uint8), "1")
    little = Tile(encode(small, size=64, for_sheet=True), [("2",)], layout.tile_size((20.0, 20.0)))
    sheet = pixels_of(compose([large, little], layout, size=1300))
    assert (cells(sheet, layout, 2)[1] == 99).sum() == 400


@pytest.mark.parametrize("format", ["auto", "png", "jpeg"])
@pytest.mark.parametrize("colours", [(), (3,)])
def test_36_tiles_of_noise_keep_the_budgets(format: str, colours: tuple[int, ...]) -> None:
    rng = np.random.default_rng(5)
    layout = lay_out([(512.0, 512.0)] * 36, beside=1, lines=1, size=1568)
    edge = layout.tile_size((512.0, 512.0))
    noise = [rng.integers(0, 256, (edge, edge, *colours), dtype=np.uint8) for _ in range(36)]
    tiles = [tile(one, "1 of 36", size=edge) for one in noise]
    picture = compose(tiles, layout, size=1568, format=format)
    assert len(picture.data) <= MOST_BYTES
    assert max(pixels_of(picture).shape) <= 1568
    assert any("900,000 bytes" in step for step in picture.steps), "what was done to get there is said"


@pytest.mark.parametrize("tiles", [1, 4, 36])
@pytest.mark.parametrize("shape", [(500.0, 500.0), (96.0, 96.0), (4.7, 3.1), (711.1, 333.3)])
def test_tiles_in_mm_have_any_scale_and_keep_within_the_sheet(tiles: int, shape: tuple[float, float]) -> None:
    """Lengths are no pixels: the largest tiles that fit, whatever factor that is."""
    layout = lay_out([shape] * tiles, beside=2, lines=1, size=1400, in_mm=True)
    assert max(layout.size) <= 1400
    assert layout.scale * max(shape) - 1 < layout.tile_size(shape) <= max(layout.cell)
    assert layout.tile_size((shape[0] / 2, shape[1] / 2)) == int(layout.scale * max(shape) / 2)
    wider = 2 * layout.across * (layout.cell[0] + 2), layout.down * (layout.cell[1] + 2)
    room = 1400 - GAP - layout.across * (GAP + SEAM), 1400 - GAP - layout.down * (GAP + layout.strip)
    assert wider[0] > room[0] or wider[1] > room[1], "a little more would not fit"
