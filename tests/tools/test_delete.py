"""delete_instances through a client: where it is offered, what it says, what it refuses."""

import errno
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.types import ElicitResult, Tool

import support
from archives.folder_helpers import make_file
from dicomweb_mcp.server import build, instructions
from dicomweb_mcp.services import delete as service
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import load
from dicomweb_mcp.tools import dialogue
from fakes.base import Fake
from fakes.deleting import DeletingGoogle, DeletingOrthanc
from fakes.store import Store
from services.deletion_helpers import INSTANCE, SERIES, STUDY, app_deleting, deletes, held
from tools.reading import answer, call, characters, refusal, text_of

pytestmark = pytest.mark.anyio
Connected = Callable[..., Any]


@pytest.fixture(params=["auto", "legacy"])
def connected(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Connected:
    """``async with connected(fake, "google") as client: ...``, in both protocol eras."""
    monkeypatch.setattr(service, "LOOK_AFTER", (0.0, 0.0))

    @asynccontextmanager
    async def connect(fake: Fake, kind: str, **more: Any) -> AsyncIterator[Client]:
        asked = more.pop("asked", None)
        app = app_deleting(fake, kind, **more)
        async with Client(build(app), mode=request.param, raise_exceptions=True, elicitation_callback=asked) as client:
            yield client

    return connect


async def test_a_plan_and_its_token(connected: Connected) -> None:
    fake = DeletingOrthanc(Store.synthetic(2, 2, 3))
    async with connected(fake, "orthanc") as client:
        result = await call(client, "delete_instances", study_uid=STUDY)
        plan = result.structured_content
        assert plan == {
            "archive": "pacs",
            "notes": ["Nothing was deleted yet.", "The archive deletes for good."],
            "level": "study",
            "StudyInstanceUID": STUDY,
            "patient": {"PatientID": "P000000", "PatientName": "Adams^Person000000", "StudyDate": "20000101"},
            "series_count": 2,
            "instances": 6,
            "bytes": 6_000,
            "token": plan["token"],
        }
        lines = text_of(result).splitlines()
        assert f"token: {plan['token']}" in lines
        assert "patient: PatientID=P000000; PatientName=Adams^Person000000; StudyDate=20000101" in lines
        done = await answer(client, "delete_instances", study_uid=STUDY, token=plan["token"])
        assert (done["deleted"], done["remaining"], done["unknown"]) == (6, 0, 0)
        assert "token" not in done
        assert "notes" not in done
        assert (await answer(client, "list_instances", study_uid=STUDY))["returned"] == 0
        assert (await answer(client, "search_studies"))["returned"] == 1
        assert "has no study" in await refusal(client, "delete_instances", study_uid=STUDY, token=plan["token"])


async def test_a_wrong_token_brings_the_plan_again(connected: Connected) -> None:
    fake = DeletingOrthanc(Store.synthetic(1))
    async with connected(fake, "orthanc") as client:
        refused = await call(client, "delete_instances", series_uid=SERIES, token="yes")
        found = refused.structured_content
        assert "deleted" not in found
        assert "described: Modality=CT" in text_of(refused)
        assert found["notes"][0].startswith("Refused, and nothing was deleted")
        assert deletes(fake) == []
        done = await answer(client, "delete_instances", series_uid=SERIES, token=found["token"])
    assert done["deleted"] == 1


@pytest.mark.parametrize(
    ("reply", "goes"),
    [
        (ElicitResult(action="accept", content={"delete": True}), True),
        (ElicitResult(action="accept", content={"delete": False}), False),
        (ElicitResult(action="decline"), False),
        (ElicitResult(action="cancel"), False),
    ],
)
async def test_a_client_that_can_ask_asks_once(connected: Connected, reply: ElicitResult, goes: bool) -> None:
    """And never for a plan, nor for a token that is refused anyway."""
    questions: list[str] = []

    async def asked(_: Any, question: Any) -> ElicitResult:
        questions.append(question.message)
        return reply

    store = Store.synthetic(1, 1, 3)
    async with connected(DeletingOrthanc(store), "orthanc", asked=asked) as client:
        token = (await answer(client, "delete_instances", study_uid=STUDY))["token"]
        assert "deleted" not in await answer(client, "delete_instances", study_uid=STUDY, token="wrong")
        assert questions == []
        arguments = {"study_uid": STUDY, "token": token}
        if goes:
            assert (await answer(client, "delete_instances", **arguments))["deleted"] == 3
        else:
            assert "Nothing was deleted" in await refusal(client, "delete_instances", **arguments)
    assert questions == [
        f"The archive deletes for good. Delete study {STUDY} (3 instances; P000000, Adams^Person000000, 20000101) from "
        "the archive pacs?"
    ]
    assert len(held(store)) == (0 if goes else 3)


async def test_a_dialogue_that_nobody_answers(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialogue, "PATIENCE", 0.05)

    async def asked(*_: Any) -> ElicitResult:
        await anyio.sleep(0.3)
        return ElicitResult(action="accept", content={"delete": True})

    store = Store.synthetic(1, 1, 3)
    async with connected(DeletingOrthanc(store), "orthanc", asked=asked) as client:
        token = (await answer(client, "delete_instances", study_uid=STUDY))["token"]
        with anyio.fail_after(5):
            said = await refusal(client, "delete_instances", study_uid=STUDY, token=token)
    assert "was not answered within 5 minutes. Nothing was deleted" in said
    assert len(held(store)) == 3


async def test_progress_is_told(connected: Connected) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))

    async with connected(DeletingGoogle(Store.synthetic(1)), "google") as client:
        token = (await answer(client, "delete_instances", study_uid=STUDY))["token"]
        await client.call_tool("delete_instances", {"study_uid": STUDY, "token": token}, progress_callback=progress)
    assert told[0] == (1, None, "Google deletes (operation 1), and goes on should this call be stopped")
    assert told[1] == (2, None, "deleting for 0 s")
    assert told[-1] == (len(told), None, "searching for what is left")


