"""Searches in a folder: every way to match at every level, counts, paging, order."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pydicom
import pytest

from archives.folder_helpers import SAMPLES, ask, make_file, names, opened
from dicomweb_mcp.archives.folder import FolderArchive
from dicomweb_mcp.dicom.rules import NotSearchable

pytestmark = pytest.mark.anyio


def _fill(folder: Path) -> None:
    """Three studies of four, two and one instances; 1.1 has a CT and an MR series."""
    one = {"PatientID": "P1", "PatientName": "Doe^Jane", "StudyDate": "20200115", "StudyTime": "101500"}
    one |= {"AccessionNumber": "A-17", "PatientSex": "F", "StudyDescription": "Chest, low dose"}
    for number in (3, 1, 2):
        make_file(
            folder / f"a/ct{number}.dcm", "1.1", "1.1.1", f"1.1.1.{number}", InstanceNumber=number, SeriesNumber=7,
            SliceThickness="2.5", BodyPartExamined="CHEST", Manufacturer="ACME", Rows=512, **one,
        )  # fmt: skip
    make_file(folder / "a/mr.dcm", "1.1", "1.1.2", "1.1.2.1", **one | {"Modality": "MR", "SeriesDescription": "T2 tse"})
    two = {"PatientID": "P2", "PatientName": "Müller^Jürgen", "StudyDate": "20210630", "Modality": "PT"}
    two |= {"SpecificCharacterSet": "ISO_IR 192", "StudyDescription": "Ganzkörper"}
    make_file(folder / "b/1", "1.2", "1.2.1", "1.2.1.1", **two)
    make_file(folder / "b/2", "1.2", "1.2.1", "1.2.1.2", **two)
    make_file(folder / "c.dcm", "1.3", "1.3.1", "1.3.1.1", PatientID="p1", PatientName="DOE^JOHN", Modality="CT")


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[FolderArchive]:
    _fill(tmp_path / "files")
    async with opened(tmp_path / "files", tmp_path / "cache") as archive:
        yield archive


STUDY_CASES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["1.1", "1.2", "1.3"]),
    ({"PatientID": "P1"}, ["1.1", "1.3"]),
    ({"PatientID": ["P2", "P9"]}, ["1.2"]),
    ({"PatientID": "P?"}, ["1.1", "1.2", "1.3"]),
    ({"PatientName": "Doe*"}, ["1.1", "1.3"]),
    ({"PatientName": "*jane"}, ["1.1"]),
    ({"PatientName": "müller^jürgen"}, ["1.2"]),
    ({"PatientName": "m?ller*"}, ["1.2"]),
    ({"StudyDescription": "ganzk*"}, ["1.2"]),
    ({"StudyDescription": "*, low*"}, ["1.1"]),
    ({"StudyDate": "2020-01-15"}, ["1.1"]),
    ({"StudyDate": "2020..2021"}, ["1.1", "1.2"]),
    ({"StudyDate": ">2020-01-15"}, ["1.2"]),
    ({"StudyDate": "<=2020-01-15"}, ["1.1"]),
    ({"StudyDate": "2019"}, []),
    ({"StudyTime": "10:00..11:00"}, ["1.1"]),
    ({"AccessionNumber": "A-17"}, ["1.1"]),
    ({"PatientSex": "F"}, ["1.1"]),
    ({"ModalitiesInStudy": "MR"}, ["1.1"]),
    ({"ModalitiesInStudy": ["MR", "PT"]}, ["1.1", "1.2"]),
    ({"StudyInstanceUID": ["1.3", "1.1", "9.9"]}, ["1.1", "1.3"]),
    ({"NumberOfStudyRelatedInstances": 2}, ["1.2"]),
    ({"NumberOfStudyRelatedSeries": 2}, ["1.1"]),
    ({"PatientID": "P1", "ModalitiesInStudy": "CT", "StudyDate": "2020"}, ["1.1"]),
    ({"PatientWeight": 70}, []),
]


@pytest.mark.parametrize(("filters", "expected"), STUDY_CASES)
async def test_studies(archive: FolderArchive, filters: dict[str, Any], expected: list[str]) -> None:
    assert await names(archive, "study", filters) == expected


@pytest.mark.parametrize(
    ("words", "expected"), [("muller", ["1.2"]), ("jane doe", ["1.1"]), ("jurg", ["1.2"]), ("urg", [])]
)
async def test_fuzzy_names(archive: FolderArchive, words: str, expected: list[str]) -> None:
    assert await names(archive, "study", {"PatientName": words}, fuzzy=True) == expected


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["1.1.1", "1.1.2", "1.2.1", "1.3.1"]),
        ({"Modality": "CT"}, ["1.1.1", "1.3.1"]),
        ({"Modality": ["MR", "PT"]}, ["1.1.2", "1.2.1"]),
        ({"SeriesDescription": "t2*"}, ["1.1.2"]),
        ({"BodyPartExamined": "CHEST"}, ["1.1.1"]),
        ({"Manufacturer": "ac*"}, ["1.1.1"]),
        ({"SeriesNumber": 7}, ["1.1.1"]),
        ({"PatientID": "P2"}, ["1.2.1"]),
        ({"StudyDate": "2020"}, ["1.1.1", "1.1.2"]),
        ({"NumberOfSeriesRelatedInstances": 3}, ["1.1.1"]),
        ({"ModalitiesInStudy": "MR"}, ["1.1.1", "1.1.2"]),
    ],
)
async def test_series(archive: FolderArchive, filters: dict[str, Any], expected: list[str]) -> None:
    assert await names(archive, "series", filters) == expected


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"InstanceNumber": 2}, ["1.1.1.2"]),
        ({"InstanceNumber": [1, 3]}, ["1.1.1.1", "1.1.1.3"]),
        ({"SOPInstanceUID": ["1.1.2.1", "1.2.1.1"]}, ["1.1.2.1", "1.2.1.1"]),
        ({"SOPClassUID": "CT Image Storage", "Modality": "MR"}, ["1.1.2.1"]),
        ({"SliceThickness": 2.5}, ["1.1.1.1", "1.1.1.2", "1.1.1.3"]),
        ({"Rows": 512, "InstanceNumber": 1}, ["1.1.1.1"]),
        ({"PatientName": "doe^john"}, ["1.3.1.1"]),
        ({"AvailableTransferSyntaxUID": "1.2.840.10008.1.2.1", "Modality": "PT"}, ["1.2.1.1", "1.2.1.2"]),
    ],
)
async def test_instances(archive: FolderArchive, filters: dict[str, Any], expected: list[str]) -> None:
    assert await names(archive, "instance", filters) == expected


async def test_a_study_and_a_series_bound_the_search(archive: FolderArchive) -> None:
    assert await names(archive, "series", study_uid="1.1") == ["1.1.1", "1.1.2"]
    assert await names(archive, "instance", study_uid="1.1", series_uid="1.1.1") == ["1.1.1.1", "1.1.1.2", "1.1.1.3"]
    assert await names(archive, "instance", study_uid="1.2", series_uid="1.1.1") == []


async def test_a_bounded_search_still_knows_the_whole_study(archive: FolderArchive) -> None:
    page = await ask(archive, "instance", {"ModalitiesInStudy": "CT"}, study_uid="1.1", series_uid="1.1.2")
    assert [row["00080018"]["Value"] for row in page.rows] == [["1.1.2.1"]]
    assert page.rows[0]["00080061"]["Value"] == ["CT", "MR"]


async def test_a_row_holds_what_the_standard_says_and_what_was_asked(archive: FolderArchive) -> None:
    page = await ask(archive, "study", {"PatientID": "P1", "StudyDate": "2020"}, fields=["StudyDescription"])
    assert page.rows == [
        {
            "00080020": {"vr": "DA", "Value": ["20200115"]},
            "00080030": {"vr": "TM", "Value": ["101500"]},
            "00080050": {"vr": "SH", "Value": ["A-17"]},
            "00080056": {"vr": "CS", "Value": ["ONLINE"]},
            "00080061": {"vr": "CS", "Value": ["CT", "MR"]},
            "00081030": {"vr": "LO", "Value": ["Chest, low dose"]},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]},
            "00100020": {"vr": "LO", "Value": ["P1"]},
            "00100040": {"vr": "CS", "Value": ["F"]},
            "0020000D": {"vr": "UI", "Value": ["1.1"]},
            "00201206": {"vr": "IS", "Value": [2]},
            "00201208": {"vr": "IS", "Value": [4]},
        }
    ]
    series = (await ask(archive, "series", {"Modality": "PT"})).rows[0]
    assert series["0020000D"]["Value"] == ["1.2"]
    assert series["00201209"]["Value"] == [2]
    instance = (await ask(archive, "instance", {"InstanceNumber": 1}, fields=["SliceThickness", "PatientID"])).rows[0]
    assert instance["00180050"] == {"vr": "DS", "Value": [2.5]}
    assert instance["00100020"] == {"vr": "LO", "Value": ["P1"]}
    assert [instance[tag]["Value"] for tag in ("0020000D", "0020000E", "00080018")] == [["1.1"], ["1.1.1"], ["1.1.1.1"]]
    assert "00180015" not in instance


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
async def test_pages_add_up(archive: FolderArchive, size: int) -> None:
    everything = await names(archive, "instance")
    assert len(everything) == 7
    collected: list[str] = []
    for offset in range(0, 10, size):
        page = await ask(archive, "instance", limit=size, offset=offset)
        assert page.total == 7
        assert page.remaining == max(0, 7 - offset - len(page.rows))
        collected += [row["00080018"]["Value"][0] for row in page.rows]
    assert collected == everything


async def test_ranges_of_numbers_are_the_archives_own_to_match(archive: FolderArchive) -> None:
    page = await ask(archive, "instance", {"InstanceNumber": ">=2"})
    assert page.total == 2
    page = await ask(archive, "study", {"NumberOfStudyRelatedInstances": "<3"})
    assert 0 < page.total < 4


async def test_a_filter_that_the_index_cannot_know_is_refused(archive: FolderArchive) -> None:
    with pytest.raises(NotSearchable, match="NumberOfPatientRelatedStudies"):
        await ask(archive, "study", {"NumberOfPatientRelatedStudies": 1})


async def test_long_texts_are_said_not_to_match(archive: FolderArchive) -> None:
    page = await ask(archive, "instance", {"ImageComments": "x*"})
    assert any("ImageComments over 1,024 characters" in note for note in page.notes)


async def test_a_broken_value_costs_only_itself(tmp_path: Path) -> None:
    path = make_file(tmp_path / "files/a.dcm", "1.1", "1.1.1", "1.1.1.1", StudyDate="20200101", PatientSize="1.75")
    path.write_bytes(path.read_bytes().replace(b"1.75", b"1,75"))
    async with opened(tmp_path / "files", tmp_path / "cache") as archive:
        page = await ask(archive, "study", {"StudyDate": "2020"}, fields=["PatientSize"])
        assert page.total == 1
        assert page.rows[0]["00101020"] == {"vr": "DS", "Value": ["1,75"]}


def _expected(path: Path) -> dict[str, Any]:
    """The short plain attributes of a file as pydicom converts them."""
    found = {}
    for element in pydicom.dcmread(path, force=True, stop_before_pixels=True):
        plain = element.VR not in ("SQ", "OB", "OW", "OF", "OD", "UN")
        if plain and not element.tag.is_private and element.tag.element and len(str(element.value)) < 900:
            found[f"{element.tag:08X}"] = element.to_json_dict(None, 0)
    return found


@pytest.mark.parametrize(
    "name",
    ["CT_small.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "rtplan.dcm", "image_dfl.dcm", "test-SR.dcm",
     "ExplVR_LitEndNoMeta.dcm", "examples_palette.dcm", "693_J2KI.dcm", "reportsi_with_empty_number_tags.dcm"],
)  # fmt: skip
async def test_every_plain_attribute_is_what_pydicom_says(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / name).write_bytes((SAMPLES / name).read_bytes())
    expected = _expected(folder / name)
    async with opened(folder, tmp_path / "cache") as archive:
        row = (await ask(archive, "instance", fields=list(expected)[:100])).rows[0]
    for tag in list(expected)[:100]:
        assert _tidy(row[tag]) == _tidy(expected[tag]), tag


def _tidy(element: dict[str, Any]) -> dict[str, Any]:
    """Without what PS3.18 leaves open: padding within values, empty groups of names."""
    values = [value.strip() if isinstance(value, str) else value for value in element.get("Value", [])]
    values = [{k: v for k, v in value.items() if v} if isinstance(value, dict) else value for value in values]
    return {"vr": element["vr"], "Value": values}


async def test_ten_thousand_files(tmp_path: Path) -> None:
    """All of them are indexed, found by a filter, and counted; unchanged ones are not read again."""
    template = make_file(tmp_path / "template.dcm", "1.1", "1.1.1", "1.1.1.1000000", PatientID="P0000")
    data = template.read_bytes()
    folder = tmp_path / "many"
    for number in range(10_000):
        where = folder / f"{number // 500:02}"
        where.mkdir(parents=True, exist_ok=True)
        uid, patient = f"1.1.1.1{number:06}", f"P{number // 500:04}"
        (where / f"{number}.dcm").write_bytes(
            data.replace(b"1.1.1.1000000", uid.encode()).replace(b"P0000", patient.encode())
        )
    async with opened(folder, tmp_path / "cache") as archive:
        archive._refresher.patience = 60
        page = await ask(archive, "instance", limit=20)
        assert page.total == 10_000
        assert len(page.rows) == 20
        page = await ask(archive, "instance", {"SOPInstanceUID": "1.1.1.1004242"}, fields=["PatientID"])
        assert [row["00100020"]["Value"] for row in page.rows] == [["P0008"]]


async def test_an_attribute_with_hundreds_of_names(tmp_path: Path) -> None:
    make_file(
        tmp_path / "files/a.dcm", "1.1", "1.1.1", "1.1.1.1", OperatorsName=[f"{number % 10}" for number in range(500)]
    )
    async with opened(tmp_path / "files", tmp_path / "cache") as archive:
        assert await names(archive, "series", {"OperatorsName": "7"}) == ["1.1.1"]
        assert await names(archive, "series", {"OperatorsName": "x"}) == []


async def test_transfer_syntaxes_are_searched_and_shown(tmp_path: Path) -> None:
    jpeg, plain = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.1"
    make_file(tmp_path / "files/a.dcm", "1.1", "1.1.1", "1.1.1.1", syntax=plain)
    make_file(tmp_path / "files/b.dcm", "1.1", "1.1.1", "1.1.1.2", syntax=plain)
    (tmp_path / "files/c.dcm").write_bytes((SAMPLES / "SC_jpeg_no_color_transform.dcm").read_bytes())
    async with opened(tmp_path / "files", tmp_path / "cache") as archive:
        for keyword in ("TransferSyntaxUID", "AvailableTransferSyntaxUID"):
            assert await names(archive, "instance", {keyword: plain}) == ["1.1.1.1", "1.1.1.2"]
            (row,) = (await ask(archive, "instance", {keyword: jpeg}, fields=["TransferSyntaxUID"])).rows
            assert row["00020010"]["Value"] == [jpeg]
        with pytest.raises(NotSearchable, match="MediaStorageSOPClassUID"):
            await ask(archive, "instance", {"MediaStorageSOPClassUID": "CT Image Storage"})
