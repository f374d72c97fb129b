"""Servers that ignore what they are asked, repeat themselves, or send rows without what was asked for."""

from fnmatch import fnmatch
from typing import Any

import httpx
import pytest

from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from dicomweb_mcp.dicom.query import Query
from dicomweb_mcp.dicom.rules import Level
from dicomweb_mcp.dicom.values import text
from dicomweb_mcp.services.search import search
from fakes.deaf import Deaf
from fakes.store import Store, synthetic_uid
from services.search_helpers import made, studies, uids
from support import open_over

pytestmark = pytest.mark.anyio


# ---- what they ignore -------------------------------------------------------------------------------------------------


async def test_an_ignored_offset_is_noticed_and_the_right_rows_are_shown() -> None:
    archive, _ = made("generic", 60, ignores={"offset"})
    honest, _ = made("generic", 60)
    found = await studies(archive, limit=25, offset=25)
    assert uids(found) == uids(await studies(honest, limit=25, offset=25))
    assert any("ignores offset" in note for note in found.notes)
    assert found.next_offset == 50
    last = await studies(archive, limit=25, offset=50)
    assert len(last.rows) == 10
    assert last.next_offset is None


async def test_an_ignored_offset_with_a_cap_ends_the_paging() -> None:
    archive, _ = made("generic", 60, ignores={"offset"}, cap=25)
    found = await studies(archive, limit=25, offset=25)
    assert found.rows == []
    assert found.next_offset is None
    assert found.complete is False
    assert any("narrow the search" in note for note in found.notes)


async def test_counting_over_an_ignored_offset_ends() -> None:
    archive, fake = made("generic", 60, ignores={"offset"}, cap=25)
    found = await studies(archive, count=True)
    assert found.complete is None
    assert found.total is None
    assert any("At least 25" in note for note in found.notes)
    assert len(fake.requests) < 5


async def test_an_ignored_limit_is_cut_here() -> None:
    archive, _ = made("generic", 60, ignores={"limit"})
    found = await studies(archive, limit=5)
    assert len(found.rows) == 5
    assert found.complete is False
    assert any("ignored the limit" in note for note in found.notes)


async def test_an_ignored_filter_is_noticed_and_matched_here() -> None:
    archive, _ = made("generic", 60, ignores={"PatientID"})
    honest, _ = made("generic", 60)
    row = (await studies(honest, limit=30)).rows[29]
    found = await studies(archive, {"PatientID": text(row, "PatientID")})
    expected = await studies(honest, {"PatientID": text(row, "PatientID")})
    assert uids(found) == uids(expected)
    assert [str(item.attribute.name) for item in found.plan.here] == ["PatientID"]
    assert found.plan.sent == ()
    assert any("ignored the filter PatientID" in note for note in found.plan.notes)


async def test_pages_of_an_ignored_filter_hold_each_row_once() -> None:
    """The rows of a page in the middle may all be right, and those before it not."""
    archive, _ = made("generic", 10, ignores={"StudyDate"})
    seen: list[str] = []
    offset: int | None = 0
    while offset is not None:
        found = await studies(archive, {"StudyDate": ">=2003"}, limit=2, offset=offset)
        seen += uids(found)
        offset = found.next_offset
    assert seen == [synthetic_uid(number) for number in range(3, 10)]
    assert (found.complete, found.total) == (True, 7)


HABITS: dict[str, dict[str, Any]] = {
    "honest": {},
    "warns that names match literally": {"not_fuzzy": True},
    "ignores the filter in silence": {"ignores": {"PatientID", "PatientName"}},
    "caps in silence": {"cap": 7},
}


@pytest.mark.parametrize("habits", HABITS.values(), ids=HABITS)
@pytest.mark.parametrize("way", [{"limit": 500}, {"count": True}, {"order": "StudyDate", "limit": 500}], ids=str)
@pytest.mark.parametrize(
    "asked", [{"PatientID": "P00001*"}, {"PatientID": "P000011"}, {"PatientName": "adams"}], ids=str
)
async def test_whatever_a_server_ignores_the_answer_is_right(
    habits: dict[str, Any], way: dict[str, Any], asked: dict[str, str]
) -> None:
    """An own loop over every study is the truth: whoever does the matching, and however the answer is asked for."""
    fuzzy = "PatientName" in asked
    ((keyword, pattern),) = asked.items()
    rows = [row.attributes for row in Store.synthetic(studies=60).rows("study")]
    values = [text(row, keyword) for row in rows]
    expected = sum(
        any(part.lower().startswith(pattern) for part in value.split("^")) if fuzzy else fnmatch(value, pattern)
        for value in values
    )
    assert expected
    archive, _ = made("generic", 60, **habits)
    found = await studies(archive, asked, fuzzy=fuzzy, **way)
    shown = len(found.rows)
    while found.next_offset is not None:
        found = await studies(archive, asked, fuzzy=fuzzy, offset=found.next_offset, **way)
        shown += len(found.rows)
    assert (found.total if "count" in way else shown) == expected
    assert found.complete is True
    said = {item.attribute.name for item in (*found.plan.sent, *found.plan.here)}
    assert said == {keyword}
    if keyword in habits.get("ignores", ()):
        assert {item.attribute.name for item in found.plan.here} == {keyword}
        assert found.plan.sent == ()


async def test_a_filter_that_no_row_shows_is_not_called_applied() -> None:
    """The server ignores AccessionNumber and does not return it either: nothing contradicts, nothing confirms."""
    store = Store.synthetic(studies=20)
    for held in store.instances:
        held.attributes.pop("00080050", None)
    archive = open_over(Deaf(store, ignores={"AccessionNumber", "includefield"}), "generic")
    found = await studies(archive, {"AccessionNumber": "A1"})
    assert found.complete is None
    assert any("No row of the archive has a value of AccessionNumber" in note for note in found.notes)


