"""A search with 50,000 results: the count of them, and all of them in one answer."""

import asyncio
import json
from typing import Any

import httpx
from mcp import Client

from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from dicomweb_mcp.dicom.query import Query, make_plan
from dicomweb_mcp.dicom.rules import Level
from dicomweb_mcp.server import build
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import Settings

from .side_by_side import Figure, Way, compared, peak, server, side_by_side, table

ROWS = 49_999  # one more, and a count could not tell whether that is the end
PAGE = 5_000  # rows that this kind of archive is asked for at once
ROOT = "1.3.6.1.4.1.14519.5.2.1.7009.9004"


def rows() -> list[dict[str, Any]]:
    """Instances as Google's stores return them: about 700 bytes each."""
    return [_row(number) for number in range(ROWS)]


def _row(number: int) -> dict[str, Any]:
    study = f"{ROOT}.{number // 500:05d}240881940728109280918"
    values = {
        "00080016": ("UI", "1.2.840.10008.5.1.4.1.1.2"),
        "00080018": ("UI", f"{study}.{number}"),
        "00080020": ("DA", f"2019{number % 12 + 1:02d}{number % 28 + 1:02d}"),
        "00080056": ("CS", "ONLINE"),
        "00080060": ("CS", "CT"),
        "00100010": ("PN", {"Alphabetic": "Müller^Anna" if number % 50 == 0 else f"Patient^{number // 500}"}),
        "00100020": ("LO", f"LIDC-IDRI-{number // 500:04d}"),
        "0020000D": ("UI", study),
        "0020000E": ("UI", f"{study}.1"),
        "00200013": ("IS", number % 500 + 1),
        "00280010": ("US", 512),
        "00280011": ("US", 512),
        "00280100": ("US", 16),
    }
    return {tag: {"vr": vr, "Value": [value]} for tag, (vr, value) in values.items()}


async def measured() -> list[Figure]:
    """The time against the standard library reading the same bodies, the memory against their size."""
    with server(rows) as address:
        settings = Settings.model_validate({"archives": [{"name": "google", "url": address, "kind": "google"}]})
        archive = DicomwebArchive(settings.archives[0])
        plan = make_plan(Query(Level.INSTANCE), archive.profile.rules)
        async with Client(build(App(settings))) as client:

            async def count() -> None:
                result = await client.call_tool("list_instances", {"count": True})
                assert result.structured_content == {"archive": "google", "complete": True, "total": ROWS}, result

            async def search() -> None:
                page = await archive.search(plan, limit=ROWS, offset=0)
                assert len(page.rows) == ROWS

            pages = await asyncio.to_thread(_bodies, address, PAGE)
            whole = await asyncio.to_thread(_bodies, address, ROWS)
            counted = await _compared(f"count of {ROWS:,} instances", count, pages)
            searched = await _compared(f"search of {ROWS:,} instances", search, whole)
        await archive.close()
    return [*counted, *searched]


def _bodies(address: str, page: int) -> list[bytes]:
    return [httpx.get(f"{address}?limit={page}&offset={offset}").content for offset in range(0, ROWS, page)]


async def _compared(claim: str, ours: Way, bodies: list[bytes]) -> list[Figure]:
    async def loads() -> None:
        for body in bodies:
            json.loads(body)

    taken = await side_by_side({"ours": ours, "loads": loads}, 5)
    size, held = sum(map(len, bodies)), await peak(ours)
    return [
        compared(claim, taken["ours"], "json.loads", taken["loads"], 1),
        Figure(
            "its memory", f"{held / 1e6:.0f} MB", f"bodies {size / 1e6:.0f} MB", f"{held / size:.2f}", "under 2",
            held < 2 * size,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    print(table(asyncio.run(measured())))
