"""Slides, whose frames are tiles, and videos, which have no frames one by one: what render_frame and preview_series
make of them."""

from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom._uid_dict import UID_dictionary
from pydicom.data import get_testdata_file

from dicomweb_mcp.dicom.video import is_video
from dicomweb_mcp.pixels.decode import decode
from dicomweb_mcp.pixels.description import PixelDescription
from dicomweb_mcp.pixels.problems import Undecodable
from fakes.dcm4chee import Dcm4chee
from fakes.google import Google
from fakes.store import Store
from tools.reading import answer, call, refusal, text_of

pytestmark = pytest.mark.anyio

SLIDE = Path(__file__).parent.parent / "data" / "seg-sm-ann-sr" / "sm_image_numbers.dcm"
SYNTAXES = {uid: entry[0] for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"}
VIDEOS = {
    uid: name
    for uid, name in SYNTAXES.items()
    if any(word in name for word in ("MPEG2", "MPEG-4", "HEVC", "Active Video"))
}


def image(number: int, flavor: str, across: int, down: int) -> pydicom.Dataset:
    """One of a series: ``across`` x ``down`` tiles, of which only the first is there."""
    one = pydicom.dcmread(SLIDE)
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
    one.InstanceNumber, one.ImageType = number, ["ORIGINAL", "PRIMARY", flavor, "NONE"]
    one.TotalPixelMatrixColumns, one.TotalPixelMatrixRows = across * one.Columns - 1, down * one.Rows
    one.NumberOfFrames = 1
    one.PixelData = one.PixelData[: one.Rows * one.Columns * 3]
    for keyword in ("PerFrameFunctionalGroupsSequence", "DimensionIndexSequence"):
        if keyword in one:
            del one[keyword]
    return one


@pytest.mark.parametrize(("making", "kind"), [(Google, "google"), (Dcm4chee, "dcm4chee")])
async def test_a_slide_is_shown_at_a_glance_and_not_by_the_middle_of_its_files(
    connect: Any, making: Any, kind: str
) -> None:
    images = [
        image(1, "VOLUME", 40, 30),
        image(2, "OVERVIEW", 1, 1),
        image(3, "VOLUME", 1, 1),
        image(4, "LABEL", 1, 1),
        image(5, "VOLUME", 4, 3),
    ]
    uid = images[0].SeriesInstanceUID
    fake = making(Store(*images))
    async with connect(pacs=(fake, kind)) as client:
        text = text_of(await call(client, "render_frame", series_uid=uid))
        asked = [path for path in fake.paths if path.endswith("/metadata")]
        tile = text_of(await call(client, "render_frame", instance_uid="1.2.3.5"))
        found = await answer(client, "describe_slide", series_uid=uid)
    assert "SOPInstanceUID: 1.2.3.3\n" in text
    assert "slice: the one of 5 images of a slide that shows most of it in one frame (VOLUME)\n" in text
    assert "middle" not in text
    assert "note: This is the whole of an image of" in text
    assert "describe_slide with series_uid names the levels, label and overview of the slide" in text
    assert "render_region shows any box" in text
    assert "note: This is one tile of an image of" in tile
    named = {row["SOPInstanceUID"] for row in [*found["levels"], *found["images"]]}
    assert named == {f"1.2.3.{number}" for number in range(1, 6)}
    if kind == "google":  # its search says what they are: the long metadata of a slide are not fetched for all
        assert [path.split("/")[-2] for path in asked] == ["1.2.3.3"]


async def test_a_preview_of_a_slide_names_the_ways_to_look_at_it(connect: Any) -> None:
    slide = pydicom.dcmread(SLIDE)
    async with connect(pacs=(Google(Store(slide)), "google")) as client:
        says = await refusal(client, "preview_series", series_uid=slide.SeriesInstanceUID)
    assert f"give render_region series_uid={slide.SeriesInstanceUID} and whole=true" in says
    assert "describe_slide with series_uid" in says


def test_what_is_a_video() -> None:
    assert len(VIDEOS) == 18
    assert {uid for uid in SYNTAXES if is_video(uid)} == set(VIDEOS)


def video(syntax: str) -> pydicom.Dataset:
    one = pydicom.dcmread(get_testdata_file("examples_ybr_color.dcm"))
    one.PixelData = pydicom.encaps.encapsulate([b"\0\0\1\xb3 a stream"])
    one["PixelData"].VR = "OB"
    one.file_meta.TransferSyntaxUID = syntax
    return one


@pytest.mark.parametrize("syntax", VIDEOS)
async def test_a_video_is_described_and_not_guessed_at(connect: Any, syntax: str) -> None:
    one = video(syntax)
    fake = Google(Store(one))
    async with connect(pacs=(fake, "google")) as client:
        for tool in ("render_frame", "preview_series"):
            says = await refusal(client, tool, series_uid=one.SeriesInstanceUID)
            assert f"It is a video ({VIDEOS[syntax]})" in says
            assert "get_metadata with fields=" in says
        found = await answer(client, "get_metadata", series_uid=one.SeriesInstanceUID, fields=["NumberOfFrames"])
    assert found["constant"]["NumberOfFrames"] == 30
    assert not any("/frames/" in path for path in fake.paths), "no stream is fetched in vain"


def test_a_video_whose_metadata_do_not_say_so_is_known_by_its_frame() -> None:
    one = video("1.2.840.10008.1.2.4.102")
    description = PixelDescription.of(one.to_json_dict(), "1.2.840.10008.1.2.4.102")
    with pytest.raises(Undecodable, match="It is a video"):
        decode(b"\0\0\1", description)
