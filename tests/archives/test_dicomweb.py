"""DICOMweb resources over the scripted servers: what is asked, what comes back, what is noticed."""

from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import httpx
import pydicom
import pytest
from pydicom.data import get_testdata_file

from dicomweb_mcp.archives.base import ArchiveError, NotFound, NotUnderstood, Place, Refused
from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from dicomweb_mcp.dicom.query import Plan, Query, make_plan
from dicomweb_mcp.dicom.rules import Level
from dicomweb_mcp.dicom.values import text
from fakes.base import Fake
from fakes.dcm4chee import Dcm4chee
from fakes.deaf import Deaf
from fakes.google import IDC_BASE, Google
from fakes.orthanc_like import OrthancLike
from fakes.store import Store
from support import HURRIED, URLS, open_over

pytestmark = pytest.mark.anyio

STORE = Store.shipped("CT_small.dcm", "MR_small.dcm", "SC_rgb_rle_2frame.dcm", "examples_palette.dcm", "693_J2KI.dcm")
CT = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
RLE = pydicom.dcmread(get_testdata_file("SC_rgb_rle_2frame.dcm"))


def place_of(dataset: pydicom.Dataset) -> Place:
    return Place(dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)


def servers() -> list[tuple[str, Fake]]:
    return [
        ("google", Google(STORE)),
        ("idc", Google(STORE, IDC_BASE, idc=True)),
        ("dcm4chee", Dcm4chee(STORE)),
    ]


def planned(archive: DicomwebArchive, level: Level, filters: dict[str, Any] | None = None, **more: Any) -> Plan:
    return make_plan(Query(level, filters=filters, **more), archive.profile.rules)


# ---- search ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "fake"), servers(), ids=lambda item: item if isinstance(item, str) else "")
async def test_search_finds_and_finds_nothing(kind: str, fake: Fake) -> None:
    archive = open_over(fake, kind)
    page = await archive.search(planned(archive, Level.STUDY, {"PatientID": "1CT1"}), limit=5, offset=0)
    assert [text(row, "StudyInstanceUID") for row in page.rows] == [CT.StudyInstanceUID]
    page = await archive.search(planned(archive, Level.STUDY, {"PatientID": "nobody"}), limit=5, offset=0)
    assert page.rows == []


@pytest.mark.parametrize(
    ("kind", "level", "query", "path", "raw"),
    [
        ("orthanc", Level.STUDY, {"filters": {"PatientName": "Doe^J*", "ModalitiesInStudy": ["CT", "MR"]}},
         "/studies", "PatientName=Doe^J*&ModalitiesInStudy=CT,MR&limit=5"),
        ("orthanc", Level.STUDY, {"filters": {"StudyDescription": "CT Chest, Müller"}},
         "/studies", "StudyDescription=CT?Chest??M*ller&includefield=StudyDescription&limit=5"),
        ("orthanc", Level.STUDY, {"filters": {"OtherPatientIDs": "zz"}},
         "/studies", "00101000=zz&includefield=00101000&limit=5"),
        ("google", Level.STUDY, {"filters": {"PatientName": "Müller & Söhne a+b=c/#"}},
         "/studies", "PatientName=M%C3%BCller%20%26%20S%C3%B6hne%20a%2Bb%3Dc%2F%23&limit=5"),
        ("google", Level.STUDY, {"filters": {"PatientName": "john"}, "fuzzy": True},
         "/studies", "PatientName=john&fuzzymatching=true&limit=5"),
        ("google", Level.STUDY, {"filters": {"StudyDate": "2020-01-15.."}},
         "/studies", "StudyDate=20200115-&limit=5"),
        ("google", Level.SERIES, {"study_uid": "1.2.3", "fields": ["SeriesNumber"]},
         "/studies/1.2.3/series", "includefield=SeriesNumber&limit=5"),
        ("generic", Level.INSTANCE, {"study_uid": "1.2", "series_uid": "1.3", "filters": {"InstanceNumber": 7}},
         "/studies/1.2/series/1.3/instances", "InstanceNumber=7&limit=5"),
        ("generic", Level.INSTANCE, {"series_uid": "1.3"},
         "/instances", "SeriesInstanceUID=1.3&limit=5"),
    ],
)  # fmt: skip
async def test_query_strings_to_the_letter(kind: str, level: Level, query: dict[str, Any], path: str, raw: str) -> None:
    seen: list[httpx.URL] = []

    def server(request: httpx.Request) -> httpx.Response:
        seen.append(request.url)
        return httpx.Response(200, json=[])

    archive = open_over(server, kind)
    await archive.search(planned(archive, level, **query), limit=5, offset=0)
    assert seen[0].query.decode() == raw
    assert seen[0].path.endswith(path)


