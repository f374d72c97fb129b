"""Folders of small files for the tests of the folder archive, and plain ways to ask it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from dicomweb_mcp.archives.base import Page
from dicomweb_mcp.archives.folder import FolderArchive
from dicomweb_mcp.archives.profiles import FOLDER
from dicomweb_mcp.dicom.query import Query, make_plan
from dicomweb_mcp.dicom.rules import Level
from dicomweb_mcp.dicom.values import text

SAMPLES = Path(pydicom.__file__).parent / "data" / "test_files"
CT = "1.2.840.10008.5.1.4.1.1.2"


def make_file(
    path: Path, study: str, series: str, instance: str, syntax: str = ExplicitVRLittleEndian, **more: Any
) -> Path:
    """A small file with these UIDs; ``more`` are keywords and values, None leaves an attribute out."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = CT
    meta.MediaStorageSOPInstanceUID = instance
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    values = {
        "SOPClassUID": CT, "SOPInstanceUID": instance, "StudyInstanceUID": study, "SeriesInstanceUID": series,
        "Modality": "CT", "PatientID": "P1", "PatientName": "Doe^Jane", **more,
    }  # fmt: skip
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path)
    return path


@asynccontextmanager
async def opened(folder: Path, cache: Path) -> AsyncIterator[FolderArchive]:
    archive = FolderArchive("mine", folder, cache_folder=cache)
    try:
        yield archive
    finally:
        await archive.close()


async def ask(
    archive: FolderArchive,
    level: str = "study",
    filters: Mapping[str, Any] | None = None,
    *,
    limit: int = 1_000,
    offset: int = 0,
    **query: Any,
) -> Page:
    plan = make_plan(Query(Level(level), filters=filters, **query), FOLDER.rules)
    return await archive.search(plan, limit=limit, offset=offset)


async def names(archive: FolderArchive, level: str = "study", filters: Any = None, **query: Any) -> list[str]:
    """The UIDs found at a level, in order."""
    page = await ask(archive, level, filters, **query)
    return [text(row, Level(level).uid) for row in page.rows]
