"""Prompts are Markdown files: header lines, ``---``, body. One file is one prompt, named by its file.

    title: Show one slice
    description: One captioned picture of a series.
    argument series_uid: SeriesInstanceUID, copied from list_series
    argument window?: a window such as lung (default auto)
    ---
    Call render_frame with series_uid="{series_uid}" and window="{window}".

An argument with ``?`` is optional; its default is what follows ``(default `` in its description.
"""

import re
from pathlib import Path
from typing import Any

from mcp.server.mcpserver.prompts.base import Prompt, PromptArgument, UserMessage
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS


class FilePrompt(Prompt):
    """A prompt that names a missing argument instead of failing without a reason."""

    async def render(self, arguments: dict[str, Any] | None, context: Any) -> Any:
        given = {name: value for name, value in (arguments or {}).items() if str(value).strip()}
        missing = [item.name for item in self.arguments or [] if item.required and item.name not in given]
        if missing:
            raise MCPError(code=INVALID_PARAMS, message=f"Prompt {self.name} needs {', '.join(missing)}.")
        return await super().render(given, context)


def load_prompts() -> list[FilePrompt]:
    """Every prompt of the package, by name."""
    here = Path(__file__).parent
    # In a wheel the files lie beside this one, in a checkout at its top.
    folder = next(place for place in (here / "prompts", here.parents[1] / "prompts") if place.is_dir())
    return [read_prompt(path) for path in sorted(folder.glob("*.md"))]


def read_prompt(path: Path) -> FilePrompt:
    """The prompt of one file. Raises ValueError when its header is not of the form above."""
    header, separator, body = path.read_text(encoding="utf-8").partition("\n---\n")
    if not separator:
        raise ValueError(f"{path.name}: a line --- must divide header and body")
    title, description = "", ""
    arguments: list[PromptArgument] = []
    defaults: dict[str, str] = {}
    for line in header.splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        if match := re.fullmatch(r"argument (\w+)(\??)", key):
            arguments.append(PromptArgument(name=match[1], description=value, required=not match[2]))
            if match[2]:
                default = re.search(r"\(default (.*)\)$", value)
                defaults[match[1]] = default[1] if default else ""
        elif key == "title":
            title = value
        elif key == "description":
            description = value
        else:
            raise ValueError(f"{path.name}: {key!r} is not title, description or argument NAME")

    def fill(**given: str) -> list[UserMessage]:
        return [UserMessage(body.strip().format(**{**defaults, **given}))]

    return FilePrompt(
        name=path.stem, title=title, description=description, arguments=arguments, fn=fill, context_kwarg=None
    )
