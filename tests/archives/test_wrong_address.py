"""An address at which there is no DICOMweb: said as that, and told from a search that the server declines."""

from typing import Any

import httpx
import pytest

from dicomweb_mcp.archives.base import ArchiveError
from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from dicomweb_mcp.dicom.query import Query, make_plan
from dicomweb_mcp.dicom.rules import Level
from dicomweb_mcp.settings import ArchiveSettings
from support import HURRIED, URLS

pytestmark = pytest.mark.anyio

HINT = "seems to have no DICOMweb at its address"
FILTERS = {"PatientID": "x"}
ELSEWHERE = (  # what Orthanc answers at its root, at a path that is none, and one path too far
    (400, {"Message": "Bad request", "Details": 'Missing "since" argument for GET request against: /studies/'}),
    (404, {"Message": "Unknown resource"}),
    (400, {"Message": "Bad file format", "Details": "This WADO-RS plugin cannot generate the following content type"}),
    (405, {}),
)


class Server:
    """Answers plain searches of studies, and others, with these statuses."""

    def __init__(self, plain: int, others: int, body: Any = None) -> None:
        self.plain, self.others, self.body = plain, others, body
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.query.decode())
        status = self.plain if request.url.path.endswith("/studies") and self.asked[-1] == "limit=1" else self.others
        return httpx.Response(status, json=[] if status == 200 else self.body)


def archive_at(server: Server, url: str = "http://pacs.test:8042", kind: str | None = None) -> DicomwebArchive:
    settings = ArchiveSettings.model_validate({"name": "pacs", "url": url, "kind": kind})
    return DicomwebArchive(settings, transport=httpx.MockTransport(server), patience=HURRIED)


async def refusal(archive: DicomwebArchive, query: Query) -> str:
    with pytest.raises(ArchiveError) as refused:
        await archive.search(make_plan(query, archive.profile.rules), limit=25, offset=0)
    return str(refused.value)


@pytest.mark.parametrize(("status", "body"), ELSEWHERE)
@pytest.mark.parametrize("level", [Level.STUDY, Level.SERIES])
async def test_no_dicomweb_at_the_address(level: Level, status: int, body: Any) -> None:
    says = await refusal(archive_at(Server(status, status, body)), Query(level, filters=FILTERS))
    assert says.startswith(f"Archive pacs: {HINT}: a plain search of studies is answered with {status}")
    assert "Give the base address that ends before /studies; Orthanc's ends in /dicom-web." in says
    for misleading in ("Check the arguments", "Copy UIDs"):
        assert misleading not in says
    health = await archive_at(Server(status, status, body)).probe()
    assert not health.reachable
    assert health.problem == says


async def test_what_an_address_that_ends_well_may_lack() -> None:
    archive = archive_at(Server(404, 404), "http://pacs.test:8042/dicom-web", "orthanc")
    says = await refusal(archive, Query(Level.STUDY))
    assert HINT in says
    assert "ends in /dicom-web" not in says


async def test_a_search_that_a_server_declines_keeps_its_words() -> None:
    server = Server(200, 400, {"errorMessage": "PatientID is not supported"})
    says = await refusal(archive_at(server), Query(Level.STUDY, filters=FILTERS))
    assert "declined the request as invalid: PatientID is not supported" in says
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("kind", "query", "status"),
    [
        ("generic", Query(Level.SERIES, study_uid="1.2"), 404),
        ("google", Query(Level.STUDY), 404),
        ("generic", Query(Level.STUDY), 409),
        ("generic", Query(Level.STUDY), 403),
    ],
)
async def test_other_failures_say_nothing_of_the_address(kind: str, query: Query, status: int) -> None:
    server = Server(status, status)
    assert HINT not in await refusal(archive_at(server, URLS[kind], kind), query)
