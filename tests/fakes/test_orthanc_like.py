import httpx
import pytest

from fakes.orthanc_like import OrthancLike
from fakes.orthanc_quirks import QUIRKS, quirk_objects
from fakes.store import Store


@pytest.fixture(scope="module")
def client() -> httpx.Client:
    fake = OrthancLike(Store(*quirk_objects()))
    return httpx.Client(transport=httpx.MockTransport(fake), base_url="http://archive.test/dicom-web/")


@pytest.mark.parametrize(("query", "expected"), QUIRKS, ids=[query for query, _ in QUIRKS])
def test_it_searches_as_the_real_one(client: httpx.Client, query: str, expected: int):
    answer = client.get(query)
    assert (len(answer.json()) if answer.status_code == 200 else answer.status_code) == expected


def test_no_match_is_an_empty_list(client: httpx.Client):
    answer = client.get("studies?PatientID=nobody")
    assert (answer.status_code, answer.json()) == (200, [])


def test_an_attribute_is_returned_when_it_is_asked_for(client: httpx.Client):
    plain, asked = (client.get(f"series?PatientID=P1{more}").json()[0] for more in ("", "&includefield=Manufacturer"))
    assert "00080070" not in plain
    assert asked["00080070"]["Value"] == ["GE"]


def test_an_error_has_no_content_type(client: httpx.Client):
    answer = client.get("studies?limit=abc")
    assert "content-type" not in answer.headers
    assert answer.json()["HttpStatus"] == 400


def test_nothing_is_deleted(client: httpx.Client):
    answer = client.delete("studies/1.2.3")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET,POST")
