"""Whole series of IDC from a bucket on loopback: the proxy gives no file, and nothing else is contacted."""

from pathlib import Path

import pytest

from archives.folder_helpers import make_file
from dicomweb_mcp.archives.base import AccessDenied, ArchiveError, NotOffered, Refused
from dicomweb_mcp.services.idc import objects
from dicomweb_mcp.services.retrieve import Outcome
from dicomweb_mcp.services.retrieve.asking import MOST_GONE
from dicomweb_mcp.services.retrieve.folder import Folder, NotWritten
from fakes.scripted import CUT, http
from services.retrieve.helpers import found, outcomes, reasons
from services.retrieve.idc_helpers import LARGE, idc_at

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("pixels", [10, LARGE])
async def test_a_series_comes_from_its_bucket_and_once(tmp_path: Path, pixels: int) -> None:
    async with idc_at(tmp_path, pixels=pixels) as idc:
        first = await idc.fetched(series_uid=idc.series)
        assert outcomes(first) == {"retrieved": 3}
        assert found(idc.root / "in") == idc.due(1, 2, 3)
        assert sorted(idc.server.keys_asked) == idc.keys
        (idc.root / "in" / next(iter(idc.due(2)))).unlink()
        again = await idc.fetched(series_uid=idc.series)
        assert outcomes(again) == {"already_there": 2, "retrieved": 1}
        assert found(idc.root / "in") == idc.due(1, 2, 3)


async def test_single_instances_are_told_by_their_headers(tmp_path: Path) -> None:
    async with idc_at(tmp_path) as idc:
        result = await idc.fetched(series_uid=idc.series, instance_uids=["1.2.2"])
        assert outcomes(result) == {"retrieved": 1}
        assert found(idc.root / "in") == idc.due(2)
        padded = await idc.fetched(series_uid=f"{idc.series} ", instance_uids=["1.2.2\0", " 1.2.3", "1.2.3"])
        assert outcomes(padded) == {"already_there": 1, "retrieved": 1}
        missing = await idc.fetched(series_uid=idc.series, instance_uids=["1.2.2", "1.2.9"])
        assert outcomes(missing) == {"already_there": 1, "failed": 1}
        assert "no object" in reasons(missing)["1.2.9"]


async def test_a_broken_object_is_tried_twice_and_named(tmp_path: Path) -> None:
    async with idc_at(tmp_path) as idc:
        whole, key = idc.files[1], idc.keys[1]
        other = make_file(tmp_path / "x.dcm", idc.study, "9.9", "1.2.2").read_bytes()
        cases = {
            "broke off": [http(whole[:1_000], length=len(whole)), CUT],
            "bytes arrived": [http(whole[:-10])],
            "404": [http(b"", status="404 Not Found")],
        }
        for says, steps in cases.items():
            idc.server.instead = {key: steps}
            result = await idc.fetched(series_uid=idc.series)
            assert result.of(Outcome.FAILED)[0].shown == key
            assert says in reasons(result)[key]
            assert idc.server.keys_asked.count(key) == 2
            assert found(idc.root / "in") == idc.due(1, 3)
        idc.server.instead, idc.server.objects[key] = {}, other
        assert "another series" in reasons(await idc.fetched(series_uid=idc.series))[key]
        assert found(idc.root / "in") == idc.due(1, 3)


async def test_what_cannot_be_had_is_refused_with_what_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with idc_at(tmp_path) as idc:
        with pytest.raises(Refused, match="as they are stored"):
            await idc.fetched(series_uid=idc.series, as_stored=False)
        monkeypatch.setattr(Folder, "free", sum(map(len, idc.files)) - 1)
        with pytest.raises(NotWritten, match="Nothing was fetched"):
            await idc.fetched(series_uid=idc.series)
        idc.server.objects.clear()
        with pytest.raises(ArchiveError, match="no files of this series"):
            await idc.fetched(series_uid=idc.series)
        assert idc.server.keys_asked == []
        monkeypatch.setattr(objects, "is_installed", lambda: False)
        with pytest.raises(NotOffered, match=f"idc download {idc.series} "):
            await idc.fetched(series_uid=idc.series)
        assert idc.server.asked == []
        assert found(idc.root) == {}


async def test_a_bucket_that_is_gone_is_not_asked_for_every_object(tmp_path: Path) -> None:
    async with idc_at(tmp_path, count=12, pixels=10) as idc:
        idc.server.instead = {key: [http(b"", status="403 Forbidden")] for key in idc.keys}
        with pytest.raises(AccessDenied):
            await idc.fetched(series_uid=idc.series)
        at_most = MOST_GONE + objects.AT_ONCE - 1  # those that were on their way are answered too
        assert MOST_GONE <= len(idc.server.keys_asked) <= 2 * at_most
