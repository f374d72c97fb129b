"""1,000 files of 0.5 MB stored in Orthanc: against dicomweb-client in batches of 50, and against plain httpx sending
the same bodies one after the other and side by side. Ours also checks every file, asks what is there already and
confirms by a search; the peers only send. Then the memory that it takes, against the size of the files.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import httpx
from dicomweb_client import DICOMwebClient
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from dicomweb_mcp.archives.base import Archive
from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from dicomweb_mcp.services.app import App, open_archive
from dicomweb_mcp.services.transfer import store
from dicomweb_mcp.settings import STATE_VARIABLE, ArchiveSettings, Settings

from .over_orthanc import over_orthanc
from .side_by_side import Figure, compared, of_memory, peak, table

FILES, SIDE = 1_000, 512
BATCH = 50
SENDERS = 4
REPETITIONS = 3
URL = "http://orthanc.test/dicom-web"
ROOT = "1.2.826.0.1.3680043.8.498.78"
MEMORY = ((64, 100_000_000), (64, 4_000_000_000), (1, 100_000_000), (1, 1_000_000_000))  # files, bytes in all


async def measured() -> list[Figure]:
    return [*await over_orthanc(lambda _: [], _time), *[await _memory(files, size) for files, size in MEMORY]]


def ct_files(folder: Path, count: int) -> list[Path]:
    """Files of one CT series."""
    return [ct_file(folder / f"{number:04}.dcm", number) for number in range(1, count + 1)]


def ct_file(path: Path, number: int) -> Path:
    """One of them."""
    found = Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.file_meta.MediaStorageSOPClassUID = found.SOPClassUID = CTImageStorage
    found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID = f"{ROOT}.3.{number}"
    found.StudyInstanceUID, found.SeriesInstanceUID, found.FrameOfReferenceUID = f"{ROOT}.1", f"{ROOT}.2", f"{ROOT}.4"
    found.PatientID, found.PatientName, found.StudyID, found.AccessionNumber = "P1", "Phantom^Flat", "1", "A1"
    found.StudyDate, found.StudyTime, found.Modality = "20240102", "101500", "CT"
    found.SeriesNumber, found.InstanceNumber = 2, number
    found.ImagePositionPatient, found.ImageOrientationPatient = [-180, -180, 2.5 * number], [1, 0, 0, 0, 1, 0]
    found.PixelSpacing, found.SliceThickness = [0.7, 0.7], 2.5
    found.Rows = found.Columns = SIDE
    found.SamplesPerPixel, found.PhotometricInterpretation = 1, "MONOCHROME2"
    found.BitsAllocated, found.BitsStored, found.HighBit, found.PixelRepresentation = 16, 16, 15, 1
    found.add_new("PixelData", "OW", number.to_bytes(2, "little") * (SIDE * SIDE))
    dcmwrite(path, found, enforce_file_format=True)
    return path


# ---- how fast --------------------------------------------------------------------------------------------------------


async def _time(url: str) -> list[Figure]:
    with TemporaryDirectory() as folder:
        files = await anyio.to_thread.run_sync(ct_files, Path(folder), FILES)
        ways: dict[str, Callable[[], Awaitable[None]]] = {
            "ours": lambda: _ours(url, files),
            "peer": lambda: anyio.to_thread.run_sync(_by_dicomweb_client, url, files),
            "plain": lambda: _by_httpx(url, files, 1),
            "beside": lambda: _by_httpx(url, files, SENDERS),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(REPETITIONS):
            for name, way in ways.items():
                started = time.perf_counter()
                await way()
                taken[name].append(time.perf_counter() - started)
                await _emptied(url)
    claim = f"{FILES:,} files of 0.5 MB, checked, stored and confirmed"
    return [
        compared(claim, taken["ours"], f"dicomweb-client, batches of {BATCH}", taken["peer"], 0.5),
        compared(claim, taken["ours"], "httpx, the same bodies", taken["plain"], 1 / 0.9),
        compared(claim, taken["ours"], f"httpx, {SENDERS} side by side", taken["beside"], None),
    ]


async def _ours(url: str, files: Sequence[Path], opener: Callable[[ArchiveSettings], Archive] = open_archive) -> None:
    """By a program that has just been started and remembers nothing."""
    root = files[0].parent
    settings = Settings.model_validate({
        "archives": [{"name": "pacs", "url": url, "kind": "orthanc", "permit": ["store"]}], "files": {"roots": [root]},
    })  # fmt: skip
    with TemporaryDirectory() as state:
        os.environ[STATE_VARIABLE] = state
        app = App(settings, opener)
        transfer = await store(app, None, ["."], confirm=True, report=ignored)
        await app.close()
    assert {item.outcome for item in transfer.items} == {"stored"}
    assert len(transfer.items) == len(files)


async def ignored(done: float, total: float, message: str) -> None:
    pass


def _by_dicomweb_client(url: str, files: Sequence[Path]) -> None:
    client = DICOMwebClient(url)
    for batch in _batches(files):
        client.store_instances([dcmread(path) for path in batch])


async def _by_httpx(url: str, files: Sequence[Path], at_once: int) -> None:
    waiting = iter(list(_batches(files)))
    head = b"--b\r\nContent-Type: application/dicom\r\n\r\n"

    async def send(client: httpx.AsyncClient) -> None:
        for batch in waiting:
            body = b"".join([head + path.read_bytes() + b"\r\n" for path in batch]) + b"--b--\r\n"
            headers = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
            (await client.post(f"{url}/studies", content=body, headers=headers)).raise_for_status()

    async with httpx.AsyncClient(timeout=60, trust_env=False) as client, anyio.create_task_group() as tasks:
        for _ in range(at_once):
            tasks.start_soon(send, client)


def _batches(files: Sequence[Path]) -> Iterator[Sequence[Path]]:
    for start in range(0, len(files), BATCH):
        yield files[start : start + BATCH]


async def _emptied(url: str) -> None:
    """Everything deleted by Orthanc's own REST interface; that it was all there is checked too."""
    root = url.removesuffix("/dicom-web")
    async with httpx.AsyncClient(base_url=root, timeout=120, trust_env=False) as client:
        assert (await client.get("/statistics")).json()["CountInstances"] == FILES
        for study in (await client.get("/studies")).json():
            (await client.delete(f"/studies/{study}")).raise_for_status()


