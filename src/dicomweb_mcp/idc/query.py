"""Answers one SELECT of a stranger: checked, bounded in time, rows and cells, and in values that JSON has."""

import json
import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..dicom.values import clean
from .elsewhere import unknown_column
from .index import IndexProblem, Row, Session
from .sandbox import check
from .wheel import tables

MOST_ROWS = 500
LONGEST_CELL = 500  # characters
MOST_COLUMNS = 100
LONGEST_MESSAGE = 400
LONGEST_NAME = 60  # characters of a column that has no name of its own
EXACT = 2**53  # greater integers are written as text: many readers of JSON know no more digits
PLAIN = re.compile(r"(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|BOOLEAN|DECIMAL\(\d+,\s*\d+\))$")
NESTED = re.compile(r"(STRUCT|TUPLE|MAP)\(|.*\]$", re.DOTALL)
MISSING = [
    re.compile(r'Referenced column "(?P<name>[^"]+)" not found'),
    re.compile(r'does not have a column named "(?P<name>[^"]+)"'),
    re.compile(r'Column "(?P<name>[^"]+)" (in EXCLUDE list not found|does not exist)'),
]


@dataclass(frozen=True)
class Queried:
    """The rows, whether there are more, and the names of the columns whose values were cut."""

    names: list[str]
    rows: list[Row]
    more: bool
    cut: list[str]


def run(session: Session, sql: str, max_rows: int) -> Queried:
    """At most so many rows of one SELECT. Raises IndexProblem for what is not offered, fails or takes too long."""
    import duckdb

    check(session, sql)
    try:
        return _run(session, sql.strip().rstrip("; \n\t"), max_rows)
    except duckdb.ParserException:  # although it was parsed before: it does not end where it seems to
        raise IndexProblem("Leave out the semicolon at the end of the SQL, and what follows it.") from None
    except duckdb.Error as error:
        raise IndexProblem(_explained(error, sql)) from None


def _run(session: Session, sql: str, max_rows: int) -> Queried:
    # The line break ends a comment. Cells are cut before they leave DuckDB: one may have 60 MB.
    _, described = session.table(f"DESCRIBE SELECT * FROM ({sql}\n)")
    if len(described) > MOST_COLUMNS:
        raise IndexProblem(f"The query has {len(described)} columns; at most {MOST_COLUMNS} are answered.")
    types = [row[1] for row in described]
    columns = [f"c{number}" for number in range(len(types))]
    shown = ", ".join(map(_shown, columns, types))
    _, found = session.table(
        f"SELECT {shown} FROM ({sql}\n) AS t({', '.join(columns)}) LIMIT {max_rows + 1}", (), MOST_ROWS + 1
    )
    names = _distinct([row[0] for row in described])
    cut: dict[str, None] = {}
    rows = []
    for cells in found[:max_rows]:
        row: Row = {}
        for name, type_, value in zip(names, types, cells, strict=True):
            row[name], was_cut = _value(value, type_)
            if was_cut:
                cut[name] = None
        rows.append(row)
    return Queried(names, rows, len(found) > max_rows, list(cut))


def _shown(column: str, type_: str) -> str:
    """How a column is selected: numbers as they are, everything else as text with one character more than is shown."""
    if PLAIN.match(type_):
        return column
    some = f"{column}[1:{LONGEST_CELL}]" if type_.endswith("[]") else column
    text = f"to_json({some})::VARCHAR" if NESTED.match(type_) else f"{column}::VARCHAR"
    whole = f"CASE WHEN {column} IS NOT NULL THEN {text} END"
    return f"left({whole}, {LONGEST_CELL + 1})"


def _value(value: Any, type_: str) -> tuple[Any, bool]:
    """A value that JSON has, and whether it was cut."""
    if isinstance(value, str):
        if len(value) > LONGEST_CELL:
            return _text(value[:LONGEST_CELL]) + "...", True
        nested = NESTED.match(type_) and not PLAIN.match(type_)
        return (_json(json.loads(value)) if nested else _text(value)), False
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    return _json(value), False


def _json(value: Any) -> Any:
    """Texts made harmless; numbers that JSON lacks, or that many of its readers cut, as text."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if type(value) is int and abs(value) > EXACT:
        return str(value)
    return value


def _text(value: str) -> str:
    """A text made harmless; one that is harmless keeps its blanks, so that it can be searched for as it is."""
    return value if value.isprintable() else clean(value)


def _distinct(names: list[str]) -> list[str]:
    """The names, with a number behind those that were there before."""
    taken: dict[str, None] = {}
    for name in (clean(name, LONGEST_NAME) or "column" for name in names):
        number, unique = 1, name
        while unique in taken:
            number += 1
            unique = f"{name}_{number}"
        taken[unique] = None
    return list(taken)


def _explained(error: Exception, sql: str) -> str:
    """DuckDB's own words without its picture of the place and without anything of this machine; help for columns."""
    text = str(error)
    for pattern in MISSING:
        if found := pattern.search(text):
            used = [name for name, table in tables().items() if table.path and re.search(rf"\b{name}\b", sql, re.I)]
            return f"{unknown_column(found['name'], used)} DESCRIBE table lists the columns."
    text = re.split(r"\n\s*(?:LINE \d|Candidate functions)", text)[0]
    if type(error).__name__ not in SAID:
        text = "DuckDB could not do it"
    words = " ".join(text.split())[:LONGEST_MESSAGE]
    return f"{words.rstrip('.')}. Nothing was answered."


SAID = {
    "BinderException", "CatalogException", "ConversionException", "InvalidInputException", "OutOfRangeException",
    "SyntaxException", "TypeMismatchException", "NotImplementedException",
}  # fmt: skip
"""Errors that tell of the statement and its values alone."""
