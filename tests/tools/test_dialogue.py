"""The client's own dialogue before much is stored or copied: who is asked what, and what each answer leads to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.types import ClientCapabilities, ElicitationCapability, ElicitResult, ErrorData, UrlElicitationCapability

from archives.folder_helpers import make_file
from dicomweb_mcp.services import transfer
from dicomweb_mcp.tools import dialogue
from fakes.dcm4chee import Dcm4chee
from fakes.google import Google
from fakes.orthanc_like import OrthancLike
from fakes.store import Store
from services.transfer_helpers import posts
from tools.eras import IN_BOTH_ERAS
from tools.reading import answer

pytestmark = pytest.mark.anyio
Connect = Callable[..., Any]
YES = ElicitResult(action="accept", content={"send": True})


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "MOST_UNCONFIRMED", 2)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three files of two studies."""
    folder = tmp_path.resolve() / "outgoing"
    for number in (1, 2):
        make_file(folder / f"{number}.dcm", "1.2", "1.2.3", f"1.2.3.{number}", PatientName="Doe^Jane")
    make_file(folder / "3.dcm", "1.5", "1.5.3", "1.5.3.3", PatientName="Doe^Jane")
    return folder


class User:
    """Answers every dialogue with ``reply``, after ``first`` was awaited; ``questions`` are what was shown."""

    def __init__(self, reply: ElicitResult | ErrorData, first: Callable[[], Any] | None = None) -> None:
        self.reply, self.first = reply, first
        self.questions: list[str] = []

    async def __call__(self, _: Any, question: Any) -> ElicitResult | ErrorData:
        self.questions.append(question.message)
        if self.first:
            await self.first()
        return self.reply


def size_of(folder: Path) -> str:
    return f"{sum(path.stat().st_size for path in folder.iterdir()) / 1e6:.1f} MB"


@pytest.mark.parametrize(
    ("reply", "note"),
    [
        (YES, None),
        (ElicitResult(action="accept", content={"send": False}), "the user did not agree"),
        (ElicitResult(action="accept"), "the user did not agree"),
        (ElicitResult(action="decline"), "the user did not agree"),
        (ElicitResult(action="cancel"), "the user did not agree"),
    ],
)
@IN_BOTH_ERAS
async def test_what_the_user_says_is_done_in_the_same_call(
    connect: Connect, root: Path, reply: ElicitResult, note: str | None
) -> None:
    user, fake = User(reply), OrthancLike(Store())
    async with connect(roots=[root], asked=user, pacs=(fake, "orthanc")) as client:
        found = await answer(client, "store_instances", paths=["."])
    assert user.questions == [f"Store 3 files ({size_of(root)}, 2 studies) in the archive pacs?"]
    if note is None:
        assert (found["stored"], len(fake.store.instances)) == (3, 3)
        assert not any("confirm=true" in text or "sent" in text for text in found.get("notes", []))
    else:
        assert (found["dry_run"], found["to_store"], found["stored"]) == (True, 3, 0)
        assert (
            [text for text in found["notes"] if "Nothing was sent" in text]
            == [text for text in found["notes"] if note in text]
            != []
        )
        assert posts(fake) == []


@IN_BOTH_ERAS
async def test_nobody_is_asked_without_need(connect: Connect, root: Path) -> None:
    """Neither for a plan, nor for few, nor where the model says that the user agreed."""
    user, fake = User(ElicitResult(action="decline")), OrthancLike(Store())
    async with connect(roots=[root], asked=user, pacs=(fake, "orthanc")) as client:
        assert (await answer(client, "store_instances", paths=["."], dry_run=True))["to_store"] == 3
        assert (await answer(client, "store_instances", paths=["1.dcm", "2.dcm"]))["stored"] == 2
        make_file(root / "4.dcm", "1.5", "1.5.3", "1.5.3.4")
        assert (await answer(client, "store_instances", paths=["."]))["stored"] == 2  # the others are there
        for number in (5, 6, 7):
            make_file(root / f"{number}.dcm", "1.5", "1.5.3", f"1.5.3.{number}")
        assert (await answer(client, "store_instances", paths=["."], confirm=True))["stored"] == 3
    assert user.questions == []


@IN_BOTH_ERAS
async def test_a_client_that_cannot_ask_gets_the_plan(connect: Connect, root: Path) -> None:
    fake = OrthancLike(Store())
    async with connect(roots=[root], pacs=(fake, "orthanc")) as client:
        found = await answer(client, "store_instances", paths=["."])
    assert (found["dry_run"], found["to_store"]) == (True, 3)
    assert any("call this again with confirm=true when they agree" in note for note in found["notes"])
    assert posts(fake) == []


