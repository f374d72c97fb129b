"""describe_slide and render_region over slides made to measure, whose every pixel is known."""

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcp import Client
from PIL import Image, ImageCms
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from dicomweb_mcp.server import build
from fakes.google import Google
from fakes.store import Store
from segmentations import make
from support import app_over
from tools.eras import IN_BOTH_ERAS
from tools.reading import answer, call, image_of, refusal, text_of
from tools.slides import (
    CAMELYON,
    SERIES,
    TILE,
    cut,
    datasets,
    line,
    made,
    noise,
    path,
    pixels,
    region,
    series_of,
    tiles_fetched,
)  # fmt: skip
from tools.test_preview import dataset, folder, series

pytestmark = pytest.mark.anyio

WIDE, HIGH = 4 * TILE, 3 * TILE


def of_folder(*images: Any) -> Any:
    """What a connection is made to: the fake of Google with these images."""
    return Google(Store(*images)), "google"


@pytest.fixture
def picture() -> np.ndarray[Any, Any]:
    return noise(HIGH - 5, WIDE - 3)


@pytest.fixture
def slide(picture: np.ndarray[Any, Any]) -> Any:
    return made(cut(picture), WIDE - 3, HIGH - 5)


@IN_BOTH_ERAS
async def test_a_box_is_cut_out_of_its_tiles(connect: Any, slide: Any, picture: np.ndarray[Any, Any]) -> None:
    async with connect(pacs=of_folder(slide)) as client:
        for x, y, width, height in [(0, 0, WIDE - 3, HIGH - 5), (15, 14, 3, 20), (WIDE - 4, HIGH - 6, 1, 1)]:
            found = await pixels(client, SERIES, 0, (x, y, width, height))
            np.testing.assert_array_equal(found, picture[y : y + height, x : x + width])


async def test_the_caption_says_where_the_box_lies(connect: Any, slide: Any) -> None:
    given = {"series_uid": SERIES, "level": 0, "x": 10, "y": 20, "width": 30, "height": 18}
    async with connect(pacs=of_folder(slide)) as client:
        _, caption = await region(client, **given)
        mm = [float(number) for number in re.findall(r"[\d.]+", line(caption, "box in mm"))]
        assert mm == [0.005, 0.01, 0.015, 0.009]
        x, y, width, height = mm
        _, back = await region(client, series_uid=SERIES, unit="mm", x=x, y=y, width=width, height=height)
    assert line(caption, "box") == line(back, "box") == "x 10, y 20, 30 x 18 pixels of level 0"
    assert line(caption, "resolution") == "0.5 um per pixel of the picture, about 20x (by the objective)"
    assert line(caption, "scale") == "level 0 x = 10 + picture x, y = 20 + picture y, pixel by pixel"
    assert line(caption, "tiles").startswith("6 (6 fetched, 4,608 bytes): frames 5-7, 9-11 of ")
    assert "Patient" not in caption


async def test_a_field_of_view_around_a_center(connect: Any, slide: Any, picture: np.ndarray[Any, Any]) -> None:
    async with connect(pacs=of_folder(slide)) as client:
        found, _ = await region(client, series_uid=SERIES, center=[20, 24], field_of_view_um=8)
        same, _ = await region(client, series_uid=SERIES, center=[0.010, 0.012], unit="mm", field_of_view_um=8)
    np.testing.assert_array_equal(found, picture[16:32, 12:28])
    np.testing.assert_array_equal(same, found)


async def test_a_box_outside_is_refused_with_the_extent(connect: Any, slide: Any) -> None:
    async with connect(pacs=of_folder(slide)) as client:
        for box, how in [((50, 0, 20, 5), "lies partly outside"), ((100, 100, 5, 5), "lies outside"),
                         ((-1, 0, 5, 5), "lies partly outside")]:  # fmt: skip
            given = dict(zip(("x", "y", "width", "height"), box, strict=True))
            says = await refusal(client, "render_region", series_uid=SERIES, **given)
            assert how in says
            assert "61 x 43 pixels of level 0" in says
        says = await refusal(client, "render_region", series_uid=SERIES, unit="mm", x=0, y=0, width=1, height=1)
    assert "0.0305 x 0.0215 mm" in says


