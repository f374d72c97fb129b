"""Slides of web archives: what is asked for a region, what is not, and what is not asked for again."""

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset

from dicomweb_mcp.services.slides.reading import FIELDS
from fakes import google_attributes
from fakes.base import Fake
from fakes.dcm4chee import Dcm4chee
from fakes.google import IDC_BASE, Google
from fakes.google_attributes import RETURNED
from fakes.store import Store
from segmentations import make
from tools.reading import answer, refusal
from tools.slides import (
    CAMELYON,
    SERIES,
    SPARSE,
    TILE,
    cut,
    datasets,
    made,
    noise,
    pixels,
    region,
    series_of,
    tiles_fetched,
)

pytestmark = pytest.mark.anyio

Making = Callable[[Store], Fake]
GOOGLES = [
    pytest.param("google", lambda store: Google(store), id="google"),
    pytest.param("idc", lambda store: Google(store, IDC_BASE, idc=True), id="idc"),
]
SERVERS = [*GOOGLES, pytest.param("dcm4chee", lambda store: Dcm4chee(store), id="dcm4chee")]
BOX = {"level": 0, "x": 100, "y": 100, "width": 400, "height": 300}


def asked(fake: Fake, end: str) -> list[str]:
    return [path for path in fake.paths if re.search(end, path)]


@pytest.mark.parametrize(("kind", "making"), SERVERS)
async def test_one_request_brings_the_tiles_of_a_box(connect: Any, kind: str, making: Making) -> None:
    fake = making(Store(*datasets(CAMELYON)))
    async with connect(pacs=(fake, kind)) as client:
        _, caption = await region(client, series_uid=series_of(CAMELYON), **BOX)
    assert [path.rpartition("/")[2] for path in asked(fake, "/frames/")] == ["1,2,6,7"]
    assert tiles_fetched(caption) == (4, 4)


@pytest.mark.parametrize(("kind", "making"), SERVERS)
async def test_panning_asks_for_the_new_tiles_alone(connect: Any, kind: str, making: Making) -> None:
    fake = making(Store(*datasets(CAMELYON)))
    async with connect(pacs=(fake, kind)) as client:
        whole = await pixels(client, series_of(CAMELYON), 0, (0, 0, 768, 512))
        before = len(fake.requests)
        again, caption = await region(client, series_uid=series_of(CAMELYON), **BOX)
        assert tiles_fetched(caption) == (4, 0)
        assert len(fake.requests) == before, "neither tiles nor metadata"
        box = {**BOX, "x": 512 + 100}
        _, caption = await region(client, series_uid=series_of(CAMELYON), **box)
    assert tiles_fetched(caption) == (4, 2)
    assert [path.rpartition("/")[2] for path in fake.paths[before:]] == ["4,9"]
    np.testing.assert_array_equal(again, whole[100:400, 100:500])


@pytest.mark.parametrize(("kind", "making"), GOOGLES)
async def test_no_metadata_of_tiles_that_lie_in_their_order(connect: Any, kind: str, making: Making) -> None:
    """The search says all that is needed, without the per-frame groups, which it is not asked for."""
    fake = making(Store(*datasets(CAMELYON)))
    async with connect(pacs=(fake, kind)) as client:
        found = await answer(client, "describe_slide", series_uid=series_of(CAMELYON))
        await region(client, series_uid=series_of(CAMELYON), whole=True)
    assert len(found["levels"]) == 4
    assert not asked(fake, "/metadata$")
    assert not any("PerFrame" in one.raw_query or "5200,9230" in one.raw_query for one in fake.requests)
    (listing,) = [one for one in fake.requests if re.search("/series/.*/instances$", one.path)]
    named = {name for value in listing.all("includefield") for name in value.split(",")}
    assert set(FIELDS) <= {*named, *RETURNED["instance"]}


@pytest.mark.parametrize(("kind", "making"), GOOGLES)
async def test_metadata_of_instances_whose_tiles_are_listed(connect: Any, kind: str, making: Making) -> None:
    """A label of one frame and a level in order stand beside it."""
    (sparse,) = datasets(SPARSE)
    beside = datasets(CAMELYON)[1]  # 144 x 88
    beside.StudyInstanceUID, beside.SeriesInstanceUID = sparse.StudyInstanceUID, sparse.SeriesInstanceUID
    fake = making(Store(sparse, beside))
    async with connect(pacs=(fake, kind)) as client:
        found = await answer(client, "describe_slide", series_uid=sparse.SeriesInstanceUID)
        await region(client, series_uid=sparse.SeriesInstanceUID, **BOX)
    assert [row["columns"] for row in found["levels"]] == [1152, 144]
    assert [path.split("/")[-2] for path in asked(fake, "/metadata$")] == [sparse.SOPInstanceUID]


