"""Retrieving from a real Orthanc through a real client: every byte is compared with what its own REST API has."""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from mcp import Client
from pydicom import dcmread
from pydicom.data import get_testdata_file

from archives.folder_helpers import make_file
from dicomweb_mcp.server import build
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import load
from engines.orthanc import Orthanc
from tools.reading import answer, refusal

pytestmark = pytest.mark.anyio
STUDY = "1.2.826.0.1.3680043.8.498.1"


@asynccontextmanager
async def connected(server: Orthanc, root: Path) -> AsyncIterator[Client]:
    settings = load(archives=[f"pacs={server.url}"], file_roots=[root], environment={})
    async with Client(build(App(settings)), raise_exceptions=True) as client:
        yield client


def truth(server: Orthanc) -> dict[str, dict[str, bytes]]:
    """Study Instance UID -> SOP Instance UID -> the file, as Orthanc hands it out itself."""
    found: dict[str, dict[str, bytes]] = {}
    with httpx.Client(base_url=server.root, trust_env=False) as client:
        for study in client.get("/studies?expand").json():
            files = found.setdefault(study["MainDicomTags"]["StudyInstanceUID"], {})
            for one in client.get(f"/studies/{study['ID']}/instances").json():
                files[one["MainDicomTags"]["SOPInstanceUID"]] = client.get(f"/instances/{one['ID']}/file").content
    return found


def arrived(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in folder.rglob("*.dcm")}


async def test_every_study_arrives_byte_for_byte(orthanc: Orthanc, tmp_path: Path) -> None:
    odd: list[str] = []
    studies = truth(orthanc)
    async with connected(orthanc, tmp_path) as client:
        for number, (study, files) in enumerate(studies.items()):
            found = await answer(client, "retrieve_instances", study_uid=study, directory=str(number))
            there = arrived(tmp_path / str(number))
            assert there.items() <= files.items(), study
            assert found["retrieved"] == len(there)
            assert found["already_there"] == found["different"] == 0
            if found["retrieved"] < len(files):
                odd += [row["reason"] for row in found["files"] if row["outcome"] == "failed"]
                assert len(there) + found["failed"] == len(files)
                continue
            again = await answer(client, "retrieve_instances", study_uid=study, directory=str(number))
            assert (again["retrieved"], again["already_there"]) == (0, len(files))
    assert sum(map(len, studies.values())) > 100
    assert all("cut off" in reason for reason in odd), odd


async def test_decompressed_by_orthanc(orthanc: Orthanc, tmp_path: Path) -> None:
    """What its own decoders can: the pixels are those that pydicom decodes from the stored file."""
    stored = next(file for files in truth(orthanc).values() for file in files.values() if is_jpeg_ls(file))
    (tmp_path / "stored.dcm").write_bytes(stored)
    original = dcmread(tmp_path / "stored.dcm")
    async with connected(orthanc, tmp_path) as client:
        found = await answer(
            client, "retrieve_instances", directory="plain", as_stored=False, instance_uids=[original.SOPInstanceUID]
        )
    assert found["retrieved"] == 1, found
    (path,) = (tmp_path / "plain").rglob("*.dcm")
    plain = dcmread(path)
    assert plain.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert (plain.pixel_array == original.pixel_array).all()


async def test_what_orthanc_cannot_give(orthanc: Orthanc, tmp_path: Path) -> None:
    one = dcmread(get_testdata_file("JPEG2000.dcm"))
    wanted = {"directory": "in", "instance_uids": [one.SOPInstanceUID]}
    async with connected(orthanc, tmp_path) as client:
        said = await refusal(client, "retrieve_instances", as_stored=False, **wanted)
        found = await answer(client, "retrieve_instances", **wanted)
        beyond = await refusal(client, "retrieve_instances", frames=[3], **wanted)
    assert beyond.endswith("has no frame 3 of this instance, which has frames 1 to 1.")
    assert "could not give it decompressed (500)" in said
    assert "as_stored=true fetches it as it is stored" in said
    assert found["retrieved"] == 1


def is_jpeg_ls(file: bytes) -> bool:
    return b"1.2.840.10008.1.2.4.80" in file[:1_000]


KILLED = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
import anyio
from pathlib import Path
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.retrieve import Wanted, retrieve
from dicomweb_mcp.settings import load
async def tell(*_): pass
async def run():
    app = App(load(archives=[f"pacs={sys.argv[2]}"], file_roots=[Path(sys.argv[3])], environment={}))
    await retrieve(app, None, Wanted(sys.argv[4]), "in", tell)
anyio.run(run)
"""


async def test_a_killed_run_is_resumed(new_orthanc: Callable[..., Orthanc], tmp_path: Path) -> None:
    """SIGKILL as soon as some files are there: all of them are whole, and the next run brings the others alone."""
    count, root = 80, tmp_path / "root"
    root.mkdir()
    made = [make_file(tmp_path / f"{n}.dcm", STUDY, f"{STUDY}.1", f"{STUDY}.1.{n}", PixelData=bytes([n]) * 200_000)
            for n in range(count)]  # fmt: skip
    with new_orthanc() as server:
        await anyio.to_thread.run_sync(server.store, made)
        files = truth(server)[STUDY]
        assert len(files) == count
        command = [sys.executable, "-c", KILLED, json.dumps(sys.path), server.url, str(root), STUDY]
        async with await anyio.open_process(command, env=dict(os.environ)) as process:
            with anyio.fail_after(60):
                while len(arrived(root)) < 5 and process.returncode is None:  # noqa: ASYNC110
                    await anyio.sleep(0.005)
            process.send_signal(signal.SIGKILL) if sys.platform != "win32" else process.kill()
            await process.wait()
        before = arrived(root)
        assert 5 <= len(before) < count
        assert before.items() <= files.items()
        async with connected(server, root) as client:
            found = await answer(client, "retrieve_instances", study_uid=STUDY, directory="in")
        assert (found["retrieved"], found["already_there"], found["failed"]) == (count - len(before), len(before), 0)
        assert arrived(root) == files
