"""1,000 files of 0.5 MB retrieved from Orthanc into a folder: against dicomweb-client's retrieve_series, whose datasets
stay in memory, and against plain httpx writing the same answer into one file. Ours also lists what is there, checks
every file, and has it on the disk under its own name. Then the memory that it takes, against the size of the files.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import httpx
from dicomweb_client import DICOMwebClient

from dicomweb_mcp.archives.base import Archive
from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from dicomweb_mcp.services.app import App, open_archive
from dicomweb_mcp.services.retrieve import Outcome, Wanted, retrieve
from dicomweb_mcp.settings import ArchiveSettings, Settings

from .over_orthanc import over_orthanc
from .side_by_side import Figure, compared, of_memory, peak, side_by_side, table
from .store import FILES, ROOT, SIDE, ct_file, ct_files, ignored

REPETITIONS = 5
URL = "http://pacs.test/dicom-web"
STUDY, SERIES = f"{ROOT}.1", f"{ROOT}.2"
ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'
MEMORY = ((200, 100_000_000), (2_000, 1_000_000_000), (1, 100_000_000), (1, 1_000_000_000))  # files, bytes in all
FIRST = 10_001  # so that every UID is as long
PIECE = bytes(1 << 16)
Opener = Callable[[ArchiveSettings], Archive]


async def measured() -> list[Figure]:
    timed = await over_orthanc(lambda folder: ct_files(folder, FILES), _time)
    return [*timed, *[await _memory(count, size) for count, size in MEMORY]]


# ---- how fast --------------------------------------------------------------------------------------------------------


async def _time(url: str) -> list[Figure]:
    with TemporaryDirectory() as folder:
        new = (Path(folder, str(number)) for number in count())
        ways = {
            "ours": lambda: _ours(url, next(new), FILES),
            "peer": lambda: anyio.to_thread.run_sync(_by_dicomweb_client, url),
            "plain": lambda: _by_httpx(url, next(new)),
        }
        taken = await side_by_side(ways, REPETITIONS)
    claim = f"{FILES:,} files of 0.5 MB, retrieved, checked and named"
    return [
        compared(claim, taken["ours"], "dicomweb-client, into memory", taken["peer"], 1 / 3),
        compared(claim, taken["ours"], "httpx, into one file", taken["plain"], 1 / 0.9),
    ]


async def _ours(url: str, folder: Path, files: int, opener: Opener = open_archive) -> None:
    settings = Settings.model_validate({
        "archives": [{"name": "pacs", "url": url, "kind": "orthanc"}], "files": {"roots": [folder.parent]},
    })  # fmt: skip
    app = App(settings, opener)
    retrieval = await retrieve(app, None, Wanted(STUDY, SERIES), folder.name, ignored)
    await app.close()
    assert len(retrieval.of(Outcome.RETRIEVED)) == files


def _by_dicomweb_client(url: str) -> None:
    assert len(DICOMwebClient(url).retrieve_series(STUDY, SERIES)) == FILES


async def _by_httpx(url: str, path: Path) -> None:
    headers = {"Accept": ACCEPT, "Accept-Encoding": "identity"}
    async with (
        httpx.AsyncClient(timeout=60, trust_env=False) as client,
        client.stream("GET", f"{url}/studies/{STUDY}/series/{SERIES}", headers=headers) as answer,
    ):
        with path.open("wb") as file:
            async for chunk in answer.aiter_raw():
                file.write(chunk)
            assert file.tell() > FILES * 2 * SIDE * SIDE


# ---- how much memory -------------------------------------------------------------------------------------------------


async def _memory(files: int, size: int) -> Figure:
    """The peak of Python's memory while as many files of so many bytes in all are retrieved."""
    with TemporaryDirectory() as folder:
        archive = _Source(files, size // files // 2 * 2)
        taken = await peak(
            lambda: _ours(URL, Path(folder, "new"), files, lambda one: DicomwebArchive(one, transport=archive))
        )
    return of_memory(f"{files:,} x {size / files / 1e6:g} MB retrieved", taken, size)


class _Source(httpx.AsyncBaseTransport):
    """A server that has one series of so many instances with so many bytes of pixels each, made while they are sent."""

    def __init__(self, files: int, pixels: int) -> None:
        self._pixels = pixels
        self._uids = [f"{ROOT}.3.{FIRST + number}" for number in range(files)]
        with TemporaryDirectory() as folder:
            header = ct_file(Path(folder, "1.dcm"), FIRST).read_bytes()[: -2 * SIDE * SIDE]
        self._header = header[:-4] + pixels.to_bytes(4, "little")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/instances"):
            return httpx.Response(200, json=self._rows(request.url.params))
        kind = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
        return httpx.Response(200, headers=kind, stream=_Stream(self._body()))

    def _rows(self, asked: httpx.QueryParams) -> list[dict[str, object]]:
        start, limit = int(asked.get("offset", 0)), int(asked.get("limit", len(self._uids)))
        place = {"0020000D": STUDY, "0020000E": SERIES}
        return [
            {tag: {"vr": "UI", "Value": [value]} for tag, value in {**place, "00080018": uid}.items()}
            for uid in self._uids[start : start + limit]
        ]

    async def _body(self) -> AsyncIterator[bytes]:
        for uid in self._uids:
            yield b"\r\n--b\r\nContent-Type: application/dicom\r\n\r\n"
            yield self._header.replace(self._uids[0].encode(), uid.encode())
            for start in range(0, self._pixels, len(PIECE)):
                yield PIECE[: self._pixels - start]
        yield b"\r\n--b--\r\n"


class _Stream(httpx.AsyncByteStream):
    """What an iterator gives."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks


if __name__ == "__main__":
    print(table(asyncio.run(measured())))
