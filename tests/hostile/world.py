"""What a good archive holds: one study of one image; and how a bad one is asked through the tools."""

import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
from mcp import Client

from dicomweb_mcp.archives.wire import Patience
from dicomweb_mcp.server import build
from fakes.scripted import Script, Scripted, Step, http
from support import app_at
from tools.reading import text_of

BRISK = Patience(connect=2, silence=1, queue=2, answer=2, metadata=2, stream=5, back_off=0.001, retry_after=0.05)
"""For archives that fall silent."""
PATIENT = Patience(
    connect=20, silence=20, queue=20, answer=20, metadata=20, stream=20, back_off=0.001, retry_after=0.05
)
"""For archives that answer, however slow the machine is."""

STUDY, SERIES, INSTANCE = "1.2.3", "1.2.3.4", "1.2.3.4.5"
PIXELS = bytes(range(16))
OCTETS = 'multipart/related; type="application/octet-stream"; boundary=b'


@dataclass(frozen=True)
class Call:
    """A tool, its arguments, and the resource that it asks the archive for in the end."""

    tool: str
    resource: str
    arguments: Mapping[str, Any]


_IMAGE = {"study_uid": STUDY, "series_uid": SERIES, "instance_uid": INSTANCE}
CALLS: Mapping[str, Call] = {
    "search_studies": Call("search_studies", "search", {}),
    "list_series": Call("list_series", "search", {"study_uid": STUDY}),
    "get_metadata": Call("get_metadata", "metadata", _IMAGE),
    "describe_object": Call("describe_object", "metadata", _IMAGE),
    "render_frame": Call("render_frame", "frames", _IMAGE),
    "render_frame, metadata": Call("render_frame", "metadata", _IMAGE),
}
OF_JSON = ("search_studies", "list_series", "get_metadata", "describe_object", "render_frame, metadata")


def row(**more: Any) -> dict[str, Any]:
    """The one image, with elements replaced or added by tag."""
    values: dict[str, tuple[str, Any]] = {
        "00020010": ("UI", "1.2.840.10008.1.2.1"),
        "00080016": ("UI", "1.2.840.10008.5.1.4.1.1.7"),
        "00080018": ("UI", INSTANCE),
        "00080060": ("CS", "OT"),
        "0020000D": ("UI", STUDY),
        "0020000E": ("UI", SERIES),
        "00280002": ("US", 1),
        "00280004": ("CS", "MONOCHROME2"),
        "00280010": ("US", 4),
        "00280011": ("US", 4),
        "00280100": ("US", 8),
        "00280101": ("US", 8),
        "00280102": ("US", 7),
        "00280103": ("US", 0),
    }
    return {**{tag: {"vr": vr, "Value": [value]} for tag, (vr, value) in values.items()}, **more}


ROWS = json.dumps([row()]).encode()


def part(data: bytes, *headers: str) -> bytes:
    lines = ["--b", "Content-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + data + b"\r\n"


FRAME = part(PIXELS) + b"--b--"


def resource(target: str) -> str:
    """What a target asks for: search, metadata, frames, rendered, or its last segment."""
    last, before = target.partition("?")[0].rsplit("/", 2)[:0:-1]
    if before == "frames":
        return before
    return "search" if last in ("studies", "series", "instances") else last


def good(target: str) -> Iterable[Step]:
    """What an ordinary archive answers."""
    asked = resource(target)
    if asked in ("search", "metadata"):
        return [http(ROWS)]
    if asked == "frames":
        return [http(FRAME, OCTETS)]
    return [http(b"", status="404 Not Found")]


def bad_at(name: str, script: Script) -> Script:
    """Bad where this resource is asked for, good everywhere else."""
    return lambda target: script(target) if resource(target) == name else good(target)


@asynccontextmanager
async def client_of(
    servers: Mapping[str, Scripted], patience: Patience = PATIENT, *, mode: Any = "auto", **more: Any
) -> AsyncIterator[Client]:
    """A client of our server, whose archives are these, all running."""
    async with AsyncExitStack() as stack:
        for server in servers.values():
            await stack.enter_async_context(server.running())
        app = app_at({name: server.url for name, server in servers.items()}, patience, **more)
        yield await stack.enter_async_context(Client(build(app), mode=mode, raise_exceptions=True))


@dataclass(frozen=True)
class Outcome:
    """What a call to a bad archive came to; ``then`` is the same call after the archive was good again."""

    is_error: bool
    text: str
    seconds: float
    then: str
    server: Scripted


async def outcome(client: Client, server: Scripted, archive: str, call: Call) -> Outcome:
    start = time.monotonic()
    first = await client.call_tool(call.tool, {"archive": archive, **call.arguments})
    seconds, server.script = time.monotonic() - start, good
    then = await client.call_tool(call.tool, {"archive": archive, **call.arguments})
    return Outcome(bool(first.is_error), text_of(first), seconds, text_of(then) if then.is_error else "", server)


Case = tuple[str, str]  # the name of a script, and that of a call


async def outcomes_of(
    scripts: Mapping[str, Script], calls: Iterable[str] = CALLS, patience: Patience = PATIENT, **more: Any
) -> dict[Case, Outcome]:
    """Every call to every bad archive, all at the same time."""
    cases = {
        (script, call): Scripted(bad_at(CALLS[call].resource, scripts[script])) for script in scripts for call in calls
    }
    names = {case: f"bad{number}" for number, case in enumerate(cases)}
    found: dict[Case, Outcome] = {}
    async with client_of({names[case]: server for case, server in cases.items()}, patience, **more) as client:

        async def ask(case: Case) -> None:
            found[case] = await outcome(client, cases[case], names[case], CALLS[case[1]])

        async with anyio.create_task_group() as tasks:
            for case in cases:
                tasks.start_soon(ask, case)
    return found
