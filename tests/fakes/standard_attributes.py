"""What a search returns without being asked: PS3.18 tables 10.6.3-3 to 10.6.3-5."""

_ALWAYS = ("SpecificCharacterSet", "InstanceAvailability", "TimezoneOffsetFromUTC", "RetrieveURL")
_OF_STUDY = (
    "StudyDate", "StudyTime", "AccessionNumber", "ModalitiesInStudy", "ReferringPhysicianName", "PatientName",
    "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID", "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)  # fmt: skip
_OF_SERIES = (
    "Modality", "SeriesDescription", "SeriesInstanceUID", "SeriesNumber", "NumberOfSeriesRelatedInstances",
    "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "RequestAttributesSequence",
)  # fmt: skip
_OF_INSTANCE = (
    "SOPClassUID", "SOPInstanceUID", "InstanceNumber", "Rows", "Columns", "BitsAllocated", "NumberOfFrames",
)  # fmt: skip
BY_LEVEL = (_OF_STUDY, _OF_SERIES, _OF_INSTANCE)


def returned(level: str, given: int) -> set[str]:
    """Attributes of a row: its own level's, and those of levels above that the path (of ``given`` UIDs) leaves open."""
    own = ("study", "series", "instance").index(level)
    above = [name for group in BY_LEVEL[min(given, own) : own] for name in group]
    return {*_ALWAYS, *BY_LEVEL[own], *above, *("StudyInstanceUID", "SeriesInstanceUID")[:own]}
