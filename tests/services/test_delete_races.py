"""What happens between the looks and the deletion: something arrives, goes, is exchanged, or is deleted twice."""

from collections.abc import Callable

import anyio
import httpx
import pytest

from dicomweb_mcp.archives.base import NotFound, Refused
from dicomweb_mcp.errors import Problem
from fakes.base import Asked, Fake
from fakes.deleting import DeletingDcm4chee, DeletingGoogle, DeletingOrthanc
from fakes.store import Held, Json, Store, element
from services.deletion_helpers import INSTANCE, LEVELS, SERIES, STUDY, UIDS, Over, below, deletes, held, some

pytestmark = pytest.mark.anyio
FAKES: dict[str, Callable[[Store], Fake]] = {
    "google": DeletingGoogle,
    "orthanc": DeletingOrthanc,
    "dcm4chee": DeletingDcm4chee,
}
WAYS = [("google", "study"), ("google", "series"), ("orthanc", "study"), ("orthanc", "series"), ("dcm4chee", "study")]


def after(fake: Fake, is_it: Callable[[Asked], bool], happens: Callable[[], None]) -> None:
    """Something happens once, as soon as such a request was answered."""
    answer = fake.answer
    waiting = [happens]

    def answered(asked: Asked) -> httpx.Response:
        found = answer(asked)
        if waiting and is_it(asked):
            waiting.pop()()
        return found

    fake.answer = answered  # type: ignore[method-assign]


def is_listing(asked: Asked) -> bool:
    return asked.method == "GET" and "/studies/" in asked.path and asked.path.endswith("/instances")


def arrives(store: Store) -> None:
    store.hold([Held(attributes={**store.instances[0].attributes, "00080018": element("UI", f"{SERIES}.99")})])


def is_exchanged(store: Store) -> None:
    """The same UIDs, as many bytes, other content."""
    (old,) = store.held(STUDY, SERIES, INSTANCE)
    store.drop([old])
    store.hold([Held(attributes={**old.attributes, "00204000": element("LT", "another one")})])


@pytest.mark.parametrize(("kind", "level"), WAYS)
async def test_what_arrives_after_the_last_list_ends_it(over: Over, kind: str, level: str) -> None:
    store = some()
    fake = FAKES[kind](store)
    model = over(fake, kind)
    token = (await model.call(**LEVELS[level])).token
    after(fake, is_listing, lambda: arrives(store))
    with pytest.raises(Refused, match=r"(changed|arrived).* [Nn]othing was deleted"):
        await model.call(token, **LEVELS[level])
    assert deletes(fake) == []
    assert len(held(store)) == 13
    assert (await model.plan_and_do(**LEVELS[level])).done is not None, "the next plan has it"
    assert not below(*LEVELS[level].values(), store)


@pytest.mark.parametrize("level", LEVELS)
async def test_orthanc_tells_of_an_exchange(over: Over, level: str) -> None:
    store = some()
    fake = DeletingOrthanc(store)
    model = over(fake, "orthanc")
    token = (await model.call(**LEVELS[level])).token
    after(fake, is_listing, lambda: is_exchanged(store))
    with pytest.raises(Refused, match="changed"):
        await model.call(token, **LEVELS[level])
    assert deletes(fake) == []
    is_exchanged(store)
    assert (await model.call(token, **LEVELS[level])).done is None, "nor is the token good for it"
    assert len(held(store)) == 12


async def test_what_another_one_deletes_meanwhile_is_not_called_ours(over: Over) -> None:
    store = some()
    fake = DeletingOrthanc(store)
    model = over(fake, "orthanc")
    token = (await model.call(study_uid=STUDY)).token
    after(fake, is_listing, lambda: store.drop(store.held(STUDY, SERIES, INSTANCE)))
    with pytest.raises(Refused, match=r"changed .* Nothing was deleted"):
        await model.call(token, study_uid=STUDY)
    assert (deletes(fake), len(held(store))) == ([], 11)


async def test_an_end_that_looks_like_a_refusal_is_looked_after_while_searches_lag(over: Over) -> None:
    """An operation may end with "permission denied" after half of its work."""
    store = some()
    fake = DeletingGoogle(store)
    fake.spares, fake.ends, fake.lag = 1, {"error": {"code": 7, "message": "no"}}, 0
    original = fake._remove

    def remove(instances: list[Held]) -> None:
        original(instances[:1])  # one is gone for every search, of the others the searches know late
        original(instances[1:])
        fake.lag = 2

    fake._remove = remove  # type: ignore[method-assign]
    done = await over(fake, "google").plan_and_do(study_uid=STUDY)
    assert done.done is not None
    assert set(done.done.found or {}) == below(STUDY, store)
    assert len(below(STUDY, store)) == 1


