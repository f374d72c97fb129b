"""Tools over IDC's proxy: what would take too much takes nothing, and says where the whole of it comes from."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from dicomweb_mcp.archives import manners
from dicomweb_mcp.archives.base import Place
from dicomweb_mcp.archives.manners import one_call
from dicomweb_mcp.archives.traffic import Traffic
from dicomweb_mcp.dicom.objects.description import Description
from dicomweb_mcp.services.measure import measure
from fakes.google import Google
from fakes.store import Store
from support import open_over
from tools.picture_helpers import series, tile_lines
from tools.reading import answer, call, refusal, text_of

pytestmark = pytest.mark.anyio

FRAME = 512 * 512 * 2
SEG = Path(__file__).parents[1] / "data" / "ct-seg-sr/24x38x3/seg.dcm"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A count of its own; a call may take six frames and what is read besides them."""
    monkeypatch.setenv("DICOMWEB_MCP_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(manners, "MOST_OF_A_CALL", 6 * FRAME + FRAME // 2)
    return tmp_path / "state"


def proxy(count: int, **more: Any) -> Google:
    noise = np.random.default_rng(3).integers(0, 1000, (512, 512)).astype(np.int16).tobytes()
    return Google(Store(*series(count, Rows=512, Columns=512, PixelData=noise, **more)), idc=True)


def frames_asked(fake: Google) -> int:
    return sum("/frames/" in asked.path for asked in fake.requests)


UID = series(1)[0].SeriesInstanceUID


async def test_a_sheet_that_would_take_too_much_takes_nothing(connect: Any) -> None:
    fake = proxy(9)
    async with connect(idc=(fake, "idc")) as client:
        said = await refusal(client, "preview_series", series_uid=UID, samples=9)
        assert frames_asked(fake) == 0
        assert "a further 5 MB would be needed" in said
        assert f"idc download {UID} (" in said
        few = await call(client, "preview_series", series_uid=UID, slices=[1, 3, 5, 7, 9])
        assert len(tile_lines(few)) == frames_asked(fake) == 5
        await call(client, "preview_series", series_uid=UID, samples=9)  # five of nine are remembered
        assert frames_asked(fake) == 9, "a frame that is here is not asked for again"


async def test_a_plane_that_needs_too_many_images_takes_none_of_them(connect: Any) -> None:
    fake = proxy(9)
    async with connect(idc=(fake, "idc"), pacs=(proxy(9), "google")) as client:
        said = await refusal(client, "preview_series", archive="idc", series_uid=UID, plane="coronal", samples=1)
        assert "a further 5 MB would be needed" in said
        assert f"idc download {UID} (" in said
        assert frames_asked(fake) == 0
    small = proxy(6)
    async with connect(idc=(small, "idc")) as client:
        await call(client, "preview_series", series_uid=UID, plane="coronal", samples=1)
        assert frames_asked(small) == 6


async def test_two_series_side_by_side_are_one_call(connect: Any) -> None:
    fake = proxy(4)
    others = series(4, Rows=512, Columns=512, PixelData=bytes(FRAME), SeriesInstanceUID="1.2.3.99")
    for k, one in enumerate(others):
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.99.{k}"
    fake.store.add(*others)
    async with connect(idc=(fake, "idc")) as client:
        said = await refusal(client, "preview_series", series_uid=UID, compare_with="1.2.3.99", samples=4)
    assert "a further 4 MB would be needed" in said
    assert frames_asked(fake) == 0


async def test_an_object_that_would_take_too_much_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    held, fake, found = pydicom.dcmread(SEG), Google(Store.files(SEG), idc=True), Description("SEG")
    monkeypatch.setattr(manners, "MOST_OF_A_CALL", 300)
    place = Place(held.StudyInstanceUID, held.SeriesInstanceUID, held.SOPInstanceUID)
    with one_call():
        await measure(open_over(fake, "idc"), place, held.to_json_dict(), found, always=True)
    assert fake.requests == []
    (note,) = found.notes
    assert note.startswith("Not measured: Archive pacs: this call would take more than 300 bytes")


async def test_where_the_day_is_used_up_nothing_is_sent_and_tools_say_so(connect: Any, state: Path) -> None:
    fake = proxy(3)
    async with connect(idc=(fake, "idc")) as client:
        for k in (1, 2, 3):
            await call(client, "preview_series", series_uid=UID, slices=[k])
        other = Traffic("idc", state)
        other.add(2_000_000_000)
        other.save()
        (idc,) = (await answer(client, "list_archives"))["archives"]  # looks at the count of all
        assert idc["bytes_today"] > idc["limits"]["daily_limit_bytes"] == 2_000_000_000
        before = len(fake.requests)
        said = await refusal(client, "search_studies", limit=1)
        checked = (await answer(client, "list_archives", check=True))["archives"][0]
        assert len(fake.requests) == before
    assert "nothing more today: 2,002 MB were taken" in said
    assert "2,000 MB a day" in said
    assert "nothing more today" in checked["health"]


async def test_limits_and_what_the_proxy_counts_itself_are_shown(connect: Any) -> None:
    async with connect(idc=(proxy(1), "idc"), lab=(Google(Store.synthetic(studies=1)), "google")) as client:
        plain = (await answer(client, "list_archives"))["archives"]
        found = await call(client, "list_archives", check=True)
    idc, lab = found.structured_content["archives"]
    assert idc["limits"]["parallel_requests"] == 2
    assert idc["limits"]["daily_limit_bytes"] == 2_000_000_000
    assert idc["quota_usage"] == {"bytes_used": 1_000_000, "fraction_used": 0.25}
    assert "192.0.2.1" not in f"{found.structured_content} {text_of(found)}"
    assert "daily_limit_bytes" not in lab["limits"]
    assert "quota_usage" not in lab
    assert "quota_usage" not in plain[0]
