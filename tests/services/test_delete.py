"""Deleting: the plan, its token, what is sent, and what counts as deleted. The truth is what the fake holds."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from dicomweb_mcp.archives.base import (
    AccessDenied,
    Failed,
    NotFound,
    NotOffered,
    NotPermitted,
    Refused,
    Unreachable,
)
from dicomweb_mcp.dicom.rules import Level
from dicomweb_mcp.errors import BadArgument, Problem
from dicomweb_mcp.services import delete as service
from dicomweb_mcp.services.app import App
from fakes.base import Fake
from fakes.deaf import Deaf
from fakes.deleting import DeletingDcm4chee, DeletingGoogle, DeletingOrthanc
from fakes.store import Held, Store, element, synthetic_attributes
from services.deletion_helpers import (
    INSTANCE,
    LEVELS,
    NOON,
    SERIES,
    STUDY,
    Deleting,
    app_deleting,
    below,
    deletes,
    held,
)

pytestmark = pytest.mark.anyio
Over = Callable[..., Deleting]
FAKES: dict[str, Callable[[Store], Fake]] = {
    "google": DeletingGoogle,
    "orthanc": DeletingOrthanc,
    "dcm4chee": DeletingDcm4chee,
}
EVERY_WAY = [(kind, level) for kind in FAKES for level in LEVELS if kind != "dcm4chee" or level == "study"]


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LOOK_AFTER", (0.0, 0.0, 0.0, 0.0))


@pytest.fixture
async def over() -> AsyncIterator[Over]:
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


def some() -> Store:
    """Two studies of two series of three instances."""
    return Store.synthetic(2, 2, 3)


# ---- plan and deed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "level"), EVERY_WAY)
async def test_what_was_planned_goes_and_nothing_else(over: Over, kind: str, level: str) -> None:
    store = some()
    fake = FAKES[kind](store)
    model = over(fake, kind)
    before, doomed = held(store), below(*LEVELS[level].values(), store)
    plan = await model.call(**LEVELS[level])
    assert deletes(fake) == []
    assert held(store) == before
    assert (set(plan.plan.instances), plan.done) == (doomed, None)
    assert plan.plan.place.level == level
    assert plan.plan.patient == {"PatientID": "P000000", "PatientName": "Adams^Person000000", "StudyDate": "20000101"}
    assert plan.plan.series_count == (2 if level == "study" else 1)
    assert plan.plan.size == (1_000 * len(doomed) if kind == "orthanc" else None)
    done = await model.call(plan.token, **LEVELS[level])
    assert done.done is not None
    assert done.done.found == {}
    assert held(store) == before - doomed
    assert len(deletes(fake)) == 1
    assert not [note for note in done.notes if "still" in note]
    with pytest.raises(NotFound):
        await model.call(**LEVELS[level])


async def test_a_plan_of_what_is_not_there(over: Over) -> None:
    fake = DeletingGoogle(some())
    model = over(fake, "google")
    for uids in ({"study_uid": "1.2.3"}, {"series_uid": "1.2.3"}, {"study_uid": STUDY, "series_uid": f"{STUDY}.9"}):
        with pytest.raises(NotFound):
            await model.call("0" * 20, **uids)
    with pytest.raises(BadArgument):
        await model.call()
    with pytest.raises(BadArgument):
        await model.call(study_uid="1.2/../..")
    assert deletes(fake) == []


async def test_caches_forget_what_is_gone(over: Over) -> None:
    model = over(DeletingOrthanc(some()), "orthanc")
    key = model.app.memory.key("pacs", "frame")
    model.app.memory.keep(key, b"pixels", 6)
    await model.plan_and_do(series_uid=SERIES)
    assert model.app.memory.recall(key) is None
    assert model.app.places.recall("pacs", Level.SERIES, SERIES) is None


# ---- the token ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "used", "good"),
    [(0, 0, True), (0, 599, True), (599, 600, True), (0, 1_199, True), (599, 1_200, False), (0, 1_200, False),
     (600, 0, False), (0, 86_400, False)],
)  # fmt: skip
async def test_the_life_of_a_token(over: Over, made: float, used: float, good: bool) -> None:
    store = some()
    fake = DeletingOrthanc(store)
    model = over(fake, "orthanc")
    model.now = NOON + made
    token = (await model.call(study_uid=STUDY)).token
    model.now = NOON + used
    answer = await model.call(token, study_uid=STUDY)
    assert (answer.done is not None) == good
    assert bool(below(STUDY, store)) != good
    if not good:
        assert deletes(fake) == []
        assert answer.notes[0].startswith("Refused, and nothing was deleted")
        assert (await model.call(answer.token, study_uid=STUDY)).done is not None


def grown(store: Store) -> None:
    store.hold([Held(attributes={**store.instances[0].attributes, "00080018": element("UI", f"{SERIES}.99")})])


def shrunk(store: Store) -> None:
    store.drop(store.held(STUDY, SERIES, INSTANCE))


def exchanged(store: Store) -> None:
    shrunk(store)
    grown(store)


def given_to_another_patient(store: Store) -> None:
    members = store.held(STUDY)
    store.drop(members)
    store.hold([Held(attributes={**one.attributes, "00100020": element("LO", "SOMEBODY ELSE")}) for one in members])


@pytest.mark.parametrize("change", [grown, shrunk, exchanged, given_to_another_patient])
@pytest.mark.parametrize("kind", FAKES)
async def test_a_change_of_content_ends_the_token(over: Over, kind: str, change: Callable[[Store], None]) -> None:
    store = some()
    fake = FAKES[kind](store)
    model = over(fake, kind)
    token = (await model.call(study_uid=STUDY)).token
    change(store)
    before = held(store)
    answer = await model.call(token, study_uid=STUDY)
    assert answer.done is None
    assert set(answer.plan.instances) == below(STUDY, store)
    assert answer.token != token
    assert (deletes(fake), held(store)) == ([], before)


async def test_a_token_is_for_one_place_of_one_archive(over: Over) -> None:
    """A study of one series of one instance: three plans of the same instance, and each needs its own token."""
    store = Store.synthetic(1)
    fake = DeletingGoogle(store)
    tokens = [(await over(fake, "google").call(**uids)).token for uids in LEVELS.values()]
    tokens.append((await over(DeletingDcm4chee(store), "dcm4chee").call(study_uid=STUDY)).token)
    tokens.append((await over(fake, "google", name="other").call(study_uid=STUDY)).token)
    assert len(set(tokens)) == 5
    for wrong in [*tokens[1:], "", " ", "x", "yes", tokens[0][:-1], "0" * 20]:
        assert (await over(fake, "google").call(wrong, study_uid=STUDY)).done is None
    assert deletes(fake) == []
    assert (await over(fake, "google").call(f" {tokens[0]} ", study_uid=STUDY)).done is not None


# ---- the permission ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "more", "says"),
    [
        ("orthanc", {"permit": ()}, "--permit pacs:delete"),
        ("orthanc", {"permit": ("store",)}, "--permit pacs:delete"),
        ("google", {"permit": ("store",)}, "--permit pacs:delete"),
        ("orthanc", {"http": {"host": "127.0.0.1", "port": 1}}, "over HTTP"),
        ("idc", {"permit": ()}, "can only be read"),
        ("idc-google", {"permit": ()}, "can only be read"),
    ],
)
async def test_without_the_permission_nothing_is_sent(over: Over, kind: str, more: Any, says: str) -> None:
    fake = DeletingGoogle(some())
    model = over(fake, kind, **more)
    for uids in ({}, *LEVELS.values(), {"study_uid": "none"}):
        for token in (None, "0" * 20):
            with pytest.raises(NotPermitted, match=says):
                await model.call(token, **uids)
    assert fake.requests == []


@pytest.mark.parametrize("kind", ["generic", "aurabox"])
async def test_a_server_of_no_known_way_is_never_sent_a_deletion(over: Over, kind: str) -> None:
    fake = Deaf(some(), base="/dicom-web" if kind == "generic" else "/dicomweb")
    for uids in LEVELS.values():
        with pytest.raises(NotOffered, match="no way to delete is known"):
            await over(fake, kind).call("0" * 20, **uids)
    assert deletes(fake) == []


# ---- half done, and what a search says ---------------------------------------------------------------------------


async def test_half_a_deletion_is_told_as_such(over: Over) -> None:
    store = some()
    fake = DeletingGoogle(store)
    fake.spares, fake.ends = 2, {"error": {"code": 13, "message": "internal"}}
    done = await over(fake, "google").plan_and_do(study_uid=STUDY)
    assert done.done is not None
    assert set(done.done.found or {}) == below(STUDY, store)
    assert len(done.done.found or {}) == 2
    assert any("could not end its deletion: internal" in note for note in done.notes)


async def test_searches_that_lag_are_waited_for(over: Over) -> None:
    fake = DeletingGoogle(some())
    fake.lag = 3  # one search in each look while something is found
    done = await over(fake, "google").plan_and_do(series_uid=SERIES)
    assert done.done is not None
    assert done.done.found == {}
    assert fake.lag == 0


async def test_what_is_still_found_is_never_deleted(over: Over) -> None:
    fake = DeletingGoogle(some())
    fake.lag = 1_000
    done = await over(fake, "google").plan_and_do(instance_uid=INSTANCE)
    assert done.done is not None
    assert done.done.found == {INSTANCE: SERIES}
    assert any("do not count as deleted" in note for note in done.notes)


async def test_a_study_that_is_still_listed_without_instances(over: Over) -> None:
    fake = DeletingGoogle(some())
    fake.lag, fake.lags = 1_000, {"study"}
    done = await over(fake, "google").plan_and_do(study_uid=STUDY)
    assert done.done is not None
    assert done.done.found == {}
    assert done.notes == ["A search still lists the study itself, without instances."]


async def test_a_place_that_is_not_there_any_more_is_gone(over: Over) -> None:
    """Some servers answer 404 to a search below a study that they do not have."""
    store = some()
    fake = DeletingGoogle(store)
    model = over(fake, "google")
    token = (await model.call(study_uid=STUDY)).token
    original = fake._remove

    def remove(instances: list[Held]) -> None:
        original(instances)
        fake.fail(404, times=50, only=f"/studies/{STUDY}/")

    fake._remove = remove  # type: ignore[method-assign]
    done = await model.call(token, study_uid=STUDY)
    assert done.done is not None
    assert done.done.found == {}


async def test_what_came_meanwhile_is_told_and_not_counted(over: Over) -> None:
    store = some()
    fake = DeletingGoogle(store)
    original = fake._remove

    def remove(instances: list[Held]) -> None:
        original(instances)
        store.hold([Held(attributes={**instances[0].attributes, "00080018": element("UI", f"{SERIES}.99")})])

    fake._remove = remove  # type: ignore[method-assign]
    done = await over(fake, "google").plan_and_do(study_uid=STUDY)
    assert done.done is not None
    assert done.done.found == {}
    assert done.notes == ["Instances that came after the plan are there, and were not meant to be deleted."]


async def test_several_studies_of_one_uid_are_no_plan(over: Over) -> None:
    fake = DeletingGoogle(some())
    row = {"0020000D": element("UI", STUDY)}
    fake.fail(lambda _: httpx.Response(200, json=[row, row]))
    with pytest.raises(Refused, match="lists 2 studies with the UID"):
        await over(fake, "google").call(study_uid=STUDY)


async def test_a_cut_connection_is_followed_by_a_search(over: Over) -> None:
    """The server deleted, and its answer was lost: what counts is that it is gone. Nothing is sent twice."""
    fake = DeletingGoogle(some())
    fake.cut = True
    done = await over(fake, "google").plan_and_do(instance_uid=INSTANCE)
    assert done.done is not None
    assert done.done.found == {}
    assert any("broke off" in note for note in done.notes)
    assert len(deletes(fake)) == 1


async def test_where_nothing_can_be_searched_nothing_counts_as_deleted(over: Over) -> None:
    store = some()
    fake = DeletingGoogle(store)
    model = over(fake, "google")
    token = (await model.call(instance_uid=INSTANCE, series_uid=SERIES, study_uid=STUDY)).token
    original = fake._remove

    def remove(instances: list[Held]) -> None:
        original(instances)
        fake.fail(403, times=50, method="GET")

    fake._remove = remove  # type: ignore[method-assign]
    done = await model.call(token, instance_uid=INSTANCE, series_uid=SERIES, study_uid=STUDY)
    assert done.done is not None
    assert done.done.found is None
    assert any("could not be searched for" in note for note in done.notes)


async def test_a_list_that_may_be_cut_is_no_plan(over: Over, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST_INSTANCES", 5)
    fake = DeletingGoogle(some())
    with pytest.raises(Refused, match="does not list all instances"):
        await over(fake, "google").call(study_uid=STUDY)


# ---- Google ------------------------------------------------------------------------------------------------------


async def test_an_operation_is_followed_with_progress(over: Over) -> None:
    fake = DeletingGoogle(some())
    fake.polls = 3
    model = over(fake, "google")
    await model.plan_and_do(study_uid=STUDY)
    assert sum("/operations/1" in path for path in fake.paths) == 4
    words = [words for _, words in model.told]
    assert "deleting for 0 s, 1 success, 2 pending" in words
    assert words[-1] == "searching for what is left"
    assert [step for step, _ in model.told] == list(range(1, len(words) + 1))


@pytest.mark.parametrize(
    ("code", "error"), [(7, AccessDenied), (5, NotFound), (9, Refused), (13, Failed), ("13", Failed)]
)
async def test_an_operation_that_fails_is_an_error(over: Over, code: Any, error: type[Problem]) -> None:
    fake = DeletingGoogle(some())
    fake.spares = 100
    fake.ends = {"error": {"code": code, "message": "no luck, see https://x.test/y?token=1\nstack"}}
    with pytest.raises(error, match=r"could not end its deletion: no luck, see \(address\)"):
        await over(fake, "google").plan_and_do(study_uid=STUDY)


async def test_an_operation_that_never_ends(over: Over) -> None:
    fake = DeletingGoogle(some())
    fake.polls = 10_000
    with pytest.raises(Unreachable, match=r"had not ended its deletion after .* may go on"):
        await over(fake, "google").plan_and_do(study_uid=STUDY)
    assert len(deletes(fake)) == 1


@pytest.mark.parametrize("xml", [False, True])
@pytest.mark.parametrize(("status", "error"), [(403, AccessDenied), (404, NotFound), (400, Refused), (500, Failed)])
async def test_a_deletion_that_google_refuses(over: Over, status: int, error: type[Problem], xml: bool) -> None:
    store = some()
    fake = DeletingGoogle(store)
    model = over(fake, "google")
    token = (await model.call(study_uid=STUDY)).token
    fake.xml = xml
    fake.fail(status, method="DELETE")
    with pytest.raises(error) as raised:
        await model.call(token, study_uid=STUDY)
    assert "<" not in str(raised.value)
    assert "10.0.0.1" not in str(raised.value)
    assert ("ordered by the test" in str(raised.value)) != xml
    assert len(held(store)) == 12
    assert len(deletes(fake)) == 1, "it is not tried again"


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"nonsense", b'{"name": "../../../etc"}', b'{"name": "https://evil.test/operations/1"}',
     b'{"name": "projects/p/locations/l/datasets/d/operations/1?x=/../"}'],
)  # fmt: skip
async def test_what_is_no_operation_is_not_followed(over: Over, body: bytes) -> None:
    fake = DeletingGoogle(some())
    fake.fail(lambda _: httpx.Response(200, content=body), method="DELETE")
    with pytest.raises(Problem, match=r"something else than an operation|something that is no JSON"):
        await over(fake, "google").plan_and_do(study_uid=STUDY)
    assert not [path for path in fake.paths if "operations" in path or "etc" in path]


# ---- Orthanc -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
async def test_two_objects_of_one_uid_are_refused(over: Over, level: str) -> None:
    """Orthanc identifies an object by its PatientID and UIDs: the same UIDs under another patient are another study."""
    store = some()
    other = next(synthetic_attributes(1))
    store.hold([Held(attributes={**other, "00100020": element("LO", "SOMEBODY ELSE")})])
    fake = DeletingOrthanc(store)
    with pytest.raises(Refused, match="has 2 objects that are"):
        await over(fake, "orthanc").call(**LEVELS[level])
    assert deletes(fake) == []
    assert len(store.instances) == 13


async def test_a_patient_who_is_called_like_the_study_stays(over: Over) -> None:
    """Orthanc's look-up finds patients by PatientID as well, and a patient holds more than the study."""
    store = Store().hold(
        Held(attributes={**attributes, "00100020": element("LO", STUDY)}) for attributes in synthetic_attributes(2)
    )
    done = await over(DeletingOrthanc(store), "orthanc").plan_and_do(study_uid=STUDY)
    assert done.done is not None
    assert done.done.found == {}
    assert len(store.instances) == 1


