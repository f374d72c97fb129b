"""How each kind of server deletes: Google by operations, Orthanc by its own REST, dcm4chee what was rejected."""

from typing import Any

import httpx
import pytest

from dicomweb_mcp.archives.base import AccessDenied, Failed, NotFound, NotOffered, Refused
from dicomweb_mcp.errors import Problem
from fakes.deleting import DeletingDcm4chee, DeletingGoogle, DeletingOrthanc
from fakes.store import Held, Store, element, synthetic_attributes
from services.deletion_helpers import LEVELS, STUDY, Over, deletes, held, some

pytestmark = pytest.mark.anyio


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


async def test_dcm4chee_takes_more_than_it_shows(over: Over) -> None:
    """Rejected objects, which most of its addresses hide, go with the study: the plan says so, and so does the refusal
    that sends somebody to reject them."""
    fake = DeletingDcm4chee(some())
    model = over(fake, "dcm4chee")
    plan = await model.call(study_uid=STUDY)
    assert "also rejected objects that a search at this address does not show" in plan.notes[2]
    assert "also rejected" in (await model.call("wrong", study_uid=STUDY)).notes[2]
    fake.rejected.clear()
    with pytest.raises(Refused, match="hidden at most addresses: delete them through one that shows them"):
        await model.call(plan.token, study_uid=STUDY)


@pytest.mark.parametrize("level", ["series", "instance"])
async def test_dcm4chee_deletes_whole_studies_only(over: Over, level: str) -> None:
    fake = DeletingDcm4chee(some())
    with pytest.raises(NotOffered, match="whole studies only"):
        await over(fake, "dcm4chee").call(**LEVELS[level])
    assert deletes(fake) == []
