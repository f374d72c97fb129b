"""Regions of a whole slide over Orthanc: time, requests and bytes, against wsidicom's web client.

The slide has 1,600 tiles at full resolution and seven levels, JPEG: those of a small real one, repeated. Pixels of
regions must be those of wsidicom. Its picture is encoded as PNG too, because that is part of a call here: as Pillow
does by default, while this program packs colour with the least effort (zlib level 1). Both clients are made anew for
each turn.
"""

import asyncio
import base64
from contextlib import AsyncExitStack, closing
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import wsidicom
from dicomweb_client import DICOMwebClient
from mcp import Client
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from requests import Session

from .over_orthanc import over_orthanc
from .preview import Traffic, connected
from .side_by_side import Figure, compared, side_by_side, table

SMALL = Path(__file__).parents[1] / "tests" / "data" / "wsi_camelyon_jpeg" / "1152x700.dcm"
ACROSS, TILE = 40, 256  # tiles in a line, and in a column of tiles
ROOT = "1.2.826.0.1.3680043.8.498.78"
STUDY, SERIES = f"{ROOT}.1", f"{ROOT}.2"
SIDE, STEP, STEPS = 512, 128, 10
FIRST = (3_000, 5_000)
OVERVIEW = 1_024
REPETITIONS = 9
GOALS = {"first": 0.5, "pan": 0.2}
PEER = "wsidicom"
CLAIMS = {
    "first": f"open a slide of {ACROSS**2:,} tiles, first region of {SIDE} x {SIDE}",
    "pan": f"  then {STEPS} regions, each {STEP} pixels on",
    "whole": f"open it, the whole slide at {OVERVIEW}",
}

Corner = tuple[int, int]


async def measured() -> list[Figure]:
    return await over_orthanc(large_slide, _time, _traffic)


# ---- the slide -------------------------------------------------------------------------------------------------------


def large_slide(folder: Path) -> list[Path]:
    """The files of a pyramid whose finest level repeats the tiles of the small slide."""
    base = dcmread(SMALL)
    tiles = list(generate_frames(base.PixelData, number_of_frames=int(base.NumberOfFrames)))
    base.PixelData = encapsulate([tiles[number % len(tiles)] for number in range(ACROSS**2)])
    base.NumberOfFrames = ACROSS**2
    base.TotalPixelMatrixColumns = base.TotalPixelMatrixRows = ACROSS * TILE
    base.StudyInstanceUID, base.SeriesInstanceUID, base.FrameOfReferenceUID = STUDY, SERIES, f"{ROOT}.4"
    base.SOPInstanceUID = base.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}.3.1"
    finest, saved = folder / "finest.dcm", folder / "pyramid"
    base.save_as(finest)
    saved.mkdir()
    uids = (wsidicom.uid.UID(f"{ROOT}.3.{number}") for number in range(1, 100))
    with wsidicom.WsiDicom.open(finest) as slide:
        slide.save(saved, uid_generator=lambda: next(uids), add_missing_levels=True)
    return sorted(saved.iterdir())


# ---- how fast --------------------------------------------------------------------------------------------------------


