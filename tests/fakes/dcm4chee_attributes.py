"""What dcm4chee-arc matches, level by level.

Source: dcm4chee-arc-light (2026-08), QueryBuilder, QueryAttributes, QIDO and the shipped ``default-config.ldif``. Any
other valid attribute is accepted as a filter and ignored.
"""

DATES = frozenset(
    {
        "PatientBirthDate", "StudyDate", "StudyTime", "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime", "ContentDate", "ContentTime",
    }
)  # fmt: skip
NAMES = frozenset({"PatientName", "ReferringPhysicianName", "PerformingPhysicianName", "ResponsiblePerson"})

_PATIENT = frozenset({"PatientName", "PatientID", "PatientBirthDate", "PatientSex", "ResponsiblePerson"})
_STUDY = _PATIENT | {
    "StudyInstanceUID", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyDescription",
    "AccessionNumber", "AdmissionID", "ModalitiesInStudy", "SOPClassesInStudy", "ProcedureCodeSequence",
}  # fmt: skip
_SERIES = _STUDY | {
    "SeriesInstanceUID", "SeriesNumber", "Modality", "BodyPartExamined", "Laterality",
    "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "PerformingPhysicianName",
    "SeriesDescription", "StationName", "InstitutionName", "InstitutionalDepartmentName",
    "InstitutionCodeSequence", "RequestAttributesSequence",
}  # fmt: skip
_INSTANCE = _SERIES | {
    "SOPInstanceUID", "SOPClassUID", "InstanceNumber", "ContentDate", "ContentTime", "VerificationFlag",
    "CompletionFlag", "ConceptNameCodeSequence", "VerifyingObserverSequence", "ContentSequence",
}  # fmt: skip
MATCHED = {"study": _STUDY, "series": _SERIES, "instance": _INSTANCE}

ALSO_RETURNED = ("RetrieveAETitle", "AvailableTransferSyntaxUID")  # besides PS3.18's
