"""What Google's DICOM stores search and return, level by level.

Source: Google Cloud Healthcare API, "DICOM conformance statement" (2026-04-14),
search parameters, returned attributes, bulk data, transfer syntaxes.
"""

_STUDY = frozenset(
    {"StudyInstanceUID", "PatientName", "PatientID", "AccessionNumber", "ReferringPhysicianName", "StudyDate"}
)
_SERIES = _STUDY | {"SeriesInstanceUID", "Modality"}

SEARCHABLE = {"study": _STUDY, "series": _SERIES, "instance": _SERIES | {"SOPInstanceUID"}}

RETURNED = {
    "study": (
        "SpecificCharacterSet", "StudyDate", "StudyTime", "AccessionNumber", "InstanceAvailability",
        "ReferringPhysicianName", "TimezoneOffsetFromUTC", "PatientName", "PatientID", "PatientBirthDate",
        "PatientSex", "StudyInstanceUID", "StudyID",
    ),
    "series": (
        "SpecificCharacterSet", "Modality", "TimezoneOffsetFromUTC", "SeriesDescription", "SeriesInstanceUID",
        "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "RequestAttributesSequence",
    ),
    "instance": (
        "SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "InstanceAvailability", "TimezoneOffsetFromUTC",
        "InstanceNumber", "Rows", "Columns", "BitsAllocated", "NumberOfFrames",
    ),
}  # fmt: skip

ON_REQUEST = {
    "study": (
        "PersonIdentificationCodeSequence", "PersonAddress", "PersonTelephoneNumbers", "PersonTelecomInformation",
        "InstitutionName", "InstitutionAddress", "InstitutionCodeSequence",
        "ReferringPhysicianIdentificationSequence", "ConsultingPhysicianName",
        "ConsultingPhysicianIdentificationSequence", "IssuerOfAccessionNumberSequence", "LocalNamespaceEntityID",
        "UniversalEntityID", "UniversalEntityIDType", "StudyDescription", "PhysiciansOfRecord",
        "PhysiciansOfRecordIdentificationSequence", "NameOfPhysiciansReadingStudy",
        "PhysiciansReadingStudyIdentificationSequence", "RequestingServiceCodeSequence", "ReferencedStudySequence",
        "ProcedureCodeSequence", "ReasonForPerformedProcedureCodeSequence",
    ),
    "series": ("SeriesNumber", "Laterality", "SeriesDate", "SeriesTime"),
}  # fmt: skip

STORAGE_CLASSES = ("STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE")
DEFAULT_LIMIT = {"study": 100, "series": 100, "instance": 1_000}
LARGEST_LIMIT = {"study": 5_000, "series": 5_000, "instance": 50_000}
LARGEST_OFFSET = 1_000_000

SYNTAXES = frozenset(
    f"1.2.840.10008.1.2{end}"
    for end in ("", ".1", ".1.99", ".5", ".8.1")
    + tuple(f".4.{n}" for n in (50, 51, 57, 70, 80, 81, 90, 91, 110, 111, 112, 201, 202, 203))
)
TRANSCODABLE = SYNTAXES | {"1.2.840.10008.1.2.2"}  # these can be read, the others above also written

IMAGE_SYNTAXES = {
    "image/jpeg": ("50", "51", "57", "70"),
    "image/jls": ("80", "81"),
    "image/jp2": ("90", "91"),
    "image/jphc": ("201", "202", "203"),
    "image/jxl": ("110", "112"),
}

ALWAYS_BULK = frozenset({"OB", "OW", "UN"})
BULK_BYTES = {"OD": 2_048, "OF": 2_048, "OL": 2_048, "OV": 2_048}
BULK_NUMBERS = frozenset({"AT", "FD", "FL", "UL", "US", "SV", "UV"})
BULK_VM = 512
LARGEST_SEQUENCE = 1 << 20

STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    406: "INVALID_ARGUMENT",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
