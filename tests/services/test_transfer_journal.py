"""What was compared before is not compared again, and never taken for stored without asking the archive."""

import os
import sqlite3
import stat
import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest

from archives.folder_helpers import make_file
from dicomweb_mcp.archives import journal, own_database
from dicomweb_mcp.archives.base import Unreachable
from fakes.base import Fake
from fakes.deleting import DeletingOrthanc
from fakes.orthanc_like import OrthancLike
from fakes.store import Store
from fakes.stow import arrived, keep, response
from services.copying_helpers import Between
from services.deletion_helpers import STUDY, Over
from services.transfer_helpers import files, outcomes, posts, stored

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("hurried")]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    monkeypatch.setenv("DICOMWEB_MCP_STATE", str(folder))
    return folder


def metadata_read(fake: OrthancLike) -> int:
    return sum(asked.path.endswith("/metadata") for asked in fake.requests)


async def test_what_was_compared_is_not_compared_again(root: Path) -> None:
    """What was only sent is: another program may have stored something else under its UID at the same moment."""
    files(root, 3)
    fake = OrthancLike(Store())
    await stored(fake, "orthanc", root)
    for compared in (3, 0):
        fake.requests.clear()
        again = await stored(fake, "orthanc", root)
        assert outcomes(again) == {"already_there": 3}
        assert metadata_read(fake) == compared
        assert any(asked.path.endswith("/instances") for asked in fake.requests), "the archive was asked"
    said = "compared by an earlier call and {} not changed since; the archive still has {}, and {} attributes were not"
    assert any(f"3 files were {said.format('have', 'their UIDs', 'their')}" in note for note in again.notes)
    one = await stored(fake, "orthanc", root, "1.2/0.dcm")
    assert any(f"1 file was {said.format('has', 'its UID', 'its')}" in note for note in one.notes)


class Overtaken(OrthancLike):
    """Another program stores the same UIDs a moment before: this archive keeps what it has and reports success."""

    def stow(self, target: Any, asked: Any) -> httpx.Response:
        parts = arrived(asked)
        for part in parts:
            part.dataset.StudyDescription = "theirs"
            keep(self.store, part)
        return httpx.Response(200, json=response(parts, []))


async def test_what_was_overtaken_is_noticed_by_the_next_call(root: Path) -> None:
    files(root, 1, StudyDescription="ours")
    fake = Overtaken(Store())
    await stored(fake, "orthanc", root)
    for _ in range(2):
        assert outcomes(await stored(fake, "orthanc", root)) == {"different": 1}


async def test_what_the_archive_lost_is_sent_again(root: Path) -> None:
    files(root, 3)
    fake = OrthancLike(Store())
    await stored(fake, "orthanc", root)
    kept = [fake.store.instances[0], fake.store.instances[2]]
    fake.store = Store().hold(kept)
    assert outcomes(await stored(fake, "orthanc", root)) == {"already_there": 2, "stored": 1}


# ---- what this program itself puts in the place of a file, or takes away ---------------------------------------------


async def compared(fake: Fake, root: Path) -> None:
    """One file, which the journal knows from now on."""
    files(root / "ours", 1, StudyDescription="ours")
    files(root / "theirs", 1, StudyDescription="theirs")
    await stored(fake, "orthanc", root, "ours")
    assert outcomes(await stored(fake, "orthanc", root, "ours")) == {"already_there": 1}


def lose(fake: Fake) -> None:
    fake.store.drop(list(fake.store.instances))


def exchange(fake: Fake, root: Path) -> None:
    """By another program: the archive has the other file of the UID."""
    lose(fake)
    fake.store.hold(Store.files(root / "theirs" / "1.2" / "0.dcm").instances)


async def test_another_file_that_was_stored_is_not_taken_for_the_first(root: Path) -> None:
    fake = OrthancLike(Store())
    await compared(fake, root)
    lose(fake)
    assert outcomes(await stored(fake, "orthanc", root, "theirs")) == {"stored": 1}
    assert outcomes(await stored(fake, "orthanc", root, "ours")) == {"different": 1}


async def test_another_file_that_was_copied_is_not_taken_for_the_first(
    root: Path, between: Callable[..., Between]
) -> None:
    fake = OrthancLike(Store())
    await compared(fake, root)
    lose(fake)
    assert outcomes(await between(root / "theirs", fake).copied()) == {"stored": 1}
    assert outcomes(await stored(fake, "orthanc", root, "ours")) == {"different": 1}


def cut(_: object) -> httpx.Response:
    raise httpx.ReadError("cut")


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("level", ["study_uid", "series_uid", "instance_uid"])
async def test_what_was_deleted_is_compared_again(root: Path, over: Over, level: str, ends: bool) -> None:
    """Also where nobody knows whether it was deleted, and another program stores something else then."""
    fake = DeletingOrthanc(Store())
    await compared(fake, root)
    if not ends:
        fake.fail(cut, method="DELETE")
    uid = {"study_uid": "1.2", "series_uid": "1.2.1", "instance_uid": "1.2.1.1"}[level]
    model = over(fake, "orthanc")
    plan = await model.call(**{level: uid})
    with nullcontext() if ends else pytest.raises(Unreachable):
        await model.call(plan.token, **{level: uid})
    exchange(fake, root)
    assert outcomes(await stored(fake, "orthanc", root, "ours")) == {"different": 1}