@pytest.mark.parametrize("connected", ["auto"], indirect=True)
async def test_a_call_that_is_stopped_says_what_goes_on(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the last word arrives; older clients hear none after they have cancelled. The server lives."""
    monkeypatch.setattr(support, "HURRIED", replace(support.HURRIED, operation=60))
    fake = DeletingGoogle(Store.synthetic(1))
    fake.polls = 10_000
    told: list[str | None] = []
    begun, heard = anyio.Event(), anyio.Event()
    fake.looking = begun.set

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append(message)
        if message and message.startswith("no longer"):
            heard.set()

    async with connected(fake, "google") as client:
        token = (await answer(client, "delete_instances", study_uid=STUDY))["token"]
        arguments = {"study_uid": STUDY, "token": token}

        async def call() -> None:
            await client.call_tool("delete_instances", arguments, progress_callback=progress)

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(call)
                await begun.wait()
                tasks.cancel_scope.cancel()
            await heard.wait()
        asked = len(fake.requests)
        assert (await answer(client, "search_studies"))["returned"] == 1
        assert len(fake.requests) == asked + 1
    assert told[0] == "Google deletes (operation 1), and goes on should this call be stopped"
    assert told[-1] == "no longer followed: Google goes on deleting (operation 1)"


async def test_much_that_remains_stays_within_the_budget(connected: Connected) -> None:
    fake = DeletingGoogle(Store.synthetic(1, 1, 500))
    fake.lag = 10_000
    async with connected(fake, "google") as client:
        token = (await answer(client, "delete_instances", study_uid=STUDY))["token"]
        result = await call(client, "delete_instances", study_uid=STUDY, token=token)
    found = result.structured_content
    assert (found["deleted"], found["remaining"]) == (0, 500)
    assert max(characters(found), len(text_of(result))) <= 12_000
    assert any(f"Not listed for space: {500 - len(found['still_there'])} of those" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "Give study_uid, series_uid or instance_uid"),
        ({"token": "x"}, "Give study_uid, series_uid or instance_uid"),
        ({"study_uid": "1.2/../3"}, "is not a UID"),
        ({"study_uid": STUDY, "token": "x" * 101}, "at most 100 characters"),
        ({"study_uid": [STUDY]}, "valid string"),
        ({"study_uid": STUDY, "confirm": True}, "confirm is not an argument"),
        ({"study_uid": STUDY, "archive": "else"}, "There is no archive 'else'"),
    ],
)
async def test_wrong_arguments_send_nothing(connected: Connected, arguments: Any, says: str) -> None:
    fake = DeletingOrthanc(Store.synthetic(1))
    async with connected(fake, "orthanc") as client:
        assert says in await refusal(client, "delete_instances", **arguments)
    assert fake.requests == []


@pytest.mark.parametrize("more", [{"permit": ()}, {"permit": ("store",)}, {"http": {"host": "::1", "port": 1}}])
async def test_without_the_permission_there_is_no_such_tool(connected: Connected, more: Any) -> None:
    store = Store.synthetic(1)
    fake = DeletingOrthanc(store)
    async with connected(fake, "orthanc", **more) as client:
        assert "delete_instances" not in {tool.name for tool in (await client.list_tools()).tools}
        assert "Unknown tool" in await refusal(client, "delete_instances", instance_uid=INSTANCE, token="x")
    assert fake.requests == []
    assert len(held(store)) == 1


def tool_of(*archives: str, permits: tuple[str, ...] = (), roots: tuple[str, ...] = ()) -> tuple[Tool | None, str]:
    settings = load(archives=archives, permits=permits, file_roots=[Path(root) for root in roots], environment={})
    tools = build(App(settings))._tool_manager.list_tools()
    return next((tool for tool in tools if tool.name == "delete_instances"), None), instructions(settings)


PACS, MINE = "pacs=http://h/dicom-web", "mine=/d"


@pytest.mark.parametrize(
    ("permits", "roots", "says", "says_not"),
    [
        ((), (), ["Nothing can be stored or deleted"], ["delete_instances"]),
        (("mine:delete",), (), ["delete_instances works in: mine.", "Nothing can be stored."], ["deleted"]),
        (("mine:delete", "pacs:store"), ("/o",), ["Files can be stored in: pacs.", "works in: mine."], ["Nothing can"]),
        (("pacs:store",), ("/o",), ["Files can be stored in: pacs.", "Nothing can be deleted."], ["delete_instances"]),
    ],
)
def test_the_instructions_follow_the_configuration(
    permits: tuple[str, ...], roots: tuple[str, ...], says: list[str], says_not: list[str]
) -> None:
    tool, text = tool_of(PACS, MINE, permits=permits, roots=roots)
    last = text.splitlines()[-1]
    assert [part for part in says if part not in last] == []
    assert [part for part in says_not if part in last] == []
    assert len(text) <= 2_048
    assert (tool is not None) == ("mine:delete" in permits)
    if tool:
        assert tool.description is not None
        assert "Permitted for: mine." in tool.description


async def test_another_archive_than_the_permitted_one_is_refused() -> None:
    settings = load(archives=[PACS, MINE], permits=["mine:delete"], environment={})
    async with Client(build(App(settings)), raise_exceptions=True) as client:
        for arguments in ({}, {"archive": "pacs"}):
            assert "--permit pacs:delete" in await refusal(client, "delete_instances", study_uid=STUDY, **arguments)


async def test_the_rules_of_hosts() -> None:
    settings = load(archives=[PACS], permits=["pacs:delete"], environment={})
    (tool,) = [tool for tool in await build(App(settings)).list_tools() if tool.name == "delete_instances"]
    assert tool.annotations is not None
    assert tool.annotations.read_only_hint is False
    assert tool.annotations.destructive_hint is True
    assert tool.description is not None
    assert len(tool.description) <= 2_048
    assert tool.description.isascii()
    assert set(tool.input_schema["properties"]) == {"archive", "study_uid", "series_uid", "instance_uid", "token"}
    assert tool.input_schema["additionalProperties"] is False
    assert '"title"' not in json.dumps(tool.input_schema)


async def test_a_folder_from_plan_to_trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a file that is touched or added after the plan is not swept along."""
    monkeypatch.setenv("DICOMWEB_MCP_STATE", str(tmp_path / "state"))
    folder = tmp_path.resolve() / "archive"
    for number in (1, 2):
        make_file(folder / f"{number}.dcm", "1.2", "1.2.3", f"1.2.3.{number}")
    settings = load(archives=[f"mine={folder}"], permits=["mine:delete"], environment={})
    async with Client(build(App(settings)), raise_exceptions=True) as client:
        plan = await answer(client, "delete_instances", series_uid="1.2.3")
        assert plan["notes"] == [
            "Nothing was deleted yet.", "Files are moved into a trash, and can be brought back."
        ]  # fmt: skip
        assert (plan["instances"], plan["bytes"]) == (2, sum(path.stat().st_size for path in folder.iterdir()))
        status = (folder / "1.dcm").stat()
        os.utime(folder / "1.dcm", ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))
        assert "deleted" not in await answer(client, "delete_instances", series_uid="1.2.3", token=plan["token"])
        plan = await answer(client, "delete_instances", series_uid="1.2.3")
        make_file(folder / "3.dcm", "1.2", "1.2.3", "1.2.3.3")
        refused = await answer(client, "delete_instances", series_uid="1.2.3", token=plan["token"])
        assert "deleted" not in refused
        assert refused["instances"] == len(list(folder.iterdir())) == 3
        done = await answer(client, "delete_instances", series_uid="1.2.3", token=refused["token"])
        assert (done["deleted"], done["remaining"]) == (3, 0)
        assert str(tmp_path / "state" / "trash" / "mine") in done["notes"][0]
        assert (await answer(client, "search_studies"))["returned"] == 0
    assert list(folder.iterdir()) == []
    assert len(list((tmp_path / "state" / "trash").rglob("*.dcm"))) == 3


async def test_a_folder_whose_files_cannot_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that this user may not write to: what was left is told, and nothing that is not so."""
    monkeypatch.setenv("DICOMWEB_MCP_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(service, "LOOK_AFTER", (0.0, 0.0))
    folder = tmp_path.resolve() / "archive"
    for number in (1, 2, 3):
        make_file(folder / f"{number}.dcm", "1.2", "1.2.3", f"1.2.3.{number}")
    rename = Path.rename

    def renamed(self: Path, target: Path) -> Path:
        if self.parent == folder:
            raise PermissionError(errno.EACCES, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", renamed)
    settings = load(archives=[f"mine={folder}"], permits=["mine:delete"], environment={})
    async with Client(build(App(settings)), raise_exceptions=True) as client:
        plan = await answer(client, "delete_instances", study_uid="1.2")
        done = await answer(client, "delete_instances", study_uid="1.2", token=plan["token"])
    assert (done["deleted"], done["remaining"]) == (0, 3)
    assert done["notes"] == ["3 files were left where they are; first: 1.dcm (it cannot be moved: Permission denied)."]
    assert list((tmp_path / "state" / "trash" / "mine").iterdir()) == []
