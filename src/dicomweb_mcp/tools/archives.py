"""list_archives: what is configured and what each archive can do."""

from collections.abc import Mapping
from typing import Annotated, Any

import anyio
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from ..archives.base import Health
from ..archives.manners import MOST_OF_A_CALL
from ..archives.profiles import Profile
from ..archives.traffic import traffic
from ..dicom.rules import Level
from ..idc.wheel import HOW_TO_INSTALL, is_installed, release
from ..services.app import App, probe
from ..services.search import MOST_ROWS
from ..settings import ArchiveSettings
from .answers import LIST_BUDGET, ArchivesAnswer, result, size


async def list_archives(
    ctx: Context[App],
    archive: Annotated[str | None, Field(description="Describe only this one; all when left out")] = None,
    check: Annotated[bool, Field(description="Also ask each archive whether it answers")] = False,
) -> Annotated[CallToolResult, ArchivesAnswer]:
    """List the configured archives: kind, address, what may be done beyond reading, which attributes each can search
    at each level and how they match, and its limits.

    Call this first when several archives are configured, or when a filter was refused. With archive only that one is
    described; with check=true it also says whether the archive answers, or why not.
    """
    app = ctx.request_context.lifespan_context
    names = [app.configured(archive).name] if archive else app.names
    health = await probe(app, names) if check else {}
    described = [_described(app, name, health.get(name)) for name in names]
    notes = [
        f"{item['name']}: {app.profile(item['name']).note}" for item in described if app.profile(item["name"]).note
    ]
    notes += [note for item in described if (note := await _counted(app.profile(item["name"]), item))]
    notes.append("What an archive returns but cannot match, this program matches: comparisons of numbers, fuzzy names.")
    answer = ArchivesAnswer(archive=names[0], notes=notes, archives=described, index=_index(app))
    if size(answer) > LIST_BUDGET:
        for item in described:
            del item["searchable"]
        answer.notes.append("What each can search was left out for space: call list_archives with one archive.")
    return result(answer)


def _index(app: App) -> dict[str, Any]:
    """Whether the index of IDC is there, of which release, or how to install it; empty for those without IDC."""
    if is_installed():
        return {"installed": True, "release": release(), "tools": "search_idc, query_idc_index, cite_idc"}
    if any(archive.is_read_only for archive in app.settings.archives):
        return {"installed": False, "to_install": HOW_TO_INSTALL}
    return {}


def _described(app: App, name: str, health: Health | None) -> dict[str, Any]:
    settings = app.configured(name)
    profile = app.profile(name)
    described: dict[str, Any] = {
        "name": settings.name,
        "kind": profile.kind,
        "address": settings.url or str(settings.path),
        "permits": ["read", *app.settings.permits(settings)],
        "searchable": searchable(profile),
        "limits": _limits(settings, profile),
    }
    if health:
        described["reachable"] = health.reachable
        if health.problem or health.notes:
            described["health"] = " ".join([health.problem, *health.notes]).strip()
        if health.usage:
            described["quota_usage"] = dict(health.usage)
    return described


async def _counted(profile: Profile, described: dict[str, Any]) -> str:
    """Adds what was taken today from an archive that gives only so much; a note where that is not the whole of it."""
    if not profile.counts_bytes:
        return ""
    count = traffic(profile.kind)
    described["bytes_today"] = await anyio.to_thread.run_sync(count.today)
    if not count.problem:
        return ""
    return (
        f"{described['name']}: bytes_today is what this process took since it started, because the count cannot be "
        f"kept in the user's state folder ({count.problem})."
    )


def searchable(profile: Profile) -> dict[str, dict[str, list[str]]]:
    """Per level the usual attributes, grouped by how they match; those of a level above are not repeated where they
    match alike."""
    rules = profile.rules
    shown: dict[str, dict[str, list[str]]] = {}
    above: Mapping[str, Any] = {}
    for level in Level:
        here = rules.searchable[level]
        grouped = {
            ways: own
            for ways, keywords in rules.by_ways(level).items()
            if (own := [keyword for keyword in keywords if above.get(keyword) != here[keyword]])
        }
        if above:
            lost = [keyword for keyword in above if keyword not in here]
            grouped["as above"] = [f"everything but {', '.join(lost)}" if lost else "everything"]
        if rules.open:
            grouped["any other attribute of the level"] = ["yes"]
        shown[level.value] = grouped
        above = here
    return shown


def _limits(settings: ArchiveSettings, profile: Profile) -> dict[str, Any]:
    limits: dict[str, Any] = {"rows_of_an_answer": MOST_ROWS, "parallel_requests": profile.parallel}
    if profile.largest_offset:
        limits["largest_offset"] = profile.largest_offset
    if settings.daily_bytes:
        limits["daily_limit_bytes"] = settings.daily_bytes
        limits["bytes_of_a_call"] = MOST_OF_A_CALL
    return limits
