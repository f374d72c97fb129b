"""Indexing a folder of 10,000 files against pydicom reading the same attributes, and how long searches in it take.

The files are copies of those that come with pydicom, with UIDs, patients and dates of their own: two instances to a
study, so 5,000 studies. A search looks at the files again when it last did so over a second ago; what that costs is
shown by searches after a pause.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from io import BytesIO
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from threading import Event
from time import perf_counter
from typing import Any

from mcp import Client
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import UID

from dicomweb_mcp.archives.folder import FolderArchive
from dicomweb_mcp.archives.folder.index import FolderIndex
from dicomweb_mcp.archives.folder.scan import Progress, scan
from dicomweb_mcp.archives.part10.header import read_header
from dicomweb_mcp.archives.profiles import FOLDER
from dicomweb_mcp.dicom.query import Query, make_plan
from dicomweb_mcp.dicom.rules import Level
from dicomweb_mcp.server import build
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.search import DEFAULT_FIELDS
from dicomweb_mcp.settings import Settings

from .side_by_side import Figure, compared, seconds, side_by_side, table

IN_MIX, ALONE = 2_000, 400  # files of each kind
KINDS = {
    "small MR, implicit": "MR_small_implicit.dcm",
    "small MR, big endian": "MR_small_bigendian.dcm",
    "CT, explicit": "CT_small.dcm",
    "JPEG 2000": "693_J2KI.dcm",
    "reports": "reportsi.dcm",
}
ROOT = "1.2.826.0.1.3680043.8.498"
GOAL = 1.3
SOON = 0.05

Asked = tuple[Level, dict[str, Any]]
Search = Callable[[Level, dict[str, Any]], Awaitable[object]]
USUAL: list[Asked] = [
    (Level.STUDY, {}),
    (Level.STUDY, {"PatientID": "PATIENT-001234"}),
    (Level.STUDY, {"PatientName": "Name-0012*"}),
    (Level.STUDY, {"StudyDate": "2012-01-01..2012-12-31"}),
    (Level.STUDY, {"ModalitiesInStudy": "CT"}),
    (Level.STUDY, {"StudyInstanceUID": f"{ROOT}.2001234"}),
    (Level.SERIES, {"Modality": "MR"}),
    (Level.SERIES, {"SeriesNumber": 1}),
    (Level.INSTANCE, {"SOPClassUID": "CT Image Storage"}),
    (Level.INSTANCE, {"PatientID": "PATIENT-004321"}),
]
UNUSUAL: list[Asked] = [
    (Level.INSTANCE, {"SliceThickness": ">1"}),
    (Level.INSTANCE, {"Rows": 64}),
    (Level.INSTANCE, {"KVP": 120}),
]


# ---- the files -------------------------------------------------------------------------------------------------------


def make_files(folder: Path, each: int) -> Path:
    """So many files of every kind, in folders of a hundred."""
    for place, (kind, name) in enumerate(KINDS.items()):
        template = _template(name)
        for number in range(place * each, (place + 1) * each):
            path = folder / kind / f"{number // 100:03d}" / f"{number:06d}.dcm"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_copy(template, number))
    return folder


def _template(name: str) -> bytes:
    """A file with values that ``_copy`` replaces by others of the same length."""
    dataset = dcmread(str(get_testdata_file(name)))
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(f"{ROOT}.1000000")
    dataset.StudyInstanceUID = f"{ROOT}.2000000"
    dataset.SeriesInstanceUID = f"{ROOT}.3000000"
    dataset.PatientID, dataset.PatientName, dataset.StudyDate = "PATIENT-000000", "Name-000000^Given", "18991231"
    written = BytesIO()
    dataset.save_as(written)
    return written.getvalue()


def _copy(template: bytes, number: int) -> bytes:
    study = number // 2
    values = {
        f"{ROOT}.1000000": f"{ROOT}.1{number:06d}",
        f"{ROOT}.2000000": f"{ROOT}.2{study:06d}",
        f"{ROOT}.3000000": f"{ROOT}.3{study:06d}",
        "PATIENT-000000": f"PATIENT-{study:06d}",
        "Name-000000": f"Name-{study:06d}",
        "18991231": f"{2000 + study % 20}{study % 12 + 1:02d}{study % 28 + 1:02d}",
    }
    for placeholder, value in values.items():
        template = template.replace(placeholder.encode(), value.encode())
    return template


# ---- indexing --------------------------------------------------------------------------------------------------------


def index(folder: Path, cache: Path) -> int:
    """Index a folder; the number of files."""
    progress = Progress()
    scan(os.path.realpath(folder), FolderIndex(folder, cache), Event(), progress)
    return progress.files


def tags_by_file(folder: Path) -> dict[Path, list[int]]:
    """Every file with the attributes that the index has of it."""
    by_kind: dict[str, list[int]] = {}
    found = {}
    for path in sorted(folder.rglob("*.dcm")):
        kind = path.parents[1].name
        if kind not in by_kind:
            by_kind[kind] = [int(tag, 16) for tag in read_header(str(path)).elements]
        found[path] = by_kind[kind]
    return found


async def indexing(folder: Path, claim: str, repetitions: int) -> list[Figure]:
    """An index from nothing, against pydicom's headers and every attribute that the index has of them."""
    files = tags_by_file(folder)

    async def ours() -> None:
        with TemporaryDirectory() as cache:
            assert index(folder, Path(cache)) == len(files)

    async def attributes() -> None:
        for path, tags in files.items():
            dataset = dcmread(path, stop_before_pixels=True)
            for tag in tags:
                dataset.get(tag)

    async def headers() -> None:
        for path in files:
            dcmread(path, stop_before_pixels=True)

    ways = {"ours": ours, "attributes": attributes, "headers": headers}
    taken = await side_by_side(ways, repetitions, warm=0)
    return [
        compared(claim, taken["ours"], "dcmread, attributes", taken["attributes"], GOAL),
        compared("  against headers alone", taken["ours"], "dcmread", taken["headers"], GOAL),
    ]


