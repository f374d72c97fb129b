"""Sign-in to Google that does not succeed: which error, what it says, and that it ends."""

import io
import json
import logging
import socket
import time
from pathlib import Path
from typing import Any

import anyio
import google.auth
import google.oauth2.credentials
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from archives.google_helpers import (
    ADC,
    EMAIL,
    GOOGLE,
    IMPERSONATED,
    SECRETS,
    Api,
    accepting,
    ask,
    log_in,
    name_file,
    refused,
    service_account,
    wire,
)
from dicomweb_mcp.archives import google_auth
from dicomweb_mcp.archives.base import AccessDenied, ArchiveError, Busy, NotUnderstood, Unreachable
from dicomweb_mcp.archives.google_auth import GoogleCredentials
from dicomweb_mcp.cli.serve import Discreet
from fakes.google_sign_in import SignIn

pytestmark = pytest.mark.anyio

RAPT = {"error": "invalid_grant", "error_subtype": "invalid_rapt", "error_description": f"{EMAIL} s3cret"}


def iam_error(code: int, **more: Any) -> dict[str, Any]:
    message = f"Permission 'iam.serviceAccounts.getAccessToken' denied for {EMAIL}, see https://cloud.google.com"
    return {"error": {"code": code, "message": message, "status": "PERMISSION_DENIED", **more}}


def reason(name: str) -> list[dict[str, Any]]:
    return [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": name,
            "metadata": {"service": "iamcredentials.googleapis.com"},
        }
    ]


@pytest.mark.parametrize(
    ("status", "body", "error", "says"),
    [
        (400, {"error": "invalid_grant", "error_description": f"s3cret {EMAIL}"}, AccessDenied, r"expired or revoked \(invalid_grant\)\. Sign in anew.*gcloud auth application-default login"),
        (400, RAPT, AccessDenied, "Sign in anew.*gcloud auth application-default login"),
        (401, {"error": "invalid_client"}, AccessDenied, r"\(invalid_client\)\. Sign in anew"),
        (403, {"error": f"{EMAIL}\n<h1>"}, AccessDenied, "Sign in anew"),
        (404, "<html>s3cret</html>", AccessDenied, "Sign in anew"),
        (302, "", AccessDenied, "Sign in anew"),
        (503, "<html>s3cret</html>", Busy, r"overloaded or failing \(503\)"),
        (500, {"error": "internal_failure"}, Busy, r"overloaded or failing \(500\)"),
        (429, {"error": "rate_limit_exceeded"}, Busy, r"\(429\)"),
        (200, "no JSON: s3cret", NotUnderstood, "not understood"),
        (200, b"\xff\xfe", NotUnderstood, "not understood"),
        (200, ["s3cret"], NotUnderstood, "not understood"),
        (200, {"access_token": "s3cret", "expires_in": "soon"}, NotUnderstood, "not understood"),
        (200, {"access_token": "s3cret", "expires_in": 1e99}, NotUnderstood, "not understood"),
        (200, {"access_token": "s3cret\r\nX: y", "expires_in": 3600}, NotUnderstood, "what no header can"),
        (200, {"access_token": ["s3cret"], "expires_in": 3600}, NotUnderstood, "not understood"),
        (200, {"no": "token"}, NotUnderstood, "not understood"),
        (200, b" " * (1024 * 1024 + 1), Unreachable, "too large"),
    ],
)  # fmt: skip
async def test_what_the_token_service_says(
    status: int, body: Any, error: type[ArchiveError], says: str, sign_in: SignIn, gcloud: Path
) -> None:
    log_in(gcloud)
    sign_in.refuse(status, body, times=3)  # google-auth tries again what may pass
    await refused(error, says)


@pytest.mark.parametrize(
    ("status", "body", "error", "says"),
    [
        (403, iam_error(403), AccessDenied, "roles/iam.serviceAccountTokenCreator.*iam.serviceAccounts.getAccessToken"),
        (404, iam_error(404), AccessDenied, "there is no such service account"),
        (403, iam_error(403, details=reason("IAM_PERMISSION_DENIED")), AccessDenied, "roles/iam.serviceAccountTokenCreator"),
        (403, iam_error(403, details=reason("SERVICE_DISABLED")), AccessDenied, "gcloud services enable iamcredentials.googleapis.com"),
        (403, iam_error(403, details=reason("USER_PROJECT_DENIED")), AccessDenied, "roles/serviceusage.serviceUsageConsumer"),
        (503, iam_error(503), Busy, r"\(503\)"),
        (200, {"no": "token"}, NotUnderstood, "not understood"),
    ],
)  # fmt: skip
async def test_what_the_impersonation_says(
    status: int, body: Any, error: type[ArchiveError], says: str, sign_in: SignIn, gcloud: Path
) -> None:
    (gcloud / ADC).write_text(json.dumps(IMPERSONATED), encoding="utf-8")
    sign_in.refuse(200, {"access_token": "token1", "expires_in": 3600})
    sign_in.refuse(status, body)
    await refused(error, says)
    assert len(sign_in.asked) == 2


async def test_an_expired_user_behind_an_impersonation(sign_in: SignIn, gcloud: Path) -> None:
    (gcloud / ADC).write_text(json.dumps(IMPERSONATED), encoding="utf-8")
    sign_in.refuse(400, {"error": "invalid_grant"})
    await refused(AccessDenied, "expired or revoked.*application-default login --impersonate-service-account")