async def test_a_series_of_another_study_is_not_passed_on() -> None:
    """Rows that do not belong to the study or series that was asked for are left out, and it is said."""
    store = Store.synthetic(studies=2, series=2, instances=2)
    archive = open_over(Deaf(store, ignores={"SeriesInstanceUID"}), "generic")
    found = await search(archive, Query(Level.INSTANCE, series_uid=synthetic_uid(0, 1)))
    assert len(found.rows) == 2
    assert any("ignored the filter SeriesInstanceUID" in note for note in found.plan.notes)


async def test_a_filter_ignored_in_a_page_of_thousands_is_noticed() -> None:
    """Such pages are looked at beside the event loop. The truth is plain arithmetic."""
    rows = [
        {
            "0020000D": {"vr": "UI", "Value": [f"1.{number}"]},
            "00080020": {"vr": "DA", "Value": [f"{2000 + number % 7}0101"]},
        }
        for number in range(4_000)
    ]
    archive = open_over(
        lambda request: httpx.Response(200, json=rows[int(request.url.params.get("offset", 0)) :]), "dcm4chee"
    )
    found = await studies(archive, {"StudyDate": "2003"}, count=True)
    assert found.total == sum(number % 7 == 3 for number in range(4_000))
    assert any("ignored the filter StudyDate" in note for note in found.plan.notes)


# ---- rows that repeat, or lack something -------------------------------------------------------------------------------


async def test_duplicates_do_not_shift_the_paging() -> None:
    rows = [{"0020000D": {"vr": "UI", "Value": [f"1.2.{number // 2}"]}} for number in range(60)]

    def server(request: httpx.Request) -> httpx.Response:
        start = int(request.url.params.get("offset", 0))
        return httpx.Response(200, json=rows[start : start + int(request.url.params["limit"])])

    archive = open_over(server, "dcm4chee")
    first = await studies(archive, limit=20)
    assert len(first.rows) == 10
    assert first.next_offset == 20
    second = await studies(archive, limit=20, offset=20)
    assert uids(second)[0] == "1.2.10"


@pytest.mark.parametrize("kind", ["dcm4chee", "orthanc", "google", "generic"])
async def test_no_kind_pages_for_ever_over_a_server_that_ignores_offset(kind: str) -> None:
    rows = [{"0020000D": {"vr": "UI", "Value": [f"1.2.{number}"]}} for number in range(9)]
    archive = open_over(lambda _: httpx.Response(200, json=rows), kind)
    seen: list[str] = []
    offset: int | None = 0
    for _ in range(10):
        found = await studies(archive, limit=4, offset=offset or 0)
        seen += uids(found)
        offset = found.next_offset
        if offset is None:
            break
    assert offset is None
    assert seen == [f"1.2.{number}" for number in range(9)]


async def test_one_row_twice_is_one_match_however_it_is_asked() -> None:
    numbers = [0, 1, 2, 3, 4, 4, 5, 6, 7, 8]
    rows = [{"0020000D": {"vr": "UI", "Value": [f"1.2.{number}"]}} for number in numbers]

    def server(request: httpx.Request) -> httpx.Response:
        start = int(request.url.params.get("offset", 0))
        return httpx.Response(200, json=rows[start : start + int(request.url.params["limit"])])

    for kind in ("dcm4chee", "generic"):
        archive = open_over(server, kind)
        counted = await studies(archive, count=True)
        assert (counted.total, counted.complete) == (9, True)
        listed = await studies(archive, limit=50)
        assert len(listed.rows) == 9
        assert listed.total is None


async def test_rows_without_uid_are_told() -> None:
    rows = [{"00100020": {"vr": "LO", "Value": ["P"]}}] * 6
    archive = open_over(
        lambda request: httpx.Response(200, json=[] if "offset" in request.url.params else rows), "generic"
    )
    found = await studies(archive, limit=5)
    assert found.rows == []
    assert any("6 rows of the archive have no StudyInstanceUID" in note for note in found.notes)
    assert not any("has no study" in note for note in found.notes)


def over_dates(kind: str, *dates: str) -> DicomwebArchive:
    """An archive of one study for each date, empty or not, that answers every search with all of them."""
    rows = [
        {
            "0020000D": {"vr": "UI", "Value": [f"1.{number}"]},
            "00080020": {"vr": "DA", "Value": [date]} if date else {"vr": "DA"},
        }
        for number, date in enumerate(dates)
    ]
    return open_over(
        lambda request: httpx.Response(200, json=rows[int(request.url.params.get("offset", 0)) :]),
        kind,
    )


@pytest.mark.parametrize("kind", ["dcm4chee", "orthanc", "generic"])
async def test_rows_without_a_value_are_no_matches_though_the_server_sends_them(kind: str) -> None:
    """Orthanc 1.10 answers an open range of dates with the studies that have none."""
    archive = over_dates(kind, "", "19970101", "")
    found = await studies(archive, {"StudyDate": "..1999"})
    assert uids(found) == ["1.1"]
    assert found.complete is True


@pytest.mark.parametrize("kind", ["dcm4chee", "orthanc", "generic"])
@pytest.mark.parametrize("count", [False, True])
async def test_a_filter_on_what_is_always_returned_empty_is_doubted(kind: str, count: bool) -> None:
    archive = over_dates(kind, "", "")
    found = await studies(archive, {"StudyDate": "..1999"}, count=count)
    assert found.complete is None
    assert any("has a value of StudyDate" in note for note in found.notes)
