"""The whole tool set on a real Orthanc, through a real client; the truth is Orthanc's own REST API and pydicom."""

import base64
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from mcp import Client
from PIL import Image
from pydicom.data import get_testdata_file

from dicomweb_mcp.server import build
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import load
from engines.orthanc import Orthanc
from tools.reading import answer, call, image_of, refusal, text_of

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def connected(server: Orthanc, mode: str = "auto") -> AsyncIterator[Client]:
    app = App(load(archives=[f"pacs={server.url}"], environment={}))
    async with Client(build(app), mode=mode, raise_exceptions=True) as client:
        yield client


def rest(server: Orthanc, path: str) -> Any:
    return httpx.get(f"{server.root}{path}", trust_env=False).json()


def rendered(server: Orthanc, path: str) -> bytes:
    return httpx.get(f"{server.url}{path}", headers={"Accept": "image/png"}, trust_env=False).content


def study_tags(server: Orthanc) -> list[dict[str, str]]:
    return [{**one["MainDicomTags"], **one["PatientMainDicomTags"]} for one in rest(server, "/studies?expand")]


def series_tags(server: Orthanc) -> list[dict[str, str]]:
    return [one["MainDicomTags"] for one in rest(server, "/series?expand")]


def ct() -> pydicom.Dataset:
    return pydicom.dcmread(get_testdata_file("CT_small.dcm"))


def pixels(result: Any) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(image_of(result).data))))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_whole_way(orthanc: Orthanc, mode: str) -> None:
    async with connected(orthanc, mode) as client:
        archives = await answer(client, "list_archives", check=True)
        assert archives["archives"][0]["kind"] == "orthanc"
        assert archives["archives"][0]["reachable"] is True
        studies = await answer(client, "search_studies", filters={"PatientID": "1CT1"})
        uid = studies["rows"][0]["StudyInstanceUID"]
        series = await answer(client, "list_series", study_uid=uid)
        instances = await answer(client, "list_instances", study_uid=uid)
        assert ct().SOPInstanceUID in [row["SOPInstanceUID"] for row in instances["rows"]]
        metadata = await answer(client, "get_metadata", instance_uid=ct().SOPInstanceUID)
        assert metadata["constant"]["KVP"] == float(ct().KVP)
        assert ct().SeriesInstanceUID in [row["SeriesInstanceUID"] for row in series["rows"]]
        picture = await call(client, "render_frame", series_uid=ct().SeriesInstanceUID)
        assert not picture.is_error
        assert picture.structured_content is None


async def test_counts_are_orthancs_own(orthanc: Orthanc) -> None:
    statistics = rest(orthanc, "/statistics")
    async with connected(orthanc) as client:
        for tool, key in [("search_studies", "CountStudies"), ("list_series", "CountSeries"),
                          ("list_instances", "CountInstances")]:  # fmt: skip
            assert (await answer(client, tool, count=True))["total"] == statistics[key]


@pytest.mark.parametrize(
    ("filters", "truth"),
    [
        ({"PatientID": "1CT1"}, lambda tags: tags.get("PatientID") == "1CT1"),
        ({"PatientID": "1ct1"}, lambda tags: tags.get("PatientID") == "1CT1"),
        ({"PatientName": "Doe*"}, lambda tags: tags.get("PatientName", "").upper().startswith("DOE")),
        ({"PatientName": "?oe^P*"}, lambda tags: tags.get("PatientName", "")[1:].lower().startswith("oe^p")),
        ({"PatientID": ["1CT1", "98890234"]}, lambda tags: tags.get("PatientID") in ("1CT1", "98890234")),
        ({"StudyDate": "2004-01-19"}, lambda tags: tags.get("StudyDate") == "20040119"),
        ({"StudyDate": "2003"}, lambda tags: tags.get("StudyDate", "").startswith("2003")),
        ({"StudyDate": ">2004-01-19"}, lambda tags: tags.get("StudyDate", "") > "20040119"),
        ({"StudyDate": "..1999"}, lambda tags: "0" < tags.get("StudyDate", "") <= "19991231"),
        ({"StudyTime": "07:00..08:00"}, lambda tags: "07" <= tags.get("StudyTime", "") < "080060" and tags.get("StudyTime")),
        ({"PatientSex": "F", "StudyDate": ">=2000"}, lambda tags: tags.get("PatientSex") == "F" and tags.get("StudyDate", "") >= "2000"),
        ({"StudyID": "1"}, lambda tags: tags.get("StudyID") == "1"),
        ({"StudyDescription": "e+1"}, lambda tags: tags.get("StudyDescription") == "e+1"),
    ],
    ids=lambda case: case.__name__ if callable(case) else str(case),
)  # fmt: skip
async def test_filters_find_what_orthanc_holds(
    orthanc: Orthanc, filters: dict[str, Any], truth: Callable[..., Any]
) -> None:
    expected = {tags["StudyInstanceUID"] for tags in study_tags(orthanc) if truth(tags)}
    async with connected(orthanc) as client:
        found = await answer(client, "search_studies", filters=filters, limit=500, fields=["PatientID"])
    assert {row["StudyInstanceUID"] for row in found["rows"]} == expected
    assert found["complete"] is True


