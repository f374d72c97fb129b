"""Signing in to Google: the real google-auth against token services and an API on loopback."""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path

import anyio
import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from archives.google_helpers import (
    EMAIL,
    GOOGLE,
    IMPERSONATED,
    USER,
    Api,
    ask,
    log_in,
    name_file,
    refused,
    service_account,
    wire,
)
from dicomweb_mcp.archives.base import AccessDenied
from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from dicomweb_mcp.archives.google_auth import GoogleCredentials
from dicomweb_mcp.settings import ArchiveSettings, Auth
from fakes.google import Google
from fakes.google_sign_in import SignIn, listening
from fakes.store import Store

pytestmark = pytest.mark.anyio


async def test_user_credentials_of_gcloud(sign_in: SignIn, gcloud: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.check_output", None)  # gcloud itself is not started
    log_in(gcloud)
    api = Api()
    shared = wire(api)
    await ask(shared)
    await ask(shared)
    assert api.seen == ["token1", "token1"]
    (asked,) = sign_in.asked
    assert asked.fields == {
        "grant_type": "refresh_token",
        "client_id": "client-of-gcloud",
        "client_secret": "s3cret-client",
        "refresh_token": "s3cret-refresh",
    }


async def test_a_service_account_signs_for_one_scope(
    sign_in: SignIn, key: rsa.RSAPrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_file(monkeypatch, tmp_path / "key.json", service_account(key, sign_in))
    api = Api()
    await ask(wire(api))
    assert api.seen == ["token1"]
    (asked,) = sign_in.asked
    assert asked.fields["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    signed, _, signature = str(asked.fields["assertion"]).rpartition(".")
    key.public_key().verify(decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    claims = json.loads(decoded(signed.split(".")[1]))
    assert claims["iss"] == EMAIL
    assert claims["aud"] == "https://oauth2.googleapis.com/token"
    assert claims["scope"] == "https://www.googleapis.com/auth/cloud-healthcare"


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize("source", ["user", "key"])
async def test_an_impersonated_service_account(
    source: str, sign_in: SignIn, key: rsa.RSAPrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = USER if source == "user" else service_account(key, sign_in)
    name_file(monkeypatch, tmp_path / "adc.json", {**IMPERSONATED, "source_credentials": behind})
    api = Api()
    await ask(wire(api))
    assert api.seen == ["token2"]
    assert sign_in.paths == ["/token", f"/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"]
    impersonation = sign_in.asked[1]
    assert impersonation.headers["authorization"] == "Bearer token1"
    assert impersonation.fields["scope"] == ["https://www.googleapis.com/auth/cloud-healthcare"]


@pytest.mark.parametrize("impersonating", [False, True])
async def test_an_external_account(
    impersonating: bool, sign_in: SignIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "subject").write_text("s3cret-subject", encoding="utf-8")
    info = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/p",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{sign_in.address}/sts",
        "credential_source": {"file": str(tmp_path / "subject")},
    }
    if impersonating:
        info["service_account_impersonation_url"] = f"{sign_in.address}/{EMAIL}:generateAccessToken"
    name_file(monkeypatch, tmp_path / "adc.json", info)
    api = Api()
    await ask(wire(api))
    assert api.seen == ["token2" if impersonating else "token1"]
    assert sign_in.asked[0].fields["subject_token"] == "s3cret-subject"
    assert sign_in.paths == ["/sts", f"/{EMAIL}:generateAccessToken"][: 1 + impersonating]


@pytest.mark.parametrize(
    ("setting", "environment", "file", "sent"),
    [
        (None, None, None, None),
        (None, None, "of-file", "of-file"),
        (None, "of-environment", "of-file", "of-environment"),
        ("of-setting", "of-environment", "of-file", "of-setting"),
    ],
)
async def test_the_quota_project(
    setting: str | None, environment: str | None, file: str | None, sent: str | None,
    sign_in: SignIn, gcloud: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    log_in(gcloud, **({"quota_project_id": file} if file else {}))
    if environment:
        monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", environment)
    headers = await GoogleCredentials("lab", Auth(type="google", quota_project=setting)).headers()
    assert headers.get("x-goog-user-project") == sent


async def test_over_real_connections(
    sign_in: SignIn, key: rsa.RSAPrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_file(monkeypatch, tmp_path / "key.json", service_account(key, sign_in))
    fake = Google(Store.shipped("CT_small.dcm"), token="token1")
    with listening(fake) as address:
        archive = DicomwebArchive(
            ArchiveSettings.model_validate(
                {"name": "lab", "url": address + fake.base, "kind": "google", "auth": {"type": "google"}}
            )
        )
        try:
            health = await archive.probe()
        finally:
            await archive.close()
    assert health.reachable, health.problem
    assert len(sign_in.asked) == 1


async def test_what_is_plain_http_goes_past_any_proxy(
    sign_in: SignIn, gcloud: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a metadata server beside this machine."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    log_in(gcloud)
    await GoogleCredentials("lab", GOOGLE, proxy="http://127.0.0.1:9").headers()


def test_check_signs_in(
    sign_in: SignIn, key: rsa.RSAPrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_file(monkeypatch, tmp_path / "key.json", service_account(key, sign_in))
    fake = Google(Store.shipped("CT_small.dcm"), token="token1")
    with listening(fake) as address:
        config = tmp_path / "archives.toml"
        config.write_text(
            f'[archives.lab]\nurl = "{address}{fake.base}"\nkind = "google"\nauth = {{ type = "google" }}\n',
            encoding="utf-8",
        )
        command = [sys.executable, "-m", "dicomweb_mcp", "check", "--config", str(config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert re.search(r"^lab +google +yes", done.stdout, re.MULTILINE), done.stdout
        assert re.search(r"^  sign-in +google$", done.stdout, re.MULTILINE)
        sign_in.refuse(400, {"error": "invalid_grant", "error_description": EMAIL})
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert re.search(r"problem .*Google's sign-in service gave no token for the service account key", done.stdout)
    assert EMAIL not in done.stdout + done.stderr


async def test_a_machine_of_googles(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("requests", reason="google-auth finds the metadata server only with the package requests")
    from google.auth.compute_engine import _metadata

    def metadata(request: httpx.Request) -> httpx.Response:
        answers = {"/": {}, "/computeMetadata/v1/project/project-id": "p"}
        path = request.url.path
        if path.endswith("/token"):
            answer: object = {"access_token": "token1", "expires_in": 3600, "token_type": "Bearer"}
        else:
            answer = answers.get(path, {"email": EMAIL, "scopes": []})
        return httpx.Response(200, json=answer, headers={"Metadata-Flavor": "Google"})

    with listening(metadata) as address:
        host = address.removeprefix("http://")
        monkeypatch.setenv("GCE_METADATA_IP", host)
        monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", host)
        monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", False)
        credentials = GoogleCredentials("lab", GOOGLE)
        assert (await credentials.headers())["authorization"] == "Bearer token1"
        assert credentials.how == "it was signed in to with the service account of this machine"


# ---- renewing


@pytest.mark.parametrize(("lifetime", "tokens"), [(3600, ["token1", "token1"]), (120, ["token1", "token2"])])
async def test_a_token_is_renewed_before_it_expires(
    lifetime: int, tokens: list[str], sign_in: SignIn, gcloud: Path
) -> None:
    log_in(gcloud)
    sign_in.lifetime = lifetime
    api = Api()
    shared = wire(api)
    await ask(shared)
    await ask(shared)
    assert api.seen == tokens


async def test_requests_at_once_share_one_token(sign_in: SignIn, gcloud: Path) -> None:
    log_in(gcloud)
    api = Api()
    shared = wire(api)
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(ask, shared)
    assert api.seen == ["token1"] * 20
    assert len(sign_in.asked) == 1


async def test_a_refused_token_is_renewed_once(sign_in: SignIn, gcloud: Path) -> None:
    log_in(gcloud)
    api = Api("token1")
    await ask(wire(api))
    assert api.seen == ["token1", "token2"]


async def test_a_token_refused_again_ends_with_two_requests(sign_in: SignIn, gcloud: Path) -> None:
    log_in(gcloud)
    api = Api("all")
    with pytest.raises(
        AccessDenied, match=r"\(401\); it was signed in to with the Google user credentials of the file of gcloud"
    ):
        await ask(wire(api))
    assert api.seen == ["token1", "token2"]


async def test_requests_refused_at_once_share_one_new_token(sign_in: SignIn, gcloud: Path) -> None:
    log_in(gcloud)
    api = Api("token1")
    shared = wire(api)
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(ask, shared)
    assert set(api.seen) == {"token1", "token2"}
    assert api.seen.count("token2") == 20
    assert len(sign_in.asked) == 2


async def test_a_late_refusal_of_the_old_token_does_not_drop_the_new_one(sign_in: SignIn, gcloud: Path) -> None:
    log_in(gcloud)
    credentials = GoogleCredentials("lab", GOOGLE)
    old = await credentials.headers()
    assert credentials.forget(old)
    new = await credentials.headers()
    assert credentials.forget(old)
    assert await credentials.headers() == new != old


async def test_those_who_wait_for_an_attempt_share_its_failure(sign_in: SignIn, gcloud: Path) -> None:
    log_in(gcloud)
    sign_in.refuse(400, {"error": "invalid_grant"})
    credentials = GoogleCredentials("lab", GOOGLE)
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(refused, AccessDenied, "invalid_grant", credentials)
    assert len(sign_in.asked) == 1
    assert (await credentials.headers())["authorization"] == "Bearer token1"


async def test_who_signs_in_anew_is_believed(sign_in: SignIn, gcloud: Path) -> None:
    log_in(gcloud)
    credentials = GoogleCredentials("lab", GOOGLE)
    sign_in.refuse(400, {"error": "invalid_grant"})
    await refused(AccessDenied, "invalid_grant", credentials)
    log_in(gcloud, refresh_token="s3cret-new")
    await credentials.headers()
    assert sign_in.asked[-1].fields["refresh_token"] == "s3cret-new"
