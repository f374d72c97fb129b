"""UIDs of IDC are looked up in its index before its archives are asked: what is sent, and what is said."""

import re
from typing import Any

import httpx
import pytest

pytest.importorskip("duckdb")
pytest.importorskip("idc_index_data")

from dicomweb_mcp.archives.base import NotFound, Place
from dicomweb_mcp.dicom.query import Query
from dicomweb_mcp.dicom.rules import Level
from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.idc.index import IndexProblem
from dicomweb_mcp.idc.wheel import release
from dicomweb_mcp.services.app import App, Places
from dicomweb_mcp.services.idc import asking, known
from dicomweb_mcp.services.listing import objects_of
from dicomweb_mcp.services.lookup import find_place, where_else
from dicomweb_mcp.services.search import search
from dicomweb_mcp.services.study.look import series_of
from fakes.google import Google
from fakes.orthanc_like import OrthancLike
from fakes.store import Held, Store, element, synthetic_uid
from idc_uids import GONE, picked
from support import URLS, Answering, app_over

pytestmark = pytest.mark.anyio

ONE_LEVEL = "StudyInstanceUID != SeriesInstanceUID"
EMPTY = Store()


def proxy(store: Store = EMPTY, **more: bool) -> Google:
    return Google(store, idc=True, **more)


def google_store(store: Store = EMPTY, **more: bool) -> Google:
    return Google(store, httpx.URL(URLS["idc-google"]).path, **more)


def holding(study: str, series: str, instance: str = "1.2.3.4") -> Store:
    uids = {"0020000D": study, "0020000E": series, "00080018": instance}
    return Store().hold([Held({tag: element("UI", uid) for tag, uid in uids.items()})])


def app_of(fake: Answering, kind: str = "idc", **others: tuple[Answering, str]) -> App:
    return app_over({"asked": (fake, kind), **others})


def current(where: str = ONE_LEVEL) -> tuple[str, str]:
    ((study, series),) = picked("StudyInstanceUID, SeriesInstanceUID", where)
    return study, series


def retired() -> dict[str, Any]:
    columns = ("StudyInstanceUID", "SeriesInstanceUID", "series_aws_url", "max_idc_version", "collection_id")
    once = "SeriesInstanceUID IN (SELECT SeriesInstanceUID FROM prior_versions_index GROUP BY 1 HAVING count(*) = 1)"
    rows = picked(", ".join(columns), f"{GONE} AND {once}", table="prior_versions_index")
    return dict(zip(columns, rows[0], strict=True))


async def refusal(app: App, *uids: str | None) -> str:
    with pytest.raises(NotFound) as refused:
        await find_place(app, app.archive(None), *uids)
    return str(refused.value)


async def test_a_series_alone_is_enough_and_nothing_is_sent() -> None:
    study, series = current()
    fake = proxy()
    app = app_of(fake)
    archive = app.archive(None)
    assert await find_place(app, archive, None, series, None) == Place(study, series)
    assert app.places.recall("asked", Level.SERIES, series) == (study, None)
    assert await find_place(app, archive, study, series, None) == Place(study, series)
    assert await find_place(app, archive, study, None, None) == Place(study)
    app.places = Places()
    assert await find_place(app, archive, study, series, None) == Place(study, series)
    assert app.places.recall("asked", Level.SERIES, series) == (study, None)
    assert fake.requests == []


async def test_a_uid_of_another_level_is_told_and_nothing_is_sent() -> None:
    study, series = current()
    fake = proxy()
    app = app_of(fake)
    assert await refusal(app, None, study, None) == (
        f"Archive asked: {study} is the UID of a study, not of a series: pass it as study_uid."
    )
    assert f"{series} is the UID of a series, not of a study: pass it as series_uid." in await refusal(
        app, series, None, None
    )
    assert "not of a series" in await refusal(app, "1.2.3", study, None)
    assert fake.requests == []


async def test_a_study_that_is_another_series_is_told_and_nothing_is_sent() -> None:
    study, series = current()
    fake = proxy()
    app = app_of(fake)
    for _ in range(2):  # the second time it is remembered
        with pytest.raises(BadArgument, match=rf"{series} does not belong to study_uid=1\.2\.3: it belongs to {study}"):
            await find_place(app, app.archive(None), "1.2.3", series, None)
    assert fake.requests == []


async def test_what_left_idc_is_explained_when_the_archive_has_none() -> None:
    row = retired()
    fake = proxy()
    told = await refusal(app_of(fake), None, row["SeriesInstanceUID"], None)
    assert f"{row['SeriesInstanceUID']} is the UID of a series that is no longer in IDC" in told
    assert f"v{row['max_idc_version']} had it (collection {row['collection_id']}), {release()} does not" in told
    assert row["series_aws_url"] in told
    assert len(fake.requests) == 1


async def test_an_archive_that_still_has_what_left_idc_is_believed() -> None:
    row = retired()
    study, series = row["StudyInstanceUID"], row["SeriesInstanceUID"]
    app = app_of(google_store(holding(study, series), parent_uids=True), "idc-google")
    assert await find_place(app, app.archive(None), None, series, None) == Place(study, series)


async def test_a_uid_that_the_index_does_not_know_is_asked_for() -> None:
    newer = synthetic_uid(0, 1)
    app = app_of(proxy(Store.synthetic(1), parent_uids=True))
    place = Place(synthetic_uid(0), newer)
    assert await find_place(app, app.archive(None), None, newer, None) == place
    fake = proxy()
    told = await refusal(app_of(fake), None, "1.2.3", None)
    assert f"1.2.3 is known neither to the archive nor to the index of IDC {release()}" in told
    assert len(fake.requests) == 3  # a series, a study, an instance


