"""Storing, against scripted servers: what is sent, what is not, and that every outcome is what the archive really has."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from archives.folder_helpers import make_file
from dicomweb_mcp.archives.base import AccessDenied, ArchiveError, Busy, NotOffered, NotPermitted, Unreachable
from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from dicomweb_mcp.archives.part10.outgoing import Outgoing
from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.paths import Changed
from dicomweb_mcp.services import transfer as module
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.items import Fit, Outcome
from dicomweb_mcp.services.transfer import Transfer, store
from dicomweb_mcp.settings import Settings
from dicomweb_mcp.tools.answers import TransferAnswer
from fakes.base import Asked, Fake, split_multipart
from fakes.dcm4chee import Dcm4chee
from fakes.deaf import Deaf
from fakes.google import Google
from fakes.orthanc_like import OrthancLike
from fakes.store import Store
from fakes.stow import arrived, keep
from support import URLS, app_over, open_over

pytestmark = pytest.mark.anyio

KINDS: dict[str, Callable[[Store], Fake]] = {
    "orthanc": OrthancLike,
    "google": Google,
    "dcm4chee": Dcm4chee,
    "generic": Deaf,
}


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONFIRM_AFTER", (0.0, 0.01, 0.01))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path.resolve() / "outgoing"


def files(root: Path, count: int, study: str = "1.2", series: str = "1.2.1", **more: Any) -> list[str]:
    """``count`` small files of one series: 0.dcm, 1.dcm, ..."""
    return [make_file(root / study / f"{number}.dcm", study, series, f"{series}.{number + 1}", **more).name
            for number in range(count)]  # fmt: skip


class Steps:
    """Collects what is reported."""

    def __init__(self) -> None:
        self.told: list[tuple[float, float, str]] = []

    async def __call__(self, done: float, total: float, message: str) -> None:
        self.told.append((done, total, message))


async def stored(fake: Fake, kind: str, root: Path, *paths: str, **more: Any) -> Transfer:
    app = app_over({"pacs": (fake, kind)}, roots=[root])
    try:
        return await store(app, None, list(paths) or ["."], report=more.pop("report", Steps()), **more)
    finally:
        await app.close()


def outcomes(transfer: Transfer) -> dict[str, int]:
    found = [item.outcome.value if item.outcome else "to_store" for item in transfer.items]
    return {outcome: found.count(outcome) for outcome in dict.fromkeys(found)}


def reasons(transfer: Transfer) -> list[str]:
    return [item.reason for item in transfer.items if item.reason]


def posts(fake: Fake) -> list[Asked]:
    return [asked for asked in fake.requests if asked.method == "POST"]


# ---- what is sent ------------------------------------------------------------------------------------------------


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
    assert steps.told[-1] == (9, 9, "3 of 3 files done")


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
    assert [len(split_multipart(p.headers["content-type"], p.body)) for p in posts(fake)] == [50, 50, 20]
    monkeypatch.setattr(module, "BATCH_BYTES", 1_000)
    fake = OrthancLike(Store())
    await stored(fake, "orthanc", root, "1.2/?.dcm")
    assert len(posts(fake)) > 2
    assert all(len(post.body) < 1_000 + 700 for post in posts(fake)), "a file of its own may be larger"


# ---- what servers answer ---------------------------------------------------------------------------------------------


class Refusing(OrthancLike):
    """Answers a request that holds one of some instances with what it is told to, and stores the others or none."""

    def __init__(self, bad: set[str], answer: Callable[[list[str]], httpx.Response], keeps: bool) -> None:
        super().__init__(Store())
        self.bad, self.answer_of, self.keeps = bad, answer, keeps

    def stow(self, target: Any, asked: Asked) -> httpx.Response:
        parts = arrived(asked)
        uids = [part.uid() for part in parts]
        if not self.bad & set(uids):
            return super().stow(target, asked)
        for part in parts:
            if self.keeps and part.uid() not in self.bad:
                keep(self.store, part)
        return self.answer_of(uids)


def said(status: int, body: Any) -> Callable[[list[str]], httpx.Response]:
    return lambda uids: httpx.Response(status, json=body) if not isinstance(body, bytes) else httpx.Response(
        status, content=body
    )  # fmt: skip


ORTHANC_400 = {"HttpError": "Bad Request", "HttpStatus": 400, "Message": "Bad file format", "Method": "POST"}
FAILED = {"00081198": {"vr": "SQ", "Value": [
    {"00081155": {"vr": "UI", "Value": ["1.2.1.2"]}, "00081197": {"vr": "US", "Value": [0xC122]}}]}}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "keeps", "reason"),
    [
        (400, ORTHANC_400, True, "Bad file format"),
        (400, {"00081198": {"vr": "SQ"}}, True, "did not take it (400) and gave no reason"),
        (400, ORTHANC_400, False, "Bad file format"),
        (409, FAILED, False, "transfer syntax not supported (C122h)"),
        (202, FAILED, True, "transfer syntax not supported (C122h)"),
        (500, b"java.lang.NullPointerException: at DOE\n\tat org.x.Y(Y.java:1)", False, "failed while answering (500)"),
        (413, b"", False, "too large"),
        (409, {"0008119A": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [0xA700]}}]}}, True, "out of resources (A700h)"),
    ],
)  # fmt: skip
async def test_one_bad_file_costs_only_itself(root: Path, status: int, body: Any, keeps: bool, reason: str) -> None:
    """Whatever the answer to the whole batch is, the outcome of each file is what the archive really has."""
    files(root, 4)
    fake = Refusing({"1.2.1.2"}, said(status, body), keeps)
    transfer = await stored(fake, "orthanc", root)
    assert outcomes(transfer) == {"stored": 3, "rejected": 1}
    assert reason in transfer.items[1].reason
    assert "DOE" not in transfer.items[1].reason
    assert len(fake.store.instances) == 3


@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize("body", [b"", b"{}", b"<html>Welcome</html>", b'{"00081198": {"vr": "SQ"}}'])
@pytest.mark.parametrize("keeps", [True, False])
async def test_a_success_that_names_nothing_is_held_against_a_search(
    root: Path, status: int, body: bytes, keeps: bool
) -> None:
    files(root, 4)
    fake = Refusing({"1.2.1.2"}, said(status, body), keeps)
    transfer = await stored(fake, "orthanc", root)
    assert outcomes(transfer) == ({"stored": 3, "unknown": 1} if keeps else {"unknown": 4})
    assert "neither took nor refused it by name" in transfer.items[1].reason
    assert len(posts(fake)) == 1


async def test_a_success_that_stored_nothing_is_not_believed(root: Path) -> None:
    """The archive names the instance as stored, and no search finds it."""
    files(root, 1)
    body = {"00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2.1.1"]}}]}}
    transfer = await stored(Refusing({"1.2.1.1"}, said(200, body), keeps=False), "orthanc", root)
    assert outcomes(transfer) == {"unknown": 1}
    assert "reported it as stored, but a search does not find it" in transfer.items[0].reason


async def test_what_is_indexed_a_little_later_is_waited_for(root: Path) -> None:
    files(root, 2)
    fake = OrthancLike(Store())
    late = httpx.Response(200, content=b"[]")
    counted = {"after": 0}
    search = fake.search

    def lagging(target: Any, asked: Asked) -> httpx.Response:
        if posts(fake) and counted["after"] < 2:
            counted["after"] += 1
            return late
        return search(target, asked)

    fake.search = lagging  # type: ignore[method-assign]
    assert outcomes(await stored(fake, "orthanc", root)) == {"stored": 2}
    assert counted["after"] == 2


async def test_a_warning_is_passed_on(root: Path) -> None:
    files(root, 1)
    item = {"00081155": {"vr": "UI", "Value": ["1.2.1.1"]}, "00081196": {"vr": "US", "Value": [0xB000]}}
    fake = OrthancLike(Store())

    def warning(asked: Asked) -> httpx.Response:
        fake.stow(None, asked)
        return httpx.Response(202, json={"00081199": {"vr": "SQ", "Value": [item]}})

    fake.fail(warning, method="POST")
    transfer = await stored(fake, "orthanc", root)
    assert outcomes(transfer) == {"stored": 1}
    assert transfer.items[0].reason == "the archive changed some values (B000h)"


async def test_googles_reason_is_told(root: Path) -> None:
    files(root, 1)
    fake = Google(Store())
    item = {"00081155": {"vr": "UI", "Value": ["1.2.1.1"]}, "00081197": {"vr": "US", "Value": [272]},
            "00091097": {"vr": "UT", "Value": ["the file is encrypted"]}}  # fmt: skip
    fake.fail(lambda _: httpx.Response(409, json=[{"00081198": {"vr": "SQ", "Value": [item]}}]), method="POST")
    transfer = await stored(fake, "google", root)
    assert reasons(transfer) == ["processing failure (0110h): the file is encrypted"]


@pytest.mark.parametrize("kept", [0, 1, 3])
async def test_a_connection_that_breaks_is_not_repeated_before_the_archive_was_asked(root: Path, kept: int) -> None:
    files(root, 3)
    fake = OrthancLike(Store())

    def breaking(asked: Asked) -> httpx.Response:
        for part in arrived(asked)[:kept]:
            keep(fake.store, part)
        raise httpx.ReadError("connection reset")

    fake.fail(breaking, method="POST")
    transfer = await stored(fake, "orthanc", root)
    expected = {"stored": kept, "unknown": 3 - kept}
    assert outcomes(transfer) == {outcome: count for outcome, count in expected.items() if count}
    assert len(posts(fake)) == 1
    again = await stored(fake, "orthanc", root)
    assert set(outcomes(again)) <= {"already_there", "stored"}
    assert len(fake.store.instances) == 3


async def test_an_archive_that_goes_away_is_not_sent_the_rest(root: Path) -> None:
    files(root, 120)
    fake = OrthancLike(Store())
    seen = 0

    def second(asked: Asked) -> httpx.Response:
        nonlocal seen
        seen += 1
        if seen == 1:
            return fake.stow(None, asked)
        fake.fail(httpx.ConnectError("refused"), times=1_000)
        raise httpx.ConnectError("refused")

    fake.fail(second, times=2, method="POST")
    transfer = await stored(fake, "orthanc", root)
    assert outcomes(transfer) == {"stored": 50, "unknown": 50, "not_sent": 20}
    assert "cannot be reached" in transfer.items[-1].reason
    fake._failures.clear()
    assert outcomes(await stored(fake, "orthanc", root)) == {"already_there": 50, "stored": 70}


async def test_an_overloaded_archive_is_left_alone(root: Path) -> None:
    files(root, 60)
    fake = OrthancLike(Store())
    fake.fail(503, times=1_000, method="POST")
    transfer = await stored(fake, "orthanc", root)
    assert outcomes(transfer) == {"not_sent": 60}
    assert len(posts(fake)) == 1
    assert "overloaded" in transfer.items[0].reason


async def test_nothing_may_be_stored(root: Path) -> None:
    files(root, 2)
    fake = OrthancLike(Store())
    fake.fail(403, times=1_000, method="POST")
    with pytest.raises(AccessDenied):
        await stored(fake, "orthanc", root)
    assert len(posts(fake)) == 1


@pytest.mark.parametrize("status", [404, 405, 415, 501])
async def test_an_archive_that_takes_no_files_is_sent_one_request(root: Path, status: int) -> None:
    files(root, 60)
    fake = OrthancLike(Store())
    fake.fail(status, times=1_000, method="POST")
    with pytest.raises(NotOffered, match="takes no files at its address"):
        await stored(fake, "orthanc", root)
    assert len(posts(fake)) == 1


async def test_nothing_is_unknown_where_everything_was_turned_away(root: Path) -> None:
    """Also when the archive could not be searched."""
    files(root, 2)
    fake = Deaf(Store())
    fake.fail(404, times=1_000, method="GET")
    fake.fail(403, times=1_000, method="POST")
    with pytest.raises(AccessDenied):
        await stored(fake, "generic", root)


async def test_an_archive_that_breaks_down_while_it_is_compared_is_asked_no_further(root: Path) -> None:
    files(root, 30)
    fake = OrthancLike(Store())
    await stored(fake, "orthanc", root)
    fake.requests.clear()
    fake.fail(503, times=1_000, only="/metadata")
    with pytest.raises(Busy):
        await stored(fake, "orthanc", root)
    assert len(fake.requests) < 30


async def test_what_is_indexed_later_and_was_not_named_is_waited_for_too(root: Path) -> None:
    files(root, 3)
    fake = OrthancLike(Store())
    search, searches = fake.search, []

    def lagging(target: Any, asked: Asked) -> httpx.Response:
        searches.append(asked)
        return httpx.Response(200, content=b"[]") if posts(fake) and len(searches) % 3 else search(target, asked)

    def silent(asked: Asked) -> httpx.Response:
        fake.stow(None, asked)
        return httpx.Response(200)

    fake.search = lagging  # type: ignore[method-assign]
    fake.fail(silent, method="POST")
    assert outcomes(await stored(fake, "orthanc", root)) == {"stored": 3}
    assert len(posts(fake)) == 1


async def test_a_file_that_cannot_be_read_any_more_costs_only_itself(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files(root, 3)
    fake = OrthancLike(Store())
    chunks = Outgoing.chunks

    def failing(self: Outgoing) -> Any:
        if self.path.name == "1.dcm":
            raise Changed  # what an OSError while reading becomes
        return chunks(self)

    monkeypatch.setattr(Outgoing, "chunks", failing)
    transfer = await stored(fake, "orthanc", root)
    assert outcomes(transfer) == {"stored": 2, "rejected": 1}
    assert "cannot be read any more" in transfer.items[1].reason


async def test_an_archive_that_cannot_be_asked_is_sent_nothing(root: Path) -> None:
    files(root, 1)
    fake = OrthancLike(Store())
    fake.fail(httpx.ConnectError("refused"), times=1_000)
    with pytest.raises(Unreachable):
        await stored(fake, "orthanc", root)
    assert posts(fake) == []


async def test_an_archive_without_search_is_stored_into_and_that_is_said(root: Path) -> None:
    files(root, 2)
    fake = Deaf(Store())
    fake.fail(405, times=1_000, method="GET")
    transfer = await stored(fake, "generic", root)
    assert outcomes(transfer) == {"stored": 2}
    assert any("what it says that it stored could not be confirmed" in note for note in transfer.notes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "answer",
    [httpx.Response(200, content=b"<html>Sign in</html>"), httpx.Response(302, headers={"Location": "https://sso"}),
     httpx.Response(400), httpx.Response(413), httpx.Response(200, json={"a": 1})],
    ids=["page", "redirect", "400", "413", "object"],
)  # fmt: skip
async def test_a_look_up_that_fails_is_no_archive_without_search(kind: str, answer: httpx.Response, root: Path) -> None:
    """Then nothing is sent: a study of another patient could be there."""
    files(root, 1)
    fake = KINDS[kind](Store())
    fake.fail(lambda _: answer, times=1_000, method="GET")
    with pytest.raises(ArchiveError):
        await stored(fake, kind, root)
    assert posts(fake) == []


@pytest.mark.parametrize("status", [404, 405])
async def test_an_archive_of_a_known_kind_has_a_search(status: int, root: Path) -> None:
    files(root, 1)
    fake = OrthancLike(Store())
    fake.fail(status, times=1_000, method="GET")
    with pytest.raises(ArchiveError):
        await stored(fake, "orthanc", root)
    assert posts(fake) == []


@pytest.mark.parametrize("cap", [1, 3, 10])
async def test_a_list_that_was_cut_is_not_taken_for_absence(root: Path, cap: int) -> None:
    """An archive that gives only some of the objects asked for has not said that it lacks the others."""
    for number in range(30):
        make_file(root / f"{number}.dcm", f"1.{number}", f"1.{number}.1", f"1.{number}.1.1")
    fake = OrthancLike(Store())
    await stored(fake, "orthanc", root)
    search = fake.search

    def capped(target: Any, asked: Asked) -> httpx.Response:
        return httpx.Response(200, json=search(target, asked).json()[:cap])

    fake.search = capped  # type: ignore[method-assign]
    assert outcomes(await stored(fake, "orthanc", root)) == {"already_there": 30}
    for number in range(30):
        make_file(root / f"{number}.dcm", f"1.{number}", f"1.{number}.1", f"1.{number}.1.2", PatientID="P2")
    assert outcomes(await stored(fake, "orthanc", root)) == {"rejected": 30}


async def test_two_calls_at_the_same_moment_see_each_other(root: Path) -> None:
    """Another patient of the same study, and another file of the same UID: whichever comes second is not sent."""
    make_file(root / "a1.dcm", "1.2", "1.2.1", "1.2.1.1", PatientID="P1")
    make_file(root / "a2.dcm", "1.2", "1.2.1", "1.2.1.2", PatientID="P2")
    fake = OrthancLike(Store())
    app = app_over({"pacs": (fake, "orthanc")}, roots=[root])
    found: list[Transfer] = []

    async def run(path: str) -> None:
        found.append(await store(app, None, [path], report=Steps()))

    async with anyio.create_task_group() as tasks:
        for path in ("a1.dcm", "a2.dcm", "a1.dcm"):
            tasks.start_soon(run, path)
    told = sorted(item.outcome or "" for transfer in found for item in transfer.items)
    assert told in (["already_there", "rejected", "stored"], ["rejected", "rejected", "stored"])
    assert len(fake.store.instances) == 1


async def test_a_patient_whose_letters_a_search_loses(root: Path) -> None:
    """Orthanc's searches leave out letters that its metadata have: not another patient."""
    files(root, 2, PatientID="山田", SpecificCharacterSet="ISO_IR 192")
    fake = OrthancLike(Store())
    await stored(fake, "orthanc", root, "1.2/0.dcm")
    search = fake.search

    def lossy(target: Any, asked: Asked) -> httpx.Response:
        rows = search(target, asked).json()
        return httpx.Response(200, json=[{**row, "00100020": {"vr": "LO"}} for row in rows])

    fake.search = lossy  # type: ignore[method-assign]
    assert outcomes(await stored(fake, "orthanc", root)) == {"already_there": 1, "stored": 1}
    make_file(root / "1.2" / "2.dcm", "1.2", "1.2.1", "1.2.1.9", PatientID="佐藤", SpecificCharacterSet="ISO_IR 192")
    assert outcomes(await stored(fake, "orthanc", root, "1.2/2.dcm")) == {"rejected": 1}


