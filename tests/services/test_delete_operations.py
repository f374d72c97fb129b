"""Google's long-running operations: followed with patience, to whatever end, and told of by their number."""

from dataclasses import replace
from typing import Any, cast

import anyio
import httpx
import pytest

from dicomweb_mcp.archives.base import ArchiveError, Busy, Failed, NotFound, NotUnderstood, Unreachable
from dicomweb_mcp.archives.deletion import google
from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from fakes.base import Asked
from fakes.deleting import DATASET, DeletingGoogle
from services.deletion_helpers import STUDY, Over, below, deletes, some

pytestmark = pytest.mark.anyio
OPERATIONS = f"/v1/{DATASET}/operations/"


def looks(fake: DeletingGoogle) -> int:
    return sum(path.startswith(OPERATIONS) for path in fake.paths)


async def test_the_waits_grow_up_to_a_limit(over: Over, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = DeletingGoogle(some())
    fake.polls = 16
    model = over(fake, "google")
    wire = cast(DicomwebArchive, model.app.archive(None))._wire
    wire.patience = replace(wire.patience, operation=60, poll=0.5)
    token = (await model.call(study_uid=STUDY)).token
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(google.anyio, "sleep", sleep)
    await model.call(token, study_uid=STUDY)
    assert waits[:17] == [0.5, 1, 2, 4, 8, *[10] * 12]
    assert looks(fake) == 17


async def test_patience_has_an_end(over: Over) -> None:
    fake = DeletingGoogle(some())
    fake.polls = 10_000
    with pytest.raises(Unreachable, match=r"after \d s, and may go on with it \(operation 1\).*look again later"):
        await over(fake, "google").plan_and_do(study_uid=STUDY)
    assert len(deletes(fake)) == 1


async def test_whoever_cancels_is_told_that_it_goes_on(over: Over) -> None:
    store = some()
    fake = DeletingGoogle(store)
    fake.polls = 5
    model = over(fake, "google")
    token = (await model.call(study_uid=STUDY)).token
    with anyio.CancelScope() as scope:
        fake.looking = scope.cancel
        await model.call(token, study_uid=STUDY)
    assert scope.cancelled_caught
    assert model.told[-1][1] == "no longer followed: Google goes on deleting (operation 1)"
    assert len(below(STUDY, store)) == 6
    fake.looking = lambda: None
    assert (await model.plan_and_do(study_uid=STUDY)).done is not None, "the archive is free for the next call"


async def test_a_client_that_is_gone_does_not_hinder_the_end(over: Over) -> None:
    fake = DeletingGoogle(some())
    model = over(fake, "google")
    token = (await model.call(study_uid=STUDY)).token

    async def gone(done: float, total: float | None, words: str) -> None:
        if words.startswith("no longer"):
            raise anyio.ClosedResourceError

    model._report = gone  # type: ignore[method-assign]
    with anyio.CancelScope() as scope:
        fake.looking = scope.cancel
        await model.call(token, study_uid=STUDY)
    assert scope.cancelled_caught


async def test_failures_that_google_counts_are_told(over: Over) -> None:
    store = some()
    fake = DeletingGoogle(store)
    fake.spares, fake.ends = 2, {"metadata": {"counter": {"success": "4", "failure": "2"}}}
    done = await over(fake, "google").plan_and_do(study_uid=STUDY)
    assert done.done is not None
    assert set(done.done.found or {}) == below(STUDY, store)
    assert done.notes == ["Google counts 2 failures in its deletion (operation 1)."], "no word of no failure"


@pytest.mark.parametrize("error", ["no luck", {"message": "no luck", "code": [7]}, {"message": "no luck"}])
async def test_an_error_of_another_shape_is_one(over: Over, error: Any) -> None:
    fake = DeletingGoogle(some())
    fake.spares, fake.ends = 100, {"error": error}
    with pytest.raises(Failed, match="could not end its deletion: no luck"):
        await over(fake, "google").plan_and_do(study_uid=STUDY)


@pytest.mark.parametrize("done", ["false", "no", 1, None, [], "true"])
async def test_only_true_is_done(over: Over, done: Any) -> None:
    fake = DeletingGoogle(some())
    fake.spares, fake.ends = 100, {"done": done}
    with pytest.raises(Unreachable, match="had not ended"):
        await over(fake, "google").plan_and_do(study_uid=STUDY)


async def test_what_is_done_at_once_is_not_looked_at(over: Over) -> None:
    store = some()
    fake = DeletingGoogle(store)

    def at_once(asked: Asked) -> httpx.Response:
        store.drop(store.held(STUDY))
        return httpx.Response(200, json={"name": f"{DATASET}/operations/1", "done": True, "response": {}})

    fake.fail(at_once, method="DELETE")
    done = await over(fake, "google").plan_and_do(study_uid=STUDY)
    assert (done.done and done.done.found, done.notes, looks(fake)) == ({}, [], 0)


@pytest.mark.parametrize(
    ("what", "error"),
    [
        (404, NotFound),
        (503, Busy),
        (500, Failed),
        (httpx.ConnectError("10.0.0.1"), Unreachable),
        (lambda _: httpx.Response(200, content=b"<html>"), NotUnderstood),
    ],
)
async def test_an_operation_of_which_nothing_is_known_any_more(
    over: Over, what: Any, error: type[ArchiveError]
) -> None:
    """It may go on, so nothing is said of what is there except that it is."""
    fake = DeletingGoogle(some())
    fake.fail(what, times=1_000, only="/operations/")
    with pytest.raises(error, match=r"cannot be followed to its end, and may go on \(operation 1\)"):
        await over(fake, "google").plan_and_do(study_uid=STUDY)
    assert len(deletes(fake)) == 1


@pytest.mark.parametrize("left", [0, 2])
async def test_an_operation_that_is_gone_is_followed_by_a_search(over: Over, left: int) -> None:
    store = some()
    fake = DeletingGoogle(store)
    fake.fail(404, times=1_000, only="/operations/")
    fake.looking = lambda: None
    model = over(fake, "google")
    token = (await model.call(study_uid=STUDY)).token

    def gone(asked: Asked) -> httpx.Response:
        store.drop(store.held(STUDY)[left:])
        return httpx.Response(200, json={"name": f"{DATASET}/operations/1"})

    fake.fail(gone, method="DELETE")
    done = await model.call(token, study_uid=STUDY)
    assert done.done is not None
    assert set(done.done.found or {}) == below(STUDY, store)
    assert "cannot be followed to its end, and may go on (operation 1)" in done.notes[0]


async def test_a_look_that_fails_is_made_again(over: Over) -> None:
    fake = DeletingGoogle(some())
    fake.fail(503, times=12, only="/operations/")  # two looks of five tries, and a third
    done = await over(fake, "google").plan_and_do(study_uid=STUDY)
    assert done.done is not None
    assert (done.done.found, done.notes) == ({}, [])
