"""Statuses with the bodies that each kind of server really sends: what is told of them, and what never is."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from fakes.scripted import HANG, Scripted, Step, http
from hostile.world import BRISK, Outcome, client_of, good, outcomes_of
from tools.reading import answer, refusal

pytestmark = pytest.mark.anyio

JAVA = (
    "java.lang.IllegalStateException: DOE^JANE 4711\n"
    "\tat org.dcm4chee.arc.qido.QidoRS.search(QidoRS.java:417)\n\tat java.base/java.lang.Thread.run(Thread.java:840)\n"
)
ORTHANC = {"HttpError": "Internal Server Error", "HttpStatus": 500, "Message": "Error encountered within the plugin engine",
           "Method": "GET", "OrthancError": "Error encountered within the plugin engine", "OrthancStatus": 1,
           "Uri": "/dicom-web/studies"}  # fmt: skip
PLUGIN = "Error encountered within the plugin engine"
PYTHON = 'Traceback (most recent call last):\n  File "/srv/pacs/app.py", line 7, in search\nKeyError: "DOE^JANE"\n'
APACHE = '<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN"><html><title>503</title><p>DOE^JANE</p></html>'


def google(code: int, status: str, message: str) -> str:
    return json.dumps([{"error": {"code": code, "message": message, "status": status}}])


# kind -> status line, content type, body, what is said; "" for nothing of the body
SAID: Mapping[str, list[tuple[str, str, str, str]]] = {
    "google": [
        ("400 Bad Request", "application/json", google(400, "INVALID_ARGUMENT", "invalid QIDO-RS query"), "(declined.*: invalid QIDO-RS query)"),
        ("401 Unauthorized", "application/json", google(401, "UNAUTHENTICATED", "no valid credential"), r"wants other credentials \(401\)"),
        ("403 Forbidden", "application/json", google(403, "PERMISSION_DENIED", "denied on resource"), r"no such object, or does not show it.*: denied on resource"),
        ("404 Not Found", "application/json", google(404, "NOT_FOUND", "store not found"), r"\(404\): store not found"),
        ("429 Too Many Requests", "application/json", google(429, "RESOURCE_EXHAUSTED", "Quota exceeded"), "quota of its project.*: Quota exceeded"),
        ("503 Service Unavailable", "application/json", google(503, "UNAVAILABLE", "deadline exceeded"), r"overloaded or starting \(503\): deadline exceeded"),
    ],
    "idc": [
        ("403 Forbidden", "text/html", "", r"refuses this address \(403\)"),
        ("404 Not Found", "text/html", "", r"has nothing there \(404\)"),
        ("429 Too Many Requests", "text/html; charset=utf-8", "<h1>Quota</h1>DOE^JANE", "midnight UTC.*Do not retry"),
        ("500 Internal Server Error", "text/html", "", r"busy or failed \(500\)"),
        ("503 Service Unavailable", "text/html", "", r"overloaded or starting \(503\)\. Try again"),
    ],
    "orthanc": [
        ("400 Bad Request", "", json.dumps({**ORTHANC, "Message": "Bad file format", "Details": "Wildcards"}), "answered with 400: Bad file format: Wildcards"),
        ("401 Unauthorized", "", "", "wants other credentials"),
        ("404 Not Found", "", json.dumps({**ORTHANC, "Message": "Unknown resource"}), "no DICOMweb at its address.* with 404: Unknown resource"),
        ("500 Internal Server Error", "", json.dumps(ORTHANC), f"failed while answering.*: {PLUGIN}"),
        ("400 Bad Request", "text/plain", "Cannot parse the HTTP request", ": Cannot parse the HTTP request"),
    ],
    "dcm4chee": [
        ("400 Bad Request", "text/plain", '{"errorMessage": "fuzzy?"}', r"answered with 400: fuzzy\?"),
        ("404 Not Found", "text/plain", '{"errorMessage":"No such Application Entity"}', "with 404: No such Application Entity"),
        ("409 Conflict", "application/json", '{"errorMessage":"deletion in progress"}', "conflict.*: deletion in progress"),
        ("413 Request Entity Too Large", "", "", "too large.*Narrow it"),
        ("500 Internal Server Error", "text/plain", JAVA, r"failed while answering \(500\)\. Try"),
        ("503 Service Unavailable", "text/html", APACHE, r"overloaded or starting \(503\)\. Try"),
    ],
    "generic": [
        ("406 Not Acceptable", "application/problem+json", '{"title": "no", "detail": 7}', "cannot give this in a form"),
        ("500 Internal Server Error", "text/plain", PYTHON, r"failed while answering \(500\)\. Try"),
        ("500 Internal Server Error", "application/json", json.dumps({"error": JAVA}), r"failed while answering \(500\)\. Try"),
        ("500 Internal Server Error", "application/json", json.dumps({"message": {"a": ["b"]}, "error": [1]}), r"failed while answering \(500\)\. Try"),
        ("500 Internal Server Error", "application/json", "[" * 50_000, r"failed while answering \(500\)"),
        ("502 Bad Gateway", "text/html", APACHE, "behind a gateway"),
        ("418 I'm a teapot", "text/plain", "short\u202e and\x1b[31m stout\r\n\r\nDOE^JANE", "status 418: short and"),
        ("599 Nothing", "text/plain", "x" * 60_000, "status 599"),
        ("304 Not Modified", "", "", "redirects to another address|status 304"),
    ],
}  # fmt: skip
CASES = [(kind, number) for kind, rows in SAID.items() for number in range(len(rows))]


@pytest.fixture(scope="module")
async def said() -> dict[tuple[str, int], Outcome]:
    found = {}
    for kind, rows in SAID.items():
        scripts = {
            str(number): lambda _, row=row: [http(row[2].encode(), row[1], row[0])] for number, row in enumerate(rows)
        }
        for (number, _), outcome in (await outcomes_of(scripts, ["search_studies"], kind=kind)).items():
            found[kind, int(number)] = outcome
    return found


@pytest.mark.parametrize(
    ("kind", "number"), CASES, ids=[f"{kind}-{SAID[kind][number][0]}-{number}" for kind, number in CASES]
)
async def test_what_a_status_says(said: dict[tuple[str, int], Outcome], kind: str, number: int) -> None:
    found = said[kind, number]
    assert found.is_error
    assert re.search(SAID[kind][number][3], found.text), found.text
    assert found.text.startswith("Archive bad")
    assert len(found.text) < 700
    assert "\n" not in found.text
    for never in ("DOE", "<", "java", "\tat", "Traceback", "http:", "\x1b", "\u202e"):
        assert never not in found.text
    assert found.then == ""


async def test_no_content_is_an_empty_answer() -> None:
    nothing = b"HTTP/1.1 204 No Content\r\n\r\n"
    async with client_of({"bad": Scripted(lambda _: [nothing])}) as client:
        found = await answer(client, "search_studies", filters={"PatientID": "x"})
        assert (found["returned"], found["complete"]) == (0, True)
        assert "has no study 1.2.3" in await refusal(client, "get_metadata", study_uid="1.2.3")


@pytest.mark.parametrize("wait", ["-5", "1000000000000", "\u00b2", "9" * 5_000, "1e9", "NaN", "soon",
                                  "Fri, 31 Dec 9999 23:59:59 GMT", "", "0x10"])  # fmt: skip
async def test_absurd_waits_are_not_waited_for(wait: str) -> None:
    busy = http(b"", status="503 Busy", headers=(f"Retry-After: {wait}",))
    found = await outcomes_of({"busy": lambda _: [busy]}, ["search_studies"], kind="google")
    outcome = found["busy", "search_studies"]
    assert "overloaded or starting (503)" in outcome.text
    assert outcome.seconds < 10
    assert outcome.then == ""


async def test_an_error_whose_body_hangs_is_told_by_its_status() -> None:
    hanging = [http(b"x", status="403 Forbidden", length=1_000), HANG]
    found = await outcomes_of({"hanging": lambda _: hanging}, ["search_studies"], BRISK)
    assert "does not allow this (403)" in found["hanging", "search_studies"].text


async def test_a_head_that_takes_its_time_for_every_try_does_not_add_up() -> None:
    """Google's errors are retried: five tries of just under the time-out would be five time-outs."""
    late = [0.7, http(b"", status="503 Busy")]
    found = await outcomes_of(
        {"late": lambda _: late}, ["search_studies"], replace(BRISK, silence=10, answer=1), kind="google"
    )
    assert "did not begin its answer within 1 s" in found["late", "search_studies"].text


