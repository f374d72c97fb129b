"""Copying from IDC: what there is says the proxy, the files come from a bucket on loopback, and no more than needed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dicomweb_mcp.archives.base import NotOffered
from dicomweb_mcp.services.copying import Wanted, copy
from dicomweb_mcp.services.idc import objects
from dicomweb_mcp.services.transfer import Transfer
from fakes.google import Google
from fakes.orthanc_like import OrthancLike
from fakes.scripted import CUT, http
from fakes.store import Store
from services.retrieve.idc_helpers import LARGE, Idc, idc_at
from services.transfer_helpers import Steps, outcomes, posts, reasons
from support import app_over

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("hurried")]


class Copying(Idc):
    """The same series at the proxy, and an empty archive to copy it into."""

    def __init__(self, folder: Path, root: Path, **more: Any) -> None:
        super().__init__(folder, root, **more)
        self.proxy = Google(Store.files(*sorted(folder.iterdir())), idc=True)
        self.target = OrthancLike(Store())

    async def copied(self, **wanted: Any) -> Transfer:
        app = app_over({"idc": (self.proxy, "idc"), "there": (self.target, "orthanc")}, [self.root])
        app.bucket_address = self.server.address
        self.server.asked.clear()
        self.target.requests.clear()
        try:
            return await copy(app, "idc", "there", Wanted(**wanted), report=Steps())
        finally:
            await app.close()

    @property
    def sent(self) -> bytes:
        return b"".join(post.body for post in posts(self.target))


@asynccontextmanager
async def copying_at(tmp_path: Path, **more: Any) -> AsyncIterator[Copying]:
    async with idc_at(tmp_path, Copying, **more) as idc:
        yield idc
    assert not any("/instances/" in path and not path.endswith("/metadata") for path in idc.proxy.paths), (
        "no file of it"
    )


@pytest.mark.parametrize("pixels", [10, LARGE])
async def test_a_series_comes_from_its_bucket_and_then_is_there(tmp_path: Path, pixels: int) -> None:
    async with copying_at(tmp_path, pixels=pixels) as idc:
        assert outcomes(await idc.copied(series_uid=idc.series)) == {"stored": 3}
        assert [idc.sent.count(file) for file in idc.files] == [1, 1, 1]
        assert sorted(idc.server.keys_asked) == idc.keys
        assert outcomes(await idc.copied(study_uid=idc.study)) == {"already_there": 3}
        assert idc.server.asked == []
        assert all(b"\r\nUser-Agent: dicomweb-mcp/" in head for head in idc.server.heads)


async def test_only_what_is_missing_is_read_to_its_end(tmp_path: Path) -> None:
    async with copying_at(tmp_path, pixels=8_000_000) as idc:
        assert outcomes(await idc.copied(series_uid=idc.series, instance_uids=["1.2.2"])) == {"stored": 1}
        assert idc.sent.count(idc.files[1]) == 1
        assert not any(file in idc.sent for file in (idc.files[0], idc.files[2]))
        sent = idc.server.sent
        assert sent < 2 * len(idc.files[0]), "of those that are not wanted little more than their headers"
        assert outcomes(await idc.copied(series_uid=idc.series)) == {"already_there": 1, "stored": 2}
        assert idc.files[1] not in idc.sent


async def test_a_broken_object_is_tried_twice_and_costs_only_itself(tmp_path: Path) -> None:
    async with copying_at(tmp_path) as idc:
        whole, key = idc.files[1], idc.keys[1]
        for says, steps in {
            "broke off": [http(whole[:1_000], length=len(whole)), CUT],
            "bytes arrived": [http(whole[:-10])],
            "404": [http(b"", status="404 Not Found")],
        }.items():
            idc.server.instead = {key: steps}
            transfer = await idc.copied(series_uid=idc.series)
            assert outcomes(transfer)["not_sent"] == 1
            assert says in reasons(transfer)[0]
            assert idc.server.keys_asked.count(key) == 2
            assert idc.server.keys_asked.count(idc.keys[0]) == 1, "what came is not read again"
        idc.server.instead = {}
        del idc.server.objects[key]
        transfer = await idc.copied(series_uid=idc.series)
        assert outcomes(transfer) == {"already_there": 2, "not_sent": 1}
        assert "no object of its series in its bucket is this instance" in reasons(transfer)[0]
        idc.server.objects.clear()
        assert "has no files of this series" in reasons(await idc.copied(series_uid=idc.series))[0]


async def test_a_plan_lists_no_bucket_and_without_the_index_nothing_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with copying_at(tmp_path, count=101, pixels=10) as idc:
        plan = await idc.copied(series_uid=idc.series)
        assert (plan.wants_confirmation, outcomes(plan)) == (True, {"to_store": 101})
        monkeypatch.setattr(objects, "is_installed", lambda: False)
        idc.proxy.requests.clear()
        with pytest.raises(NotOffered, match=f"idc download {idc.series} "):
            await idc.copied(series_uid=idc.series)
        assert idc.server.asked == idc.proxy.requests == idc.target.requests == []
