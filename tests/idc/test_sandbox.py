"""What the sandbox refuses, what it lets pass, and that whatever passes ends: in rows, a refusal or an interruption."""

import threading
from pathlib import Path

import pytest

from dicomweb_mcp.idc.index import Index, IndexProblem, the_index
from dicomweb_mcp.idc.query import run
from dicomweb_mcp.idc.sandbox import LONGEST_SQL, check
from dicomweb_mcp.idc.wheel import tables

AGGREGATED = "WITH a AS (SELECT string_agg(SeriesInstanceUID) AS s FROM index) "


@pytest.fixture(scope="module")
def index() -> Index:
    index = the_index()
    assert index is not None
    return index


def refusal(index: Index, sql: str) -> str:
    """Why a statement is refused by the check alone, with nothing of it run."""
    with index.session() as session, pytest.raises(IndexProblem) as raised:
        check(session, sql)
    message = str(raised.value)
    assert not any(part in message for part in machine())
    return message


def machine() -> list[str]:
    """What would tell of this machine: the folders that the tables lie in."""
    return [str(table.path.parent) for table in tables().values() if table.path] + [str(Path.home())]


STATEMENTS = [
    "DROP VIEW index",
    "CREATE TABLE t AS SELECT 1",
    "CREATE MACRO lower(x) AS 1",
    "CREATE OR REPLACE VIEW index AS SELECT 1",
    "INSERT INTO index SELECT * FROM index",
    "COPY index TO 'stolen.csv'",
    "COPY (SELECT 1) TO 'stolen.csv'",
    "EXPORT DATABASE 'stolen'",
    "ATTACH 'other.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET memory_limit = '100GB'",
    "RESET memory_limit",
    "PRAGMA database_list",
    "CALL pragma_version()",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "EXPLAIN ANALYZE SELECT 1",
    "CHECKPOINT",
    "BEGIN",
    "USE memory",
    "VACUUM",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP VIEW index",
    "",
    ";",
    "-- nothing",
    "SELECT 1 /* without an end",
]
TABLES = [
    "FROM '/etc/passwd'",
    "FROM 'other.parquet'",
    "SELECT * FROM 'C:\\other.csv'",
    "FROM read_text('/etc/passwd')",
    "FROM read_csv('/etc/passwd')",
    "FROM read_parquet('x.parquet')",
    "FROM read_blob('x')",
    "FROM glob('/*')",
    "FROM query('SELECT 1')",
    "FROM query_table('index')",
    "FROM range(1000000000000)",
    "FROM generate_series(1, 1000000000000)",
    "FROM repeat('x', 1000000000)",
    "FROM duckdb_views()",
    "FROM duckdb_settings()",
    "FROM duckdb_views",
    "FROM information_schema.tables",
    "FROM sqlite_master",
    "FROM pg_catalog.pg_views",
    "FROM main.index",
    "FROM memory.main.index",
    "FROM parquet_metadata('x')",
    "FROM json_execute_serialized_sql('x')",
    "DESCRIBE SELECT * FROM duckdb_settings()",
    "SUMMARIZE SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM (SHOW DATABASES)",
    "SHOW ALL TABLES",
    "SELECT (SELECT max(content) FROM read_text('/etc/passwd'))",
    "SELECT 1 WHERE EXISTS (FROM '/etc/passwd')",
    "SELECT 1 FROM index ORDER BY (SELECT 1 FROM '/etc/passwd')",
    "SELECT 1 LIMIT (SELECT 1 FROM '/etc/passwd')",
    "WITH a AS (FROM '/etc/passwd') SELECT 1",
    "WITH \"/etc/passwd\" AS (SELECT 1) FROM read_text('/etc/passwd')",
    'SELECT * FROM (WITH "x.csv" AS (SELECT 1) FROM "x.csv"), \'x.csv\'',
    "WITH read_text AS (SELECT 1) FROM read_text('/etc/passwd')",
    "FROM index, LATERAL (FROM read_text(PatientID))",
    "VALUES ((SELECT 1 FROM '/etc/passwd'))",
    "SELECT 1 UNION ALL FROM '/etc/passwd'",
    "FROM index PIVOT (count(*) FOR Modality IN ('CT'))",
    "UNPIVOT index ON PatientID",
    "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t",
    "FROM index AT (VERSION => 1)",
]
EXPRESSIONS = [
    "getenv('HOME')",
    "GETENV('HOME')",
    "\"getenv\"('HOME')",
    "system.main.getenv('HOME')",
    "'HOME'.getenv()",
    "/* */ getenv/**/('HOME')",
    "current_setting('temp_directory')",
    "getvariable('x')",
    "repeat('x', 3000000000)",
    "lpad('x', 3000000000, 'y')",
    "printf('%1000000000d', 1)",
    "format('{:1000000000}', 1)",
    "bitstring('1', 1000000000)",
    "range(1000000000)",
    "list_resize([1], 1000000000)",
    "list_transform([1], lambda x: x + 1)",
    "[x + 1 FOR x IN [1, 2]]",
    "list_reduce([1], lambda x, y: x)",
    "CAST(NULL AS INT[100000])",
    "CAST('1' AS BIGNUM)",
    "CAST('x' AS BLOB)",
    "COLUMNS('.*')",
    "COLUMNS(*)",
    "* REPLACE (1 AS PatientID)",
    "* RENAME (PatientID AS x)",
    "$1",
    "?",
    "nextval('x')",
    "pg_sleep(100)",
    "error('x')",
    "write_log('x')",
    "json_serialize_sql('SELECT 1')",
    "replace(PatientID, 'a', 'aaaaaaaaaaaaaaaaaaaa')",
    "replace(PatientID, '', 'a')",
    "replace(PatientID, 'a', StudyInstanceUID)",
    "regexp_replace(PatientID, '.', '\\0\\0', 'g')",
    "regexp_matches(PatientID, '(a{0,900})b')",
    "regexp_matches(PatientID, SeriesDescription)",
    "string_split(PatientID, '')",
    "contains(PatientID, SeriesDescription)",
    "max(PatientID, 900000)",
    "count(*) FILTER (getenv('HOME') = 'x')",
    "sum(1) OVER (ORDER BY getenv('HOME'))",
    "CASE WHEN getenv('HOME') = 'x' THEN 1 END",
]