# ---- how much memory -------------------------------------------------------------------------------------------------


async def _memory(count: int, size: int) -> Figure:
    """The peak of Python's memory while as many files are stored whose pixels are a hole of so many bytes in all."""
    with TemporaryDirectory() as folder:
        files = await anyio.to_thread.run_sync(_with_holes, Path(folder), count, size // count)
        taken = await peak(lambda: _ours(URL, files, lambda archive: DicomwebArchive(archive, transport=_Sink())))
    return of_memory(f"{count:,} x {size / count / 1e6:g} MB stored", taken, size)


def _with_holes(folder: Path, count: int, size: int) -> list[Path]:
    files = ct_files(folder, count)
    size -= size % 2
    for path in files:
        with path.open("r+b") as file:
            end = file.seek(-2 * SIDE * SIDE, 2)  # where the pixels begin, behind their length
            file.truncate()
            file.seek(end - 4)
            file.write(size.to_bytes(4, "little"))
            file.truncate(end + size)
    return files


class _Sink(httpx.AsyncBaseTransport):
    """A server that reads what it is sent, keeps nothing of it, and finds whatever it is asked for afterwards."""

    def __init__(self) -> None:
        self._stored = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            assert isinstance(request.stream, httpx.AsyncByteStream)
            async for _ in request.stream:
                pass
            self._stored = True
            return httpx.Response(200, json={})
        asked = request.url.params.get("SOPInstanceUID")
        uids = asked.split(",") if asked and self._stored else []
        return httpx.Response(200, json=[{"00080018": {"vr": "UI", "Value": [uid]}} for uid in uids])


if __name__ == "__main__":
    print(table(asyncio.run(measured())))