# ---- levels ----------------------------------------------------------------------------------------------------------


async def test_resolution_chooses_the_level() -> None:
    """Of four levels, each half as fine as the one before; never enlarged."""
    images = datasets(CAMELYON)
    sizes = [(1152, 700), (576, 350), (288, 175), (144, 88)]
    cases: list[tuple[dict[str, Any], int, tuple[int, int]]] = [
        ({"size": 1152}, 0, sizes[0]), ({"size": 600}, 0, (600, 365)), ({"size": 576}, 1, sizes[1]),
        ({"size": 400}, 1, (400, 243)), ({"size": 128}, 3, (128, 78)),
        ({"um_per_px": 58, "size": 1568}, 1, sizes[1]), ({"um_per_px": 80, "size": 1568}, 1, (417, 253)),
        ({"um_per_px": 1, "size": 1568}, 0, sizes[0]), ({"magnification": 0.1725, "size": 1568}, 1, sizes[1]),
        ({"um_per_px": 1000, "size": 1568}, 3, (33, 20)),
        ({"um_per_px": 30, "size": 300}, 1, (300, 182)),
    ]  # fmt: skip
    app = app_over({"pacs": (Google(Store(*images)), "google")})
    async with Client(build(app), raise_exceptions=True) as client:
        for given, level, (width, height) in cases:
            found, caption = await region(client, series_uid=series_of(CAMELYON), whole=True, **given)
            assert line(caption, "level").startswith(f"{level} of 0 to 3"), given
            assert abs(found.shape[1] - width) <= 1, given
            assert abs(found.shape[0] - height) <= 1, given


async def test_the_finest_is_not_enlarged(connect: Any, slide: Any) -> None:
    async with connect(pacs=of_folder(slide)) as client:
        found, caption = await region(client, series_uid=SERIES, whole=True, um_per_px=0.1)
    assert found.shape[:2] == (HIGH - 5, WIDE - 3)
    assert "note: Level 0, 0.5 um per pixel, is the finest that there is; pictures are not enlarged." in caption


