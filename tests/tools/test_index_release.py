"""Every answer about IDC names the release of the index, in both halves and within the budget; no other answer does."""

import json
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("idc_index_data")

from dicomweb_mcp.idc.wheel import release
from dicomweb_mcp.services.idc import known
from dicomweb_mcp.tools.answers import INDEX_RELEASE, ListAnswer, result, size
from fakes.google import Google
from fakes.orthanc_like import OrthancLike
from fakes.store import Store

from .conftest import Connect

pytestmark = pytest.mark.anyio


def half(answer: Any) -> str:
    return str(answer.content[0].text)


async def test_data_about_idc_name_the_release(connect: Connect) -> None:
    store = Store.synthetic(studies=2)
    fakes = {"pacs": (OrthancLike(store), "orthanc"), "public": (Google(store, idc=True), "idc")}
    async with connect(**fakes) as client:
        of_idc = await client.call_tool("search_studies", {"archive": "Public"})
        lines = half(of_idc).split("\n")
        assert lines[lines.index("archive: public") + 1] == f"index_release: {release()}"
        assert list(of_idc.structured_content)[:2] == ["archive", "index_release"]
        assert of_idc.structured_content["index_release"] == release()
        other = await client.call_tool("search_studies", {})
        assert "index_release" not in half(other)
        assert "index_release" not in other.structured_content


async def test_the_release_counts_in_the_budget() -> None:
    answer = ListAnswer(archive="public", complete=True, rows=[{"PatientID": "1"}])
    without = size(answer)
    token = INDEX_RELEASE.set(release())
    try:
        found = result(answer)
        written = json.dumps(found.structured_content, separators=(",", ":"))
        assert size(answer) == max(len(written), len(half(found))) > without
    finally:
        INDEX_RELEASE.reset(token)


async def test_pictures_of_idc_name_the_release(connect: Connect) -> None:
    store = Store.shipped("CT_small.dcm")
    series = store.held(*[row.study for row in store.rows("study")])[0].text("0020000E")
    fakes = {"public": (Google(store, idc=True, parent_uids=True), "idc"), "pacs": (OrthancLike(store), "orthanc")}
    async with connect(**fakes) as client:
        texts = [
            half(await client.call_tool("render_frame", {"series_uid": series, "archive": name})) for name in fakes
        ]
    assert [line for line in texts[0].split("\n") if line.startswith("index_release")] == [
        f"index_release: {release()}"
    ]
    assert "index_release" not in texts[1]


async def test_without_the_index_nothing_is_said_of_it(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "is_installed", lambda: False)
    async with connect(public=(Google(Store.synthetic(studies=1), idc=True), "idc")) as client:
        answer = await client.call_tool("search_studies", {})
        unknown = await client.call_tool("search_studies", {"archive": "nowhere"})
    assert "index_release" not in answer.structured_content
    assert unknown.is_error
