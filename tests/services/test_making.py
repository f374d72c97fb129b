"""Pictures and documents with metadata, from below a file root into an archive, and what is left behind: nothing."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest

from archives.folder_helpers import make_file
from dicomweb_mcp.archives.base import NotFound
from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.services import making
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.transfer import Transfer, store
from dicomweb_mcp.settings import load, user_cache_folder
from fakes.base import Fake, split_multipart
from fakes.orthanc_like import OrthancLike
from fakes.store import Store
from picture_files import GREY, PDF, RGB, encoded
from services.transfer_helpers import KINDS, Steps, outcomes, posts, reasons, stored

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("hurried", "own_cache")]
PATIENT = {"PatientID": "P1", "PatientName": "Müller^Änne"}


@pytest.fixture
def pictures(root: Path) -> Path:
    root.mkdir()
    (root / "a.jpg").write_bytes(encoded(RGB, "JPEG"))
    (root / "b.png").write_bytes(encoded(GREY, "PNG"))
    (root / "c.tif").write_bytes(encoded(RGB, "TIFF"))
    return root


def left_behind() -> list[Path]:
    return list(user_cache_folder().glob("making-*"))


def sent(fake: Fake) -> list[pydicom.Dataset]:
    """The files of all requests, read by pydicom."""
    bodies = [data for post in posts(fake) for _, data in split_multipart(post.headers["content-type"], post.body)]
    return [pydicom.dcmread(pydicom.filebase.DicomBytesIO(data)) for data in bodies]


@pytest.mark.parametrize("kind", KINDS)
async def test_files_become_one_series_and_sending_them_again_sends_nothing(kind: str, pictures: Path) -> None:
    fake = KINDS[kind](Store())
    transfer = await stored(fake, kind, pictures, metadata=PATIENT)
    assert outcomes(transfer) == {"stored": 3}
    assert [item.shown for item in transfer.items] == ["a.jpg", "b.png", "c.tif"]
    assert "Made into DICOM here: 3 Secondary Capture Image." in transfer.notes
    found = sent(fake)
    assert [dataset.InstanceNumber for dataset in found] == [1, 2, 3]
    assert len({(dataset.StudyInstanceUID, dataset.SeriesInstanceUID) for dataset in found}) == 1
    assert {str(dataset.PatientName) for dataset in found} == {"Müller^Änne"}
    assert left_behind() == []
    again = await stored(fake, kind, pictures, metadata=dict(reversed(PATIENT.items())))
    assert outcomes(again) == {"already_there": 3}
    assert len(sent(fake)) == 3


async def test_a_dry_run_makes_and_compares_only(pictures: Path) -> None:
    fake = OrthancLike(Store())
    transfer = await stored(fake, "orthanc", pictures, metadata=PATIENT, dry_run=True)
    assert outcomes(transfer) == {"to_store": 3}
    assert posts(fake) == []
    assert left_behind() == []


async def test_one_bad_file_costs_only_itself(pictures: Path) -> None:
    (pictures / "b.png").write_bytes(encoded(GREY, "PNG")[:60])
    (pictures / "d.jpg").write_bytes((pictures / "a.jpg").read_bytes())
    (pictures / "e.txt").write_text("no picture")
    make_file(pictures / "f.dcm", "1.2", "1.2.3", "1.2.3.4")
    (pictures / "g.pdf").write_bytes(PDF)
    (pictures / "h.pdf").write_bytes(PDF[:-9])
    fake = OrthancLike(Store())
    transfer = await stored(fake, "orthanc", pictures, metadata=PATIENT)
    told = {item.shown: (str(item.outcome), item.reason) for item in transfer.items}
    assert {name: outcome for name, (outcome, _) in told.items()} == {
        "a.jpg": "stored", "b.png": "rejected", "c.tif": "stored", "d.jpg": "rejected", "e.txt": "rejected",
        "f.dcm": "rejected", "g.pdf": "stored", "h.pdf": "rejected",
    }  # fmt: skip
    assert "PNG" in told["b.png"][1]
    assert told["d.jpg"][1] == "a copy of a.jpg, which stands for it"
    assert "no JPEG, PNG, TIFF or PDF" in told["e.txt"][1]
    assert "DICOM already" in told["f.dcm"][1]
    assert "cut off" in told["h.pdf"][1]
    found = {int(dataset.InstanceNumber): dataset for dataset in sent(fake)}
    assert set(found) == {1, 3, 7}, "numbers are those of the files named, so that a mended file has its own"
    assert found[7].Modality == "DOC"
    assert found[7].SeriesInstanceUID != found[1].SeriesInstanceUID, "one series has one modality"
    assert found[7].StudyInstanceUID == found[1].StudyInstanceUID


async def test_photographs_beside_a_pdf_are_made(pictures: Path) -> None:
    (pictures / "d.pdf").write_bytes(PDF)
    fake = OrthancLike(Store())
    transfer = await stored(fake, "orthanc", pictures, metadata={**PATIENT, "Modality": "XC"})
    assert outcomes(transfer) == {"stored": 3, "rejected": 1}
    assert "a PDF is no photograph" in reasons(transfer)[0]
    assert {dataset.Modality for dataset in sent(fake)} == {"XC"}


async def test_a_series_that_is_named_holds_one_kind(pictures: Path) -> None:
    (pictures / "d.pdf").write_bytes(PDF)
    metadata = {**PATIENT, "SeriesInstanceUID": "1.2.9"}
    transfer = await stored(OrthancLike(Store()), "orthanc", pictures, metadata=metadata)
    assert outcomes(transfer) == {"stored": 3, "rejected": 1}
    assert "cannot share the series" in reasons(transfer)[0]


@pytest.mark.parametrize("kind", KINDS)
async def test_with_a_study_they_join_it(kind: str, pictures: Path) -> None:
    make_file(pictures / "ct" / "1.dcm", "1.2", "1.2.1", "1.2.1.1", PatientName="Yamada^Tarou=山田^太郎",
              SpecificCharacterSet="ISO_IR 192", PatientBirthDate="19700228", StudyDate="20200115",
              StudyDescription="Kopf", AccessionNumber="A7", SeriesDescription="axial")  # fmt: skip
    fake = KINDS[kind](Store())
    await stored(fake, kind, pictures, "ct")
    fake.requests.clear()
    transfer = await stored(
        fake, kind, pictures, "a.jpg", metadata={"Modality": "XC", "SeriesDescription": "photo"}, study_uid="1.2"
    )
    assert outcomes(transfer) == {"stored": 1}
    (made,) = sent(fake)
    assert (made.StudyInstanceUID, made.PatientID, made.PatientBirthDate) == ("1.2", "P1", "19700228")
    assert str(made.PatientName) == "Yamada^Tarou=山田^太郎"
    assert (made.StudyDate, made.StudyDescription, made.AccessionNumber) == ("20200115", "Kopf", "A7")
    assert (made.Modality, made.SeriesDescription) == ("XC", "photo")
    assert made.SeriesInstanceUID not in ("1.2.1", "")
    fake.requests.clear()
    with pytest.raises(BadArgument) as raised:
        await stored(fake, kind, pictures, "a.jpg", metadata={"PatientID": "P-SECRET"}, study_uid="1.2")
    assert "another PatientID" in str(raised.value)
    assert "SECRET" not in str(raised.value)
    assert posts(fake) == []


async def test_a_study_that_is_not_there_is_not_made(pictures: Path) -> None:
    fake = OrthancLike(Store())
    with pytest.raises(NotFound, match=r"has no study 1\.2 to join"):
        await stored(fake, "orthanc", pictures, metadata=PATIENT, study_uid="1.2")
    assert posts(fake) == []
    assert left_behind() == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_study_uid_in_the_metadata_makes_a_study_or_joins_it(kind: str, pictures: Path) -> None:
    fake = KINDS[kind](Store())
    metadata = {**PATIENT, "StudyInstanceUID": "1.2.9"}
    assert outcomes(await stored(fake, kind, pictures, "a.jpg", metadata=metadata)) == {"stored": 1}
    assert outcomes(await stored(fake, kind, pictures, "a.jpg", metadata=metadata)) == {"already_there": 1}
    joining = {"PatientID": "P1", "StudyInstanceUID": "1.2.9", "SeriesDescription": "more"}
    assert outcomes(await stored(fake, kind, pictures, "a.jpg", metadata=joining)) == {"stored": 1}
    assert [str(dataset.PatientName) for dataset in sent(fake)] == ["Müller^Änne"] * 2
    assert {dataset.StudyInstanceUID for dataset in sent(fake)} == {"1.2.9"}
    with pytest.raises(BadArgument, match="another PatientName"):
        await stored(fake, kind, pictures, "a.jpg", metadata={**joining, "PatientName": "Else"})


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({}, "metadata needs PatientID"),
        ({"PatientID": ""}, "metadata needs PatientID"),
        ({"PatientID": "P", "SOPInstanceUID": "1.2.3"}, "SOPInstanceUID is of one instance, and paths name 3 files"),
        ({"PatientID": "P", "InstanceNumber": 1}, "InstanceNumber is of one instance"),
        ({"PatientID": "P", "Rows": 4}, "Rows describes"),
        ({"PatientID": "P", "PatientSexx": "M"}, "Did you mean PatientSex"),
    ],
)
async def test_metadata_that_cannot_be_right_open_and_ask_nothing(
    pictures: Path, metadata: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a file was opened")

    monkeypatch.setattr(making, "open_regular", never)
    fake = OrthancLike(Store())
    with pytest.raises(BadArgument) as raised:
        await stored(fake, "orthanc", pictures, metadata=metadata)
    assert says in str(raised.value)
    assert fake.requests == []


async def test_too_many_and_too_large(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "MOST_BYTES", 1 << 20)
    with (pictures / "b.png").open("ab") as file:
        file.truncate((1 << 20) + 1)
    transfer = await stored(OrthancLike(Store()), "orthanc", pictures, metadata=PATIENT)
    assert [item.reason for item in transfer.items] == ["", "it has over 1 MiB", ""]
    monkeypatch.setattr(making, "MOST_FILES", 2)
    with pytest.raises(BadArgument, match="at most 2 pictures"):
        await stored(OrthancLike(Store()), "orthanc", pictures, metadata=PATIENT)


async def test_a_link_is_not_followed_out_of_the_root(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.png").write_bytes(encoded(RGB, "PNG"))
    (pictures / "link.png").symlink_to(tmp_path / "outside.png")
    transfer = await stored(OrthancLike(Store()), "orthanc", pictures, "*.png", metadata=PATIENT)
    assert outcomes(transfer) == {"stored": 1, "rejected": 1}
    assert "leads outside the file roots" in reasons(transfer)[0]


async def test_nothing_is_left_behind_by_what_failed_or_was_killed(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = user_cache_folder()
    for name, age in (("making-old", 2 * 86_400), ("making-busy", 10)):
        (cache / name).mkdir(parents=True)
        (cache / name / "1.dcm").write_bytes(b"a patient")
        stamp = (cache / name).stat().st_mtime - age
        os.utime(cache / name, (stamp, stamp))
    seen: list[int] = []

    def failing(*_: Any, **__: Any) -> None:
        seen.append(len(left_behind()))
        raise RuntimeError("somewhere on the way")

    monkeypatch.setattr(making, "make_instance", failing)
    with pytest.raises(RuntimeError):
        await stored(OrthancLike(Store()), "orthanc", pictures, metadata=PATIENT)
    assert seen == [2], "that of a running call and our own"
    assert [path.name for path in left_behind()] == ["making-busy"]


@pytest.mark.skipif(os.name == "nt", reason="modes mean nothing there")
async def test_what_names_a_patient_is_for_this_user_alone(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    make: Callable[..., pydicom.Dataset] = making.make_instance

    def watching(*arguments: Any, **more: Any) -> pydicom.Dataset:
        modes.extend(path.stat().st_mode & 0o777 for path in left_behind())
        return make(*arguments, **more)

    monkeypatch.setattr(making, "make_instance", watching)
    await stored(OrthancLike(Store()), "orthanc", pictures, "a.jpg", metadata=PATIENT)
    assert modes == [0o700]


async def test_a_cache_folder_that_cannot_be_written(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("DICOMWEB_MCP_CACHE", str(tmp_path / "a file"))
    with pytest.raises(BadArgument, match="DICOMWEB_MCP_CACHE"):
        await stored(OrthancLike(Store()), "orthanc", pictures, metadata=PATIENT)


async def test_into_a_folder(pictures: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    app = App(load(archives=[f"mine={archive}"], permits=["mine:store"], file_roots=[pictures], environment={}))

    async def run(**more: Any) -> Transfer:
        return await store(app, None, ["*.jpg", "*.png"], metadata=PATIENT, report=Steps(), **more)

    try:
        assert outcomes(await run()) == {"stored": 2}
        assert outcomes(await run()) == {"already_there": 2}
    finally:
        await app.close()
    found = [pydicom.dcmread(path) for path in archive.rglob("*.dcm")]
    assert {dataset.PatientID for dataset in found} == {"P1"}
