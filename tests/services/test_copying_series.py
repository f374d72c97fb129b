"""Copying whole series: one request, no more in memory than may be, and once more by itself what did not come."""

import os
import time
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from archives.folder_helpers import make_file
from dicomweb_mcp.archives.base import File, Place, Unreachable
from dicomweb_mcp.archives.folder import FolderArchive
from dicomweb_mcp.archives.part10.outgoing import Elsewhere, Outgoing
from dicomweb_mcp.services.copying import held
from dicomweb_mcp.services.copying.copier import Copier
from dicomweb_mcp.services.copying.held import MOST_HELD, Held
from dicomweb_mcp.services.copying.sources import Copied, FromArchive
from dicomweb_mcp.services.items import Fit, Outcome, Progress
from fakes.google import Google
from fakes.orthanc_like import OrthancLike
from fakes.store import Store
from services.copying_helpers import Between, holding
from services.retrieve.helpers import Serving, with_parts
from services.transfer_helpers import Steps, files, outcomes, posts, reasons

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("hurried")]
SERIES = "/studies/1.2/series/1.2.1"


async def test_a_series_is_one_request_and_goes_on_in_batches(root: Path, between: Callable[..., Between]) -> None:
    files(root, 120)
    source, target = Serving(holding(root)), OrthancLike(Store())
    steps = Steps()
    assert outcomes(await between(source, target).copied(confirm=True, report=steps)) == {"stored": 120}
    assert source.files_asked == [SERIES]
    sent = [post.body for post in posts(target)]
    assert sorted(body.count(b"Content-Type: application/dicom\r\n") for body in sent) == [20, 50, 50]
    for number in range(120):
        assert sum((root / "1.2" / f"{number}.dcm").read_bytes() in body for body in sent) == 1
    assert steps.told[-1][:2] == (360, 360)


async def test_what_did_not_come_or_came_wrong_is_asked_for_once_more(
    root: Path, between: Callable[..., Between]
) -> None:
    files(root, 4)
    source, target = Serving(holding(root)), Google(Store())
    one, two, three, _ = ((root / "1.2" / f"{number}.dcm").read_bytes() for number in range(4))
    stray = make_file(root / "stray.dcm", "1.2", "1.2.7", "1.2.7.1").read_bytes()
    source.gives(with_parts(one, stray, two[:-3], one), SERIES)
    source.gives(with_parts(three, stray), f"{SERIES}/instances/1.2.1.3")
    transfer = await between(source, target, "google").copied()
    assert outcomes(transfer) == {"stored": 4}
    assert [path.removeprefix(SERIES) for path in source.files_asked[:1]] == [""]
    assert sorted(source.files_asked[1:]) == [f"{SERIES}/instances/1.2.1.{number}" for number in (2, 3, 4)]
    sent = b"".join(post.body for post in posts(target))
    assert [sent.count(file) for file in (one, two, three, stray)] == [1, 1, 1, 0]


async def test_a_stream_that_breaks_off_costs_what_is_behind_it(root: Path, between: Callable[..., Between]) -> None:
    files(root, 6)
    source, target = Serving(holding(root)), OrthancLike(Store())
    data = [(root / "1.2" / f"{number}.dcm").read_bytes() for number in range(6)]
    source.gives(with_parts(*data, cut=len(data[0]) * 2), SERIES)
    assert outcomes(await between(source, target).copied()) == {"stored": 6}
    assert sorted(source.files_asked[1:]) == [f"{SERIES}/instances/1.2.1.{number}" for number in range(2, 7)]


async def test_a_file_under_another_patient_than_its_metadata_is_not_sent(
    root: Path, between: Callable[..., Between]
) -> None:
    files(root, 2)
    other = make_file(root / "other" / "0.dcm", "1.2", "1.2.1", "1.2.1.1", PatientID="P2").read_bytes()
    source, target = Serving(holding(root)), OrthancLike(Store())
    source.gives(with_parts(other, (root / "1.2/1.dcm").read_bytes()), SERIES)
    transfer = await between(source, target).copied()
    assert outcomes(transfer) == {"rejected": 1, "stored": 1}
    assert "under another PatientID than its study" in reasons(transfer)[0]
    assert not any(other in post.body for post in posts(target))
    assert source.files_asked == [SERIES], "and it is not asked for again"


