"""The index, opened: what it reaches, when it stops, what it leaves behind."""

import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic

import duckdb
import pytest

from dicomweb_mcp.idc.index import Index, IndexProblem, the_index
from dicomweb_mcp.idc.wheel import tables

ENDLESS = "SELECT count(*) AS pairs FROM index AS a, index AS b WHERE a.SeriesInstanceUID > b.StudyInstanceUID"
TOO_BIG = "SELECT string_agg(SeriesInstanceUID || StudyInstanceUID || PatientID, ',') AS text FROM index, range(20)"


@pytest.fixture
def index() -> Index:
    opened = the_index()
    assert opened
    return opened


def test_it_is_opened_once(index: Index) -> None:
    assert the_index() is index


def test_every_table_of_the_package_is_there_with_its_columns(index: Index) -> None:
    for table in tables().values():
        if table.path:
            with index.session() as session:
                names, rows = session.table(f"SELECT * FROM {table.name}", most=1)
            assert set(names) == set(table.columns)
            assert len(rows) == 1


def test_a_session_that_has_ended_answers_nothing_and_closes_its_connection(index: Index) -> None:
    session = index.session()
    with session:
        assert session.rows("SELECT 1 AS one") == [{"one": 1}]
    with pytest.raises(IndexProblem):
        session.rows("SELECT 1 AS one")
    session.interrupt()  # and a late interrupt is of no effect
    with pytest.raises(duckdb.ConnectionException):
        session._connection.execute("SELECT 1")
    with index.session() as another:
        assert another.rows("SELECT 2 AS two") == [{"two": 2}]


def test_sessions_leave_no_thread(index: Index) -> None:
    before = set(threading.enumerate())
    for _ in range(20):
        with index.session() as session:
            session.rows("SELECT 1 AS one")
    assert set(threading.enumerate()) <= before


def test_what_takes_too_long_is_stopped_and_says_so(index: Index) -> None:
    started = monotonic()
    with index.session(seconds=0.2) as session:
        with pytest.raises(IndexProblem, match=r"no answer within 0\.2 s"):
            session.rows(ENDLESS)
        with pytest.raises(IndexProblem, match="no answer"):  # the time is that of the session
            session.rows("SELECT 1 AS one")
    assert monotonic() - started < 10


def test_another_thread_may_interrupt(index: Index) -> None:
    session = index.session(seconds=60)
    problems: list[IndexProblem] = []
    running = threading.Event()

    def ask() -> None:
        with session:
            running.set()
            try:
                session.rows(ENDLESS)
            except IndexProblem as problem:
                problems.append(problem)

    thread = threading.Thread(target=ask)
    thread.start()
    running.wait()
    thread.join(0.2)  # until the query runs
    assert thread.is_alive()
    session.interrupt()
    thread.join(10)
    assert not thread.is_alive()
    assert len(problems) == 1


def test_one_interrupt_leaves_other_sessions_alone(index: Index) -> None:
    with index.session() as stopped, index.session() as other:
        stopped.interrupt()
        assert other.rows("SELECT 1 AS one") == [{"one": 1}]


def test_out_of_memory_is_a_problem_and_the_index_goes_on(index: Index) -> None:
    with index.session() as session, pytest.raises(IndexProblem, match="512MB of memory"):
        session.rows(TOO_BIG)
    with index.session() as session:
        assert session.rows("SELECT 1 AS one") == [{"one": 1}]


FORBIDDEN = (
    "SELECT * FROM read_text('{file}')",
    "SELECT * FROM read_csv('{file}')",
    "SELECT * FROM '{file}'",
    "SELECT * FROM glob('{folder}/*')",
    "COPY (SELECT 1) TO '{file}.copy'",
    "ATTACH '{file}.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access=true",
    "SET memory_limit='8GB'",
    "SET threads=8",
    "SET temp_directory='{folder}'",
    "SET allowed_directories=['{folder}']",
    "RESET memory_limit",
    "PRAGMA temp_directory='{folder}'",
)


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_it_reaches_no_other_file_and_cannot_be_set_otherwise(index: Index, tmp_path: Path, statement: str) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a,b\n1,2\n")
    with index.session() as session, pytest.raises(duckdb.Error):
        session.table(statement.format(file=file.as_posix(), folder=tmp_path.as_posix()))
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]


def test_the_end_of_a_process_is_quiet() -> None:
    program = (
        "from dicomweb_mcp.idc.index import the_index\n"
        "with the_index().session() as session:\n"
        "    print(session.rows('SELECT count(*) > 0 AS some FROM index'))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[{'some': True}]", "")


def test_without_the_extra_there_is_no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb_mcp.idc.index.is_installed", lambda: False)
    assert the_index.__wrapped__() is None
