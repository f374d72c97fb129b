"""What the tests of the commands for people share."""

import io
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from archives.folder_helpers import make_file
from cli.typed import Asking, Typed
from dicomweb_mcp.cli import people
from dicomweb_mcp.cli.people import running
from dicomweb_mcp.services import delete as deletion


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Typed:
    monkeypatch.setattr(people, "quiet_logging", lambda: None)  # it is the process's, which is not of the command here
    monkeypatch.setattr(deletion, "LOOK_AFTER", (0.0, 0.0))
    monkeypatch.setenv("DICOMWEB_MCP_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return Typed(capsys)


@pytest.fixture
def outgoing(tmp_path: Path) -> Path:
    folder = tmp_path / "outgoing"
    for number in (1, 2, 3):
        make_file(folder / f"{number}.dcm", "1.2", "1.2.3", f"1.2.3.{number}", InstanceNumber=number)
    make_file(folder / "other" / "4.dcm", "1.5", "1.5.3", "1.5.3.4", Modality="MR", PatientID="P2")
    return folder


@pytest.fixture
def mine(tmp_path: Path, typed: Typed) -> Path:
    """An empty folder archive of that name."""
    folder = tmp_path / "archive"
    folder.mkdir()
    typed.flags = ["--archive", f"mine={folder}"]
    return folder


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Asking:
    """Somebody who can be asked, and answers so."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def answers(line: str) -> None:
        monkeypatch.setattr("sys.stdin", Terminal(line))
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        monkeypatch.setattr(running, "_bar", lambda: nullcontext(running._silent))

    return answers