async def test_no_more_is_read_than_can_be_sent(
    root: Path, between: Callable[..., Between], monkeypatch: pytest.MonkeyPatch
) -> None:
    files(root, 300)
    over = between(root, OrthancLike(Store()))
    target = over.app.archive("there")
    read: list[str] = []
    when_sending: list[int] = []
    chunks, store = FolderArchive._chunks, target.store

    async def counted(self: FolderArchive, stored: Any) -> AsyncIterator[bytes]:
        read.append(stored.instance_uid)
        async for chunk in chunks(self, stored):
            yield chunk

    async def slow(*given: Any) -> Any:
        previous = -1 if not when_sending else len(read)
        while previous != len(read):
            previous = len(read)
            await anyio.sleep(0.1)
        when_sending.append(len(read))
        return await store(*given)

    monkeypatch.setattr(FolderArchive, "_chunks", counted)
    monkeypatch.setattr(target, "store", slow)
    assert outcomes(await over.copied(confirm=True)) == {"stored": 300}
    assert when_sending[0] == 100, "a batch on its way, the next one waiting for it, and nothing else"
    assert sorted(read) == sorted(f"1.2.1.{number}" for number in range(1, 301))


async def test_what_a_killed_run_left_behind_is_removed_and_what_another_writes_is_not(
    root: Path, state: Path, between: Callable[..., Between], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "MOST_HELD", 100)
    files(root, 1)
    for name, hours in (("copying-old", 25), ("copying-now", 23), ("other", 99)):
        (state / name).mkdir(parents=True)
        (state / name / "0.dcm").write_bytes(b"x")
        os.utime(state / name, (time.time() - hours * 3600,) * 2)
    with suppress(OSError):  # where links may not be made (Windows)
        (state / "copying-gone").symlink_to(state / "nowhere")  # as one that goes between listing and looking
    assert outcomes(await between(root, OrthancLike(Store())).copied()) == {"stored": 1}
    assert sorted(path.name for path in state.iterdir() if path.is_dir()) == ["copying-now", "other"]


async def test_cancelled_in_the_middle_of_a_series_everything_is_let_go_of_and_the_next_run_goes_on(
    root: Path, state: Path, between: Callable[..., Between], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "MOST_HELD", 1_000)  # so that there is something on the disk
    files(root, 120, ImageComments="x" * 2_000)
    target = OrthancLike(Store())
    over = between(root, target)
    archive = over.app.archive("there")
    closed: list[Place] = []
    instances, store = FolderArchive.instances, archive.store

    async def watched(self: FolderArchive, place: Place, **more: Any) -> AsyncGenerator[File, None]:
        try:
            async for file in instances(self, place, **more):
                yield file
        finally:
            closed.append(place)

    with anyio.CancelScope() as scope:

        async def second_is_cut(*given: Any) -> Any:
            if posts(target):
                scope.cancel()
                await anyio.sleep(5)
            return await store(*given)

        monkeypatch.setattr(FolderArchive, "instances", watched)
        monkeypatch.setattr(archive, "store", second_is_cut)
        await over.copied(confirm=True)
    assert scope.cancelled_caught
    assert closed == [Place("1.2", "1.2.1")]
    assert list(state.glob("copying-*")) == []
    monkeypatch.setattr(archive, "store", store)
    assert outcomes(await over.copied(confirm=True)) == {"already_there": 50, "stored": 70}


