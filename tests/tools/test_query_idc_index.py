"""query_idc_index through a client: rows, what was cut and how that is said, refusals, and the budget of both halves."""

from collections.abc import Callable
from typing import Any

import pytest

from dicomweb_mcp.idc.wheel import release, tables
from dicomweb_mcp.tools.answers import LIST_BUDGET
from fakes.google import Google
from fakes.store import Store
from tools.eras import IN_BOTH_ERAS
from tools.reading import answer, call, characters, refusal, text_of

pytestmark = pytest.mark.anyio
Connect = Callable[..., Any]
TOOL = "query_idc_index"


def idc() -> tuple[Google, str]:
    return Google(Store()), "idc"


@IN_BOTH_ERAS
async def test_rows_with_the_release_they_are_of(connect: Connect) -> None:
    async with connect(mirror=idc()) as client:
        found = await answer(client, TOOL, sql="SELECT * FROM (VALUES (1, NULL), (2, 'b|c')) AS t(x, y)")
        assert found == {
            "archive": "mirror",
            "index_release": release(),
            "returned": 2,
            "complete": True,
            "rows": [{"x": 1, "y": None}, {"x": 2, "y": "b|c"}],
        }
        assert "x|y\n1|null\n2|b\\|c" in text_of(await call(client, TOOL, sql="VALUES (1, NULL), (2, 'b|c')")).replace(
            "col0|col1", "x|y"
        )


async def test_the_index_is_there_without_an_archive_of_idc(connect: Connect) -> None:
    async with connect(pacs=(Google(Store()), "google")) as client:
        found = await answer(client, TOOL, sql="SELECT count(*) AS n FROM index")
        assert (found["archive"], found["rows"][0]["n"] > 1_000, found["complete"]) == ("idc", True, True)


async def test_what_is_missing_is_said(connect: Connect) -> None:
    async with connect(mirror=idc()) as client:
        more = await answer(client, TOOL, sql="SELECT collection_id FROM index ORDER BY 1", max_rows=3)
        assert (more["returned"], len(more["rows"]), more["complete"]) == (3, 3, False)
        assert "more rows than max_rows" in more["notes"][0]
        cut = await answer(client, TOOL, sql="SELECT list(PatientID) AS patients, 1 AS one FROM index")
        assert (cut["returned"], cut["complete"]) == (1, False)
        assert "cut in: patients" in cut["notes"][0]
        none = await answer(client, TOOL, sql="SELECT PatientID FROM index WHERE Modality = 'ct'")
        assert (none["returned"], none["rows"], none["complete"]) == (0, [], True)
        assert "ILIKE" in none["notes"][0]


WIDE = ", ".join(f"repeated.description AS d{number}" for number in range(100))
NAMED = ", ".join(f"q AS {'n' * 55}{number}" for number in range(100))
QUOTED = f"WITH t AS (SELECT '{chr(34) * 300}' AS q FROM collections_index) SELECT {NAMED} FROM t"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM index ORDER BY SeriesInstanceUID",
        "SELECT * FROM collections_index JOIN analysis_results_index ON true ORDER BY ALL",
        f"SELECT {WIDE} FROM collections_index AS repeated",
        QUOTED,
    ],
)
async def test_both_halves_fit_and_keep_the_first_rows(connect: Connect, sql: str) -> None:
    async with connect(mirror=idc()) as client:
        result = await call(client, TOOL, sql=sql, max_rows=500)
        found = result.structured_content
        assert 1 <= found["returned"] == len(found["rows"]) < 500
        assert found["complete"] is False
        assert any("rows fit into one answer" in note for note in found["notes"])
        assert max(characters(found), len(text_of(result))) <= LIST_BUDGET
        first = await answer(client, TOOL, sql=sql, max_rows=1)
        assert first["rows"][0].keys() == found["rows"][0].keys()


async def test_refusals_tell_what_to_do_and_nothing_of_the_machine(connect: Connect) -> None:
    folders = {str(table.path.parent) for table in tables().values() if table.path}
    async with connect(mirror=idc()) as client:
        for sql, told in [
            ("DROP VIEW index", "read-only"),
            ("FROM read_text('/etc/passwd')", "not offered in FROM"),
            ("SELECT view_definition FROM duckdb_views()", "not offered in FROM"),
            ("SELECT SliceThickness FROM index", "ct_index"),
            ("SELECT * FROM sm_index", "describe_slide"),
            ("SELECT getenv('HOME')", "getenv is not offered"),
            ("SELECT 1; SELECT 2", "exactly one SELECT"),
        ]:
            message = await refusal(client, TOOL, sql=sql)
            assert told in message
            assert not any(folder in message for folder in folders)
        assert "max_rows" in await refusal(client, TOOL, sql="SELECT 1", max_rows=501)
        assert await answer(client, TOOL, sql="SELECT count(*) AS n FROM index")
