"""The package ``idc-index-data``: which tables there are, with their columns, and of which release of IDC.

It comes with the extra ``idc``. Nothing of it is imported before it is first asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

HOW_TO_INSTALL = "install dicomweb-mcp with the extra idc: uvx 'dicomweb-mcp[idc]', or pip install 'dicomweb-mcp[idc]'"


@dataclass(frozen=True)
class Column:
    """A column of a table: its type as BigQuery names it, REPEATED where a cell holds several."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class Table:
    """A table of IDC's index. ``path`` is None where the package has its description alone."""

    name: str
    path: Path | None
    description: str
    columns: Mapping[str, Column]


def is_installed() -> bool:
    """Whether the extra ``idc`` is there."""
    return find_spec("duckdb") is not None and find_spec("idc_index_data") is not None


@cache
def release() -> str:
    """The release of IDC that the index describes, such as ``v25``: the first number of the package's version."""
    return f"v{metadata.version('idc-index-data').partition('.')[0]}"


@cache
def tables() -> Mapping[str, Table]:
    """Every table by its name; the main one, a row for each series, is called ``index``."""
    import idc_index_data

    return {table.name: table for table in map(_table, idc_index_data.INDEX_METADATA.items())}


def _table(described: tuple[str, dict]) -> Table:  # type: ignore[type-arg]
    name, item = described
    columns = [
        Column(column["name"], _type(column), column.get("description", "")) for column in item["schema"]["columns"]
    ]
    return Table(
        name="index" if name == "idc_index" else name,
        path=Path(item["parquet_filepath"]) if item["parquet_filepath"] else None,
        description=item["schema"].get("table_description", ""),
        columns={column.name: column for column in columns},
    )


def _type(column: Mapping[str, str]) -> str:
    repeated = " REPEATED" if column.get("mode") == "REPEATED" else ""
    return f"{column['type']}{repeated}"