async def test_a_deleted_key(
    sign_in: SignIn, key: rsa.RSAPrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_file(monkeypatch, tmp_path / "key.json", service_account(key, sign_in))
    sign_in.refuse(400, {"error": "invalid_grant", "error_description": f"Invalid JWT Signature of {EMAIL}"})
    await refused(AccessDenied, r"service account key of the file that GOOGLE_APPLICATION_CREDENTIALS.*clock")


async def test_without_credentials() -> None:
    await refused(AccessDenied, "gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS")


DAMAGED = "damaged or incomplete"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not JSON"),
        (b"s3cret: {", "is not JSON"),
        (b'{"a": "' + b"x" * 1024 * 1024 + b'"}', "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (["s3cret"], "is not JSON"),
        ({}, "no credentials of a known type"),
        ({"type": "s3cret"}, "no credentials of a known type"),
        ({"type": ["authorized_user"]}, "no credentials of a known type"),
        ({"installed": {"client_secret": "s3cret"}}, "no credentials of a known type"),
        ({"type": "authorized_user", "refresh_token": "s3cret"}, DAMAGED),
        ({"type": "service_account", "client_email": EMAIL, "token_uri": "t"}, DAMAGED),
        ({"type": "service_account", "client_email": EMAIL, "token_uri": "t", "private_key": "s3cret"}, DAMAGED),
        ({"type": "impersonated_service_account"}, DAMAGED),
        ({**IMPERSONATED, "source_credentials": {"type": "s3cret"}}, DAMAGED),
        ({"type": "external_account"}, DAMAGED),
        ({"type": "external_account_authorized_user"}, DAMAGED),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.parametrize("named", [True, False])
async def test_a_file_that_cannot_be_used(
    content: object, says: str, named: bool, gcloud: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_file(monkeypatch, tmp_path / "adc.json" if named else gcloud / ADC, content)
    if not named:
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    whose = "the file that GOOGLE_APPLICATION_CREDENTIALS names" if named else "the file of gcloud"
    await refused(AccessDenied, f"{whose}.*{says}.*gcloud auth application-default login")


async def test_a_file_that_is_not_there(gcloud: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(gcloud)  # is not taken in its place
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    await refused(AccessDenied, "GOOGLE_APPLICATION_CREDENTIALS names does not exist. Correct the variable")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path))
    await refused(AccessDenied, "GOOGLE_APPLICATION_CREDENTIALS names cannot be read")


async def test_no_token_service(sign_in: SignIn, gcloud: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/token"
    monkeypatch.setattr(google.oauth2.credentials, "_GOOGLE_OAUTH2_TOKEN_ENDPOINT", nobody)
    log_in(gcloud)
    await refused(Unreachable, r"cannot be reached \(ConnectError\)\. Check the network, and HTTPS_PROXY")


async def test_the_archives_proxy_leads_to_the_token_service_too(gcloud: Path) -> None:
    log_in(gcloud)  # to the address that google-auth really takes
    seen = []

    def proxy(connection: socket.socket) -> None:
        seen.append(connection.recv(1000).partition(b" HTTP")[0])
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    with accepting(proxy) as port:
        credentials = GoogleCredentials("lab", GOOGLE, proxy=f"http://127.0.0.1:{port}")
        await refused(Unreachable, "cannot be reached through the proxy", credentials)
    assert seen == [b"CONNECT oauth2.googleapis.com:443"]


async def test_a_token_service_that_hangs(sign_in: SignIn, gcloud: Path) -> None:
    log_in(gcloud)
    sign_in.hang.set()
    credentials = GoogleCredentials("lab", GOOGLE, seconds=0.3)
    start = time.monotonic()
    async with anyio.create_task_group() as tasks:
        for _ in range(3):  # they wait side by side
            tasks.start_soon(refused, Unreachable, "gave no token within 0.3 s", credentials)
    assert time.monotonic() - start < 5
    sign_in.hang.clear()
    await credentials.headers()


async def test_who_stops_waiting_ends_the_request(gcloud: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(gcloud)
    ended = []

    def hanging(connection: socket.socket) -> None:
        connection.settimeout(20)
        while connection.recv(1000):
            pass
        ended.append(True)

    with accepting(hanging) as port:
        monkeypatch.setattr(google.oauth2.credentials, "_GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"http://127.0.0.1:{port}/t")
        with anyio.move_on_after(0.3) as scope:
            await GoogleCredentials("lab", GOOGLE).headers()
        await anyio.sleep(0.1)
        assert scope.cancelled_caught
    assert ended


async def test_looking_for_a_machine_of_googles_ends_soon(sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from such machines the address of the metadata server often answers nothing at all."""

    def default(request: Any, **_: object) -> None:
        request(f"{sign_in.address}/computeMetadata/v1/")
        raise AssertionError("answered")

    start = time.monotonic()
    sign_in.hang.set()
    monkeypatch.setattr(google.auth, "default", default)
    monkeypatch.setattr(google_auth, "MACHINE_SECONDS", 0.3)
    await refused(AccessDenied, "no Google credentials were found")
    assert sign_in.paths == ["/computeMetadata/v1/"]
    assert time.monotonic() - start < 5


async def test_nothing_secret_is_logged(sign_in: SignIn, gcloud: Path) -> None:
    (gcloud / ADC).write_text(json.dumps(IMPERSONATED), encoding="utf-8")
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(Discreet())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        await ask(wire(Api("token2")))
        sign_in.refuse(400, {"error": "invalid_grant", "error_description": EMAIL})
        await refused(AccessDenied, "invalid_grant")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert "httpx" in written.getvalue()  # which logs addresses by itself
    assert not [secret for secret in SECRETS if secret in written.getvalue()]