class Large:
    """An archive of ``count`` large files, which are nowhere but on their way."""

    profile = type("Profile", (), {"parallel": 4})()
    name = "large"

    def __init__(self, tmp_path: Path, count: int, size: int) -> None:
        whole = make_file(tmp_path / "0.dcm", "1.2", "1.2.1", "1.2.1.1000", PixelData=bytes(size)).read_bytes()
        self.uids = [f"1.2.1.{1000 + number}" for number in range(count)]
        self._beginning, self._size = whole[:-size], size

    async def instances(self, place: Place) -> AsyncGenerator[File, None]:
        for uid in self.uids if place.instance_uid is None else [place.instance_uid]:
            yield File("", self._chunks(uid))

    async def _chunks(self, uid: str) -> AsyncIterator[bytes]:
        yield self._beginning.replace(b"1.2.1.1000", uid.encode())
        for _ in range(self._size >> 16):
            yield bytes(1 << 16)
            await anyio.lowlevel.checkpoint()


class Taking:
    """Stands for a sender whose archive takes everything, slowly."""

    ended = None
    pause = 0.001
    begun = last_sent = 0  # numbers of batches

    async def send_batch(self, batch: Sequence[Fit]) -> None:
        self.begun += 1
        number = self.begun
        for item in batch:
            for _ in item.file.chunks():
                await anyio.sleep(self.pause)
            item.decide(Outcome.STORED)
        self.last_sent = number

    def raise_if_turned_away(self, items: Sequence[Fit]) -> None:
        pass


@pytest.mark.parametrize(
    ("count", "size", "whole_series", "is_on_disk"),
    [(40, 10 << 20, True, False), (8, 30 << 20, False, False), (3, 80 << 20, True, True)],
)
async def test_memory_is_bounded_whatever_there_is_to_copy(
    tmp_path: Path,
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    size: int,
    is_on_disk: bool,
    whole_series: bool,
) -> None:
    folders: list[Path] = []
    new_folder = held.new_private_folder
    monkeypatch.setattr(held, "new_private_folder", lambda *of: folders.append(new_folder(*of)) or folders[0])
    source: Any = Large(tmp_path, count, size)
    items = [Copied(uid, file=nothing_of(uid), source=source, place=Place("1.2", "1.2.1", uid)) for uid in source.uids]
    progress = Progress(Steps(), len(items))
    sender: Any = Taking()
    tracemalloc.start()
    try:
        async with Held() as holding_them:
            await Copier(FromArchive(source, whole_series=whole_series), sender, holding_them, progress, 0).copy(items)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert {item.outcome for item in items} == {Outcome.STORED}
    assert sum(item.file.size for item in items) > 3 * MOST_HELD
    assert peak < 1.25 * MOST_HELD, f"{peak / 2**20:.0f} MiB; the quarter is what a buffer takes in advance"
    assert bool(folders) == is_on_disk
    assert list(state.glob("copying-*")) == []


class HangingUp(Large):
    """Gives up on who does not read what was asked for while a whole batch is sent."""

    def __init__(self, tmp_path: Path, count: int, size: int, sender: Taking) -> None:
        super().__init__(tmp_path, count, size)
        self._sender = sender

    async def instances(self, place: Place) -> AsyncGenerator[File, None]:
        begun = self._sender.begun
        async for file in super().instances(place):
            yield File("", self._unless_left_alone(file.chunks, begun))

    async def _unless_left_alone(self, chunks: AsyncIterator[bytes], begun: int) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            if self._sender.last_sent > begun:
                raise Unreachable("large", "broke off its answer.")
            yield chunk


async def test_a_slow_destination_makes_no_good_source_fail(tmp_path: Path, state: Path) -> None:
    """Whoever asks one by one asks when there is room: a server does not keep an answer that nobody reads."""
    sender: Any = Taking()
    sender.pause = 0.01
    source: Any = HangingUp(tmp_path, 12, 20 << 20, sender)
    items = [Copied(uid, file=nothing_of(uid), source=source, place=Place("1.2", "1.2.1", uid)) for uid in source.uids]
    async with Held() as holding_them:
        progress = Progress(Steps(), len(items))
        await Copier(FromArchive(source, whole_series=False), sender, holding_them, progress, 0).copy(items)
    assert {item.outcome: item.reason for item in items} == {Outcome.STORED: ""}


def nothing_of(uid: str) -> Outgoing:
    return Outgoing(Elsewhere(), 0, uid, "1.2", "1.2.1", "P1", is_named_otherwise=False)
