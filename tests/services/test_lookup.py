import pytest

from dicomweb_mcp.archives.base import NotFound, Place
from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.services.lookup import find_place
from fakes.google import Google
from fakes.orthanc_like import OrthancLike
from fakes.store import Store, synthetic_uid
from support import app_over

pytestmark = pytest.mark.anyio

STORE = Store.synthetic(studies=3, series=2, instances=2)
STUDY, SERIES, INSTANCE = synthetic_uid(1), synthetic_uid(1, 1), synthetic_uid(1, 1, 1)


@pytest.mark.parametrize("fake", [Google(STORE), OrthancLike(STORE)], ids=["google", "orthanc"])
async def test_the_parents_of_any_uid_are_found_and_remembered(fake: Google | OrthancLike) -> None:
    app = app_over({"pacs": (fake, "google" if isinstance(fake, Google) else "orthanc")})
    archive = app.archive("pacs")
    assert await find_place(app, archive, None, None, INSTANCE) == Place(STUDY, SERIES, INSTANCE)
    assert await find_place(app, archive, None, SERIES, None) == Place(STUDY, SERIES)
    assert await find_place(app, archive, STUDY, None, None) == Place(STUDY)
    asked = len(fake.requests)
    await find_place(app, archive, None, None, INSTANCE)
    await find_place(app, archive, None, SERIES, None)
    await find_place(app, archive, STUDY, SERIES, INSTANCE)
    assert len(fake.requests) == asked


async def test_a_uid_of_another_level_is_told() -> None:
    app = app_over({"pacs": (OrthancLike(STORE), "orthanc")})
    archive = app.archive(None)
    with pytest.raises(NotFound, match=r"is the UID of a study, not of a series: pass it as study_uid"):
        await find_place(app, archive, None, STUDY, None)
    with pytest.raises(NotFound, match="is the UID of a series"):
        await find_place(app, archive, None, None, SERIES)
    with pytest.raises(NotFound, match=r"has no instance 1\.2\.3"):
        await find_place(app, archive, None, None, "1.2.3")


async def test_a_series_remembered_is_no_instance() -> None:
    app = app_over({"pacs": (OrthancLike(STORE), "orthanc")})
    archive = app.archive(None)
    await find_place(app, archive, None, SERIES, None)
    with pytest.raises(NotFound, match="is the UID of a series"):
        await find_place(app, archive, None, None, SERIES)


async def test_contradicting_uids_are_refused() -> None:
    app = app_over({"pacs": (OrthancLike(STORE), "orthanc")})
    archive = app.archive(None)
    with pytest.raises(BadArgument, match="does not belong to series_uid"):
        await find_place(app, archive, None, synthetic_uid(0, 1), INSTANCE)
    with pytest.raises(BadArgument, match="Give study_uid, series_uid or instance_uid"):
        await find_place(app, archive, None, None, None)
