"""Completeness, paging, counting and ordering, over servers that say much, little, or the wrong thing."""

from typing import Any

import httpx
import pytest

from dicomweb_mcp.dicom.query import Query
from dicomweb_mcp.dicom.rules import Level, NotSearchable
from dicomweb_mcp.dicom.values import text
from dicomweb_mcp.errors import BadArgument, Problem
from dicomweb_mcp.services.search import search
from fakes.orthanc_like import OrthancLike
from fakes.store import Store, synthetic_uid
from services.search_helpers import made, studies, uids
from support import open_over

pytestmark = pytest.mark.anyio


# ---- complete, next_offset, total ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["google", "idc", "dcm4chee", "orthanc", "generic"])
@pytest.mark.parametrize(("held", "shown", "complete"), [(0, 0, True), (24, 24, True), (25, 25, True), (26, 25, False)])
async def test_both_sides_of_the_limit(kind: str, held: int, shown: int, complete: bool) -> None:
    archive, _ = made(kind, held)
    found = await studies(archive)
    assert len(found.rows) == shown
    assert found.complete is complete
    assert found.next_offset == (None if complete else shown)
    if complete:
        assert found.total == held


@pytest.mark.parametrize("kind", ["google", "dcm4chee", "orthanc", "generic"])
async def test_paging_shows_everything_once(kind: str) -> None:
    archive, _ = made(kind, 61)
    seen: list[str] = []
    offset: int | None = 0
    while offset is not None:
        found = await studies(archive, limit=25, offset=offset)
        seen += uids(found)
        offset = found.next_offset
    assert found.complete is True
    assert found.total == 61
    assert len(seen) == len(set(seen)) == 61


async def test_the_rows_that_a_cap_cut_are_counted_from_the_warning() -> None:
    archive, _ = made("dcm4chee", 30, max_results=10)
    found = await studies(archive)
    assert len(found.rows) == 10
    assert found.complete is False
    assert found.next_offset == 10
    assert found.total == 30


async def test_a_silent_cap_is_found_by_asking_beyond_it() -> None:
    archive, _ = made("generic", 30, cap=10)
    found = await studies(archive)
    assert len(found.rows) == 10
    assert found.complete is False
    assert found.next_offset == 10


async def test_a_silent_cap_without_offset_cannot_be_judged() -> None:
    archive, _ = made("generic", 30, cap=10, ignores={"offset"})
    found = await studies(archive)
    assert found.complete is None
    assert found.next_offset is None


async def test_offset_beyond_the_end_is_empty_and_complete() -> None:
    archive, _ = made("google", 5)
    found = await studies(archive, offset=100)
    assert (found.rows, found.complete, found.next_offset) == ([], True, None)


async def test_an_offset_that_the_server_cannot_take_is_not_sent() -> None:
    archive, fake = made("google", 5)
    with pytest.raises(BadArgument, match="1,000,000"):
        await studies(archive, offset=1_000_001)
    assert fake.requests == []


# ---- matched here ------------------------------------------------------------------------------------------------------


async def test_matching_here_equals_a_plain_filter_over_all_rows() -> None:
    archive, fake = made("google", 300)
    everything = await studies(archive, limit=300, fields=["PatientID"])
    wanted = {text(row, "PatientID") for row in everything.rows if text(row, "PatientID").endswith("7")}
    found = await studies(archive, {"PatientID": "*7"}, limit=500)
    assert {text(row, "PatientID") for row in found.rows} == wanted
    assert found.complete is True
    assert found.total == len(wanted)
    assert all(asked.one("PatientID") is None for asked in fake.requests)


async def test_pages_of_what_is_matched_here() -> None:
    archive, _ = made("google", 300)
    whole = uids(await studies(archive, {"PatientID": "*7"}, limit=100))
    first = await studies(archive, {"PatientID": "*7"}, limit=10)
    second = await studies(archive, {"PatientID": "*7"}, limit=10, offset=10)
    assert uids(first) + uids(second) == whole[:20]
    assert first.complete is False
    assert first.next_offset == 10


async def test_a_scan_ends_at_its_limit_and_says_so() -> None:
    archive, _ = made("google", 6_000)
    found = await studies(archive, {"PatientID": "*nothing*"})
    assert found.rows == []
    assert found.complete is False
    assert any("Only the first 5,000 rows" in note for note in found.notes)


