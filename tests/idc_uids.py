"""UIDs of the installed index, read from its files by DuckDB itself: always the same ones of one release."""

from typing import Any

import duckdb
import idc_index_data

FILES = {name: table["parquet_filepath"] for name, table in idc_index_data.INDEX_METADATA.items()}
GONE = "SeriesInstanceUID NOT IN (SELECT SeriesInstanceUID FROM idc_index)"


def plain(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a SELECT over ``idc_index`` and ``prior_versions_index`` finds."""
    with duckdb.connect() as connection:
        for name in ("idc_index", "prior_versions_index"):
            connection.execute(f"CREATE VIEW {name} AS FROM '{FILES[name]}'")
        return connection.execute(sql, values or None).fetchall()


def picked(columns: str, where: str = "true", many: int = 1, table: str = "idc_index") -> list[tuple[Any, ...]]:
    """Some rows that fulfil a condition, picked by a hash."""
    sql = f"SELECT {columns} FROM {table} WHERE {where} ORDER BY hash(SeriesInstanceUID) LIMIT {many}"
    found = plain(sql)
    assert found, f"the release has no such row: {where}"
    return found
