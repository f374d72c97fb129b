"""preview_series over the scripted servers and over folders: the sheet, and a line for each of its tiles."""

import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from mcp import Client
from pydicom.pixels import pixel_array

from dicomweb_mcp.server import build
from dicomweb_mcp.services import tiles
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import load
from fakes.google import Google
from fakes.store import SHIPPED, Store
from tools.eras import IN_BOTH_ERAS
from tools.picture_helpers import SERVERS, Making, dataset, place_of, series, tile_lines
from tools.reading import call, image_of, refusal, shown, text_of

pytestmark = pytest.mark.anyio

DATA = Path(__file__).parent.parent / "data"
MR_ANGIO = "1.3.6.1.4.1.5962.1.1.0.0.0.1196533885.18148.0.118"
CT_BRAIN = "1.3.6.1.4.1.5962.1.1.0.0.0.1196530851.28319.0.2"


def enhanced(number: int, heights: list[float]) -> pydicom.Dataset:
    """An object with a frame at each height; all of frame k is 100 number + k."""
    one = series(1)[0]
    one.InstanceNumber, one.NumberOfFrames = number, len(heights)
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
    del one.ImagePositionPatient
    one.PerFrameFunctionalGroupsSequence = [pydicom.Dataset() for _ in heights]
    for height, group in zip(heights, one.PerFrameFunctionalGroupsSequence, strict=True):
        group.PlanePositionSequence = [pydicom.Dataset()]
        group.PlanePositionSequence[0].ImagePositionPatient = [0, 0, height]
    frames = (np.full((128, 128), 100 * number + k, np.int16) for k in range(1, len(heights) + 1))
    one.PixelData = b"".join(frame.tobytes() for frame in frames)
    return one