async def test_offset_is_sent_when_there_is_one() -> None:
    fake = Deaf(STORE)
    archive = open_over(fake, "generic")
    await archive.search(planned(archive, Level.STUDY), limit=5, offset=7)
    assert fake.requests[0].one("offset") == "7"


async def test_the_warning_of_more_results_is_read() -> None:
    archive = open_over(Dcm4chee(Store.synthetic(studies=30), max_results=10), "dcm4chee")
    page = await archive.search(planned(archive, Level.STUDY), limit=26, offset=0)
    assert len(page.rows) == 10
    assert page.remaining == 20


@pytest.mark.parametrize(
    ("content", "content_type", "says"),
    [
        (b"<html>sign in</html>", "text/html", "a web page. Check that its address"),
        (b"not json", "application/json", "something that is not JSON"),
        (b'{"a": 1}', "application/dicom+json", "no list of DICOM objects"),
        (b"[1, 2]", "application/dicom+json", "no list of DICOM objects"),
        (b'[{"a": ', "application/dicom+json", "cut or damaged"),
    ],
)
async def test_answers_that_are_not_what_they_claim(content: bytes, content_type: str, says: str) -> None:
    def server(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=content, headers={"Content-Type": content_type})

    archive = open_over(server, "generic")
    with pytest.raises(NotUnderstood, match=says):
        await archive.search(planned(archive, Level.STUDY), limit=5, offset=0)


@pytest.mark.parametrize(
    "answer", [httpx.Response(204), httpx.Response(200, content=b""), httpx.Response(200, json=[])]
)
async def test_three_ways_to_say_nothing(answer: httpx.Response) -> None:
    archive = open_over(lambda _: httpx.Response(answer.status_code, content=answer.content), "generic")
    assert (await archive.search(planned(archive, Level.STUDY), limit=5, offset=0)).rows == []


# ---- retrieve --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "fake"), servers(), ids=lambda item: item if isinstance(item, str) else "")
async def test_metadata_of_an_instance(kind: str, fake: Fake) -> None:
    archive = open_over(fake, kind)
    async with aclosing(archive.metadata(place_of(CT))) as objects:
        found = [obj async for obj in objects]
    assert [text(obj, "SOPInstanceUID") for obj in found] == [CT.SOPInstanceUID]


@pytest.mark.parametrize("kind", ["google", "dcm4chee", "orthanc"])
async def test_metadata_of_what_is_not_there(kind: str) -> None:
    fake = {"google": Google, "dcm4chee": Dcm4chee, "orthanc": OrthancLike}[kind](STORE)
    archive = open_over(fake, kind)
    with pytest.raises(ArchiveError):
        async with aclosing(archive.metadata(Place("1.2.3"))) as objects:
            _ = [obj async for obj in objects]


@pytest.mark.parametrize(("kind", "fake"), servers(), ids=lambda item: item if isinstance(item, str) else "")
@pytest.mark.parametrize("gzip", [False, True])
async def test_frames_as_stored_with_their_syntax(kind: str, fake: Fake, gzip: bool) -> None:
    fake.gzip = gzip
    archive = open_over(fake, kind)
    one, two = await archive.frames(place_of(RLE), [1, 2])
    assert (one.number, two.number) == (1, 2)
    for frame in (one, two):
        assert frame.transfer_syntax == "1.2.840.10008.1.2.5"
        assert frame.data == pydicom.encaps.get_frame(RLE.PixelData, frame.number - 1, number_of_frames=2)
    (native,) = await archive.frames(place_of(CT), [1])
    assert native.transfer_syntax == "1.2.840.10008.1.2.1"
    assert native.data == CT.PixelData


