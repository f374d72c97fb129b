"""What the tests of transfers share."""

from pathlib import Path

import pytest

from dicomweb_mcp.services import transfer


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks for what was stored come one after the other."""
    monkeypatch.setattr(transfer, "CONFIRM_AFTER", (0.0, 0.01, 0.01))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path.resolve() / "outgoing"
