"""The index, opened: DuckDB over the parquet files of the package, with nothing else in its reach."""

import threading
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from ..errors import Problem
from .wheel import is_installed, tables

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = "512MB"
THREADS = 2
MOST_SECONDS = 10.0
AGAIN = 0.02  # seconds between interruptions
LOCKED = (
    "enable_external_access",
    "autoload_known_extensions",
    "autoinstall_known_extensions",
    "allow_community_extensions",
)

UNREADABLE = "The index of IDC cannot be read and may be damaged: install the package idc-index-data again."

Row = dict[str, Any]
Parameters = Sequence[object] | Mapping[str, object]


class IndexProblem(Problem):
    """A question that the index cannot answer: what is wrong with it, and what to do next."""


class Session:
    """Questions to the index from one thread; another one may ``interrupt`` them. Ends with its ``with`` block, and is
    interrupted so many seconds after its beginning."""

    def __init__(self, connection: "DuckDBPyConnection", seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds
        self._stopped, self._ended = threading.Event(), threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._stopped.set()
        self._watching.join()  # a thread that the end of the program meets would hold on to the connection
        self._connection.close()

    def _watch(self) -> None:
        """DuckDB forgets an interruption that comes before its query, so it is repeated until the session ends."""
        self._stopped.wait(self._seconds)
        self._stopped.set()
        while not self._ended.wait(AGAIN):
            self._connection.interrupt()

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Every row of a SELECT of this program's own. Raises IndexProblem when it takes too long, or fails."""
        import duckdb

        try:
            names, found = self.table(sql, parameters)
        except duckdb.Error as problem:
            raise IndexProblem(UNREADABLE) from problem
        return [dict(zip(names, row, strict=True)) for row in found]

    def table(
        self, sql: str, parameters: Parameters = (), most: int | None = None
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The names of the columns, and the rows, at most so many. Raises IndexProblem when it takes too long."""
        import duckdb

        try:
            if not self._stopped.is_set():
                answer = self._connection.execute(sql, parameters or None)
                names = [column[0] for column in answer.description or ()]
                return names, answer.fetchall() if most is None else answer.fetchmany(most)
        except duckdb.InterruptException:
            pass
        except duckdb.OutOfMemoryException:
            raise IndexProblem(
                f"This needs more than the {MEMORY} of memory that there are: filter, group, or join on a key first."
            ) from None
        raise IndexProblem(
            f"The index of IDC had no answer within {self._seconds:g} s and was stopped: ask for less, or with more "
            "filters."
        )

    def interrupt(self) -> None:
        """Stop what runs at present, and refuse what would run next."""
        self._stopped.set()


class Index:
    """The index of the release that is installed. Any thread may ask it."""

    def __init__(self) -> None:
        """Raises IndexProblem when the files are missing or damaged."""
        self._connection = _opened()
        self._making = threading.Lock()

    def session(self, seconds: float = MOST_SECONDS) -> Session:
        """A session, to be entered."""
        with self._making:  # one thread at a time may use a connection
            return Session(self._connection.cursor(), seconds)


@cache
def the_index() -> Index | None:
    """The index, opened when first asked for and then kept; None without the extra ``idc``."""
    return Index() if is_installed() else None


def _opened() -> "DuckDBPyConnection":
    """A database in memory whose views are the tables of the package. It reaches no other file, loads no extension,
    spills nothing to disk, and cannot be set otherwise."""
    import duckdb

    connection = duckdb.connect(config={"threads": THREADS, "memory_limit": MEMORY, "temp_directory": ""})
    try:
        files = {table.name: str(table.path) for table in tables().values() if table.path}
        for name, file in files.items():
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({_literal(file)})")
    except (duckdb.Error, OSError) as problem:
        raise IndexProblem(UNREADABLE) from problem
    connection.execute(f"SET allowed_paths=[{', '.join(map(_literal, files.values()))}]")
    for setting in LOCKED:
        connection.execute(f"SET {setting}=false")
    connection.execute("SET lock_configuration=true")
    return connection


def numbered() -> str:
    """The main table for a FROM of this program's own, with ``file_row_number``: the place of each row in it."""
    return f"read_parquet({_literal(str(tables()['index'].path))}, file_row_number=true)"


def _literal(text: str) -> str:
    """Text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"
