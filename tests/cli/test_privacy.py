"""Whatever a session meets, the program writes no name, identifier or secret: as a process, with everything that makes
Python and its libraries talkative turned on, against good and bad archives."""

import json
import os
import socket
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from pydicom import dcmread
from pydicom.data import get_testdata_file

from cli.marked import ASKED, BAD, CODED, HELD, KEY, MARK, NEVER, PASSWORD, TALKATIVE, TOKEN, UID, Changing, good
from fakes.scripted import Scripted
from tools.reading import call, text_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where everything goes that the program could write."""
    for name in ("tmp", "cache", "dicom"):
        (tmp_path / "home" / name).mkdir(parents=True)
    data = dcmread(get_testdata_file("CT_small.dcm"))
    data.PatientName = HELD
    data.save_as(tmp_path / "home" / "dicom" / "ct.dcm")
    (tmp_path / "home" / "dicom" / f"{HELD}.dcm").write_bytes(b"no DICOM at all " + HELD.encode())
    return tmp_path / "home"


def environment(home: Path, talkative: bool) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    places = {name: str(home) for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_CACHE_HOME",
                                           "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")}  # fmt: skip
    temporary = {name: str(home / "tmp") for name in ("TMPDIR", "TEMP", "TMP")}
    secrets = {
        "DICOMWEB_GOOD_TOKEN": TOKEN,
        "DICOMWEB_BAD_USERNAME": "alice",
        "DICOMWEB_BAD_PASSWORD": PASSWORD,
        "KEY": KEY,
    }
    cache = {"DICOMWEB_MCP_CACHE": str(home / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    return {**kept, **places, **temporary, **secrets, **cache, **(TALKATIVE if talkative else {})}


def configuration(home: Path, servers: dict[str, Scripted]) -> Path:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        down = f"http://127.0.0.1:{unused.getsockname()[1]}/dicom-web"
    lines = [
        f'[archives.good]\nurl = "{servers["good"].url}"',
        f'[archives.bad]\nurl = "{servers["bad"].url}"\nkind = "generic"',
        f'[archives.keyed]\nurl = "{servers["bad"].url}"\nkind = "dcm4chee"\n'
        'auth = { type = "header", name = "X-Key", value_env = "KEY" }',
        f'[archives.down]\nurl = "{down}"',
        f"[archives.folder]\npath = {json.dumps(str(home / 'dicom'))}",
    ]
    file = home / "archives.toml"
    file.write_text("\n".join(lines))
    return file


CALLS = [
    ("search_studies", {"filters": {"PatientName": ASKED, "StudyDate": "20190317"}}),
    ("search_studies", {"filters": {"PatientID": [ASKED, "*"]}, "fuzzy": True, "count": True}),
    ("list_series", {"study_uid": UID, "filters": {"SeriesDescription": ASKED}}),
    ("list_instances", {"filters": {"PatientName": {"x": ASKED}}}),
    ("search_studies", {ASKED: ASKED}),
    ("search_studies", {"filters": {ASKED: ASKED}, "order": ASKED, "limit": ASKED}),
    ("get_metadata", {"study_uid": UID}),
    ("get_metadata", {"study_uid": ASKED, "fields": [ASKED]}),
    ("render_frame", {"study_uid": UID, "series_uid": UID, "instance_uid": UID, "window": ASKED}),
    ("render_frame", {"study_uid": UID, "series_uid": UID, "instance_uid": UID}),
    ("list_archives", {}),
    (ASKED, {"study_uid": ASKED}),
]


async def session(client: Client) -> str:
    """Everything a client can ask, with names in it; the errors that came back."""
    errors = []
    for archive in ("good", "bad", "bad", "keyed", "down", "folder", ASKED):
        for tool, arguments in CALLS:
            result = await call(client, tool, **({} if tool == "list_archives" else {"archive": archive}), **arguments)
            errors += [text_of(result)] if result.is_error else []
    for attempt in (
        client.get_prompt(ASKED, {ASKED: ASKED}),
        client.get_prompt("show_slice", {ASKED: ASKED}),
        client.read_resource(f"file:///{ASKED}"),
    ):
        with pytest.raises(MCPError) as raised:
            await attempt
        errors.append(str(raised.value))
    return "\n".join(errors)


def check_errors(errors: str) -> None:
    """A caller may read what it sent, but nothing that a bad archive said of a patient, and no secret."""
    for never in (HELD, TOKEN, PASSWORD, KEY, "127.0.0.1", "java", *(coded.decode() for coded in CODED)):
        assert never not in errors


def check_files(home: Path, *expected: str) -> None:
    """No file below the home tells anything, but those that the test put there and the index of the folder."""
    looked_at = set()
    for file in home.rglob("*"):
        if file.is_file() and file.parent.name != "dicom" and not file.name.startswith("folder-"):
            looked_at.add(file.name)
            content = file.name.encode() + file.read_bytes()
            assert not [mark for mark in NEVER if mark in content], (file, content[-2_000:])
    assert looked_at >= set(expected)


def check_index(home: Path) -> None:
    """It holds what the folder holds, so it is its owner's alone."""
    index = next(file for file in home.rglob("folder-*") if HELD.encode() in file.read_bytes())
    if os.name == "posix":
        assert stat.S_IMODE(index.parent.stat().st_mode) == 0o700


