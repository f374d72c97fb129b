"""A search of 25 studies through the server, in process and over stdio, against the same request made by hand.

The product asks for one row more than it shows, to know whether that is the end; so does the request by hand. What the
SDK itself takes for a call is shown by a bare tool that has the same answer ready.
"""

import asyncio
import json
import sys
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from mcp import Client, StdioServerParameters

from dicomweb_mcp.server import build
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import Settings
from dicomweb_mcp.tools.answers import ListAnswer

from . import bare
from .side_by_side import Figure, Way, compared, seconds, server, side_by_side, table

CALLS = 40  # in a row, of each way in turn
GOAL = 1.5
NAMES = ("Müller^Anna", "O'Neil^John^^Dr", "Yamada^Tarou", "Nguyễn^Thị Lan", "Garcia Lopez^Maria")
TEXTS = ("CT Thorax with contrast", "MR Brain w/o contrast", "Screening mammography", "PET/CT whole body", "Knee left")


def rows() -> list[dict[str, Any]]:
    """Studies as dcm4chee returns them: about 1.5 kB each."""
    return [_row(number) for number in range(1_000)]


def _row(number: int) -> dict[str, Any]:
    texts = {
        "00080005": ("CS", "ISO_IR 192"),
        "00080020": ("DA", f"2023{number % 12 + 1:02d}{number % 28 + 1:02d}"),
        "00080030": ("TM", f"{number % 24:02d}3015.120"),
        "00080050": ("SH", f"A{7_000_000 + number}"),
        "00080054": ("AE", "DCM4CHEE"),
        "00080056": ("CS", "ONLINE"),
        "00080061": ("CS", ("CT", "MR", "MG", "PT", "DX")[number % 5]),
        "00080090": ("PN", {"Alphabetic": "Referrer^Rosa"}),
        "00080201": ("SH", "+0100"),
        "00081030": ("LO", TEXTS[number % 5]),
        "00081190": ("UR", f"http://127.0.0.1/dcm4chee-arc/aets/DCM4CHEE/rs/studies/1.2.40.0.13.1.1.{number:09d}"),
        "00100010": ("PN", {"Alphabetic": NAMES[number % 5]}),
        "00100020": ("LO", f"P-{number // 2:06d}"),
        "00100021": ("LO", "Hospital"),
        "00100030": ("DA", f"19{number % 90 + 10}0917"),
        "00100040": ("CS", "FM"[number % 2]),
        "0020000D": ("UI", f"1.2.40.0.13.1.1.{number:09d}"),
        "00200010": ("SH", f"{number}"),
        "00201206": ("IS", number % 7 + 1),
        "00201208": ("IS", number % 300 + 1),
    }
    return {tag: {"vr": vr, "Value": [value]} for tag, (vr, value) in sorted(texts.items())}


async def measured() -> list[Figure]:
    """Both transports; the SDK's own cost is given beside each, and taken off."""
    with server(rows) as address, TemporaryDirectory() as folder:
        app = App(Settings.model_validate({"archives": [{"name": "pacs", "url": address, "kind": "dcm4chee"}]}))
        async with Client(build(app)) as client:
            answer = await client.call_tool("search_studies", {})
            assert answer.structured_content
            assert answer.structured_content["returned"] == 25
            text = answer.content[0].text  # type: ignore[union-attr]
            async with Client(bare.build(text, answer.structured_content, ListAnswer)) as idle:
                in_process = await _compared("search in process", address, client, idle)
        ready = Path(folder, "answer.json")
        await asyncio.to_thread(ready.write_text, json.dumps({"text": text, **answer.structured_content}), "utf-8")
        started = _process("dicomweb_mcp", "--archive", f"pacs={address}")
        async with Client(started) as client, Client(_process("benchmarks.bare", str(ready))) as idle:
            return [*in_process, *await _compared("search over stdio", address, client, idle)]


def _process(*module: str) -> StdioServerParameters:
    return StdioServerParameters(command=sys.executable, args=["-m", *module])


async def _compared(claim: str, address: str, client: Client, idle: Client) -> list[Figure]:
    async with httpx.AsyncClient() as http:

        async def by_hand() -> None:
            response = await http.get(f"{address}/studies?limit=26", headers={"Accept": "application/dicom+json"})
            assert len(json.loads(response.content)) == 26

        ways: dict[str, Way] = {
            "ours": partial(client.call_tool, "search_studies", {}),
            "sdk": partial(idle.call_tool, "search", {}),
            "by hand": by_hand,
        }
        taken = await side_by_side({name: partial(_often, way) for name, way in ways.items()}, 15)
    ours, sdk, theirs = ([time / CALLS for time in taken[name]] for name in ways)
    own = [mine - idle for mine, idle in zip(ours, sdk, strict=True)]
    return [
        compared(claim, ours, "GET + json", theirs, GOAL),
        compared(f"  without the SDK's {seconds(median(sdk))}", own, "GET + json", theirs, GOAL),
    ]


async def _often(way: Way) -> None:
    for _ in range(CALLS):
        await way()


if __name__ == "__main__":
    print(table(asyncio.run(measured())))
