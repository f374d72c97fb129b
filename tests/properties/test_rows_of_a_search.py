"""A search through any server gives the rows that a plain filter over everything gives, however it is paged."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomweb_mcp.archives.dicomweb import DicomwebArchive
from dicomweb_mcp.archives.profiles import PROFILES
from dicomweb_mcp.dicom.query import Query
from dicomweb_mcp.dicom.rules import Level, NotSearchable
from dicomweb_mcp.dicom.values import text
from dicomweb_mcp.services.search import Found, search
from fakes.base import Fake
from fakes.dcm4chee import Dcm4chee
from fakes.deaf import Deaf
from fakes.google import Google
from fakes.orthanc_like import OrthancLike
from fakes.store import CT_IMAGE, Held, Json, Store, element
from properties.plain_filter import Asked, Row, any_of, dates, exact, fuzzy_names, numbers, patterns, times
from support import open_over

POOLS: dict[str, Sequence[Any]] = {  # in one case, because some servers care
    "PatientID": ["P1", "P2", "P10", "A-7 X", "1,2"],
    "PatientName": ["DOE^JANE", "DOE^JOHN", "MÜLLER^JÖRG", "YAMADA^TAROU", "DO"],
    "StudyDescription": ["CT CHEST", "CT HEAD + NECK", "GANZKÖRPER", "A*B", "T2"],
    "AccessionNumber": ["A1", "A2", "17"],
    "StudyDate": ["20191231", "20200101", "20200229", "20200301", "20210615"],
    "StudyTime": ["08", "1015", "101500", "101530.25", "235959", "080000.000001"],
    "Modality": ["CT", "MR", "SEG"],
    "SeriesNumber": [1, 2, 12],
    "SeriesDescription": ["T1 AX", "T2 AX", "SCOUT"],
    "BodyPartExamined": ["CHEST", "HEAD"],
}
VRS = {
    "PatientID": "LO", "PatientName": "PN", "StudyDescription": "LO", "AccessionNumber": "SH", "StudyDate": "DA",
    "StudyTime": "TM", "Modality": "CS", "SeriesNumber": "IS", "SeriesDescription": "LO", "BodyPartExamined": "CS",
}  # fmt: skip
TAGS = {
    "PatientID": "00100020", "PatientName": "00100010", "StudyDescription": "00081030", "AccessionNumber": "00080050",
    "StudyDate": "00080020", "StudyTime": "00080030", "Modality": "00080060", "SeriesNumber": "00200011",
    "SeriesDescription": "0008103E", "BodyPartExamined": "00180015",
}  # fmt: skip
OF_SERIES = ("Modality", "SeriesNumber", "SeriesDescription", "BodyPartExamined")
OF_STUDY = tuple(keyword for keyword in POOLS if keyword not in OF_SERIES)
UID = "1.2.826.0.1.3680043.10.543.7"
ABSENT, EMPTY = object(), ""  # without the attribute, and with it and no value


@dataclass(frozen=True)
class World:
    """A store, and its studies and series as plain rows by UID."""

    store: Store
    rows: dict[Level, dict[str, Row]]

    def holding(self, level: Level, asked: Sequence[Asked]) -> set[str]:
        """The UIDs of the rows that meet every filter."""
        return {uid for uid, row in self.rows[level].items() if all(one.holds(row) for one in asked)}


def attributes(draw: st.DrawFn, keywords: Sequence[str], may_lack: bool) -> dict[str, Any]:
    found = {}
    for keyword in keywords:
        nothing = [] if keyword == "Modality" else [EMPTY, ABSENT] if may_lack else [EMPTY]
        value = draw(st.sampled_from([*POOLS[keyword], *nothing]))
        if value is not ABSENT:
            found[keyword] = value
    return found


@st.composite
def worlds(draw: st.DrawFn, may_lack: bool = True) -> World:
    held: list[Held] = []
    studies: dict[str, Row] = {}
    series: dict[str, Row] = {}
    for number in range(1, 1 + draw(st.integers(0, 7))):
        study, uid = attributes(draw, OF_STUDY, may_lack), f"{UID}.{number}"
        ours = [study | attributes(draw, OF_SERIES, may_lack) for _ in range(draw(st.integers(1, 3)))]
        for place, one in enumerate(ours, start=1):
            series[f"{uid}.{place}"] = plain_row(one)
            held.append(Held(attributes=as_json(one, uid, f"{uid}.{place}")))
        studies[uid] = {
            **plain_row(study),
            "ModalitiesInStudy": sorted({one["Modality"] for one in ours}),
            "NumberOfStudyRelatedSeries": [str(len(ours))],
        }
    return World(Store().hold(held), {Level.STUDY: studies, Level.SERIES: series})


def as_json(values: dict[str, Any], study: str, series: str) -> Json:
    uids = (("0020000D", study), ("0020000E", series), ("00080018", f"{series}.1"), ("00080016", CT_IMAGE))
    named = {TAGS[keyword]: element(VRS[keyword], *([value] if value else [])) for keyword, value in values.items()}
    return named | {tag: element("UI", uid) for tag, uid in uids}


def plain_row(values: dict[str, Any]) -> Row:
    return {keyword: [] if value == EMPTY else [str(value)] for keyword, value in values.items()}


def filter_on(keyword: str, fuzzy: bool) -> st.SearchStrategy[Asked]:
    if keyword == "NumberOfStudyRelatedSeries":
        return numbers(keyword, [1, 2, 3])
    pool, vr = POOLS["Modality" if keyword == "ModalitiesInStudy" else keyword], VRS.get(keyword)
    if vr == "PN" and fuzzy:
        return fuzzy_names(keyword, pool)
    if by_vr := {"DA": dates, "TM": times, "IS": numbers}.get(vr or ""):
        return by_vr(keyword, pool)
    one = st.one_of(exact(keyword, pool), patterns(keyword, pool))
    return st.one_of(one, one, st.lists(one, min_size=1, max_size=3).map(any_of))


@st.composite
def asked_of(draw: st.DrawFn, level: Level, fuzzy: bool = False) -> list[Asked]:
    own = (*OF_STUDY, "ModalitiesInStudy", "NumberOfStudyRelatedSeries") if level is Level.STUDY else tuple(POOLS)
    chosen = draw(st.lists(st.sampled_from(own), max_size=3, unique=True))
    return [draw(filter_on(keyword, fuzzy)) for keyword in chosen]


LEVELS = st.sampled_from([Level.STUDY, Level.SERIES])
PAGES, LIMITS = st.integers(1, 5), st.integers(1, 9)


def opened(kind: str, fake: Fake, page: int) -> DicomwebArchive:
    """An archive that asks for so few rows at once when it reads many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PROFILES, kind, replace(PROFILES[kind], page=page))
        return open_over(fake, kind)