class Ours:
    """The program, from the outside."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def region(self, corner: Corner) -> bytes:
        x, y = corner
        return await self._picture(level=0, x=x, y=y, width=SIDE, height=SIDE, size=SIDE, format="png")

    async def overview(self) -> bytes:
        return await self._picture(whole=True, size=OVERVIEW, format="png")

    async def _picture(self, **arguments: Any) -> bytes:
        answer = await self._client.call_tool("render_region", {"series_uid": SERIES, "study_uid": STUDY, **arguments})
        assert not answer.is_error, answer.content
        return next(base64.b64decode(block.data) for block in answer.content if block.type == "image")


class Peer:
    """wsidicom, opened when it is first asked."""

    def __init__(self, url: str, traffic: Traffic | None = None) -> None:
        self._session = Session()
        if traffic:
            self._session.hooks["response"].append(
                lambda response, *_, **__: traffic.count(
                    response.headers.get("Content-Length") or f"{len(response.content)}"
                )
            )
        client = wsidicom.WsiDicomWebClient(DICOMwebClient(url, session=self._session))
        self._slide = wsidicom.WsiDicom.open_web(client, STUDY, SERIES)

    async def region(self, corner: Corner) -> bytes:
        return as_png(self._slide.read_region(corner, 0, (SIDE, SIDE)))

    async def overview(self) -> bytes:
        return as_png(self._slide.read_thumbnail(OVERVIEW))

    def close(self) -> None:
        self._slide.close()
        self._session.close()


def as_png(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def pan() -> list[Corner]:
    """Corners of regions that overlap, to the right and then down."""
    x, y = FIRST
    right = STEPS // 2
    return [(x + STEP * min(n, right), y + STEP * max(0, n - right)) for n in range(1, STEPS + 1)]


async def _time(url: str) -> list[Figure]:
    async with AsyncExitStack() as stack:

        async def ours() -> Ours:
            return Ours(await stack.enter_async_context(connected(url)))

        def peer() -> Peer:
            found = Peer(url)
            stack.callback(found.close)
            return found

        await _assert_same(await ours(), peer())
        fresh = [await ours() for _ in range(2 * (REPETITIONS + 1))]
        panned, their_panned = [await ours() for _ in range(REPETITIONS + 1)], [peer() for _ in range(REPETITIONS + 1)]
        for one in (*panned, *their_panned):
            await one.region(FIRST)

        async def all_of(one: Ours | Peer) -> None:
            for corner in pan():
                await one.region(corner)

        first = {"ours": lambda: fresh.pop().region(FIRST), "peer": lambda: peer().region(FIRST)}
        whole = {"ours": lambda: fresh.pop().overview(), "peer": lambda: peer().overview()}
        steps = {"ours": lambda: all_of(panned.pop()), "peer": lambda: all_of(their_panned.pop())}
        taken = {name: await side_by_side(ways, REPETITIONS)
                 for name, ways in {"first": first, "pan": steps, "whole": whole}.items()}  # fmt: skip
    return [
        compared(CLAIMS[name], found["ours"], PEER, found["peer"], GOALS.get(name)) for name, found in taken.items()
    ]


async def _assert_same(ours: Ours, peer: Peer) -> None:
    """That the pixels of both are the same at full resolution, wherever the box lies."""
    for corner in (FIRST, *pan(), (ACROSS * TILE - SIDE, ACROSS * TILE - SIDE)):
        pictures = [Image.open(BytesIO(await one.region(corner))) for one in (ours, peer)]
        mine, other = map(np.asarray, pictures)
        assert np.array_equal(mine, other), corner


# ---- how much is asked for -------------------------------------------------------------------------------------------


async def _traffic(url: str) -> list[Figure]:
    """What each of the three takes of both."""
    mine, other = Traffic(), Traffic()
    found = []
    async with connected(url, mine) as client:
        with closing(Peer(url, other)) as peer:
            opened = Traffic(), Traffic()
            for name, corners in {"first": [FIRST], "pan": pan()}.items():
                for corner in corners:
                    await Ours(client).region(corner)
                    await peer.region(corner)
                found.append(_compared(name, mine.since(opened[0]), other.since(opened[1])))
                opened = mine.since(Traffic()), other.since(Traffic())
    mine, other = Traffic(), Traffic()
    async with connected(url, mine) as client:
        with closing(Peer(url, other)) as peer:
            await Ours(client).overview()
            await peer.overview()
    return [*found, _compared("whole", mine, other)]


def _compared(name: str, ours: Traffic, theirs: Traffic) -> Figure:
    ratio = f"{ours.size / theirs.size:.2f} of its bytes"
    return Figure(CLAIMS[name], str(ours), f"{PEER} {theirs}", ratio, "none", met=True)


if __name__ == "__main__":
    print(table(asyncio.run(measured())))