async def test_frames_are_asked_for_in_batches_in_order() -> None:
    fake = Google(STORE)
    archive = open_over(fake, "google")
    object.__setattr__(archive.profile, "frames_per_request", 400)
    frames = await archive.frames(place_of(RLE), [2, 1, 2])
    assert [frame.number for frame in frames] == [2, 1, 2]
    assert frames[0].data == frames[2].data != frames[1].data


@pytest.mark.parametrize(("kind", "fake"), servers(), ids=lambda item: item if isinstance(item, str) else "")
async def test_a_frame_beyond_the_last_is_an_error(kind: str, fake: Fake) -> None:
    archive = open_over(fake, kind)
    with pytest.raises(ArchiveError):
        await archive.frames(place_of(RLE), [3])


async def test_the_next_media_type_is_tried_when_the_server_declines() -> None:
    accepts: list[str] = []

    def server(request: httpx.Request) -> httpx.Response:
        accepts.append(request.headers["accept"])
        if "transfer-syntax=*" in accepts[-1]:
            return httpx.Response(406)
        return httpx.Response(200, content=b"pixels", headers={"Content-Type": "application/octet-stream"})

    (frame,) = await open_over(server, "generic").frames(Place("1.2", "1.3", "1.4"), [1])
    assert frame.data == b"pixels"
    assert frame.transfer_syntax == "1.2.840.10008.1.2.1"
    assert len(accepts) == 2


