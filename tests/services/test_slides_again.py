"""A slide that was opened a short while ago is not read again, however large its metadata are."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread

from dicomweb_mcp.archives.base import NotUnderstood
from dicomweb_mcp.archives.memory import Memory
from dicomweb_mcp.dicom.slide import BoxRequest
from dicomweb_mcp.services.app import REMEMBERED_SECONDS, App
from dicomweb_mcp.services.pictures import Shown
from dicomweb_mcp.services.slides import DescribedSlide, RegionRequest, describe_slide, show_region
from dicomweb_mcp.services.transfer import store
from fakes.base import Fake
from fakes.dcm4chee import Dcm4chee
from fakes.google import Google
from fakes.store import Store
from services.transfer_helpers import Steps
from support import app_over

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("hurried")]

DATA = Path(__file__).parents[1] / "data"
FAKES = {"google": Google, "dcm4chee": Dcm4chee}
FIRST, NEXT = (
    BoxRequest(level=0, x=0, y=0, width=300, height=200),
    BoxRequest(level=0, x=300, y=0, width=300, height=200),
)


def sparse() -> Dataset:
    """Each of its frames says more than is of use here."""
    found = dcmread(DATA / "wsi_sparse" / "1152x700.dcm")
    for group in found.PerFrameFunctionalGroupsSequence:
        group.FrameContentSequence = [Dataset()]
        group.FrameContentSequence[0].FrameComments = "x" * 30_000
    return found


SPARSE = sparse()


def over(kind: str, objects: list[Dataset], roots: tuple[Path, ...] = ()) -> tuple[App, Fake]:
    fake = FAKES[kind](Store(*deepcopy(objects)))
    return app_over({"pacs": (fake, kind)}, roots=roots), fake


async def region(app: App, box: BoxRequest, series_uid: str = SPARSE.SeriesInstanceUID) -> Shown:
    return await show_region(app, None, RegionRequest(series_uid=series_uid, box=box))


async def describe(app: App, series_uid: str = SPARSE.SeriesInstanceUID) -> DescribedSlide:
    return await describe_slide(app, None, None, series_uid)


def requested(fake: Fake) -> list[str]:
    paths = list(fake.paths)
    fake.requests.clear()
    return paths


@pytest.mark.parametrize("kind", FAKES)
async def test_only_new_tiles_are_asked_for(kind: str) -> None:
    app, fake = over(kind, [SPARSE])
    app.memory = Memory(REMEMBERED_SECONDS, most=600_000)
    await describe(app)
    assert metadata_size(fake) > app.memory.largest, "the metadata are too large to be kept"
    requested(fake)
    shown = await region(app, FIRST)
    assert all("/frames/" in path for path in requested(fake))
    await describe(app)
    again = await region(app, FIRST)
    assert requested(fake) == []
    assert again.picture.data == shown.picture.data
    assert 0 < app.memory.size <= 600_000
    moved = await region(app, NEXT)
    assert all("/frames/" in path for path in requested(fake))
    assert moved.picture.data == (await region(over(kind, [SPARSE])[0], NEXT)).picture.data


def metadata_size(fake: Fake) -> int:
    return sum(len(json.dumps(held.attributes)) for held in fake.store.instances)


async def test_after_a_transfer_into_the_archive_it_is_read_again(root: Path) -> None:
    files = [dcmread(path) for path in sorted((DATA / "wsi_camelyon_jpeg").glob("*.dcm"))]
    app, _ = over("dcm4chee", files[:3], roots=(root,))
    uid = files[0].SeriesInstanceUID
    assert len((await describe(app, uid)).table.levels) == 3
    root.mkdir()
    files[3].save_as(root / "4.dcm")
    await store(app, None, ["4.dcm"], dry_run=False, report=Steps())
    assert len((await describe(app, uid)).table.levels) == 4


async def test_after_a_tile_that_cannot_be_read_the_slide_is_read_again() -> None:
    files: list[Any] = [dcmread(DATA / "wsi_camelyon_jpeg" / "288x175.dcm")]
    wrong = deepcopy(files)
    wrong[0].Rows = wrong[0].Columns = 512  # the tiles have 256
    app, fake = over("google", wrong)
    uid = files[0].SeriesInstanceUID
    box = BoxRequest(level=0, x=0, y=0, width=100, height=100)
    with pytest.raises(NotUnderstood):
        await region(app, box, uid)
    fake.store = Store(*files)
    assert (await region(app, box, uid)).picture.width
