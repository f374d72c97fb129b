"""list_archives: what is configured and what each archive can do."""

from collections.abc import Mapping
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from ..archives.profiles import Profile
from ..dicom.rules import Level
from ..services.app import App
from ..services.search import MOST_ROWS
from .answers import LIST_BUDGET, ArchivesAnswer, Structured, result, size
from .arguments import Archive


async def list_archives(
    ctx: Context[App],
    archive: Archive = None,
    check: Annotated[bool, Field(description="Also ask each archive whether it answers")] = False,
) -> Annotated[CallToolResult, ArchivesAnswer]:
    """List the configured archives: kind, address, what may be done beyond reading, which attributes each can search
    at each level and how they match, and its limits.

    Call this first when several archives are configured, or when a filter was refused. With archive only that one is
    described; with check=true it also says whether the archive answers, or why not.
    """
    app = ctx.request_context.lifespan_context
    names = [app.configured(archive).name] if archive else app.names
    described = [await _described(app, name, check=check) for name in names]
    notes = [
        f"{item['name']}: {app.profile(item['name']).note}" for item in described if app.profile(item["name"]).note
    ]
    answer: Structured = {"archive": app.names[0], "notes": notes, "archives": described}
    if size(answer) > LIST_BUDGET:
        for item in described:
            del item["searchable"]
        notes.append("What each can search was left out for space: call list_archives with one archive.")
    return result(answer)


async def _described(app: App, name: str, *, check: bool) -> dict[str, Any]:
    settings = app.configured(name)
    health = await app.archive(name).probe() if check else None
    profile = app.profile(name)
    described: dict[str, Any] = {
        "name": settings.name,
        "kind": profile.kind,
        "address": settings.url or str(settings.path),
        "permits": ["read", *app.settings.permits(settings)],
        "searchable": searchable(profile),
        "limits": _limits(profile),
    }
    if health:
        described["reachable"] = health.reachable
        if health.problem or health.notes:
            described["health"] = " ".join([health.problem, *health.notes]).strip()
    return described


def searchable(profile: Profile) -> dict[str, dict[str, str]]:
    """Per level its own keywords and how each matches; those of the levels above are referred to, not repeated."""
    rules = profile.rules
    shown: dict[str, dict[str, str]] = {}
    above: Mapping[str, Any] = {}
    for level in Level:
        here = rules.searchable[level]
        own = {key: ", ".join(sorted(ways)) for key, ways in here.items() if above.get(key) != ways}
        lost = [key for key in above if key not in here]
        if above:
            own["of the level above"] = f"the same, without {', '.join(lost)}" if lost else "the same"
        if rules.open:
            own["any"] = "any other attribute of this level"
        shown[level.value] = own
        above = here
    return shown


def _limits(profile: Profile) -> dict[str, Any]:
    limits: dict[str, Any] = {"rows_of_an_answer": MOST_ROWS, "parallel_requests": profile.parallel}
    if profile.largest_offset:
        limits["largest_offset"] = profile.largest_offset
    return limits
