"""Boxes: what is read for a request, on whole pixels, and what is refused."""

import math
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom.slide.slides import image, pyramid, recorded, slide, sparse
from dicomweb_mcp.dicom.slide import Box, BoxRequest, region
from dicomweb_mcp.errors import BadArgument

SLIDE = pyramid((40_000, 30_000), (10_000, 7_500), (2_500, 1_875))  # 0.25, 1 and 4 um per pixel; 40x, 10x, 2.5x
ODD = pyramid((4_001, 3_003), (1_000, 751), (333, 250))  # 2.5 um; sizes of which the last is in no whole ratio


def asked(**values: Any) -> BoxRequest:
    if "box" in values:
        values |= dict(zip(("x", "y", "width", "height"), values.pop("box"), strict=True))
    return BoxRequest(**values)


# ---- examples, by hand -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "level", "box", "size"),
    [
        # exact, at the resolution that is there
        ({"box": (1000, 2000, 512, 300)}, 0, (1000, 2000, 512, 300), (512, 300)),
        ({"box": (1000, 2000, 512, 300), "level": 1}, 1, (1000, 2000, 512, 300), (512, 300)),
        ({"box": (39_999, 29_999, 1, 1)}, 0, (39_999, 29_999, 1, 1), (1, 1)),
        # without a level the box is of level 0, and the coarsest is read that is as fine as asked
        ({"box": (1000, 2000, 4000, 2000), "um_per_px": 1}, 1, (250, 500, 1000, 500), (1000, 500)),
        ({"box": (1000, 2000, 4000, 2000), "um_per_px": 3.9}, 1, (250, 500, 1000, 500), (256, 128)),
        ({"box": (1000, 2000, 4000, 2000), "magnification": 10}, 1, (250, 500, 1000, 500), (1000, 500)),
        ({"box": (1000, 2000, 4000, 2000), "magnification": 5}, 1, (250, 500, 1000, 500), (500, 250)),
        ({"box": (1000, 2000, 4000, 2000), "magnification": 40}, 0, (1000, 2000, 4000, 2000), (4000, 2000)),
        ({"box": (1000, 2000, 4000, 2000), "size": 1000}, 1, (250, 500, 1000, 500), (1000, 500)),
        ({"box": (1000, 2000, 4000, 2000), "size": 1001}, 1, (250, 500, 1000, 500), (1000, 500)),
        ({"box": (1000, 2000, 4000, 2000), "size": 2000}, 0, (1000, 2000, 4000, 2000), (2000, 1000)),
        ({"box": (1000, 2000, 4000, 2000), "um_per_px": 1, "size": 100}, 2, (62, 125, 251, 125), (100, 50)),
        # a level is read as it is, and shown smaller where size says so
        ({"box": (100, 100, 800, 400), "level": 1, "size": 200}, 1, (100, 100, 800, 400), (200, 100)),
        # outward
        ({"box": (1001, 2003, 4, 4), "um_per_px": 1}, 1, (250, 500, 2, 2), (2, 2)),
        ({"box": (10.5, 20.25, 1, 1)}, 0, (10, 20, 2, 2), (2, 2)),
        # mm: 4,000 pixels of level 0 each, whatever the level that is read
        ({"box": (1, 2, 0.5, 0.25), "unit": "mm"}, 0, (4000, 8000, 2000, 1000), (2000, 1000)),
        ({"box": (1, 2, 0.5, 0.25), "unit": "mm", "level": 1}, 1, (1000, 2000, 500, 250), (500, 250)),
        ({"box": (1.0001, 2, 0.0003, 0.25), "unit": "mm"}, 0, (4000, 8000, 2, 1000), (2, 1000)),
        # a center and a field of view
        ({"center": (5, 5), "unit": "mm", "field_of_view_um": 100}, 0, (19_800, 19_800, 400, 400), (400, 400)),
        ({"center": (1000, 1000), "field_of_view_um": 100}, 0, (800, 800, 400, 400), (400, 400)),
        ({"center": (1000, 1000), "field_of_view_um": 100, "level": 1}, 1, (950, 950, 100, 100), (100, 100)),
        # all of it
        ({"whole": True, "level": 2}, 2, (0, 0, 2500, 1875), (2500, 1875)),
        ({"whole": True, "size": 500}, 2, (0, 0, 2500, 1875), (500, 375)),
        # 18,526 tiles of level 0 are too many, and 1,200 of level 1
        ({"whole": True}, 2, (0, 0, 2500, 1875), (2500, 1875)),
        ({"box": (0, 0, 10_000, 7_500), "level": 1}, 2, (0, 0, 2500, 1875), (2500, 1875)),
        ({"whole": True, "um_per_px": 1.5}, 2, (0, 0, 2500, 1875), (2500, 1875)),
    ],
)  # fmt: skip
def test_what_is_read(values: dict[str, Any], level: int, box: tuple[int, ...], size: tuple[int, int]) -> None:
    found = region(SLIDE, asked(**values))
    assert (found.level.number, found.box, (found.width, found.height)) == (level, Box(*box), size)