async def test_a_frame_whose_part_does_not_say_takes_the_syntax_of_the_metadata() -> None:
    def server(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/metadata"):
            meta = {"00020010": {"vr": "UI", "Value": ["1.2.840.10008.1.2.4.90"]}}
            return httpx.Response(200, json=[meta])
        return httpx.Response(200, content=b"j2k", headers={"Content-Type": "application/octet-stream"})

    (frame,) = await open_over(server, "generic").frames(Place("1.2", "1.3", "1.4"), [1])
    assert frame.transfer_syntax == "1.2.840.10008.1.2.4.90"


@pytest.mark.parametrize("content_type", ["text/html", "application/json"])
async def test_a_page_in_place_of_frames_is_no_frame(content_type: str) -> None:
    def server(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"<html>", headers={"Content-Type": content_type})

    with pytest.raises(NotUnderstood, match="where DICOM bytes were due"):
        await open_over(server, "generic").frames(Place("1.2", "1.3", "1.4"), [1])


@pytest.mark.parametrize(("kind", "fake"), servers(), ids=lambda item: item if isinstance(item, str) else "")
async def test_rendered_is_a_picture(kind: str, fake: Fake) -> None:
    archive = open_over(fake, kind)
    media = await archive.rendered(place_of(CT), 1, viewport=(64, 64))
    assert media.media_type in ("image/png", "image/jpeg")
    asked = fake.requests[-1]
    assert asked.one("viewport") == "64,64"
    assert asked.one("window") is None


async def test_what_is_called_a_picture_must_be_one() -> None:
    def server(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"<html>", headers={"Content-Type": "image/png"})

    with pytest.raises(NotUnderstood, match="something else"):
        await open_over(server, "generic").rendered(Place("1.2", "1.3", "1.4"), 1, viewport=(10, 10))


@pytest.mark.parametrize(("kind", "fake"), servers(), ids=lambda item: item if isinstance(item, str) else "")
async def test_whole_files_stream_through(kind: str, fake: Fake) -> None:
    archive = open_over(fake, kind)
    async with aclosing(archive.instances(Place(CT.StudyInstanceUID))) as arriving:
        files = [b"".join([chunk async for chunk in file.chunks]) async for file in arriving]
    assert len(files) == 1
    received = pydicom.dcmread(pydicom.filebase.DicomBytesIO(files[0]))
    assert received.SOPInstanceUID == CT.SOPInstanceUID
    assert received.PixelData == CT.PixelData


@pytest.mark.parametrize(
    ("uri", "asked"),
    [
        ("http://localhost/dicom-web/studies/1.2/series/1.3/instances/1.4/bulk/7fe00010", "/dicom-web/studies/1.2/series/1.3/instances/1.4/bulk/7fe00010"),
        ("https://pacs.test/dicom-web/bulk/abc", "/dicom-web/bulk/abc"),
        ("/dicom-web/bulk/abc", "/dicom-web/bulk/abc"),
        ("bulkdata/7FE00010", "/dicom-web/studies/1.2/series/1.3/instances/1.4/bulkdata/7FE00010"),
    ],
)  # fmt: skip
async def test_bulk_values_are_asked_of_the_configured_server(uri: str, asked: str) -> None:
    seen: list[httpx.URL] = []

    def server(request: httpx.Request) -> httpx.Response:
        seen.append(request.url)
        return httpx.Response(200, content=b"bulk", headers={"Content-Type": "application/octet-stream"})

    assert await open_over(server, "generic").bulkdata(Place("1.2", "1.3", "1.4"), uri) == b"bulk"
    assert (seen[0].host, seen[0].path) == ("pacs.test", asked)


@pytest.mark.parametrize(
    "uri",
    ["https://evil.test/bulk/1", "http://169.254.169.254/latest/meta-data", "https://pacs.test/other/secret",
     "https://evil.test/studies/../../admin", "https://evil.test/studies/%2e%2e/admin", "file:///etc/passwd",
     "/etc/passwd", "//evil.test/dicom-web/x", "../../x", "https://pacs.test:444/dicom-web/x", "https://pacs.test/dicom-webx/y"],
)  # fmt: skip
async def test_bulk_values_elsewhere_are_not_contacted(uri: str) -> None:
    def server(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"{request.url} was contacted")

    with pytest.raises(Refused):
        await open_over(server, "generic").bulkdata(Place("1.2", "1.3", "1.4"), uri)


# ---- which kind it is ------------------------------------------------------------------------------------------------


def guessed(system: Callable[[], httpx.Response]) -> tuple[DicomwebArchive, list[str]]:
    from dicomweb_mcp.settings import ArchiveSettings

    paths: list[str] = []

    def server(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        return system() if request.url.path == "/system" else httpx.Response(200, json=[])

    settings = ArchiveSettings(name="pacs", url=URLS["orthanc"])
    return DicomwebArchive(settings, transport=httpx.MockTransport(server), patience=HURRIED), paths


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(200, json={"Name": "x", "Version": "1.12", "DatabaseVersion": 6}), "orthanc"),
        (httpx.Response(404), "generic"),
        (httpx.Response(200, content=b"<html>"), "generic"),
        (httpx.Response(200, json=[1]), "generic"),
        (httpx.Response(401), "orthanc"),
        (httpx.Response(302, headers={"Location": "/login"}), "generic"),
    ],
)
async def test_a_path_that_looks_like_orthanc_is_confirmed_once(answer: httpx.Response, kind: str) -> None:
    archive, paths = guessed(lambda: httpx.Response(answer.status_code, content=answer.content, headers=answer.headers))
    assert archive.profile.kind == "orthanc"
    assert (await archive.settle()).kind == kind
    assert (await archive.settle()).kind == kind
    assert paths == ["/system"]


async def test_an_archive_that_is_down_is_asked_again_later() -> None:
    up = False

    def system() -> httpx.Response:
        if not up:
            raise httpx.ConnectError("down")
        return httpx.Response(404)

    archive, _ = guessed(system)
    assert (await archive.settle()).kind == "orthanc"
    up = True
    assert (await archive.settle()).kind == "generic"


@pytest.mark.parametrize(("kind", "fake"), servers(), ids=lambda item: item if isinstance(item, str) else "")
async def test_probe(kind: str, fake: Fake) -> None:
    assert (await open_over(fake, kind).probe()).reachable
    fake.fail(403)
    health = await open_over(fake, kind).probe()
    assert not health.reachable
    assert "403" in health.problem


async def test_frames_missing_from_a_list_are_noticed() -> None:
    archive = open_over(Dcm4chee(STORE), "dcm4chee")
    with pytest.raises(NotFound, match="gave 1 of the 2 frames"):
        await archive.frames(place_of(RLE), [1, 9])
