"""The index of IDC opened and asked, each time in a fresh process, against the package idc-index doing the same.

idc-index is no dependency. It is measured where this interpreter can import it, or the one that the environment
variable ``IDC_INDEX_PYTHON`` names; otherwise only our own figures are told. Both sides answer one question in SQL, of
the series, patients and sizes of CT by collection, and must agree. Memory is the most that a process had, by its
operating system (not told on Windows).
"""

import asyncio
import json
import os
import sys
from statistics import median

from .side_by_side import Figure, compared, seconds, side_by_side, table

SQL = (
    "SELECT collection_id, count(*) AS series, count(DISTINCT PatientID) AS patients, round(sum(series_size_MB)) AS mb "
    "FROM index WHERE Modality = 'CT' AND BodyPartExamined ILIKE '%chest%' GROUP BY ALL ORDER BY collection_id"
)
MEMORY = """
try:
    from resource import RUSAGE_SELF, getrusage
except ImportError:
    used = None
else:
    used = getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps([rows, used]))
"""
OURS = f"""
import json, sys
from dicomweb_mcp.idc.index import the_index
from dicomweb_mcp.idc.query import run
with the_index().session() as session:
    rows = [list(row.values()) for row in run(session, {SQL!r}, 500).rows]
{MEMORY}"""
THEIRS = f"""
import json, sys
from idc_index import IDCClient
rows = IDCClient().sql_query({SQL!r}).values.tolist()
{MEMORY}"""
PEER_PYTHON = os.environ.get("IDC_INDEX_PYTHON", sys.executable)
REPETITIONS = 5
MOST_TIME, MOST_MEMORY = 0.1, 0.1


async def measured() -> list[Figure]:
    """The start of the interpreter, imports, opening, the first question."""
    taken: dict[str, int | None] = {}
    answers: dict[str, object] = {}

    async def ours() -> None:
        answers["ours"], taken["ours"] = await _answer(sys.executable, OURS)

    async def theirs() -> None:
        answers["theirs"], taken["theirs"] = await _answer(PEER_PYTHON, THEIRS)

    claim, memory = "IDC index: open, first query", "IDC index: memory"
    if not await _has_peer():
        times = await side_by_side({"ours": ours}, REPETITIONS)
        absent = "no idc-index here (IDC_INDEX_PYTHON)"
        return [
            Figure(claim, seconds(median(times["ours"])), absent, "", "none", True),
            Figure(memory, _megabytes(taken["ours"]), absent, "", "none", True),
        ]
    times = await side_by_side({"ours": ours, "theirs": theirs}, REPETITIONS)
    assert answers["ours"] == answers["theirs"]
    figures = [compared(claim, times["ours"], "idc-index", times["theirs"], MOST_TIME)]
    mine, peers = taken["ours"], taken["theirs"]
    if mine and peers:
        ratio = mine / peers
        shown = f"idc-index {_megabytes(peers)}"
        goal = f"at most {MOST_MEMORY:g}"
        figures.append(Figure(memory, _megabytes(mine), shown, f"{ratio:.2f}", goal, ratio <= MOST_MEMORY))
    return figures


async def _answer(python: str, program: str) -> tuple[object, int | None]:
    """The rows that a program prints, and the bytes that it had in memory at most."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(python, "-c", program, stdout=pipe, stderr=pipe)
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode(errors="replace")[-500:]
    rows, used = json.loads(out.splitlines()[-1])
    return rows, used


async def _has_peer() -> bool:
    program = "import sys; from importlib.util import find_spec; sys.exit(find_spec('idc_index') is None)"
    process = await asyncio.create_subprocess_exec(PEER_PYTHON, "-c", program)
    return await process.wait() == 0


def _megabytes(used: int | None) -> str:
    return "unknown" if used is None else f"{used / 1e6:.0f} MB"


if __name__ == "__main__":
    print(table(asyncio.run(measured())))
