"""Marks over a picture, and the strip below it that names them."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dicomweb_mcp.dicom.objects.rt.contours import Contour
from dicomweb_mcp.dicom.volume.plane import Grid, Plane
from dicomweb_mcp.pixels.overlay.colours import LEAST_APART, MOST_DIFFERENT, PALETTE, colours_of, written
from dicomweb_mcp.pixels.overlay.drawing import Legend, Mark, Marking, Path, legend_height, path_of, with_legend
from dicomweb_mcp.pixels.picture import encode

RED, BLUE = (255, 64, 64), (64, 160, 255)


def block(rows: int = 40, columns: int = 50) -> np.ndarray:
    mask = np.zeros((rows, columns), dtype=bool)
    mask[10:30, 5:25] = True
    return mask


def over(mask: np.ndarray, size: tuple[int, int], region: tuple[int, int, int, int] | None = None) -> np.ndarray:
    whole = region or (0, 0, mask.shape[1], mask.shape[0])
    return np.asarray(Marking([Mark("1 Liver", RED, mask)], whole).over(Image.new("L", size, 100)))


def test_a_segment_is_outlined_and_faintly_filled_and_nothing_else_changes() -> None:
    mask = block()
    drawn = over(mask, (50, 40))
    inner = np.zeros_like(mask)
    inner[12:28, 7:23] = True  # the outline is two pixels wide
    assert (drawn[~mask] == 100).all()
    assert (drawn[mask & ~inner] == RED).all()
    fill = drawn[inner]
    assert (fill == fill[0]).all()
    assert fill[0].tolist() == [round(0.75 * 100 + 0.25 * part) for part in RED]


def test_enlarged_it_covers_exactly_its_pixels() -> None:
    drawn = over(block(), (200, 160))
    coloured = (drawn != 100).any(axis=-1)
    assert (coloured == block().repeat(4, axis=0).repeat(4, axis=1)).all()


def test_a_single_pixel_does_not_vanish_when_the_picture_shrinks() -> None:
    mask = np.zeros((2000, 2000), dtype=bool)
    mask[1001, 777] = True
    drawn = over(mask, (64, 64))
    places = np.argwhere((drawn != 100).any(axis=-1))
    assert [1001 * 64 // 2000, 777 * 64 // 2000] in places.tolist()
    assert len(places) == 1


def test_what_a_region_cuts_off_has_no_outline_at_the_cut() -> None:
    drawn = over(block(), (10, 10), (10, 15, 10, 10))
    assert (drawn == drawn[0, 0]).all()
    assert (drawn[0, 0] != RED).any()


def test_a_contour_lies_where_its_coordinates_say() -> None:
    """A square of 10 mm on an image of 2 mm rows and 1 mm columns: columns 5 to 15 and rows 5 to 10 by hand."""
    plane = Plane(Grid("1", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), 20, 30, (2.0, 1.0)), (-10.0, 40.0, 7.0))
    contour = Contour([-5.0, 5.0, 5.0, -5.0], [50.0, 50.0, 60.0, 60.0], [7.0] * 4)
    path = path_of(contour, plane, is_closed=True)
    assert path.points.tolist() == [[5, 5], [15, 5], [15, 10], [5, 10]]
    drawn = np.asarray(Marking([Mark("1 A", RED, paths=[path])], (0, 0, 30, 20)).over(Image.new("L", (300, 200), 0)))
    places = np.argwhere((drawn == RED).all(axis=-1))
    # The middle of native pixel n is at 10 n + 4.5 of a picture ten times as large.
    assert places.min(axis=0) == pytest.approx([54.5, 54.5], abs=1.5)
    assert places.max(axis=0) == pytest.approx([104.5, 154.5], abs=1.5)
    assert (drawn[60:100, 60:150] == 0).all()


def test_on_an_oblique_image_too() -> None:
    """The first row runs down the patient, the first column to the back: (x, y, z) = (3, 1 + 2 r, 9 - c)."""
    plane = Plane(Grid("1", (0.0, 0.0, -1.0, 0.0, 1.0, 0.0), 20, 30, (2.0, 1.0)), (3.0, 1.0, 9.0))
    assert path_of(Contour([3.0], [5.0], [2.0]), plane, is_closed=True).points.tolist() == [[7, 2]]


def test_open_contours_are_not_closed_and_points_are_crosses() -> None:
    corner = Path(np.array([[2.0, 2.0], [30.0, 2.0], [30.0, 20.0]]), is_closed=False)
    dot = Path(np.array([[10.0, 15.0]]))
    drawn = np.asarray(Marking([Mark("1 A", RED, paths=[corner, dot])], (0, 0, 40, 30)).over(Image.new("L", (40, 30))))
    red = (drawn == RED).all(axis=-1)
    assert red[2, 15]
    assert red[15, 30]
    assert not red[11, 16]
    assert red[15, 6:15].all()
    assert red[11:20, 10].all()


@given(st.lists(st.text(max_size=60), min_size=1, max_size=40), st.integers(64, 600))
def test_a_legend_stays_below_and_leaves_the_picture_alone(names: list[str], width: int) -> None:
    marks = [Mark(name, BLUE) for name in names]
    picture = Image.new("RGB", (width, 50), (1, 2, 3))
    found = np.asarray(with_legend(picture, marks))
    below = legend_height(marks, width)
    assert found.shape == (50 + below, width, 3)
    assert 17 <= below <= 6 * 17
    assert (found[:50] == (1, 2, 3)).all()
    assert (found[50:] == BLUE).all(axis=-1).any()


@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from((64, 256, 700, 1568)), st.integers(1, 60))
def test_a_picture_with_a_legend_keeps_the_size(rows: int, columns: int, size: int, count: int) -> None:
    marks = [Mark(f"{nth} Segment", RED) for nth in range(count)]
    picture = encode(np.zeros((rows, columns), np.uint8), size=size, below=Legend(marks))
    assert max(picture.width, picture.height) <= size
    assert (picture.below > 0) == (size >= 256)
    assert Image.open(BytesIO(picture.data)).size == (picture.width, picture.height)


def test_each_has_its_own_colour() -> None:
    found = colours_of({1: "#80ae80", 2: "#80ae82", 3: "#808080", 4: "", **dict.fromkeys(range(6, 60), "")})
    assert written(found[1]) == "#80ae80"
    assert len(set(found.values())) == len(found)
    first = list(found.values())[:11]
    for nth, one in enumerate(first):
        assert max(one) - min(one) >= 40
        for other in first[:nth]:
            assert np.linalg.norm(np.subtract(one, other)) >= LEAST_APART


@pytest.mark.parametrize("recommended", ["", "#ff4040"])
def test_more_segments_than_there_are_colours_have_one_each_all_the_same(recommended: str) -> None:
    """Else the search for one that is free would never end."""
    found = colours_of({**dict.fromkeys(range(10_000), ""), 7: recommended})
    assert len(found) == 10_000
    assert MOST_DIFFERENT * 0.9 < len(set(found.values())) <= MOST_DIFFERENT + len(PALETTE)
