"""Files from sockets that send them badly: what is under a final name is whole, whatever happens on the way."""

import tracemalloc
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from mcp import Client

from archives.folder_helpers import make_file
from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from dicomweb_mcp.archives.wire import Patience
from dicomweb_mcp.server import build
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import Settings
from fakes.scripted import CUT, HANG, RESET, Scripted, Step, chunk, head, http
from hostile.world import BRISK, INSTANCE, PATIENT, SERIES, STUDY, good, resource
from tools.reading import answer

pytestmark = pytest.mark.anyio
FILES = 'multipart/related; type="application/dicom"; boundary=b'
WANTED = {"study_uid": STUDY, "series_uid": SERIES, "instance_uids": [INSTANCE], "directory": "in"}


@asynccontextmanager
async def client_of(server: Scripted, root: Path, patience: Patience) -> AsyncIterator[Client]:
    async with server.running():
        app = app_of(server, root, patience)
        async with Client(build(app), raise_exceptions=True) as client:
            yield client


def app_of(server: Scripted, root: Path, patience: Patience) -> App:
    settings = Settings.model_validate(
        {"archives": [{"name": "pacs", "url": server.url, "kind": "dcm4chee"}], "files": {"roots": [root]}}
    )
    return App(settings, lambda archive: DicomwebArchive(archive, patience=patience))


def one_file(tmp_path: Path, size: int = 50_000) -> bytes:
    return make_file(tmp_path / "made/a.dcm", STUDY, SERIES, INSTANCE, PixelData=bytes(size)).read_bytes()


def part(data: bytes) -> bytes:
    return b"--b\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n"


def sent(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.rglob("*") if path.is_file()}


async def test_streams_that_go_wrong_leave_nothing_and_a_second_call_mends_it(tmp_path: Path) -> None:
    data = one_file(tmp_path)
    whole = part(data)
    scripts: dict[str, list[Step]] = {
        "cut": [http(whole[:30_000], FILES, length=len(whole)), CUT],
        "reset": [head(content_type=FILES), chunk(whole[:30_000]), RESET],
        "silent": [head(content_type=FILES), chunk(whole[:30_000]), HANG],
        "no closing boundary": [http(whole, FILES)],
        "ended within the file": [http(part(data[:30_000]) + b"--b--", FILES)],
        "no boundary": [http(whole + b"--b--", FILES.partition("; boundary")[0])],
        "wrong boundary": [http(whole + b"--b--", FILES[:-1] + "c")],
        "headers without end": [http(b"--b\r\n" + b"X: y\r\n" * 9_000, FILES)],
        "wrong length of its own": [http(part(data).replace(b"dicom\r\n", b"dicom\r\nContent-Length: 7\r\n", 1) + b"--b--", FILES)],
        "nothing": [http(b"", "", "204 No Content")],
        "no part": [http(b"--b--", FILES)],
    }  # fmt: skip
    for name, steps in scripts.items():
        root = tmp_path / name
        root.mkdir()
        server = Scripted(lambda target, steps=steps: steps if resource(target) == INSTANCE else good(target))  # type: ignore[misc]
        async with client_of(server, root, BRISK) as client:
            result = await client.call_tool("retrieve_instances", WANTED)
            said = "\n".join(getattr(block, "text", "") for block in result.content)
            kept = sent(root)
            assert kept in ({}, {f"{INSTANCE}.dcm": data}), name
            assert (result.structured_content or {}).get("retrieved", 0) == len(kept), name
            assert result.is_error or kept or "failed: 1" in said, name
            assert "Traceback" not in said
            server.script = lambda target: (
                [http(whole + b"--b--", FILES)] if resource(target) == INSTANCE else good(target)
            )
            then = await answer(client, "retrieve_instances", **WANTED)
        assert (then["retrieved"], then["already_there"]) == (1 - len(kept), len(kept)), name
        assert sent(root) == {f"{INSTANCE}.dcm": data}, name


async def test_a_large_file_passes_through_little_memory(tmp_path: Path) -> None:
    size = 64 << 20
    start = one_file(tmp_path, 0)
    element = b"\xe0\x7f\x10\x00OW\0\0" + size.to_bytes(4, "little")
    start = start[: start.index(b"\xe0\x7f\x10\x00")] + element
    piece = bytes(1 << 20)

    def script(target: str) -> Iterable[Step]:
        if resource(target) != INSTANCE:
            yield from good(target)
            return
        yield head(content_type=FILES)
        yield chunk(part(start)[:-2])
        for _ in range(size // len(piece)):
            yield chunk(piece)
        yield chunk(b"\r\n--b--") + chunk(b"")

    root = tmp_path / "root"
    root.mkdir()
    server = Scripted(script)
    async with client_of(server, root, PATIENT) as client:
        await client.call_tool("list_archives", {})
        tracemalloc.start()
        try:
            found = await answer(client, "retrieve_instances", **WANTED)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert found["retrieved"] == 1
    assert found["bytes"] == len(start) + size
    assert peak < size / 3, f"{peak:,} bytes for a file of {size:,}"


async def test_a_cancelled_call_leaves_no_part(tmp_path: Path) -> None:
    whole = part(one_file(tmp_path))
    root = tmp_path / "root"
    root.mkdir()
    begun = anyio.Event()

    def script(target: str) -> Iterable[Step]:
        if resource(target) != INSTANCE:
            yield from good(target)
            return
        yield head(content_type=FILES)
        yield chunk(whole[:30_000])
        begun.set()
        yield HANG

    server = Scripted(script)
    async with client_of(server, root, PATIENT) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "retrieve_instances", WANTED)
            with anyio.fail_after(10):
                await begun.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(10):
            while server.open or sent(root):  # noqa: ASYNC110
                await anyio.sleep(0.01)
