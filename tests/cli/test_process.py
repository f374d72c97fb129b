"""The program as a host starts it: a process of its own, over stdio and over HTTP."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from mcp import Client, StdioServerParameters
from pydicom.data import get_testdata_file

from tools.reading import answer, call, image_of, refusal

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("dicom")
    for name in ("CT_small.dcm", "MR_small.dcm"):
        (made / name).write_bytes(Path(get_testdata_file(name)).read_bytes())
    return made


def environment(cache: Path) -> dict[str, str]:
    return {**os.environ, "DICOMWEB_MCP_CACHE": str(cache)}


def command(*arguments: str, cache: Path) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable, args=["-m", "dicomweb_mcp", *arguments], env=environment(cache)
    )


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_over_stdio_in_both_eras(folder: Path, tmp_path: Path, mode: str) -> None:
    async with Client(command("--archive", f"mine={folder}", cache=tmp_path), mode=mode) as client:
        assert client.protocol_version == ("2026-07-28" if mode == "auto" else "2025-11-25")
        found = await answer(client, "search_studies", filters={"PatientID": "1CT1"})
        assert found["total"] == 1
        series = await answer(client, "list_series", study_uid=found["rows"][0]["StudyInstanceUID"])
        picture = await call(client, "render_frame", series_uid=series["rows"][0]["SeriesInstanceUID"])
        assert image_of(picture).mime_type == "image/png"
        assert "Modalty" in await refusal(client, "list_series", filters={"Modalty": "CT"})


async def test_storing_over_stdio(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    flags = ("--archive", f"mine={archive}", "--permit", "mine:store", "--file-root", str(folder))
    async with Client(command(*flags, cache=tmp_path / "cache")) as client:
        assert (await answer(client, "store_instances", paths=["*.dcm"]))["stored"] == 2
        assert (await answer(client, "search_studies", filters={"PatientID": "1CT1"}))["total"] == 1
    stored = {path.read_bytes() for path in archive.rglob("*.dcm")}
    assert stored == {path.read_bytes() for path in folder.glob("*.dcm")}


def test_nothing_but_the_protocol_is_on_stdout_and_it_ends_with_its_input(folder: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dicomweb_mcp", "--archive", f"mine={folder}"],
        input=b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":'
        b'{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}\n',
        capture_output=True, timeout=30, check=False, env=environment(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.startswith(b'{"jsonrpc":"2.0","id":1,"result"')
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


@pytest.fixture(scope="module")
def served(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "dicomweb_mcp", "--archive", f"mine={folder}", "--permit", "mine:store",
         "--file-root", str(folder), "--http", f"127.0.0.1:{port}"],
        stderr=subprocess.PIPE, env=environment(tmp_path_factory.mktemp("cache")),
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_over_http_on_loopback_for_reading_only(served: str, folder: Path, mode: str) -> None:
    async with Client(served, mode=mode) as client:
        found = await answer(client, "search_studies", filters={"PatientID": "1CT1"})
        assert found["total"] == 1
        (archive,) = (await answer(client, "list_archives"))["archives"]
        assert archive["permits"] == ["read"]
        assert "only read over HTTP" in await refusal(client, "store_instances", paths=[str(folder / "CT_small.dcm")])


def test_a_page_of_another_host_cannot_reach_it(served: str) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    headers = {"Accept": "application/json, text/event-stream"}
    with httpx.Client(trust_env=False) as client:
        assert client.post(served, json=body, headers={**headers, "Host": "evil.test"}).status_code == 421
        assert client.post(served, json=body, headers={**headers, "Origin": "https://evil.test"}).status_code == 403


def run(*arguments: str, cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dicomweb_mcp", *arguments],
        capture_output=True, text=True, timeout=60, check=False, env=environment(cache), stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--archive", "nonsense"], "NAME=URL or NAME=FOLDER"),
        (["--http", "0.0.0.0:8000"], "loopback only"),
        (["--permit", "idc:store"], "can only be read"),
        (["--config", "/no/such/file.toml"], "cannot be read"),
        (["check", "--archive", "a=http://x:y@h/rs"], "password does not belong"),
    ],
)
def test_a_wrong_start_ends_with_one_sentence(arguments: list[str], says: str, tmp_path: Path) -> None:
    done = run(*arguments, cache=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.startswith("dicomweb-mcp: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_version_and_help(tmp_path: Path) -> None:
    assert re.fullmatch(r"dicomweb-mcp \d+\.\d+\.\d+\n", run("--version", cache=tmp_path).stdout)
    assert "--archive NAME=PLACE" in run("--help", cache=tmp_path).stdout


def test_check_prints_what_a_person_wants_to_know(folder: Path, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        done = run("check", "--archive", f"mine={folder}", "--archive", f"pacs=http://127.0.0.1:{port}/dicom-web",
                   "--permit", "pacs:store", cache=tmp_path)  # fmt: skip
    assert done.returncode == 1
    assert "1 of 2 archives cannot be reached" in done.stderr
    table, mine, pacs = done.stdout.split("\n\n")
    assert [line.split(maxsplit=3) for line in table.splitlines()] == [
        ["archive", "kind", "reachable", "permitted"],
        ["mine", "folder", "yes", "read"],
        ["pacs", "orthanc", "no", "read, store"],
    ]
    assert re.search(r"study search +StudyInstanceUID", mine)
    assert "2 instances" in mine
    assert re.search(r"kind +orthanc \(recognised by its address\)", pacs)
    assert re.search(r"problem +Archive pacs: cannot be reached: no connection", pacs)
    assert run("check", "--archive", f"mine={folder}", cache=tmp_path).returncode == 0


def test_the_demo_gives_what_it_should(tmp_path: Path) -> None:
    start = time.monotonic()
    done = run("demo", "--output", str(tmp_path / "out"), cache=tmp_path / "cache")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every step gave what it should." in done.stdout
    assert "Did you mean StudyDate" in done.stdout
    picture = re.search(r"The picture is (.*\.png)", done.stdout)
    assert picture
    assert Path(picture[1]).read_bytes().startswith(b"\x89PNG")
    assert time.monotonic() - start < 15


async def test_no_value_of_a_filter_is_written_anywhere(folder: Path, tmp_path: Path) -> None:
    """Names, identifiers and secrets of a session, with a failing archive: none of them reaches stderr."""
    secret, name = "s3cr3t-t0ken", "Lastname-of-a-patient"
    errors = tmp_path / "stderr"
    with errors.open("wb") as sink:
        parameters = command(
            "--archive", "down=http://127.0.0.1:9/dicom-web", "--archive", f"mine={folder}", cache=tmp_path / "cache"
        )
        parameters.env = {**(parameters.env or {}), "DICOMWEB_DOWN_TOKEN": secret}
        from mcp.client.stdio import stdio_client

        async with Client(stdio_client(parameters, errlog=sink)) as client:  # type: ignore[arg-type]
            for archive in ("down", "mine"):
                await call(client, "search_studies", archive=archive, filters={"PatientName": name})
                await call(client, "search_studies", archive=archive, filters={"PatientID": [name, {"x": name}]})
                await call(client, "search_studies", archive=archive, nonsense=name)
    written = errors.read_text(encoding="utf-8", errors="replace")
    assert secret not in written
    assert name not in written
