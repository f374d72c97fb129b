"""Certificates and proxies, over real connections on loopback."""

import datetime
import ipaddress
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from dicomweb_mcp.archives.wire import Patience
from dicomweb_mcp.settings import ArchiveSettings

pytestmark = pytest.mark.anyio

HURRIED = Patience(connect=2, silence=2, answer=5, back_off=0.01)


class Authority:
    """A certificate authority that signs for 127.0.0.1; files are PEM with certificate and key."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = self._signed(self._name, self._key, is_authority=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key)
        path = self._folder / f"{name}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return path

    def _signed(self, subject: x509.Name, key: Any, *, is_authority: bool = False) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
        )
        return builder.sign(self._key, hashes.SHA256())


@contextmanager
def serving(answer: Callable[[str], bytes], context: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[str]]]:
    """A server on loopback; its port, and the request targets it has seen."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            body = answer(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def server_context(certificate: Path, *, clients_of: Path | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if clients_of:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients_of)
    return context


async def probe(url: str, **more: Any) -> str:
    """Empty when the archive answers, else why not."""
    settings = ArchiveSettings.model_validate({"name": "pacs", "url": url, "kind": "generic", **more})
    archive = DicomwebArchive(settings, patience=HURRIED)
    try:
        return (await archive.probe()).problem
    finally:
        await archive.close()


def empty(_: str) -> bytes:
    return b"[]"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "hospital")


async def test_an_unknown_authority_is_not_trusted_and_a_configured_one_is(authority: Authority) -> None:
    with serving(empty, server_context(authority.issue("server"))) as (port, seen):
        assert "set ca to the PEM file" in await probe(f"https://127.0.0.1:{port}")
        assert seen == []
        assert await probe(f"https://127.0.0.1:{port}", ca=authority.file) == ""
        assert len(seen) == 1


async def test_a_certificate_of_another_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path, "somebody")
    with serving(empty, server_context(other.issue("server"))) as (port, seen):
        assert "set ca to the PEM file" in await probe(f"https://127.0.0.1:{port}", ca=authority.file)
        assert seen == []


async def test_a_client_certificate_is_shown_where_it_is_asked_for(authority: Authority) -> None:
    context = server_context(authority.issue("server"), clients_of=authority.file)
    with serving(empty, context) as (port, seen):
        url = f"https://127.0.0.1:{port}"
        assert await probe(url, ca=authority.file) != ""
        assert seen == []
        assert await probe(url, ca=authority.file, client_cert=authority.issue("me")) == ""
        assert len(seen) == 1


async def test_a_file_without_a_key_is_no_client_certificate(authority: Authority) -> None:
    assert "certificate and its key" in await probe(
        "https://127.0.0.1:9", ca=authority.file, client_cert=authority.file
    )


async def test_a_file_that_is_no_authority(tmp_path: Path) -> None:
    path = tmp_path / "rubbish.pem"
    path.write_text("rubbish")
    assert "ca" in await probe("https://127.0.0.1:9", ca=path)


async def test_requests_go_through_the_configured_proxy() -> None:
    with serving(empty) as (port, seen):
        assert await probe("http://pacs.invalid/rs", proxy=f"http://127.0.0.1:{port}") == ""
    assert seen == ["http://pacs.invalid/rs/studies?limit=1"]


async def test_a_proxy_that_is_down_is_told() -> None:
    problem = await probe("http://pacs.invalid/rs", proxy="http://127.0.0.1:9")
    assert "cannot be reached" in problem


async def test_a_server_without_tls_where_tls_was_configured() -> None:
    with serving(empty) as (port, seen):
        problem = await probe(f"https://127.0.0.1:{port}")
    assert "Archive pacs: " in problem
    assert seen == []
