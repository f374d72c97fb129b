"""Regions of slides over a real Orthanc are those over a folder of the same files, bit for bit, in few requests."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from mcp import Client

from dicomweb_mcp.archives.base import Archive
from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from dicomweb_mcp.server import build
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import ArchiveSettings, load
from engines.orthanc import Orthanc
from engines.test_summaries_on_orthanc import both
from tools.reading import answer, call, image_of, text_of
from tools.slides import CAMELYON, SPARSE, boxes, pixels, region, series_of, tiles_fetched

pytestmark = pytest.mark.anyio


class Counting(httpx.AsyncHTTPTransport):
    """The network, and which addresses were asked."""

    def __init__(self) -> None:
        super().__init__(trust_env=False)
        self.paths: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        return await super().handle_async_request(request)

    @property
    def kinds(self) -> Counter[str]:
        return Counter("frames" if "/frames/" in path else path.rpartition("/")[2] for path in self.paths)


@asynccontextmanager
async def counted(server: Orthanc) -> AsyncIterator[tuple[Client, Counting]]:
    network = Counting()

    def opener(settings: ArchiveSettings) -> Archive:
        return DicomwebArchive(settings, transport=network)

    app = App(load(archives=[f"pacs={server.url}"], environment={}), opener)
    async with Client(build(app), raise_exceptions=True) as client:
        yield client, network


async def are_same(client: Client, series: str, columns: int, rows: int, level: int) -> None:
    for x, y, width, height in boxes(columns, rows):
        box = {"series_uid": series, "level": level, "x": x, "y": y, "width": width, "height": height, "size": 1568}
        pacs, mine = [await call(client, "render_region", archive=name, **box) for name in ("pacs", "mine")]
        assert not pacs.is_error, text_of(pacs)
        assert image_of(pacs).data == image_of(mine).data


@pytest.mark.parametrize("slide", [CAMELYON, SPARSE], ids=lambda path: path.name)
async def test_the_same_is_shown(orthanc: Orthanc, same_folder: Path, slide: Path) -> None:
    async with both(orthanc, same_folder) as client:
        rows = (await answer(client, "describe_slide", archive="pacs", series_uid=series_of(slide)))["levels"]
        for row in rows:
            await are_same(client, series_of(slide), row["columns"], row["rows"], row["level"])


@pytest.mark.parametrize("name", ["native", "jpeg50", "j2k90"])
async def test_the_same_is_shown_of_every_syntax(
    orthanc: Orthanc, same_folder: Path, test_data: Path, name: str
) -> None:
    file = test_data / "slide-bone" / f"{name}.dcm"
    async with both(orthanc, same_folder) as client:
        await are_same(client, series_of(file), 957, 715, 0)


@pytest.mark.parametrize("slide", [CAMELYON, SPARSE], ids=lambda path: path.name)
async def test_the_same_is_said(orthanc: Orthanc, same_folder: Path, slide: Path) -> None:
    """But for the transfer syntax, which Orthanc's metadata never have."""
    async with both(orthanc, same_folder) as client:
        pacs, mine = [await answer(client, "describe_slide", archive=name, series_uid=series_of(slide), tissue=True)
                      for name in ("pacs", "mine")]  # fmt: skip
    assert pacs["tissue"] == mine["tissue"] != []
    for found in (pacs, mine):
        for row in [found["facts"].get("of_every_level", {}), *found["levels"]]:
            row.pop("transfer_syntax", None)
        del found["archive"]
    assert pacs == mine


async def test_requests_of_a_box_and_of_its_neighbour(orthanc: Orthanc) -> None:
    series = series_of(CAMELYON)
    async with counted(orthanc) as (client, network):
        one, caption = await region(client, series_uid=series, level=0, x=0, y=0, width=512, height=512)
        assert tiles_fetched(caption) == (4, 4)
        assert network.kinds["frames"] == 1
        assert network.kinds["metadata"] == 1
        network.paths.clear()
        _, caption = await region(client, series_uid=series, level=0, x=256, y=0, width=512, height=512)
        assert tiles_fetched(caption) == (4, 2)
        assert network.kinds == {"frames": 1}, "only the new tiles, in one request"
        network.paths.clear()
        again = await pixels(client, series, 0, (0, 0, 512, 512))
        assert not network.paths
    np.testing.assert_array_equal(one, again)
