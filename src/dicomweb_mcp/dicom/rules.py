"""What a server can search and how, as data; and the refusal that names it.

A ``Rules`` value belongs to one kind of server (``archives.profiles`` has the rows). ``query`` reads it to decide what
is sent, what is matched here and what is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from ..errors import Problem
from .tags import Attribute
from .values import NUMBER_VRS


class NotSearchable(Problem):
    """A filter, field or order that this kind of server cannot serve: what it can instead."""


class Level(StrEnum):
    """The levels of the query resources, PS3.18 10.6; highest first."""

    STUDY = "study"
    SERIES = "series"
    INSTANCE = "instance"

    @cached_property
    def plural(self) -> str:
        return {"study": "studies", "series": "series", "instance": "instances"}[self.value]

    @cached_property
    def uid(self) -> str:
        """The keyword of the UID that identifies an object of this level."""
        return {"study": "StudyInstanceUID", "series": "SeriesInstanceUID", "instance": "SOPInstanceUID"}[self.value]

    @cached_property
    def depth(self) -> int:
        return list(Level).index(self)

    @cached_property
    def uids(self) -> tuple[str, ...]:
        """The keywords of the UIDs that name an object of this level, its own first, then its parents' upward."""
        return tuple(level.uid for level in reversed(Level) if level.depth <= self.depth)

    @cached_property
    def tool(self) -> str:
        """The tool that searches this level; named in refusals, so that a model knows the next call."""
        return {"study": "search_studies", "series": "list_series", "instance": "list_instances"}[self.value]


class Match(StrEnum):
    """Ways to match an attribute, PS3.4 C.2.2.2 and PS3.18 8.3.4."""

    EXACT = "exact"
    RANGE = "range"
    WILDCARD = "wildcard"
    FUZZY = "fuzzy"
    LIST = "list"


EXACT = frozenset({Match.EXACT})
RANGE = frozenset({Match.EXACT, Match.RANGE})
WILDCARD = frozenset({Match.EXACT, Match.WILDCARD})
NAME = frozenset({Match.EXACT, Match.WILDCARD, Match.FUZZY})
UIDS = frozenset({Match.EXACT, Match.LIST})

TEXT_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})  # PS3.4 C.2.2.2.4: may hold * and ?
TIME_VRS = frozenset({"DA", "TM", "DT"})  # PS3.4 C.2.2.2.5: may be ranges


def standard_matching(vr: str) -> frozenset[Match]:
    """How PS3.4 lets an attribute of this VR be matched."""
    if vr in TEXT_VRS:
        return WILDCARD
    if vr in TIME_VRS:
        return RANGE
    return UIDS if vr == "UI" else EXACT


# Attributes by the level that owns them (PS3.3 modules of the patient, study, series and equipment entities).
# All of group 0010 belongs to the patient or the study; what is in no set belongs to the instance.
STUDY_OWNED = frozenset(
    {
        "AccessionNumber", "AdmissionID", "IssuerOfAccessionNumberSequence", "ModalitiesInStudy",
        "NameOfPhysiciansReadingStudy", "NumberOfPatientRelatedInstances", "NumberOfPatientRelatedSeries",
        "NumberOfPatientRelatedStudies", "NumberOfStudyRelatedInstances", "NumberOfStudyRelatedSeries",
        "PhysiciansOfRecord", "PhysiciansReadingStudyIdentificationSequence", "ProcedureCodeSequence",
        "ReasonForVisit", "ReferencedStudySequence", "ReferringPhysicianName", "RequestingServiceCodeSequence",
        "SOPClassesInStudy", "StudyDate", "StudyDescription", "StudyID", "StudyInstanceUID", "StudyTime",
        "TimezoneOffsetFromUTC",
    }
)  # fmt: skip
SERIES_OWNED = frozenset(
    {
        "BodyPartExamined", "DeviceSerialNumber", "FrameOfReferenceUID", "InstitutionAddress",
        "InstitutionCodeSequence", "InstitutionName", "InstitutionalDepartmentName", "Laterality", "Manufacturer",
        "ManufacturerModelName", "Modality", "NumberOfSeriesRelatedInstances", "OperatorsName", "PatientPosition",
        "PerformedProcedureStepDescription", "PerformedProcedureStepID", "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime", "PerformingPhysicianName", "PositionReferenceIndicator",
        "PresentationIntentType", "ProtocolName", "RequestAttributesSequence", "SeriesDate", "SeriesDescription",
        "SeriesInstanceUID", "SeriesNumber", "SeriesTime", "SoftwareVersions", "StationName",
    }
)  # fmt: skip
# What no file holds: servers work it out for search results of the level that it describes.
COMPUTED = frozenset(
    {
        "InstanceAvailability", "ModalitiesInStudy", "NumberOfPatientRelatedInstances", "NumberOfPatientRelatedSeries",
        "NumberOfPatientRelatedStudies", "NumberOfSeriesRelatedInstances", "NumberOfStudyRelatedInstances",
        "NumberOfStudyRelatedSeries", "SOPClassesInStudy",
    }
)  # fmt: skip


