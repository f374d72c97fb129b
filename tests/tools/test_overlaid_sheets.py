"""preview_series with an overlay: on each tile what lies on its slice."""

from copy import deepcopy
from typing import Any

import pytest

from tools.overlay_helpers import SEG, SIZE, over, segments, volume
from tools.picture_helpers import place_of, series, tile_lines
from tools.reading import call, refusal, shown, text_of

pytestmark = pytest.mark.anyio


async def test_each_tile_has_what_lies_on_its_slice(connect: Any) -> None:
    images = series(5)
    asked = {"series_uid": images[0].SeriesInstanceUID, "overlay": SEG, "format": "png"}
    async with connect(**over(*images, segments())) as client:
        result = await call(client, "preview_series", **asked, slices=[1, 3, 5], windows=["0..600"])
        single = [shown(await call(client, "render_frame", **asked, slice=k, window="0..600"))[:256] for k in (3, 5)]
    sheet = shown(result)
    for picture in single:
        assert place_of(picture, sheet) is not None
    lines = tile_lines(result)
    assert "overlay: nothing of it" in lines[0]
    assert f"overlay: 1 Block #ff4040, {volume()[2, ..., 0].sum()} pixels" in lines[1]
    assert f"overlay: 1 Block #ff4040, {volume()[4, ..., 0].sum()} pixels" in lines[2]
    assert "Point" not in text_of(result), "it lies on none of these"
    assert text_of(result).count("placed by patient coordinates") == 1
    assert max(sheet.shape[:2]) <= 1024
    assert (sheet[-17:] == (255, 64, 64)).all(axis=-1).any(), "the legend at the bottom"
    assert "shrunk" not in next(line for line in text_of(result).splitlines() if line.startswith("picture: "))


async def test_a_tile_on_which_it_cannot_be_placed_is_crossed_out(connect: Any) -> None:
    images = series(5)
    del images[2].FrameOfReferenceUID
    async with connect(**over(*images, segments())) as client:
        result = await call(
            client, "preview_series", series_uid=images[0].SeriesInstanceUID, overlay=SEG, slices=[2, 3]
        )
    assert "not shown: This image names no FrameOfReferenceUID" in tile_lines(result)[1]


async def test_a_reformat_is_cut_through_the_segments_too(connect: Any) -> None:
    """Through column 45 of five slices of 10 mm: planes are counted from the left of the patient."""
    images = series(5)
    async with connect(**over(*images, segments(10))) as client:
        result = await call(
            client, "preview_series", series_uid=images[0].SeriesInstanceUID, overlay=SEG, segment=1, plane="sagittal",
            slices=[SIZE - 45], format="png",
        )  # fmt: skip
    line = tile_lines(result)[0]
    assert f"overlay: 1 Block #ff4040, {volume()[:, :, 45, 0].sum()} pixels" in line


async def test_both_of_a_pair_have_it(connect: Any) -> None:
    images = series(5)
    twins = deepcopy(images)
    for one in twins:
        one.SeriesInstanceUID, one.SOPInstanceUID = "1.2.9.3", f"{one.SOPInstanceUID}.9"
    async with connect(**over(*images, *twins, segments())) as client:
        result = await call(
            client, "preview_series", series_uid=images[0].SeriesInstanceUID, compare_with="1.2.9.3", overlay=SEG,
            slices=[3],
        )  # fmt: skip
    count = volume()[2, ..., 0].sum()
    assert tile_lines(result)[0].count(f"overlay: 1 Block #ff4040, {count} pixels") == 2


async def test_a_segment_needs_an_overlay_there_too(connect: Any) -> None:
    images = series(5)
    async with connect(**over(*images)) as client:
        said = await refusal(client, "preview_series", series_uid=images[0].SeriesInstanceUID, segment=1)
    assert "give overlay" in said
