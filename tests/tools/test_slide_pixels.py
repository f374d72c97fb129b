"""render_region of a folder against wsidicom on the same files: every pixel the same."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from mcp import Client

from tools.reading import answer
from tools.slides import CAMELYON, SPARSE, Oracle, boxes, datasets, line, pixels, region, series_of
from tools.test_preview import folder

pytestmark = pytest.mark.anyio

BONE = ("native", "jpeg50", "j2k90")


@asynccontextmanager
async def over(files: Path, cache: Path) -> AsyncIterator[Client]:
    with pytest.MonkeyPatch.context() as patch:
        async with folder(files, cache, patch) as client:
            yield client


@pytest.mark.parametrize("slide", [CAMELYON, SPARSE], ids=lambda path: path.name)
async def test_every_level_is_what_wsidicom_reads(slide: Path, tmp_path: Path) -> None:
    """Also of the sparse one, where what is missing is as white as with wsidicom."""
    series = series_of(slide)
    with Oracle(slide) as oracle:
        async with over(slide, tmp_path) as client:
            rows = (await answer(client, "describe_slide", series_uid=series))["levels"]
            assert [(row["columns"], row["rows"]) for row in rows] == oracle.sizes
            for level, size in enumerate(oracle.sizes):
                for box in boxes(*size):
                    found = await pixels(client, series, level, box)
                    np.testing.assert_array_equal(found, oracle.read(level, box), err_msg=f"level {level}, {box}")


@pytest.mark.parametrize("name", BONE)
async def test_every_transfer_syntax_is_what_wsidicom_reads(test_data: Path, name: str, tmp_path: Path) -> None:
    file = test_data / "slide-bone" / f"{name}.dcm"
    if not file.exists():
        pytest.skip("slide-bone is not there")
    series, alone = series_of(file), tmp_path / "files"
    alone.mkdir()
    shutil.copyfile(file, alone / file.name)
    with Oracle(alone) as oracle:
        async with over(alone, tmp_path / "cache") as client:
            width, height = oracle.sizes[0]
            quarters = [
                (x, y, width - width // 2, height - height // 2) for x in (0, width // 2) for y in (0, height // 2)
            ]
            for box in [*boxes(width, height)[1:], *quarters]:  # as PNG the whole would take more than 900 kB
                np.testing.assert_array_equal(await pixels(client, series, 0, box), oracle.read(0, box))


async def test_lossless_is_what_was_not_compressed(test_data: Path, tmp_path: Path) -> None:
    files = test_data / "slide-bone"
    if not files.exists():
        pytest.skip("slide-bone is not there")
    async with over(files, tmp_path) as client:
        plain, packed = [await pixels(client, series_of(files / f"{name}.dcm"), 0, (200, 100, 600, 500))
                         for name in ("native", "j2k90")]  # fmt: skip
    np.testing.assert_array_equal(plain, packed)
    assert plain.std() > 5, "there is something to see"


def test_any_box_is_what_wsidicom_reads(tmp_path: Path) -> None:
    """One level of several tiles, boxes as they come."""
    series, level = series_of(CAMELYON), 1

    async def compared(found: list[tuple[int, int, int, int]]) -> None:
        with Oracle(CAMELYON) as oracle:
            async with over(CAMELYON, tmp_path) as client:
                for box in found:
                    np.testing.assert_array_equal(await pixels(client, series, level, box), oracle.read(level, box))

    def box(x: int, y: int) -> some.SearchStrategy[tuple[int, int, int, int]]:
        return some.tuples(some.just(x), some.just(y), some.integers(1, 576 - x), some.integers(1, 350 - y))

    corner = some.tuples(some.integers(0, 575), some.integers(0, 349))

    @settings(max_examples=6, suppress_health_check=list(HealthCheck))
    @given(some.lists(corner.flatmap(lambda at: box(*at)), min_size=5, max_size=12))
    def any_boxes(found: list[tuple[int, int, int, int]]) -> None:
        anyio.run(compared, found)

    any_boxes()


async def test_missing_tiles_are_white_and_counted(tmp_path: Path) -> None:
    """What is there is what the slide with all tiles has; the rest is glass, and said to be missing."""
    (image,) = datasets(SPARSE)
    there = np.zeros((700, 1152), bool)
    for group in image.PerFrameFunctionalGroupsSequence:
        place = group.PlanePositionSlideSequence[0]
        top, left = place.RowPositionInTotalImagePixelMatrix - 1, place.ColumnPositionInTotalImagePixelMatrix - 1
        there[top : top + 256, left : left + 256] = True
    async with over(SPARSE, tmp_path / "sparse") as client:
        given = {"series_uid": series_of(SPARSE), "level": 0, "x": 0, "y": 0, "width": 1152, "height": 700}
        found, caption = await region(client, size=1568, **given)
    async with over(CAMELYON, tmp_path / "full") as client:
        full = await pixels(client, series_of(CAMELYON), 0, (0, 0, 1152, 700))
    assert 0 < there.mean() < 1
    np.testing.assert_array_equal(found, np.where(there[..., None], full, 255))
    assert line(caption, "tiles").startswith("8 (")
    assert "; 7 are not stored and shown as background" in line(caption, "tiles")
