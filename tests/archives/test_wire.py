"""HTTP to an archive: what is retried, bounded, refused, and what an error says."""

import ssl
import time
from collections.abc import AsyncIterator, Callable
from importlib import metadata
from typing import Any

import anyio
import httpx
import pytest

from dicomweb_mcp.archives.base import (
    AccessDenied,
    ArchiveError,
    Busy,
    Failed,
    NotFound,
    NotOffered,
    NotUnderstood,
    Refused,
    Unreachable,
)
from dicomweb_mcp.archives.profiles import AS_STORED, FILES, PROFILES
from dicomweb_mcp.archives.wire import MiB, Wire
from support import HURRIED, settings_of

pytestmark = pytest.mark.anyio

Answering = Callable[[httpx.Request], Any]


def wire(answering: Answering, kind: str = "generic", **more: Any) -> Wire:
    settings = settings_of(kind, **more)
    return Wire(settings, PROFILES[settings.resolved_kind], transport=httpx.MockTransport(answering), patience=HURRIED)


async def get(answering: Answering, kind: str = "generic", most: int = MiB, **more: Any) -> bytes:
    answer = await wire(answering, kind, **more).get("/studies", accept="application/dicom+json", most=most)
    return answer.body


class Counting:
    """Answers with these statuses one after the other, the last one again and again."""

    def __init__(self, *statuses: int, **more: Any) -> None:
        self.statuses, self.more, self.count = list(statuses), more, 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.count += 1
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return httpx.Response(status, **self.more)


@pytest.mark.parametrize(
    ("kind", "statuses", "asked"),
    [
        ("google", [503, 429, 200], 3),
        ("google", [408, 504, 502, 500, 200], 5),
        ("orthanc", [503, 200], 2),
        ("idc", [500, 503, 200], 3),
    ],
)
async def test_what_may_pass_is_tried_again(kind: str, statuses: list[int], asked: int) -> None:
    server = Counting(*statuses, content=b"[]")
    assert await get(server, kind) == b"[]"
    assert server.count == asked


@pytest.mark.parametrize(
    ("kind", "status", "asked"),
    [
        ("google", 503, 5),
        ("orthanc", 500, 2),
        ("idc", 429, 1),
        ("google", 400, 1),
        ("google", 404, 1),
        ("generic", 403, 1),
    ],
)
async def test_tries_are_bounded_and_some_are_not_made(kind: str, status: int, asked: int) -> None:
    server = Counting(status)
    with pytest.raises(ArchiveError):
        await get(server, kind)
    assert server.count == asked


async def test_a_broken_idle_connection_is_tried_once_more() -> None:
    count = 0

    def closing(request: httpx.Request) -> httpx.Response:
        nonlocal count
        count += 1
        if count == 1:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        return httpx.Response(200, content=b"[]")

    assert await get(closing) == b"[]"


@pytest.mark.parametrize(
    ("kind", "accept", "coding"),
    [
        ("orthanc", "application/dicom+json", "gzip"),
        ("generic", "application/dicom+json", "gzip"),
        ("orthanc", AS_STORED, "identity"),
        ("orthanc", FILES, "identity"),
        ("orthanc", "image/png", "identity"),
        ("generic", AS_STORED, "gzip"),
        ("idc", AS_STORED, "gzip"),
    ],
)
async def test_what_a_server_packs_slowly_is_asked_for_unpacked(kind: str, accept: str, coding: str) -> None:
    asked = []

    def answering(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["accept-encoding"])
        return httpx.Response(200, content=b"[]")

    await wire(answering, kind).get("/studies/1.2", accept=accept, most=MiB)
    assert [coding in one.split(", ") for one in asked] == [True]


async def test_retry_after_is_honoured() -> None:
    server = Counting(503, 200, headers={"Retry-After": "1"}, content=b"[]")
    start = time.monotonic()
    await get(server, "google")
    assert time.monotonic() - start >= 0.9


@pytest.mark.parametrize("value", ["Wed, 21 Oct 2026 07:28:00 GMT", "-1", "³", ""])
async def test_a_retry_after_that_is_no_number_of_seconds_is_not_waited_for(value: str) -> None:
    headers = httpx.Headers([(b"Retry-After", value.encode("latin-1"))])
    assert await get(Counting(503, 200, headers=headers, content=b"[]"), "google") == b"[]"


