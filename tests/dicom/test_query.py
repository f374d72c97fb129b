from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_mcp.archives.profiles import DCM4CHEE, FOLDER, GENERIC, GOOGLE, IDC, ORTHANC, PROFILES, Profile
from dicomweb_mcp.dicom.query import Plan, Query, make_plan
from dicomweb_mcp.dicom.rules import Level, Match, NotSearchable
from dicomweb_mcp.dicom.tags import UnknownAttribute
from dicomweb_mcp.errors import BadArgument, Problem
from dicomweb_mcp.services.search import DEFAULT_FIELDS

STUDY, SERIES, INSTANCE = Level


def plan(profile: Profile, level: Level, filters: dict[str, Any] | None = None, **more: Any) -> Plan:
    return make_plan(Query(level, filters=filters, defaults=DEFAULT_FIELDS[level], **more), profile.rules)


def names(conditions: Any) -> list[str]:
    return [str(item) for item in conditions]


@pytest.mark.parametrize(
    ("profile", "level", "filters", "sent", "here"),
    [
        (GOOGLE, STUDY, {"PatientID": "P1", "StudyDate": "2020"}, ["PatientID=P1", "StudyDate=2020-01-01..2020-12-31"], []),
        (GOOGLE, STUDY, {"StudyDescription": "CHEST*"}, [], ["StudyDescription=CHEST*"]),
        (GOOGLE, STUDY, {"PatientID": "P*"}, [], ["PatientID=P*"]),
        (GOOGLE, STUDY, {"PatientID": ["A", "B"]}, [], ["PatientID=A, B"]),
        (GOOGLE, SERIES, {"Modality": "CT"}, ["Modality=CT"], []),
        (GOOGLE, SERIES, {"SeriesDescription": "lung"}, [], ["SeriesDescription=lung"]),
        (GOOGLE, INSTANCE, {"SOPClassUID": "CT Image Storage"}, [], ["SOPClassUID=1.2.840.10008.5.1.4.1.1.2"]),
        (GOOGLE, INSTANCE, {"SliceThickness": "<2"}, [], ["SliceThickness=<2"]),
        (ORTHANC, STUDY, {"ModalitiesInStudy": ["CT", "MR"]}, ["ModalitiesInStudy=CT, MR"], []),
        (ORTHANC, STUDY, {"StudyDescription": "CT CHEST"}, ["StudyDescription=CT?CHEST"], ["StudyDescription=CT CHEST"]),
        (ORTHANC, STUDY, {"PatientName": "Müller*"}, ["PatientName=M*ller*"], ["PatientName=Müller*"]),
        (ORTHANC, STUDY, {"PatientID": "a,b"}, ["PatientID=a?b"], ["PatientID=a,b"]),
        (DCM4CHEE, STUDY, {"PatientName": "Doe, J*"}, ["PatientName=Doe? J*"], ["PatientName=Doe, J*"]),
        (GOOGLE, STUDY, {"PatientID": "a,b"}, [], ["PatientID=a,b"]),
        (FOLDER, STUDY, {"PatientID": "a,b"}, ["PatientID=a,b"], []),
        (ORTHANC, STUDY, {"PatientName": "山田"}, [], ["PatientName=山田"]),
        (ORTHANC, SERIES, {"NumberOfSeriesRelatedInstances": ">5"}, [], ["NumberOfSeriesRelatedInstances=>5"]),
        (ORTHANC, SERIES, {"SeriesTime": "10:00..11:00"}, ["SeriesTime=10..115959.999999"], ["SeriesTime=100000..110059.999999"]),
        (ORTHANC, STUDY, {"PatientName": "M?ller*"}, ["PatientName=M*ller*"], ["PatientName=M?ller*"]),
        (GOOGLE, STUDY, {"PatientName": "john"}, ["PatientName=john"], []),
        (FOLDER, STUDY, {"NumberOfStudyRelatedInstances": "<5"}, ["NumberOfStudyRelatedInstances=<5"], []),
        (FOLDER, SERIES, {"StudyTime": "10:00..11:00"}, ["StudyTime=100000..110059.999999"], []),
        (DCM4CHEE, STUDY, {"PatientName": "Doe*"}, ["PatientName=Doe*"], []),
        (DCM4CHEE, SERIES, {"Manufacturer": "GE*"}, [], ["Manufacturer=GE*"]),
        (GENERIC, STUDY, {"StudyDescription": "x"}, [], ["StudyDescription=x"]),
        (FOLDER, STUDY, {"PatientName": "Müller*"}, ["PatientName=Müller*"], []),
        (FOLDER, INSTANCE, {"KVP": 120}, ["KVP=120"], []),
    ],
)  # fmt: skip
def test_what_is_sent_and_what_is_matched_here(
    profile: Profile, level: Level, filters: dict[str, Any], sent: list[str], here: list[str]
) -> None:
    made = plan(profile, level, filters)
    assert names(made.sent) == sent
    assert names(made.here) == here


