"""From the start of the process to the answer to ``tools/list`` over stdio, against a bare server with one tool."""

import asyncio
import sys

from .side_by_side import Figure, compared, side_by_side, table

LIST_TOOLS = (
    b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":'
    b'{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}\n'
)


async def measured() -> list[Figure]:
    """The whole way: a start of the interpreter, imports, building, one request."""

    async def ours() -> None:
        assert b'"search_studies"' in await _tools("dicomweb_mcp", "--archive", "pacs=http://127.0.0.1:9/dicom-web")

    async def bare() -> None:
        assert b'"search"' in await _tools("benchmarks.bare")

    taken = await side_by_side({"ours": ours, "bare": bare}, 15)
    return [compared("start to tools/list", taken["ours"], "bare server", taken["bare"], 1.25)]


async def _tools(*module: str) -> bytes:
    """The answer of ``python -m module`` to tools/list."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *module, stdin=pipe, stdout=pipe, limit=1 << 20
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(LIST_TOOLS)
    answer = await process.stdout.readline()
    process.kill()
    await process.wait()
    return answer


if __name__ == "__main__":
    print(table(asyncio.run(measured())))