def test_the_same_box_in_every_unit() -> None:
    found = region(SLIDE, asked(box=(1001, 2003, 4000, 2000), um_per_px=2))
    assert (found.level.number, found.box) == (1, Box(250, 500, 1001, 501))
    assert found.box_of_level_0 == Box(1000, 2000, 4004, 2004)
    assert found.mm == pytest.approx((0.25, 0.5, 1.001, 0.501))
    assert (found.um_per_px, found.magnification) == pytest.approx((1001 / 500, 10 * 500 / 1001))
    assert (found.width, found.height, found.is_scaled) == (500, 250, True)
    assert found.said == ("The edges were moved outward to whole pixels of level 1.",)


def test_exact_boxes_need_no_words() -> None:
    found = region(SLIDE, asked(box=(0, 0, 512, 512)))
    assert (found.said, found.is_scaled) == ((), False)
    assert region(SLIDE, asked(box=(1, 2, 0.5, 0.25), unit="mm")).said == ()


def test_too_many_tiles_are_read_from_a_coarser_level() -> None:
    found = region(SLIDE, asked(box=(0, 0, 10_240, 10_240)))  # 40 x 40
    assert (found.level.number, found.tiles) == (1, 100)
    assert found.said == (
        "Level 0 would take 1,600 tiles, and at most 400 are read for one picture: this is from level 1.",
    )  # fmt: skip
    assert region(SLIDE, asked(box=(0, 0, 5_120, 5_120))).level.number == 0  # 20 x 20
    assert region(SLIDE, asked(box=(0, 0, 5_120, 5_120)), paths="0").level.number == 0


def test_every_optical_path_needs_its_own_tiles() -> None:
    found = pyramid((40_000, 30_000), (10_000, 7_500), paths=("a", "b", "c"))
    request = asked(box=(0, 0, 5_120, 5_120))
    assert [region(found, request, paths=paths).level.number for paths in ("a", "ab")] == [0, 1]


def test_of_optical_paths_only_levels_that_show_them() -> None:
    found = slide(image(40_000, 30_000, paths=("a", "b")), image(10_000, 7_500, paths=("a",)))
    request = asked(box=(0, 0, 3000, 3000), um_per_px=1)
    assert [region(found, request, paths=paths).level.number for paths in ("a", "ab")] == [1, 0]
    with pytest.raises(BadArgument, match=r"Not on any level: optical path x\. Levels that show it: none"):
        region(found, request, paths="x")


def test_where_no_level_is_coarse_enough_what_fits_is_said() -> None:
    with pytest.raises(BadArgument, match=r"1,173 tiles of level 0.* 4,864 x 4,864 pixels of level 0 fits"):
        region(pyramid((13_000, 5_888)), asked(whole=True))
    assert region(pyramid((13_000, 5_888)), asked(box=(100, 100, 4_864, 4_864))).level.number == 0


def test_nothing_is_enlarged() -> None:
    found = region(SLIDE, asked(box=(0, 0, 400, 400), um_per_px=0.1))
    assert (found.level.number, found.width) == (0, 400)
    assert found.said == ("Level 0, 0.25 um per pixel, is the finest that there is; pictures are not enlarged.",)
    assert region(SLIDE, asked(box=(0, 0, 400, 400), size=1024)).width == 400


