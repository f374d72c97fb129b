"""The least that the SDK serves: one tool whose answer is ready, over stdio as ``python -m benchmarks.bare [FILE]``."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from mcp.server.mcpserver import MCPServer
from mcp.types import CallToolResult, TextContent


def build(text: str, structured: dict[str, Any], schema: type) -> MCPServer:
    """A server whose only tool gives this answer, under the schema of such answers."""
    server = MCPServer("bare", log_level="WARNING")

    @server.tool()
    async def search(limit: int = 25) -> Annotated[CallToolResult, schema]:
        """Gives its answer."""
        return CallToolResult(content=[TextContent(text=text)], structured_content=structured)

    return server


if __name__ == "__main__":
    if len(sys.argv) > 1:
        from dicomweb_mcp.tools.answers import ListAnswer

        given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
        build(given.pop("text"), given, ListAnswer).run("stdio")
    else:
        build("", {}, dict).run("stdio")
