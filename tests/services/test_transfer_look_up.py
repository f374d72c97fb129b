"""What an archive has already: looked up before anything is sent, and never taken for absent when it was not told."""

from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from archives.folder_helpers import make_file
from dicomweb_mcp.archives.base import ArchiveError, Unreachable
from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.services.transfer import Transfer, store
from fakes.base import Asked
from fakes.deaf import Deaf
from fakes.orthanc_like import OrthancLike
from fakes.store import Store
from services.transfer_helpers import KINDS, Steps, files, outcomes, posts, stored
from support import app_over

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("hurried")]


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
