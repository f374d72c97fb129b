"""Metadata reduced while it arrives.

The size of an answer against raw DICOM JSON, for each kind of real object; the time to split and summarise a body,
against the standard library reading it; memory on a body of 90,000 instances.
"""

import asyncio
import gc
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from mcp import Client
from pydicom import Dataset, dcmread

from dicomweb_mcp.archives.arriving import Arriving
from dicomweb_mcp.archives.base import Place
from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from dicomweb_mcp.dicom.summary import Summary
from dicomweb_mcp.server import build
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import Settings

from .side_by_side import Figure, compared, side_by_side, table

DATA = Path(__file__).parents[1] / "tests" / "data"
CT = DATA / "codec-matrix" / "ct" / "1.2.840.10008.1.2.4.53.dcm"
SLICES = 500
INSTANCES = 90_000
CHUNK = 65_536
URL = "https://pacs.test/dicom-web"
ROOT = "1.2.826.0.1.3680043.8.498.7"
Json = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of object: its metadata, the tool that answers, and how many times smaller the answer is to be."""

    objects: Callable[[], Sequence[Json]]
    tool: str = "get_metadata"
    goal: float = 0


def read(*path: str) -> Callable[[], Sequence[Json]]:
    """The metadata of one file."""
    return lambda: [as_json(dcmread(DATA.joinpath(*path)))]


def ct_series() -> list[Json]:
    """Slices of a real CT with a header of 270 attributes, each with a place, a number and a time of its own."""
    header = as_json(dcmread(CT))
    return [header | _of_slice(number) for number in range(SLICES)]


def _of_slice(number: int) -> Json:
    z = -600 + 2.5 * number
    values = {
        "00080018": ("UI", f"{ROOT}.{number}"),
        "00080032": ("TM", f"1030{number // 10 % 60:02d}.{number % 10}"),
        "00080033": ("TM", f"1031{number // 10 % 60:02d}"),
        "00181151": ("IS", 180 + number * 7 % 60),
        "00200013": ("IS", number + 1),
        "00201041": ("DS", z),
    }
    found = {tag: {"vr": vr, "Value": [value]} for tag, (vr, value) in values.items()}
    return found | {"00200032": {"vr": "DS", "Value": [-173.0, -125.5, z]}}


def slide_series() -> list[Json]:
    """The images of a slide as the IDC gives them."""
    found: list[Json] = json.loads((DATA / "slide-metadata" / "TCGA-05-4244-01Z-00-DX1.json").read_bytes())["images"]
    return found


def as_json(dataset: Dataset) -> Json:
    """As a server gives it: bulk values by their addresses."""
    found: Json = dataset.to_json_dict(bulk_data_threshold=1024, bulk_data_element_handler=lambda _: f"{URL}/bulk")
    return found


KINDS: Mapping[str, Kind] = {
    f"CT series of {SLICES}": Kind(ct_series, goal=500),
    "slide": Kind(slide_series),
    "enhanced CT": Kind(read("ct-seg-sr", "23x38x3", "multiframe.dcm")),
    "CT": Kind(read("ct-seg-sr", "ct", "01.dcm")),
    "DX": Kind(read("seg-sm-ann-sr", "dx_image.dcm")),
    **{
        f"{name}{'' if tool == 'describe_object' else ', attributes'}": Kind(read(*path), tool)
        for name, path in {
            "SEG": ("ct-seg-sr", "seg", "liver.dcm"),
            "SEG of a slide": ("seg-sm-ann-sr", "seg_image_sm_numbers.dcm"),
            "annotations of a slide": ("seg-sm-ann-sr", "sm_annotations.dcm"),
            "SR of a PET": ("ct-seg-sr", "pet-measurements", "sr.dcm"),
            "SR of a CT": ("seg-sm-ann-sr", "sr_document_with_multiple_groups.dcm"),
            "real-world values": ("ct-seg-sr", "pet-measurements", "rwvm.dcm"),
            "RTSTRUCT": ("rt-breast", "rtss.dcm"),
            "RTPLAN": ("rt-breast", "rtplan.dcm"),
        }.items()
        for tool in ("get_metadata", "describe_object")
    },
}


async def measured() -> list[Figure]:
    sizes = [await _size(name, kind) for name, kind in KINDS.items()]
    return [*sizes, await _time(), *await _memory()]


# ---- how small -------------------------------------------------------------------------------------------------------


async def _size(name: str, kind: Kind) -> Figure:
    """The longer half of the answer against the raw metadata."""
    objects = kind.objects()
    body = json.dumps(objects, separators=(",", ":")).encode()
    place = {key: objects[0][tag]["Value"][0] for key, tag in (("study_uid", "0020000D"), ("series_uid", "0020000E"))}
    settings = Settings.model_validate({"archives": [{"name": "pacs", "url": URL, "kind": "generic"}]})
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    app = App(settings, lambda archive: DicomwebArchive(archive, transport=transport))
    without_pixels = {"volumes": False} if kind.tool == "describe_object" else {}
    async with Client(build(app)) as client:
        result = await client.call_tool(kind.tool, place | without_pixels)
    assert not result.is_error, result.content
    structured = json.dumps(result.structured_content, ensure_ascii=False, separators=(",", ":"))
    text = "".join(getattr(block, "text", "") for block in result.content)
    answer = max(len(structured), len(text))
    return Figure(
        claim=f"{kind.tool}, {name}",
        figure=f"{answer:,} characters",
        peer=f"DICOM JSON {len(body):,}",
        ratio=f"{len(body) / answer:.1f}",
        goal=f"at least {kind.goal:g}" if kind.goal else "none",
        met=len(body) >= kind.goal * answer,
    )


# ---- how fast --------------------------------------------------------------------------------------------------------


async def _time() -> Figure:
    body = json.dumps(ct_series(), separators=(",", ":")).encode()

    async def ours() -> None:
        summary = Summary()
        for obj in _arriving(body):
            summary.add(obj, None, private=False)
        assert len(summary.constant) > 50
        assert len(summary.varying) == 6, summary.varying

    async def loads() -> None:
        json.loads(body)

    taken = await side_by_side({"ours": ours, "loads": loads}, 15)
    claim = f"{len(body) / 1e6:.1f} MB, {SLICES} instances, split and summarised"
    return compared(claim, taken["ours"], "json.loads", taken["loads"], 1)


def _arriving(body: bytes) -> Iterator[Any]:
    arriving = Arriving("pacs")
    for start in range(0, len(body), CHUNK):
        arriving.feed(body[start : start + CHUNK])
        while arriving.is_due:
            yield from arriving.whole()
    yield from arriving.rest()


# ---- how much memory -------------------------------------------------------------------------------------------------


async def _memory() -> list[Figure]:
    """The peak of Python's memory against the body, and against twice what is kept plus one instance."""
    header = json.dumps({tag: value for tag, value in as_json(dcmread(CT)).items() if tag[3] in "02468"})
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        for number in range(INSTANCES):
            chunk = f"{',' if number else '['}{header[:-1]},{json.dumps(_of_slice(number))[1:]}".encode()
            sent += len(chunk)
            yield chunk
        yield b"]"

    settings = Settings.model_validate({"archives": [{"name": "pacs", "url": URL, "kind": "generic"}]})
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body()))
    archive = DicomwebArchive(settings.archives[0], transport=transport)
    await _summary(archive, 10)  # what is imported is not counted
    sent = 0
    gc.collect()
    tracemalloc.start()
    try:
        summary = await _summary(archive, INSTANCES)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    await archive.close()
    assert summary.instances == INSTANCES
    assert summary.varying["InstanceNumber"].startswith(f"1..{INSTANCES} ")
    most = 2 * kept + sent // INSTANCES
    peers = {
        f"body {sent / 1e6:.0f} MB": (sent, 0.1),
        f"twice what is kept, one instance {most / 1e6:.1f} MB": (most, 1),
    }
    claim, figure = f"memory on {INSTANCES:,} instances", f"{peak / 1e6:.1f} MB"
    return [
        Figure(claim, figure, peer, f"{peak / size:.3f}", f"under {goal:g}", peak < goal * size)
        for peer, (size, goal) in peers.items()
    ]


async def _summary(archive: DicomwebArchive, most: int) -> Summary:
    summary = Summary()
    async with aclosing(archive.metadata(Place("1.2", "1.2.3"))) as objects:
        async for obj in objects:
            summary.add(obj, None, private=False)
            if summary.instances == most:
                break
    return summary


if __name__ == "__main__":
    print(table(asyncio.run(measured())))