async def test_instances_are_asked_for_and_told_as_before() -> None:
    study, series = current()
    fake = proxy(holding(study, series, "1.2.3.4"), parent_uids=True)
    app = app_of(fake)
    assert await find_place(app, app.archive(None), None, None, "1.2.3.4") == Place(study, series, "1.2.3.4")
    assert len(fake.requests) == 1
    assert "has no instance 1.2.3." in await refusal(app, None, None, "1.2.3")
    assert "is the UID of a series, not of an instance" in await refusal(app, None, None, series)


async def test_a_bucket_that_google_does_not_have_is_named_with_the_archive_that_has() -> None:
    study, series = current(f"aws_bucket != 'idc-open-data' AND {ONE_LEVEL}")
    ((bucket,),) = picked("aws_bucket", f"SeriesInstanceUID = '{series}'")
    fake = google_store()
    told = await refusal(app_of(fake, "idc-google"), None, series, None)
    assert f"{series} is a series of IDC" in told
    assert f"in the bucket {bucket}, which is not in Google's store: ask an archive of kind idc" in told
    assert len(fake.requests) == 1  # it is asked: buckets may come to it
    both = app_of(google_store(), "idc-google", public=(proxy(), "idc"))
    assert "ask archive public, which has all of IDC" in await refusal(both, None, series, None)
    assert await find_place(both, both.archive("public"), None, series, None) == Place(study, series)
    with pytest.raises(BadArgument, match=r"does not belong to study_uid=1\.2\.3"):
        await find_place(both, both.archive(None), "1.2.3", series, None)


async def test_a_store_of_an_older_release_is_named() -> None:
    _, series = current(f"aws_bucket = 'idc-open-data' AND series_init_idc_version > 2 AND {ONE_LEVEL}")
    app = app_of(google_store(), "idc-google")
    older = app.settings.archives[0].model_copy(update={"url": URLS["idc-google"].replace("-store-v25", "-store-v2")})
    app = App(app.settings.model_copy(update={"archives": (older,)}))
    finding = await known.look_up(app.archive(None), Level.SERIES, series)
    await app.close()
    assert finding is not None
    assert not finding.is_served
    assert "this store is that of v2: ask an archive of kind idc" in finding.why_absent()


async def test_what_the_archive_should_have_and_has_not_is_explained() -> None:
    study, series = current()
    archive = app_of(proxy()).archive(None)
    for call in (series_of(archive, study), objects_of(archive, Place(study, series))):
        with pytest.raises(NotFound, match=rf"by the index of IDC {release()}, but the archive has nothing there"):
            await call


async def test_an_empty_list_says_what_the_index_knows() -> None:
    row = retired()
    study, series = current()

    async def notes(query: Query) -> str:
        found = await search(app_of(proxy()).archive(None), query)
        assert found.rows == []
        return " ".join(found.notes)

    gone = {"SeriesInstanceUID": row["SeriesInstanceUID"]}
    assert "is no longer in IDC" in await notes(Query(Level.SERIES, filters=gone))
    assert "is no longer in IDC" in await notes(
        Query(Level.INSTANCE, study_uid=row["StudyInstanceUID"], series_uid=row["SeriesInstanceUID"])
    )
    assert f"{series} is the UID of a series, not of a study" in await notes(Query(Level.SERIES, study_uid=series))
    assert f"{study} is the UID of a study, not of a series" in await notes(
        Query(Level.SERIES, filters={"SeriesInstanceUID": study})
    )
    assert "is known neither to the archive nor to the index" in await notes(Query(Level.SERIES, study_uid="1.2.3"))
    assert "The archive has no study with PatientID" in await notes(Query(Level.STUDY, filters={"PatientID": "nobody"}))


async def test_a_name_that_is_no_uid_is_recognised() -> None:
    columns = "collection_id, crdc_series_uuid, SeriesInstanceUID"
    ((collection, uuid, series),) = picked(columns)
    ((digits,),) = picked("PatientID", "regexp_full_match(PatientID, '[0-9]{4,}')")
    fake = proxy()
    app = app_of(fake)
    for text, said in {
        collection: "is a collection of IDC, no UID",
        digits: f'filters={{"PatientID": "{digits}"}}',
        uuid: f"give series_uid={series}.",
        "nobody": "is not a UID: digits separated by dots",
    }.items():
        with pytest.raises(BadArgument, match=re.escape(said)):
            await find_place(app, app.archive(None), None, text, None)
    assert fake.requests == []


async def test_other_archives_know_nothing_of_the_index() -> None:
    study, series = current()
    fake = OrthancLike(EMPTY)
    app = app_of(fake, "orthanc")
    assert "has no series" in await refusal(app, None, series, None)
    assert await where_else(app.archive(None), Level.SERIES, study) == ""
    assert await find_place(app, app.archive(None), "1.2.3", series, None) == Place("1.2.3", series)


@pytest.mark.parametrize("how", ["not installed", "cannot be opened", "too slow"])
async def test_without_the_index_the_archive_is_asked(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise IndexProblem(how)

    if how == "not installed":
        monkeypatch.setattr(known, "is_installed", lambda: False)
    elif how == "cannot be opened":
        monkeypatch.setattr(asking, "the_index", broken)
    else:
        monkeypatch.setattr(known, "find", broken)
    study, series = current()
    fake = proxy(holding(study, series), parent_uids=True)
    app = app_of(fake)
    assert await find_place(app, app.archive(None), None, series, None) == Place(study, series)
    assert len(fake.requests) == 1
    assert "has no series 1.2.3." in await refusal(app, None, "1.2.3", None)
    assert "pass it as study_uid" in await refusal(app, None, study, None)
