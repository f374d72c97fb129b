"""What the tests of transfers share."""

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from dicomweb_mcp.services import sending


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
