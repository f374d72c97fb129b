"""A second look at the data of the index: the package's parquet files, read by a connection of the test's own."""

from functools import cache
from typing import Any

import duckdb
import idc_index_data


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 2})
    for name, item in idc_index_data.INDEX_METADATA.items():
        if item["parquet_filepath"]:
            table = "index" if name == "idc_index" else name
            connection.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{item['parquet_filepath']}')")
    return connection


def plain_rows(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    return _connection().execute(sql, list(parameters)).fetchall()