async def test_a_plan_that_grows_while_it_is_made_is_none(over: Over) -> None:
    store = some()
    fake = DeletingGoogle(store)
    after(fake, is_listing, lambda: arrives(store))
    with pytest.raises(Refused, match="more than the 6 instances"):
        await over(fake, "google").call(study_uid=STUDY)


@pytest.mark.parametrize("kind", FAKES)
async def test_one_instance_in_two_series_is_not_counted_once(over: Over, kind: str) -> None:
    """A study that holds a SOP Instance UID twice would lose two instances where the plan says one."""
    store = Store.synthetic(1)
    other = {**store.instances[0].attributes, "0020000E": element("UI", f"{STUDY}.9")}
    store.hold([Held(attributes=other)])
    fake = FAKES[kind](store)
    with pytest.raises(Refused):
        await over(fake, kind).call(study_uid=STUDY)
    assert deletes(fake) == []


@pytest.mark.parametrize("kind", ["google", "orthanc"])
@pytest.mark.parametrize("level", ["series", "instance"])
async def test_a_uid_in_two_places_needs_its_parents(over: Over, kind: str, level: str) -> None:
    store = Store.synthetic(1)
    (one,) = store.instances
    store.hold([Held(attributes={**one.attributes, "0020000D": element("UI", "1.2.3")})])
    fake = FAKES[kind](store)
    model = over(fake, kind)
    with pytest.raises(Refused, match=r"several .*: give study_uid|2 objects that are"):
        await model.call(**LEVELS[level])
    if kind == "google":  # Orthanc's look-up knows no parents
        all_uids = {**UIDS[0], **UIDS[1], **(UIDS[2] if level == "instance" else {})}
        done = await model.plan_and_do(**all_uids)
        assert done.done is not None
        assert [one.text("0020000D") for one in store.instances] == ["1.2.3"]


@pytest.mark.parametrize(("kind", "level"), WAYS)
async def test_uids_that_begin_alike_are_others(over: Over, kind: str, level: str) -> None:
    store = Store.synthetic(1, 1, 2)
    longer = [
        {**one.attributes, **{tag: element("UI", one.text(tag) + "0") for tag in ("0020000D", "0020000E", "00080018")}}
        for one in store.instances
    ]
    store.hold(Held(attributes=attributes) for attributes in longer)
    done = await over(FAKES[kind](store), kind).plan_and_do(**LEVELS[level])
    assert done.done is not None
    assert len(done.plan.instances) == 2
    assert {one.text("0020000D") for one in store.instances} == {STUDY + "0"}


@pytest.mark.parametrize("kind", FAKES)
async def test_two_calls_at_once_delete_once(over: Over, kind: str) -> None:
    fake = FAKES[kind](some())
    model = over(fake, kind)
    token = (await model.call(study_uid=STUDY)).token
    ends: list[object] = []

    async def call() -> None:
        try:
            ends.append(await model.call(token, study_uid=STUDY))
        except Problem as problem:
            ends.append(type(problem))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(call)
    assert len(deletes(fake)) == 1
    assert ends.count(NotFound) == 2


@pytest.mark.parametrize(
    "wrong", ["\ud800", "é" * 20, "x" * 10_000, "\0", "\n", "0" * 20, "{upper}", "{spaced}", "{a}"]
)
async def test_what_is_no_token_deletes_nothing(over: Over, wrong: str) -> None:
    fake = DeletingOrthanc(some())
    model = over(fake, "orthanc")
    token = (await model.call(study_uid=STUDY)).token
    given = wrong.format(upper=token.upper(), spaced=" ".join(token), a=f"{token}\N{ZERO WIDTH SPACE}")
    assert given != token
    answer = await model.call(given, study_uid=STUDY)
    assert (answer.done, deletes(fake)) == (None, [])
    assert given not in " ".join(answer.notes)


async def test_a_token_of_what_is_gone(over: Over) -> None:
    model = over(DeletingOrthanc(some()), "orthanc")
    token = (await model.call(study_uid=STUDY)).token
    assert (await model.call(token, study_uid=STUDY)).done is not None
    with pytest.raises(NotFound):
        await model.call(token, study_uid=STUDY)


@pytest.mark.parametrize(
    "said", [{}, {"Series": 5, "LastUpdate": [1]}, {"Series": [None, {"a": 1}, "b"]}, {"FileUuid": {"x": None}}]
)
async def test_an_orthanc_that_describes_itself_oddly(over: Over, said: Json) -> None:
    store = some()
    fake = DeletingOrthanc(store)
    fake._resource = lambda *_: said  # type: ignore[method-assign]
    done = await over(fake, "orthanc").plan_and_do(study_uid=STUDY)
    assert done.done is not None
    assert len(held(store)) == 6