@pytest.mark.parametrize(
    ("filters", "truth"),
    [
        ({"Modality": "SEG"}, lambda tags: tags.get("Modality") == "SEG"),
        ({"Modality": ["SEG", "SR"]}, lambda tags: tags.get("Modality") in ("SEG", "SR")),
        ({"SeriesDescription": "*brain*"}, lambda tags: "brain" in tags.get("SeriesDescription", "").lower()),
        ({"SeriesNumber": 2}, lambda tags: tags.get("SeriesNumber", "").strip() == "2"),
        ({"BodyPartExamined": "HEAD"}, lambda tags: tags.get("BodyPartExamined") == "HEAD"),
        ({"Manufacturer": "GE MEDICAL SYSTEMS"}, lambda tags: tags.get("Manufacturer", "").upper() == "GE MEDICAL SYSTEMS"),
    ],
    ids=lambda case: case.__name__ if callable(case) else str(case),
)  # fmt: skip
async def test_series_filters_find_what_orthanc_holds(
    orthanc: Orthanc, filters: dict[str, Any], truth: Callable[..., Any]
) -> None:
    expected = {tags["SeriesInstanceUID"] for tags in series_tags(orthanc) if truth(tags)}
    assert expected
    async with connected(orthanc) as client:
        found = await answer(client, "list_series", filters=filters, limit=500, fields=["Modality"])
    assert {row["SeriesInstanceUID"] for row in found["rows"]} == expected
    assert found["complete"] is True


async def test_letters_that_its_query_strings_cannot_hold(new_orthanc: Callable[..., Orthanc]) -> None:
    datasets = []
    for number, (name, description) in enumerate(
        [("Müller^Jörg", "CT Chest, low dose"), ("Möller^Jörg", "CT_Chest__low_dose"), ("Åse^Ødegård", "CT")]
    ):
        dataset = ct()
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.PatientName, dataset.StudyDescription = name, description
        dataset.PatientID = f"P{number}"
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            setattr(dataset, keyword, pydicom.uid.generate_uid(entropy_srcs=[keyword, str(number)]))
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        datasets.append(dataset)
    with new_orthanc() as server:
        server.store(datasets)
        async with connected(server) as client:
            for filters, expected in [
                ({"PatientName": "Müller^Jörg"}, "P0"),
                ({"PatientName": "Müller*"}, "P0"),
                ({"PatientName": "Åse^Ødegård"}, "P2"),
                ({"StudyDescription": "CT Chest, low dose"}, "P0"),
            ]:
                found = await answer(client, "search_studies", filters=filters)
                assert [row["PatientID"] for row in found["rows"]] == [expected], filters
                assert found["complete"] is True
            found = await answer(client, "search_studies", filters={"PatientName": "jorg muller"}, fuzzy=True)
            assert [row["PatientID"] for row in found["rows"]] == ["P0"]


async def test_metadata_says_what_the_file_says(orthanc: Orthanc) -> None:
    dataset = pydicom.dcmread(get_testdata_file("MR_small.dcm"))
    fields = ["PatientID", "EchoTime", "PixelSpacing", "ImageOrientationPatient", "StudyDate", "SOPClassUID"]
    async with connected(orthanc) as client:
        found = await answer(client, "get_metadata", instance_uid=dataset.SOPInstanceUID, fields=fields)
    assert found["constant"] == {
        "PatientID": dataset.PatientID,
        "EchoTime": float(dataset.EchoTime),
        "PixelSpacing": [float(value) for value in dataset.PixelSpacing],
        "ImageOrientationPatient": [float(value) for value in dataset.ImageOrientationPatient],
        "StudyDate": f"{dataset.StudyDate[:4]}-{dataset.StudyDate[4:6]}-{dataset.StudyDate[6:]}",
        "SOPClassUID": "MR Image Storage",
    }


async def test_a_window_is_exact_against_orthancs_linear(orthanc: Orthanc, test_data) -> None:
    """Orthanc applies window=c,w,linear exactly; the picture must agree to within rounding."""
    dataset = pydicom.dcmread(test_data / "ct-head-ge" / "14.dcm")
    path = f"/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}/instances/{dataset.SOPInstanceUID}"
    expected = np.asarray(Image.open(io.BytesIO(rendered(orthanc, f"{path}/rendered?window=40,80,linear"))))
    async with connected(orthanc) as client:
        result = await call(client, "render_frame", instance_uid=dataset.SOPInstanceUID, window="40,80")
    ours = pixels(result)
    assert ours.shape == expected.shape == (512, 512)
    assert np.abs(ours.astype(int) - expected.astype(int)).max() <= 1