async def test_more_than_400_tiles_come_from_a_coarser_level(connect: Any) -> None:
    """21 x 20 tiles of the finest; the next has half as many along each side."""
    fine, coarse = noise(20 * TILE, 21 * TILE), noise(10 * TILE, 21 * TILE // 2, 2)
    images = [made(cut(fine), 21 * TILE, 20 * TILE), made(cut(coarse), 168, 160, 2, spacing=0.001)]
    fake, kind = of_folder(*images)
    async with connect(pacs=(fake, kind)) as client:
        whole = {"x": 0, "y": 0, "width": 21 * TILE, "height": 20 * TILE, "level": 0}
        found, caption = await region(client, series_uid=SERIES, **whole)
        assert (
            "note: Level 0 would take 420 tiles, and at most 400 are read for one picture: this is from level 1."
            in caption
        )
        np.testing.assert_array_equal(found, coarse)
        _, caption = await region(client, series_uid=SERIES, **{**whole, "width": 20 * TILE})
    assert tiles_fetched(caption) == (400, 400)
    assert line(caption, "level").startswith("0 of 0 to 1")


async def test_a_concatenation_is_one_level(connect: Any) -> None:
    """Three parts of five, five and two tiles, in files whose order is another one."""
    full = noise(HIGH, WIDE)
    tiles = cut(full)
    parts = [
        made(tiles[first:end], WIDE, HIGH, 9 - nth, ConcatenationUID="1.2.9", InConcatenationNumber=nth,
             InConcatenationTotalNumber=3, ConcatenationFrameOffsetNumber=first)
        for nth, (first, end) in enumerate([(0, 5), (5, 10), (10, 12)], start=1)
    ]  # fmt: skip
    fake, kind = of_folder(*parts)
    async with connect(pacs=(fake, kind)) as client:
        found = await answer(client, "describe_slide", series_uid=SERIES)
        assert len(found["levels"]) == 1
        np.testing.assert_array_equal(await pixels(client, SERIES, 0, (0, 0, WIDE, HIGH)), full)
        asked = [path.rpartition("/")[2] for path in fake.paths if "/frames/" in path]
        assert sorted(asked) == ["1,2", "1,2,3,4,5", "1,2,3,4,5"]
        fake.store = Store(*parts[:2])
    async with connect(pacs=(fake, kind)) as client:  # a part that is not there
        found, caption = await region(client, series_uid=SERIES, whole=True)
    assert "; 2 are not stored and shown as background" in line(caption, "tiles")
    assert (found[2 * TILE :, 2 * TILE :] == 255).all()


# ---- focal planes and optical paths ----------------------------------------------------------------------------------


async def test_each_focal_plane_has_its_own_tiles(connect: Any) -> None:
    planes = [noise(HIGH, WIDE, seed) for seed in (1, 2)]
    image = made(np.concatenate([cut(plane) for plane in planes]), WIDE, HIGH, TotalPixelMatrixFocalPlanes=2)
    async with connect(pacs=of_folder(image)) as client:
        found = await answer(client, "describe_slide", series_uid=SERIES)
        assert len(found["planes"]) == 2
        for number, plane in enumerate(planes, start=1):
            seen, caption = await region(client, series_uid=SERIES, whole=True, focal_plane=number)
            np.testing.assert_array_equal(seen, plane)
            assert line(caption, "focal plane").startswith(f"{number} of 2")
        says = await refusal(client, "render_region", series_uid=SERIES, whole=True, focal_plane=3)
    assert "1" in says
    assert "2" in says


async def test_channels_of_16_bits_together_and_alone(connect: Any) -> None:
    channels = [noise(HIGH, WIDE, seed, np.uint16, 1) // (4 * seed) + 100 * seed for seed in (1, 2, 3)]
    channels = [channel.astype(np.uint16) for channel in channels]
    names = ["DAPI", "FITC", "Cy5"]
    paths = [path(str(nth), OpticalPathDescription=name) for nth, name in enumerate(names, start=1)]
    image = made(np.concatenate([cut(channel) for channel in channels]), WIDE, HIGH, paths=paths)
    async with connect(pacs=of_folder(image)) as client:
        described = await answer(client, "describe_slide", series_uid=SERIES)
        assert [row["OpticalPathIdentifier"] for row in described["paths"]] == ["1", "2", "3"]
        composite, caption = await region(client, series_uid=SERIES, whole=True)
        said = line(caption, "optical paths").split("; ")
        total = np.zeros((HIGH, WIDE, 3))
        for channel, one, colour in zip(channels, said, [(0, 0, 255), (0, 255, 0), (255, 0, 0)], strict=True):
            low, high = (float(number) for number in re.findall(r"([\d.]+) is", one))
            assert abs(low - np.percentile(channel, 1)) <= 2
            assert abs(high - np.percentile(channel, 99)) <= 2
            light = np.clip((channel - low) / (high - low), 0, 1)
            total += light[..., None] * np.array(colour)
        assert composite.shape == (HIGH, WIDE, 3)
        assert np.abs(composite - np.clip(total, 0, 255)).max() <= 3
        for asked in ("2", "FITC"):
            alone, caption = await region(client, series_uid=SERIES, whole=True, optical_path=asked)
            assert alone.shape == (HIGH, WIDE)
            assert np.corrcoef(alone.ravel(), channels[1].ravel())[0, 1] > 0.99
            assert line(caption, "optical path").startswith("2 FITC, ")
        says = await refusal(client, "render_region", series_uid=SERIES, whole=True, optical_path="Cy7")
    assert "Cy5" in says or "3" in says


@pytest.mark.parametrize(("samples", "count", "shown"), [(1, 8, 6), (3, 2, 1)])
async def test_optical_paths_that_are_not_shown_are_told(connect: Any, samples: int, count: int, shown: int) -> None:
    channels = [noise(HIGH, WIDE, seed, samples=samples) for seed in range(count)]
    paths = [path(f"p{nth}") for nth in range(count)]
    image = made(np.concatenate([cut(channel) for channel in channels]), WIDE, HIGH, paths=paths)
    said = f"note: {shown} of {count} optical paths shown: give optical_path for another one."
    async with connect(pacs=of_folder(image)) as client:
        _, caption = await region(client, series_uid=SERIES, whole=True)
        _, alone = await region(client, series_uid=SERIES, whole=True, optical_path=f"p{count - 1}")
    assert said in caption
    assert "optical paths shown" not in alone


async def test_colours_by_their_profile(connect: Any) -> None:
    """A profile whose colours are far from sRGB; the truth is the colour engine's, on the whole picture."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    full = noise(HIGH, WIDE)
    image = made(cut(full), WIDE, HIGH, paths=[path("0", ICCProfile=lab + bytes(len(lab) % 2))])
    async with connect(pacs=of_folder(image)) as client:
        found, caption = await region(client, series_uid=SERIES, whole=True)
    assert "; colours converted to sRGB" in line(caption, "pixels")
    assert np.abs(found.astype(int) - full).max() <= 2, "from sRGB to sRGB"


async def test_the_profile_is_that_of_the_image_that_has_the_path(connect: Any) -> None:
    """Two stains of one level, each in an image of its own."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    full = [noise(HIGH, WIDE, seed) for seed in (1, 2)]
    plain = made(cut(full[0]), WIDE, HIGH, 1, paths=[path("A")])
    other = made(cut(full[1]), WIDE, HIGH, 2, paths=[path("B", ICCProfile=srgb + bytes(len(srgb) % 2))])
    async with connect(pacs=of_folder(plain, other)) as client:
        assert len((await answer(client, "describe_slide", series_uid=SERIES))["levels"]) == 1
        for name, pixel, colours in zip("AB", full, ("as stored", "converted to sRGB"), strict=True):
            found, caption = await region(client, series_uid=SERIES, whole=True, optical_path=name)
            assert np.abs(found.astype(int) - pixel).max() <= 2
            assert f"; colours {colours}" in line(caption, "pixels")


async def test_a_level_of_images_in_several_colour_spaces(connect: Any) -> None:
    """Parts of one image, one uncompressed, one JPEG: each is decoded as it says."""
    full = np.full((HIGH, WIDE, 3), (200, 60, 120), np.uint8)
    tiles = cut(full)
    parts = [
        made(tiles[first:end], WIDE, HIGH, nth, ConcatenationUID="1.2.9", InConcatenationNumber=nth,
             InConcatenationTotalNumber=2, ConcatenationFrameOffsetNumber=first)
        for nth, (first, end) in enumerate([(0, 5), (5, 12)], start=1)
    ]  # fmt: skip
    as_jpeg(parts[1], tiles[5:])
    async with connect(pacs=of_folder(*parts)) as client:
        found, caption = await region(client, series_uid=SERIES, whole=True)
    np.testing.assert_array_equal(found[:TILE], full[:TILE])
    assert np.abs(found.astype(int) - full).max() <= 3
    assert line(caption, "pixels").startswith(
        "RGB, YBR_FULL_422, Explicit VR Little Endian, JPEG Baseline (Process 1), lossy"
    )


def as_jpeg(image: Dataset, tiles: Any, broken: int | None = None) -> None:
    """The frames compressed by Pillow; one of them cut off."""
    packed = []
    for nth, tile in enumerate(tiles):
        file = io.BytesIO()
        Image.fromarray(tile).save(file, "JPEG", quality=95)
        packed.append(file.getvalue()[: 40 if nth == broken else None])
    image.PixelData = encapsulate(packed)
    image["PixelData"].is_undefined_length = True
    image["PixelData"].VR = "OB"
    image.PhotometricInterpretation, image.LossyImageCompression = "YBR_FULL_422", "01"
    image.file_meta.TransferSyntaxUID = JPEGBaseline8Bit


async def test_grey_and_colour_in_one_image_are_refused(connect: Any) -> None:
    """Two parts of a concatenation that cannot be one picture."""
    parts = [
        made(tiles, WIDE, HIGH, nth, ConcatenationUID="1.2.9", InConcatenationNumber=nth, InConcatenationTotalNumber=2,
             ConcatenationFrameOffsetNumber=6 * nth - 6)
        for nth, tiles in enumerate([noise(6 * TILE, TILE, samples=1).reshape(6, TILE, TILE),
                                     noise(6 * TILE, TILE).reshape(6, TILE, TILE, 3)], start=1)
    ]  # fmt: skip
    async with connect(pacs=of_folder(*parts)) as client:
        says = await refusal(client, "render_region", series_uid=SERIES, whole=True)
        found = await answer(client, "describe_slide", series_uid=SERIES, tissue=True)
        upper, _ = await region(client, series_uid=SERIES, x=0, y=0, width=WIDE, height=TILE)
    assert "tiles of several kinds" in says
    assert any(note.startswith("Tissue was not looked for: ") for note in found["notes"])
    assert upper.shape == (TILE, WIDE)


# ---- what cannot be had ----------------------------------------------------------------------------------------------


async def test_a_slide_without_the_size_of_a_pixel(connect: Any) -> None:
    full = noise(HIGH, WIDE)
    image = made(cut(full), WIDE, HIGH, spacing=None, paths=[make(OpticalPathIdentifier="0")])
    async with connect(pacs=of_folder(image)) as client:
        found = await answer(client, "describe_slide", series_uid=SERIES)
        assert "um_per_px" not in str(found["levels"])
        seen, caption = await region(client, series_uid=SERIES, whole=True)
        np.testing.assert_array_equal(seen, full)
        assert line(caption, "resolution") == "not known: the slide does not say how large a pixel is"
        for given, reason in [
            ({"unit": "mm", "x": 0, "y": 0, "width": 1, "height": 1}, "unit=mm needs the size of a pixel"),
            ({"center": [9, 9], "field_of_view_um": 5}, "field_of_view_um needs the size of a pixel"),
            ({"whole": True, "um_per_px": 1}, "um_per_px needs the size of a pixel"),
            ({"whole": True, "magnification": 5}, "magnification needs the objective power or the size of a pixel"),
            ({"whole": True, "scale_bar": True}, "scale bar"),
        ]:
            assert reason in await refusal(client, "render_region", series_uid=SERIES, **given)


async def test_a_series_of_other_images_is_led_elsewhere(connect: Any) -> None:
    async with connect(pacs=of_folder(*series(2))) as client:
        for tool, given in (("describe_slide", {}), ("render_region", {"whole": True})):
            says = await refusal(client, tool, series_uid=str(series(1)[0].SeriesInstanceUID), **given)
            assert "is no slide (CT)" in says
            assert "render_frame" in says
        assert dataset("CT_small.dcm").Modality == "CT"


async def test_a_study_without_slides(connect: Any) -> None:
    async with connect(pacs=of_folder(*series(2))) as client:
        says = await refusal(client, "describe_slide", study_uid=str(series(1)[0].StudyInstanceUID))
    assert "has no slides" in says
    assert "list_series" in says


async def test_a_label_alone_is_no_level(connect: Any) -> None:
    label = made(cut(noise(TILE, TILE)), TILE, TILE, ImageType=["ORIGINAL", "PRIMARY", "LABEL", "NONE"])
    async with connect(pacs=of_folder(label)) as client:
        found = await answer(client, "describe_slide", series_uid=SERIES)
        says = await refusal(client, "render_region", series_uid=SERIES, whole=True)
    assert not found.get("levels")
    assert [row["SOPInstanceUID"] for row in found["images"]] == [label.SOPInstanceUID]
    assert "render_frame" in says
    assert "describe_slide" in says


async def test_a_damaged_tile_is_named(connect: Any) -> None:
    """A gap would look like glass. The other tiles can still be shown."""
    tiles = cut(noise(HIGH, WIDE))
    image = made(tiles, WIDE, HIGH)
    as_jpeg(image, tiles, broken=5)
    async with connect(pacs=of_folder(image)) as client:
        says = await refusal(client, "render_region", series_uid=SERIES, whole=True)
        found, _ = await region(client, series_uid=SERIES, x=0, y=0, width=WIDE, height=TILE)
    assert f"(frame 6 of {image.SOPInstanceUID})" in says
    assert "Ask for a box without it" in says
    assert found.shape == (TILE, WIDE, 3)


# ---- the picture -----------------------------------------------------------------------------------------------------


async def test_a_scale_bar_in_a_margin_below(connect: Any) -> None:
    full = noise(10 * TILE, 12 * TILE)
    image = made(cut(full), 12 * TILE, 10 * TILE)
    async with connect(pacs=of_folder(image)) as client:
        plain, _ = await region(client, series_uid=SERIES, whole=True)
        found, caption = await region(client, series_uid=SERIES, whole=True, scale_bar=True)
    assert found.shape[0] > plain.shape[0]
    np.testing.assert_array_equal(found[: plain.shape[0]], plain)
    length, unit, drawn = re.search(
        r"a scale bar of ([\d.]+) (um|mm), (\d+) pixels long", line(caption, "picture")
    ).groups()  # type: ignore[union-attr]
    assert (unit, float(length) / 0.5) == ("um", float(drawn))
    below = found[plain.shape[0] :].astype(int)
    bar = below[8]  # a line through it: in the margin of paper a run of another colour
    assert np.count_nonzero(np.abs(bar - bar[-1]).sum(-1) > 100) == int(drawn)
    assert line(caption, "scale").endswith("pixel by pixel"), "the margin does not count"


async def test_formats_and_the_budget(connect: Any) -> None:
    """Noise is the worst that can be packed: as PNG 1.2 MB."""
    tiles = noise(100 * 64, 64).reshape(100, 64, 64, 3)
    image = made(tiles, 640, 640, Columns=64, Rows=64)
    given = {"series_uid": SERIES, "whole": True}
    async with connect(pacs=of_folder(image)) as client:
        for wanted, kind, done in [("auto", "image/jpeg", "JPEG, because PNG would take 1,2"), ("png", "image/png", "to stay within 900,000 bytes"),
                                   ("jpeg", "image/jpeg", "640 x 640 pixels, jpeg")]:  # fmt: skip
            result = await call(client, "render_region", **given, format=wanted)
            assert image_of(result).mime_type == kind
            assert len(base64.b64decode(image_of(result).data)) <= 900_000
            assert done in line(text_of(result), "picture")
        found, caption = await region(client, **given)
    across = 640 / found.shape[1]
    assert across > 1
    assert line(caption, "scale") == f"level 0 x = 0 + {across:.4g} * picture x, y = 0 + {across:.4g} * picture y"
    assert line(caption, "resolution").startswith(f"{0.5 * across:.4g} um per pixel of the picture")


async def test_boxes_of_tissue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two stained blocks on bright glass, the larger one first."""
    full = np.full((20 * TILE, 20 * TILE, 3), 240, np.uint8)
    full[30:130, 40:200] = (180, 60, 140)
    full[200:240, 240:300] = (120, 40, 160)
    image = made(cut(full), 20 * TILE, 20 * TILE)
    files = tmp_path / "files"
    files.mkdir()
    image.save_as(files / "1.dcm", enforce_file_format=True)
    async with folder(files, tmp_path / "cache", monkeypatch) as client:
        without = await answer(client, "describe_slide", series_uid=SERIES)
        found = await answer(client, "describe_slide", series_uid=SERIES, tissue=True)
        assert not without.get("tissue")
        truth = [(40, 30, 160, 100), (240, 200, 60, 40)]
        assert len(found["tissue"]) == 2
        for row, box in zip(found["tissue"], truth, strict=True):
            assert np.abs(np.subtract(row["box"], box)).max() <= 4
            assert np.allclose(row["box_mm"], np.multiply(row["box"], 0.0005), atol=0.0006)
            x, y, width, height = row["box"]
            assert (await pixels(client, SERIES, 0, (x, y, width, height))).shape[:2] == (height, width)
        assert abs(found["tissue"][0]["area_percent"] - 100 * 160 * 100 / 320**2) < 1
