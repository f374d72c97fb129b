"""Nine slices of a CT series of 140 on one sheet, and single frames, over Orthanc: time, requests and bytes.

The peer is dicomweb-client asking the same Orthanc for rendered pictures as PNG, one after the other, as that client
works. Orthanc refuses its windows and viewports, so its pictures are whole and from the least to the greatest value.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np
from dicomweb_client import DICOMwebClient
from mcp import Client
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from requests import Response, Session

from dicomweb_mcp.archives.base import Archive
from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from dicomweb_mcp.server import build
from dicomweb_mcp.services.app import App, open_archive
from dicomweb_mcp.services.samples import evenly
from dicomweb_mcp.settings import ArchiveSettings, Settings

from .over_orthanc import over_orthanc
from .side_by_side import Figure, compared, seconds, side_by_side, table

SLICES, SIDE, TILES = 140, 512, 9
REPETITIONS = 11
GOAL = 0.33
ROOT = "1.2.826.0.1.3680043.8.498.77"
STUDY, SERIES = f"{ROOT}.1", f"{ROOT}.2"
PNG = ("image/png",)
PLACED = ["ImagePositionPatient", "ImageOrientationPatient"]


async def measured() -> list[Figure]:
    return await over_orthanc(ct_series, _time, _traffic)


# ---- the series ------------------------------------------------------------------------------------------------------


def ct_series(_: Path) -> Iterator[Dataset]:
    """Smooth tissue in air with a bright bone and the noise of a CT; the UIDs do not ascend with the slices."""
    noise = np.random.default_rng(140)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    for number in range(1, SLICES + 1):
        body = (x / 0.8) ** 2 + (y / (0.55 + 0.2 * np.sin(number / 25))) ** 2 < 1
        values = np.where(body, 40 + 60 * np.sin(7 * x + number / 9) * np.cos(6 * y), -1000)
        values = np.where(x**2 + (y - 0.4) ** 2 < 0.01, 700, values) + noise.normal(0, 20, values.shape)
        yield _slice(number, (np.clip(values, -1024, 3071) + 1024).round().astype("<i2").tobytes())


def instance_uid(number: int) -> str:
    return f"{ROOT}.3.{number * 37 % SLICES + 1}"


def _slice(number: int, pixels: bytes) -> Dataset:
    found = Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.file_meta.MediaStorageSOPClassUID = found.SOPClassUID = CTImageStorage
    found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID = instance_uid(number)
    found.StudyInstanceUID, found.SeriesInstanceUID, found.FrameOfReferenceUID = STUDY, SERIES, f"{ROOT}.4"
    found.PatientID, found.PatientName, found.StudyID, found.AccessionNumber = "P1", "Phantom^Smooth", "1", "A1"
    found.StudyDate, found.StudyTime, found.Modality = "20240102", "101500", "CT"
    found.SeriesNumber, found.InstanceNumber = 2, number
    found.ImagePositionPatient, found.ImageOrientationPatient = [-180, -180, 2.5 * number - 300], [1, 0, 0, 0, 1, 0]
    found.PixelSpacing, found.SliceThickness = [0.7, 0.7], 2.5
    found.Rows = found.Columns = SIDE
    found.SamplesPerPixel, found.PhotometricInterpretation = 1, "MONOCHROME2"
    found.BitsAllocated, found.BitsStored, found.HighBit, found.PixelRepresentation = 16, 16, 15, 1
    found.RescaleSlope, found.RescaleIntercept, found.RescaleType = 1, -1024, "HU"
    found.WindowCenter, found.WindowWidth = 40, 400
    found.add_new("PixelData", "OW", pixels)
    return found


# ---- how fast --------------------------------------------------------------------------------------------------------


async def _time(url: str) -> list[Figure]:
    """Every sheet by a program that has just been started and has asked nothing yet."""
    async with AsyncExitStack() as stack:
        fresh = [await stack.enter_async_context(connected(url)) for _ in range(REPETITIONS + 1)]
        peer = DICOMwebClient(url)

        async def ours() -> None:
            await _call(fresh.pop(), "preview_series", study_uid=STUDY, samples=TILES)

        async def theirs() -> None:
            for number in evenly(SLICES, TILES):
                rendered_by(peer, number)

        async def listed() -> None:
            assert len(peer.search_for_instances(STUDY, SERIES, fields=PLACED)) == SLICES

        taken = await side_by_side({"ours": ours, "peer": theirs, "search": listed}, REPETITIONS)
    search, pictures = taken["search"], taken["peer"]
    sheet, name = f"a sheet of {TILES} of {SLICES} slices", f"dicomweb-client, {TILES} rendered"
    found_first = [sum(pair) for pair in zip(search, pictures, strict=True)]
    return [
        compared(f"{sheet}, their UIDs given to the peer", taken["ours"], name, pictures, GOAL),
        compared(f"  its instance search, {seconds(median(search))}, added", taken["ours"], name, found_first, GOAL),
    ]


@asynccontextmanager
async def connected(url: str, traffic: "Traffic | None" = None) -> AsyncIterator[Client]:
    def opened(settings: ArchiveSettings) -> Archive:
        return DicomwebArchive(settings, transport=Counting(traffic)) if traffic else open_archive(settings)

    app = App(Settings.model_validate({"archives": [{"name": "pacs", "url": url, "kind": "orthanc"}]}), opened)
    async with Client(build(app)) as client:
        yield client


async def _call(client: Client, tool: str, **arguments: Any) -> None:
    answer = await client.call_tool(tool, {"series_uid": SERIES, **arguments})
    assert any(block.type == "image" for block in answer.content), answer.content


def rendered_by(peer: DICOMwebClient, number: int) -> None:
    picture = peer.retrieve_instance_rendered(STUDY, SERIES, instance_uid(number), media_types=PNG)
    assert picture.startswith(b"\x89PNG")


# ---- how much is asked for -------------------------------------------------------------------------------------------


@dataclass
class Traffic:
    """Requests, and the bytes of their answers' bodies as they came."""

    requests: int = 0
    size: int = 0

    def count(self, length: str) -> None:
        self.requests += 1
        self.size += int(length)

    def since(self, before: "Traffic") -> "Traffic":
        return Traffic(self.requests - before.requests, self.size - before.size)

    def __str__(self) -> str:
        return f"{self.requests} request{'' if self.requests == 1 else 's'}, {self.size / 1e3:,.0f} kB"