def test_of_a_focal_plane_only_levels_that_show_it() -> None:
    found = slide(image(40_000, 30_000, planes=3), image(10_000, 7_500))
    assert region(found, asked(box=(0, 0, 4000, 4000), um_per_px=1), found.plane(1)).level.number == 1
    assert region(found, asked(box=(0, 0, 4000, 4000), um_per_px=1), found.plane(2)).level.number == 0
    with pytest.raises(BadArgument, match=r"Not on level 1: focal plane 2\. Levels that show it: 0"):
        region(found, asked(box=(0, 0, 40, 40), level=1), found.plane(2))


def test_the_thumbnail_is_read_for_the_whole_slide() -> None:
    found = region(slide(*recorded()), asked(whole=True, size=512))
    assert (found.level.number, found.box, found.tiles) == (3, Box(0, 0, 803, 768), 1)
    assert (found.width, found.height) == (512, 490)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"box": (39_999, 0, 2, 2)}, r"\(39999, 0\) to \(40001, 2\) .* lies partly outside .* 40,000 x 30,000 pixels of level 0"),
        ({"box": (10_000, 0, 2, 2), "level": 1}, r"lies outside .* 10,000 x 7,500 pixels of level 1"),
        ({"box": (9_999, 0, 1.5, 1), "level": 1}, "partly outside"),
        ({"box": (-1, 0, 2, 2)}, "partly outside"),
        ({"box": (9.9, 0, 0.2, 0.2), "unit": "mm"}, r"\(9.9, 0\) to \(10.1, 0.2\) in mm lies partly .* 10 x 7.5 mm"),
        ({"center": (0, 0), "field_of_view_um": 10}, "partly outside"),
        ({"box": (0, 0, 9, 9), "level": 0, "um_per_px": 1}, "level and um_per_px contradict"),
        ({"box": (0, 0, 9, 9), "level": 0, "magnification": 1}, "level and magnification contradict"),
        ({"box": (0, 0, 9, 9), "um_per_px": 1, "magnification": 1}, "um_per_px and magnification contradict"),
        ({"box": (0, 0, 9, 9), "center": (1, 1), "field_of_view_um": 1}, "x and y and .* and center and .* contradict"),
        ({"box": (0, 0, 9, 9), "whole": True}, "whole and x and .* contradict"),
        ({"center": (1, 1), "whole": True}, "whole and center contradict"),
        ({"center": (1, 1)}, "field_of_view_um is missing"),
        ({"field_of_view_um": 3}, "center is missing"),
        ({"x": 1, "width": 2}, "y and height is missing"),
        ({"unit": "mm"}, "unit alone"),
        ({"unit": "mm", "whole": True}, "unit has no meaning"),
        ({"unit": "inch", "box": (0, 0, 1, 1)}, "pixel or mm"),
        ({}, "Give x, y, width and height, or center"),
        ({"level": 1}, "Give x, y"),
        ({"box": (0, 0, 9, 9), "level": 3}, r"levels 0 \(the finest\) to 2"),
        ({"box": (0, 0, 9, 9), "level": -1}, "levels 0"),
        ({"box": (0, 0, 0, 9)}, "width=0"),
        ({"box": (0, 0, 9, math.nan)}, "height=nan"),
        ({"box": (math.inf, 0, 9, 9)}, "inf is no position"),
        ({"box": (math.nan, 0, 9, 9)}, "nan is no position"),
        ({"box": (0, 0, 9, 9), "um_per_px": 0}, "um_per_px=0"),
        ({"box": (0, 0, 9, 9), "magnification": -1}, "magnification=-1"),
        ({"box": (0, 0, 9, 9), "size": 0}, "size=0"),
    ],
)  # fmt: skip
def test_what_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(BadArgument, match=words):
        region(SLIDE, asked(**values))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"box": (0, 0, 1, 1), "unit": "mm"}, "unit=mm needs the size of a pixel"),
        ({"center": (50, 50), "field_of_view_um": 1}, "field_of_view_um needs"),
        ({"box": (0, 0, 9, 9), "um_per_px": 1}, "um_per_px needs"),
        ({"box": (0, 0, 9, 9), "magnification": 1}, "magnification needs"),
    ],
)
def test_without_the_size_of_a_pixel(values: dict[str, Any], words: str) -> None:
    bare = pyramid((400, 300), spacing=None, OpticalPathSequence=None)
    with pytest.raises(BadArgument, match=words):
        region(bare, asked(**values))
    found = region(bare, asked(box=(0, 0, 9, 9)))
    assert (found.mm, found.um_per_px, found.magnification) == (None, None, None)


