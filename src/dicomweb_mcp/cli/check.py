"""``dicomweb-mcp check``: ask each archive and print what a person wants to know."""

import sys

import anyio

from ..archives.base import Health
from ..archives.profiles import Profile
from ..dicom.rules import Level
from ..services.app import App
from ..settings import ArchiveSettings, Settings

KEYWORDS_SHOWN = 6


def check(settings: Settings) -> int:
    """Print a table; status 0 when every archive answers, else 1."""
    from .serve import quiet_logging

    quiet_logging()
    found = anyio.run(_probe_all, settings)
    for archive, profile, health in found:
        print("\n".join(_lines(settings, archive, profile, health)))
    failed = sum(not health.reachable for _, _, health in found)
    if failed:
        print(f"{failed} of {len(found)} archives cannot be reached.", file=sys.stderr)
    return 1 if failed else 0


async def _probe_all(settings: Settings) -> list[tuple[ArchiveSettings, Profile, Health]]:
    app = App(settings)
    health: dict[str, Health] = {}

    async def probe(name: str) -> None:
        health[name] = await app.archive(name).probe()

    try:
        async with anyio.create_task_group() as tasks:
            for name in app.names:
                tasks.start_soon(probe, name)
        return [(archive, app.profile(archive.name), health[archive.name]) for archive in settings.archives]
    finally:
        await app.close()


def _lines(settings: Settings, archive: ArchiveSettings, profile: Profile, health: Health) -> list[str]:
    table = {
        "address": archive.url or str(archive.path),
        "kind": profile.kind + ("" if archive.kind or archive.path else " (guessed from the address)"),
        "reachable": "yes" if health.reachable else f"no: {health.problem}",
        **{f"{level} search": _searchable(profile, level) for level in Level},
        "sign-in": archive.auth.type,
        "permitted": ", ".join(["read", *settings.permits(archive)]),
    }
    notes = [*health.notes, *([profile.note] if profile.note else [])]
    return [
        archive.name,
        *(f"  {name:<15}  {value}" for name, value in table.items()),
        *(f"  {note}" for note in notes),
        "",
    ]


def _searchable(profile: Profile, level: Level) -> str:
    keywords = list(profile.rules.searchable[level])
    more = len(keywords) - KEYWORDS_SHOWN
    listed = ", ".join(keywords[:KEYWORDS_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return listed + ("; any other attribute" if profile.rules.open else "")
