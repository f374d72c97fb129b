"""What servers answer to files, and that every outcome is what the archive really has."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from dicomweb_mcp.archives.base import AccessDenied, Busy, NotOffered
from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from dicomweb_mcp.archives.part10.outgoing import Outgoing
from dicomweb_mcp.paths import Changed
from dicomweb_mcp.services import sending
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.transfer import store
from dicomweb_mcp.settings import Settings
from fakes.base import Asked
from fakes.deaf import Deaf
from fakes.google import Google
from fakes.orthanc_like import OrthancLike
from fakes.store import Store
from fakes.stow import arrived, keep, response
from services.transfer_helpers import Steps, files, outcomes, posts, reasons, stored
from support import URLS, open_over

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("hurried")]


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


async def test_an_answer_in_xml_is_read(root: Path) -> None:
    """Google's, where something on the way keeps the Accept header from it: 409 although all others were stored."""
    files(root, 4)
    body = (
        '<NativeDicomModel><DicomAttribute tag="00081198" vr="SQ"><Item number="1">'
        '<DicomAttribute tag="00081155" vr="UI"><Value number="1">1.2.1.2</Value></DicomAttribute>'
        '<DicomAttribute tag="00081197" vr="US"><Value number="1">272</Value></DicomAttribute>'
        '<DicomAttribute tag="00090097" vr="UT"><Value number="1">the file is encrypted</Value></DicomAttribute>'
        "</Item></DicomAttribute></NativeDicomModel>"
    )
    fake = Refusing({"1.2.1.2"}, said(409, body.encode()), keeps=True)
    transfer = await stored(fake, "orthanc", root)
    assert outcomes(transfer) == {"stored": 3, "rejected": 1}
    assert reasons(transfer) == ["processing failure (0110h): the file is encrypted"]
    assert len(posts(fake)) == 1


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
    """Then only what did not arrive is sent, once more."""
    files(root, 3)
    fake = OrthancLike(Store())

    def breaking(asked: Asked) -> httpx.Response:
        for part in arrived(asked)[:kept]:
            keep(fake.store, part)
        raise httpx.ReadError("connection reset")

    fake.fail(breaking, method="POST")
    assert outcomes(await stored(fake, "orthanc", root)) == {"stored": 3}
    first, *second = posts(fake)
    assert [len(arrived(post)) for post in second] == ([3 - kept] if kept < 3 else [])
    asked = fake.requests[fake.requests.index(first) + 1]
    assert (asked.method, asked.path) == ("GET", "/studies/1.2/series/1.2.1/instances")
    held = [instance.dataset.SOPInstanceUID for instance in fake.store.instances]
    assert sorted(held) == ["1.2.1.1", "1.2.1.2", "1.2.1.3"]


async def test_a_connection_that_breaks_twice_leaves_it_unknown(root: Path) -> None:
    files(root, 120)
    fake = OrthancLike(Store())
    fake.fail(httpx.ReadError("connection reset"), times=2, method="POST")
    assert outcomes(await stored(fake, "orthanc", root)) == {"unknown": 50, "not_sent": 70}
    assert [len(arrived(post)) for post in posts(fake)] == [50, 50]
    again = await stored(fake, "orthanc", root)
    assert outcomes(again) == {"stored": 120}


async def test_an_archive_that_goes_away_is_not_sent_the_rest(root: Path) -> None:
    files(root, 320)
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
    found = outcomes(transfer)
    assert (found["stored"], found["unknown"] + found["not_sent"]) == (50, 270)
    assert found["unknown"] <= 4 * 50, "no more than was under way"
    assert "cannot be reached" in transfer.items[-1].reason
    fake._failures.clear()
    assert outcomes(await stored(fake, "orthanc", root)) == {"already_there": 50, "stored": 270}


