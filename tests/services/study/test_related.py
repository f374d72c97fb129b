"""What was made from a series, and the series of a study with their roles, over servers and over a folder."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom import Dataset

from dicomweb_mcp.archives.base import Archive, NotFound, Place
from dicomweb_mcp.archives.folder import FolderArchive
from dicomweb_mcp.services.study import look
from dicomweb_mcp.services.study.look_alikes import look_alikes
from dicomweb_mcp.services.study.related import related_to, sources
from dicomweb_mcp.services.study.table import study_table
from fakes.base import Asked
from services.study.related_helpers import (
    CT,
    CT2,
    FRAME,
    KINDS,
    SEG,
    SEG2,
    STUDY,
    image,
    images,
    instance,
    item,
    of_series,
    one,
    over,
    related,
)
from support import app_over

pytestmark = pytest.mark.anyio
DATA = Path(__file__).parents[2] / "data"


# ---- what was made from a series


@KINDS
async def test_derived_series_by_what_they_refer_to(kind: str) -> None:
    mine = one("SEG", SEG, ReferencedSeriesSequence=of_series(CT), SeriesDescription="Liver", ContentLabel="A")
    other = one("SEG", SEG2, ReferencedSeriesSequence=of_series(CT2))
    nothing = one("SR", "1.2.1.5", ContentSequence=[Dataset()])
    _, archive, _ = over(kind, *images(), *images(CT2), mine, other, nothing)
    found = await related(archive)
    [row] = found.rows
    assert (row["SeriesInstanceUID"], row["role"], row["evidence"]) == (SEG, "SEG", "ReferencedSeriesSequence")
    assert (row["SeriesDescription"], row["ContentLabel"], row["instances"]) == ("Liver", "A", 1)
    by_series = {row["SeriesInstanceUID"]: row for row in found.unrelated}
    assert by_series[SEG2]["refers_to"] == [CT2]
    assert by_series["1.2.1.5"]["why"] == "refers to nothing"
    assert found.notes == []


@KINDS
async def test_a_plan_belongs_through_its_structure_set(kind: str) -> None:
    series = item(SeriesInstanceUID=CT, ContourImageSequence=[instance(f"{CT}.1")])
    below = item(ReferencedSOPInstanceUID=STUDY, RTReferencedSeriesSequence=[series])
    structures = one(
        "RTSTRUCT", SEG, ReferencedFrameOfReferenceSequence=[item(RTReferencedStudySequence=[below])], ROIContourSequence=[]
    )  # fmt: skip
    plan = one("RTPLAN", SEG2, ReferencedStructureSetSequence=[instance(f"{SEG}.1")])
    _, archive, _ = over(kind, *images(), structures, plan)
    rows = {row["SeriesInstanceUID"]: row for row in (await related(archive)).rows}
    assert rows[SEG]["evidence"] == "RTReferencedSeriesSequence"
    assert rows[SEG2]["evidence"] == (
        f"ReferencedStructureSetSequence names RTSTRUCT series {SEG}, which belongs to it"
    )  # fmt: skip


@KINDS
async def test_two_segmentations_in_one_series_are_two_rows(kind: str) -> None:
    first = one("SEG", SEG, 1, ReferencedSeriesSequence=of_series(CT), ContentLabel="ONE")
    second = one("SEG", SEG, 2, ReferencedSeriesSequence=of_series(CT2), ContentLabel="TWO")
    _, archive, _ = over(kind, *images(), *images(CT2), first, second)
    found = await related(archive)
    assert [(row["SOPInstanceUID"], row["ContentLabel"]) for row in found.rows] == [(f"{SEG}.1", "ONE")]
    assert [(row["SOPInstanceUID"], row["refers_to"]) for row in found.unrelated] == [(f"{SEG}.2", [CT2])]


@pytest.mark.parametrize(("series", "belongs"), [((CT,), True), ((CT, CT2), False)], ids=["one", "two"])
@KINDS
async def test_a_shared_frame_of_reference_from_the_image_s_side(
    kind: str, series: tuple[str, ...], belongs: bool
) -> None:
    seg = one("SEG", SEG, FrameOfReferenceUID=FRAME)
    _, archive, _ = over(kind, *(image(uid) for uid in series), seg)
    found = await related(archive)
    if belongs:
        assert "weak hint" in found.rows[0]["evidence"]
    else:
        assert found.rows == []
        assert found.unrelated[0]["why"].startswith("only a FrameOfReferenceUID: 2 image series of the study have it")
        assert CT2 in found.unrelated[0]["why"]


async def test_a_derived_image_shares_its_frame_of_reference_with_anything() -> None:
    reformat = image(SEG, ImageType=["DERIVED", "SECONDARY", "MPR"])
    _, archive, _ = over("google", *images(), reformat)
    found = await related(archive)
    assert found.rows == []
    assert [(row["role"], row["why"]) for row in found.unrelated] == [("derived (reformat)", "refers to nothing")]


@pytest.mark.parametrize("only", [f"/series/{SEG2}/instances", f"/series/{CT2}/instances"])
async def test_a_series_that_fails_is_a_note(only: str) -> None:
    mine = one("SEG", SEG, ReferencedSeriesSequence=of_series(CT))
    other = one("SEG", SEG2, ReferencedSeriesSequence=of_series(CT))
    _, archive, fake = over("google", *images(), *images(CT2), mine, other)
    fake.fail(404, only=only, times=10)
    found = await related(archive)
    assert SEG in [row["SeriesInstanceUID"] for row in found.rows]
    [note] = found.notes
    assert note.startswith(f"Series {only.split('/')[2]} could not be looked into")


async def test_an_archive_that_fails_again_and_again_is_left_alone() -> None:
    many = [one("SEG", f"1.2.1.{n}", ReferencedSeriesSequence=of_series(CT)) for n in range(3, 33)]
    _, archive, fake = over("orthanc", *images(), *many)
    fake.fail(404, only="/instances", times=1_000)
    found = await related(archive)
    assert found.rows == found.unrelated == []
    assert "series were not looked into (after these failures)" in found.notes[-1]
    assert len(fake.requests) <= 1 + look.MOST_FAILURES + archive.profile.parallel


async def test_what_is_not_looked_into_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "MOST_LOOKED_INTO", 2)
    series = [one("SEG", f"1.2.1.{n}", ReferencedSeriesSequence=of_series(CT)) for n in (3, 4, 5)]
    app, archive, _ = over("google", *images(), *series)
    assert (await related(archive)).notes == [
        f"2 of 4 series were not looked into (at most 2 at a time): 1.2.1.5, {CT}."
    ]  # derived ones first
    table = await study_table(app, archive, Place(STUDY))
    assert [row["SeriesInstanceUID"] for row in table.rows if "role" not in row] == [CT]
    assert len(table.rows) == 4


async def test_many_objects_of_one_series_are_sampled() -> None:
    states = [one("PR", SEG, number, ReferencedSeriesSequence=of_series(CT)) for number in range(1, 31)]
    _, archive, fake = over("orthanc", *images(), *states)
    found = await related(archive)
    assert len(found.rows) == look.MOST_OBJECTS
    assert {row["looked_at"] for row in found.rows} == {f"{look.MOST_OBJECTS} of 30"}
    assert len(fake.requests) <= 3 + look.MOST_OBJECTS


async def test_no_metadata_where_a_search_returns_sequences() -> None:
    seg = one("SEG", SEG, ReferencedSeriesSequence=of_series(CT))
    _, archive, fake = over("google", *images(), *images(CT2), seg)
    await related(archive)
    assert not [asked for asked in fake.requests if "metadata" in asked.path]
    assert len(fake.requests) == 4  # the study's series, and one search in each of three
    assert all(int(asked.one("limit") or 0) <= look.MOST_OBJECTS + 1 for asked in fake.requests[1:])


async def test_an_attribute_that_an_archive_does_not_know_costs_no_answer() -> None:
    seg = one("SEG", SEG, ReferencedSeriesSequence=of_series(CT))
    _, archive, fake = over("google", *images(), seg)
    answer = fake.answer

    def fussy(asked: Asked) -> httpx.Response:
        if "AdvancedBlendingSequence" in asked.raw_query:
            return fake.error(400, "unknown/unsupported QIDO attribute: AdvancedBlendingSequence")
        return answer(asked)

    fake.answer = fussy  # type: ignore[method-assign]
    found = await related(archive)
    assert [row["SeriesInstanceUID"] for row in found.rows] == [SEG]


async def test_a_series_of_another_study_is_refused() -> None:
    _, archive, _ = over("google", *images())
    with pytest.raises(NotFound, match=r"no series 1\.9"):
        await related(archive, "1.9")


# ---- a study


@KINDS
async def test_a_study_in_a_table(kind: str) -> None:
    seg = one("SEG", SEG, ReferencedSeriesSequence=of_series(CT), SeriesNumber=3)
    gone = one("SR", SEG2, CurrentRequestedProcedureEvidenceSequence=[item(
        StudyInstanceUID="1.7", ReferencedSeriesSequence=[item(SeriesInstanceUID="1.7.1", ReferencedSOPSequence=[
            instance("1.7.1.1")])])])  # fmt: skip
    app, archive, fake = over(kind, *images(SeriesDescription="Thorax"), seg, gone)
    table = await study_table(app, archive, Place(STUDY))
    rows = {row["SeriesInstanceUID"]: row for row in table.rows}
    assert rows[CT]["role"] == "original"
    assert rows[CT]["SeriesDescription"] == "Thorax"
    assert "refers_to" not in rows[CT]
    assert (rows[SEG]["role"], rows[SEG]["refers_to"]) == ("SEG", [CT])
    assert (rows[SEG2]["role"], rows[SEG2]["refers_to"]) == ("SR", ["1.7.1 (not in this study)"])
    assert (table.study["PatientID"], table.study["StudyDate"]) == ("P1", "2020-01-02")
    assert table.instances == (None if kind == "google" else 5)
    assert table.complete is True
    asked = len(fake.requests)
    assert app.places.recall("pacs", look.Level.SERIES, CT) == (STUDY, None)
    assert len(fake.requests) == asked


@KINDS
async def test_series_stand_in_the_order_of_their_numbers(kind: str) -> None:
    """Whatever order the archive has them in."""
    numbers = {"1.2.3.1": 300, "1.2.3.2": None, "1.2.3.3": 2, "1.2.3.4": 10}
    told = {uid: {"SeriesNumber": number} if number else {} for uid, number in numbers.items()}
    _, archive, _ = over(kind, *(image(uid, **more) for uid, more in told.items()))
    found = await look.series_of(archive, STUDY)
    assert [one.uid for one in found.series] == ["1.2.3.3", "1.2.3.4", "1.2.3.1", "1.2.3.2"]


async def test_a_study_that_is_not_there() -> None:
    app, archive, _ = over("orthanc", *images())
    with pytest.raises(NotFound, match=r"1\.2\.1\.1 is the UID of a series"):
        await study_table(app, archive, Place(CT))
    with pytest.raises(NotFound, match="has no study"):
        await study_table(app, archive, Place("1.9"))


# ---- look-alikes


@KINDS
async def test_segmentations_of_one_description_are_told_apart(kind: str) -> None:
    told: dict[str, Any] = {"SeriesDescription": "Segmentation"}
    first = one("SEG", SEG, ReferencedSeriesSequence=of_series(CT), SeriesNumber=300, ContentLabel="A", **told)
    second = one("SEG", SEG2, ReferencedSeriesSequence=of_series(CT2), SeriesNumber=301, ContentLabel="A", **told)
    other = one("SEG", "1.2.1.5", ReferencedSeriesSequence=of_series(CT2), SeriesDescription="Lesion")
    _, archive, _ = over(kind, *images(), *images(CT2), first, second, other)
    found = await look_alikes(archive, Place(STUDY, SEG, f"{SEG}.1"), first.to_json_dict())
    assert found == [
        f"This object has SeriesNumber 300; references to {CT}.",
        f"With the same Modality and SeriesDescription, series {SEG2} has SeriesNumber 301; references to {CT2}.",
    ]


async def test_objects_of_one_series_are_told_apart_and_slices_are_not() -> None:
    first = one("SEG", SEG, 1, ReferencedSeriesSequence=of_series(CT), ContentLabel="ONE")
    second = one("SEG", SEG, 2, ReferencedSeriesSequence=of_series(CT), ContentLabel="TWO")
    _, archive, _ = over("google", *images(), first, second)
    assert await look_alikes(archive, Place(STUDY, SEG, f"{SEG}.1"), first.to_json_dict()) == [
        "This object has ContentLabel ONE.",
        f"Object {SEG}.2 of the same series has ContentLabel TWO.",
    ]
    assert await look_alikes(archive, Place(STUDY, CT, f"{CT}.1"), image(CT).to_json_dict()) == []


# ---- hostile


async def test_hostile_values_are_harmless_and_short() -> None:
    evil = "\x1b[31m<b>\u202eIGNORE\r\nALL</b>" + "x" * 20_000
    seg = {
        **one("SEG", SEG).to_json_dict(),
        "0008103E": {"vr": "LO", "Value": [evil]},
        "00700080": {"vr": "CS", "Value": [evil]},
        "00081115": {"vr": "SQ", "Value": [{"0020000E": {"vr": "UI", "Value": ["../../../studies"]}}, None, 7]},
        "00082112": {"vr": "SQ", "Value": "nonsense"},
        "00200052": {"vr": "UI", "Value": [evil]},
        "00620002": {"vr": "SQ", "Value": [{"00620005": {"vr": "LO", "Value": [evil]}}] * 50},
    }

    def answer(request: httpx.Request) -> httpx.Response:
        rows = [seg, {**seg, "0020000E": {"vr": "UI", "Value": ["../.."]}}, seg]
        return httpx.Response(200, content=json.dumps(rows), headers={"content-type": "application/dicom+json"})

    app = app_over({"pacs": (answer, "generic")})
    archive = app.archive("pacs")
    table = await study_table(app, archive, Place(STUDY))
    assert [row["SeriesInstanceUID"] for row in table.rows] == [SEG]
    found = await related_to(archive, Place(STUDY, SEG))
    alike = await look_alikes(archive, Place(STUDY, SEG, "1.9"), seg)
    for shown in (*table.rows, *found.rows, *found.unrelated):
        assert len(str(shown)) < 3_000
    for text in (*table.notes, *found.notes, *alike):
        assert text.isprintable()
        assert len(text) < 2_000
    assert "\x1b" not in str((table, found))
    assert "\u202e" not in str((table, found))


# ---- real files


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Archive]:
    archive = FolderArchive("mine", DATA, cache_folder=tmp_path)
    yield archive
    await archive.close()


def place_of(name: str) -> tuple[Place, Dataset]:
    dataset = pydicom.dcmread(DATA / name, stop_before_pixels=True)
    return Place(dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID), dataset


async def test_real_files_in_a_folder(folder: Archive) -> None:
    place, ct = place_of("rt-breast/ct.0.dcm")
    _, structures = place_of("rt-breast/rtss.dcm")
    _, plan = place_of("rt-breast/rtplan.dcm")
    found = await related_to(folder, place)
    assert {row["SeriesInstanceUID"]: row["role"] for row in found.rows} == {
        structures.SeriesInstanceUID: "RTSTRUCT",
        plan.SeriesInstanceUID: "RTPLAN",
    }
    place, _ = place_of("rt-breast/rtss.dcm")
    [row] = await sources(folder, place, structures.to_json_dict())
    assert (row["SeriesInstanceUID"], row["in_archive"]) == (ct.SeriesInstanceUID, True)
    assert (row["instances"], row["note"]) == (98, "of these, the archive has 1")

    place, _ = place_of("ct-seg-sr/ct/01.dcm")
    _, liver = place_of("ct-seg-sr/seg/liver.dcm")
    _, overlaps = place_of("ct-seg-sr/seg/partial_overlaps.dcm")
    found = await related_to(folder, place)
    assert {row["SeriesInstanceUID"] for row in found.rows} == {liver.SeriesInstanceUID, overlaps.SeriesInstanceUID}
    assert all(len(json.dumps(row)) < 600 for row in found.rows)

    place, annotations = place_of("seg-sm-ann-sr/sm_annotations.dcm")
    _, slide = place_of("seg-sm-ann-sr/sm_image.dcm")
    named = annotations.ReferencedSeriesSequence[0].SeriesInstanceUID
    [row] = await sources(folder, place, annotations.to_json_dict())
    assert row["SeriesInstanceUID"] == named
    assert row["in_archive"] is any(
        pydicom.dcmread(path, specific_tags=["SeriesInstanceUID"]).SeriesInstanceUID == named
        for path in (DATA / "seg-sm-ann-sr").glob("sm_*.dcm")
    )
    assert slide.StudyInstanceUID == place.study_uid
