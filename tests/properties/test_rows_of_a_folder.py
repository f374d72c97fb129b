"""A folder of files gives the rows that a plain filter over what was written into them gives."""

import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archives.folder_helpers import ask, make_file, opened
from dicomweb_mcp.archives.folder import FolderArchive
from dicomweb_mcp.dicom.rules import Level
from dicomweb_mcp.dicom.values import text
from properties.plain_filter import Asked, Row, any_of, dates, exact, fuzzy_names, numbers, patterns, times

pytestmark = pytest.mark.anyio

# what is written into the files; None leaves the attribute out
POOLS: dict[Level, dict[str, Sequence[Any]]] = {
    Level.STUDY: {
        "PatientID": ["P1", "p1", "P10", "1,2", "A B", None],
        "PatientName": ["Doe^Jane", "DOE^JOHN", "Müller^Jörg", "Weiß^Änne", "Yamada^Tarou=山田^太郎", "O'Neil", "", None],
        "StudyDescription": ["CT chest", "Ganzkörper", "a*b[c]", "x\"y", None],
        "AccessionNumber": ["A1", "a2", "", None],
        "StudyDate": ["20191231", "20200101", "20200229", "2020.03.01", "", None],
        "StudyTime": ["08", "1015", "101530.25", "235959", None],
        "PatientWeight": ["70", "70.5", "8E1", None],
    },
    Level.SERIES: {
        "Modality": ["CT", "MR", "SEG"],
        "SeriesNumber": ["1", "02", "12", None],
        "SeriesDescription": ["T1 ax", "T2 ax", None],
        "BodyPartExamined": ["CHEST", "Head", None],
    },
    Level.INSTANCE: {
        "InstanceNumber": ["1", "003", "-2", None],
        "ImageType": [["ORIGINAL", "PRIMARY"], ["DERIVED", "", "AXIAL"], None],
        "Rows": [64, 512, None],
        "SliceThickness": ["1.25", "2.50", None],
        "FlipAngle": ["15", None],
        "AcquisitionDate": ["20200229", None],
    },
}  # fmt: skip
NUMBERS = {"PatientWeight": [70, 70.5, 80], "SeriesNumber": [1, 2, 12], "InstanceNumber": [-2, 1, 3], "Rows": [64, 512],
           "SliceThickness": [1.25, 2.5, 3], "FlipAngle": [15], "NumberOfStudyRelatedInstances": [1, 2, 3, 4],
           "NumberOfStudyRelatedSeries": [1, 2], "NumberOfSeriesRelatedInstances": [1, 2]}  # fmt: skip
COMPUTED = {
    Level.STUDY: ["ModalitiesInStudy", "NumberOfStudyRelatedInstances", "NumberOfStudyRelatedSeries"],
    Level.SERIES: ["NumberOfSeriesRelatedInstances"],
    Level.INSTANCE: [],
}
Rows = dict[Level, dict[str, Row]]


def fill(folder: Path) -> Rows:
    """Twelve studies of one or two series of one or two files, the same at every run."""
    dice = random.Random(7)
    rows: Rows = {level: {} for level in Level}
    for study in range(1, 13):
        of_study = chosen(dice, Level.STUDY)
        files = 0
        seen: list[str] = []
        places = range(1, dice.randint(2, 3))
        for series in places:
            of_series = of_study | chosen(dice, Level.SERIES)
            numbers_ = range(1, dice.randint(2, 3))
            for number in numbers_:
                values = of_series | chosen(dice, Level.INSTANCE)
                uids = f"1.{study}", f"1.{study}.{series}", f"1.{study}.{series}.{number}"
                make_file(folder / f"{study}/{series}/{number}.dcm", *uids, SpecificCharacterSet="ISO_IR 192", **values)
                rows[Level.INSTANCE][uids[2]] = plain_row(values)
            files += len(numbers_)
            seen.append(of_series["Modality"])
            rows[Level.SERIES][f"1.{study}.{series}"] = plain_row(of_series) | {
                "NumberOfSeriesRelatedInstances": [str(len(numbers_))]
            }
        rows[Level.STUDY][f"1.{study}"] = plain_row(of_study) | {
            "ModalitiesInStudy": sorted(set(seen)),
            "NumberOfStudyRelatedInstances": [str(files)],
            "NumberOfStudyRelatedSeries": [str(len(places))],
        }
    return rows


def chosen(dice: random.Random, level: Level) -> dict[str, Any]:
    return {keyword: dice.choice(pool) for keyword, pool in POOLS[level].items()}


def plain_row(values: dict[str, Any]) -> Row:
    """Values as text; of a name also its groups, each of which can be looked for."""
    listed = {keyword: value if isinstance(value, list) else [value] for keyword, value in values.items()}
    row = {keyword: [str(one) for one in found if one not in (None, "")] for keyword, found in listed.items()}
    return row | {"PatientName": [part for name in row["PatientName"] for part in (name, *name.split("="))]}


@pytest.fixture(scope="module")
async def filled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[FolderArchive, Rows]]:
    folder = tmp_path_factory.mktemp("folder")
    rows = fill(folder / "files")
    async with opened(folder / "files", folder / "cache") as archive:
        yield archive, rows


def filter_on(keyword: str, fuzzy: bool) -> st.SearchStrategy[Asked]:
    if keyword in NUMBERS:
        return numbers(keyword, NUMBERS[keyword])
    named = "Modality" if keyword == "ModalitiesInStudy" else keyword
    pool = [value for pools in POOLS.values() for value in pools.get(named, ()) if value]
    if by_type := {"StudyDate": dates, "AcquisitionDate": dates, "StudyTime": times}.get(keyword):
        return by_type(keyword, [value.replace(".", "") for value in pool] if by_type is dates else pool)
    if keyword == "ImageType":
        pool = [value for values in pool for value in values if value]
    if keyword == "PatientName" and fuzzy:
        return fuzzy_names(keyword, pool)
    one = st.one_of(exact(keyword, pool), patterns(keyword, pool))
    return st.one_of(one, one, st.lists(one, min_size=1, max_size=3).map(any_of))


@st.composite
def searches(draw: st.DrawFn) -> tuple[Level, list[Asked], bool]:
    level, fuzzy = draw(st.sampled_from(list(Level))), draw(st.booleans())
    own = [keyword for one in list(Level)[: level.depth + 1] for keyword in POOLS[one]] + COMPUTED[level]
    chosen_ones = draw(st.lists(st.sampled_from(own), max_size=3, unique=True))
    return level, [draw(filter_on(keyword, fuzzy)) for keyword in chosen_ones], fuzzy


@given(searches(), st.integers(1, 20), st.integers(0, 20))
@example((Level.STUDY, [Asked("PatientName", "WEISS*", lambda value: value.startswith("Weiß"))], False), 9, 0)
@settings(max_examples=100)
async def test_rows_are_those_of_a_plain_filter(
    filled: tuple[FolderArchive, Rows], asked: tuple[Level, list[Asked], bool], limit: int, offset: int
) -> None:
    archive, rows = filled
    level, conditions, fuzzy = asked
    expected = {uid for uid, row in rows[level].items() if all(one.holds(row) for one in conditions)}
    filters = {one.keyword: one.written for one in conditions}
    page = await ask(archive, level, filters, fuzzy=fuzzy)
    found = [text(row, level.uid) for row in page.rows]
    assert sorted(found) == sorted(expected)
    assert page.total == len(expected)
    assert not page.incomplete
    part = await ask(archive, level, filters, fuzzy=fuzzy, limit=limit, offset=offset)
    assert [text(row, level.uid) for row in part.rows] == found[offset : offset + limit]