SIGN_INS: Mapping[str, tuple[dict[str, str], str]] = {
    "bearer": ({"type": "bearer", "token_env": "SECRET"}, "Bearer s3cr3t-t0ken"),
    "header": ({"type": "header", "name": "X-Api-Key", "value_env": "SECRET"}, "s3cr3t-t0ken"),
    "basic": ({"type": "basic", "username": "alice", "password_env": "SECRET"}, "Basic YWxpY2U6czNjcjN0LXQwa2Vu"),
}  # base64 of alice:s3cr3t-t0ken


@pytest.mark.parametrize("sign_in", SIGN_INS)
async def test_an_archive_that_repeats_the_credentials_does_not_get_them_into_an_error(
    sign_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "s3cr3t-t0ken")
    auth, sent = SIGN_INS[sign_in]
    said = json.dumps({"Message": f"not with {sent}, s3cr3t-t0ken", "Details": "s3cr3t-t0ken of alice"}).encode()
    statuses = ["400 Bad Request", "403 Forbidden", "418 Teapot", "500 Oops"]
    scripts = {status: lambda _, status=status: [http(said, status=status)] for status in statuses}
    found = await outcomes_of(scripts, ["search_studies", "render_frame"], auth=auth)
    for outcome in found.values():
        assert sent.encode() in outcome.server.heads[0], "it was used"
        assert "not with ***" in outcome.text
        assert "s3cr3t" not in outcome.text
        assert sent.rpartition(" ")[2] not in outcome.text


@pytest.mark.parametrize("first", ["503 Busy", "429 Too Many Requests", "504 Gateway Timeout"])
async def test_an_archive_that_was_busy_is_not_taken_for_orthanc(first: str) -> None:
    """Its address looks like Orthanc's, and whether it is one could not be learned the first time."""
    system = http(b"", status=first)

    def script(target: str) -> Iterable[Step]:
        return [system] if target == "/system" else good(target)

    async with client_of({"pacs": Scripted(script)}, kind=None) as client:
        await answer(client, "search_studies")
        assert [archive["kind"] for archive in (await answer(client, "list_archives"))["archives"]] == ["orthanc"]
        system = http(b"", status="404 Not Found")
        await answer(client, "search_studies")
        assert [archive["kind"] for archive in (await answer(client, "list_archives"))["archives"]] == ["generic"]