GOOGLE_ERROR = {
    "error": {"code": 400, "message": "unknown/unsupported QIDO attribute: X", "status": "INVALID_ARGUMENT"}
}
DENIED = {
    "error": {
        "code": 403,
        "message": "alice@example.org lacks a role on //healthcare.googleapis.com/projects/p, see https://cloud.google.com/iam?project=p for help",
        "status": "PERMISSION_DENIED",
    }
}


def error_info(reason: Any) -> dict[str, Any]:
    """An error as Google's APIs write it, with a reason for programs."""
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {"consumer": "projects/764086051850", "service": "healthcare.googleapis.com"},
    }
    return {"error": {"code": 403, "message": "m", "status": "PERMISSION_DENIED", "details": [{"@type": "x"}, info]}}


JAVA = "java.lang.NullPointerException: at patient DOE\n\tat org.dcm4chee.arc.Qido.search(Qido.java:17)\n"


@pytest.mark.parametrize(
    ("kind", "status", "body", "error", "says"),
    [
        ("google", 400, [GOOGLE_ERROR], Refused, "unsupported QIDO attribute: X"),
        ("google", 400, GOOGLE_ERROR, Refused, "unsupported QIDO attribute: X"),
        ("google", 401, {}, AccessDenied, "no credentials were configured: set DICOMWEB_PACS_TOKEN"),
        ("google", 403, {}, AccessDenied, "no such object, or does not show it.*dicomWebRead"),
        ("google", 403, DENIED, AccessDenied, r"lacks a role on \(address\) see \(address\) for help.*dicomWebWrite"),
        (
            "google",
            403,
            error_info("SERVICE_DISABLED"),
            AccessDenied,
            "gcloud services enable healthcare.googleapis.com",
        ),
        ("google", 403, [error_info("USER_PROJECT_DENIED")], AccessDenied, "roles/serviceusage.serviceUsageConsumer"),
        ("google", 403, error_info("CONSUMER_INVALID"), AccessDenied, "quota project.*does not exist"),
        ("google", 403, error_info("BILLING_DISABLED"), AccessDenied, "billing"),
        ("idc-google", 403, error_info("ACCESS_TOKEN_SCOPE_INSUFFICIENT"), AccessDenied, "cloud-platform"),
        ("google", 403, error_info("SOMETHING_NEW"), AccessDenied, "dicomWebRead"),
        ("google", 403, error_info(["no text"]), AccessDenied, "dicomWebRead"),
        ("google", 404, {}, NotFound, "no such object, or does not show it"),
        ("google", 429, {}, Busy, "quota of its project"),
        ("idc", 429, "<html>quota</html>", Busy, "its daily quota.*midnight UTC.*buckets"),
        ("idc", 500, "", Failed, "Wait a minute"),
        ("idc", 403, "", AccessDenied, "refuses this address"),
        (
            "orthanc",
            404,
            {"Message": "Unknown resource", "Details": "no study"},
            NotFound,
            "Unknown resource: no study",
        ),
        ("orthanc", 500, {"Message": "Error in a plugin"}, Failed, "Error in a plugin"),
        ("dcm4chee", 400, '{"errorMessage": "bad tag"}', Refused, "bad tag"),
        ("dcm4chee", 500, JAVA, Failed, r"failed while answering \(500\)\. Try"),
        ("dcm4chee", 413, "", Refused, "too large.*Narrow it"),
        ("generic", 405, "", NotOffered, "does not offer"),
        ("generic", 406, "", Refused, "406"),
        ("generic", 409, "", Refused, "409"),
        ("generic", 503, "<h1>Service Unavailable</h1>", Busy, "overloaded"),
        ("generic", 502, "", Unreachable, "gateway"),
        ("generic", 418, "teapot", Refused, "status 418: teapot"),
        ("generic", 599, "", Failed, "status 599"),
    ],
)
async def test_an_error_says_which_archive_what_happened_and_what_to_do(
    kind: str, status: int, body: Any, error: type[ArchiveError], says: str
) -> None:
    content = {"content": body.encode()} if isinstance(body, str) else {"json": body}
    with pytest.raises(error, match=says) as raised:
        await get(lambda _: httpx.Response(status, **content), kind)
    message = str(raised.value)
    assert message.startswith("Archive pacs: ")
    assert len(message) < 600
    for never in ("http://", "https://", "<h", "java.", "DOE", "Qido.java", "alice", "//"):
        assert never not in message