async def test_slices_are_in_geometric_order(orthanc: Orthanc, test_data) -> None:
    datasets = [
        pydicom.dcmread(path, stop_before_pixels=True) for path in sorted((test_data / "ct-head-ge").glob("*.dcm"))
    ]
    row, column = np.array(datasets[0].ImageOrientationPatient[:3]), np.array(datasets[0].ImageOrientationPatient[3:])
    normal = np.cross(row, column)
    ordered = sorted(datasets, key=lambda dataset: float(np.dot(normal, dataset.ImagePositionPatient)))
    async with connected(orthanc) as client:
        for wanted, index in [("first", 0), (5, 4), ("middle", 13), ("last", 27)]:
            text = text_of(
                await call(client, "render_frame", series_uid=datasets[0].SeriesInstanceUID, slice=wanted, size=64)
            )
            assert f"SOPInstanceUID: {ordered[index].SOPInstanceUID}" in text
            position = float(np.dot(normal, ordered[index].ImagePositionPatient))
            assert f"slice: {index + 1} of 28 in geometric order, at {position:.2f} mm" in text


@pytest.mark.parametrize(
    "name",
    ["693_J2KI.dcm", "SC_rgb_rle_2frame.dcm", "examples_palette.dcm", "examples_ybr_color.dcm", "SC_rgb_jpeg_gdcm.dcm",
     "MR_small_bigendian.dcm", "image_dfl.dcm", "MR_small_jpeg_ls_lossless.dcm", "JPGExtended.dcm", "liver_1frame.dcm"],
)  # fmt: skip
async def test_pictures_of_many_kinds_come_from_the_stored_frame(orthanc: Orthanc, name: str) -> None:
    dataset = pydicom.dcmread(get_testdata_file(name))
    async with connected(orthanc) as client:
        result = await call(client, "render_frame", instance_uid=dataset.SOPInstanceUID, frame=1)
    assert not result.is_error, text_of(result)
    assert "rendered by: this program" in text_of(result)
    shown = pixels(result)
    assert shown.shape[0] / shown.shape[1] == pytest.approx(dataset.Rows / dataset.Columns, rel=0.25)


async def test_a_preview_is_in_geometric_order(orthanc: Orthanc, test_data) -> None:
    datasets = [pydicom.dcmread(path) for path in sorted((test_data / "ct-head-ge").glob("*.dcm"))]
    row, column = np.array(datasets[0].ImageOrientationPatient[:3]), np.array(datasets[0].ImageOrientationPatient[3:])
    ordered = sorted(datasets, key=lambda one: float(np.dot(np.cross(row, column), one.ImagePositionPatient)))
    async with connected(orthanc) as client:
        text = text_of(await call(client, "preview_series", series_uid=datasets[0].SeriesInstanceUID, samples=4))
    lines = [line for line in text.splitlines() if line.startswith("row ")]
    for line, k in zip(lines, (1, 10, 19, 28), strict=True):
        assert f"slice {k} of 28" in line
        assert f"SOPInstanceUID {ordered[k - 1].SOPInstanceUID}" in line


async def test_a_preview_of_a_cine(orthanc: Orthanc) -> None:
    cine = pydicom.dcmread(get_testdata_file("examples_ybr_color.dcm"))
    async with connected(orthanc) as client:
        result = await call(client, "preview_series", series_uid=cine.SeriesInstanceUID, samples=4)
    assert not result.is_error, text_of(result)
    assert "not shown" not in text_of(result)
    assert [f"frame {frame} of 30" in text_of(result) for frame in (1, 11, 20, 30)] == [True] * 4


async def test_what_has_no_pixels_says_so(orthanc: Orthanc) -> None:
    dataset = pydicom.dcmread(get_testdata_file("test-SR.dcm"))
    async with connected(orthanc) as client:
        text = await refusal(client, "render_frame", instance_uid=dataset.SOPInstanceUID)
    assert "has no pixels to show: describe_object reads it" in text


async def test_a_wrong_password_is_told(new_orthanc: Callable[..., Orthanc]) -> None:
    with new_orthanc(("alice", "secret")) as server:
        for environment, reachable in [
            ({}, False),
            ({"DICOMWEB_PACS_USERNAME": "alice", "DICOMWEB_PACS_PASSWORD": "wrong"}, False),
            ({"DICOMWEB_PACS_USERNAME": "alice", "DICOMWEB_PACS_PASSWORD": "secret"}, True),
        ]:
            with pytest.MonkeyPatch.context() as patch:
                for name, value in environment.items():
                    patch.setenv(name, value)
                app = App(load(archives=[f"pacs={server.url}"], environment=environment))
                async with Client(build(app)) as client:
                    (archive,) = (await answer(client, "list_archives", check=True))["archives"]
            assert archive["reachable"] is reachable
            if not reachable:
                assert "401" in archive["health"]
                assert "wrong" not in str(archive)


@pytest.mark.parametrize("path", ["", "/wrong", "/dicom-web/studies"])
async def test_an_address_beside_dicomweb(orthanc: Orthanc, path: str) -> None:
    app = App(load(archives=[f"pacs={orthanc.root}{path}"], environment={}))
    async with Client(build(app), raise_exceptions=True) as client:
        says = await refusal(client, "search_studies", filters={"PatientID": "x"})
        assert "seems to have no DICOMweb at its address" in says
        assert says.endswith("Give the base address that ends before /studies; Orthanc's ends in /dicom-web.")
        (checked,) = (await answer(client, "list_archives", check=True))["archives"]
        assert checked["health"] == says
