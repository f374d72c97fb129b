"""Large colour images: the archive's own small picture instead of a large frame, where that loses nothing."""

import io
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image, ImageCms
from pydicom.data import get_testdata_file

from dicomweb_mcp.archives.profiles import PROFILES
from fakes.dcm4chee import Dcm4chee
from fakes.google import IDC_BASE, Google
from fakes.store import Store
from tools.reading import call, shown, text_of

pytestmark = pytest.mark.anyio


def photograph(rows: int = 2000, columns: int = 4096, **attributes: Any) -> pydicom.Dataset:
    """Left half red, right half blue, 24.6 MB."""
    one = pydicom.dcmread(get_testdata_file("SC_rgb_small_odd.dcm"))
    pixels = np.zeros((rows, columns, 3), np.uint8)
    pixels[:, : columns // 2, 0] = pixels[:, columns // 2 :, 2] = 200
    one.Rows, one.Columns, one.PlanarConfiguration, one.PixelData = rows, columns, 0, pixels.tobytes()
    for keyword, value in attributes.items():
        setattr(one, keyword, value)
    return one


def asked(fake: Any, end: str) -> list[str]:
    return [path for path in fake.paths if path.endswith(end)]


async def test_a_large_colour_image_is_rendered_by_the_archive(connect: Any) -> None:
    one = photograph()
    fake = Google(Store(one), IDC_BASE, idc=True)
    async with connect(pacs=(fake, "idc")) as client:
        result = await call(client, "render_frame", instance_uid=one.SOPInstanceUID, size=512)
    picture, text = shown(result), text_of(result)
    assert len(asked(fake, "/frames/1/rendered")) == 1
    assert not asked(fake, "/frames/1")
    assert picture.shape == (250, 512, 3)
    assert picture[100, 100].tolist() == [200, 0, 0]
    assert picture[100, 400].tolist() == [0, 0, 200]
    assert "window: none, colour as the archive made it\n" in text
    assert "native size: 4096 x 2000 pixels" in text
    assert "scale: native x = 8 * picture x, native y = 8 * picture y\n" in text
    assert (
        "rendered by: the archive at 512 x 250 pixels, because the stored frame is large (25 MB uncompressed)" in text
    )


async def test_a_profile_of_colours_may_not_have_been_applied(connect: Any) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    one = photograph(ICCProfile=profile + bytes(len(profile) % 2))
    async with connect(pacs=(Google(Store(one)), "google")) as client:
        text = text_of(await call(client, "render_frame", instance_uid=one.SOPInstanceUID, size=512))
    assert "colour as the archive made it; whether it applied the ICC profile of the file is not known\n" in text


@pytest.mark.parametrize(
    ("making", "kind", "attributes", "arguments"),
    [
        (Google, "google", {"rows": 1900}, {}),  # 23.3 MB
        (Google, "google", {}, {"region": [0, 0, 100, 100]}),
        (Google, "google", {}, {"probe": [[0, 0]]}),
        (Google, "google", {}, {"statistics": [0, 0, 5, 5]}),
        (Google, "google", {"rows": 2731, "columns": 3000}, {"size": 1568}),  # not much smaller
        (Dcm4chee, "dcm4chee", {}, {}),  # nearest neighbour
    ],
)
async def test_else_the_stored_frame_is_read(
    connect: Any, making: Any, kind: str, attributes: dict[str, int], arguments: dict[str, Any]
) -> None:
    one = photograph(**attributes)
    fake = making(Store(one))
    async with connect(pacs=(fake, kind)) as client:
        text = text_of(
            await call(client, "render_frame", instance_uid=one.SOPInstanceUID, **{"size": 512, **arguments})
        )
    assert "rendered by: this program, from the stored frame" in text
    assert not asked(fake, "/rendered")


def test_colour_is_left_only_to_archives_that_shrink_it_well() -> None:
    """Orthanc confuses the colours of JPEG 2000, dcm4chee takes the nearest pixel, others are unknown."""
    assert {kind for kind, row in PROFILES.items() if row.renders_colour} == {"google", "idc", "idc-google"}


async def test_grey_is_never_left_to_the_archives_window(connect: Any) -> None:
    one = photograph(columns=6144, SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2")
    one.BitsAllocated, one.BitsStored, one.HighBit = 16, 12, 11
    one.PixelData = np.full((2000, 6144), 1000, np.uint16).tobytes()
    del one.PlanarConfiguration
    fake = Google(Store(one))
    async with connect(pacs=(fake, "google")) as client:
        text = text_of(await call(client, "render_frame", instance_uid=one.SOPInstanceUID, size=512))
    assert "rendered by: this program" in text
    assert not asked(fake, "/rendered")


async def test_an_archive_that_cannot_render_it_gives_the_stored_frame(connect: Any) -> None:
    one = photograph()
    fake = Google(Store(one))
    async with connect(pacs=(fake, "google")) as client:
        fake.fail(406, times=10, only="/rendered")
        result = await call(client, "render_frame", instance_uid=one.SOPInstanceUID, size=512)
    assert "rendered by: this program, from the stored frame" in text_of(result)
    assert shown(result)[100, 100].tolist() == [200, 0, 0]


async def test_an_archive_whose_quota_is_used_up_is_not_asked_for_more(connect: Any) -> None:
    one = photograph()
    fake = Google(Store(one), IDC_BASE, idc=True)

    def running_out(request: httpx.Request) -> httpx.Response:
        fake.quota_used = request.url.path.endswith("/rendered")
        return fake(request)

    async with connect(pacs=(running_out, "idc")) as client:
        result = await call(client, "render_frame", instance_uid=one.SOPInstanceUID, size=512)
    assert result.is_error
    assert "429" in text_of(result)
    assert len(asked(fake, "/rendered")) == 1
    assert not asked(fake, "/frames/1")


class Square:
    """Renders with square pixels of its own accord, as dcm4chee does, or not, padding to the viewport as Orthanc does."""

    def __init__(self, fake: Google, is_square: bool) -> None:
        self.fake, self.is_square = fake, is_square

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/rendered"):
            return self.fake(request)
        width, height = map(int, request.url.params["viewport"].split(","))
        native = (4096, 4000 if self.is_square else 2000)
        scale = min(width / native[0], height / native[1])
        image = Image.new("RGB", (round(native[0] * scale), round(native[1] * scale)), "white")
        if not self.is_square:
            padded = Image.new("RGB", (width, height))
            padded.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
            image = padded
        body = io.BytesIO()
        image.save(body, "PNG")
        return httpx.Response(200, content=body.getvalue(), headers={"Content-Type": "image/png"})


@pytest.mark.parametrize("is_square", [True, False])
async def test_pixels_that_are_not_square_are_shown_square_and_without_bars(connect: Any, is_square: bool) -> None:
    """4096 x 2000 pixels, twice as high as wide, are a picture of 4096 to 4000."""
    one = photograph(PixelAspectRatio=[2, 1])
    del one.PixelSpacing  # which would count before
    async with connect(pacs=(Square(Google(Store(one)), is_square), "google")) as client:
        result = await call(client, "render_frame", instance_uid=one.SOPInstanceUID, size=512)
    picture = shown(result)
    assert picture.shape[1] / picture.shape[0] == pytest.approx(4096 / 4000, rel=0.01)
    assert (picture == 255).all(), "no black bars"
    height = picture.shape[0]
    assert f"native y = {2000 / height:.4g} * picture y" in text_of(result)