async def test_a_redirect_is_not_followed() -> None:
    hosts = []

    def redirecting(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(302, headers={"Location": "https://evil.test/studies"})

    with pytest.raises(Refused, match="redirects to another address") as raised:
        await get(redirecting)
    assert hosts == ["pacs.test"]
    assert "evil" not in str(raised.value)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (httpx.ConnectError("[Errno 111] Connection refused"), "no connection. Check its address"),
        (httpx.ConnectTimeout("x"), "no connection within 1 s"),
        (httpx.ReadTimeout("x"), "sent nothing for 0.5 s"),
        (httpx.RemoteProtocolError("Server disconnected without sending a response."), "broke off its answer"),
        (httpx.RemoteProtocolError("illegal status line"), "something that is no HTTP"),
        (httpx.ProxyError("x"), "through the configured proxy"),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"), "set ca to the PEM file"),
        (ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] alert"), "set client_cert"),
        (ConnectionResetError(104, "reset"), "broke off its answer"),
    ],
)
async def test_no_answer_is_told_apart(error: Exception, says: str) -> None:
    def failing(request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(Unreachable, match=says):
        await get(failing)


class Dripping(httpx.AsyncByteStream):
    """A body that never ends, one byte at a time."""

    def __init__(self, pause: float, chunk: bytes = b"x") -> None:
        self.pause, self.chunk = pause, chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await anyio.sleep(self.pause)
            yield self.chunk


async def test_a_slow_body_ends_with_its_time_out() -> None:
    start = time.monotonic()
    with pytest.raises(Unreachable, match="did not finish its answer within 2 s"):
        await get(lambda _: httpx.Response(200, stream=Dripping(0.05)))
    assert time.monotonic() - start < 4


async def test_an_endless_body_ends_with_its_cap() -> None:
    with pytest.raises(NotUnderstood, match="larger than the 1 MiB"):
        await get(lambda _: httpx.Response(200, stream=Dripping(0, b"x" * 65536)))


async def test_the_cap_counts_decompressed_bytes() -> None:
    import gzip

    bomb = gzip.compress(b"\0" * (8 * MiB))
    assert len(bomb) < MiB / 10
    with pytest.raises(NotUnderstood, match="larger than"):
        await get(lambda _: httpx.Response(200, content=bomb, headers={"Content-Encoding": "gzip"}))


async def test_an_answer_that_is_not_compressed_as_it_says() -> None:
    with pytest.raises(Unreachable, match="cannot be decompressed"):
        await get(lambda _: httpx.Response(200, stream=Once(b"not gzip"), headers={"Content-Encoding": "gzip"}))


class Once(httpx.AsyncByteStream):
    def __init__(self, data: bytes) -> None:
        self.data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.data


async def test_parallel_requests_are_limited_and_the_others_wait() -> None:
    running = most = 0

    async def slow(request: httpx.Request) -> httpx.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await anyio.sleep(0.02)
        running -= 1
        return httpx.Response(200, content=b"[]")

    shared = wire(slow, "idc")
    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(lambda: shared.get("/studies", accept="*/*", most=MiB))
    assert most == PROFILES["idc"].parallel == 2


async def test_waiting_for_a_place_ends() -> None:
    shared = wire(lambda _: httpx.Response(200, stream=Dripping(0.05)), "idc")
    errors: list[ArchiveError] = []

    async def ask() -> None:
        try:
            await shared.get("/studies", accept="*/*", most=MiB)
        except ArchiveError as error:
            errors.append(error)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ask)
    assert sorted(type(error).__name__ for error in errors) == ["Busy", "Unreachable", "Unreachable"]


async def test_a_cancelled_request_frees_its_place() -> None:
    shared = wire(lambda _: httpx.Response(200, stream=Dripping(0.05)), "idc")
    for _ in range(4):
        with anyio.move_on_after(0.1):
            await shared.get("/studies", accept="*/*", most=MiB)
    assert shared._places.value == 2


