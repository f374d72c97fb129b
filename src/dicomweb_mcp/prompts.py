"""Prompts are Markdown files: header lines, ``---``, body. One file is one prompt, named by its file.

    title: Show one slice
    description: One captioned picture of a series.
    argument series_uid: SeriesInstanceUID, copied from list_series
    argument window?: a window such as lung (default auto)
    ---
    Call render_frame with series_uid="{series_uid}" and window="{window}".

An argument with ``?`` is optional; its default is what follows ``(default `` in its description. A line
``needs: index`` keeps a prompt for those who have the index of IDC.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from mcp.server.mcpserver.prompts.base import Prompt, PromptArgument, UserMessage
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS
from pydantic import Field


class FilePrompt(Prompt):
    """A prompt that names a missing argument instead of failing without a reason. ``needs``: what must be installed."""

    needs: str = Field(default="", exclude=True)

    async def render(self, arguments: dict[str, Any] | None, context: Any) -> Any:
        given = {name: value for name, value in (arguments or {}).items() if str(value).strip()}
        missing = [item.name for item in self.arguments or [] if item.required and item.name not in given]
        if missing:
            raise MCPError(code=INVALID_PARAMS, message=f"Prompt {self.name} needs {', '.join(missing)}.")
        return await super().render(given, context)


def load_prompts(has: Collection[str] = ()) -> list[FilePrompt]:
    """Every prompt of the package by name, but for those that need what is not there."""
    here = Path(__file__).parent
    # In a wheel the files lie beside this one, in a checkout at its top.
    folder = next(place for place in (here / "prompts", here.parents[1] / "prompts") if place.is_dir())
    prompts = [read_prompt(path) for path in sorted(folder.glob("*.md"))]
    return [prompt for prompt in prompts if not prompt.needs or prompt.needs in has]


def read_prompt(path: Path) -> FilePrompt:
    """The prompt of one file. Raises ValueError when its header is not of the form above."""
    header, separator, body = path.read_text(encoding="utf-8").partition("\n---\n")
    if not separator:
        raise ValueError(f"{path.name}: a line --- must divide header and body")
    said: dict[str, Any] = {"title": "", "description": "", "needs": ""}
    arguments: list[PromptArgument] = []
    defaults: dict[str, str] = {}
    for line in header.splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        if match := re.fullmatch(r"argument (\w+)(\??)", key):
            arguments.append(PromptArgument(name=match[1], description=value, required=not match[2]))
            if match[2]:
                default = re.search(r"\(default (.*)\)$", value)
                defaults[match[1]] = default[1] if default else ""
        elif key in said:
            said[key] = value
        else:
            raise ValueError(f"{path.name}: {key!r} is not {', '.join(said)} or argument NAME")

    def fill(**given: str) -> list[UserMessage]:
        return [UserMessage(body.strip().format(**{**defaults, **given}))]

    return FilePrompt(name=path.stem, arguments=arguments, fn=fill, context_kwarg=None, **said)