@IN_BOTH_ERAS
async def test_an_answer_that_comes_too_late_is_none(
    connect: Connect, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the call waits it ends by itself, and takes the dialogue away; where the client comes back with a yes, that
    is too old."""
    monkeypatch.setattr(dialogue, "PATIENCE", 0.05)
    taken_away = anyio.Event()

    async def slowly() -> None:
        try:
            await anyio.sleep(0.3)
        except anyio.get_cancelled_exc_class():
            taken_away.set()
            raise

    user, fake = User(YES, first=slowly), OrthancLike(Store())
    async with connect(roots=[root], asked=user, pacs=(fake, "orthanc")) as client:
        with anyio.fail_after(5):
            found = await answer(client, "store_instances", paths=["."])
        assert taken_away.is_set() == (client.protocol_version < "2026")
    assert len(user.questions) == 1
    assert (found["dry_run"], found["to_store"]) == (True, 3)
    assert any("was not answered within 5 minutes" in note for note in found["notes"])
    assert posts(fake) == []


@IN_BOTH_ERAS
async def test_a_dialogue_that_is_never_answered_keeps_nobody_waiting(
    connect: Connect, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client gives up the call in front of the open dialogue: the archive is free for the next transfer."""
    shown = anyio.Event()

    async def never() -> None:
        shown.set()
        await anyio.sleep_forever()

    user, fake = User(YES, first=never), OrthancLike(Store())
    async with connect(roots=[root], asked=user, pacs=(fake, "orthanc")) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "store_instances", {"paths": ["."]})
            with anyio.fail_after(5):
                await shown.wait()
            assert posts(fake) == []
            tasks.cancel_scope.cancel()
        with anyio.fail_after(5):
            assert (await answer(client, "store_instances", paths=["1.dcm"]))["stored"] == 1


@pytest.mark.parametrize("connect", ["legacy"], indirect=True)
async def test_a_client_that_fails_to_ask(connect: Connect, root: Path) -> None:
    """In the other era it keeps that to itself, and does not come back."""
    user, fake = User(ErrorData(code=-32603, message="no window")), OrthancLike(Store())
    async with connect(roots=[root], asked=user, pacs=(fake, "orthanc")) as client:
        found = await answer(client, "store_instances", paths=["."])
    assert (found["dry_run"], found["to_store"]) == (True, 3)
    assert any("failed to ask" in note for note in found["notes"])
    assert posts(fake) == []


async def test_a_yes_is_for_what_was_asked(connect: Connect, root: Path) -> None:
    """A file arrives while the dialogue is open: the question is another one, and asked again."""

    async def arrives() -> None:
        make_file(root / "4.dcm", "1.5", "1.5.3", "1.5.3.4")

    user, fake = User(YES, first=arrives), OrthancLike(Store())
    async with connect(roots=[root], asked=user, pacs=(fake, "orthanc")) as client:
        found = await answer(client, "store_instances", paths=["."])
    assert [question[:13] for question in user.questions] == ["Store 3 files", "Store 4 files"]
    assert found["stored"] == 4


async def test_a_yes_is_for_the_files_that_were_there(connect: Connect, root: Path) -> None:
    """While the dialogue is open two of the files give way to those of another patient: the question has the same words,
    and is asked again."""

    async def others_come() -> None:
        for number in (1, 2):
            make_file(root / f"{number}.dcm", "1.8", "1.8.3", f"1.8.3.{number}", PatientID="P2", PatientName="Roe^Jane")

    user, fake = User(YES, first=others_come), OrthancLike(Store())
    async with connect(roots=[root], asked=user, pacs=(fake, "orthanc")) as client:
        found = await answer(client, "store_instances", paths=["."])
    assert len(user.questions) == 2
    assert len(set(user.questions)) == 1
    assert found["studies"] == {"1.8": 2, "1.5": 1}


async def test_a_no_is_for_less_as_well(connect: Connect, root: Path) -> None:
    """Few files are left when the client comes back with a no, for which it would not have been asked."""

    async def goes() -> None:
        (root / "3.dcm").unlink()

    user, fake = User(ElicitResult(action="decline"), first=goes), OrthancLike(Store())
    async with connect(roots=[root], asked=user, pacs=(fake, "orthanc")) as client:
        found = await answer(client, "store_instances", paths=["."])
    assert (found["to_store"], found["stored"]) == (2, 0)
    assert any("the user did not agree" in note for note in found["notes"])
    assert posts(fake) == []


@pytest.mark.parametrize("reply", [YES, ElicitResult(action="decline")])
@IN_BOTH_ERAS
async def test_copying_asks_too(connect: Connect, root: Path, reply: ElicitResult) -> None:
    for number in range(3, 6):
        make_file(root / f"{number}.dcm", "1.2", "1.2.3", f"1.2.3.{number}", PatientName="Doe^Jane")
    user, source, target = User(reply), Dcm4chee(Store.files(*sorted(root.iterdir()))), Google(Store())
    async with connect(roots=[root], asked=user, one=(source, "dcm4chee"), two=(target, "google")) as client:
        found = await answer(client, "copy_instances", from_archive="one", to_archive="two", study_uid="1.2")
    assert user.questions == ["Copy 5 files (1 study) from the archive one into two?"]
    done = reply is YES
    assert (found["stored"], len(target.store.instances)) == ((5, 5) if done else (0, 0))
    assert done or any("the user did not agree" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("declared", "can"),
    [
        (None, False),
        (ClientCapabilities(), False),
        (ClientCapabilities(elicitation=ElicitationCapability()), True),
        (ClientCapabilities(elicitation=ElicitationCapability(url=UrlElicitationCapability())), False),
    ],
)
def test_who_can_ask(declared: ClientCapabilities | None, can: bool) -> None:
    class Declaring:
        client_capabilities = declared

    assert dialogue.can_ask(Declaring()) is can  # type: ignore[arg-type]
