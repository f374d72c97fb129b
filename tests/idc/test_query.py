"""Queries through the sandbox hold against plain SQL over the same files; and what an answer of one is made of."""

import json
from collections.abc import Iterator

import duckdb
import pytest

from dicomweb_mcp.idc.index import Index, IndexProblem, the_index
from dicomweb_mcp.idc.query import EXACT, LONGEST_CELL, MOST_COLUMNS, Queried, run
from dicomweb_mcp.idc.wheel import tables


@pytest.fixture(scope="module")
def index() -> Index:
    index = the_index()
    assert index is not None
    return index


@pytest.fixture(scope="module")
def plain() -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB without limits over the same files."""
    with duckdb.connect() as connection:
        for table in tables().values():
            if table.path:
                connection.execute(f"CREATE VIEW {table.name} AS SELECT * FROM read_parquet('{table.path.as_posix()}')")
        yield connection


def ask(index: Index, sql: str, max_rows: int = 100) -> Queried:
    with index.session() as session:
        return run(session, sql, max_rows)


def refusal(index: Index, sql: str) -> str:
    with pytest.raises(IndexProblem) as raised:
        ask(index, sql)
    return str(raised.value)


ORDINARY = [
    "SELECT count(*) AS series, count(DISTINCT (collection_id, PatientID)) AS patients FROM index",
    "SELECT Modality, count(*) AS n FROM index GROUP BY ALL ORDER BY n DESC, Modality",
    "FROM index SELECT collection_id, Modality WHERE Modality IN ('CT', 'MR') ORDER BY ALL LIMIT 20 OFFSET 5;",
    "SELECT SeriesInstanceUID FROM index ORDER BY SeriesInstanceUID DESC -- the last ones",
    "SELECT i.collection_id, c.cancer_types, round(sum(i.series_size_MB), 3) AS mb FROM index AS i "
    "JOIN collections_index AS c USING (collection_id) WHERE i.BodyPartExamined ILIKE '%lung%' GROUP BY ALL ORDER BY 1",
    "WITH mr AS (SELECT DISTINCT collection_id FROM index WHERE Modality = 'MR'), "
    "ct AS MATERIALIZED (SELECT DISTINCT collection_id FROM index WHERE Modality = 'CT') "
    "SELECT collection_id FROM mr JOIN ct USING (collection_id) ORDER BY 1",
    "SELECT collection_id, s.source_doi, s.license.license_short_name AS license FROM collections_index, "
    "unnest(sources) AS t(s) ORDER BY ALL",
    "SELECT collection_id, unnest(string_split(tumor_locations, ',')) AS place FROM collections_index ORDER BY ALL",
    "SELECT collection_id, Modality, n FROM (SELECT collection_id, Modality, count(*) AS n FROM index GROUP BY ALL) "
    "QUALIFY row_number() OVER (PARTITION BY Modality ORDER BY n DESC, collection_id) <= 2 ORDER BY ALL",
    "SELECT date_part('year', TRY_CAST(StudyDate AS DATE)) AS year, count(*) AS n FROM index GROUP BY 1 ORDER BY 1",
    "SELECT year(StudyDate::DATE) // 10 * 10 AS decade, median(instanceCount) AS images, "
    "quantile_cont(series_size_MB, 0.9) AS mb FROM index WHERE StudyDate IS NOT NULL GROUP BY decade ORDER BY decade",
    "SELECT CASE WHEN Modality = 'SM' THEN 'slides' WHEN Modality IN ('SEG', 'SR', 'ANN') THEN 'derived' ELSE 'other' "
    "END AS kind, count(*) FILTER (WHERE analysis_result_id IS NOT NULL) AS results FROM index GROUP BY kind ORDER BY kind",
    "SELECT collection_id, string_agg(DISTINCT Modality, '+' ORDER BY Modality) AS modalities FROM index "
    "GROUP BY collection_id HAVING count(DISTINCT Modality) BETWEEN 2 AND 4 ORDER BY collection_id",
    "SELECT 's3://' || aws_bucket || '/' || crdc_series_uuid || '/*' AS url FROM index ORDER BY url",
    "SELECT PatientID, list(DISTINCT collection_id ORDER BY collection_id) AS collections FROM index "
    "GROUP BY PatientID HAVING len(collections) > 1 ORDER BY PatientID",
    "SELECT (SELECT max(SeriesDate) FROM index) AS last, nullif(0, 0) AS nothing, 1 = ANY(SELECT 1) AS found",
    "SELECT count(*) AS n FROM prior_versions_index AS p WHERE NOT EXISTS "
    "(SELECT 1 FROM index AS i WHERE i.SeriesInstanceUID = p.SeriesInstanceUID)",
    "SELECT count(*) AS n FROM index AS i ANTI JOIN collections_index AS c USING (collection_id)",
    "SELECT regexp_extract(PatientAge, '^0*([0-9]+)Y$', 1)::INTEGER AS age, count(*) AS n FROM index "
    "WHERE regexp_matches(PatientAge, '^[0-9]+Y$') GROUP BY 1 ORDER BY 1",
    "SELECT replace(StudyDate, '-', '') AS d FROM index WHERE d > '2000' GROUP BY d ORDER BY d",
    "SELECT Modality, PatientSex, count(*) AS n FROM index GROUP BY GROUPING SETS ((Modality), (Modality, PatientSex)) "
    "ORDER BY 1, 2, 3",
    "SELECT idc_version, date_diff('day', lag(version_timestamp::DATE) OVER (ORDER BY idc_version), "
    "version_timestamp::DATE) AS days FROM version_metadata_index ORDER BY idc_version",
    "SELECT 'CT' AS m UNION ALL SELECT DISTINCT Modality FROM index WHERE Modality SIMILAR TO '[MN].' ORDER BY m",
    "VALUES (1, 'a'), (2, NULL)",
    "SELECT analysis_result_id FROM analysis_results_index WHERE list_contains(string_split(modalities, ','), 'SEG') "
    "ORDER BY 1",
]  # fmt: skip


@pytest.mark.parametrize("sql", ORDINARY)
def test_ordinary_queries_say_what_plain_sql_says(index: Index, plain: duckdb.DuckDBPyConnection, sql: str) -> None:
    asked = plain.execute(sql)
    names = [column[0] for column in asked.description]
    truth = asked.fetchmany(101)
    found = ask(index, sql)
    assert found.names == names
    assert [tuple(row.values()) for row in found.rows] == [tuple(map(as_json, row)) for row in truth[:100]]
    assert found.more == (len(truth) > 100)
    assert found.cut == []
    json.dumps(found.rows, allow_nan=False)


def as_json(value: object) -> object:
    return float(value) if hasattr(value, "as_tuple") else value  # type: ignore[arg-type]


def test_rows_end_where_was_said(index: Index) -> None:
    three = "SELECT * FROM (VALUES (1), (2), (3)) AS t(x)"
    assert [(len(ask(index, three, most).rows), ask(index, three, most).more) for most in (2, 3, 4)] == [
        (2, True),
        (3, False),
        (3, False),
    ]


def test_values_are_such_as_json_has(index: Index) -> None:
    (row,) = ask(
        index,
        f"""SELECT 'nan'::DOUBLE AS nan, '-inf'::DOUBLE AS inf, {EXACT} AS exact, {EXACT + 1} AS great, 1.25 AS fraction,
        DATE '2001-02-03' AS day, TIMESTAMP '2001-02-03 04:05:06' AS moment, INTERVAL 3 DAYS AS span, NULL AS nothing,
        [1.5, NULL] AS numbers, (1, 'a') AS pair, [DATE '2001-02-03'] AS days, ['nan'::DOUBLE] AS nans, true AS yes,
        'a' || chr(0) AS control, '[1]' AS text""".replace("|| chr(0)", "|| '\n\u200bb'"),
    ).rows
    assert row == {
        "nan": "nan", "inf": "-inf", "exact": EXACT, "great": str(EXACT + 1), "fraction": 1.25,
        "day": "2001-02-03", "moment": "2001-02-03 04:05:06", "span": "3 days", "nothing": None,
        "numbers": [1.5, None], "pair": [1, "a"], "days": ["2001-02-03"], "nans": ["nan"], "yes": True,
        "control": "a b", "text": "[1]",
    }  # fmt: skip
    assert type(row["exact"]) is int


def test_names_stay_apart(index: Index) -> None:
    found = ask(index, "SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS A")
    assert list(found.rows[0].values()) == [1, 2, 3, 4]
    assert len(set(found.names)) == 4


def test_long_cells_are_cut_and_named(index: Index) -> None:
    """A text of some sixty megabytes, and a list of as many values; neither leaves DuckDB."""
    found = ask(
        index, "SELECT string_agg(SeriesInstanceUID) AS t, list(SeriesInstanceUID) AS l, 'short' AS s FROM index"
    )
    assert found.cut == ["t", "l"]
    (row,) = found.rows
    assert len(row["t"]) == len(row["l"]) == LONGEST_CELL + len("...")
    assert row["s"] == "short"
    whole = ask(index, f"SELECT left(string_agg(SeriesInstanceUID), {LONGEST_CELL}) AS t FROM index")
    assert (len(whole.rows[0]["t"]), whole.cut) == (LONGEST_CELL, [])


def test_too_many_columns_are_refused(index: Index) -> None:
    columns = ", ".join(f"{number} AS c{number}" for number in range(MOST_COLUMNS + 1))
    assert str(MOST_COLUMNS) in refusal(index, f"SELECT {columns}")


def test_the_schema_can_be_asked(index: Index) -> None:
    listed = {row["name"] for row in ask(index, "SHOW TABLES").rows}
    assert listed == {table.name for table in tables().values() if table.path}
    for name in listed:
        described = [row["column_name"] for row in ask(index, f"DESCRIBE {name}").rows]
        assert set(described) == set(tables()[name].columns)
    assert ask(index, "SUMMARIZE version_metadata_index").rows


def test_tables_that_are_elsewhere_are_named_with_the_way_there(index: Index) -> None:
    for table in tables().values():
        if table.path is None:
            message = refusal(index, f"SELECT * FROM {table.name}")
            assert "IDC's own MCP server (https://api.imaging.datacommons.cancer.gov/mcp)" in message
    assert "describe_slide" in refusal(index, "SELECT * FROM sm_index")
    assert "get_metadata" in refusal(index, "SELECT * FROM index JOIN CT_INDEX USING (SeriesInstanceUID)")
    assert "describe_object" in refusal(index, "SELECT * FROM seg_index")
    assert refusal(index, "SELECT * FROM collection_index").startswith(
        "There is no table 'collection_index'. There are: collections_index,"
    )
    assert "is called index here" in refusal(index, "SELECT * FROM idc_index")


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT SliceThickness FROM index", ["ct_index", "get_metadata"]),
        ("SELECT i.KVP FROM index AS i", ["ct_index", "get_metadata"]),
        ("SELECT ObjectiveLensPower FROM index", ["sm_index", "describe_slide"]),
        ("SELECT 1 FROM index WHERE segmented_SeriesInstanceUID = '1'", ["seg_index", "describe_object"]),
        ("SELECT SOPInstanceUID FROM index", ["sm_instance_index"]),
        ("SELECT cancer_types FROM index", ["it is in: collections_index"]),
        ("SELECT PatientsID FROM index", ["PatientID (STRING"]),
        ("SELECT x FROM index", ["collection_id, "]),
        ("SELEC 1", ["cannot be parsed", "near: 'SELEC 1'"]),
        ("SELECT 1; -- that is all", ["semicolon"]),
        ("SELECT PatientID, count(*) FROM index", ["must appear in the GROUP BY clause"]),
        ("SELECT PatientID + 1 FROM index", ["No function matches"]),
        ("SELECT PatientID::INTEGER FROM index", ["Could not convert"]),
        ("SELECT lowr(PatientID) FROM index", ["lowr is not offered. Near it: lower"]),
    ],
)
def test_an_error_tells_what_to_do(index: Index, sql: str, told: list[str]) -> None:
    message = refusal(index, sql)
    assert all(words in message for words in told), message
    assert len(message) < 2_500
    assert "LINE 1" not in message
