"""Google's token services on loopback, and what gcloud left for them."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from fakes.google_sign_in import SignIn, listening


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def sign_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[SignIn]:
    """Google's token services on loopback. The addresses that google-auth takes from no file are replaced."""
    import google.auth._exponential_backoff
    import google.auth.iam
    import google.oauth2.credentials

    service = SignIn()
    with listening(service) as address:
        service.address = address
        monkeypatch.setattr(google.oauth2.credentials, "_GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{address}/token")
        iam = f"{address}/v1/projects/-/serviceAccounts/{{}}:generateAccessToken"
        monkeypatch.setattr(google.auth.iam, "_IAM_ENDPOINT", iam)
        monkeypatch.setattr(google.auth._exponential_backoff, "time", SimpleNamespace(sleep=lambda _: None))
        yield service
        service.hang.clear()


@pytest.fixture
def gcloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of gcloud's settings."""
    folder = tmp_path / "gcloud"
    folder.mkdir()
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(folder))
    return folder
