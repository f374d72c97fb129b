"""Describing a slide whose finest level has 40,000 frames: time and memory, against ``json.loads`` of its metadata.

Every frame has functional groups. Of TILED_FULL images they are needless: an archive whose search returns any attribute
is not asked for them, of others they arrive and are passed over. Of TILED_SPARSE images they are all read.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

import httpx
from mcp import Client

from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from dicomweb_mcp.dicom.tags import attribute
from dicomweb_mcp.server import build
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import Settings

from .side_by_side import Figure, compared, peak, side_by_side, table

URL = "https://pacs.test/dicom-web"
ROOT = "1.2.826.0.1.3680043.8.498.79"
STUDY, SERIES = f"{ROOT}.1", f"{ROOT}.2"
TILE, LEVELS = 256, (200, 50)  # tiles across and down of each level
KINDS = {"metadata": "orthanc", "search": "google"}  # what an archive of this kind is asked for
ORGANIZATIONS = ("TILED_FULL", "TILED_SPARSE")
REPETITIONS = 3
CHUNK = 65_536
GROUPS = attribute("PerFrameFunctionalGroupsSequence").tag
Json = dict[str, Any]


async def measured() -> list[Figure]:
    return [figure for organization in ORGANIZATIONS for figure in await _of(organization)]


async def _of(organization: str) -> list[Figure]:
    objects = [level(organization, tiles) for tiles in LEVELS]
    body = json.dumps(objects, separators=(",", ":")).encode()
    transport = httpx.MockTransport(partial(answered, objects, body))
    ways = {way: partial(described, way, transport) for way in KINDS}

    async def loads() -> None:
        json.loads(body)

    await ways["search"]()  # what is imported is not counted
    taken = await side_by_side({**ways, "loads": loads}, REPETITIONS, warm=0)
    figures, size = [], len(body) / 1e6
    for way, ours in ways.items():
        claim = f"describe_slide, {LEVELS[0] ** 2:,} frames, {organization}, by {way}"
        most = await peak(ours) / 1e6
        ratio = f"{most / size:.2f}"
        figures.append(compared(claim, taken[way], f"json.loads of {size:.0f} MB", taken["loads"], None))
        figures.append(Figure("  memory", f"{most:.1f} MB", f"body {size:.0f} MB", ratio, "none", met=True))
    return figures


async def described(way: str, transport: httpx.MockTransport) -> None:
    """By a program that has asked nothing yet."""
    settings = Settings.model_validate({"archives": [{"name": "pacs", "url": URL, "kind": KINDS[way]}]})
    app = App(settings, lambda archive: DicomwebArchive(archive, transport=transport))
    async with Client(build(app)) as client:
        answer = await client.call_tool("describe_slide", {"study_uid": STUDY, "series_uid": SERIES})
    assert not answer.is_error, answer.content
    found = answer.structured_content or {}
    assert [one["frames"] for one in found["levels"]] == [tiles**2 for tiles in LEVELS], found


# ---- an archive ------------------------------------------------------------------------------------------------------


def answered(objects: Sequence[Json], whole: bytes, request: httpx.Request) -> httpx.Response:
    """Metadata of the series or of an instance, or the first page of a search for instances."""
    parts = request.url.path.split("/")
    if parts[-1] == "metadata":
        asked = [obj for obj in objects if obj["00080018"]["Value"][0] == parts[-2]]
        body = json.dumps(asked).encode() if asked else whole
    else:
        rows = [{tag: found for tag, found in obj.items() if tag != GROUPS} for obj in objects]
        body = json.dumps(rows if request.url.params.get("offset", "0") == "0" else []).encode()
    return httpx.Response(200, headers={"Content-Type": "application/dicom+json"}, content=_chunks(body))


async def _chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), CHUNK):
        yield body[start : start + CHUNK]


def level(organization: str, tiles: int) -> Json:
    """One image of a pyramid, each frame with its place."""
    side, spacing = tiles * TILE, 0.00025 * LEVELS[0] / tiles
    values: Mapping[str, Any] = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.6",
        "SOPInstanceUID": f"{ROOT}.3.{tiles}",
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": SERIES,
        "Modality": "SM",
        "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
        "DimensionOrganizationType": organization,
        "SamplesPerPixel": 3,
        "PhotometricInterpretation": "YBR_FULL_422",
        "NumberOfFrames": tiles**2,
        "Rows": TILE,
        "Columns": TILE,
        "TotalPixelMatrixColumns": side,
        "TotalPixelMatrixRows": side,
        "OpticalPathSequence": [made({"OpticalPathIdentifier": "1"})],
        "SharedFunctionalGroupsSequence": [
            made({"PixelMeasuresSequence": [made({"PixelSpacing": [spacing, spacing]})]})
        ],
        "PerFrameFunctionalGroupsSequence": [
            _group(column, row) for row in range(tiles) for column in range(tiles)
        ],
    }  # fmt: skip
    return made(values)


def _group(column: int, row: int) -> Json:
    place = {
        "XOffsetInSlideCoordinateSystem": 20 - row * 0.064,
        "YOffsetInSlideCoordinateSystem": 40 - column * 0.064,
        "ZOffsetInSlideCoordinateSystem": 0,
        "ColumnPositionInTotalImagePixelMatrix": column * TILE + 1,
        "RowPositionInTotalImagePixelMatrix": row * TILE + 1,
    }
    content = {"DimensionIndexValues": [column + 1, row + 1]}
    path = {"OpticalPathIdentifier": "1"}
    return made(
        {
            "FrameContentSequence": [made(content)],
            "PlanePositionSlideSequence": [made(place)],
            "OpticalPathIdentificationSequence": [made(path)],
        }
    )


def made(values: Mapping[str, Any]) -> Json:
    """DICOM JSON of attributes by keyword."""
    found = {}
    for keyword, value in values.items():
        known = attribute(keyword)
        found[known.tag] = {"vr": known.vr, "Value": value if isinstance(value, list) else [value]}
    return found


if __name__ == "__main__":
    print(table(asyncio.run(measured())))
