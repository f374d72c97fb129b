"""Credentials of Google's, an API that takes their tokens, and ways to ask."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from dicomweb_mcp.archives.base import ArchiveError
from dicomweb_mcp.archives.google_auth import GoogleCredentials
from dicomweb_mcp.archives.profiles import PROFILES
from dicomweb_mcp.archives.wire import MiB, Wire
from dicomweb_mcp.settings import Auth
from fakes.google_sign_in import SignIn
from support import HURRIED, settings_of

EMAIL = "reader@some-project.iam.gserviceaccount.com"
ADC = "application_default_credentials.json"
USER = {
    "type": "authorized_user",
    "client_id": "client-of-gcloud",
    "client_secret": "s3cret-client",
    "refresh_token": "s3cret-refresh",
}
IMPERSONATED = {
    "type": "impersonated_service_account",
    "service_account_impersonation_url": f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken",
    "delegates": [],
    "source_credentials": USER,
}
SECRETS = (
    "s3cret",
    EMAIL,
    "@",
    "client-of-gcloud",
    "token1",
    "PRIVATE KEY",
    "http://",
    "https://",
    "127.0.0.1",
    "oauth2.",
)
GOOGLE = Auth(type="google")


def service_account(key: rsa.RSAPrivateKey, sign_in: SignIn) -> dict[str, str]:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return {"type": "service_account", "client_email": EMAIL, "private_key": pem, "private_key_id": "k",
            "token_uri": f"{sign_in.address}/token", "project_id": "some-project"}  # fmt: skip


def name_file(monkeypatch: pytest.MonkeyPatch, path: Path, content: object) -> None:
    """Let GOOGLE_APPLICATION_CREDENTIALS name a file with this JSON, or these bytes."""
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))


def log_in(gcloud: Path, **more: str) -> None:
    """What gcloud auth application-default login leaves."""
    (gcloud / ADC).write_text(json.dumps({**USER, **more}), encoding="utf-8")


class Api:
    """Takes every token but those of ``refused``."""

    def __init__(self, *refused: str) -> None:
        self.refused, self.seen = refused, []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        token = request.headers["authorization"].removeprefix("Bearer ")
        self.seen.append(token)
        return httpx.Response(401 if token in self.refused or "all" in self.refused else 200, content=b"[]")


def wire(api: Any, **more: Any) -> Wire:
    settings = settings_of("google", "lab", **{"auth": {"type": "google"}, **more})
    return Wire(settings, PROFILES["google"], transport=httpx.MockTransport(api), patience=HURRIED)


async def ask(shared: Wire) -> None:
    await shared.get("/studies", accept="*/*", most=MiB)


async def refused(error: type[ArchiveError], says: str, credentials: GoogleCredentials | None = None) -> None:
    """The sign-in ends with this error, which holds no secret."""
    with pytest.raises(error, match=says) as raised:
        await (credentials or GoogleCredentials("lab", GOOGLE)).headers()
    message = str(raised.value)
    assert type(raised.value) is error
    assert message.startswith("Archive lab: ")
    assert not [secret for secret in SECRETS if secret in message]


@contextmanager
def accepting(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port on loopback whose first connection is handled so."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                handle(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)
        assert not thread.is_alive()
