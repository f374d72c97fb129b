import httpx
import pytest

from fakes.deaf import Deaf
from fakes.store import Store, synthetic_uid


def client_of(**flags) -> httpx.Client:
    fake = Deaf(Store.synthetic(studies=30), **flags)
    return httpx.Client(transport=httpx.MockTransport(fake), base_url="http://archive.test/dicom-web/")


def patients(answer: httpx.Response) -> list[str]:
    return [row["00100020"]["Value"][0] for row in answer.json()]


def test_without_flags_it_does_what_it_is_asked():
    client = client_of()
    assert patients(client.get("studies?limit=2&offset=3")) == ["P000003", "P000004"]
    assert patients(client.get("studies?PatientName=Doe*&limit=1")) == ["P000003"]
    assert patients(client.get(f"studies?StudyInstanceUID={synthetic_uid(1)},{synthetic_uid(2)}")) == [
        "P000001",
        "P000002",
    ]
    assert patients(client.get("studies?StudyDate=20000101-20001231")) == ["P000000", "P000028"]
    assert len(client.get(f"studies/{synthetic_uid(4)}/series").json()) == 1
    assert client.get("studies?PatientID=none").json() == []


@pytest.mark.parametrize(
    ("deaf_to", "query", "expected"),
    [("offset", "limit=2&offset=3", 2), ("limit", "limit=2", 30), ("PatientID", "PatientID=P000007", 30)],
)
def test_it_does_not_hear(deaf_to: str, query: str, expected: int):
    hears, deaf = client_of(), client_of(ignores={deaf_to})
    answer = deaf.get(f"studies?{query}")
    assert len(answer.json()) == expected
    assert patients(answer) != patients(hears.get(f"studies?{query}"))
    assert "warning" not in answer.headers


def test_it_cuts_its_lists_in_silence():
    answer = client_of(cap=10).get("studies?limit=20")
    assert len(answer.json()) == 10
    assert "warning" not in answer.headers


def test_fields_are_given_on_request_only():
    rows = [
        client_of(ignores=deaf).get("studies?limit=1&includefield=StudyDescription").json()[0]
        for deaf in ((), {"includefield"})
    ]
    assert ["00081030" in row for row in rows] == [True, False]
    assert all("00080060" not in row for row in rows)


def test_it_matches_names_loosely_or_says_that_it_does_not():
    query = "studies?PatientName=person000003&fuzzymatching=true"
    assert patients(client_of().get(query)) == ["P000003"]
    literal = client_of(not_fuzzy=True, empty=204).get(query)
    assert (literal.status_code, literal.content) == (204, b"")
    assert literal.headers["warning"] == (
        "299 http://archive.test: The fuzzymatching parameter is not supported. "
        "Only literal matching has been performed."
    )
