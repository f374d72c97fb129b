"""The commands for people as processes: what is on which stream, on a terminal and without one, and Ctrl-C."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from archives.folder_helpers import make_file
from fakes.base import Asked, Target
from fakes.google_sign_in import listening
from fakes.orthanc_like import OrthancLike
from fakes.store import Store
from fakes.stow import arrived

ON_POSIX = pytest.mark.skipif(sys.platform == "win32", reason="terminals and signals of POSIX systems")
ESCAPE = "\x1b"
FILES = 101  # for which it asks


class Halting(OrthancLike):
    """Stores the first batch, and halts at the next ones until ``release`` is set."""

    def __init__(self) -> None:
        super().__init__(Store())
        self.halted, self.release = threading.Event(), threading.Event()
        self.sent: list[str] = []

    def stow(self, target: Target | None, asked: Asked) -> httpx.Response:
        if self.sent and not self.release.is_set():
            self.halted.set()
            self.release.wait(20)
            return httpx.Response(503)
        self.sent += [part.uid() for part in arrived(asked)]
        return super().stow(target, asked)


@pytest.fixture
def outgoing(tmp_path: Path) -> Path:
    for number in range(FILES):
        make_file(tmp_path / "outgoing" / f"{number:03}.dcm", "1.2", "1.2.3", f"1.2.3.{number + 1}")
    return tmp_path / "outgoing"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    places = {f"DICOMWEB_MCP_{name}": str(tmp_path / name.lower()) for name in ("STATE", "CACHE")}
    return {**os.environ, **places, "FORCE_COLOR": "1", "TERM": "xterm"}


@pytest.fixture
def pacs() -> Iterator[tuple[Halting, str]]:
    fake = Halting()
    with listening(fake) as address:
        yield fake, f"pacs={address}/dicom-web"
        fake.release.set()


@pytest.fixture
def heeding_ctrl_c() -> Iterator[None]:
    """What is started in the background of a shell ignores SIGINT, and so would all that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "dicomweb_mcp", *map(str, arguments)]


def run(environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=60, check=False, env=environment,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert ESCAPE not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_from_a_folder_to_a_server_and_away(
    outgoing: Path, environment: dict[str, str], pacs: tuple[Halting, str], tmp_path: Path
) -> None:
    """Nothing but the answer on stdout, and no escape codes, although colours are asked for."""
    fake, archive = pacs
    fake.release.set()
    for file in sorted(outgoing.iterdir())[5:]:
        file.unlink()
    archives = ("--archive", archive, "--archive", f"mine={outgoing}")
    stored = run(environment, "store", "pacs", outgoing, "--yes", "--json", *archives)
    assert (stored.returncode, stored.stderr) == (0, "")
    assert json.loads(stored.stdout)["stored"] == len(fake.store.instances) == 5
    found = run(environment, "search", "pacs", "instances", "--count", *archives)
    assert (found.returncode, found.stderr) == (0, "")
    assert "total: 5" in found.stdout.splitlines()
    fetched = run(environment, "retrieve", "mine", "--series", "1.2.3", "--to", tmp_path / "in", *archives)
    assert (fetched.returncode, fetched.stderr) == (0, "")
    assert "retrieved: 5" in fetched.stdout.splitlines()
    deleted = run(environment, "delete", "mine", "--study", "1.2", "--yes", "--json", *archives)
    assert (deleted.returncode, deleted.stderr) == (0, "")
    assert (json.loads(deleted.stdout)["deleted"], list(outgoing.iterdir())) == (5, [])


@ON_POSIX
@pytest.mark.usefixtures("heeding_ctrl_c")
def test_ctrl_c_in_the_middle_and_once_more(
    outgoing: Path, environment: dict[str, str], pacs: tuple[Halting, str]
) -> None:
    fake, archive = pacs
    arguments = ("store", "pacs", outgoing, "--yes", "--json", "--archive", archive)
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert fake.halted.wait(30)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=15)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out) == (130, "")
    assert err.startswith("dicomweb-mcp: Interrupted. ")
    assert "running the same command again goes on" in err
    assert err.count("\n") == 1
    before = list(fake.sent)
    assert len(before) == 50
    fake.release.set()
    again = run(environment, *arguments)
    found = json.loads(again.stdout)
    assert (again.returncode, found["stored"], found["already_there"]) == (0, FILES - 50, 50)
    assert len(fake.sent) == len(set(fake.sent)) == FILES


QUESTION = b"[y/N] "


def on_a_terminal(environment: dict[str, str], typed: str, *arguments: object, ahead: str = "") -> tuple[int, str, str]:
    """Status, stdout, and what the terminal shows that stderr and stdin are; something may be typed ahead of the
    question."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        command(*arguments), stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, env=environment
    )
    os.close(theirs)
    os.write(ours, ahead.encode())
    shown = bytearray()

    def read() -> None:
        while True:
            try:
                is_asked = QUESTION in shown
                shown.extend(os.read(ours, 4096))
                if QUESTION in shown and not is_asked:
                    os.write(ours, typed.encode())
            except OSError:  # Linux's way to say that nobody has the other end open
                return

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        out, _ = process.communicate(timeout=30)
        reader.join(5)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return process.returncode, out.decode(), shown.decode()


@ON_POSIX
@pytest.mark.skipif(sys.platform == "darwin", reason="reads the end of a terminal as Linux gives it")
def test_on_a_terminal_there_is_a_bar_and_a_question(outgoing: Path, environment: dict[str, str]) -> None:
    archive = ("--archive", f"mine={outgoing}")
    target = outgoing.parent / "archive"
    target.mkdir()
    status, out, shown = on_a_terminal(environment, "y\n", "store", "new", outgoing, "--archive", f"new={target}")
    assert (status, f"stored: {FILES}" in out.splitlines()) == (0, True)
    assert ESCAPE in shown
    assert re.search(rf"{FILES} of {FILES} files", shown)
    assert re.search(rf"Store {FILES} files \(0\.\d MB, 1 study\) in the archive new\? \[y/N\]", shown)
    status, out, shown = on_a_terminal(environment, "n\n", "delete", "mine", "--study", "1.2", *archive)
    assert (status, out) == (3, "")
    assert f"instances: {FILES}" in shown
    assert len(list(outgoing.iterdir())) == FILES


@ON_POSIX
@pytest.mark.skipif(sys.platform == "darwin", reason="reads the end of a terminal as Linux gives it")
def test_what_was_typed_before_the_question_is_no_answer(outgoing: Path, environment: dict[str, str]) -> None:
    arguments = ("delete", "mine", "--study", "1.2", "--archive", f"mine={outgoing}")
    status, out, shown = on_a_terminal(environment, "n\n", *arguments, ahead="y\n")
    assert (status, out) == (3, "")
    assert "Nothing was deleted." in shown
    assert len(list(outgoing.iterdir())) == FILES