NOT_IN_OBJECTS = ("0000", "0002", "0004", "0006")  # groups of messages, file meta information and DICOMDIR: PS3.5 7.1


def owner(attribute: Attribute) -> Level:
    """The level whose objects have one value of this attribute."""
    if attribute.keyword in STUDY_OWNED or attribute.tag.startswith("0010"):
        return Level.STUDY
    return Level.SERIES if attribute.keyword in SERIES_OWNED else Level.INSTANCE


@dataclass(frozen=True)
class Rules:
    """What one kind of server can search and return.

    ``server`` is its name in sentences. ``searchable`` lists the usual attributes of each level (higher levels' ones
    included) with how they match; with ``open`` any other attribute of the level can be searched too, by ``open_lists``
    also as a list. ``plain_only`` servers do not decode percent-encoding: only plain characters can be sent to them.
    ``text_numbers`` servers compare numbers as text, and miss a 2 that is stored as 02: none is sent to them.
    An archive with ``own_matching`` decides by ``matching``, so that everything it returns can be sent to it.
    Without ``parent_filters`` an attribute of the study is no filter below one study (PS3.18 10.6.1.2.1). Where one
    word of a name is enough (``fuzzy_any_word``) the rest is decided here; ``fuzzy_note`` says what fuzzy means there.
    ``returned`` names what comes unasked, ``includable`` what can be asked for; None means anything that is not
    ``withheld``. ``hint`` ends a refusal: where else to look.
    """

    server: str
    searchable: Mapping[Level, Mapping[str, frozenset[Match]]]
    open: bool = False
    open_lists: bool = False
    plain_only: bool = False
    text_numbers: bool = False
    own_matching: bool = False
    parent_filters: bool = True
    fuzzy_any_word: bool = False
    fuzzy_note: str = ""
    returned: Mapping[Level, frozenset[str]] = field(default_factory=dict)
    includable: Mapping[Level, frozenset[str] | None] = field(default_factory=dict)
    withheld: frozenset[str] = frozenset()
    hint: str = ""

    def matching(self, level: Level, attribute: Attribute) -> frozenset[Match]:
        """How the server matches this attribute at this level; empty when it cannot."""
        if self.own_matching and self.gives(level, attribute):
            return frozenset(Match)
        listed = self.searchable[level].get(attribute.keyword)
        if listed is not None:
            return listed
        if not self.open or owner(attribute) is not level or not attribute.keyword or attribute.vr == "SQ":
            return frozenset()
        if attribute.tag.startswith(NOT_IN_OBJECTS):
            return frozenset()
        if self.text_numbers and attribute.vr in NUMBER_VRS:
            return frozenset()
        return standard_matching(attribute.vr) | ({Match.LIST} if self.open_lists else frozenset())

    def by_ways(self, level: Level) -> dict[str, list[str]]:
        """The usual attributes of a level, grouped by how they match: ``exact, range`` -> keywords."""
        grouped: dict[str, list[str]] = {}
        for keyword, ways in self.searchable[level].items():
            grouped.setdefault(", ".join(sorted(ways)), []).append(keyword)
        return grouped

    def gives(self, level: Level, attribute: Attribute) -> bool:
        """Whether a search at this level can return the attribute, unasked or by includefield."""
        if attribute.keyword in self.returned.get(level, frozenset()) | {level.uid}:
            return True
        includable = self.includable.get(level, frozenset())
        if includable is not None:
            return attribute.keyword in includable
        if attribute.keyword in self.withheld:
            return False
        if attribute.tag.startswith(NOT_IN_OBJECTS):
            return attribute.keyword in self.searchable[level]
        if attribute.keyword in COMPUTED:
            return owner(attribute) is level
        return owner(attribute).depth <= level.depth

    def comes_unasked(self, level: Level, attribute: Attribute) -> bool:
        """Whether search results of this level carry the attribute without includefield."""
        return attribute.keyword in self.returned.get(level, frozenset()) | {level.uid}
