"""Storing into scripted servers, and plain ways to see what became of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from archives.folder_helpers import make_file
from dicomweb_mcp.services.transfer import Transfer, store
from fakes.base import Asked, Fake
from fakes.dcm4chee import Dcm4chee
from fakes.deaf import Deaf
from fakes.google import Google
from fakes.orthanc_like import OrthancLike
from fakes.store import Store
from support import app_over

KINDS: dict[str, Callable[[Store], Fake]] = {
    "orthanc": OrthancLike,
    "google": Google,
    "dcm4chee": Dcm4chee,
    "generic": Deaf,
}


def files(root: Path, count: int, study: str = "1.2", series: str = "1.2.1", **more: Any) -> list[str]:
    """``count`` small files of one series: 0.dcm, 1.dcm, ..."""
    return [make_file(root / study / f"{number}.dcm", study, series, f"{series}.{number + 1}", **more).name
            for number in range(count)]  # fmt: skip


class Steps:
    """Collects what is reported."""

    def __init__(self) -> None:
        self.told: list[tuple[float, float, str]] = []

    async def __call__(self, done: float, total: float, message: str) -> None:
        self.told.append((done, total, message))


async def stored(fake: Fake, kind: str, root: Path, *paths: str, **more: Any) -> Transfer:
    app = app_over({"pacs": (fake, kind)}, roots=[root])
    try:
        return await store(app, None, list(paths) or ["."], **{"report": Steps(), "confirm": True, **more})
    finally:
        await app.close()


def outcomes(transfer: Transfer) -> dict[str, int]:
    found = [item.outcome.value if item.outcome else "to_store" for item in transfer.items]
    return {outcome: found.count(outcome) for outcome in dict.fromkeys(found)}


def reasons(transfer: Transfer) -> list[str]:
    return [item.reason for item in transfer.items if item.reason]


def posts(fake: Fake) -> list[Asked]:
    return [asked for asked in fake.requests if asked.method == "POST"]
