"""Storing into a real Orthanc through a real client; the truth is what its own REST API has afterwards."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from anyio import to_thread
from mcp import Client
from pydicom.uid import ImplicitVRLittleEndian

import dicomweb_mcp
from archives.folder_helpers import SAMPLES, make_file
from dicomweb_mcp.server import build
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import load
from engines.orthanc import Orthanc
from tools.reading import answer

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def connected(server: Orthanc, root: Path) -> AsyncIterator[Client]:
    settings = load(archives=[f"pacs={server.url}"], permits=["pacs:store"], file_roots=[root], environment={})
    async with Client(build(App(settings)), raise_exceptions=True) as client:
        yield client


def instances(server: Orthanc) -> dict[str, bytes]:
    """SOP Instance UID -> the file, as Orthanc hands it out itself."""
    with httpx.Client(base_url=server.root, trust_env=False) as client:
        found = client.get("/instances?expand").json()
        return {
            one["MainDicomTags"]["SOPInstanceUID"]: client.get(f"/instances/{one['ID']}/file").content for one in found
        }


def count(server: Orthanc) -> int:
    with httpx.Client(base_url=server.root, trust_env=False) as client:
        return int(client.get("/statistics").json()["CountInstances"])


@pytest.fixture
def server(new_orthanc: Callable[..., Orthanc]) -> Any:
    with new_orthanc() as running:
        yield running


async def test_real_files_arrive_byte_for_byte_and_every_outcome_is_true(server: Orthanc, tmp_path: Path) -> None:
    root = tmp_path.resolve() / "outgoing"
    shutil.copytree(SAMPLES, root, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    async with connected(server, root) as client:
        first = await answer(client, "store_instances", paths=["."], confirm=True)
        held = instances(server)
        ours = {path.read_bytes() for path in root.rglob("*") if path.is_file()}
        assert first["stored"] == len(held) > 100
        assert set(held.values()) <= ours, "Orthanc has exactly files of ours"
        assert first["unknown"] == first["not_sent"] == first["different"] == 0
        for _ in ("compared", "remembered"):
            again = await answer(client, "store_instances", paths=["."])
            assert again["stored"] == again["unknown"] == 0
            # J2K_pixelrep_mismatch.dcm: Orthanc 1.10 reads the backslashes of its Japanese character set as Yen signs
            # and cannot say its numbers, so it cannot be told to be the same
            assert (again["already_there"], again["different"]) == (first["stored"] - 1, 1)
            different = [row["file"] for row in again["files"] if row["outcome"] == "different"]
            assert different == ["J2K_pixelrep_mismatch.dcm"]
    assert instances(server) == held


async def test_a_file_that_only_orthanc_refuses_costs_only_itself(server: Orthanc, tmp_path: Path) -> None:
    """A sequence whose length is right and whose content is none: Orthanc does not read it, and answers 400 for the whole
    request although it stored the others."""
    root = tmp_path.resolve() / "outgoing"
    for number in range(1, 6):
        make_file(root / f"{number}.dcm", "1.2", "1.2.3", f"1.2.3.{number}")
    bad = make_file(root / "3.dcm", "1.2", "1.2.3", "1.2.3.3", ImplicitVRLittleEndian)
    with bad.open("ab") as file:
        file.write(b"\x40\x00\x75\x02" + (64).to_bytes(4, "little") + b"no items" * 8)  # RequestAttributesSequence
    async with connected(server, root) as client:
        found = await answer(client, "store_instances", paths=["."])
    assert (found["stored"], found["rejected"]) == (4, 1)
    assert found["files"][0]["file"] == "3.dcm"
    assert found["files"][0]["reason"].startswith("Archive pacs: ")
    assert set(instances(server)) == {f"1.2.3.{number}" for number in (1, 2, 4, 5)}


async def test_another_patient_in_a_study_never_reaches_orthanc(server: Orthanc, tmp_path: Path) -> None:
    """Orthanc would make a second study of the same UID and lose the metadata of both."""
    root = tmp_path.resolve() / "outgoing"
    make_file(root / "1.dcm", "1.2", "1.2.3", "1.2.3.1", PatientID="P1")
    async with connected(server, root) as client:
        await answer(client, "store_instances", paths=["1.dcm"])
        make_file(root / "2.dcm", "1.2", "1.2.3", "1.2.3.2", PatientID="P2")
        found = await answer(client, "store_instances", paths=["2.dcm"])
        assert found["rejected"] == 1
        assert "under another PatientID" in found["files"][0]["reason"]
        metadata = await answer(client, "get_metadata", study_uid="1.2", fields=["PatientID"])
    assert metadata["constant"]["PatientID"] == "P1"
    assert set(instances(server)) == {"1.2.3.1"}


async def test_changed_content_is_told_and_the_old_file_is_kept(server: Orthanc, tmp_path: Path) -> None:
    root = tmp_path.resolve() / "outgoing"
    path = make_file(root / "1.dcm", "1.2", "1.2.3", "1.2.3.1", StudyDescription="before")
    async with connected(server, root) as client:
        await answer(client, "store_instances", paths=["1.dcm"])
        held = instances(server)
        make_file(path, "1.2", "1.2.3", "1.2.3.1", StudyDescription="after")
        found = await answer(client, "store_instances", paths=["1.dcm"])
    assert found["different"] == 1
    assert "StudyDescription" in found["files"][0]["reason"]
    assert instances(server) == held


async def test_a_study_of_its_own(server: Orthanc, tmp_path: Path) -> None:
    root = tmp_path.resolve() / "outgoing"
    make_file(root / "1.dcm", "1.2", "1.2.3", "1.2.3.1")
    async with connected(server, root) as client:
        found = await answer(client, "store_instances", paths=["1.dcm"], study_uid="1.2")
        assert found["stored"] == 1
        rows = (await answer(client, "list_instances", study_uid="1.2"))["rows"]
    assert pydicom.dcmread(root / "1.dcm").SOPInstanceUID == rows[0]["SOPInstanceUID"]


KILLED = """
import sys
from functools import partial
import anyio
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.transfer import store
from dicomweb_mcp.settings import load