# ---- searching -------------------------------------------------------------------------------------------------------


async def searching(folder: Path, cache: Path) -> list[Figure]:
    """Searches through the archive and through the tools, warm and after a pause."""
    index(folder, cache)
    archive = FolderArchive("mine", folder, cache_folder=cache)

    async def by_archive(level: Level, filters: dict[str, Any]) -> None:
        plan = make_plan(Query(level, filters=filters, defaults=DEFAULT_FIELDS[level]), FOLDER.rules)
        page = await archive.search(plan, limit=26, offset=0)
        assert page.rows
        assert not page.incomplete

    app = App(Settings.model_validate({"archives": [{"name": "mine", "path": str(folder)}]}), lambda _: archive)
    async with Client(build(app)) as client:

        async def by_tool(level: Level, filters: dict[str, Any]) -> None:
            result = await client.call_tool(level.tool, {"filters": filters})
            assert result.structured_content
            assert result.structured_content["returned"]

        return [
            _soon("search by the archive", await _times(by_archive, USUAL, 20)),
            _soon("search by the tools", await _times(by_tool, USUAL, 20)),
            _soon("  after a pause", await _times(by_tool, USUAL, 2, pause=1.1)),
            _soon("  by any other attribute", await _times(by_tool, UNUSUAL, 20)),
        ]


async def _times(
    search: Search, searches: Sequence[tuple[Level, dict[str, Any]]], rounds: int, pause: float = 0
) -> list[float]:
    for level, filters in searches:
        await search(level, filters)
    taken = []
    for level, filters in searches * rounds:
        await asyncio.sleep(pause)
        started = perf_counter()
        await search(level, filters)
        taken.append(perf_counter() - started)
    return taken


def _soon(claim: str, taken: Sequence[float]) -> Figure:
    most = quantiles(taken, n=20)[-1]
    figure = f"median {seconds(median(taken))}, 95 % {seconds(most)}, most {seconds(max(taken))}"
    return Figure(claim, figure, "-", "-", f"95 % in {seconds(SOON)}", most < SOON)


async def measured() -> list[Figure]:
    """The mix, each kind alone, and searches in the mix."""
    with TemporaryDirectory() as place:
        root = Path(place)
        mix, alone = make_files(root / "mix", IN_MIX), make_files(root / "alone", ALONE)
        figures = await indexing(mix, f"index of {IN_MIX * len(KINDS):,} files, a mix", 3)
        for kind in KINDS:
            figures += await indexing(alone / kind, f"index of {kind}", 5)
        return figures + await searching(mix, root / "cache")


if __name__ == "__main__":
    print(table(asyncio.run(measured())))
