"""search_idc as a client meets it."""

import json
from typing import Any

import duckdb
import pytest
from mcp import Client
from mcp.types import CallToolResult

from dicomweb_mcp.idc.wheel import release, tables
from dicomweb_mcp.tools.answers import LIST_BUDGET
from fakes.google import Google
from fakes.store import Store
from tools.conftest import Connect
from tools.eras import IN_BOTH_ERAS
from tools.reading import text_of

pytestmark = pytest.mark.anyio
INNER = ("Error:", "Exception", "\0", "\x1b", "\u202e")


async def ask(connect: Connect, **arguments: Any) -> CallToolResult:
    async with connect(mine=(Google(Store()), "idc")) as client:
        return await asked(client, **arguments)


async def asked(client: Client, **arguments: Any) -> CallToolResult:
    answer = await client.call_tool("search_idc", arguments)
    assert isinstance(answer, CallToolResult)
    if answer.structured_content:
        assert len(json.dumps(answer.structured_content, ensure_ascii=False, separators=(",", ":"))) <= LIST_BUDGET
    assert len(text_of(answer)) <= LIST_BUDGET
    return answer


async def found(connect: Connect, **arguments: Any) -> dict[str, Any]:
    answer = await ask(connect, **arguments)
    assert not answer.is_error, text_of(answer)
    assert answer.structured_content
    return answer.structured_content


def scalar(sql: str) -> Any:
    index = tables()["index"].path
    assert index
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT {sql} FROM read_parquet('{index.as_posix()}')").fetchall()[0][0]


@IN_BOTH_ERAS
async def test_both_halves_say_the_same(connect: Connect) -> None:
    answer = await ask(connect, modality="ct", sex="female", age=">=80", limit=5)
    said, text = answer.structured_content, text_of(answer)
    assert said
    assert (said["archive"], said["index_release"], said["returned"]) == ("mine", release(), 5)
    assert (
        said["counts"]["series"]
        == said["total"]
        == scalar(
            "count(*) FILTER (WHERE Modality = 'CT' AND PatientSex = 'F' AND PatientAge BETWEEN '080Y' AND '999Y' "
            "AND PatientAge LIKE '%Y')"
        )
    )
    assert sum(row["series"] for row in said["licenses"]) == said["total"]
    assert set(said["understood"]) == {"modality", "sex", "age"}
    assert said["without_value"]["age"] > 0
    assert f"index_release: {release()}" in text
    for row in said["rows"]:
        assert all(row[uid] in text for uid in ("SeriesInstanceUID",))
    for name, count in (*said["counts"].items(), *said["understood"].items()):
        assert str(count) in text, name
    for row in said["licenses"]:
        assert f"{row['license']}|{row['series']}" in text
    assert said["common"]["Modality"] == "CT"
    assert all("Modality" not in row for row in said["rows"])
    assert "Modality=CT" in text


@pytest.mark.parametrize(
    "arguments",
    [
        {}, {"fields": list(tables()["index"].columns)}, {"group_by": ["collection", "model"]},         {"group_by": "patient"}, {"new_since": "v1"}, {"model": "*"}, {"patient_id": "*"},
        {"modality": ["CT", "MR", "SM", "PT", "SEG"], "species": "*", "cancer_type": "*", "tumor_location": "*"},
    ],
)  # fmt: skip
async def test_both_halves_keep_the_budget_and_go_on(connect: Connect, arguments: dict[str, Any]) -> None:
    async with connect(mine=(Google(Store()), "idc")) as client:
        first = (await asked(client, **arguments, limit=500)).structured_content
        assert first
        assert first["next_offset"] == first["returned"] > 3
        assert first["complete"] is False
        second = (await asked(client, **arguments, limit=500, offset=first["next_offset"])).structured_content
        assert second
        assert second["rows"][0] not in first["rows"]


async def test_long_lists_keep_the_budget(connect: Connect) -> None:
    models = scalar("list(ManufacturerModelName ORDER BY ManufacturerModelName)[1:900000:4500]")
    patients = scalar("list(PatientID ORDER BY PatientID)[1:800000:5000]")
    said = await found(connect, model=models[:190], limit=500)
    assert len(said["notes"]) <= 13
    await found(connect, patient_id=patients[:190], limit=500)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"modality": "CTT"}, "no series with modality 'CTT'. Nearest: CT ("),
        ({"body_part": "brst"}, "Nearest: BREAST ("),
        ({"fields": ["SliceThickness"]}, "no column 'SliceThickness'"),
        ({"fields": ["PatientID"], "group_by": "sex"}, "fields are columns of series"),
        ({"order": "seriesdescr"}, "Nearest: SeriesDescription"),
        ({"order": "-"}, "no column ''"),
        ({"order": "PatientID", "group_by": "sex"}, "no column 'PatientID'"),
        ({"order": "PatientID; DROP VIEW index"}, "no column"),
        ({"order": 'PatientID"'}, "no column"),
        ({"derived": "maybe"}, "include"),
        ({"group_by": "SliceThickness"}, "group_by"),
        ({"group_by": ["sex", "year", "license"]}, "group_by"),
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"offset": -1}, "offset"),
        ({"text": "\ud800"}, "text"),
        ({"patient_id": ["\ud800"]}, "patient_id"),
        ({"study_uid": "1.2,1.3"}, "is not a UID"),
        ({"modality": {"is": "CT"}}, "modality"),
        ({"modality": 7}, "modality"),
        ({"modality": [["CT"]]}, "modality"),
        ({"kvp": 120}, "kvp"),
    ],
)
async def test_what_cannot_be_understood_is_refused_in_a_short_sentence(
    connect: Connect, arguments: dict[str, Any], words: str
) -> None:
    answer = await ask(connect, **arguments)
    said = text_of(answer)
    assert answer.is_error
    assert words in said
    assert len(said) < 1_500
    assert not any(
        inner in said for inner in ("Traceback", "Exception", "duckdb", "parquet", "Binder", "site-packages")
    )