class Counting(httpx.AsyncHTTPTransport):
    """Counts by Content-Length, and by what arrives where Orthanc does not give it, with several frames."""

    def __init__(self, traffic: Traffic) -> None:
        super().__init__()
        self._traffic = traffic

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        self._traffic.count(response.headers.get("content-length", "0"))
        if "content-length" not in response.headers:
            response.stream = _Counted(response.stream, self._traffic)
        return response


class _Counted(httpx.AsyncByteStream):
    """A body whose bytes are counted while they arrive."""

    def __init__(self, body: Any, traffic: Traffic) -> None:
        self._body, self._traffic = body, traffic

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._body:
            self._traffic.size += len(part)
            yield part

    async def aclose(self) -> None:
        await self._body.aclose()


STEPS: tuple[tuple[str, str, dict[str, Any], int | None], ...] = (
    ("render_frame, series UID alone", "render_frame", {}, None),
    ("  another window", "render_frame", {"window": "lung"}, 0),
    ("  the next slice", "render_frame", {"slice": SLICES // 2 + 1}, None),
    (f"preview_series, {TILES} slices", "preview_series", {}, None),
)
"""Calls of one conversation: claim, tool, arguments, and the most requests that are wanted."""


async def _traffic(url: str) -> list[Figure]:
    """One conversation, in this order: what a call learned may spare the next one requests."""
    one, all_of_them = _rendered(url, 1), _rendered(url, TILES)
    ours, figures = Traffic(), []
    async with connected(url, ours) as client:
        for claim, tool, arguments, most in STEPS:
            before = ours.since(Traffic())
            await _call(client, tool, **arguments)
            taken, peer = ours.since(before), all_of_them if tool == "preview_series" else one
            figures.append(
                Figure(
                    claim=claim,
                    figure=str(taken),
                    peer=f"dicomweb-client {peer}",
                    ratio=f"{taken.size / peer.size:.2f} of its bytes",
                    goal="none" if most is None else f"{most} requests",
                    met=most is None or taken.requests <= most,
                )
            )
    return figures


def _rendered(url: str, pictures: int) -> Traffic:
    """What the peer takes for the rendered pictures of slices whose UIDs it is given."""
    traffic = Traffic()

    def count(response: Response, *_: Any, **__: Any) -> None:
        traffic.count(response.headers["Content-Length"])

    with Session() as session:
        session.hooks["response"].append(count)
        for number in evenly(SLICES, pictures):
            rendered_by(DICOMwebClient(url, session=session), number)
    return traffic


if __name__ == "__main__":
    print(table(asyncio.run(measured())))
