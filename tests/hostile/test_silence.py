"""Archives that stop answering, at every point of an answer."""

from collections.abc import Iterator, Mapping

import pytest

from fakes.scripted import CUT, HANG, RESET, Script, Step, chunk, head, http
from hostile.world import BRISK, CALLS, ROWS, Case, Outcome, outcomes_of

pytestmark = pytest.mark.anyio

HEAD = http(ROWS, headers=("X-Padding: " + "x" * 40,))


def drip(data: bytes) -> Iterator[Step]:
    for at in range(len(data)):
        yield data[at : at + 1]
        yield 0.1
    yield HANG


SCRIPTS: Mapping[str, tuple[Script, str]] = {
    "no answer": (lambda _: [HANG], "sent nothing for 1 s"),
    "hangs in the head": (lambda _: [HEAD[:40], HANG], "sent nothing for 1 s"),
    "hangs in the body": (lambda _: [HEAD[:-40], HANG], "sent nothing for 1 s"),
    "hangs in a chunk": (lambda _: [head(), chunk(ROWS)[:-40], HANG], "sent nothing for 1 s"),
    "hangs before the last chunk": (lambda _: [head(), chunk(ROWS), HANG], "sent nothing for 1 s"),
    "drips its head": (lambda _: drip(HEAD), "did not begin its answer within 3 s"),
    "drips its body": (lambda _: [http(length=1_000), *drip(ROWS)], "did not finish its answer within 3 s"),
    "closes at once": (lambda _: [CUT], "broke off its answer"),
    "closes in the head": (lambda _: [HEAD[:40], CUT], "broke off its answer"),
    "closes in the body": (lambda _: [HEAD[:-40], CUT], "broke off its answer"),
    "closes in a chunk": (lambda _: [head(), chunk(ROWS)[:-40], CUT], "broke off its answer"),
    "closes before the last chunk": (lambda _: [head(), chunk(ROWS), CUT], "broke off its answer"),
    "resets at once": (lambda _: [RESET], "broke off its answer"),
    "resets in the body": (lambda _: [HEAD[:-40], 0.05, RESET], "broke off its answer"),
}


@pytest.fixture(scope="module")
async def outcomes() -> dict[Case, Outcome]:
    return await outcomes_of({name: script for name, (script, _) in SCRIPTS.items()}, patience=BRISK)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("script", SCRIPTS)
async def test_an_answer_that_does_not_arrive(outcomes: dict[Case, Outcome], script: str, call: str) -> None:
    found = outcomes[script, call]
    assert found.is_error
    assert found.text.startswith("Archive bad")
    assert SCRIPTS[script][1] in found.text
    assert "ry again" in found.text or "ask for less" in found.text
    assert found.seconds < 10
    assert found.then == "", "good again, and asked again"