@pytest.mark.parametrize("bad", [1, 37, 50])
async def test_a_bad_file_is_found_by_halves(root: Path, bad: int) -> None:
    """An archive that takes a batch whole or not at all: 50 files, one bad, so at most 1 + 2 * 6 requests."""
    files(root, 50)
    fake = Refusing({f"1.2.1.{bad}"}, said(400, ORTHANC_400), keeps=False)
    transfer = await stored(fake, "orthanc", root)
    assert outcomes(transfer) == {"stored": 49, "rejected": 1}
    assert [item.file.instance_uid for item in transfer.items if item.outcome == "rejected"] == [f"1.2.1.{bad}"]  # type: ignore[attr-defined]
    assert len(posts(fake)) <= 13


async def test_several_batches_are_under_way_and_one_place_is_left_to_others(root: Path) -> None:
    files(root, 500)
    fake = OrthancLike(Store())
    under_way = most = 0

    async def slow(request: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        if request.method == "POST":
            under_way += 1
            most = max(most, under_way)
            await anyio.sleep(0.02)
            under_way -= 1
        return fake(request)

    assert outcomes(await stored(slow, "orthanc", root)) == {"stored": 500}  # type: ignore[arg-type]
    assert most == 4, "of the six that Orthanc has"
    assert len(posts(fake)) == 10


async def test_an_overloaded_archive_is_left_alone(root: Path) -> None:
    files(root, 60)
    fake = OrthancLike(Store())
    fake.fail(503, times=1_000, method="POST")
    transfer = await stored(fake, "orthanc", root)
    assert outcomes(transfer) == {"unknown": 50, "not_sent": 10}, "the first batch was sent, whatever became of it"
    assert len(posts(fake)) == 1
    assert "overloaded" in transfer.items[0].reason


class OwnUids(OrthancLike):
    """Stores everything under UIDs of its own, and says so."""

    def stow(self, target: Any, asked: Asked) -> httpx.Response:
        parts = arrived(asked)
        for number, part in enumerate(parts):
            part.dataset.SOPInstanceUID = f"2.25.{len(self.store.instances)}{number}"
            keep(self.store, part)
        return httpx.Response(200, json=response(parts, []))


async def test_an_archive_with_uids_of_its_own_gets_nothing_twice(root: Path) -> None:
    files(root, 60)
    fake = OwnUids(Store())
    transfer = await stored(fake, "orthanc", root)
    assert outcomes(transfer) == {"unknown": 50, "not_sent": 10}
    assert len(fake.store.instances) == 50
    assert len(posts(fake)) == 1
    assert all("under other UIDs" in reason for reason in reasons(transfer))


async def test_what_is_found_a_while_after_a_failure_is_stored(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive takes a file in, breaks down over its answer, and finds it only later."""
    files(root, 1)
    fake = OrthancLike(Store())
    kept: list[Asked] = []

    def breaks_down(asked: Asked) -> httpx.Response:
        kept.append(asked)
        return httpx.Response(500)

    async def sleep(seconds: float) -> None:
        if seconds and kept:
            fake.stow(None, kept.pop())

    fake.fail(breaks_down, method="POST")
    monkeypatch.setattr(sending, "CONFIRM_AFTER", (0.0, 0.5, 2.0))
    monkeypatch.setattr(sending.anyio, "sleep", sleep)
    assert outcomes(await stored(fake, "orthanc", root)) == {"stored": 1}


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


async def test_an_archive_that_breaks_down_while_it_is_compared_is_asked_no_further(
    root: Path, forget: Callable[[], None]
) -> None:
    files(root, 30)
    fake = OrthancLike(Store())
    await stored(fake, "orthanc", root)
    forget()
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

    def failing(self: Outgoing, *more: Any) -> Any:
        if self.content.path.name == "1.dcm":
            raise Changed  # what an OSError while reading becomes
        return chunks(self, *more)

    monkeypatch.setattr(Outgoing, "chunks", failing)
    transfer = await stored(fake, "orthanc", root)
    assert outcomes(transfer) == {"stored": 2, "rejected": 1}
    assert "cannot be read any more" in transfer.items[1].reason


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

    async def changing(self: DicomwebArchive, outgoing: Any, *more: Any) -> Any:
        path = root / "1.2" / "1.dcm"
        if path.stat().st_size < 2_000:
            path.write_bytes(path.read_bytes() + bytes(2_000))
        return await send(self, outgoing, *more)

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