def test_a_slide_without_levels_refuses_boxes() -> None:
    with pytest.raises(BadArgument, match="no level"):
        region(slide(), asked(whole=True))
    bare = sparse(100, 100, [(1, 1)], tile=(16, 16))
    del bare["52009230"]
    assert region(slide(bare), asked(whole=True)).tiles == 49  # known before the frames are


# ---- properties ------------------------------------------------------------------------------------------------------

SLIDES = {"even": SLIDE, "odd": ODD, "recorded": slide(*recorded())}


@given(data=st.data())
def test_a_box_of_level_0_is_covered_and_never_outside(data: st.DataObject) -> None:
    found = SLIDES[data.draw(st.sampled_from(sorted(SLIDES)))]
    grid = found.levels[0].grid
    x, y = data.draw(st.integers(0, grid.columns - 1)), data.draw(st.integers(0, grid.rows - 1))
    box = Box(x, y, data.draw(st.integers(1, grid.columns - x)), data.draw(st.integers(1, grid.rows - y)))
    size = data.draw(st.integers(1, 2000))
    read = region(found, asked(box=box, size=size))
    level = read.level.grid
    assert read.box.x >= 0 <= read.box.y
    assert read.box.x + read.box.width <= level.columns
    assert read.box.y + read.box.height <= level.rows
    assert read.tiles <= 400
    assert max(read.width, read.height) <= size
    assert read.width <= read.box.width
    assert read.height <= read.box.height
    # all that was asked for is there, and no whole pixel of the level too much
    own = read.box_of_level_0
    reach = [float(share) for share in read.level.factor]
    for at in (0, 1):
        low, high = box[at], box[at] + box[at + 2]
        edge = level.columns if at == 0 else level.rows
        is_last = read.box[at] + read.box[at + 2] == edge  # where a coarse level has one pixel less
        assert own[at] <= low or is_last
        assert own[at] + own[at + 2] >= high or is_last
        assert low - own[at] < reach[at] * (2 if is_last else 1) + 1
        assert own[at] + own[at + 2] - high < reach[at] + 1


@given(data=st.data())
def test_a_box_in_mm_comes_back_as_the_same_box(data: st.DataObject) -> None:
    found = SLIDES[data.draw(st.sampled_from(sorted(SLIDES)))]
    level = found.levels[data.draw(st.integers(0, len(found.levels) - 1))]
    x, y = data.draw(st.integers(0, level.grid.columns - 1)), data.draw(st.integers(0, level.grid.rows - 1))
    width = data.draw(st.integers(1, min(2000, level.grid.columns - x)))
    height = data.draw(st.integers(1, min(2000, level.grid.rows - y)))
    read = region(found, asked(box=(x, y, width, height), level=level.number))
    assert read.box == Box(x, y, width, height)
    assert read.mm is not None
    again = region(found, asked(box=read.mm, unit="mm", level=level.number))
    assert (again.box, again.mm, again.said) == (read.box, read.mm, ())


@given(
    st.builds(
        BoxRequest,
        **{
            name: st.none() | st.floats() | st.integers(-10, 50_000)
            for name in ("x", "y", "width", "height", "field_of_view_um", "um_per_px", "magnification")
        },
        unit=st.sampled_from([None, "mm", "pixel"]),
        center=st.none() | st.tuples(st.floats(), st.floats()),
        whole=st.booleans(),
        level=st.none() | st.integers(-1, 4),
        size=st.none() | st.integers(-1, 3000),
    )
)
def test_any_request_is_answered_or_refused(request: BoxRequest) -> None:
    for wanted in (
        request,
        replace(request, x=None, y=None, width=None, height=None, center=None, field_of_view_um=None, whole=True),
    ):
        with suppress(BadArgument):
            found = region(SLIDE, wanted)
            assert found.tiles <= 400
            assert found.box.width > 0 < found.box.height
