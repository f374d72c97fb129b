"""retrieve_instances through a client: when it is offered, what its answers say, what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from archives.folder_helpers import make_file
from dicomweb_mcp.server import build
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.retrieve import Item, Outcome, Retrieval
from dicomweb_mcp.settings import load
from dicomweb_mcp.tools.retrieve import retrieval_answer
from fakes.google import Google
from fakes.store import Store
from services.retrieve.helpers import Serving, due, found
from tools.eras import IN_BOTH_ERAS
from tools.reading import answer, call, characters, refusal, text_of

pytestmark = pytest.mark.anyio
Connect = Callable[..., Any]
PACS = "pacs=http://h/dicom-web"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.files(*(make_file(tmp_path / f"there/{n}.dcm", "1.2", "1.2.3", f"1.2.3.{n}") for n in (1, 2)))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "root"
    folder.mkdir()
    return folder


@IN_BOTH_ERAS
async def test_an_answer_counts_and_names_what_needs_a_look(connect: Connect, root: Path, store: Store) -> None:
    fake = Serving(store)
    fake.gives(404, "/1.2.3.2", 2)
    fake.gives(404, "/series/1.2.3")
    async with connect(roots=[root], pacs=(fake, "dcm4chee")) as client:
        result = await call(client, "retrieve_instances", study_uid="1.2", directory="new/in")
        first = result.structured_content
        assert [first[name] for name in ("retrieved", "already_there", "different", "failed")] == [1, 0, 0, 1]
        assert first["folder"] == str(root / "new/in")
        assert first["bytes"] == len(store.instances[0].file())
        assert [(row["file"], row["outcome"]) for row in first["files"]] == [("1.2.3.2", "failed")]
        assert "404" in first["files"][0]["reason"]
        assert any("fetches only what is missing" in note for note in first["notes"])
        for line in ("retrieved: 1", "failed: 1"):
            assert line in text_of(result).splitlines()
        again = await answer(client, "retrieve_instances", study_uid="1.2", directory="new/in")
        assert [again[name] for name in ("retrieved", "already_there", "different", "failed")] == [1, 1, 0, 0]
        assert "files" not in again
    assert found(root / "new/in") == due(*store.instances)


async def test_frames_and_values_are_named(connect: Connect, root: Path) -> None:
    fake = Google(Store.shipped("CT_small.dcm"))
    uid = fake.store.instances[0].text("00080018")
    async with connect(roots=[root], pacs=(fake, "google")) as client:
        found_ = await answer(client, "retrieve_instances", instance_uids=[uid], frames=[1], directory=".")
    assert found_["written"] == [f"{uid}_frame_1.raw"]
    assert (root / f"{uid}_frame_1.raw").read_bytes() == fake.store.instances[0].frame(1)


@IN_BOTH_ERAS
async def test_progress_is_told(connect: Connect, root: Path, store: Store) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))

    async with connect(roots=[root], pacs=(Serving(store), "dcm4chee")) as client:
        arguments = {"study_uid": "1.2", "directory": "in"}
        await client.call_tool("retrieve_instances", arguments, progress_callback=progress)
        await anyio.sleep(0.05)
    done, total, said = told[-1]
    assert (done, total) == (2, 2)
    assert said is not None
    assert said.startswith("2 of 2 files, 0.0 MB, ")
    assert said.endswith(" MB/s")


def test_ten_thousand_files_stay_within_the_budget(tmp_path: Path) -> None:
    items = [Item(f"1.2.840.{n:030}", Outcome.FAILED, f"reason {n} " * 50) for n in range(10_000)]
    made = retrieval_answer("pacs", Retrieval(tmp_path, [*items, Item("1.2", Outcome.RETRIEVED)]))
    structured = made.structured()
    assert (structured["failed"], structured["retrieved"]) == (10_000, 1)
    assert characters(structured) <= 12_000
    left_out = 10_000 - len(structured["files"])
    said = f"Not listed for space: {left_out:,} failed. They stand in the report."
    assert said in structured["notes"]
    assert not structured["report"].startswith(str(tmp_path)), "the report is none of the user's files"
    lines = [json.loads(line) for line in Path(structured["report"]).read_text("utf-8").splitlines()]
    assert len(lines) == 10_001
    assert lines[9_999] == {"file": "1.2.840.000000000000000000000000009999", "outcome": "failed",
                            "reason": "reason 9999 " * 50}  # fmt: skip
    assert lines[10_000] == {"file": "1.2", "outcome": "retrieved", "reason": ""}


def test_a_report_is_written_only_where_the_answer_cannot_tell_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DICOMWEB_MCP_STATE", str(tmp_path))
    few = [Item("1.2", Outcome.FAILED, "gone"), *(Item(f"1.2.{n}", Outcome.RETRIEVED) for n in range(99))]
    assert "report" not in retrieval_answer("pacs", Retrieval(tmp_path, few)).structured()
    strays = {f"1.3.{n}": "not asked for " * 40 for n in range(100)}
    made = retrieval_answer("pacs", Retrieval(tmp_path, few, strays)).structured()
    lines = Path(made["report"]).read_text("utf-8").splitlines()
    assert json.loads(lines[-1]) == {"file": "1.3.99", "outcome": "not_asked_for", "reason": strays["1.3.99"]}
    assert len(lines) == 200
    assert Path(made["report"]).name.startswith("retrieve-")


def test_an_answer_without_the_report_that_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DICOMWEB_MCP_STATE", str(tmp_path / "file"))
    items = [Item(f"1.2.{n}", Outcome.FAILED, "gone " * 50) for n in range(300)]
    made = retrieval_answer("pacs", Retrieval(tmp_path, items)).structured()
    assert "report" not in made
    assert any("report" in note and "could not be written" in note for note in made["notes"])
    assert any("Ask for less at a time" in note for note in made["notes"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"study_uid": "1.2"}, "directory: field required"),
        ({"study_uid": "1.2", "directory": ""}, "at least 1 character"),
        ({"study_uid": "1.2", "directory": ".."}, "not below a file root"),
        ({"study_uid": "1.2", "directory": "/tmp"}, "not below a file root"),
        ({"directory": "in"}, "Give study_uid"),
        ({"directory": "in", "instance_uids": ["1.2/3"]}, "is not a UID"),
        ({"directory": "in", "instance_uids": ["1.2"] * 1_001}, "at most 1000 items"),
        ({"directory": "in", "instance_uids": ["1.2"], "frames": [0]}, "greater than or equal to 1"),
        ({"directory": "in", "instance_uids": ["1.2"], "frames": ["1.5"]}, "valid integer"),
        ({"directory": "in", "instance_uids": ["1.2"], "bulk_path": "PatientName"}, "no path of an attribute"),
        ({"directory": "in", "study_uid": "1.2", "overwrite": True}, "overwrite is not an argument"),
        ({"directory": "in", "study_uid": "1.2", "archive": "else"}, "There is no archive 'else'"),
    ],
)  # fmt: skip
async def test_wrong_arguments_ask_for_nothing(
    connect: Connect, root: Path, store: Store, arguments: Any, says: str
) -> None:
    fake = Serving(store)
    async with connect(roots=[root], pacs=(fake, "dcm4chee")) as client:
        assert says in await refusal(client, "retrieve_instances", **arguments)
    assert fake.requests == []
    assert found(root) == {}


@pytest.mark.parametrize(
    ("roots", "http", "is_offered"), [(["/out"], None, True), ([], None, False), (["/out"], "127.0.0.1:1", False)]
)
def test_it_is_offered_with_a_file_root_and_not_over_http(roots: list[str], http: str | None, is_offered: bool) -> None:
    settings = load(archives=[PACS], file_roots=[Path(root) for root in roots], http=http, environment={})
    names = [tool.name for tool in build(App(settings))._tool_manager.list_tools()]
    assert ("retrieve_instances" in names) == is_offered