async def test_another_patient_between_plan_and_deed(over: Over) -> None:
    store = some()
    fake = DeletingOrthanc(store)
    model = over(fake, "orthanc")
    token = (await model.call(study_uid=STUDY)).token
    store.hold([Held(attributes={**next(synthetic_attributes(1)), "00100020": element("LO", "SOMEBODY ELSE")})])
    with pytest.raises(Refused):
        await model.call(token, study_uid=STUDY)
    assert len(store.instances) == 13


async def test_a_search_that_shows_less_than_there_is(over: Over) -> None:
    """LimitFindInstances cuts the lists of Orthanc's searches in silence."""
    fake = DeletingOrthanc(some())
    fake.miscounts = True
    with pytest.raises(Refused, match=r"lists 6 instances .* has 7"):
        await over(fake, "orthanc").call(study_uid=STUDY)


async def test_an_orthanc_whose_own_api_is_hidden(over: Over) -> None:
    fake = DeletingOrthanc(some())
    fake.hides_rest = True
    with pytest.raises(NotOffered, match="a gateway may hide it"):
        await over(fake, "orthanc").call(study_uid=STUDY)


# ---- dcm4chee ----------------------------------------------------------------------------------------------------


async def test_dcm4chee_rejects_first(over: Over) -> None:
    store = some()
    fake = DeletingDcm4chee(store)
    model = over(fake, "dcm4chee")
    fake.rejected.clear()
    with pytest.raises(Refused, match=r"\(403\): Deletion of Study prohibited by configuration.*rejected before"):
        await model.plan_and_do(study_uid=STUDY)
    fake.retained.add(STUDY)
    with pytest.raises(Refused, match=r"\(409\): Study retention has not expired.*retention"):
        await model.plan_and_do(study_uid=STUDY)
    assert len(held(store)) == 12


@pytest.mark.parametrize("level", ["series", "instance"])
async def test_dcm4chee_deletes_whole_studies_only(over: Over, level: str) -> None:
    fake = DeletingDcm4chee(some())
    with pytest.raises(NotOffered, match="whole studies only"):
        await over(fake, "dcm4chee").call(**LEVELS[level])
    assert deletes(fake) == []
