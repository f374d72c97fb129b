"""How a function becomes a tool: strict arguments, a schema without noise, errors that a model can act on."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from difflib import get_close_matches
from functools import cache
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations
from pydantic import ValidationError

from ..archives.manners import one_call
from ..archives.profiles import Profile
from ..dicom.rules import Level
from ..dicom.values import LONGEST_NUMBER
from ..errors import BadArgument, Problem
from ..idc.wheel import release
from ..services.app import App
from ..services.choices import OFFERS
from ..services.idc.known import is_indexed
from .answers import INDEX_RELEASE, error_result

FILTER_VALUE = {
    "anyOf": [
        {"type": "string"},
        {"type": "number"},
        {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "number"}]}},
    ]
}
READ = ToolAnnotations(read_only_hint=True, open_world_hint=True)
OFFLINE = ToolAnnotations(read_only_hint=True, open_world_hint=False)


class StrictTool(Tool):
    """A tool that refuses unknown arguments and whose errors arrive as plain sentences."""

    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Any:
        if _has_endless_number(arguments):
            return error_result(f"A number has more than {LONGEST_NUMBER} digits. Nothing was sent.")
        try:
            self.fn_metadata.validate_arguments(arguments)
        except ValidationError as error:
            return error_result(_explained(self, error))
        token = INDEX_RELEASE.set(_index_release(self, arguments, context))
        try:
            with one_call():
                return await super().run(arguments, context, convert_result)
        except UnexpectedToolError as error:
            if isinstance(error.__cause__, Problem):
                return error_result(str(error.__cause__))
            raise
        finally:
            INDEX_RELEASE.reset(token)


def tool(function: Callable[..., Any], title: str, annotations: ToolAnnotations = READ) -> StrictTool:
    """The tool of a function: its docstring is the description, its annotated arguments are the schema. Both may be
    added to."""
    made = _made(function)
    changes = {"title": title, "annotations": annotations, "parameters": deepcopy(made.parameters)}
    return made.model_copy(update=changes)


@cache
def _made(function: Callable[..., Any]) -> StrictTool:
    """Once for each function: schemas take some milliseconds each."""
    made = StrictTool.from_function(function, description=inspect.getdoc(function))
    arguments = made.fn_metadata.arg_model
    arguments.model_config["extra"] = "forbid"
    arguments.model_rebuild(force=True)
    made.parameters = _without_titles(arguments.model_json_schema(by_alias=True))
    if made.fn_metadata.output_schema:
        made.fn_metadata.output_schema = _without_titles(made.fn_metadata.output_schema)
    assert isinstance(made, StrictTool)
    return made


def name_archives(tools: Sequence[Tool], app: App) -> None:
    """Write what was configured into the schemas: the archives' names, and the keywords that they can search. Arguments
    that only some kinds of archive offer are left out where none of those is stored into."""
    stored_into = [app.profile(name) for name in app.settings.storable]
    unoffered = [argument for argument, offers in OFFERS.items() if not any(map(offers, stored_into))]
    for made in tools:
        properties = made.parameters.get("properties", {})
        if "archive" in properties:
            properties["archive"]["enum"] = app.names
            properties["archive"]["default"] = app.names[0]
            properties["archive"].pop("anyOf", None)
            properties["archive"]["type"] = "string"
        for argument, names in (("from_archive", app.names), ("to_archive", app.settings.copied_into)):
            if argument in properties:
                properties[argument]["enum"] = names
        for argument in unoffered:
            properties.pop(argument, None)
        level = next((level for level in Level if level.tool == made.name), None)
        if level and "filters" in properties:
            properties["filters"] = {
                "type": "object",
                "description": properties["filters"]["description"],
                "properties": searchable_properties(level, {name: app.profile(name) for name in app.names}),
                "additionalProperties": {"$ref": "#/$defs/FilterValue"},
            }
            made.parameters["$defs"] = {**made.parameters.get("$defs", {}), "FilterValue": FILTER_VALUE}


def searchable_properties(level: Level, profiles: Mapping[str, Profile]) -> dict[str, Any]:
    """Keyword -> schema of a filter: how it matches, by archive where they differ."""
    keywords = dict.fromkeys(keyword for profile in profiles.values() for keyword in profile.rules.searchable[level])
    value = {"$ref": "#/$defs/FilterValue"}
    return {keyword: {**value, "description": _ways(keyword, level, profiles)} for keyword in keywords}


def _ways(keyword: str, level: Level, profiles: Mapping[str, Profile]) -> str:
    by_ways: dict[str, list[str]] = {}
    for name, profile in profiles.items():
        ways = profile.rules.searchable[level].get(keyword)
        if ways:
            by_ways.setdefault(", ".join(sorted(ways)), []).append(name)
    if len(by_ways) == 1 and len(next(iter(by_ways.values()))) == len(profiles):
        return next(iter(by_ways))
    return "; ".join(f"{', '.join(names)}: {ways}" for ways, names in by_ways.items())


def _index_release(made: Tool, arguments: Mapping[str, Any], context: Context[Any, Any]) -> str | None:
    """The release that the index describes, where the archive that is asked is one of IDC; else None."""
    if "archive" not in made.parameters.get("properties", {}):
        return None
    app: App = context.request_context.lifespan_context
    try:
        kind = app.configured(arguments.get("archive")).resolved_kind
    except BadArgument:  # the tool says so
        return None
    return release() if is_indexed(kind) else None


def _without_titles(node: Any) -> Any:
    """The schema without pydantic's titles; a *property* called title is an object and stays."""
    if isinstance(node, dict):
        return {key: _without_titles(value) for key, value in node.items() if key != "title" or isinstance(value, dict)}
    return [_without_titles(item) for item in node] if isinstance(node, list) else node


def _explained(made: Tool, error: ValidationError) -> str:
    """What is wrong with the arguments, one sentence each, at most five."""
    known = list(made.parameters.get("properties", {}))
    sentences = []
    for problem in error.errors(include_url=False, include_context=False)[:5]:
        where = ".".join(str(part) for part in problem["loc"] if not _is_branch(part))
        if problem["type"] == "extra_forbidden":
            near = get_close_matches(str(problem["loc"][-1]), known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            sentences.append(f"{where[:60]} is not an argument of {made.name}.{hint}")
        else:
            given = repr(problem["input"])
            shown = f", not {given}" if len(given) <= 60 and problem["type"] != "missing" else ""
            sentences.append(f"{where}: {problem['msg'][:1].lower()}{problem['msg'][1:]}{shown}.")
    return f"{' '.join(dict.fromkeys(sentences))} Its arguments are {', '.join(known)}. Nothing was sent."


def _has_endless_number(value: Any) -> bool:
    """Whether an integer is so long that Python does not write it out."""
    if isinstance(value, dict):
        return any(map(_has_endless_number, value.values()))
    if isinstance(value, list):
        return any(map(_has_endless_number, value))
    return isinstance(value, int) and abs(value) >= 10**LONGEST_NUMBER


def _is_branch(part: int | str) -> bool:
    """Whether a part of an error's place is pydantic's name for a branch of a union, not a name of ours."""
    return isinstance(part, str) and (part in ("str", "int", "float", "bool", "none") or "[" in part)
