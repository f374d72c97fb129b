"""Whatever is asked, a server is sent nothing that it would refuse, ignore or misread."""

from typing import Any
from urllib.parse import parse_qsl, unquote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary, dictionary_VR, tag_for_keyword

from dicomweb_mcp.archives.dialects import query_string
from dicomweb_mcp.archives.profiles import PROFILES
from dicomweb_mcp.dicom.query import Query
from dicomweb_mcp.dicom.rules import Level
from dicomweb_mcp.errors import Problem
from dicomweb_mcp.services.search import search
from properties.permitted import complaints
from support import open_over

pytestmark = pytest.mark.anyio

KINDS = sorted(set(PROFILES) - {"folder"})
USUAL = {
    Level.STUDY: [
        "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyInstanceUID", "StudyID",
        "StudyDescription", "AccessionNumber", "ReferringPhysicianName", "ModalitiesInStudy", "SOPClassesInStudy",
        "NumberOfStudyRelatedSeries", "PatientAge", "PatientWeight", "OtherPatientIDs",
    ],
    Level.SERIES: [
        "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Modality", "BodyPartExamined", "SeriesDate", "SeriesTime",
        "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "PerformingPhysicianName", "InstitutionName",
        "Laterality", "Manufacturer", "ProtocolName", "RequestAttributesSequence",
    ],
    Level.INSTANCE: [
        "SOPInstanceUID", "SOPClassUID", "InstanceNumber", "ContentDate", "ContentTime", "AcquisitionDateTime", "KVP",
        "ImageType", "Rows", "AvailableTransferSyntaxUID", "TransferSyntaxUID", "PixelData",
    ],
}  # fmt: skip
ALL_USUAL = [keyword for keywords in USUAL.values() for keyword in keywords]
KNOWN = sorted({entry[4] for entry in DicomDictionary.values() if entry[4]})
STRANGE = ["patientid", "(0010,0020)", "0x00080060", "00101000", "00091001", "A.B", "Modalty", "60003000"]
TEXT = st.text("aB1 é山&%#/+.;:-_'\"~", min_size=1, max_size=14)
LISTLIKE = st.sampled_from(["Doe, John", "a,b", "1,2*"])
PATTERN = st.text("aB1 *?,^=é山", min_size=1, max_size=9)
NASTY = st.text("a*\\\n\u200b\x00,", min_size=1, max_size=5)
DATES = st.sampled_from(
    ["2020", "2020-02-29", "2020-01..2020-03", ">=2020-01-15", "<2021", "20200101-20201231", "-2020", "1 Feb 2020"]
)
TIMES = st.sampled_from(["10:30", "08..12:30", ">=08:00", "235960", "10:00:00.5", "08:00-09:00"])
NUMBERS = st.one_of(
    st.integers(-5, 5000),
    st.floats(-9, 9),
    st.sampled_from(["<5", ">=2.5", "1..5", "0003", "1e3", "+4", "1_0.5", "١.٥", "9007199254740993"]),
)
UIDS = st.sampled_from(["1.2.3", "1.2.840.10008.5.1.4.1.1.2", "CT Image Storage", "1.2.*", "1.2/3", "1.02.3"])
ODD = st.sampled_from([None, 10**5_000, 1e300, {}, [], "", " ", "*", "?", "?*", "045Y", "45 y", "<50Y"])
BY_VR: dict[str, st.SearchStrategy[Any]] = {
    "DA": DATES, "TM": TIMES, "DT": st.one_of(DATES, st.just("2020-01-15T10:30")), "UI": UIDS,
    **dict.fromkeys(("DS", "IS", "FD", "FL", "US", "UL", "SS", "SL", "UV", "SV"), NUMBERS),
}  # fmt: skip


def mostly(usual: st.SearchStrategy[Any], *others: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One of the others every eighth time."""
    return st.integers(0, 7).flatmap(lambda dice: usual if dice else st.one_of(*others))


def keys(level: Level) -> st.SearchStrategy[str]:
    return mostly(
        st.sampled_from(USUAL[level]), st.sampled_from(ALL_USUAL), st.sampled_from(KNOWN), st.sampled_from(STRANGE)
    )


def values(key: str) -> st.SearchStrategy[Any]:
    tag = tag_for_keyword(key)
    return mostly(BY_VR.get(dictionary_VR(tag) if tag else "", st.one_of(TEXT, PATTERN, LISTLIKE)), PATTERN, ODD, NASTY)


@st.composite
def queries(draw: st.DrawFn) -> Query:
    level = draw(st.sampled_from(list(Level)))
    above = [draw(st.one_of(st.none(), st.just(uid))) for uid in ("1.2.3", "1.2.3.4")[: level.depth]]
    filters = {
        key: draw(st.one_of(values(key), st.lists(values(key), min_size=1, max_size=3)))
        for key in draw(st.lists(keys(level), max_size=3))
    }
    fields = draw(mostly(st.none(), st.lists(keys(level), max_size=3)))
    order = draw(mostly(st.none(), keys(level)))
    return Query(level, *above, filters=filters, fields=fields, order=order, fuzzy=draw(st.booleans()))


class Silent:
    """Finds nothing, so that a search also asks why, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        self.asked.append((path, query))
        return httpx.Response(204)


@given(
    st.sampled_from(KINDS), queries(), st.integers(1, 500), st.sampled_from([0, 0, 7, 99_999, 1_000_000]), st.booleans()
)
@settings(max_examples=250)
async def test_no_request_holds_what_its_server_does_not_take(
    kind: Any, query: Query, limit: int, offset: int, count: bool
) -> None:
    server = Silent()
    archive = open_over(server, kind)
    try:
        await search(archive, query, limit=limit, offset=offset, count=count)
    except Problem:
        assert server.asked == [], "what is refused is refused before anything is sent"
    base = httpx.URL(archive.address).path
    for path, raw_query in server.asked:
        assert path.startswith(base)
        assert complaints(kind, path.removeprefix(base), raw_query) == []


# ---- the query string itself -------------------------------------------------------------------------------------------

PAIRS = st.lists(
    st.tuples(st.sampled_from(["PatientName", "00100020", "includefield"]), st.lists(st.text(min_size=1), min_size=1).map(tuple)),
    max_size=4,
)  # fmt: skip


@given(PAIRS)
def test_a_query_string_says_what_was_meant(pairs: list[tuple[str, tuple[str, ...]]]) -> None:
    written = query_string(pairs)
    split = [
        pair.partition("=")[::2] for pair in written.split("&") if pair
    ]  # PS3.18 8.3.4: lists split before decoding
    assert [(key, tuple(unquote(value) for value in raw.split(","))) for key, raw in split] == pairs
    assert parse_qsl(written, strict_parsing=bool(pairs)) == [(key, ",".join(values)) for key, values in pairs]
    assert httpx.URL(f"https://pacs.test/studies?{written}").query.decode() == written, "nothing is encoded anew"
