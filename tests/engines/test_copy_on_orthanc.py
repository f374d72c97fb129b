"""Copying real series through real servers: folder, Orthanc, another Orthanc; the truth is what pydicom and Orthanc's
own REST API read afterwards."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from pydicom import dcmread

from archives.folder_helpers import SAMPLES, make_file
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.copying import Wanted, copy
from dicomweb_mcp.settings import load
from engines.conftest import OWN_DATA
from engines.orthanc import Orthanc
from engines.stow import dicom_files
from services.transfer_helpers import Steps, outcomes

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def opened(**places: str) -> AsyncIterator[App]:
    given = [f"{name}={place}" for name, place in places.items()]
    app = App(load(archives=given, permits=[f"{name}:store" for name in places], environment={}))
    try:
        yield app
    finally:
        await app.close()


def held(server: Orthanc) -> dict[str, tuple[str, bytes]]:
    """SOP Instance UID -> Orthanc's own identifier and the file, as it hands it out itself."""
    with httpx.Client(base_url=server.root, trust_env=False) as client:
        return {
            one["MainDicomTags"]["SOPInstanceUID"]: (one["ID"], client.get(f"/instances/{one['ID']}/file").content)
            for one in client.get("/instances?expand").json()
        }


async def test_real_series_go_from_a_folder_through_two_servers(
    new_orthanc: Callable[..., Orthanc], tmp_path: Path
) -> None:
    """CT slices with segmentations, and pictures in JPEG, JPEG 2000 and RLE: what arrives is the file that was there."""
    folder = tmp_path / "folder"
    shutil.copytree(OWN_DATA / "ct-seg-sr", folder / "ct-seg-sr")
    for name in ("JPEG2000.dcm", "examples_ybr_color.dcm", "MR_small_RLE.dcm"):
        shutil.copy(SAMPLES / name, folder)
    ours = {dcmread(path).SOPInstanceUID: path.read_bytes() for path in dicom_files(folder)}
    read = {uid: dcmread(BytesIO(file)) for uid, file in ours.items()}
    studies = dict.fromkeys(file.StudyInstanceUID for file in read.values())
    with new_orthanc() as first, new_orthanc() as second:
        async with opened(folder=str(folder), first=first.url, second=second.url) as app:

            async def copied(source: str, target: str) -> dict[str, int]:
                found = [outcomes(await copy(app, source, target, Wanted(uid), report=Steps())) for uid in studies]
                return {key: sum(one.get(key, 0) for one in found) for one in found for key in one}

            count = len(ours)
            assert await copied("folder", "first") == {"stored": count}
            assert await copied("first", "second") == {"stored": count}
            there = held(second)
            assert {uid: file for uid, (_, file) in there.items()} == ours
            for uid, (_, file) in there.items():
                assert dcmread(BytesIO(file)) == read[uid], "every attribute, and the pixels"
            assert await copied("first", "second") == {"already_there": count}
            gone = next(uid for uid, file in read.items() if file.Modality == "SEG")
            async with httpx.AsyncClient(base_url=second.root, trust_env=False) as client:
                (await client.delete(f"/instances/{there[gone][0]}")).raise_for_status()
            assert await copied("first", "second") == {"stored": 1, "already_there": count - 1}
            assert held(second)[gone][1] == ours[gone]


async def test_a_cancelled_run_is_resumed(new_orthanc: Callable[..., Orthanc], tmp_path: Path) -> None:
    count = 160
    made = [make_file(tmp_path / f"{n}.dcm", "1.2", "1.2.1", f"1.2.1.{n}", PixelData=bytes([n]) * 200_000)
            for n in range(1, count + 1)]  # fmt: skip
    with new_orthanc() as first, new_orthanc() as second:
        await anyio.to_thread.run_sync(first.store, made)
        async with opened(first=first.url, second=second.url) as app:

            async def until_some_are_there(done: float, total: float, _: str) -> None:
                if 2 / 3 * total < done < total:
                    scope.cancel()

            with anyio.CancelScope() as scope:
                await copy(app, "first", "second", Wanted("1.2"), confirm=True, report=until_some_are_there)
            assert scope.cancelled_caught
            there = len(held(second))
            assert 50 <= there < count
            again: Any = await copy(app, "first", "second", Wanted("1.2"), confirm=True, report=Steps())
            assert outcomes(again) == {"already_there": there, "stored": count - there}
            theirs = {uid: file for uid, (_, file) in held(second).items()}
            assert theirs == {f"1.2.1.{n}": path.read_bytes() for n, path in enumerate(made, start=1)}