@pytest.mark.parametrize("uid", ["", " ", "1.2/../3"])
async def test_a_study_uid_that_is_none_is_no_missing_one(root: Path, uid: str) -> None:
    files(root, 1)
    fake = OrthancLike(Store())
    with pytest.raises(BadArgument, match="is not a UID"):
        await stored(fake, "orthanc", root, study_uid=uid)
    assert fake.requests == []


async def test_a_search_that_fails_afterwards_leaves_it_unknown(root: Path) -> None:
    files(root, 1)
    fake = OrthancLike(Store())

    def storing(asked: Asked) -> httpx.Response:
        answer = fake.stow(None, asked)
        fake.fail(500, times=1_000, method="GET")
        return answer

    fake.fail(storing, method="POST")
    transfer = await stored(fake, "orthanc", root)
    assert outcomes(transfer) == {"unknown": 1}
    assert "no search could confirm it" in transfer.items[0].reason


async def test_a_file_that_changes_while_it_waits_is_not_sent(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files(root, 3)
    fake = OrthancLike(Store())
    send = DicomwebArchive.store

    async def changing(self: DicomwebArchive, outgoing: Any, study_uid: str | None = None) -> Any:
        path = root / "1.2" / "1.dcm"
        if path.stat().st_size < 2_000:
            path.write_bytes(path.read_bytes() + bytes(2_000))
        return await send(self, outgoing, study_uid)

    monkeypatch.setattr(DicomwebArchive, "store", changing)
    transfer = await stored(fake, "orthanc", root)
    assert outcomes(transfer) == {"stored": 2, "rejected": 1}
    assert "changed after it was checked" in transfer.items[1].reason


async def test_a_token_that_was_refused_is_asked_for_once_more(root: Path, tmp_path: Path) -> None:
    """The one case in which a request that stores is sent twice: the first was turned away unread."""
    files(root, 1)
    fake = Google(Store())
    fake.token = "new"
    marker = tmp_path / "marker"
    program = f"import pathlib; p = pathlib.Path({str(marker)!r}); print('new' if p.exists() else 'old'); p.touch()"
    auth = {"type": "bearer", "command": [sys.executable, "-c", program]}
    settings = Settings.model_validate({
        "archives": [{"name": "pacs", "url": URLS["google"], "kind": "google", "permit": ["store"], "auth": auth}],
        "files": {"roots": [root]},
    })  # fmt: skip
    app = App(settings, lambda archive: open_over(fake, "google", auth=auth))
    transfer = await store(app, None, ["."], report=Steps())
    assert outcomes(transfer) == {"stored": 1}


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
