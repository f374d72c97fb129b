"""Objects that refer to each other, over servers of every kind."""

from typing import Any

import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence

from dicomweb_mcp.archives.base import Archive, Place
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.study.related import Related, related_to, sources
from fakes.base import Fake
from fakes.dcm4chee import Dcm4chee
from fakes.deaf import Deaf
from fakes.google import Google
from fakes.orthanc_like import OrthancLike
from fakes.store import Store
from support import app_over

CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2", "SEG": "1.2.840.10008.5.1.4.1.1.66.4", "PR": "1.2.840.10008.5.1.4.1.1.11.1",
    "RTPLAN": "1.2.840.10008.5.1.4.1.1.481.5", "RTSTRUCT": "1.2.840.10008.5.1.4.1.1.481.3",
    "SR": "1.2.840.10008.5.1.4.1.1.88.33",
}  # fmt: skip
STUDY, CT, CT2, SEG, SEG2 = "1.2.1", "1.2.1.1", "1.2.1.2", "1.2.1.3", "1.2.1.4"
FRAME = "1.2.5"


class OldOrthanc(OrthancLike):
    """The plugin before 1.17: a search returns no sequences, whatever it is asked to include."""

    def _row(self, row: Any, fields: set[str]) -> dict[str, Any]:
        return {tag: found for tag, found in super()._row(row, fields).items() if found["vr"] != "SQ"}


def item(**values: Any) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, Sequence(value) if isinstance(value, list) and keyword.endswith("Sequence") else value)
    return made


def instance(uid: str) -> Dataset:
    return item(ReferencedSOPClassUID=CLASSES["CT"], ReferencedSOPInstanceUID=uid)


def one(modality: str, series: str, number: int = 1, study_uid: str = STUDY, **values: Any) -> Dataset:
    return item(
        StudyInstanceUID=study_uid, SeriesInstanceUID=series, SOPInstanceUID=f"{series}.{number}",
        SOPClassUID=CLASSES[modality], Modality=modality, InstanceNumber=number, PatientID="P1", StudyDate="20200102",
        **values,
    )  # fmt: skip


def image(series: str, number: int = 1, frame: str = FRAME, **values: Any) -> Dataset:
    told = {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "Rows": 2, "Columns": 2, **values}
    return one("CT", series, number, FrameOfReferenceUID=frame, **told)


def of_series(*series: str) -> list[Dataset]:
    return [item(SeriesInstanceUID=uid, ReferencedInstanceSequence=[instance(f"{uid}.1")]) for uid in series]


def images(series: str = CT, count: int = 3, **values: Any) -> list[Dataset]:
    return [image(series, number, **values) for number in range(1, count + 1)]


FAKES = {"google": Google, "orthanc": OldOrthanc, "dcm4chee": Dcm4chee, "generic": Deaf}


def over(kind: str, *objects: Dataset) -> tuple[App, Archive, Fake]:
    fake = FAKES[kind](Store(*objects))
    app = app_over({"pacs": (fake, kind)})
    return app, app.archive("pacs"), fake


KINDS = pytest.mark.parametrize("kind", FAKES)


async def sources_of(archive: Archive, obj: Dataset) -> list[dict[str, Any]]:
    place = Place(obj.StudyInstanceUID, obj.SeriesInstanceUID, obj.SOPInstanceUID)
    return await sources(archive, place, obj.to_json_dict())


async def related(archive: Archive, series: str = CT) -> Related:
    return await related_to(archive, Place(STUDY, series))
