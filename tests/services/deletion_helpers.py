"""Deleting from scripted servers, and plain ways to see what became of it."""

from collections.abc import Callable
from typing import Any

from dicomweb_mcp.archives.base import Archive
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.delete import Deletion, delete
from dicomweb_mcp.settings import ArchiveSettings, Settings
from fakes.base import Asked, Fake
from fakes.store import SOP_UID, Store, synthetic_uid
from support import URLS, open_over

STUDY, SERIES, INSTANCE = synthetic_uid(0), synthetic_uid(0, 1), synthetic_uid(0, 1, 1)
UIDS = {"study_uid": STUDY}, {"series_uid": SERIES}, {"instance_uid": INSTANCE}
LEVELS = {"study": UIDS[0], "series": UIDS[1], "instance": UIDS[2]}
NOON = 1_800_000_000.0 // 600 * 600  # the beginning of a slot


def app_deleting(
    fake: Fake, kind: str, permit: tuple[str, ...] = ("delete",), http: Any = None, name: str = "pacs"
) -> App:
    archive = {"name": name, "url": URLS[kind], "kind": kind, "permit": permit}
    settings = Settings.model_validate({"archives": [archive], "http": http})

    def opener(_: ArchiveSettings) -> Archive:
        return open_over(fake, kind, name=name)

    return App(settings, opener)


class Deleting:
    """A model that deletes: ``plan`` and ``carry_out``; ``told`` is the progress."""

    def __init__(self, app: App) -> None:
        self.app, self.now = app, NOON
        self.told: list[tuple[float, str]] = []

    async def call(self, token: str | None = None, **uids: str | None) -> Deletion:
        given = {"study_uid": None, "series_uid": None, "instance_uid": None, **uids}
        return await delete(self.app, None, token=token, report=self._report, clock=lambda: self.now, **given)

    async def plan_and_do(self, **uids: str) -> Deletion:
        plan = await self.call(**uids)
        assert plan.done is None
        return await self.call(plan.token, **uids)

    async def _report(self, done: float, total: float | None, words: str) -> None:
        self.told.append((done, words))


def held(store: Store) -> set[str]:
    return {one.text(SOP_UID) for one in store.instances}


def below(uid: str, store: Store) -> set[str]:
    """The instances of ``Store.synthetic`` at or below a UID, which its own UIDs show."""
    return {one for one in held(store) if one == uid or one.startswith(f"{uid}.")}


def deletes(fake: Fake) -> list[Asked]:
    return [asked for asked in fake.requests if asked.method not in ("GET", "HEAD", "OPTIONS")
            and asked.path != "/tools/lookup"]  # fmt: skip


def some() -> Store:
    """Two studies of two series of three instances."""
    return Store.synthetic(2, 2, 3)


Over = Callable[..., Deleting]
