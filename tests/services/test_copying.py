"""Copying from one archive into another: what is fetched and sent and what is not, and what stays behind."""

from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from pydicom import dcmread

from archives.folder_helpers import make_file
from dicomweb_mcp.archives.base import AccessDenied, NotFound, NotPermitted
from dicomweb_mcp.archives.folder import FolderArchive
from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.copying import Wanted, copy, held
from dicomweb_mcp.services.copying.checks import check
from dicomweb_mcp.settings import Settings
from fakes.base import Asked
from fakes.google import Google
from fakes.orthanc_like import OrthancLike
from fakes.store import Store
from services.copying_helpers import STUDY, Between, holding
from services.retrieve.helpers import Serving
from services.transfer_helpers import KINDS, Steps, files, outcomes, posts, reasons
from support import app_over

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("hurried")]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_study_is_copied_and_then_already_there(kind: str, root: Path, between: Callable[..., Between]) -> None:
    files(root, 3)
    target = KINDS[kind](Store())
    over = between(root, target, kind)
    transfer = await over.copied()
    assert outcomes(transfer) == {"stored": 3}
    assert [item.shown for item in transfer.items] == ["1.2.1.1", "1.2.1.2", "1.2.1.3"]
    for number in range(3):
        data = (root / "1.2" / f"{number}.dcm").read_bytes()
        assert any(data in post.body for post in posts(target)), "every byte as it is in the source"
    target.requests.clear()
    assert outcomes(await over.copied()) == {"already_there": 3}
    assert posts(target) == []


async def test_from_folder_to_folder_every_byte_is_the_same(
    root: Path, tmp_path: Path, state: Path, between: Callable[..., Between]
) -> None:
    files(root, 2)
    files(root, 1, "1.2", "1.2.5")  # takes the name of the first; one of each series is left
    other = tmp_path / "other"
    other.mkdir()
    over = between(root, other)
    assert outcomes(await over.copied(Wanted(series_uid="1.2.1"))) == {"stored": 1}
    assert (other / "1.2/1.2.1/1.2.1.2.dcm").read_bytes() == (root / "1.2/1.dcm").read_bytes()
    assert outcomes(await over.copied()) == {"stored": 1, "already_there": 1}
    assert (other / "1.2/1.2.5/1.2.5.1.dcm").read_bytes() == (root / "1.2/0.dcm").read_bytes()
    assert list(state.glob("copying-*")) == []


async def test_what_is_there_is_not_fetched(root: Path, between: Callable[..., Between]) -> None:
    files(root, 3)
    source, target = Serving(holding(root)), Google(Store())
    over = between(source, target, "google")
    assert outcomes(await over.copied(Wanted(instance_uids=["1.2.1.1"]))) == {"stored": 1}
    source.files_asked.clear()
    assert outcomes(await over.copied()) == {"already_there": 1, "stored": 2}
    asked = [f"/studies/1.2/series/1.2.1/instances/1.2.1.{number}" for number in (2, 3)]
    assert sorted(source.files_asked) == asked


async def test_another_object_of_the_same_uid_and_another_patient_are_not_sent(
    root: Path, tmp_path: Path, between: Callable[..., Between]
) -> None:
    files(root, 1)
    target = OrthancLike(Store())
    await between(root, target).copied()
    make_file(tmp_path / "b" / "0.dcm", "1.2", "1.2.1", "1.2.1.1", Modality="MR")
    make_file(tmp_path / "c" / "0.dcm", "1.2", "1.2.1", "1.2.1.2", PatientID="SOMEBODY-ELSE")
    different = await between(tmp_path / "b", target).copied()
    assert outcomes(different) == {"different": 1}
    assert "Modality" in different.items[0].reason
    rejected = await between(tmp_path / "c", target).copied()
    assert outcomes(rejected) == {"rejected": 1}
    assert "under another PatientID" in rejected.items[0].reason
    assert len(posts(target)) == 1


