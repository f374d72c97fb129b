"""What the tests of transfers and deletions share."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dicomweb_mcp.services import delete, transfer
from dicomweb_mcp.services.app import App
from fakes.base import Fake
from fakes.deleting import DeletingDcm4chee
from services.deletion_helpers import STUDY, Deleting, Over, app_deleting


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks for what was stored come one after the other."""
    monkeypatch.setattr(transfer, "CONFIRM_AFTER", (0.0, 0.01, 0.01))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path.resolve() / "outgoing"


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