@pytest.mark.parametrize("sql", [*STATEMENTS, *TABLES, *(f"SELECT {one} FROM index" for one in EXPRESSIONS)])
def test_refused_before_anything_is_run(index: Index, sql: str) -> None:
    assert len(refusal(index, sql)) > 30


def chained(first: str, link: str, last: str, length: int) -> str:
    """``last`` over a chain of common table expressions c0, c1, ..., each of the one before."""
    links = [f"c{number} AS ({link.format(before=f'c{number - 1}')})" for number in range(1, length)]
    return f"WITH c0 AS ({first}), {', '.join(links)} {last.format(before=f'c{length - 1}')}"


GROWING = {
    "texts": chained(
        "SELECT PatientID AS s FROM index", "SELECT s || s AS s FROM {before}", "SELECT s FROM {before}", 28
    ),
    "lists": chained(
        "SELECT PatientID AS s FROM index", "SELECT [s, s] AS s FROM {before}", "SELECT s FROM {before}", 28
    ),
    "types": chained("SELECT 1 AS s", "SELECT (s, s) AS s FROM {before}", "SELECT s FROM {before}", 28),
    "tables": chained("SELECT 1 AS s", "SELECT a.s FROM {before} a, {before} b", "SELECT s FROM {before}", 28),
    "aliases": "SELECT 1 AS a0, " + ", ".join(f"a{number} + a{number} AS a{number + 1}" for number in range(28)),
    "renamed": chained("SELECT 1", "SELECT x + x FROM {before} AS t(x)", "SELECT * FROM {before}", 28),
    "unnamed": f"SELECT * FROM {'(SELECT a + a AS a FROM ' * 28}(SELECT 1 AS a){')' * 28} WHERE a > 1",
    "union": chained(
        "SELECT 1 AS s", "SELECT 1 AS s UNION ALL SELECT s + s FROM {before}", "SELECT s FROM {before}", 28
    ),
    "costly": AGGREGATED + "SELECT regexp_matches(s, '1(.|..|...)(.|..|...)z') FROM a",
    "split": AGGREGATED + "SELECT len(string_split(t.s, '1')) FROM a AS t",
    "joined": AGGREGATED + "SELECT s, PatientID FROM a, index",
    "scalar": "SELECT (SELECT list(SeriesInstanceUID) FROM index), PatientID FROM index",
    "unnested": AGGREGATED + "SELECT s, unnest([1, 2, 3]) FROM a",
    "unnested beside": "SELECT unnest([1, 2, 3]), list(SeriesInstanceUID) FROM index",
    "correlated": AGGREGATED + "SELECT 1 FROM a WHERE EXISTS (SELECT 1 FROM index WHERE len(a.s) > 1)",
    "first of a window": "SELECT first_value(l) OVER () FROM (SELECT list(PatientID) AS l FROM index GROUP BY Modality)",
    "window": "SELECT list(SeriesInstanceUID) OVER () FROM index",
    "list of lists": "SELECT list(l) FROM (SELECT list(SeriesInstanceUID) AS l FROM index GROUP BY collection_id)",
    "in another name": AGGREGATED + "SELECT list_sort([u.*]) FROM (SELECT x AS y FROM a AS t(x)) AS u",
    "long": f"SELECT '{'x' * LONGEST_SQL}'",
    "deep": f"SELECT * FROM {'(SELECT * FROM ' * 400}index{')' * 400}",
    "parentheses": f"SELECT {'(' * 4000}1{')' * 4000}",
    "joins": "SELECT 1 FROM index a0" + "".join(f" JOIN index a{number} USING (PatientID)" for number in range(1, 120)),
    "searches": "SELECT " + " AND ".join(f"PatientID LIKE '%{number}_%'" for number in range(200)) + " FROM index",
}


