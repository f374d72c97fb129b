"""Storing, against scripted servers: what is sent and what is not, and who permits it."""

import re
from pathlib import Path

import pytest

from archives.folder_helpers import make_file
from dicomweb_mcp.archives.base import NotPermitted
from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.services import sending as module
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.items import Fit, Outcome
from dicomweb_mcp.services.transfer import store
from dicomweb_mcp.settings import Settings
from dicomweb_mcp.tools.answers import TransferAnswer
from fakes.base import split_multipart
from fakes.orthanc_like import OrthancLike
from fakes.store import Store
from services.transfer_helpers import KINDS, Steps, files, outcomes, posts, reasons, stored
from support import app_over

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("hurried")]


@pytest.mark.parametrize("kind", KINDS)
async def test_files_are_stored_byte_for_byte_and_confirmed(kind: str, root: Path) -> None:
    files(root, 3)
    fake = KINDS[kind](Store())
    steps = Steps()
    transfer = await stored(fake, kind, root, report=steps)
    assert outcomes(transfer) == {"stored": 3}
    (post,) = posts(fake)
    assert post.path == "/studies"
    parts = split_multipart(post.headers["content-type"], post.body)
    assert [headers for headers, _ in parts] == [{"content-type": "application/dicom"}] * 3
    assert [data for _, data in parts] == [(root / "1.2" / f"{number}.dcm").read_bytes() for number in range(3)]
    assert int(post.headers["content-length"]) == len(post.body)
    assert "transfer-encoding" not in post.headers
    after = fake.requests[fake.requests.index(post) + 1 :]
    assert after, "nothing counts as stored before a search has found it"
    assert all(asked.method == "GET" for asked in after)
    done = [done for done, _, _ in steps.told]
    assert done == sorted(set(done))
    assert steps.told[-1][:2] == (9, 9)
    assert re.fullmatch(r"3 of 3 files done, 0\.0 of 0\.0 MB, [0-9.]+ MB/s", steps.told[-1][2])


@pytest.mark.parametrize("kind", KINDS)
async def test_running_it_again_sends_nothing(kind: str, root: Path) -> None:
    files(root, 3)
    fake = KINDS[kind](Store())
    await stored(fake, kind, root)
    fake.requests.clear()
    assert outcomes(await stored(fake, kind, root)) == {"already_there": 3}
    assert posts(fake) == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_dry_run_sends_nothing(kind: str, root: Path) -> None:
    files(root, 2)
    fake = KINDS[kind](Store())
    transfer = await stored(fake, kind, root, dry_run=True)
    assert outcomes(transfer) == {"to_store": 2}
    assert all(isinstance(item, Fit) for item in transfer.items)
    assert posts(fake) == []
    assert fake.store.instances == []


@pytest.mark.parametrize("kind", KINDS)
async def test_another_object_of_the_same_uid_is_told_and_not_sent(kind: str, root: Path) -> None:
    files(root, 1)
    fake = KINDS[kind](Store())
    await stored(fake, kind, root)
    make_file(root / "1.2" / "0.dcm", "1.2", "1.2.1", "1.2.1.1", StudyDescription="changed", Modality="MR")
    transfer = await stored(fake, kind, root)
    assert outcomes(transfer) == {"different": 1}
    assert "Modality, StudyDescription" in transfer.items[0].reason
    assert len(posts(fake)) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_another_patient_in_a_study_is_refused(kind: str, root: Path) -> None:
    files(root, 1)
    fake = KINDS[kind](Store())
    await stored(fake, kind, root)
    make_file(root / "1.2" / "new.dcm", "1.2", "1.2.1", "1.2.1.9", PatientID="SOMEBODY-ELSE")
    transfer = await stored(fake, kind, root, "1.2/new.dcm")
    assert outcomes(transfer) == {"rejected": 1}
    assert "under another PatientID" in transfer.items[0].reason
    assert "SOMEBODY" not in transfer.items[0].reason
    assert len(posts(fake)) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_uids_that_the_archive_has_elsewhere_are_refused(kind: str, root: Path) -> None:
    files(root, 1)
    fake = KINDS[kind](Store())
    await stored(fake, kind, root)
    make_file(root / "other" / "a.dcm", "1.9", "1.2.1", "1.2.1.8")
    make_file(root / "other" / "b.dcm", "1.2", "1.2.7", "1.2.1.1")
    transfer = await stored(fake, kind, root, "other")
    assert reasons(transfer) == [
        "the archive has its SeriesInstanceUID in another study",
        "the archive has its SOPInstanceUID in another study or series",
    ]
    assert len(posts(fake)) == 1


async def test_files_that_contradict_each_other_are_not_sent(root: Path) -> None:
    files(root, 1, "1.2", "1.2.1")
    make_file(root / "copy.dcm", "1.2", "1.2.1", "1.2.1.1")
    (root / "copy.dcm").write_bytes((root / "1.2" / "0.dcm").read_bytes())
    for name, description in (("x", "one"), ("y", "two")):
        make_file(root / f"{name}.dcm", "1.3", "1.3.1", "1.3.1.1", StudyDescription=description)
    for name, patient in (("p", "P1"), ("q", "P2")):
        make_file(root / f"{name}.dcm", "1.4", "1.4.1", f"1.4.1.{ord(name)}", PatientID=patient)
    for name, study in (("s", "1.5"), ("t", "1.6")):
        make_file(root / f"{name}.dcm", study, "1.5.1", f"1.5.1.{ord(name)}")
    fake = OrthancLike(Store())
    transfer = await stored(fake, "orthanc", root)
    told = {item.shown: (item.outcome.value if item.outcome else "", item.reason) for item in transfer.items}
    assert told["copy.dcm"] == ("stored", "")
    assert told["1.2/0.dcm".replace("/", str(Path("/")))] == ("rejected", "a copy of copy.dcm, which stands for it")
    assert told["x.dcm"] == ("rejected", "has the SOPInstanceUID of y.dcm, and these files are not all the same")
    assert told["y.dcm"] == ("rejected", "has the SOPInstanceUID of x.dcm, and these files are not all the same")
    assert told["p.dcm"] == ("rejected", "the study is under another PatientID in q.dcm")
    assert told["q.dcm"] == ("rejected", "the study is under another PatientID in p.dcm")
    assert told["s.dcm"] == ("rejected", "the series is in another study in t.dcm")
    assert told["t.dcm"] == ("rejected", "the series is in another study in s.dcm")
    assert len(fake.store.instances) == 1


