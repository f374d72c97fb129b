"""Inputs to begin with, per target; ``targets`` says how each reads its bytes."""

import json
from collections.abc import Callable, Iterator

from fakes.store import SHIPPED, Store

LONGEST_FILE = 8_192  # bytes: the header, seldom the pixels

MULTIPART = b"\r\n".join(
    (
        b"--%(b)s",
        b"Content-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1",
        b"Content-Length: 3",
        b"",
        b"abc",
        b"--%(b)s",
        b"",
        b"\r\n--%(b)sx\r\n-",
        b"--%(b)s--",
        b"",
    )
)
TOML = b"""[archives.pacs]
url = "https://pacs.example.org/dicom-web"
kind = "orthanc"
auth = { type = "basic", username = "alice", password_env = "PACS_PASSWORD" }
permit = ["store"]
ca = "/etc/ssl/hospital.pem"
[archives.mine]
path = "~/dicom"
[archives.tok]
url = "gcp:p/l/d/s"
auth = { type = "bearer", command = "print-token --now" }
[files]
roots = ["/data/outgoing"]
"""


def multipart() -> Iterator[bytes]:
    for header in (b"boundary=b", b'boundary="b"', b"boundary='b'", b'boundary="b;c"; type="application/octet-stream"'):
        boundary = b"b;c" if b";" in header else b"b"
        yield b"multipart/related; " + header + b"\n1234" + MULTIPART.replace(b"%(b)s", boundary)
    yield b"application/octet-stream\n1234abc"


def json_() -> Iterator[bytes]:
    for path in sorted(SHIPPED.glob("*.dcm")):
        try:
            yield json.dumps([Store.files(path).instances[0].attributes]).encode()[:LONGEST_FILE]
        except Exception:  # a file made to be broken
            continue
    for number in range(8):
        yield bytes((number, 40)) + bytes(range(number, 200, 3))


def arriving() -> Iterator[bytes]:
    for body in json_():
        yield b"1234" + body
    yield b'1234[{"00081030":{"vr":"LO","Value":["}, {"]}}, {"0020000d":{"vr":"UI","Value":["1.2"]}} ,{"x":"\\""},{}]'


def settings() -> Iterator[bytes]:
    yield TOML
    yield b"\0".join((TOML, b"apacs=http://host:8042/dicom-web", b"aidc", b"aidc-google=v24", b"ppacs:store", b"r/out"))
    yield b"\0".join((b"", b"alab=gcp:p/l/d/s", b"amine=~/dicom", b"h127.0.0.1:8000", b"eDICOMWEB_LAB_TOKEN=x"))
    yield b"\0".join((b"", b"ax=https://[::1]:8/rs", b"h[::1]:0", b"eDICOMWEB_X_USERNAME=x", b"eDICOMWEB_X_PASSWORD=y"))


def header() -> Iterator[bytes]:
    for path in sorted(SHIPPED.iterdir()):
        if path.is_file():
            yield path.read_bytes()[:LONGEST_FILE]


def outgoing() -> Iterator[bytes]:
    for path in sorted(SHIPPED.iterdir()):
        if path.is_file() and path.stat().st_size <= LONGEST_FILE:
            yield path.read_bytes()


SEEDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "multipart": multipart,
    "json": json_,
    "arriving": arriving,
    "settings": settings,
    "header": header,
    "outgoing": outgoing,
}