async def test_a_search_says_what_the_metadata_say(connect: Any) -> None:
    """Over Google by search, over dcm4chee by metadata: one table, but for the transfer syntax, which Google's searches
    do not name."""
    for folder in (CAMELYON, SPARSE):
        fakes = {
            "one": (Google(Store(*datasets(folder))), "google"),
            "other": (Dcm4chee(Store(*datasets(folder))), "dcm4chee"),
        }
        async with connect(**fakes) as client:
            one, other = [
                await answer(client, "describe_slide", archive=name, series_uid=series_of(folder)) for name in fakes
            ]
        assert (one.pop("archive"), other.pop("archive")) == ("one", "other")
        found = other["facts"].get("of_every_level") or other["levels"][0]
        if folder is CAMELYON:
            assert found.pop("transfer_syntax") == "JPEG Baseline (Process 1)"
        assert one == other


# ---- what goes wrong -------------------------------------------------------------------------------------------------


def small(**more: Any) -> Dataset:
    return made(cut(noise(3 * TILE, 4 * TILE)), 4 * TILE, 3 * TILE, **more)


async def test_tiles_that_are_gone_are_told(connect: Any) -> None:
    fake = Google(Store(small()))
    fake.fail(404, times=20, only="/frames/")
    async with connect(pacs=(fake, "google")) as client:
        says = await refusal(client, "render_region", series_uid=SERIES, whole=True)
    uid = small().SOPInstanceUID
    assert says.startswith(f"Archive pacs: does not have all of the tiles that it lists (frames 1-12 of {uid})")
    assert "another level" in says
    assert "http" not in says


async def test_what_failed_is_asked_for_again(connect: Any) -> None:
    """A tile that came damaged is not remembered."""
    image = datasets(CAMELYON)[1]
    fake = Google(Store(image))

    def damaged(one: Any) -> Any:
        frames = [
            ([f"Content-Type: image/jpeg; transfer-syntax={image.file_meta.TransferSyntaxUID}"], b"\xff\xd8rubbish")
        ]
        return fake._multipart(frames, "image/jpeg", str(image.file_meta.TransferSyntaxUID))

    fake.fail(damaged, only="/frames/")
    async with connect(pacs=(fake, "google")) as client:
        says = await refusal(client, "render_region", series_uid=image.SeriesInstanceUID, whole=True)
        assert f"frame 1 of {image.SOPInstanceUID}" in says
        found, _ = await region(client, series_uid=image.SeriesInstanceUID, whole=True)
    assert found.shape == (88, 144, 3)


async def test_an_optical_path_with_its_profile_elsewhere(connect: Any) -> None:
    """The profile comes as bulk data; where it cannot be had, the picture does without, and says so."""
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    light = make(OpticalPathIdentifier="0", ICCProfile=profile + bytes(len(profile) % 2))
    fake = Google(Store(small(paths=[light])))
    async with connect(pacs=(fake, "google")) as client:
        _, caption = await region(client, series_uid=SERIES, whole=True)
        assert len(asked(fake, "/bulkdata/")) == 1
        assert "sRGB" in caption
    fake = Google(Store(small(paths=[light])))
    fake.fail(404, only="/bulkdata/", times=9)
    async with connect(pacs=(fake, "google")) as client:
        _, caption = await region(client, series_uid=SERIES, whole=True)
        assert "profile" in caption.partition("note:")[2]


async def test_a_study_lists_its_slides(connect: Any) -> None:
    one, other = small(), small(number=2)
    other.SeriesInstanceUID, other.ContainerIdentifier, other.SeriesDescription = f"{SERIES}.2", "C2", "second stain"
    image = small(number=3)
    image.SeriesInstanceUID, image.Modality = f"{SERIES}.3", "XC"
    async with connect(pacs=(Google(Store(one, other, image)), "google")) as client:
        found = await answer(client, "describe_slide", study_uid=str(one.StudyInstanceUID))
        says = await refusal(client, "render_region", study_uid=str(one.StudyInstanceUID), whole=True)
    rows = {row["SeriesInstanceUID"]: row for row in found["slides"]}
    assert list(rows) == [SERIES, f"{SERIES}.2"]
    assert [row["ContainerIdentifier"] for row in rows.values()] == ["C1", "C2"]
    assert rows[f"{SERIES}.2"]["SeriesDescription"] == "second stain"
    assert (rows[SERIES]["columns"], rows[SERIES]["rows"], rows[SERIES]["um_per_px"]) == (64, 48, 0.5)
    assert f"describe_slide with study_uid={one.StudyInstanceUID}" in says


@pytest.mark.parametrize(("kind", "making"), GOOGLES)
async def test_places_that_the_archive_leaves_out_are_read_from_the_file(
    connect: Any, kind: str, making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Google's stores leave sequences of over 1 MB out, as are the groups of some thousand tiles."""
    wanted = {"series_uid": series_of(SPARSE), "whole": True, "format": "png"}
    async with connect(pacs=(making(Store(*datasets(SPARSE))), kind)) as client:
        expected, _ = await region(client, **wanted)
    groups = datasets(SPARSE)[0]["PerFrameFunctionalGroupsSequence"]
    monkeypatch.setattr(google_attributes, "LARGEST_SEQUENCE", len(json.dumps(groups.to_json_dict(None, 0))) - 1)
    async with connect(pacs=(making(Store(*datasets(SPARSE))), kind)) as client:
        found, _ = await region(client, **wanted)
    assert (found == expected).all()
