"""Deleting from a real Orthanc through a real client; the truth is what its own REST API has afterwards."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio import to_thread
from mcp import Client

from archives.folder_helpers import make_file
from dicomweb_mcp.archives.base import Deleted
from dicomweb_mcp.archives.deletion.orthanc import OrthancDeleting
from dicomweb_mcp.server import build
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import load
from engines.orthanc import Orthanc
from tools.reading import answer, refusal

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def connected(server: Orthanc) -> AsyncIterator[Client]:
    settings = load(archives=[f"pacs={server.url}"], permits=["pacs:delete"], environment={})
    async with Client(build(App(settings)), raise_exceptions=True) as client:
        yield client


def instances(server: Orthanc) -> set[str]:
    with httpx.Client(base_url=server.root, trust_env=False) as client:
        return {one["MainDicomTags"]["SOPInstanceUID"] for one in client.get("/instances?expand").json()}


async def test_an_instance_a_series_a_study_and_nothing_else(
    new_orthanc: Callable[..., Orthanc], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of studies 1.2.1 and 1.2.2, each of two series of three instances; study 1.2.3 is there under two patients.
    And what arrives after the last look at a study stays, with all of it."""
    paths = [
        make_file(tmp_path / f"{s}{e}{i}.dcm", f"1.2.{s}", f"1.2.{s}.{e}", f"1.2.{s}.{e}.{i}", PatientID=f"P{s}")
        for s in (1, 2)
        for e in (1, 2)
        for i in (1, 2, 3)
    ]
    paths += [
        make_file(tmp_path / f"{patient}.dcm", "1.2.3", "1.2.3.1", "1.2.3.1.1", PatientID=patient)
        for patient in ("P3", "P4")
    ]
    with new_orthanc() as server:
        server.store(paths)
        async with connected(server) as client:
            left = instances(server)
            for uids, prefix, count in (
                ({"instance_uid": "1.2.1.1.2"}, "1.2.1.1.2", 1),
                ({"series_uid": "1.2.1.1"}, "1.2.1.1.", 2),
                ({"study_uid": "1.2.1"}, "1.2.1.", 3),
                ({"study_uid": "1.2.2", "series_uid": "1.2.2.2"}, "1.2.2.2.", 3),
            ):
                plan = await answer(client, "delete_instances", **uids)
                assert instances(server) == left
                assert plan["instances"] == count
                assert plan["patient"]["PatientID"] == f"P{prefix[4]}"
                assert plan["bytes"] > 200 * count
                done = await answer(client, "delete_instances", token=plan["token"], **uids)
                assert (done["deleted"], done["remaining"], done["unknown"]) == (count, 0, 0)
                left = {uid for uid in left if not uid.startswith(prefix)}
                assert instances(server) == left
            for uids in ({"study_uid": "1.2.3"}, {"series_uid": "1.2.3.1"}, {"instance_uid": "1.2.3.1.1"}):
                assert "2 objects" in await refusal(client, "delete_instances", token="x", **uids)
            assert instances(server) == left == {"1.2.2.1.1", "1.2.2.1.2", "1.2.2.1.3", "1.2.3.1.1"}
            plan = await answer(client, "delete_instances", study_uid="1.2.2")
            delete = OrthancDeleting.delete
            late = make_file(tmp_path / "late.dcm", "1.2.2", "1.2.2.1", "1.2.2.1.9", PatientID="P2")

            async def delete_late(self: OrthancDeleting, *arguments: Any) -> Deleted:
                await to_thread.run_sync(server.store, [late])
                return await delete(self, *arguments)

            monkeypatch.setattr(OrthancDeleting, "delete", delete_late)
            said = await refusal(client, "delete_instances", study_uid="1.2.2", token=plan["token"])
            assert "study 1.2.2 changed after it was looked at. Nothing was deleted" in said
            assert instances(server) == {*left, "1.2.2.1.9"}
