"""Pictures and a document made into instances, in a real Orthanc: it takes each kind, renders it, and gives it back."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from mcp import Client
from PIL import Image

from dicomweb_mcp.server import build
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import load
from engines.orthanc import Orthanc
from picture_files import GREY, GREY_16, PDF, RGB, encoded, orientation
from tools.reading import answer, refusal

pytestmark = pytest.mark.anyio
FILES = {
    "1.png": encoded(RGB, "PNG"),
    "2.png": encoded(GREY, "PNG"),
    "3.tif": encoded(GREY_16, "TIFF"),
    "4.jpg": encoded(RGB, "JPEG"),
    "5.jpg": encoded(RGB, "JPEG", subsampling="4:4:4"),
    "6.jpg": encoded(GREY, "JPEG"),
    "7.jpg": encoded(RGB, "JPEG", exif=orientation(3)),
    "8.jpg": encoded(RGB, "JPEG", keep_rgb=True),
}
STUDY = {"PatientID": "P1", "PatientName": "Müller^Änne=山田", "StudyDate": "2020-01-15", "StudyDescription": "Fotos"}


@pytest.fixture(scope="module")
def server(new_orthanc: Callable[..., Orthanc]) -> Iterator[Orthanc]:
    with new_orthanc() as running:
        yield running


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, data in {**FILES, "9.pdf": PDF}.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path.resolve()


def files(server: Orthanc) -> dict[str, pydicom.Dataset]:
    """SOP Instance UID -> the file as Orthanc hands it out itself."""
    with httpx.Client(base_url=server.root, trust_env=False) as client:
        ids = client.get("/instances").json()
        read = [pydicom.dcmread(io.BytesIO(client.get(f"/instances/{one}/file").content)) for one in ids]
    return {str(dataset.SOPInstanceUID): dataset for dataset in read}


def rendered(server: Orthanc, dataset: pydicom.Dataset) -> np.ndarray:
    path = f"/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}/instances/{dataset.SOPInstanceUID}"
    response = httpx.get(f"{server.url}{path}/rendered", headers={"Accept": "image/png"}, trust_env=False)
    assert response.status_code == 200
    return np.asarray(Image.open(io.BytesIO(response.content)))


def expected(name: str) -> np.ndarray:
    picture: Any = np.asarray(Image.open(io.BytesIO(FILES[name])))
    return np.rot90(picture, 2) if name == "7.jpg" else picture


async def test_it_takes_and_renders_each_kind(server: Orthanc, root: Path) -> None:
    settings = load(archives=[f"pacs={server.url}"], permits=["pacs:store"], file_roots=[root], environment={})
    async with Client(build(App(settings)), raise_exceptions=True) as client:
        found = await answer(client, "store_instances", paths=["."], metadata=STUDY)
        assert (found["stored"], found["rejected"], found["unknown"]) == (9, 0, 0)
        held = files(server)
        by_number = {int(dataset.InstanceNumber): dataset for dataset in held.values()}
        for name in FILES:
            dataset = by_number[int(name[0])]
            seen = rendered(server, dataset)
            want = expected(name)
            if want.ndim == 2:  # it spreads the smallest to the largest value of grey pixels
                want = (want.astype(float) - want.min()) * 255 / (int(want.max()) - int(want.min()))
            np.testing.assert_allclose(seen.astype(float), want.astype(float), atol=4, err_msg=name)
        assert by_number[9].EncapsulatedDocument[: len(PDF)] == PDF
        again = await answer(client, "store_instances", paths=["."], metadata=STUDY)
        assert (again["stored"], again["already_there"]) == (0, 9)

        study = str(by_number[1].StudyInstanceUID)
        joined = await answer(
            client, "store_instances", paths=["4.jpg"], metadata={"Modality": "XC", "SeriesNumber": 8}, study_uid=study
        )
        assert joined["stored"] == 1
        (made,) = (dataset for uid, dataset in files(server).items() if uid not in held)
        for keyword in ("PatientID", "PatientName", "StudyDate", "StudyDescription", "StudyInstanceUID"):
            assert made[keyword].value == by_number[1][keyword].value
        assert made.SOPClassUID == "1.2.840.10008.5.1.4.1.1.77.1.4"
        np.testing.assert_allclose(rendered(server, made).astype(int), expected("4.jpg").astype(int), atol=4)
        message = await refusal(
            client, "store_instances", paths=["4.jpg"], metadata={"StudyDate": "2020-01-16"}, study_uid=study
        )
        assert "another StudyDate" in message
        assert len((await answer(client, "search_studies"))["rows"]) == 1
