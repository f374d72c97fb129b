"""Looking again at what was shown a short while ago costs no request, and shows what a first look would."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from mcp import Client
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file

from dicomweb_mcp.archives.base import ArchiveError, NotUnderstood
from dicomweb_mcp.archives.memory import Memory
from dicomweb_mcp.server import build
from dicomweb_mcp.services.app import REMEMBERED_SECONDS, App
from dicomweb_mcp.services.pictures import FrameRequest, Shown, show_frame
from dicomweb_mcp.services.preview import SeriesRequest, show_series
from dicomweb_mcp.services.transfer import store
from dicomweb_mcp.settings import load
from fakes.base import Fake
from fakes.dcm4chee import Dcm4chee
from fakes.google import Google
from fakes.store import Store
from services.transfer_helpers import Steps
from support import app_over
from tools.reading import answer, call

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("hurried")]

FAKES = {"google": Google, "idc": Google, "dcm4chee": Dcm4chee}
LOOKS: list[dict[str, Any]] = [
    {"window": "40,400"},
    {"window": "0..500", "region": (10, 20, 60, 50)},
    {"size": 300, "format": "jpeg"},
    {"probe": ((3, 4),), "statistics": (0, 0, 9, 9)},
]


def slices(count: int) -> list[Dataset]:
    """Slices of one series whose noise is brighter from one to the next."""
    rng, made = np.random.default_rng(5), []
    for k in range(1, count + 1):
        one = dcmread(get_testdata_file("CT_small.dcm"))
        one.InstanceNumber, one.ImagePositionPatient = k, [0, 0, 10.0 * k]
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{k}"
        one.PixelData = rng.integers(100 * k, 100 * k + 90, (128, 128)).astype(np.int16).tobytes()
        made.append(one)
    return made


SERIES = slices(5)
UID = str(SERIES[0].SeriesInstanceUID)


def over(kind: str, objects: list[Dataset], roots: tuple[Path, ...] = ()) -> tuple[App, Fake]:
    fake = FAKES[kind](Store(*deepcopy(objects)), **({"idc": True} if kind == "idc" else {}))
    return app_over({"pacs": (fake, kind)}, roots=roots), fake


async def frame(app: App, **asked: Any) -> Shown:
    return await show_frame(app, None, FrameRequest(**{"series_uid": UID, **asked}))


async def preview(app: App, **asked: Any) -> Shown:
    return await show_series(app, None, SeriesRequest(series_uid=UID, **asked))


def requested(fake: Fake) -> list[str]:
    """The paths since the last look, below the study."""
    paths = ["/".join(path.split("/")[5:]) for path in fake.paths]
    fake.requests.clear()
    return paths


@pytest.mark.parametrize("kind", FAKES)
@pytest.mark.parametrize("instance", [None, "1.2.3.4"])
async def test_another_look_at_a_frame_costs_no_request(kind: str, instance: str | None) -> None:
    app, fake = over(kind, SERIES)
    await frame(app, instance_uid=instance)
    assert any("/frames/" in path for path in requested(fake))
    for look in LOOKS:
        again = await frame(app, instance_uid=instance, **look)
        assert requested(fake) == []
        fresh = await frame(over(kind, SERIES)[0], instance_uid=instance, **look)
        assert (again.picture.data, again.facts, again.notes) == (fresh.picture.data, fresh.facts, fresh.notes)


@pytest.mark.parametrize("kind", FAKES)
async def test_a_preview_asks_for_what_was_not_seen_yet(kind: str) -> None:
    app, fake = over(kind, SERIES)
    await frame(app, slice=3)
    requested(fake)
    await preview(app)
    asked = requested(fake)
    assert not any("1.2.3.3/" in path for path in asked)
    assert sum("/frames/" in path for path in asked) == 4
    assert "instances" not in asked
    for look in ({"windows": ("40,400", "0..500")}, {"size": 400}, {"samples": 3}, {"slices": (2, 4)}):
        again, fresh = await preview(app, **look), await preview(over(kind, SERIES)[0], **look)
        assert (again.picture.data, again.facts, again.notes) == (fresh.picture.data, fresh.facts, fresh.notes)
        assert requested(fake) == []
    await frame(app, slice=5)
    assert requested(fake) == []


async def test_of_one_instance_only_the_frames_that_are_missing_are_asked_for() -> None:
    cine = dcmread(get_testdata_file("examples_ybr_color.dcm"))
    app, fake = over("google", [cine])
    uid = str(cine.SeriesInstanceUID)
    await frame(app, series_uid=uid, frame=3)
    requested(fake)
    await show_series(app, None, SeriesRequest(series_uid=uid, slices=(2, 3, 4)))
    (path,) = requested(fake)
    assert path.endswith("/frames/2,4")


async def test_lookup_tables_are_fetched_once() -> None:
    palette = dcmread(get_testdata_file("examples_palette.dcm"))
    app, fake = over("google", [palette])
    uid = str(palette.SeriesInstanceUID)
    await frame(app, series_uid=uid)
    assert any("bulkdata" in path for path in requested(fake))
    await frame(app, series_uid=uid, size=200)
    assert requested(fake) == []


async def test_after_some_minutes_it_is_asked_again() -> None:
    app, fake = over("google", SERIES)
    now = 0.0
    app.memory = Memory(REMEMBERED_SECONDS, clock=lambda: now)
    await frame(app)
    first = requested(fake)
    now = REMEMBERED_SECONDS - 1
    await frame(app)
    assert requested(fake) == []
    now = REMEMBERED_SECONDS
    await frame(app)
    assert requested(fake) == [path for path in first if path], "the series' own place is remembered apart"


@pytest.mark.parametrize("only", ["/instances", "/metadata", "/frames/"])
async def test_after_a_failure_it_is_asked_again(only: str) -> None:
    app, fake = over("google", SERIES)
    fake.fail(404, only=only)
    with pytest.raises(ArchiveError):
        await frame(app, window="0..500")
    await frame(app, window="0..500")


ROW: dict[str, Any] = {"00080018": {"vr": "UI", "Value": ["1.2.3.9"]}, "00280010": {"vr": "US", "Value": [128]}}
OF_NO_USE = {
    f"{UID}/instances": [{**ROW, "00080018": {"vr": "UI", "Value": ["none"]}}],
    "1.2.3.2/metadata": [ROW],
    "/frames/": b"--b\r\nContent-Type: application/octet-stream\r\n\r\n123\r\n--b--",
}


@pytest.mark.parametrize("look", [frame, preview])
@pytest.mark.parametrize("only", OF_NO_USE)
async def test_after_an_answer_that_was_of_no_use_it_is_asked_again(only: str, look: Any) -> None:
    """It came as one that can be read: that it cannot be used shows later."""
    app, fake = over("google", SERIES)
    asked: dict[str, Any] = {"slice": 2, "window": "0..500"} if look is frame else {"slices": (2,)}
    answered = OF_NO_USE[only]
    kind = "multipart/related; boundary=b" if isinstance(answered, bytes) else "application/dicom+json"
    body = answered if isinstance(answered, bytes) else json.dumps(answered).encode()
    fake.fail(lambda _: httpx.Response(200, content=body, headers={"Content-Type": kind}), only=only)
    with pytest.raises(NotUnderstood):
        await look(app, **asked)
    await look(app, **asked)


@pytest.mark.parametrize("only", ["/frames/", f"{UID}/metadata"])
async def test_after_slices_that_made_no_volume_they_are_asked_for_again(only: str) -> None:
    app, fake = over("google", SERIES)
    if only == "/frames/":
        body, kind = OF_NO_USE[only], "multipart/related; boundary=b"
    else:
        body, kind = json.dumps([Store(SERIES[0]).instances[0].attributes]).encode(), "application/dicom+json"
    fake.fail(lambda _: httpx.Response(200, content=body, headers={"Content-Type": kind}), only=only)
    with pytest.raises(NotUnderstood):
        await preview(app, plane="coronal")
    await preview(app, plane="coronal")


async def test_tools_that_answer_with_data_ask_the_archive() -> None:
    app, fake = over("google", SERIES)
    study = str(SERIES[0].StudyInstanceUID)
    async with Client(build(app), raise_exceptions=True) as client:
        for _ in range(2):
            await call(client, "render_frame", study_uid=study, series_uid=UID, slice=2)
            requested(fake)
            await answer(client, "get_metadata", study_uid=study, series_uid=UID, instance_uid="1.2.3.2")
            assert [path.rpartition("/")[2] for path in requested(fake)] == ["metadata"]
            await answer(client, "list_instances", study_uid=study, series_uid=UID)
            assert requested(fake) != []


@pytest.mark.parametrize("dry_run", [False, True])
async def test_after_a_transfer_into_the_archive_it_is_asked_again(root: Path, dry_run: bool) -> None:
    """Another image of the series, which the next look then counts."""
    app, _ = over("dcm4chee", SERIES[:4], roots=(root,))
    assert (await frame(app)).facts["slice"].startswith("2 of 4")
    root.mkdir()
    SERIES[4].save_as(root / "5.dcm")
    await store(app, None, ["5.dcm"], dry_run=dry_run, report=Steps())
    assert (await frame(app)).facts["slice"].startswith("2 of 4" if dry_run else "3 of 5")


async def test_files_of_a_folder_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was edited meanwhile is shown as it is now."""
    monkeypatch.setenv("DICOMWEB_MCP_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    app = App(load(archives=[f"mine={tmp_path / 'data'}"], environment={}))
    seen = []
    try:
        for value in (7, 9):
            one = deepcopy(SERIES[0])
            one.RescaleSlope, one.RescaleIntercept = 1, 0
            one.PixelData = np.full((128, 128), value, np.int16).tobytes()
            one.save_as(tmp_path / "data" / "1.dcm")
            seen.append((await frame(app, probe=((0, 0),))).facts["probe"])
    finally:
        await app.close()
    assert [said.split()[2] for said in seen] == ["7", "9"]