@pytest.mark.parametrize("sql", GROWING.values(), ids=GROWING)
def test_what_grows_without_end_is_refused(index: Index, sql: str) -> None:
    assert len(refusal(index, sql)) < 400


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT length(string_agg(a.SeriesInstanceUID)) FROM index a, index b",
        "SELECT count(DISTINCT a.SeriesInstanceUID || b.SeriesInstanceUID) FROM index a, index b",
        "SELECT * FROM index a, index b ORDER BY a.SeriesInstanceUID || b.SeriesInstanceUID",
        "SELECT median(a.series_size_MB + b.series_size_MB) FROM index a, index b",
    ],
)
def test_what_needs_too_much_memory_is_told_so(index: Index, sql: str) -> None:
    with index.session() as session, pytest.raises(IndexProblem, match="more than the 512MB of memory"):
        run(session, sql, 10)
    with index.session() as session:  # and the index goes on
        assert run(session, "SELECT 1 AS one", 10).rows == [{"one": 1}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM index a, index b, index c WHERE a.PatientID < b.PatientID || c.PatientID",
        "SUMMARIZE SELECT * FROM index a, index b",
    ],
)
def test_an_endless_query_is_stopped(index: Index, sql: str) -> None:
    with index.session(0.3) as session, pytest.raises(IndexProblem, match="was stopped"):
        run(session, sql, 10)
    assert threading.active_count() < 20


def test_what_the_index_itself_refuses_tells_nothing_of_the_machine(index: Index) -> None:
    """Below the check there is the second wall: DuckDB may open nothing but the files of the package."""
    with index.session() as session:
        for sql in ("SELECT * FROM read_text('/etc/passwd')", "COPY (SELECT 1) TO 'stolen.csv'", "SET threads = 9"):
            with pytest.raises(Exception, match=r"disabled|locked"):
                session.table(sql)
