"""store_instances with metadata, through a client: what was stored is looked at with our own tools."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcp import Client
from PIL import Image

from dicomweb_mcp.server import build
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import load
from picture_files import GREY, PDF, PROFILE, RGB, encoded, orientation
from tools.reading import answer, call, refusal, shown

pytestmark = pytest.mark.anyio
FILES = {
    "colour.png": encoded(RGB, "PNG"),
    "grey.tif": encoded(GREY, "TIFF"),
    "photo.jpg": encoded(RGB, "JPEG"),
    "fine.jpg": encoded(RGB, "JPEG", subsampling="4:4:4", icc_profile=PROFILE),
    "rgb.jpg": encoded(RGB, "JPEG", keep_rgb=True),
    "lying.jpg": encoded(RGB, "JPEG", exif=orientation(8)),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "outgoing"
    folder.mkdir()
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    (folder / "letter.pdf").write_bytes(PDF)
    return folder


@asynccontextmanager
async def connected(root: Path) -> AsyncIterator[Client]:
    archive = root.parent / "archive"
    archive.mkdir()
    settings = load(archives=[f"mine={archive}"], permits=["mine:store"], file_roots=[root], environment={})
    async with Client(build(App(settings)), raise_exceptions=True) as client:
        yield client


async def stored(client: Client, path: str, **metadata: Any) -> dict[str, Any]:
    """Store one file and find it: its row."""
    given = {"PatientID": "P1", "StudyID": path, **metadata}
    found = await answer(client, "store_instances", paths=[path], metadata=given)
    assert found["stored"] == 1, found
    (study,) = found["studies"]
    (row,) = (await answer(client, "list_instances", study_uid=study))["rows"]
    return {**row, "StudyInstanceUID": study}


@pytest.mark.parametrize("modality", ["OT", "XC"])
async def test_pictures_are_shown_as_they_are(root: Path, modality: str) -> None:
    async with connected(root) as client:
        for name, data in FILES.items():
            row = await stored(client, name, Modality=modality)
            result = await call(client, "render_frame", instance_uid=row["SOPInstanceUID"], size=1_024, format="png")
            picture = Image.open(io.BytesIO(data))
            expected = np.rot90(np.asarray(picture)) if name == "lying.jpg" else np.asarray(picture)
            seen = shown(result)
            scale = seen.shape[0] // expected.shape[0]
            if seen.ndim > expected.ndim:
                expected = np.repeat(expected[..., None], 3, -1)
            enlarged = np.kron(expected, np.ones((scale, scale, 1)[: expected.ndim], np.uint8))
            np.testing.assert_allclose(seen.astype(int), enlarged.astype(int), atol=4, err_msg=name)


async def test_a_document_is_described(root: Path) -> None:
    async with connected(root) as client:
        row = await stored(client, "letter.pdf", DocumentTitle="Befund")
        found = await answer(client, "describe_object", instance_uid=row["SOPInstanceUID"])
    assert found["kind"] == "encapsulated document"
    assert found["facts"]["DocumentTitle"] == "Befund"
    assert found["facts"]["size_bytes"] == len(PDF)


async def test_the_answer_names_the_files_that_were_named(root: Path) -> None:
    (root / "cut.png").write_bytes(FILES["colour.png"][:50])
    async with connected(root) as client:
        found = await answer(client, "store_instances", paths=["*.png", "lying.jpg"], metadata={"PatientID": "P1"})
        assert (found["stored"], found["rejected"]) == (2, 1)
        assert [(row["file"], row["outcome"]) for row in found["files"]] == [("cut.png", "rejected")]
        assert "PNG" in found["files"][0]["reason"]
        assert any("1 of 3 files: turned as its Exif orientation says" in note for note in found["notes"])
        again = await answer(client, "store_instances", paths=["lying.jpg"], metadata={"PatientID": "P1"})
    assert (again["stored"], again["different"]) == (0, 1), "alone it is the first of the series, not the third"
    assert again["files"][0]["reason"].endswith("differs: InstanceNumber")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"metadata": "PatientID=P1"}, "valid dict"),
        ({"metadata": {}}, "metadata needs PatientID"),
        ({"metadata": {"PatientID": "P1", "PatientAge": "54"}}, "PatientAge is not valid"),
        ({"metadata": {"PatientID": "P1", "Columns": 5}}, "leave it out"),
        ({"metadata": {"PatientID": "P1"}, "study_uid": "1.2.3"}, "has no study 1.2.3 to join"),
    ],
)
async def test_what_is_refused(root: Path, arguments: dict[str, Any], says: str) -> None:
    async with connected(root) as client:
        assert says in await refusal(client, "store_instances", paths=["colour.png"], **arguments)
