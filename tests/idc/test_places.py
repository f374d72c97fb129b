"""What the index knows of UIDs, against plain SQL over its files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("idc_index_data")

from dicomweb_mcp.dicom.rules import Level
from dicomweb_mcp.idc import index
from dicomweb_mcp.idc.index import Index, IndexProblem, the_index
from dicomweb_mcp.idc.places import Current, Known, Retired, find, named
from idc_uids import GONE, picked, plain

OF_A_GROUP = """
    any_value(StudyInstanceUID), list_sort(list(DISTINCT collection_id)), list_sort(list(DISTINCT PatientID)),
    coalesce(list_sort(list(DISTINCT analysis_result_id) FILTER (analysis_result_id IS NOT NULL)), []),
    min(series_init_idc_version), max(series_revised_idc_version), list_sort(list(DISTINCT license_short_name)),
    list_sort(list(DISTINCT aws_bucket)), count(*), sum(instanceCount), sum(series_size_MB)
"""


def found(uids: list[str], first: Level = Level.SERIES) -> dict[str, Known]:
    opened = the_index()
    assert opened
    with opened.session() as session:
        return find(session, uids, first)


def as_row(known: Known) -> tuple[Any, ...]:
    assert isinstance(known, Current)
    return (
        known.uid, known.study_uid, [*known.collections], [*known.patients], [*known.analysis_results], known.since,
        known.revised, [*known.licenses], [*known.buckets], known.series, known.instances,
        pytest.approx(known.megabytes),
    )  # fmt: skip


@pytest.mark.parametrize("level", [Level.SERIES, Level.STUDY])
def test_what_is_in_the_release_is_known_as_sql_finds_it(level: Level) -> None:
    uids = [uid for (uid,) in picked(level.uid, many=15) + picked(level.uid, "analysis_result_id IS NOT NULL", 5)]
    marks = ", ".join("?" * len(uids))
    rows = plain(f"SELECT {level.uid}, {OF_A_GROUP} FROM idc_index WHERE {level.uid} IN ({marks}) GROUP BY 1", *uids)
    known = found(uids, level)
    assert {row[0] for row in rows} == set(known) == set(uids)
    assert [as_row(known[row[0]]) for row in rows] == rows
    assert {one.level for one in known.values()} == {level}


def test_a_study_whose_series_differ_in_everything_is_told_whole() -> None:
    mixed = (
        "StudyInstanceUID IN (SELECT StudyInstanceUID FROM idc_index GROUP BY 1 HAVING count(DISTINCT aws_bucket) > 1 "
        "AND count(DISTINCT analysis_result_id) > 0 "
        "AND min(series_init_idc_version) < max(series_init_idc_version))"
    )
    ((uid,),) = picked("StudyInstanceUID", mixed)
    ((*row,),) = plain(f"SELECT ?, {OF_A_GROUP} FROM idc_index WHERE StudyInstanceUID = ?", uid, uid)
    study = found([uid], Level.STUDY)[uid]
    assert as_row(study) == tuple(row)
    assert isinstance(study, Current)
    assert study.in_google_store is ("idc-open-data" in row[8])
    assert study.history == f"since v{row[5]}, last revised in v{row[6]}"


def test_both_levels_and_what_is_gone_are_told_apart_in_one_call() -> None:
    ((study, series),) = picked("StudyInstanceUID, SeriesInstanceUID", "StudyInstanceUID != SeriesInstanceUID")
    ((gone,),) = picked("SeriesInstanceUID", GONE, table="prior_versions_index")
    known = found([study, series, gone, "1.2.3", series])
    assert {uid: (type(one), one.level) for uid, one in known.items()} == {
        study: (Current, Level.STUDY),
        series: (Current, Level.SERIES),
        gone: (Retired, Level.SERIES),
    }
    assert known[study].study_uid == known[series].study_uid == study
    assert found([study, series], Level.STUDY) == {uid: known[uid] for uid in (study, series)}
    assert found([]) == {}


def test_a_uid_of_both_levels_is_that_which_is_expected() -> None:
    both = "SeriesInstanceUID IN (SELECT StudyInstanceUID FROM idc_index)"
    rows = plain(f"SELECT SeriesInstanceUID FROM idc_index WHERE {both} ORDER BY 1 LIMIT 1")
    if not rows:
        pytest.skip("this release has no study and series of one UID")
    ((uid,),) = rows
    assert [found([uid], level)[uid].level for level in (Level.STUDY, Level.SERIES)] == [Level.STUDY, Level.SERIES]


def test_a_series_that_was_revised_is_not_retired() -> None:
    """``prior_versions_index`` lists the earlier contents of series that are still there."""
    ((uid,),) = picked("SeriesInstanceUID", f"NOT ({GONE})", table="prior_versions_index")
    assert isinstance(found([uid])[uid], Current)


def test_what_left_the_release_is_told_with_what_remains() -> None:
    still = "StudyInstanceUID IN (SELECT StudyInstanceUID FROM idc_index)"
    rows = picked("SeriesInstanceUID, StudyInstanceUID", f"{GONE} AND {still}", 5, "prior_versions_index")
    rows += picked("SeriesInstanceUID, StudyInstanceUID", f"{GONE} AND NOT {still}", 5, "prior_versions_index")
    often = (
        "SeriesInstanceUID IN (SELECT SeriesInstanceUID FROM prior_versions_index GROUP BY 1 "
        "HAVING count(DISTINCT series_aws_url) > 1)"
    )
    rows += picked("SeriesInstanceUID, StudyInstanceUID", f"{GONE} AND {often}", 2, "prior_versions_index")
    known = found([series for series, _ in rows])
    for series, study in rows:
        retired = known[series]
        assert isinstance(retired, Retired)
        versions = plain(
            "SELECT min(min_idc_version), max(max_idc_version), arg_max(series_aws_url, max_idc_version), "
            "any_value(collection_id), any_value(PatientID) FROM prior_versions_index WHERE SeriesInstanceUID = ?",
            series,
        )
        first, last, url, collection, patient = versions[0]
        assert (retired.first, retired.last, retired.urls) == (first, last, (url,))
        assert (retired.collection_id, retired.patient_id, retired.study_uid) == (collection, patient, study)
        ((series_left,),) = plain("SELECT count(*) FROM idc_index WHERE StudyInstanceUID = ?", study)
        of_patient = "SELECT count(DISTINCT StudyInstanceUID) FROM idc_index WHERE collection_id = ? AND PatientID = ?"
        ((studies_left,),) = plain(of_patient, collection, patient)
        assert (retired.series_left, retired.studies_left) == (series_left, studies_left)
    assert {bool(one.series_left) for one in known.values() if isinstance(one, Retired)} == {True, False}


def test_a_study_that_left_is_told_with_its_files() -> None:
    gone = f"{GONE} AND StudyInstanceUID NOT IN (SELECT StudyInstanceUID FROM idc_index)"
    ((uid,),) = picked("StudyInstanceUID", gone, table="prior_versions_index")
    retired = found([uid])[uid]
    assert isinstance(retired, Retired)
    assert retired.level is Level.STUDY
    urls = plain(
        "SELECT series_aws_url FROM prior_versions_index WHERE StudyInstanceUID = ? "
        "AND max_idc_version = (SELECT max(max_idc_version) FROM prior_versions_index WHERE StudyInstanceUID = ?)",
        uid, uid,
    )  # fmt: skip
    assert sorted(retired.urls) == sorted({url for (url,) in urls})
    assert (retired.study_uid, retired.series_left) == (uid, 0)


def test_other_names_than_uids_are_recognised() -> None:
    columns = ("collection_id", "PatientID", "crdc_series_uuid", "SeriesInstanceUID")
    ((collection, patient, uuid, series),) = picked(", ".join(columns), "contains(collection_id, '_')")
    opened = the_index()
    assert opened
    with opened.session() as session:
        for column, text in zip(columns, (collection, patient, uuid), strict=False):
            known = named(session, text)
            assert known is not None
            assert (known.column, known.value) == (column, text)
            assert plain(
                f"SELECT 1 FROM idc_index WHERE {column} = ? AND SeriesInstanceUID = ?", text, known.series_uid
            )
        assert known.series_uid == series
        assert named(session, collection.upper().replace("_", "-")) == named(session, collection)
        assert named(session, uuid.upper()) == known
        assert named(session, "nobody'; --") is None


def test_a_damaged_index_is_a_problem_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "index.parquet"
    damaged.write_bytes(b"PAR1 nothing PAR1")
    whole = index.tables()
    monkeypatch.setattr(index, "tables", lambda: {"index": replace(whole["index"], path=damaged)})
    with pytest.raises(IndexProblem, match="install the package"):
        Index()
    without = {name: table for name, table in whole.items() if name != "prior_versions_index"}
    monkeypatch.setattr(index, "tables", lambda: without)
    with Index().session() as session, pytest.raises(IndexProblem, match="install the package"):
        find(session, ["1.2.3"])