async def report(done, total, message):
    print(message, flush=True)

async def main(url, root):
    app = App(load(archives=[f"pacs={url}"], permits=["pacs:store"], file_roots=[root], environment={}))
    await store(app, None, ["."], confirm=True, report=report)

anyio.run(partial(main, *sys.argv[1:]))
"""


async def test_a_thousand_files_with_all_that_can_be_wrong_and_a_kill_in_the_middle(
    server: Orthanc, tmp_path: Path
) -> None:
    """Five that Orthanc refuses, five that it has otherwise, five of a study of another patient, five copies; the first
    run is killed after some batches, the second one sends what is missing: nothing lost, nothing twice."""
    root = tmp_path.resolve() / "outgoing"
    template = make_file(root / "a" / "0.dcm", "1.2", "1.2.3", "1.2.3.1000").read_bytes()
    for number in range(1_001, 1_980):
        (root / "a" / f"{number}.dcm").write_bytes(template.replace(b"1.2.3.1000", f"1.2.3.{number}".encode()))
    for number in range(1, 6):
        make_file(root / "b" / f"{number}.dcm", "1.2", "1.2.3", f"1.2.3.1.{number}", ImplicitVRLittleEndian)
        with (root / "b" / f"{number}.dcm").open("ab") as file:
            file.write(b"\x40\x00\x75\x02" + (64).to_bytes(4, "little") + b"no items" * 8)
        make_file(root / "d" / f"{number}.dcm", "1.4", "1.4.3", f"1.4.3.{number}", StudyDescription="before")
        make_file(root / "m" / f"{number}.dcm", "1.5", "1.5.3", f"1.5.3.{number}", PatientID="P1")
        shutil.copy(root / "a" / f"{1_100 + number}.dcm", root / f"copy{number}.dcm")
    server.store([*(root / "d").iterdir(), root / "m" / "5.dcm"])
    for number in range(1, 6):
        make_file(root / "d" / f"{number}.dcm", "1.4", "1.4.3", f"1.4.3.{number}", StudyDescription="after")
        make_file(root / "m" / f"{number}.dcm", "1.5", "1.5.3", f"1.5.3.{number}", PatientID="P2")

    killed_after = await to_thread.run_sync(killed_in_the_middle, server.url, root)
    held = instances(server)
    assert 100 <= killed_after < 980
    async with connected(server, root) as client:
        found = await answer(client, "store_instances", paths=["."], confirm=True)
    assert found["stored"] + found["already_there"] == 980
    assert len(held) - 6 <= found["already_there"] < 980, "Orthanc may go on with what it had received"
    assert (found["different"], found["rejected"]) == (5, 5 + 5 + 5)
    assert found["unknown"] == found["not_sent"] == 0
    lines = [json.loads(line) for line in Path(found["report"]).read_text("utf-8").splitlines()]
    assert len(lines) == 1_000
    refused = {line["SOPInstanceUID"] for line in lines if "Archive pacs: " in line["reason"]}
    assert refused == {f"1.2.3.1.{number}" for number in range(1, 6)}

    after = instances(server)
    assert count(server) == len(after) == 980 + 6
    assert {uid: after[uid] for uid in held} == held
    for path in (root / "a").iterdir():
        assert after[pydicom.dcmread(path).SOPInstanceUID] == path.read_bytes()


def killed_in_the_middle(url: str, root: Path) -> int:
    """Files that a run had told as done when it was killed."""
    environment = {**os.environ, "PYTHONPATH": str(Path(dicomweb_mcp.__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, url, str(root)], stdout=subprocess.PIPE, env=environment, text=True
    ) as run:
        assert run.stdout is not None
        done = 0
        for line in run.stdout:
            if " files done, " in line:
                done = int(line.split(" of ")[0].replace(",", "")) - 20  # those decided before anything was sent
            if done >= 200:
                run.kill()
                break
    assert run.returncode == -signal.SIGKILL
    return done
