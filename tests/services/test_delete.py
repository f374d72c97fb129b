"""Deleting: the plan, its token, what is sent, and what counts as deleted. The truth is what the fake holds."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from dicomweb_mcp.archives.base import (
    NotFound,
    NotOffered,
    NotPermitted,
    Refused,
)
from dicomweb_mcp.dicom.rules import Level
from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.services import delete as service
from fakes.base import Fake
from fakes.deaf import Deaf
from fakes.deleting import DeletingDcm4chee, DeletingGoogle, DeletingOrthanc
from fakes.store import Held, Store, element
from services.deletion_helpers import (
    INSTANCE,
    LEVELS,
    NOON,
    SERIES,
    STUDY,
    Over,
    below,
    deletes,
    held,
    some,
)

pytestmark = pytest.mark.anyio
FAKES: dict[str, Callable[[Store], Fake]] = {
    "google": DeletingGoogle,
    "orthanc": DeletingOrthanc,
    "dcm4chee": DeletingDcm4chee,
}
EVERY_WAY = [(kind, level) for kind in FAKES for level in LEVELS if kind != "dcm4chee" or level == "study"]


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


@pytest.mark.parametrize("kind", ["google", "orthanc"])
async def test_a_plan_says_what_a_person_recognises(over: Over, kind: str) -> None:
    """Of the attributes that the archive gives: the same whichever row comes first."""
    given = {
        "00080060": element("CS", "CT"),
        "00080016": element("UI", "1.2.840.10008.5.1.4.1.1.2"),
    }
    members = []
    for number, one in enumerate(Store.synthetic(1, 1, 3).instances, start=1):
        varying = {"0008103E": element("LO", f"Thorax {number}"), "00200013": element("IS", number)}
        members.append(Held(attributes={**one.attributes, **given, **varying}))
    of_series = {"Modality": "CT", "SeriesDescription": "Thorax 1"}
    for instances in (members, members[::-1]):
        model = over(FAKES[kind](Store().hold(instances)), kind)
        assert (await model.call(study_uid=STUDY)).plan.described == {}
        assert (await model.call(series_uid=SERIES)).plan.described == of_series
        first = (await model.call(instance_uid=INSTANCE)).plan
        assert first.described == {**of_series, "SOPClassUID": "CT Image Storage", "InstanceNumber": "1"}
        assert (await model.call(study_uid=STUDY)).notes == [
            "Nothing was deleted yet.",
            "The archive deletes for good.",
        ]


async def test_a_plan_of_what_is_not_there(over: Over) -> None:
    fake = DeletingGoogle(some())
    model = over(fake, "google")
    for uids in ({"study_uid": "1.2.3"}, {"series_uid": "1.2.3"}, {"study_uid": STUDY, "series_uid": f"{STUDY}.9"}):
        with pytest.raises(NotFound):
            await model.call("0" * 20, **uids)
    with pytest.raises(NotFound, match=r"has nothing at instance .* another study or series"):
        await model.call(study_uid=STUDY, series_uid=f"{STUDY}.2", instance_uid=INSTANCE)
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


class Vanishing(DeletingOrthanc):
    """From the DELETE on, nothing is at its address any more: a gateway that lost its route."""

    is_gone = False

    def answer(self, asked: Any) -> httpx.Response:
        self.is_gone = self.is_gone or asked.method == "DELETE"
        return httpx.Response(404, text="default backend") if self.is_gone else super().answer(asked)


async def test_an_archive_that_vanished_has_deleted_nothing(over: Over) -> None:
    store = some()
    deleting = over(Vanishing(store), "orthanc")
    before = held(store)
    deletion = await deleting.plan_and_do(study_uid=STUDY)
    assert held(store) == before
    assert deletion.done is not None
    assert deletion.done.found is None, "nobody can tell"