@pytest.mark.parametrize(
    ("profile", "level", "filters", "says"),
    [
        (IDC, STUDY, {"BodyPartExamined": "CHEST"}, "belongs to the series.*Use list_series"),
        (IDC, SERIES, {"BodyPartExamined": "CHEST"}, "cannot search series by BodyPartExamined.*Modality"),
        (IDC, STUDY, {"Modality": "CT"}, "cannot search studies by ModalitiesInStudy.*list_series"),
        (GOOGLE, SERIES, {"StudyDescription": "x"}, "does not return it either"),
        (GOOGLE, SERIES, {"PatientID": "a,b"}, "only as exact; a comma is not possible"),
        (GOOGLE, STUDY, {"SliceThickness": 1}, "belongs to the instance.*list_instances"),
        (ORTHANC, STUDY, {"SeriesDescription": "x"}, "Use list_series"),
        (ORTHANC, SERIES, {"ModalitiesInStudy": "CT"}, "does not return it either"),
        (ORTHANC, STUDY, {"OtherPatientIDsSequence.PatientID": "x"}, "path into a sequence"),
        (ORTHANC, STUDY, {"ReferencedStudySequence": "x"}, "is a sequence"),
    ],
)
def test_what_is_refused_names_another_way(profile: Profile, level: Level, filters: dict[str, Any], says: str) -> None:
    with pytest.raises(Problem, match=says):
        plan(profile, level, filters)


def test_a_misspelt_filter_names_the_searchable_one() -> None:
    with pytest.raises(
        UnknownAttribute, match=r"Did you mean PatientID\?.*StudyDate \(exact, range\).*Nothing was searched"
    ):
        plan(GOOGLE, STUDY, {"PatientIdd": "x"})


def test_one_attribute_twice_is_refused_in_any_spelling() -> None:
    with pytest.raises(BadArgument, match="filtered twice"):
        plan(GOOGLE, STUDY, {"PatientID": "a", "00100020": "b"})


def test_modality_of_a_study_is_understood_and_said() -> None:
    made = plan(ORTHANC, STUDY, {"Modality": "ct"})
    assert names(made.sent) == ["ModalitiesInStudy=CT"]
    assert "ModalitiesInStudy was meant" in made.notes[0]


def test_attributes_of_the_study_are_no_filter_below_a_study_by_the_standard() -> None:
    with pytest.raises(NotSearchable, match="leave the filter out"):
        plan(GENERIC, SERIES, {"PatientID": "x"}, study_uid="1.2")
    assert names(plan(GENERIC, SERIES, {"PatientID": "x"}).sent) == ["PatientID=x"]


def test_fields_are_asked_for_where_they_do_not_come_unasked() -> None:
    made = plan(GOOGLE, STUDY, fields=["StudyDescription", "PatientID"])
    assert [item.keyword for item in made.include] == ["StudyDescription"]
    assert [item.keyword for item in made.columns] == ["StudyDescription", "PatientID"]
    assert [item.keyword for item in plan(GOOGLE, SERIES).include] == ["SeriesNumber", "SeriesDate"]


@pytest.mark.parametrize(
    ("profile", "level", "field", "says"),
    [
        (GOOGLE, STUDY, "ModalitiesInStudy", "does not return ModalitiesInStudy"),
        (GOOGLE, INSTANCE, "AvailableTransferSyntaxUID", "does not return AvailableTransferSyntaxUID"),
        (GOOGLE, SERIES, "BodyPartExamined", "get_metadata reads everything else"),
        (ORTHANC, STUDY, "SliceThickness", "ask list_instances"),
        (ORTHANC, STUDY, "Modalty", "Did you mean"),
        (ORTHANC, INSTANCE, "SharedFunctionalGroupsSequence.PixelMeasuresSequence", "top-level"),
    ],
)
def test_fields_that_cannot_be_had(profile: Profile, level: Level, field: str, says: str) -> None:
    with pytest.raises(Problem, match=says):
        plan(profile, level, fields=[field])


