"""What the tests of transfers and deletions share."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from dicomweb_mcp.services import delete, sending
from dicomweb_mcp.services.app import App
from fakes.base import Fake
from fakes.deleting import DeletingDcm4chee
from services.copying_helpers import Between
from services.deletion_helpers import STUDY, Deleting, Over, app_deleting


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks for what was stored come one after the other."""
    monkeypatch.setattr(sending, "CONFIRM_AFTER", (0.0, 0.01, 0.01))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path.resolve() / "outgoing"


@pytest.fixture
def forget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """The program forgets what it stored before."""

    def start_anew() -> None:
        monkeypatch.setenv("DICOMWEB_MCP_STATE", str(tmp_path / f"state-{uuid4().hex}"))

    return start_anew


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks for what is left after a deletion come one after the other."""
    monkeypatch.setattr(delete, "LOOK_AFTER", (0.0, 0.0, 0.0, 0.0))


@pytest.fixture
async def over(quick_looks: None) -> AsyncIterator[Over]:
    """A model in front of a fake, which permits deleting where nothing else is said."""
    apps: list[App] = []

    def make(fake: Fake, kind: str, **more: Any) -> Deleting:
        if isinstance(fake, DeletingDcm4chee):
            fake.rejected.add(STUDY)
        apps.append(app_deleting(fake, kind, **more))
        return Deleting(apps[-1])

    yield make
    for app in apps:
        await app.close()


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DICOMWEB_MCP_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMWEB_MCP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
async def between() -> AsyncIterator[Callable[..., Between]]:
    made: list[Between] = []

    def make(*given: Any, **more: Any) -> Between:
        made.append(Between(*given, **more))
        return made[-1]

    yield make
    for one in made:
        await one.app.close()
