"""What the commands share: an app for the time of a call, a bar while it works, an answer on stdout, a question."""

import io
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import anyio

from ...services.app import App
from ...services.items import Report
from ...settings import Settings
from ...tools.answers import Answer, as_text

T = TypeVar("T")


def carry_out(settings: Settings, work: Callable[[App, Report], Awaitable[T]]) -> T:
    """What ``work`` gives; its app is closed in any case. Raises KeyboardInterrupt when the work was cancelled by it,
    and Problem."""

    async def in_an_app(report: Report) -> T:
        app = App(settings)
        try:
            return await work(app, report)
        finally:
            with anyio.CancelScope(shield=True):
                await app.close()

    with _bar() as report:
        return anyio.run(in_an_app, report)


@contextmanager
def _bar() -> Iterator[Report]:
    """A progress bar on stderr, gone at the end; none where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    words = TextColumn("{task.description}", markup=False)
    with Progress(
        words, BarColumn(), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False,
    ) as progress:  # fmt: skip
        bar = progress.add_task("", total=None)

        async def report(done: float, total: float | None, doing: str) -> None:
            progress.update(bar, completed=done, total=total, description=doing)

        yield report


async def _silent(done: float, total: float | None, doing: str) -> None:
    """For nobody."""


def show(answer: Answer, *, as_json: bool) -> None:
    """The answer on stdout, the text or the structured half of the tool's."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # which may lack letters of a name
        sys.stdout.reconfigure(errors="backslashreplace")
    structured = answer.structured()
    print(json.dumps(structured) if as_json else as_text(structured))


def say(sentence: str) -> None:
    """A sentence on stderr."""
    print(f"dicomweb-mcp: {sentence}", file=sys.stderr)


def can_ask(*, as_json: bool) -> bool:
    """Whether somebody sees a question and can answer it: an answer as JSON is for a program."""
    return not as_json and sys.stdin.isatty() and sys.stderr.isatty()


def agrees(plan: Answer, question: str, otherwise: str) -> bool:
    """Whether the person says yes to a plan, which is shown on stderr; ``otherwise`` is said when not."""
    _discard_typed()
    print(f"{as_text(plan.structured())}\n{question} [y/N] ", end="", file=sys.stderr, flush=True)
    with not_begun(otherwise):
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            print(file=sys.stderr)  # the question's line ends
            raise
    if line.strip().casefold() in ("y", "yes"):
        return True
    say(otherwise)
    return False


@contextmanager
def not_begun(sentence: str) -> Iterator[None]:
    """Nothing is done before its end: ``sentence`` is what is so when it is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(sentence) from None


def _discard_typed() -> None:
    """What was typed before a question is no answer to it."""
    if sys.platform == "win32":
        import msvcrt

        while msvcrt.kbhit():
            msvcrt.getwch()
        return
    try:
        import termios
    except ImportError:  # a system without terminals
        return
    with suppress(OSError, termios.error):  # stdin is none
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