def test_order_needs_what_a_search_returns() -> None:
    made = plan(ORTHANC, STUDY, order="-StudyDate")
    assert made.order is not None
    assert made.order[0].keyword == "StudyDate"
    assert made.order[1] is True
    with pytest.raises(NotSearchable, match="cannot be ordered by ModalitiesInStudy"):
        plan(GOOGLE, STUDY, order="ModalitiesInStudy")


def test_fuzzy_goes_to_the_server_where_it_can() -> None:
    for profile in (FOLDER, DCM4CHEE):
        made = plan(profile, STUDY, {"PatientName": "john doe"}, fuzzy=True)
        assert made.fuzzy
        assert made.here == ()
    assert "by their sound" in made.notes[0]
    for profile in (ORTHANC, GENERIC):
        made = plan(profile, STUDY, {"PatientName": "john doe"}, fuzzy=True)
        assert not made.fuzzy
        assert names(made.here) == ["PatientName=john doe (fuzzy)"]


def test_google_narrows_by_any_word_and_all_words_are_decided_here() -> None:
    made = plan(GOOGLE, STUDY, {"PatientName": "john doe"}, fuzzy=True)
    assert made.fuzzy
    assert made.sent == made.here


def test_a_series_without_its_study_is_a_condition_like_any_other() -> None:
    made = plan(GENERIC, INSTANCE, series_uid="1.2.3")
    assert names(made.sent) == ["SeriesInstanceUID=1.2.3"]
    assert made.series_uid is None
    with pytest.raises(BadArgument, match="given twice"):
        plan(GENERIC, INSTANCE, {"0020000E": "1.2"}, series_uid="1.2.3")
    below = plan(GENERIC, INSTANCE, study_uid="1.2", series_uid="1.2.3")
    assert below.sent == ()
    assert names(below.within) == ["StudyInstanceUID=1.2", "SeriesInstanceUID=1.2.3"]


def test_limits_on_the_number_of_filters_and_fields() -> None:
    with pytest.raises(BadArgument, match="too many"):
        plan(FOLDER, STUDY, {f"{number:08X}": "x" for number in range(0x00090000, 0x00090000 + 31)})
    with pytest.raises(BadArgument, match="too many"):
        plan(FOLDER, STUDY, fields=["PatientID"] * 101)


KEYWORDS = ["PatientID", "PatientName", "StudyDate", "StudyTime", "ModalitiesInStudy", "Modality", "SeriesNumber",
            "SeriesDescription", "BodyPartExamined", "InstanceNumber", "SOPClassUID", "SOPInstanceUID", "KVP",
            "NumberOfFrames", "StudyInstanceUID", "AccessionNumber", "00091001", "Rows", "PixelData"]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(["CT", "a*", "a b", "Müller", "2020", "2020..2021", "<5", ">=2020-01-01", "1.2.3", "1..5", "x,y"]),
    st.integers(0, 3000),
    st.lists(st.sampled_from(["CT", "1.2", "2020", "b*"]), min_size=1, max_size=3),
)


@given(
    st.sampled_from(sorted(PROFILES)),
    st.sampled_from(list(Level)),
    st.dictionaries(st.sampled_from(KEYWORDS), VALUES, max_size=4),
    st.booleans(),
)
def test_no_plan_sends_what_the_rules_do_not_allow(
    kind: Any, level: Level, filters: dict[str, Any], fuzzy: bool
) -> None:
    rules = PROFILES[kind].rules
    try:
        made = make_plan(Query(level, filters=filters, fuzzy=fuzzy), rules)
    except Problem:
        return
    for item in made.sent:
        assert item.needs <= rules.matching(level, item.attribute)
        if rules.own_matching:  # the folder is asked in this program's own terms, without a query string
            continue
        assert not item.is_strict
        assert not item.is_numeric_range
        if rules.plain_only:
            assert all(value.isascii() and " " not in value and "," not in value for value in item.values)
        if Match.LIST not in rules.matching(level, item.attribute):
            assert len(item.values) == 1
    asked = {item.attribute for item in (*made.sent, *made.here)}
    assert len(asked) == len(filters), "every filter is sent, matched here, or refused"
    for item in made.here:
        assert rules.gives(level, item.attribute)
        assert item.attribute in made.include or rules.comes_unasked(level, item.attribute)