async def check(archive: DicomwebArchive, query: Query, expected: set[str], limit: int) -> None:
    """Every page, all pages together, and the count."""
    seen: list[str] = []
    offset = 0
    while (found := await search(archive, query, limit=limit, offset=offset)).next_offset is not None:
        assert found.complete is False
        seen += uids(found)
        offset = found.next_offset
    assert found.rows or not offset, "nothing is promised behind the last page"
    seen += uids(found)
    assert sorted(seen) == sorted(expected)
    assert found.complete is True or (found.complete is None and not expected)
    assert found.total == (len(expected) if found.complete else None)
    counted = await search(archive, query, count=True)
    assert (counted.complete, counted.total) == (found.complete, found.total)


def uids(found: Found) -> list[str]:
    return [text(row, found.plan.level.uid) for row in found.rows]


@pytest.mark.parametrize("kind", ["google", "dcm4chee", "orthanc", "generic"])
@given(st.data(), PAGES, LIMITS, LEVELS, st.booleans())
@settings(max_examples=50)
def test_rows_are_those_of_a_plain_filter(
    kind: str, data: st.DataObject, page: int, limit: int, level: Level, fuzzy: bool
) -> None:
    fuzzy = fuzzy and kind != "dcm4chee"  # it matches names by their sound
    world, asked = data.draw(worlds()), data.draw(asked_of(level, fuzzy))
    fakes: dict[str, Callable[[], Fake]] = {
        "google": lambda: Google(world.store, parent_uids=data.draw(st.booleans())),
        "dcm4chee": lambda: Dcm4chee(world.store),
        "orthanc": lambda: OrthancLike(world.store),
        "generic": lambda: Deaf(world.store, cap=data.draw(st.sampled_from([None, 1, 3])), empty=204),
    }
    query = Query(level, filters={one.keyword: one.written for one in asked}, fuzzy=fuzzy)
    try:
        anyio.run(check, opened(kind, fakes[kind](), page), query, world.holding(level, asked), limit)
    except NotSearchable:
        assert kind == "google", "the others return whatever they do not search"


@given(st.data(), PAGES, st.integers(1, 3), LEVELS)
@settings(max_examples=80)
def test_filters_that_a_server_ignores_are_matched_here(
    data: st.DataObject, page: int, limit: int, level: Level
) -> None:
    world, asked = data.draw(worlds(may_lack=False)), data.draw(asked_of(level))
    fake = Deaf(world.store, ignores={one.keyword for one in asked if data.draw(st.booleans())})
    query = Query(level, filters={one.keyword: one.written for one in asked})
    anyio.run(check, opened("generic", fake, page), query, world.holding(level, asked), limit)
