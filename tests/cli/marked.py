"""What a session could leave behind: marks in everything that names a patient or is a secret, and archives that hold and
say them."""

import base64
import json
from collections.abc import Iterable
from itertools import cycle

from fakes.scripted import CUT, Step, http

MARK = "NEVERSHOWN"  # a part of everything that must not be written
TOKEN, PASSWORD, KEY = f"t0ken-{MARK}-1", f"passw0rd-{MARK}-2", f"header-{MARK}-3"
ASKED = f"Asked^{MARK}"  # what filters and other arguments hold
HELD = f"Held^{MARK}"  # what archives hold of patients, and say in errors
UID = "1.2.826.0.1.3680043.8.498.777000777"
# base64 writes the mark in three ways, by what stands before it; letters that depend on its neighbours are left out
CODED = [base64.b64encode(b"x" * shift + MARK.encode())[4 if shift else 0 : 12] for shift in range(3)]
NEVER = [MARK.encode(), UID.encode(), *CODED]

TALKATIVE = {
    "PYTHONASYNCIODEBUG": "1",
    "PYTHONDEVMODE": "1",
    "PYTHONWARNINGS": "always",
    "PYTHONFAULTHANDLER": "1",
    "HTTPX_LOG_LEVEL": "trace",
    "HTTPCORE_LOG_LEVEL": "debug",
    "GOOGLE_SDK_PYTHON_LOGGING_SCOPE": "google",
    "LOGLEVEL": "DEBUG",
    "LOG_LEVEL": "DEBUG",
    "MCP_LOG_LEVEL": "DEBUG",
    "MCP_DEBUG": "1",
    "FASTMCP_LOG_LEVEL": "DEBUG",
    "FASTMCP_DEBUG": "true",
    "UVICORN_LOG_LEVEL": "trace",
    "DEBUG": "1",
}

JAVA = f"java.lang.IllegalStateException: {HELD}\n\tat org.pacs.Search.find(Search.java:7)\n"
ROW = {
    "00080018": {"vr": "UI", "Value": [UID]},
    "00080060": {"vr": "CS", "Value": ["CT"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": HELD}]},
    "0020000D": {"vr": "UI", "Value": [UID]},
    "0020000E": {"vr": "UI", "Value": [UID]},
    "00280010": {"vr": "US", "Value": [4]},
    "00280011": {"vr": "US", "Value": [4]},
}
FRAMES = 'multipart/related; type="application/octet-stream"; boundary=b'


def good(target: str) -> Iterable[Step]:
    if "/frames/" in target:
        return [http(f"--b\r\nContent-Type: {HELD}\r\n\r\n{HELD}\r\n--b--".encode(), FRAMES)]
    return [http(json.dumps([ROW]).encode())]


class Changing:
    """Every way to fail, one after the other, each with a patient in it."""

    def __init__(self) -> None:
        self._ways = cycle(BAD)

    def __call__(self, target: str) -> Iterable[Step]:
        return next(self._ways)


BAD: list[list[Step]] = [
    [http(JAVA.encode(), "text/plain", "500 Internal Server Error")],
    [http(f"<h1>{HELD}</h1>".encode(), "text/html", "403 Forbidden")],
    [http(f"<h1>{HELD}</h1>".encode(), "text/html")],
    [http(f'[{{"00100010": "{HELD}'.encode())],
    [http(json.dumps({"patient": HELD}).encode())],
    [http(json.dumps([[HELD]]).encode())],
    [http(f'[{{"00100010":{{"vr":"PN","Value":[{"[" * 2_000}"{HELD}"'.encode())],
    [http(b"", status="302 Found", headers=(f"Location: http://127.0.0.1/{HELD}",))],
    [f"HTTP/1.1 200 {HELD}\r\n{HELD}\r\n\r\n".encode(), CUT],
    [f"{HELD}\r\n\r\n".encode(), CUT],
    [http(HELD.encode(), headers=("Content-Encoding: gzip",))],
    [http(HELD.encode(), headers=(f"Set-Cookie: {HELD}; expires={HELD}; Max-Age={HELD}", f"Warning: 299 {HELD}"))],
    [http(HELD.encode(), length=1_000), CUT],
    [http(json.dumps([{**ROW, HELD: {"vr": HELD, "Value": {HELD: HELD}}}]).encode(), HELD)],
    [CUT],
]