async def test_only_files_of_the_study_that_is_named(root: Path) -> None:
    files(root, 1, "1.2", "1.2.1")
    files(root, 1, "1.3", "1.3.1")
    fake = OrthancLike(Store())
    transfer = await stored(fake, "orthanc", root, study_uid="1.3")
    assert outcomes(transfer) == {"rejected": 1, "stored": 1}
    assert "belongs to study 1.2, not to study_uid" in reasons(transfer)[0]
    assert [post.path for post in posts(fake)] == ["/studies/1.3"]


async def test_batches_are_bounded_by_count_and_bytes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files(root, 120)
    fake = OrthancLike(Store())
    assert outcomes(await stored(fake, "orthanc", root)) == {"stored": 120}
    sent = [len(split_multipart(p.headers["content-type"], p.body)) for p in posts(fake)]
    assert sorted(sent) == [20, 50, 50]
    monkeypatch.setattr(module, "BATCH_BYTES", 1_000)
    fake = OrthancLike(Store())
    await stored(fake, "orthanc", root, "1.2/?.dcm")
    assert len(posts(fake)) > 2
    assert all(len(post.body) < 1_000 + 700 for post in posts(fake)), "a file of its own may be larger"


async def test_many_files_or_bytes_want_to_be_confirmed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files(root, 101)
    fake = OrthancLike(Store())
    plan = await stored(fake, "orthanc", root, confirm=False)
    assert (plan.dry_run, plan.wants_confirmation, outcomes(plan)) == (True, True, {"to_store": 101})
    assert posts(fake) == []
    (root / "1.2" / "100.dcm").rename(root / "last.dcm")
    assert outcomes(await stored(fake, "orthanc", root, "1.2", confirm=False)) == {"stored": 100}
    rest = await stored(fake, "orthanc", root, confirm=False)
    assert outcomes(rest) == {"already_there": 100, "stored": 1}, "only what is sent counts"
    assert not rest.wants_confirmation
    size = sum(path.stat().st_size for path in files_of(root, "1.3", 2))
    for most, sent in ((size - 1, False), (size, True)):
        monkeypatch.setattr("dicomweb_mcp.services.transfer.MOST_BYTES_UNCONFIRMED", most)
        transfer = await stored(fake, "orthanc", root, "1.3", confirm=False)
        assert (transfer.wants_confirmation, outcomes(transfer) == {"stored": 2}) == (not sent, sent)


def files_of(root: Path, study: str, count: int) -> list[Path]:
    files(root, count, study, f"{study}.1")
    return sorted((root / study).iterdir())


async def test_a_folder_takes_several_batches_at_a_time(root: Path, tmp_path: Path) -> None:
    files(root, 230)
    folder = tmp_path / "archive"
    folder.mkdir()
    archives = [{"name": "mine", "path": folder, "permit": ["store"]}]
    app = App(Settings.model_validate({"archives": archives, "files": {"roots": [root]}}))
    try:
        for expected in ({"stored": 230}, {"already_there": 230}):
            assert outcomes(await store(app, None, ["."], confirm=True, report=Steps())) == expected
    finally:
        await app.close()
    held = sorted(path.read_bytes() for path in folder.rglob("*.dcm"))
    assert held == sorted(path.read_bytes() for path in root.rglob("*.dcm"))


# ---- what is permitted -----------------------------------------------------------------------------------------------


async def attempt(app: App) -> str:
    with pytest.raises((NotPermitted, BadArgument)) as raised:
        await store(app, None, ["."], report=Steps())
    return str(raised.value)


async def test_nothing_is_opened_or_sent_that_was_not_permitted(root: Path) -> None:
    files(root, 1)
    fake = OrthancLike(Store())
    assert "--permit pacs:store" in await attempt(app_over({"pacs": (fake, "orthanc")}))
    over_http = app_over({"pacs": (fake, "orthanc")}, roots=[root], http={"host": "127.0.0.1", "port": 1})
    assert "only read over HTTP" in await attempt(over_http)
    assert "can only be read" in await attempt(app_over({"idc": (fake, "idc")}, roots=[root]))
    without_roots = app_over({"pacs": (fake, "orthanc")}, roots=[root])
    object.__setattr__(without_roots.settings.files, "roots", ())
    assert "--file-root FOLDER" in await attempt(without_roots)
    assert fake.requests == []


def test_every_outcome_has_its_place_in_the_answer() -> None:
    assert {outcome.value for outcome in Outcome} <= set(TransferAnswer.model_fields)


async def test_a_file_made_anonymous_is_not_the_one_that_is_there(root: Path) -> None:
    files(root, 1, PatientName="Doe^Jane")
    fake = OrthancLike(Store())
    assert outcomes(await stored(fake, "orthanc", root)) == {"stored": 1}
    files(root, 1, PatientName="")
    transfer = await stored(fake, "orthanc", root)
    assert outcomes(transfer) == {"different": 1}
    assert "PatientName" in reasons(transfer)[0]
    assert "Jane" not in reasons(transfer)[0]