async def test_only_what_was_deleted_is_compared_again(root: Path, over: Over) -> None:
    fake = DeletingOrthanc(Store())
    files(root, 3)
    for _ in range(2):
        await stored(fake, "orthanc", root)
    await over(fake, "orthanc").plan_and_do(instance_uid="1.2.1.2")
    fake.requests.clear()
    assert outcomes(await stored(fake, "orthanc", root)) == {"already_there": 2, "stored": 1}
    assert metadata_read(fake) == 0


async def test_a_journal_that_cannot_forget_is_told(
    root: Path, state: Path, over: Over, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_database, "BUSY_SECONDS", 0.0)
    fake = DeletingOrthanc(Store())
    await compared(fake, root)
    with closing(sqlite3.connect(state / journal.FILE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        done = await over(fake, "orthanc").plan_and_do(study_uid="1.2")
        sent = await stored(fake, "orthanc", root, "theirs")
    assert fake.store.instances, "the journal ends nothing"
    for notes in (done.notes, sent.notes):
        assert [
            note for note in notes if "could not be forgotten (database is locked)" in note and journal.FILE in note
        ]


async def test_deleting_makes_no_journal(root: Path, state: Path, over: Over) -> None:
    """Where there is none, nothing has to be forgotten."""
    state.write_text("a file where the folder should be")
    fake = DeletingOrthanc(Store.synthetic(1, 1, 1))
    done = await over(fake, "orthanc").plan_and_do(study_uid=STUDY)
    assert (done.notes, fake.store.instances) == ([], [])


async def test_another_archive_or_a_changed_file_is_compared(root: Path, tmp_path: Path) -> None:
    files(root, 2, StudyDescription="ours")
    theirs = make_file(tmp_path / "theirs.dcm", "1.2", "1.2.1", "1.2.1.1", StudyDescription="theirs")
    one, other = OrthancLike(Store()), OrthancLike(Store.files(theirs))
    await stored(one, "orthanc", root)
    assert outcomes(await stored(other, "generic", root)) == {"different": 1, "stored": 1}
    make_file(root / "1.2" / "0.dcm", "1.2", "1.2.1", "1.2.1.1", StudyDescription="changed")
    assert outcomes(await stored(one, "orthanc", root)) == {"different": 1, "already_there": 1}


async def test_what_was_stored_with_a_warning_is_compared(root: Path) -> None:
    """The archive may have changed it."""
    files(root, 1)
    fake = OrthancLike(Store())
    item = {"00081155": {"vr": "UI", "Value": ["1.2.1.1"]}, "00081196": {"vr": "US", "Value": [0xB000]}}

    def warning(asked: object) -> httpx.Response:
        fake.stow(None, asked)  # type: ignore[arg-type]
        return httpx.Response(202, json={"00081199": {"vr": "SQ", "Value": [item]}})

    fake.fail(warning, method="POST")
    await stored(fake, "orthanc", root)
    fake.requests.clear()
    await stored(fake, "orthanc", root)
    assert metadata_read(fake) == 1


async def test_a_damaged_journal_is_begun_anew(root: Path, state: Path) -> None:
    files(root, 2)
    state.mkdir()
    (state / journal.FILE).write_bytes(b"no database at all, but longer than its header of a hundred bytes" * 20)
    fake = OrthancLike(Store())
    assert outcomes(await stored(fake, "orthanc", root)) == {"stored": 2}
    for compared in (2, 0):
        fake.requests.clear()
        assert outcomes(await stored(fake, "orthanc", root)) == {"already_there": 2}
        assert metadata_read(fake) == compared


async def test_a_journal_that_cannot_be_kept_costs_only_a_note(root: Path, state: Path) -> None:
    files(root, 2)
    state.write_text("a file where the folder should be")
    fake = OrthancLike(Store())
    transfer = await stored(fake, "orthanc", root)
    assert outcomes(transfer) == {"stored": 2}
    assert any("cannot be remembered for another run" in note for note in transfer.notes)
    assert outcomes(await stored(fake, "orthanc", root)) == {"already_there": 2}
    assert len(posts(fake)) == 1


async def test_it_is_private_and_says_nothing_of_anybody(root: Path, state: Path) -> None:
    files(root, 2, PatientID="SECRET-ID")
    await stored(OrthancLike(Store()), "orthanc", root)
    written = (state / journal.FILE).read_bytes()
    for told in (b"SECRET", b"1.2.1", b"dcm", str(root).encode(), b"orthanc.test"):
        assert told not in written
    if os.name == "posix":
        assert stat.S_IMODE(state.stat().st_mode) == 0o700


async def test_it_forgets_what_is_old_and_what_is_too_much(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files(root, 3)
    fake = OrthancLike(Store())
    now = time.time()
    await stored(fake, "orthanc", root)
    monkeypatch.setattr(journal.time, "time", lambda: now - 31 * 86_400)
    await stored(fake, "orthanc", root, "1.2/0.dcm")
    monkeypatch.setattr(journal.time, "time", lambda: now)
    await stored(fake, "orthanc", root, "1.2/1.dcm")
    fake.requests.clear()
    await stored(fake, "orthanc", root, "1.2/0.dcm", "1.2/1.dcm")
    assert metadata_read(fake) == 1, "that of the old one"
    monkeypatch.setattr(journal, "MOST", 1)
    await stored(fake, "orthanc", root, "1.2/2.dcm")
    fake.requests.clear()
    await stored(fake, "orthanc", root)
    assert metadata_read(fake) == 2