def command(home: Path, servers: dict[str, Scripted], *arguments: str, talkative: bool = True) -> StdioServerParameters:
    dev = ["-X", "dev"] if talkative else []
    return StdioServerParameters(
        command=sys.executable,
        args=[*dev, "-m", "dicomweb_mcp", "--config", str(configuration(home, servers)), *arguments],
        env=environment(home, talkative),
    )


@pytest.fixture
async def servers() -> AsyncIterator[dict[str, Scripted]]:
    good_one, bad_one = Scripted(good), Scripted(Changing())
    async with good_one.running(), bad_one.running():
        yield {"good": good_one, "bad": bad_one}


@pytest.mark.parametrize(("mode", "talkative"), [("auto", True), ("legacy", False)])
async def test_over_stdio(home: Path, servers: dict[str, Scripted], mode: str, talkative: bool) -> None:
    with (home / "stderr").open("wb") as sink:
        transport = stdio_client(command(home, servers, talkative=talkative), errlog=sink)  # type: ignore[arg-type]
        async with Client(transport, mode=mode) as client:
            errors = await session(client)
    check_errors(errors)
    check_files(home, "stderr", "archives.toml")
    check_index(home)
    assert len(servers["bad"].asked) > len(BAD), "every way to fail was met"
    sent = b"".join(head for server in servers.values() for head in server.heads)
    assert TOKEN.encode() in sent
    assert KEY.encode() in sent
    assert [coded for coded in CODED if coded in sent], "the password"


GARBAGE = [
    f'{{"jsonrpc":"2.0","id":1,"method":"{ASKED}","params":{{"{ASKED}":"{ASKED}"}}}}',
    f'{{"jsonrpc":"2.0","id":"{ASKED}","method":"tools/call","params":{{"name":"search_studies","arguments":"{ASKED}"}}}}',
    f'{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":["{ASKED}"]}}',
    f'{{"jsonrpc":"1.0","{ASKED}":[]}}',
    f'{{"{ASKED}": ',
    ASKED,
    f'["{ASKED}"]',
    f'{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{{"{ASKED}":1}}}}}}',
    f'{{"jsonrpc":"2.0","id":3,"result":{{"{ASKED}":1}}}}',
]


async def test_messages_that_are_none(home: Path, servers: dict[str, Scripted]) -> None:
    given = command(home, servers)
    done = await anyio.run_process(
        [given.command, *given.args],
        input="\n".join([*GARBAGE, ""]).encode() + b"\xff\xfe\n",
        env=given.env,
        check=False,
    )
    (home / "stderr").write_bytes(done.stderr)
    check_files(home, "stderr")


async def test_over_http(home: Path, servers: dict[str, Scripted]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    given, base = command(home, servers, "--http", f"127.0.0.1:{port}"), f"http://127.0.0.1:{port}"
    with (home / "output").open("wb") as sink:
        async with await anyio.open_process(
            [given.command, *given.args], stdout=sink, stderr=sink, env=given.env
        ) as process:
            try:
                await listening(port)
                async with httpx.AsyncClient(trust_env=False) as web:
                    accept = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
                    for garbage in GARBAGE:
                        await web.post(
                            f"{base}/mcp?PatientName={ASKED}", content=garbage, headers={**accept, "X-A": ASKED}
                        )
                    await web.get(f"{base}/{ASKED}", headers={"Host": f"{MARK}.test"})
                    await web.put(f"{base}/mcp/{ASKED}", content=ASKED)
                async with Client(f"{base}/mcp") as client:
                    check_errors(await session(client))
            finally:
                process.terminate()
    check_files(home, "output")


async def listening(port: int) -> None:
    with anyio.fail_after(30):
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            await anyio.sleep(0.05)


HOOKED = """
import sys, threading
from dicomweb_mcp.cli.serve import quiet_logging

class Thing:
    def __del__(self):
        raise ValueError(sys.argv[1])

quiet_logging()
Thing()
thread = threading.Thread(target=int, args=[sys.argv[1]], name=sys.argv[1])
thread.start()
thread.join()
raise KeyError(sys.argv[1]) from OSError(sys.argv[1])
"""


async def test_an_error_that_nobody_catches_is_told_by_its_kind() -> None:
    done = await anyio.run_process([sys.executable, "-X", "dev", "-c", HOOKED, MARK], check=False, env=dict(os.environ))
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        "ERROR dicomweb_mcp: failed (ValueError)",
        "ERROR dicomweb_mcp: failed (ValueError)",
        "ERROR dicomweb_mcp: failed (KeyError <- OSError)",
    ]
