"""What belongs together on a real Orthanc, whose searches return no sequences."""

from pathlib import Path

import pydicom
import pytest

from dicomweb_mcp.archives.base import Place
from dicomweb_mcp.archives.wire import Patience
from dicomweb_mcp.services.study.related import related_to, sources
from dicomweb_mcp.services.study.table import study_table
from engines.orthanc import Orthanc
from support import app_at

pytestmark = pytest.mark.anyio

DATA = Path(__file__).parents[1] / "data"
PATIENT = Patience(connect=5, silence=20, queue=5, answer=30, stream=30, back_off=0.01)


def read(name: str) -> tuple[Place, pydicom.Dataset]:
    found = pydicom.dcmread(DATA / name, stop_before_pixels=True)
    return Place(found.StudyInstanceUID, found.SeriesInstanceUID, found.SOPInstanceUID), found


async def test_what_belongs_to_a_series(orthanc: Orthanc) -> None:
    app = app_at({"pacs": orthanc.url}, PATIENT, kind="orthanc")
    try:
        archive = app.archive("pacs")
        place, ct = read("ct-seg-sr/ct/01.dcm")
        segs = [read(f"ct-seg-sr/seg/{name}.dcm")[1] for name in ("liver", "partial_overlaps")]
        found = await related_to(archive, place)
        expected = {seg.SeriesInstanceUID: seg.SeriesDescription for seg in segs}
        assert {row["SeriesInstanceUID"]: row["SeriesDescription"] for row in found.rows} == expected
        assert found.notes == []
        for seg in segs:
            of_seg = Place(seg.StudyInstanceUID, seg.SeriesInstanceUID, seg.SOPInstanceUID)
            [row] = await sources(archive, of_seg, seg.to_json_dict())
            assert (row["SeriesInstanceUID"], row["in_archive"]) == (ct.SeriesInstanceUID, True)
    finally:
        await app.close()


async def test_a_study_of_slides(orthanc: Orthanc) -> None:
    app = app_at({"pacs": orthanc.url}, PATIENT, kind="orthanc")
    try:
        place, annotations = read("seg-sm-ann-sr/sm_annotations.dcm")
        table = await study_table(app, app.archive("pacs"), Place(place.study_uid))
        rows = {row["SeriesInstanceUID"]: row for row in table.rows}
        named = annotations.ReferencedSeriesSequence[0].SeriesInstanceUID
        assert rows[annotations.SeriesInstanceUID]["role"] == "ANN"
        assert rows[annotations.SeriesInstanceUID]["refers_to"] == [named]
        assert rows[named]["role"] == "slide (volume)"
        assert table.complete is True
        assert len(rows) == table.study["NumberOfStudyRelatedSeries"]
    finally:
        await app.close()
