"""store_instances through a client: what its description promises, what its answers say, what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client

from archives.folder_helpers import make_file
from dicomweb_mcp.server import build, instructions
from dicomweb_mcp.services import report
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.items import Item, Outcome
from dicomweb_mcp.settings import load
from fakes.google import Google
from fakes.orthanc_like import OrthancLike
from fakes.store import Store
from picture_files import RGB, encoded
from tools.eras import IN_BOTH_ERAS
from tools.reading import answer, call, characters, refusal, text_of

pytestmark = pytest.mark.anyio
Connect = Callable[..., Any]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "outgoing"
    for number in (1, 2):
        make_file(folder / f"{number}.dcm", "1.2", "1.2.3", f"1.2.3.{number}")
    (folder / "notes.txt").write_text("not an image")
    return folder


@IN_BOTH_ERAS
async def test_pictures_and_documents_without_metadata_are_told_of_it(connect: Connect, root: Path) -> None:
    starts = {"JPEG": b"\xff\xd8\xff\xe0", "PNG": b"\x89PNG\r\n\x1a\n", "TIFF": b"II*\0", "PDF": b"%PDF-1.7"}
    for kind, start in starts.items():
        (root / f"x.{kind}").write_bytes(start + bytes(300))
    async with connect(roots=[root], pacs=(OrthancLike(Store()), "orthanc")) as client:
        found = await answer(client, "store_instances", paths=["x.*"])
    told = {row["file"]: row["reason"] for row in found["files"]}
    assert told == {
        f"x.{kind}": f"not DICOM but a {kind}: give metadata, with PatientID, of which a DICOM file is made"
        for kind in starts
    }


async def test_an_answer_counts_and_names_what_needs_a_look(connect: Connect, root: Path) -> None:
    fake = OrthancLike(Store())
    async with connect(roots=[root], pacs=(fake, "orthanc")) as client:
        plan = await answer(client, "store_instances", paths=["."], dry_run=True)
        assert (plan["dry_run"], plan["to_store"], plan["stored"], plan["rejected"]) == (True, 2, 0, 1)
        assert any("nothing was sent" in note for note in plan["notes"])
        result = await call(client, "store_instances", paths=["."])
        found = result.structured_content
        assert found["stored"] == 2
        assert found["bytes"] == sum(path.stat().st_size for path in root.glob("*.dcm"))
        assert found["studies"] == {"1.2": 2}
        assert found["files"] == [{"file": "notes.txt", "outcome": "rejected", "reason": "not DICOM"}]
        for line in ("stored: 2", "rejected: 1", "notes.txt|rejected|not DICOM", "  1.2: 2"):
            assert line in text_of(result).splitlines()
        again = await answer(client, "store_instances", paths=["1.dcm", "2.dcm"])
        assert (again["stored"], again["already_there"]) == (0, 2)
        assert "files" not in again
        rows = (await answer(client, "list_instances", study_uid="1.2"))["rows"]
    assert {row["SOPInstanceUID"] for row in rows} == {"1.2.3.1", "1.2.3.2"}


async def test_a_storage_class_and_json_are_asked_for(connect: Connect, root: Path) -> None:
    fake = Google(Store())
    (root / "a.jpg").write_bytes(encoded(RGB, "JPEG"))
    async with connect(roots=[root], lab=(fake, "google"), pacs=(OrthancLike(Store()), "orthanc")) as client:
        found = await answer(client, "store_instances", paths=["*.dcm"], storage_class="nearline")
        assert (found["stored"], set(fake.kept_as.values())) == (2, {"NEARLINE"})
        assert any("Storage class NEARLINE was asked for" in note for note in found["notes"])
        found = await answer(client, "store_instances", paths=["a.jpg"], metadata={"PatientID": "P1"}, send_json=True)
        assert found["stored"] == 1
        asked = [request for request in fake.requests if request.method == "POST"]
        assert ["dicom+json" in request.headers["content-type"] for request in asked] == [False, True]
        for choice in ({"storage_class": "ARCHIVE"}, {"send_json": True}):
            said = await refusal(client, "store_instances", archive="pacs", paths=["*.dcm"], **choice)
            assert "for archives of kind google, and pacs is of kind orthanc" in said


@IN_BOTH_ERAS
async def test_progress_is_told(connect: Connect, root: Path) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))

    async with connect(roots=[root], pacs=(OrthancLike(Store()), "orthanc")) as client:
        await client.call_tool("store_instances", {"paths": ["*.dcm"]}, progress_callback=progress)
        await anyio.sleep(0.05)
    assert told[:2] == [(1, 6, "1 of 2 files checked"), (2, 6, "2 of 2 files checked")]
    assert [(done, total) for done, total, _ in told[2:]] == [(6, 6)]
    assert str(told[2][2]).startswith("2 of 2 files done, 0.0 of 0.0 MB, ")


async def test_thousands_of_files_that_need_a_look_stay_within_the_budget(connect: Connect, tmp_path: Path) -> None:
    folder = tmp_path.resolve()
    for number in range(3_000):
        (folder / f"a rather long name of a file that is no image, number {number:05}.txt").touch()
    async with connect(roots=[folder], pacs=(OrthancLike(Store()), "orthanc")) as client:
        result = await call(client, "store_instances", paths=["."])
    found = result.structured_content
    assert found["rejected"] == 3_000
    assert max(characters(found), len(text_of(result))) <= 12_000
    left_out = 3_000 - len(found["files"])
    assert any(
        f"Not listed for space: {left_out:,} rejected. They stand in the report." in note for note in found["notes"]
    )
    lines = [json.loads(line) for line in Path(found["report"]).read_text("utf-8").splitlines()]
    assert lines[:2] == found["files"][:2]
    assert len({line["file"] for line in lines}) == 3_000


async def test_a_large_transfer_is_a_plan_until_it_is_confirmed(connect: Connect, tmp_path: Path) -> None:
    folder = tmp_path.resolve()
    for number in range(101):
        make_file(folder / f"{number}.dcm", "1.2", "1.2.3", f"1.2.3.{number}", PatientBirthDate="19500101")
    fake = OrthancLike(Store())
    async with connect(roots=[folder], pacs=(fake, "orthanc")) as client:
        plan = await answer(client, "store_instances", paths=["."])
        assert (plan["dry_run"], plan["to_store"], plan["stored"]) == (True, 101, 0)
        assert any("call this again with confirm=true" in note for note in plan["notes"])
        assert fake.store.instances == []
        done = await answer(client, "store_instances", paths=["."], confirm=True)
        assert (done["stored"], len(fake.store.instances)) == (101, 101)
        again = await answer(client, "store_instances", paths=["."], confirm=True)
    assert again["already_there"] == 101
    for found, outcome in ((plan, "to_store"), (done, "stored"), (again, "already_there")):
        lines = [json.loads(line) for line in Path(found["report"]).read_text("utf-8").splitlines()]
        assert [line["outcome"] for line in lines] == [outcome] * 101
        assert {line["SOPInstanceUID"] for line in lines} == {f"1.2.3.{number}" for number in range(101)}


async def test_a_report_that_cannot_be_written_is_told(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path.resolve() / "outgoing"
    folder.mkdir()
    for number in range(101):
        (folder / f"{number}.txt").touch()
    (tmp_path / "state").write_text("a file where the folder should be")
    monkeypatch.setenv("DICOMWEB_MCP_STATE", str(tmp_path / "state"))
    async with connect(roots=[folder], pacs=(OrthancLike(Store()), "orthanc")) as client:
        found = await answer(client, "store_instances", paths=["."])
    assert found["rejected"] == 101
    assert "report" not in found
    assert any("The report of all files could not be written" in note for note in found["notes"])


async def test_the_oldest_reports_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMWEB_MCP_STATE", str(tmp_path))
    monkeypatch.setattr(report, "MOST", 3)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "store-20200101T000000Z-00000000.jsonl").touch()
    (tmp_path / "reports" / "notes.txt").touch()
    written = [
        report.write_report("store", report.rows_of([Item("a.dcm", Outcome.REJECTED, "cut off")])) for _ in range(3)
    ]
    assert {path.name for path in (tmp_path / "reports").iterdir()} == {"notes.txt", *(path.name for path in written)}


async def test_who_could_be_recognised_is_counted_and_never_shown(connect: Connect, tmp_path: Path) -> None:
    folder = tmp_path.resolve()
    persons: list[dict[str, Any]] = [
        {"PatientName": "Doe^Jane", "PatientAddress": "Hidden Road 1", "BurnedInAnnotation": "YES"},
        {"PatientName": "Doe^Jane", "PatientAddress": "", "PatientIdentityRemoved": "NO", "BurnedInAnnotation": "NO"},
        {"PatientName": "^^", "PatientIdentityRemoved": "YES"},
    ]
    for number, person in enumerate(persons):
        make_file(folder / f"{number}.dcm", "1.2", "1.2.3", f"1.2.3.{number}", **person)
    expected = {
        "PatientName": 2, "PatientAddress": 1, "BurnedInAnnotation YES": 1, "PatientIdentityRemoved NO": 1,
        "PatientIdentityRemoved YES": 1,
    }  # fmt: skip
    async with connect(roots=[folder], pacs=(OrthancLike(Store()), "orthanc")) as client:
        for dry_run in (True, False):
            result = await call(client, "store_instances", paths=["."], dry_run=dry_run)
            assert result.structured_content["identifying"] == expected
            assert "identifying: PatientName=2; " in text_of(result)
            assert "Doe" not in str(result)
            assert "Hidden" not in str(result)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "paths: field required"),
        ({"paths": []}, "at least 1 item"),
        ({"paths": "x.dcm"}, "valid list"),
        ({"paths": [7]}, "valid string"),
        ({"paths": [{"path": "1.dcm"}]}, "valid string"),
        ({"paths": ["1.dcm"] * 1_001}, "at most 1000 items"),
        ({"paths": ["x" * 5_000]}, "at most 4096 characters"),
        ({"paths": [""]}, "at least 1 character"),
        ({"paths": ["1.dcm\0"]}, "empty or holds a NUL"),
        ({"paths": ["../1.dcm"]}, "not below a file root"),
        ({"paths": ["/etc/passwd"]}, "not below a file root"),
        ({"paths": ["none.dcm"]}, "'none.dcm' names nothing below the file roots"),
        ({"paths": ["1.dcm"], "study_uid": "1.2/../3"}, "is not a UID"),
        ({"paths": ["1.dcm"], "dry_run": "maybe"}, "valid boolean"),
        ({"paths": ["1.dcm"], "confirm": "maybe"}, "valid boolean"),
        ({"paths": ["1.dcm"], "overwrite": True}, "overwrite is not an argument"),
        ({"paths": ["1.dcm"], "archive": "else"}, "There is no archive 'else'"),
    ],
)  # fmt: skip
@IN_BOTH_ERAS
async def test_wrong_arguments_open_and_send_nothing(connect: Connect, root: Path, arguments: Any, says: str) -> None:
    fake = OrthancLike(Store())
    async with connect(roots=[root], pacs=(fake, "orthanc")) as client:
        assert says in await refusal(client, "store_instances", **arguments)
    assert fake.requests == []


async def test_a_cancelled_call_stops_sending(root: Path) -> None:
    """The archive is in the middle of the body when the client gives up; nothing more is sent, and the server lives."""
    from support import app_over

    begun, ended = anyio.Event(), anyio.Event()
    fake = OrthancLike(Store())

    async def hanging(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            begun.set()
            try:
                await anyio.sleep_forever()
            finally:
                ended.set()
        return fake(request)

    async with Client(build(app_over({"pacs": (hanging, "orthanc")}, [root])), raise_exceptions=True) as client:  # type: ignore[dict-item]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "store_instances", {"paths": ["1.dcm"]})
            with anyio.fail_after(5):
                await begun.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(5):
            await ended.wait()
        assert (await answer(client, "search_studies"))["returned"] == 0


def described(*flags: str, roots: tuple[str, ...] = (), http: str | None = None, permits: tuple[str, ...] = ()) -> str:
    settings = load(
        archives=flags, permits=permits, file_roots=[Path(root) for root in roots], http=http, environment={}
    )
    tool = next(tool for tool in build(App(settings))._tool_manager.list_tools() if tool.name == "store_instances")
    return f"{tool.description}\n{instructions(settings).splitlines()[-1]}"


PACS = "pacs=http://h/dicom-web"


@pytest.mark.parametrize(
    ("text", "says", "permitted"),
    [
        (described(PACS), "--permit pacs:store --file-root FOLDER", False),
        (described("idc"), "No configured archive can be stored into", False),
        (described(PACS, permits=("pacs:store",)), "No file root is configured", False),
        (described(PACS, permits=("pacs:store",), roots=("/out",)), "Permitted for: pacs.", True),
        (described(PACS, "mine=/d", permits=("mine:store",), roots=("/out",)), "Permitted for: mine.", True),
        (
            described(PACS, permits=("pacs:store",), roots=("/out",), http="127.0.0.1:1"),
            "Over HTTP nothing is permitted",
            False,
        ),
    ],
)
def test_the_description_says_what_is_permitted(text: str, says: str, permitted: bool) -> None:
    assert says in text
    assert ("Files can be stored in" in text) == permitted
    assert ("this server reads only" in text) != permitted
