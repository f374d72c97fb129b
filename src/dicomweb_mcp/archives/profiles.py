"""One row of data per kind of server: what it can search and return, its limits, what it accepts, what is retried.

Sources: Google's DICOM conformance statement (2026-04), dcm4chee-arc's QueryBuilder and QidoRS, Orthanc's DICOMweb
plugin 1.7 (measured) to 1.24 (source), PS3.18 tables 10.6.1-5 and 10.6.3-3 to -5.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..dicom.rules import EXACT, NAME, RANGE, UIDS, WILDCARD, Level, Match, Rules
from ..dicom.uids import EXPLICIT
from ..dicom.viewers import IDC_VIEWERS, Viewers
from ..settings import COUNTED_KINDS, Kind

Searchable = Mapping[str, frozenset[Match]]

STUDY, SERIES, INSTANCE = Level.STUDY, Level.SERIES, Level.INSTANCE
OCTETS = 'multipart/related; type="application/octet-stream"'
ANY_SYNTAX = "transfer-syntax=*"
AS_STORED = f"{OCTETS}; {ANY_SYNTAX}"
FILES = f'multipart/related; type="application/dicom"; {ANY_SYNTAX}'
DECOMPRESSED_FILES = f'multipart/related; type="application/dicom"; transfer-syntax={EXPLICIT}'


@dataclass(frozen=True)
class Profile:
    """How to treat one kind of server.

    ``largest`` is the greatest ``limit`` that the server honours, None where nothing caps it, 0 where that is unknown
    (then the end of a list is proved by asking beyond it). ``page`` rows are asked for when a search needs many,
    ``scan`` rows at most are looked at to match here. One that ``counts`` says with every page how many match in all.
    Of a server that is not ``trusted`` the rows must show every filter that it was sent; where it is not sure that
    it ``honours_offset``, a page is compared with the first one.
    Instance searches of one that ``returns_any`` attribute asked for do so as faithfully as its metadata; one that
    ``leaves_out_sequences`` drops large ones from both. Where it gives the metadata of a whole series sooner than such
    a search, they are asked for with ``metadata_first``.
    ``frame_accepts`` are tried in order while it declines. One that ``packs_slowly`` is asked for pixels without a
    content coding, because packing them takes it longer than a network of over 50 Mbit/s takes to bring them.
    Of one that ``counts_bytes`` every byte is counted by day (``archives.traffic``), and one day and one call take no
    more than is good manners (``archives.manners``); ``elsewhere`` says where whole series or studies come from, ``{}``
    being their UID, and ``usage_path`` is where its host says what it counted itself.
    One that ``renders_colour`` shrinks colour as well as this program would: Orthanc may confuse the colours of
    JPEG 2000, dcm4chee leaves pixels out. ``viewers`` show its data in a browser.
    ``store_reasons`` are failure reasons that mean something of its own. One with ``storage_classes`` stores in the
    class that is named; one that ``makes_files`` takes JSON metadata with bulk data too, and makes files of them.
    ``deletion`` says to whoever has to agree what cannot be undone.
    """

    kind: Kind
    rules: Rules
    largest: Mapping[Level, int | None]
    largest_offset: int | None = None
    page: int = 1_000
    scan: int = 5_000
    trusted: bool = True
    honours_offset: bool = False
    parallel: int = 4
    retry: frozenset[int] = frozenset({500, 502, 503, 504})
    tries: int = 2
    frame_accepts: tuple[str, ...] = (AS_STORED, OCTETS)
    frames_per_request: int = 400
    counts: bool = False
    returns_any: bool = False
    leaves_out_sequences: bool = False
    metadata_first: bool = False
    renders: bool = True
    packs_slowly: bool = False
    renders_colour: bool = False
    store_reasons: Mapping[int, str] = field(default_factory=dict)
    storage_classes: tuple[str, ...] = ()
    makes_files: bool = False
    viewers: Viewers | None = None
    elsewhere: str = ""
    usage_path: str = ""
    deletion: str = "The archive deletes for good."
    note: str = ""

    @property
    def counts_bytes(self) -> bool:
        return self.kind in COUNTED_KINDS


def _levels(study: Searchable, series: Searchable, instance: Searchable) -> dict[Level, Searchable]:
    """Each level with the attributes of those above it, its own first."""
    return {STUDY: study, SERIES: {**series, **study}, INSTANCE: {**instance, **series, **study}}


def _capped(studies: int | None, series: int | None, instances: int | None) -> dict[Level, int | None]:
    return {STUDY: studies, SERIES: series, INSTANCE: instances}


# ---- Google Cloud Healthcare, and IDC's proxy before it -----------------------------------------------------------

_GOOGLE_STUDY: Searchable = {
    "StudyInstanceUID": EXACT,
    "PatientName": frozenset({Match.EXACT, Match.FUZZY}),
    "PatientID": EXACT,
    "AccessionNumber": EXACT,
    "ReferringPhysicianName": EXACT,
    "StudyDate": RANGE,
}
_GOOGLE_RETURNED = {
    STUDY: frozenset(
        {
            "StudyDate", "StudyTime", "AccessionNumber", "InstanceAvailability", "ReferringPhysicianName",
            "TimezoneOffsetFromUTC", "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID",
            "StudyID",
        }
    ),
    SERIES: frozenset(
        {
            "Modality", "TimezoneOffsetFromUTC", "SeriesDescription", "SeriesInstanceUID",
            "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime",
        }
    ),
    INSTANCE: frozenset(
        {
            "SOPClassUID", "SOPInstanceUID", "InstanceAvailability", "TimezoneOffsetFromUTC", "InstanceNumber", "Rows",
            "Columns", "BitsAllocated", "NumberOfFrames",
        }
    ),
}  # fmt: skip
_GOOGLE_INCLUDABLE: dict[Level, frozenset[str] | None] = {
    STUDY: frozenset(
        {
            "PersonAddress", "PersonTelephoneNumbers", "InstitutionName", "InstitutionAddress",
            "ConsultingPhysicianName", "StudyDescription", "PhysiciansOfRecord", "NameOfPhysiciansReadingStudy",
        }
    ),
    SERIES: frozenset({"SeriesNumber", "Laterality", "SeriesDate", "SeriesTime"}),
    INSTANCE: None,
}  # fmt: skip


def _google_rules(server: str, hint: str) -> Rules:
    return Rules(
        server=server,
        searchable=_levels(_GOOGLE_STUDY, {"SeriesInstanceUID": EXACT, "Modality": EXACT}, {"SOPInstanceUID": EXACT}),
        fuzzy_any_word=True,
        returned=_GOOGLE_RETURNED,
        includable=_GOOGLE_INCLUDABLE,
        withheld=frozenset({"AvailableTransferSyntaxUID"}),  # it refuses a search that asks for this
        hint=hint,
    )


_GOOGLE_LARGEST = _capped(5_000, 5_000, 50_000)
_GOOGLE_HINT = "For the modalities of a study use list_series with its study_uid."

GOOGLE = Profile(
    kind="google",
    rules=_google_rules("Google Cloud Healthcare", _GOOGLE_HINT),
    largest=_GOOGLE_LARGEST,
    largest_offset=1_000_000,
    page=5_000,
    honours_offset=True,
    returns_any=True,
    leaves_out_sequences=True,
    renders_colour=True,
    parallel=6,
    retry=frozenset({408, 429, 500, 502, 503, 504}),
    tries=5,
    storage_classes=("STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"),
    makes_files=True,
)
IDC = Profile(
    kind="idc",
    rules=_google_rules(
        "The Imaging Data Commons",
        f"{_GOOGLE_HINT} Collections, body parts, manufacturers, descriptions and licences are searched in IDC's "
        "index: search_idc (with the extra idc), or IDC's own MCP server; bring the UIDs here.",
    ),
    largest=_GOOGLE_LARGEST,
    largest_offset=1_000_000,
    page=5_000,
    honours_offset=True,
    returns_any=True,
    leaves_out_sequences=True,
    parallel=2,
    renders_colour=True,
    viewers=IDC_VIEWERS,
    retry=frozenset({500, 502, 503}),  # a 429 is the day's byte quota, until midnight UTC
    tries=4,
    elsewhere="Whole series and studies come from IDC's public buckets without any limit: idc download {} (of the "
    "package idc-index).",
    usage_path="/quota_usage",
    note="A public proxy with a daily quota of bytes per address: few small requests, whole files from IDC's buckets. "
    "Dates are shifted by de-identification.",
)
IDC_GOOGLE = Profile(
    kind="idc-google",
    rules=IDC.rules,
    largest=_GOOGLE_LARGEST,
    largest_offset=1_000_000,
    page=5_000,
    honours_offset=True,
    returns_any=True,
    leaves_out_sequences=True,
    retry=GOOGLE.retry,
    tries=GOOGLE.tries,
    renders_colour=True,
    viewers=IDC_VIEWERS,
    note="Google's copy of one release of IDC, from the bucket idc-open-data alone (about 96 % of the series), made "
    "one or two weeks after the release. Dates are shifted by de-identification.",
)

# ---- Orthanc ------------------------------------------------------------------------------------------------------

_LISTED = frozenset({Match.LIST})
_PATIENT: Searchable = {
    "PatientID": WILDCARD,
    "PatientName": WILDCARD,
    "PatientBirthDate": RANGE,
    "PatientSex": WILDCARD,
}
_STUDY: Searchable = {
    "StudyInstanceUID": UIDS,
    **_PATIENT,
    "StudyDate": RANGE,
    "StudyTime": RANGE,
    "StudyDescription": WILDCARD,
    "AccessionNumber": WILDCARD,
    "StudyID": WILDCARD,
    "ReferringPhysicianName": WILDCARD,
    "ModalitiesInStudy": WILDCARD,
}
_SERIES: Searchable = {
    "SeriesInstanceUID": UIDS,
    "Modality": WILDCARD,
    "SeriesDescription": WILDCARD,
    "SeriesNumber": EXACT,
    "SeriesDate": RANGE,
    "BodyPartExamined": WILDCARD,
    "Manufacturer": WILDCARD,
    "StationName": WILDCARD,
    "ProtocolName": WILDCARD,
}
_INSTANCE: Searchable = {"SOPInstanceUID": UIDS, "SOPClassUID": UIDS, "InstanceNumber": EXACT}


def _with_lists(searchable: Searchable) -> Searchable:
    return {keyword: ways | _LISTED for keyword, ways in searchable.items()}


def _without(searchable: Searchable, *keywords: str) -> Searchable:
    return {keyword: ways for keyword, ways in searchable.items() if keyword not in keywords}


_COUNTS = frozenset({"NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"})
_STANDARD_RETURNED = {  # PS3.18 tables 10.6.3-3 to 10.6.3-5
    STUDY: frozenset(
        {
            "StudyDate", "StudyTime", "AccessionNumber", "InstanceAvailability", "ModalitiesInStudy",
            "ReferringPhysicianName", "TimezoneOffsetFromUTC", "PatientName", "PatientID", "PatientBirthDate",
            "PatientSex", "StudyInstanceUID", "StudyID",
        }
    ) | _COUNTS,
    SERIES: frozenset(
        {
            "StudyInstanceUID", "Modality", "TimezoneOffsetFromUTC", "SeriesDescription", "SeriesInstanceUID",
            "SeriesNumber", "NumberOfSeriesRelatedInstances", "PerformedProcedureStepStartDate",
            "PerformedProcedureStepStartTime",
        }
    ),
    INSTANCE: frozenset(
        {
            "StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID", "InstanceAvailability",
            "InstanceNumber", "Rows", "Columns", "BitsAllocated", "NumberOfFrames",
        }
    ),
}  # fmt: skip
_ANY: dict[Level, frozenset[str] | None] = {STUDY: None, SERIES: None, INSTANCE: None}

_ORTHANC_STUDY = _with_lists(_STUDY)
_ORTHANC_SERIES = _with_lists(_without(_SERIES, "SeriesNumber"))
_ORTHANC_INSTANCE = _with_lists(_without(_INSTANCE, "InstanceNumber"))
_ORTHANC_ABOVE = _without(_ORTHANC_STUDY, "ModalitiesInStudy")  # below the study it matches nothing there

ORTHANC = Profile(
    kind="orthanc",
    rules=Rules(
        server="Orthanc",
        searchable={
            STUDY: _ORTHANC_STUDY,
            SERIES: {**_ORTHANC_SERIES, **_ORTHANC_ABOVE},
            INSTANCE: {**_ORTHANC_INSTANCE, **_ORTHANC_SERIES, **_ORTHANC_ABOVE},
        },
        open=True,
        open_lists=True,
        plain_only=True,
        text_numbers=True,
        returned=_STANDARD_RETURNED,
        includable=_ANY,
    ),
    largest=_capped(None, None, None),
    honours_offset=True,  # its /system has been asked whether it is Orthanc
    parallel=6,
    metadata_first=True,  # of 140 slices: 45 ms instead of 80
    packs_slowly=True,  # half a megabyte of CT: 50 ms instead of 4
)

# ---- dcm4chee -----------------------------------------------------------------------------------------------------

_NAMED = NAME | _LISTED
_DCM4CHEE_REASONS = {
    0xA770: "a rejection note that is there already",
    0xA771: "rejected there before",
    0xA772: "the rejection failed", 0xA773: "the rejection failed", 0xA774: "the rejection failed",
    0xA775: "its retention has not expired", 0xA776: "its retention has expired",
    0xA777: "it has no PatientID",
    0xA778: "its patient conflicts with that of the study there",
    0xA779: "its patient conflicts with that of the study there",
    0xA77A: "the study is being deleted there",
    0xA77B: "it does not belong to the study that was named",
}  # fmt: skip
DCM4CHEE = Profile(
    kind="dcm4chee",
    rules=Rules(
        server="dcm4chee",
        fuzzy_note="dcm4chee matches names by their sound: other spellings are found, beginnings of names may not be.",
        searchable=_levels(
            {
                **_with_lists(_STUDY),
                **dict.fromkeys(("PatientName", "ReferringPhysicianName"), _NAMED),
                "AdmissionID": WILDCARD | _LISTED,
                "SOPClassesInStudy": UIDS,
            },
            {
                **_without(_with_lists(_SERIES), "Manufacturer", "ProtocolName", "SeriesDate"),
                "Laterality": WILDCARD | _LISTED,
                "InstitutionName": WILDCARD | _LISTED,
                "InstitutionalDepartmentName": WILDCARD | _LISTED,
                "PerformingPhysicianName": _NAMED,
                "PerformedProcedureStepStartDate": RANGE | _LISTED,
                "PerformedProcedureStepStartTime": RANGE | _LISTED,
            },
            {
                **_with_lists(_INSTANCE),
                "ContentDate": RANGE | _LISTED,
                "ContentTime": RANGE | _LISTED,
                "VerificationFlag": EXACT | _LISTED,
                "CompletionFlag": EXACT | _LISTED,
            },
        ),
        returned=_STANDARD_RETURNED,
        includable=_ANY,
    ),
    largest=_capped(1_000, 1_000, 1_000),
    largest_offset=99_999,
    parallel=6,
    store_reasons=_DCM4CHEE_REASONS,
)

# ---- any other server: what PS3.18 requires, nothing taken for granted ----------------------------------------------

_GENERIC_STUDY: Searchable = {
    "StudyInstanceUID": UIDS,
    "PatientID": WILDCARD,
    "PatientName": WILDCARD,  # fuzzy matching is optional, and a server may ignore it in silence
    "StudyDate": RANGE,
    "StudyTime": RANGE,
    "AccessionNumber": WILDCARD,
    "ModalitiesInStudy": WILDCARD,
    "ReferringPhysicianName": WILDCARD,
    "StudyID": WILDCARD,
}
GENERIC = Profile(
    kind="generic",
    rules=Rules(
        server="This server",
        searchable=_levels(
            _GENERIC_STUDY,
            {
                "SeriesInstanceUID": UIDS,
                "Modality": WILDCARD,
                "SeriesNumber": EXACT,
                "PerformedProcedureStepStartDate": RANGE,
                "PerformedProcedureStepStartTime": RANGE,
            },
            {"SOPInstanceUID": UIDS, "SOPClassUID": UIDS, "InstanceNumber": EXACT},
        ),
        parent_filters=False,
        returned=_STANDARD_RETURNED,
        includable=_ANY,
    ),
    largest=_capped(0, 0, 0),
    page=200,
    trusted=False,
)
AURABOX = Profile(
    kind="aurabox",
    rules=Rules(
        server="Aurabox",
        searchable=GENERIC.rules.searchable,
        parent_filters=False,
        returned=_STANDARD_RETURNED,
        includable=_ANY,
        hint="Aurabox is made for storing; what it can search varies.",
    ),
    largest=_capped(0, 0, 0),
    page=200,
    trusted=False,
    note="Made for storing; search and retrieve vary.",
)

# ---- a folder of files ----------------------------------------------------------------------------------------------

FOLDER = Profile(
    kind="folder",
    rules=Rules(
        server="The folder archive",
        own_matching=True,
        searchable=_levels(
            {**_with_lists(_STUDY), **dict.fromkeys(("PatientName", "ReferringPhysicianName"), _NAMED)},
            _with_lists(_SERIES),
            _with_lists({**_INSTANCE, "TransferSyntaxUID": _INSTANCE["SOPClassUID"]}),
        ),
        open=True,
        open_lists=True,
        returned=_STANDARD_RETURNED,
        includable=_ANY,
    ),
    largest=_capped(None, None, None),
    page=5_000,
    scan=50_000,
    honours_offset=True,
    counts=True,
    renders=False,
    deletion="Files are moved into a trash, and can be brought back.",
)

PROFILES: Mapping[Kind, Profile] = {
    profile.kind: profile for profile in (GOOGLE, IDC, IDC_GOOGLE, ORTHANC, DCM4CHEE, AURABOX, GENERIC, FOLDER)
}
