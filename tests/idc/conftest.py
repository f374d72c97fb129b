"""The index read a second way: DuckDB's own connection, and plain Python from there on."""

from collections.abc import Iterator

import duckdb
import pytest

from dicomweb_mcp.idc.index import Session, the_index
from dicomweb_mcp.idc.wheel import tables


@pytest.fixture(scope="session")
def plain() -> Iterator[duckdb.DuckDBPyConnection]:
    """Views of all tables of the package in a connection that has nothing to do with the program's."""
    connection = duckdb.connect()
    for table in tables().values():
        if table.path:
            connection.execute(f"CREATE VIEW {table.name} AS SELECT * FROM read_parquet('{table.path.as_posix()}')")
    file = tables()["index"].path
    assert file
    connection.execute(
        "CREATE VIEW numbered AS SELECT *, file_row_number AS place "
        f"FROM read_parquet('{file.as_posix()}', file_row_number=true)"
    )
    yield connection
    connection.close()


@pytest.fixture
def session() -> Iterator[Session]:
    index = the_index()
    assert index
    with index.session(seconds=60) as entered:
        yield entered