@asynccontextmanager
async def folder(path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    monkeypatch.setenv("DICOMWEB_MCP_CACHE", str(cache))
    app = App(load(archives=[f"mine={path}"], environment={}))
    async with Client(build(app), raise_exceptions=True) as client:
        yield client


@pytest.mark.parametrize(("kind", "making"), SERVERS)
@IN_BOTH_ERAS
async def test_each_tile_is_the_picture_of_its_slice(connect: Any, kind: str, making: Making) -> None:
    """By render_frame at the same size; 128 pixels become 256, so nothing but whole factors is between them."""
    slices = series(5)
    uid = slices[0].SeriesInstanceUID
    async with connect(pacs=(making(Store(*slices)), kind)) as client:
        result = await call(client, "preview_series", series_uid=uid, samples=3, windows=["0..600"], format="png")
        asked = {"series_uid": uid, "window": "0..600", "format": "png"}
        single = [shown(await call(client, "render_frame", slice=k, **asked)) for k in (1, 3, 5)]
    sheet = shown(result)
    places = [place_of(picture, sheet) for picture in single]
    assert None not in places
    assert places == sorted(places), "in reading order"
    lines = tile_lines(result)
    for k, line in zip((1, 3, 5), lines, strict=True):
        truth = pixel_array(slices[k - 1])
        assert f"slice {k} of 5, {10 * k}.00 mm, SOPInstanceUID 1.2.3.{k}" in line
        assert f"values {truth.min()} to {truth.max()} HU" in line
    assert "images: 5 in geometric order; 3 shown" in text_of(result)


async def test_one_stack_of_several_is_shown(connect: Any) -> None:
    slices = series(4)
    for nth, one in enumerate(slices):
        one.ImagePositionPatient, one.EchoTime = [0, 0, 10 * (nth % 2)], 30 + 30 * (nth // 2)
    uid = slices[0].SeriesInstanceUID
    async with connect(pacs=(Google(Store(*slices)), "google")) as client:
        result = await call(client, "preview_series", series_uid=uid, stack="EchoTime=60")
        says = await refusal(client, "preview_series", series_uid=uid, stack="EchoTime=45")
    assert [line.rpartition("SOPInstanceUID ")[2].partition(",")[0] for line in tile_lines(result)] == [
        "1.2.3.3",
        "1.2.3.4",
    ]
    assert "EchoTime=60" in text_of(result)
    assert "EchoTime=30" in says


async def test_other_planes_and_a_second_series(connect: Any) -> None:
    slices, others = series(4), series(4, SeriesInstanceUID="1.2.3.99")
    for k, one in enumerate(others):
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.99.{k}"
    uid = slices[0].SeriesInstanceUID
    async with connect(pacs=(Google(Store(*slices, *others)), "google")) as client:
        coronal = await call(client, "preview_series", series_uid=uid, plane="coronal", samples=2)
        pairs = await call(client, "preview_series", series_uid=uid, compare_with="1.2.3.99", samples=2)
        both = await refusal(client, "preview_series", series_uid=uid, plane="coronal", compare_with="1.2.3.99")
        none = await refusal(client, "preview_series", series_uid=uid, compare_with="1.2.3.98")
        wrong = await refusal(client, "preview_series", series_uid=uid, compare_with="series 2")
    assert "images: 128 coronal planes in geometric order; 2 shown" in text_of(coronal)
    assert all("B: +0.00 mm from A, slice" in line for line in tile_lines(pairs))
    assert shown(pairs).ndim == 2
    assert "leave plane out" in both
    assert "has no series 1.2.3.98" in none
    assert "compare_with='series 2' is not a UID" in wrong


async def test_a_tile_that_is_not_scaled_has_every_pixel(connect: Any) -> None:
    slices = series(2)
    for one in slices:
        one.Rows = one.Columns = 300
        one.PixelData = np.random.default_rng(1).integers(0, 256, (300, 300)).astype(np.int16).tobytes()
    uid = slices[0].SeriesInstanceUID
    async with connect(pacs=(Google(Store(*slices)), "google")) as client:
        result = await call(client, "preview_series", series_uid=uid, windows=["0..255"], format="png")
    assert "in native pixels" in text_of(result)
    for one in slices:
        assert place_of(pixel_array(one).astype(np.uint8), shown(result)) is not None


@pytest.mark.parametrize(("kind", "making"), SERVERS)
async def test_only_what_is_shown_is_asked_for(connect: Any, kind: str, making: Making) -> None:
    fake = making(Store(*series(20)))
    study, uid = series(1)[0].StudyInstanceUID, series(1)[0].SeriesInstanceUID
    async with connect(pacs=(fake, kind)) as client:
        await call(client, "preview_series", study_uid=study, series_uid=uid, samples=4, windows=["lung", "bone"])
    of_instances = [path for path in fake.paths if "/instances/" in path]
    assert sum(path.endswith("/metadata") for path in of_instances) == 4
    assert sum("/frames/" in path for path in of_instances) == 4, "one for both windows"
    assert len(of_instances) == 8


@pytest.mark.parametrize(("kind", "making"), SERVERS)
async def test_frames_of_one_instance_come_in_one_request(connect: Any, kind: str, making: Making) -> None:
    cine = dataset("examples_ybr_color.dcm")
    cine.FrameTime = 100
    truth = pixel_array(cine)
    fake = making(Store(cine))
    async with connect(pacs=(fake, kind)) as client:
        result = await call(client, "preview_series", series_uid=cine.SeriesInstanceUID, samples=4, format="png")
        single = await call(client, "render_frame", instance_uid=cine.SOPInstanceUID, frame=30, format="png")
    assert sum("/frames/" in path and "rendered" not in path for path in fake.paths) == 1, (
        "the single one was on the sheet"
    )
    assert any(path.endswith("/frames/1,11,20,30") for path in fake.paths)
    lines = tile_lines(result)
    assert [re.search(r"frame (\d+) of 30, ([\d.]+) s", line).groups() for line in lines] == [  # type: ignore[union-attr]
        ("1", "0.00"), ("11", "1.00"), ("20", "1.90"), ("30", "2.90"),
    ]  # fmt: skip
    assert "images: 30 in the order of frames; 4 shown" in text_of(result)
    assert f"SOPInstanceUID: {cine.SOPInstanceUID}" in text_of(result)
    assert shown(result).shape[2] == 3
    assert truth.shape[1:3] == (240, 320)
    assert place_of(shown(single), shown(result)) is not None, "320 pixels are neither shrunk nor enlarged"


@pytest.mark.parametrize(("kind", "making"), SERVERS)
async def test_frames_of_several_instances_are_each_their_own(connect: Any, kind: str, making: Making) -> None:
    """Two objects that lie in each other: the first holds the first and the last slice, the second some between."""
    outer, inner = (enhanced(1, [float(k) for k in range(10)]), enhanced(2, [k + 0.5 for k in range(9)]))
    fake = making(Store(outer, inner))
    async with connect(pacs=(fake, kind)) as client:
        result = await call(client, "preview_series", series_uid=outer.SeriesInstanceUID, slices=[1, 2, 3, 18, 19])
    expected = [(0.0, 1, 1), (0.5, 2, 1), (1.0, 1, 2), (8.5, 2, 9), (9.0, 1, 10)]
    for (where, number, frame), line in zip(expected, tile_lines(result), strict=True):
        assert (
            f" of 19, {where:.2f} mm, SOPInstanceUID 1.2.3.{number}, frame {frame} of {(10, 9)[number - 1]}, " in line
        )
        assert f"values {100 * number + frame} to {100 * number + frame}" in line
        assert "the middle one" not in line
    assert sum(path.endswith("/metadata") for path in fake.paths) == 1, "of the series, and of no instance once more"


async def test_frames_are_asked_for_in_their_order_and_shown_in_the_given_one(connect: Any) -> None:
    """A server may sort a list of frames, and its answer does not number them."""
    cine = dataset("examples_ybr_color.dcm")
    uid = cine.SeriesInstanceUID
    fake = Google(Store(cine))
    async with connect(pacs=(fake, "google")) as client:
        sheet = shown(await call(client, "preview_series", series_uid=uid, slices=[30, 1, 15], format="png"))
        places = [
            place_of(shown(await call(client, "render_frame", series_uid=uid, frame=frame, format="png")), sheet)
            for frame in (30, 1, 15)
        ]
    assert any(path.endswith("/frames/1,15,30") for path in fake.paths)
    assert None not in places
    assert places == sorted(places)


async def test_large_frames_come_a_few_at_a_time(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cine = dataset("examples_ybr_color.dcm")
    monkeypatch.setattr(tiles, "BATCH_BYTES", 2 * 320 * 240 * 2)  # YBR_FULL_422: two bytes a pixel
    fake = Google(Store(cine))
    async with connect(pacs=(fake, "google")) as client:
        result = await call(client, "preview_series", series_uid=cine.SeriesInstanceUID, samples=4)
    asked = [path.rpartition("/")[2] for path in fake.paths if "/frames/" in path]
    assert asked == ["1,11", "20,30"]
    assert not any("not shown" in line for line in tile_lines(result))


async def test_few_frames_are_decoded_at_once_however_many_are_read(
    connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a frame takes while it is rendered is many times its bytes."""
    running, most = 0, 0
    render = tiles.Renderer.render

    async def counted(*given: Any, **asked: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            return await render(*given, **asked)
        finally:
            running -= 1

    monkeypatch.setattr(tiles.Renderer, "render", counted)
    monkeypatch.setattr(tiles, "DECODED_AT_ONCE", 2)
    instances = [enhanced(number, [number / 10 + k for k in range(6)]) for number in range(1, 7)]
    async with connect(pacs=(Google(Store(*instances)), "google")) as client:
        result = await call(client, "preview_series", series_uid=instances[0].SeriesInstanceUID, samples=36)
    assert len(tile_lines(result)) == 36
    assert most == 2


async def test_given_slices_in_several_windows(connect: Any) -> None:
    slices = series(6)
    uid = slices[0].SeriesInstanceUID
    windows = ["0..400", "auto", "400..800"]
    async with connect(pacs=(Google(Store(*slices)), "google")) as client:
        result = await call(client, "preview_series", series_uid=uid, slices=[5, 2], windows=windows, size=1568,
                            format="png")  # fmt: skip
        sheet = shown(result)
        for k in (5, 2):
            single = [
                shown(await call(client, "render_frame", series_uid=uid, slice=k, window=window, format="png"))
                for window in windows
            ]
            if k == 5:
                assert (single[0] == 255).all()
            places = [place_of(picture, sheet) for picture in single if len(np.unique(picture)) > 1]
            assert None not in places
            assert len({place[0] for place in places if place}) == 1, "side by side"
            assert places == sorted(places)
        five, two = tile_lines(result)
        assert five.startswith("row 1, columns 1 to 3: slice 5 of 6, 50.00 mm")
        assert two.startswith("row 1, columns 4 to 6: slice 2 of 6, 20.00 mm")
        says = await refusal(client, "preview_series", series_uid=uid, slices=[1, 7])
        assert "There is no slice 7: slices are numbers from 1 to 6" in says


async def test_windows_of_the_files_that_differ_are_said(connect: Any) -> None:
    slices = series(3)
    for one, center in zip(slices, (100, 200, 300), strict=True):
        one.WindowCenter, one.WindowWidth = center, 101
    uid = slices[0].SeriesInstanceUID
    async with connect(pacs=(Google(Store(*slices)), "google")) as client:
        differ = await call(client, "preview_series", series_uid=uid)
        same = await call(client, "preview_series", series_uid=uid, windows=["50,101"])
    assert "window: each tile its own, said in its line" in text_of(differ)
    for line, center in zip(tile_lines(differ), (100, 200, 300), strict=True):
        assert f"window {center}/101 of the file: {center - 50.5:g} is black, {center + 49.5:g} is white" in line
    assert "window: window 50/101 as given: -0.5 is black, 99.5 is white" in text_of(same)
    assert not any("window" in line for line in tile_lines(same))


async def test_images_without_a_window_share_one(connect: Any) -> None:
    """The same grey means the same in all tiles; in a picture of its own each has its own percentiles."""
    slices = series(3)
    for one in slices:
        one.Modality = "MR"  # which has no customary window
    slices[1].PixelData = np.full((128, 128), 200, np.int16).tobytes()  # nothing but one value: not a tenth of white
    uid = slices[0].SeriesInstanceUID
    ends = [np.percentile(pixel_array(one), [1, 99], method="inverted_cdf") for one in (slices[0], slices[2])]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    async with connect(pacs=(Google(Store(*slices)), "google")) as client:
        result = await call(client, "preview_series", series_uid=uid, format="png")
        given = await call(client, "preview_series", series_uid=uid, windows=[f"{low}..{high}"], format="png")
        single = await call(client, "render_frame", series_uid=uid, slice=1)
    words = "window: all in one, because the files have none of their own: lowest 1st to highest 99th percentile"
    assert f"{words} of these images: {low:g} is black, {high:g} is white" in text_of(result)
    assert not any("is black" in line for line in tile_lines(result)[::2])
    assert (shown(result)[:, :300] == shown(given)[:, :300]).all()
    assert "1st to 99th percentile of this frame" in text_of(single)


async def test_lookup_tables_are_fetched_once_for_all_frames(connect: Any) -> None:
    palette = dataset("examples_palette.dcm")
    palette.NumberOfFrames = 3
    palette.PixelData = palette.PixelData[: palette.Rows * palette.Columns] * 3
    fake = Google(Store(palette))
    async with connect(pacs=(fake, "google")) as client:
        result = await call(client, "preview_series", series_uid=palette.SeriesInstanceUID)
    assert not any("not shown" in line for line in tile_lines(result))
    assert sum("bulkdata" in path for path in fake.paths) == 3, "red, green and blue"


@pytest.mark.parametrize(("kind", "making"), SERVERS)
async def test_a_tile_that_cannot_be_decoded_is_empty_and_says_why(connect: Any, kind: str, making: Making) -> None:
    slices = series(4)
    slices[2].PixelData = slices[2].PixelData[:1000]
    uid = slices[0].SeriesInstanceUID
    async with connect(pacs=(making(Store(*slices)), kind)) as client:
        result = await call(client, "preview_series", series_uid=uid)
    lines = tile_lines(result)
    assert len(lines) == 4
    assert ["not shown: " in line for line in lines] == [False, False, True, False]
    assert "slice 3 of 4, 30.00 mm, SOPInstanceUID 1.2.3.3, not shown: " in lines[2]


async def test_a_window_that_one_kind_of_pixels_cannot_have(connect: Any) -> None:
    slices = series(2, Modality="MR", RescaleType="US")
    uid = slices[0].SeriesInstanceUID
    async with connect(pacs=(Google(Store(*slices)), "google")) as client:
        result = await call(client, "preview_series", series_uid=uid, windows=["auto", "lung"])
        assert all("lung: not shown: The preset lung is for CT" in line for line in tile_lines(result))
        assert "The preset lung is for CT" in await refusal(client, "preview_series", series_uid=uid, windows=["lung"])


async def test_what_ends_the_asking_ends_it_for_all(connect: Any) -> None:
    slices = series(30)
    fake = Google(Store(*slices))
    async with connect(pacs=(fake, "google")) as client:
        fake.fail(403, times=100, only="/metadata")
        says = await refusal(client, "preview_series", series_uid=slices[0].SeriesInstanceUID, samples=30)
    assert "403" in says or "permission" in says
    assert sum(path.endswith("/metadata") for path in fake.paths) <= 12, "nobody goes on asking"


async def test_an_image_too_large_to_show_does_not_make_the_others_small(connect: Any) -> None:
    slices = series(3)
    slices[1].Rows = slices[1].Columns = 65535
    async with connect(pacs=(Google(Store(*slices)), "google")) as client:
        result = await call(client, "preview_series", series_uid=slices[0].SeriesInstanceUID)
    assert "all enlarged 2 times" in text_of(result)
    assert ["not shown: " in line for line in tile_lines(result)] == [False, True, False]


async def test_a_failing_image_fails_alone(connect: Any) -> None:
    fake = Google(Store(*series(4)))
    async with connect(pacs=(fake, "google")) as client:
        fake.fail(404, times=10, only="1.2.3.2/frames")
        fake.fail(404, times=10, only="1.2.3.4/metadata")
        result = await call(client, "preview_series", series_uid=series(1)[0].SeriesInstanceUID)
    assert ["not shown: " in line for line in tile_lines(result)] == [False, True, False, True]


async def test_frames_that_are_not_given_together_are_asked_for_one_by_one(connect: Any) -> None:
    cine = dataset("examples_ybr_color.dcm")
    fake = Google(Store(cine))
    async with connect(pacs=(fake, "google")) as client:
        fake.fail(400, times=10, only="/frames/1,16,30")
        result = await call(client, "preview_series", series_uid=cine.SeriesInstanceUID, samples=3)
    assert not any("not shown" in line for line in tile_lines(result))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("test-SR.dcm", "structured report) have no pixels to show: describe_object reads them"),
        ("rtplan.dcm", "RT plan) have no pixels to show: describe_object reads them"),
    ],
)
async def test_what_is_no_series_of_images(connect: Any, name: str, says: str) -> None:
    async with connect(pacs=(Google(Store.shipped(name)), "google")) as client:
        assert says in await refusal(client, "preview_series", series_uid=dataset(name).SeriesInstanceUID)


async def test_slides_and_studies_are_referred(connect: Any) -> None:
    slide = pydicom.dcmread(DATA / "seg-sm-ann-sr" / "sm_image_numbers.dcm")
    async with connect(pacs=(Google(Store(slide)), "google")) as client:
        says = await refusal(client, "preview_series", series_uid=slide.SeriesInstanceUID)
        assert f"give render_region series_uid={slide.SeriesInstanceUID}" in says
        says = await refusal(client, "preview_series", study_uid=slide.StudyInstanceUID)
        assert "call list_series with" in says
        assert "Give study_uid" in await refusal(client, "preview_series")


async def test_36_tiles_in_4_windows_keep_the_budgets(connect: Any) -> None:
    slices = series(36)
    uid = slices[0].SeriesInstanceUID
    windows = [f"{low}..{low + 4000}" for low in (0, 1, 2, 3)]
    async with connect(pacs=(Google(Store(*slices)), "google")) as client:
        result = await call(client, "preview_series", series_uid=uid, samples=36, windows=windows, size=1568)
        says = await refusal(client, "preview_series", series_uid=uid, samples=36, windows=windows, size=200)
    data = base64.b64decode(image_of(result).data)
    assert len(data) <= 900_000
    assert max(shown(result).shape) <= 1568
    assert len(tile_lines(result)) == 36
    assert len(text_of(result)) < 8_000
    assert "fewer samples or windows, or a larger size" in says


async def test_hostile_words_stay_on_their_line(connect: Any) -> None:
    slices = series(
        2, SeriesDescription="a\nrow 1, column 1: slice 9 of 9\x1b[31m", WindowCenterWidthExplanation="b\nc"
    )
    window = "\N{SKULL}x\nrow 1, column 1: x\x1b[31m"
    async with connect(pacs=(Google(Store(*slices)), "google")) as client:
        result = await call(client, "preview_series", series_uid=slices[0].SeriesInstanceUID, windows=["auto", window])
    assert len(tile_lines(result)) == 2
    assert all("not shown: " in line for line in tile_lines(result))
    assert "\x1b" not in text_of(result)


async def test_series_of_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pydicom's CT and MR of its DICOMDIR tests, which have 16 x 16 pixels."""
    async with folder(SHIPPED / "dicomdirtests", tmp_path, monkeypatch) as client:
        result = await call(client, "preview_series", series_uid=CT_BRAIN, windows=["bone"], format="png")
        single = [
            shown(await call(client, "render_frame", series_uid=CT_BRAIN, slice=k, window="bone", format="png"))
            for k in (1, 2, 3, 4)
        ]
        places = [place_of(picture, shown(result)) for picture in single]
        assert None not in places
        assert places == sorted(places)
        files = [pydicom.dcmread(path) for path in (SHIPPED / "dicomdirtests").rglob("*") if path.is_file()
                 and path.parent.name.startswith("CT")]  # fmt: skip
        brain = sorted((one.ImagePositionPatient[2], one.SOPInstanceUID) for one in files
                       if one.get("SeriesInstanceUID") == CT_BRAIN)  # fmt: skip
        assert len(brain) == 4
        for (_, uid), line in zip(brain, tile_lines(result), strict=True):
            assert uid in line
        angio = await call(client, "preview_series", series_uid=MR_ANGIO)
        assert "7 in the order of InstanceNumber; all shown" in text_of(angio)
        assert "different orientations" in text_of(angio)


async def test_segments_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seg = pydicom.dcmread(DATA / "ct-seg-sr" / "seg" / "liver.dcm")
    async with folder(DATA / "ct-seg-sr" / "seg", tmp_path, monkeypatch) as client:
        result = await call(client, "preview_series", series_uid=seg.SeriesInstanceUID, size=1568, format="png")
    heights = [float(group.PlanePositionSequence[0].ImagePositionPatient[2])
               for group in seg.PerFrameFunctionalGroupsSequence]  # fmt: skip
    assert f"{len(heights)} in geometric order; all shown" in text_of(result)
    assert all("segment 1 Liver" in line for line in tile_lines(result))
    for frame in pixel_array(seg):
        assert place_of(frame * np.uint8(255), shown(result)) is not None