async def test_a_dry_run_and_a_large_copy_fetch_nothing(root: Path, between: Callable[..., Between]) -> None:
    files(root, 101)
    source, target = Serving(holding(root)), OrthancLike(Store())
    over = between(source, target)
    plan = await over.copied()
    assert (plan.dry_run, plan.wants_confirmation, outcomes(plan)) == (True, True, {"to_store": 101})
    plan = await over.copied(Wanted(instance_uids=["1.2.1.1"]), dry_run=True)
    assert (plan.dry_run, plan.wants_confirmation, outcomes(plan)) == (True, False, {"to_store": 1})
    assert posts(target) == []
    assert not any(path.endswith("/instances/1.2.1.1") for path in source.paths)
    assert outcomes(await over.copied(confirm=True)) == {"stored": 101}
    assert len(target.store.instances) == 101


@pytest.mark.parametrize("wanted", [STUDY, Wanted(instance_uids=["1.2.1.1", "1.2.1.2"])])
async def test_few_instances_that_are_large_take_a_confirmation_however_they_are_named(
    wanted: Wanted, root: Path, between: Callable[..., Between]
) -> None:
    """Two slides of 30,000 by 20,000 pixels in three colours; their files are small here."""
    attributes = {"Rows": 30_000, "Columns": 20_000, "SamplesPerPixel": 3, "BitsAllocated": 8}
    files(root, 2, **attributes, BitsStored=8, HighBit=7, PixelRepresentation=0, PhotometricInterpretation="RGB")
    target = OrthancLike(Store())
    plan = await between(root, target).copied(wanted)
    assert (plan.dry_run, plan.wants_confirmation, plan.size) == (True, True, 2 * 30_000 * 20_000 * 3)
    assert posts(target) == []


@pytest.mark.parametrize("uids", [["1.2.1.9", "1.2.1.1"], ["1.2.1.1", "1.2.1.9"]])
async def test_a_uid_that_is_not_there_costs_the_others_nothing(
    uids: list[str], root: Path, between: Callable[..., Between]
) -> None:
    """With its study and series given it is not looked up before it is asked for."""
    files(root, 1)
    over = between(Serving(holding(root)), OrthancLike(Store()))
    assert outcomes(await over.copied(Wanted("1.2", "1.2.1", uids))) == {"stored": 1, "not_sent": 1}
    with pytest.raises(NotFound):
        await over.copied(Wanted("1.2", "1.2.1", ["1.2.1.9"]))


async def test_what_has_no_readable_metadata_costs_the_others_nothing(
    root: Path, between: Callable[..., Between]
) -> None:
    files(root, 3)
    files(root, 1, "1.3", "1.3.1")
    source, target = Serving(Store.files(*sorted(root.rglob("*.dcm")))), OrthancLike(Store())
    source.fail(500, times=99, only="/instances/1.2.1.1/metadata")
    source.fail(500, times=99, only="/instances/1.3.1.1/metadata")
    over = between(source, target)
    transfer = await over.copied(Wanted(instance_uids=["1.2.1.1", "1.2.1.2", "1.3.1.1"]))
    assert outcomes(transfer) == {"stored": 2, "not_sent": 1}
    assert transfer.notes == [
        "Of 1 of the instances no size could be read before (first: 1.2.1.1), so none was counted."
    ]
    assert "the patient of its study cannot be read: Archive here: failed" in reasons(transfer)[0]
    assert outcomes(await over.copied()) == {"already_there": 1, "stored": 1, "unknown": 1}


async def test_a_source_that_fails_for_one_costs_only_that(root: Path, between: Callable[..., Between]) -> None:
    files(root, 3)
    source, target = Serving(holding(root)), OrthancLike(Store())
    over = between(source, target)
    one_by_one = Wanted(instance_uids=["1.2.1.1", "1.2.1.2", "1.2.1.3"])
    source.gives(404, "/instances/1.2.1.2", times=2)
    transfer = await over.copied(one_by_one)
    assert outcomes(transfer) == {"stored": 2, "not_sent": 1}
    assert "could not be fetched: Archive here" in reasons(transfer)[0]
    source.gives(404, "/instances/1.2.1.2", times=1)
    assert outcomes(await over.copied(one_by_one)) == {"already_there": 2, "stored": 1}


