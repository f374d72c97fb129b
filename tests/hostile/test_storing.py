"""Servers that take what they are sent slowly, or stop to take it: over real sockets, whose buffers fill up."""

import json
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from archives.folder_helpers import make_file
from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.transfer import Transfer, store
from dicomweb_mcp.settings import Settings
from hostile.world import PATIENT
from services.transfer_helpers import outcomes
from support import HURRIED

pytestmark = pytest.mark.anyio
SIZE = 24 << 20
UID = "1.2.3.4"


class Reluctant:
    """Takes 64 KiB of a body at a time with a pause behind each; after ``most`` bytes nothing until ``release``. What
    it was sent whole it finds in searches."""

    def __init__(self, pause: float, most: int = 1 << 40) -> None:
        self.pause, self.most = pause, most
        self.release = threading.Event()
        self.taken: list[int] = []
        self.has_it = False

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        self.taken.append(0)
        while self.taken[-1] < length:
            if self.taken[-1] >= self.most:
                self.release.wait(30)
            piece = handler.rfile.read1(min(1 << 16, length - self.taken[-1]))
            if not piece:
                return
            self.taken[-1] += len(piece)
            time.sleep(self.pause)
        self.has_it = True

    @contextmanager
    def running(self) -> Iterator[str]:
        reluctant = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                asked = parse_qs(urlsplit(self.path).query).get("SOPInstanceUID", [])
                finds_it = reluctant.has_it and asked == [UID]
                self._answer([{"00080018": {"vr": "UI", "Value": [UID]}}] if finds_it else [])

            def do_POST(self) -> None:
                reluctant.take(self)
                self._answer({})

            def _answer(self, body: object) -> None:
                content = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/dicom+json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.handle_error = lambda *_: None  # type: ignore[method-assign] # the client went away
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/dicom-web"
        finally:
            self.release.set()
            server.shutdown()
            server.server_close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A file root with one large file."""
    made = make_file(tmp_path / "root" / "large.dcm", "1.2", "1.2.3", UID, PixelData=b"\0\0")
    with made.open("r+b") as file:
        file.seek(-6, 2)
        file.write(SIZE.to_bytes(4, "little"))
        file.truncate(file.tell() + SIZE)
    return tmp_path / "root"


async def sent(url: str, root: Path, *, patient: bool) -> Transfer:
    settings = Settings.model_validate({
        "archives": [{"name": "pacs", "url": url, "kind": "orthanc", "permit": ["store"]}], "files": {"roots": [root]},
    })  # fmt: skip
    patience = PATIENT if patient else HURRIED
    app = App(settings, lambda archive: DicomwebArchive(archive, patience=patience))

    async def nobody(done: float, total: float | None, message: str) -> None:
        pass

    try:
        return await store(app, None, ["."], report=nobody)
    finally:
        await app.close()


async def test_what_is_taken_slowly_is_sent_whole_in_little_memory(root: Path) -> None:
    server = Reluctant(0.001)
    with server.running() as url:
        tracemalloc.start()
        try:
            transfer = await sent(url, root, patient=True)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert outcomes(transfer) == {"stored": 1}
    assert server.taken[0] > SIZE
    assert peak < SIZE / 3, f"{peak:,} bytes for a file of {SIZE:,}"


async def test_what_is_not_taken_any_more_is_not_called_stored(root: Path) -> None:
    server = Reluctant(0, most=1 << 20)
    with server.running() as url:
        transfer = await sent(url, root, patient=False)
        assert outcomes(transfer) == {"unknown": 1}
        assert len(server.taken) == 2, "once more after a look, and then no more"
        server.release.set()
        server.most = 1 << 40
        assert outcomes(await sent(url, root, patient=True)) == {"stored": 1}
