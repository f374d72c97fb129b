"""What was compared before is not compared again, and never taken for stored without asking the archive."""

import os
import stat
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from archives.folder_helpers import make_file
from dicomweb_mcp.archives import journal
from fakes.orthanc_like import OrthancLike
from fakes.store import Store
from fakes.stow import arrived, keep, response
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
    assert any("3 files were compared by an earlier call" in note for note in again.notes)


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