async def test_beyond_the_end(connect: Connect) -> None:
    said = await found(connect, modality="SM", offset=1_000_000_000)
    assert (said["rows"], said["next_offset"], said["complete"]) == ([], None, False)
    assert said["total"] == said["counts"]["series"] > 0


async def test_nothing_at_all_says_what_would_match(connect: Connect) -> None:
    said = await found(connect, modality="SM", sex="F", age="999")
    assert (said["total"], said["complete"], said["rows"]) == (0, True, [])
    women = scalar("count(*) FILTER (WHERE Modality = 'SM' AND PatientSex = 'F')")
    assert said["notes"][0] == f"Nothing matches all filters together: without age {women:,} series would."
    worse = await found(connect, modality="SM", body_part="CHEST", age="999")
    assert "leaving out any one of them, none would" in worse["notes"][0]


async def test_groups(connect: Connect) -> None:
    twice = await found(connect, group_by=["modality", "modality"], order="modality", limit=500)
    assert twice["total"] == scalar("count(DISTINCT Modality)") == len(twice["rows"])
    assert [row["modality"] for row in twice["rows"]] == sorted(row["modality"] for row in twice["rows"])
    assert sum(row["series"] for row in twice["rows"]) == scalar("count(*)")
    last = await found(connect, group_by="study", offset=scalar("count(DISTINCT StudyInstanceUID)") - 2)
    assert (last["returned"], last["next_offset"], last["complete"]) == (2, None, True)


async def test_an_empty_list_is_no_filter_and_says_so(connect: Connect) -> None:
    said = await found(connect, series_uid=[], limit=1)
    assert said["total"] == scalar("count(*)")
    assert "series_uid is an empty list, which filters nothing." in said["notes"]


async def test_any_argument_may_be_sql_and_stays_text(connect: Connect) -> None:
    async with connect(mine=(Google(Store()), "idc")) as client:
        (tool,) = [tool for tool in (await client.list_tools()).tools if tool.name == "search_idc"]
        assert len(tool.description or "") < 2_048
        for name in tool.input_schema["properties"]:
            for text in ("' OR 1=1 --", '"; DROP VIEW index; -- /* $modality a\0b \x1b[2J \u202e'):
                said = await asked(client, **{name: text})
                if not said.is_error:
                    assert (name, said.structured_content["total"]) == ("text", 0)  # type: ignore[index]
                assert not any(inner in text_of(said) for inner in INNER)
        assert (await asked(client, limit=1)).structured_content


async def test_what_became_of_uids_that_match_nothing(connect: Connect) -> None:
    index, prior = tables()["index"].path, tables()["prior_versions_index"].path
    assert index
    assert prior
    with duckdb.connect() as plain:
        study, series = plain.execute(
            f"SELECT StudyInstanceUID, SeriesInstanceUID FROM '{index.as_posix()}' WHERE aws_bucket <> 'idc-open-data' "
            "ORDER BY ALL LIMIT 1"
        ).fetchall()[0]
        gone, last = plain.execute(
            f"SELECT SeriesInstanceUID, max(max_idc_version) FROM '{prior.as_posix()}' WHERE SeriesInstanceUID NOT IN "
            f"(SELECT SeriesInstanceUID FROM '{index.as_posix()}') GROUP BY 1 ORDER BY 1 LIMIT 1"
        ).fetchall()[0]
    said = await found(connect, series_uid=[series, study, gone, "1.2.3"])
    assert [row["SeriesInstanceUID"] for row in said["rows"]] == [series]
    assert said["rows"][0]["aws_bucket"] != "idc-open-data"
    assert {"series_init_idc_version", "series_revised_idc_version"} <= said["rows"][0].keys()
    notes = said["notes"]
    assert f"{study} is the UID of a study, not of a series: pass it as study_uid." in notes
    assert any(note.startswith(gone) and f"to v{last} had it" in note for note in notes)
    assert any(note.startswith("1.2.3 is no study or series of IDC") for note in notes)
    assert any(note.startswith("1 of 1 UIDs are not in idc-google") for note in notes)
    assert len((await found(connect, series_uid=[f"1.2.3.{n}" for n in range(1, 8)]))["notes"]) == 6


async def test_data_that_are_no_analysis_result_do_not_lack_a_value(connect: Connect) -> None:
    said = await found(connect, analysis_result="*", limit=1)
    assert said["counts"]["derived_series"] == said["counts"]["series"] > 0
    assert "without_value" not in said