async def test_what_no_row_carries_is_not_called_absent() -> None:
    """A server that does not return an asked field: an empty match must not look complete."""
    archive, _ = made("generic", 20, ignores={"includefield"})
    found = await studies(archive, {"StudyDescription": "anything"})
    assert found.rows == []
    assert found.complete is None
    assert found.total is None
    assert any("No row of the archive has a value of StudyDescription" in note for note in found.notes)


async def test_what_only_narrowed_is_not_shown_as_asked() -> None:
    rows = [
        {"0020000D": {"vr": "UI", "Value": [f"1.{hour}"]}, "00080030": {"vr": "TM", "Value": [f"{hour}0000"]}}
        for hour in (10, 13)
    ]
    archive = open_over(lambda _: httpx.Response(200, json=rows), "dcm4chee")
    found = await studies(archive, {"StudyTime": "12:40..13:35"})
    assert uids(found) == ["1.13"]
    assert [str(item) for item in found.plan.here] == ["StudyTime=124000..133559.999999"]


# ---- count and order ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["google", "dcm4chee", "orthanc", "generic"])
async def test_counting_takes_as_many_pages_as_it_needs(kind: str) -> None:
    archive, fake = made(kind, 2_345)
    found = await studies(archive, count=True)
    assert found.total == 2_345
    assert found.complete is True
    assert found.rows == []
    assert len(fake.requests) <= 15


async def test_a_count_beyond_the_limit_is_a_lower_bound() -> None:
    rows = [{"0020000D": {"vr": "UI", "Value": [f"1.2.{number}"]}} for number in range(60_000)]

    def server(request: httpx.Request) -> httpx.Response:
        query = request.url.params
        start = int(query.get("offset", 0))
        return httpx.Response(200, json=rows[start : start + int(query["limit"])])

    found = await studies(open_over(server, "orthanc"), count=True)
    assert found.total is None
    assert found.complete is False
    assert any("At least 50,000" in note for note in found.notes)


async def test_order_is_of_all_matches_not_of_a_page() -> None:
    archive, _ = made("google", 120)
    everything = await studies(archive, limit=200)
    dates = sorted((text(row, "StudyDate") for row in everything.rows), reverse=True)
    found = await studies(archive, order="-StudyDate", limit=10)
    assert [text(row, "StudyDate") for row in found.rows] == dates[:10]
    assert found.total == 120
    second = await studies(archive, order="-StudyDate", limit=10, offset=10)
    assert [text(row, "StudyDate") for row in second.rows] == dates[10:20]


async def test_order_over_too_many_is_refused() -> None:
    archive, _ = made("google", 5_001)
    with pytest.raises(NotSearchable, match="needs all matches, and more than 5,000"):
        await studies(archive, order="StudyDate")
    archive, _ = made("google", 5_000)
    assert (await studies(archive, order="StudyDate")).total == 5_000


async def test_ages_are_ordered_by_their_length() -> None:
    ages = ["090Y", "011M", "003W", "002Y", "old", "000Y"]
    rows = [
        {"0020000D": {"vr": "UI", "Value": [f"1.{n}"]}, "00101010": {"vr": "AS", "Value": [age]}}
        for n, age in enumerate(ages)
    ]
    archive = open_over(lambda _: httpx.Response(200, json=rows), "orthanc")
    found = await studies(archive, order="PatientAge")
    assert [text(row, "PatientAge") for row in found.rows] == ["000Y", "003W", "011M", "002Y", "090Y", "old"]
    assert any("1 without PatientAge" in note for note in found.notes)


async def test_order_by_several_numbers() -> None:
    rows = [
        {"00080018": {"vr": "UI", "Value": [f"1.{z}"]}, "00200032": {"vr": "DS", "Value": [0, 0, z]}} for z in (9, 8, 7)
    ]
    archive = open_over(lambda _: httpx.Response(200, json=rows), "orthanc")
    found = await search(archive, Query(Level.INSTANCE, order="ImagePositionPatient"))
    assert [text(row, "SOPInstanceUID") for row in found.rows] == ["1.7", "1.8", "1.9"]
    assert not any("without" in note for note in found.notes)


# ---- nothing found -------------------------------------------------------------------------------------------------------


