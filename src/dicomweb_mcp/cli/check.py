"""``dicomweb-mcp check``: ask each archive and print what a person wants to know."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import anyio

from ..archives.base import Health
from ..archives.profiles import Profile
from ..dicom.rules import Level
from ..services.app import App, probe
from ..settings import ArchiveSettings, Settings

KEYWORDS_SHOWN = 8


@dataclass(frozen=True)
class Probed:
    """One archive and what its probe found."""

    archive: ArchiveSettings
    permits: Sequence[str]
    profile: Profile
    health: Health


def check(settings: Settings) -> int:
    """Print a table and the details; status 0 when every archive answers, else 1."""
    from .serve import quiet_logging

    quiet_logging()
    found = anyio.run(_probe_all, settings)
    print("\n".join([*_table(found), "", *(line for one in found for line in _details(one))]).rstrip())
    failed = sum(not one.health.reachable for one in found)
    if failed:
        print(f"{failed} of {len(found)} archives cannot be reached.", file=sys.stderr)
    return 1 if failed else 0


async def _probe_all(settings: Settings) -> list[Probed]:
    app = App(settings)
    try:
        health = await probe(app, app.names)
        return [
            Probed(archive, settings.permits(archive), app.profile(archive.name), health[archive.name])
            for archive in settings.archives
        ]
    finally:
        await app.close()


def _table(found: Sequence[Probed]) -> list[str]:
    """One line per archive, columns padded."""
    rows = [("archive", "kind", "reachable", "permitted")]
    for one in found:
        reachable = "yes" if one.health.reachable else "no"
        rows.append((one.archive.name, one.profile.kind, reachable, ", ".join(["read", *one.permits])))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _details(one: Probed) -> list[str]:
    """Where it is, why it does not answer, what can be searched."""
    archive, profile = one.archive, one.profile
    guessed = "" if archive.kind or archive.path else " (recognised by its address)"
    lines = {
        "address": archive.url or str(archive.path),
        "kind": profile.kind + guessed,
        "sign-in": archive.auth.type,
        "problem": one.health.problem,
        "its quota": ", ".join(f"{name} {value}" for name, value in one.health.usage.items()),
        **{f"{level} search": _searchable(profile, level) for level in Level},
    }
    notes = [note for note in (*one.health.notes, profile.note) if note]
    return [archive.name, *(f"  {name:<15}  {text}" for name, text in lines.items() if text),
            *(f"  {note}" for note in notes), ""]  # fmt: skip


def _searchable(profile: Profile, level: Level) -> str:
    keywords = list(profile.rules.searchable[level])
    more = len(keywords) - KEYWORDS_SHOWN
    listed = ", ".join(keywords[:KEYWORDS_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return listed + ("; any other attribute" if profile.rules.open else "")