async def test_a_source_that_is_gone_is_not_asked_for_all(root: Path, between: Callable[..., Between]) -> None:
    files(root, 20)
    source, target = Serving(holding(root)), OrthancLike(Store())
    over = between(source, target)
    for number in range(3, 21):
        source.gives(403, f"/instances/1.2.1.{number}", times=99)
    transfer = await over.copied(Wanted(instance_uids=[f"1.2.1.{number}" for number in range(1, 21)]))
    assert outcomes(transfer) == {"stored": 2, "not_sent": 18}
    failed = len(source.files_asked) - 2
    assert 3 <= failed <= 2 * (3 + over.app.archive("here").profile.parallel), "what was on its way, and twice"
    assert "because the archive fails" in reasons(transfer)[-1]


async def test_what_is_wrong_twice_is_not_sent(
    root: Path, between: Callable[..., Between], monkeypatch: pytest.MonkeyPatch
) -> None:
    files(root, 2)
    data = (root / "1.2" / "1.dcm").read_bytes()
    other = make_file(root / "x.dcm", "1.3", "1.3.1", "1.3.1.1").read_bytes()

    async def chunks(self: FolderArchive, stored: Any) -> AsyncIterator[bytes]:
        yield other if stored.instance_uid == "1.2.1.1" else data[:-3]

    monkeypatch.setattr(FolderArchive, "_chunks", chunks)
    target = OrthancLike(Store())
    transfer = await between(root, target).copied()
    assert outcomes(transfer) == {"rejected": 2}
    assert "instance 1.3.1.1 of series 1.3.1 came instead" in reasons(transfer)[0]
    assert "cut off" in reasons(transfer)[1]
    assert posts(target) == []


async def test_what_does_not_fit_in_memory_is_copied_by_the_disk(
    root: Path, state: Path, between: Callable[..., Between], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "MOST_HELD", 6_000)
    files(root, 2)
    make_file(root / "1.2" / "large.dcm", "1.2", "1.2.1", "1.2.1.9", ImageComments="x" * 9_000)
    target = OrthancLike(Store())
    made: list[Path] = []
    new_folder = held.new_private_folder

    def watched(*of: Any) -> Path:
        made.append(new_folder(*of))
        return made[-1]

    monkeypatch.setattr(held, "new_private_folder", watched)
    assert outcomes(await between(root, target).copied()) == {"stored": 3}
    assert len(made) == 1, "only the large one needs the disk"
    assert any((root / "1.2" / "large.dcm").read_bytes() in post.body for post in posts(target))
    assert list(state.glob("copying-*")) == []


async def test_nothing_stays_behind_when_it_is_cancelled(
    root: Path, state: Path, between: Callable[..., Between], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "MOST_HELD", 100)
    files(root, 1)
    over = between(root, OrthancLike(Store()))
    seen: list[list[Path]] = []
    with anyio.CancelScope() as scope:

        async def store(*_: Any) -> None:
            seen.append(list(state.glob("copying-*/*.dcm")))
            scope.cancel()
            await anyio.sleep(5)

        monkeypatch.setattr(over.app.archive("there"), "store", store)
        await over.copied()
    assert scope.cancelled_caught
    assert len(seen[0]) == 1
    assert list(state.glob("copying-*")) == []