async def test_an_empty_answer_names_the_unknown_value() -> None:
    archive, fake = made("google", 20)
    found = await studies(archive, {"PatientID": "nobody", "StudyDate": ">=1900"})
    assert any("no study with PatientID=nobody" in note for note in found.notes)
    assert not any("StudyDate" in note for note in found.notes)
    assert len(fake.requests) == 3


async def test_one_filter_without_a_match_costs_nothing_more() -> None:
    archive, fake = made("google", 20)
    found = await studies(archive, {"PatientID": "nobody"})
    assert any("PatientID=nobody" in note for note in found.notes)
    assert len(fake.requests) == 1


async def test_filters_that_match_only_apart_are_told() -> None:
    archive, _ = made("google", 20)
    one, other = (await studies(archive, limit=2)).rows
    found = await studies(
        archive, {"PatientID": text(one, "PatientID"), "StudyInstanceUID": text(other, "StudyInstanceUID")}
    )
    assert any("together they match none" in note for note in found.notes)


async def test_three_filters_are_not_probed() -> None:
    archive, fake = made("google", 20)
    await studies(archive, {"PatientID": "a", "StudyDate": "2020", "AccessionNumber": "b"})
    assert len(fake.requests) == 1


async def test_series_of_an_unknown_study() -> None:
    archive, _ = made("orthanc", 5)
    found = await search(archive, Query(Level.SERIES, study_uid="1.2.3"))
    assert any("no study 1.2.3" in note for note in found.notes)


@pytest.mark.parametrize("kind", ["google", "dcm4chee", "generic"])
async def test_a_count_of_nothing_says_why(kind: str) -> None:
    archive, _ = made(kind, 5)
    series = synthetic_uid(1, 1)
    query = Query(Level.SERIES, study_uid=series)
    counted, listed = await search(archive, query, count=True), await search(archive, query)
    assert (counted.total, counted.complete) == (0, True)
    assert any("is the UID of a series, not of a study" in note for note in counted.notes)
    assert counted.notes == listed.notes


async def test_comparing_text_is_explained() -> None:
    archive, _ = made("dcm4chee", 5)
    found = await studies(archive, {"PatientID": ">900"})
    assert any("PatientID is text, which is not compared" in note for note in found.notes)


# ---- nothing is sent when an argument is wrong -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"filters": {"BodyPartExamined": "CHEST"}},
        {"filters": {"Modalty": "CT"}},
        {"filters": {"StudyDate": "soon"}},
        {"fields": ["Nonsense"]},
        {"order": "Nonsense"},
        {"limit": 0},
        {"limit": 501},
        {"offset": -1},
    ],
)
async def test_nothing_reaches_the_server(wrong: dict[str, Any]) -> None:
    archive, fake = made("google", 5)
    with pytest.raises(Problem):
        await studies(archive, **wrong)
    assert fake.requests == []


@pytest.mark.parametrize("uid", ["1.2/../3", "1.2%2e", "../1", "1.2 3", "1.2\x00.3", "a.b", "1" * 65, "１.２"])
async def test_uids_never_leave_their_place_in_a_path(uid: str) -> None:
    archive, fake = made("google", 5)
    with pytest.raises(BadArgument, match="not a UID"):
        await search(archive, Query(Level.SERIES, study_uid=uid))
    assert fake.requests == []


@pytest.mark.parametrize(
    ("query", "most"), [({"study_uid": "1.2.3"}, 3), ({"study_uid": "1.2.3", "series_uid": "1.2.4"}, 3)]
)
async def test_a_reason_costs_at_most_two_requests(query: dict[str, str], most: int) -> None:
    archive, fake = made("orthanc", 5)
    found = await search(archive, Query(Level.INSTANCE, **query))
    assert found.notes
    assert len(fake.requests) <= most


async def test_a_series_uid_given_as_a_study_is_recognised() -> None:
    archive = open_over(OrthancLike(Store.synthetic(studies=2, series=2)), "orthanc")
    found = await search(archive, Query(Level.SERIES, study_uid=synthetic_uid(0, 1)))
    assert any("is the UID of a series, not of a study" in note for note in found.notes)


async def test_an_answer_without_rows_survives_that_no_reason_is_found() -> None:
    archive, fake = made("google", 5)
    fake.fail(lambda asked: httpx.Response(204))
    fake.fail(503, times=50)
    found = await studies(archive, {"PatientID": "a", "StudyDate": "1990"})
    assert found.rows == []
    assert found.complete is True
