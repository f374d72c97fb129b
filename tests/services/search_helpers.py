"""Archives over fakes, and the shortest way to ask them for studies."""

from typing import Any

from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from dicomweb_mcp.dicom.query import Query
from dicomweb_mcp.dicom.rules import Level
from dicomweb_mcp.dicom.values import text
from dicomweb_mcp.services.search import Found, search
from fakes.base import Fake
from fakes.dcm4chee import Dcm4chee
from fakes.deaf import Deaf
from fakes.google import IDC_BASE, Google
from fakes.orthanc_like import OrthancLike
from fakes.store import Store
from support import open_over


def made(kind: str, studies: int, **more: Any) -> tuple[DicomwebArchive, Fake]:
    store = Store.synthetic(studies=studies)
    fakes = {"google": Google, "dcm4chee": Dcm4chee, "generic": Deaf, "orthanc": OrthancLike}
    fake = Google(store, IDC_BASE, idc=True) if kind == "idc" else fakes[kind](store, **more)
    return open_over(fake, kind), fake


async def studies(archive: DicomwebArchive, filters: dict[str, Any] | None = None, **more: Any) -> Found:
    asked = {key: more.pop(key) for key in ("fields", "order", "fuzzy") if key in more}
    return await search(archive, Query(Level.STUDY, filters=filters, **asked), **more)


def uids(found: Found) -> list[str]:
    return [text(row, "StudyInstanceUID") for row in found.rows]