async def test_a_large_instance_is_held_once(
    root: Path, between: Callable[..., Between], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tracemalloc

    size = 60 << 20
    make_file(root / "0.dcm", "1.2", "1.2.1", "1.2.1.1", EncapsulatedDocument=bytes(size))
    other = tmp_path / "other"
    other.mkdir()
    over = between(root, other)
    tracemalloc.start()
    try:
        assert outcomes(await over.copied()) == {"stored": 1}
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * size
    assert (other / "1.2/1.2.1/1.2.1.1.dcm").read_bytes() == (root / "0.dcm").read_bytes()


async def test_without_permission_nothing_is_asked(root: Path, between: Callable[..., Between]) -> None:
    files(root, 1)
    source, target = Serving(holding(root)), OrthancLike(Store())
    for permit in ("", "delete"):
        with pytest.raises(NotPermitted, match="--permit there:store"):
            await between(source, target, permit=permit).copied()
    assert source.requests == target.requests == []


@pytest.mark.parametrize("inner", ["", "1.2"])
async def test_one_folder_under_two_names_is_refused(inner: str, root: Path, between: Callable[..., Between]) -> None:
    files(root, 1)
    with pytest.raises(BadArgument, match=r"lie in each other"):
        await between(root, root / inner).copied()


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("https://pacs.test/dicom-web", "https://pacs.test/dicom-web/", True),
        ("https://pacs.test/dicom-web", "https://PACS.Test:443/dicom-web", True),
        ("http://pacs.test/dicom-web", "http://pacs.test:80/dicom-web", True),
        ("http://pacs.test/dicom-web", "https://pacs.test/dicom-web", False),
        ("http://pacs.test/dicom-web", "http://pacs.test/Dicom-Web", False),
        ("http://pacs.test:8042/dicom-web", "http://pacs.test:8043/dicom-web", False),
    ],
)
def test_one_server_is_refused_however_its_address_is_written(one: str, other: str, is_same: bool) -> None:
    archives = [{"name": "here", "url": one}, {"name": "there", "url": other, "permit": ["store"]}]
    app = App(Settings.model_validate({"archives": archives}))
    with pytest.raises(BadArgument, match="the same archive") if is_same else nullcontext():
        check(app, "here", "there", STUDY)


async def test_the_same_archive_and_no_uid_are_refused(root: Path) -> None:
    fakes = {"one": OrthancLike(Store()), "pacs": OrthancLike(Store())}
    app = app_over({name: (fake, "orthanc") for name, fake in fakes.items()}, roots=[root])
    with pytest.raises(BadArgument, match="the same archive"):
        await copy(app, "pacs", "PACS", STUDY, report=Steps())
    with pytest.raises(BadArgument, match="Give study_uid"):
        await copy(app, "one", "pacs", Wanted(), report=Steps())
    assert fakes["one"].requests == fakes["pacs"].requests == []
    await app.close()


async def test_a_destination_that_refuses_one_takes_the_others(root: Path, between: Callable[..., Between]) -> None:
    files(root, 3)
    target = OrthancLike(Store())
    bad = (root / "1.2" / "1.dcm").read_bytes()

    def refusing(asked: Asked) -> httpx.Response:
        return httpx.Response(400) if bad in asked.body else target.answer(asked)

    target.fail(refusing, times=99, method="POST")
    transfer = await between(root, target).copied()
    assert [(item.shown, item.outcome) for item in transfer.items] == [
        ("1.2.1.1", "stored"),
        ("1.2.1.2", "rejected"),
        ("1.2.1.3", "stored"),
    ]


async def test_a_destination_that_turns_everything_away_is_sent_one_batch(
    root: Path, between: Callable[..., Between]
) -> None:
    files(root, 160)
    source, target = Serving(holding(root)), OrthancLike(Store())
    target.fail(403, times=99, method="POST")
    wanted = Wanted(instance_uids=[f"1.2.1.{number}" for number in range(1, 161)])
    with pytest.raises(AccessDenied):
        await between(source, target).copied(wanted, confirm=True)
    assert len(posts(target)) == 1
    assert len(source.files_asked) < 160, "and what comes after it is not fetched"


async def test_real_files_with_pixels_arrive_byte_for_byte(
    tmp_path: Path, state: Path, between: Callable[..., Between]
) -> None:
    source, target = Path(__file__).parents[1] / "data" / "ct-seg-sr", tmp_path / "target"
    target.mkdir()
    study = str(dcmread(next((source / "ct").glob("*")), stop_before_pixels=True).StudyInstanceUID)
    transfer = await between(source, target).copied(Wanted(study_uid=study))
    assert outcomes(transfer) == {"stored": 5}
    ours = {path.read_bytes() for path in source.rglob("*") if path.is_file()}
    theirs = {path.read_bytes() for path in target.rglob("*.dcm")}
    assert len(theirs) == 5
    assert theirs <= ours