@pytest.mark.parametrize(
    ("auth", "environment", "header", "value"),
    [
        ({"type": "basic", "username": "alice", "password_env": "PW"}, {"PW": "secret"}, "authorization", "Basic YWxpY2U6c2VjcmV0"),
        ({"type": "bearer", "token_env": "TOKEN"}, {"TOKEN": "abc"}, "authorization", "Bearer abc"),
        ({"type": "header", "name": "X-Api-Key", "value_env": "KEY"}, {"KEY": "k"}, "x-api-key", "k"),
        ({"type": "none"}, {}, "authorization", None),
    ],
)  # fmt: skip
async def test_ways_to_sign_in(
    auth: dict[str, str], environment: dict[str, str], header: str, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[httpx.Headers] = []

    def server(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200, content=b"[]")

    for name, secret in environment.items():
        monkeypatch.setenv(name, secret)
    await get(server, auth=auth)
    assert seen[0].get(header) == value
    assert seen[0]["user-agent"] == f"dicomweb-mcp/{metadata.version('dicomweb-mcp')}"


async def test_a_missing_secret_is_named_and_nothing_is_sent() -> None:
    server = Counting(200)
    with pytest.raises(AccessDenied, match="environment variable NOT_THERE"):
        await get(server, auth={"type": "bearer", "token_env": "NOT_THERE"})
    assert server.count == 0


async def test_a_token_from_a_command_is_fetched_again_when_it_is_refused(tmp_path) -> None:
    import sys

    counter = tmp_path / "count"
    program = f"import pathlib; p = pathlib.Path({str(counter)!r}); n = len(p.read_text()) if p.exists() else 0; p.write_text('x' * (n + 1)); print('token', n, sep='')"
    tokens = []

    def server(request: httpx.Request) -> httpx.Response:
        tokens.append(request.headers["authorization"])
        return httpx.Response(200 if request.headers["authorization"] == "Bearer token1" else 401, content=b"[]")

    shared = wire(server, auth={"type": "bearer", "command": [sys.executable, "-c", program]})
    assert (await shared.get("/studies", accept="*/*", most=MiB)).body == b"[]"
    await shared.get("/studies", accept="*/*", most=MiB)
    assert tokens == ["Bearer token0", "Bearer token1", "Bearer token1"]


async def test_requests_refused_together_share_one_new_token(tmp_path) -> None:
    """Each of them was sent with the old token: the first renews it, the others use what it got."""
    import sys

    counter = tmp_path / "count"
    program = f"import pathlib; p = pathlib.Path({str(counter)!r}); n = len(p.read_text()) if p.exists() else 0; p.write_text('x' * (n + 1)); print('token', n, sep='')"
    refused, together = 0, anyio.Event()

    async def server(request: httpx.Request) -> httpx.Response:
        nonlocal refused
        if request.headers["authorization"] == "Bearer token1":
            return httpx.Response(200, content=b"[]")
        refused += 1
        if refused == 3:
            together.set()
        await together.wait()
        return httpx.Response(401)

    shared = wire(server, auth={"type": "bearer", "command": [sys.executable, "-c", program]})
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(lambda: shared.get("/studies", accept="*/*", most=MiB))
    assert counter.read_text() == "xx"


async def test_a_command_that_fails_is_named_without_its_output() -> None:
    import sys

    with pytest.raises(AccessDenied, match="exit status 3") as raised:
        await get(Counting(200), auth={"type": "bearer", "command": [sys.executable, "-c", "print('s3cret'); exit(3)"]})
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("setting", ["ca", "client_cert"])
async def test_a_certificate_file_that_is_not_there(setting: str, tmp_path) -> None:
    settings = settings_of("generic", **{setting: tmp_path / "none.pem"})
    with pytest.raises(Unreachable, match=f"setting {setting} does not exist"):
        await Wire(settings, PROFILES["generic"]).get("/studies", accept="*/*", most=MiB)


async def test_encodings_on_top_of_each_other_are_refused_unread() -> None:
    """A few kilobytes packed twice unpack to gigabytes in one step."""
    import gzip

    twice = gzip.compress(gzip.compress(bytes(64 * MiB)))
    with pytest.raises(NotUnderstood, match="compressed in a way that was not asked for"):
        await get(lambda _: httpx.Response(200, stream=Once(twice), headers={"Content-Encoding": "gzip, gzip"}))


async def test_a_secret_that_no_header_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "sécret")
    with pytest.raises(AccessDenied, match="TOKEN holds what no header can"):
        await get(Counting(200), auth={"type": "bearer", "token_env": "TOKEN"})
