"""The attributes that an instance made here must have, and those that nobody gives (PS3.3)."""

from typing import Any, NamedTuple

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
VL_PHOTOGRAPHIC = "1.2.840.10008.5.1.4.1.1.77.1.4"
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"


class Iod(NamedTuple):
    """What an object has where the metadata do not say otherwise; "" is a type 2 attribute without a value."""

    name: str
    defaults: dict[str, Any]


COMMON: dict[str, Any] = {
    # Patient, C.7.1.1
    "PatientName": "", "PatientID": "", "PatientBirthDate": "", "PatientSex": "",
    # General Study, C.7.2.1
    "StudyDate": "", "StudyTime": "", "ReferringPhysicianName": "", "StudyID": "", "AccessionNumber": "",
    # General Equipment, C.7.5.1
    "Manufacturer": "",
}  # fmt: skip

IODS = {
    SECONDARY_CAPTURE: Iod(
        "Secondary Capture Image",
        {
            "Modality": "OT", "SeriesNumber": "", "ConversionType": "WSD", "ImageType": ["DERIVED", "SECONDARY"],
            "PatientOrientation": "", "Laterality": "",
        },
    ),
    VL_PHOTOGRAPHIC: Iod(
        "VL Photographic Image",
        {
            "Modality": "XC", "SeriesNumber": "", "ImageType": ["ORIGINAL", "PRIMARY"], "PatientOrientation": "",
            "Laterality": "", "AcquisitionContextSequence": [], "LossyImageCompression": "",
        },
    ),
    # C.24.2: whether identifying text is in a document that nobody read is not known, so the safe value is said
    ENCAPSULATED_PDF: Iod(
        "Encapsulated PDF",
        {
            "Modality": "DOC", "SeriesNumber": 1, "ConversionType": "WSD", "ContentDate": "", "ContentTime": "",
            "AcquisitionDateTime": "", "BurnedInAnnotation": "YES", "DocumentTitle": "", "ConceptNameCodeSequence": [],
        },
    ),
}  # fmt: skip

PATIENT = (
    "ReferencedPatientSequence", "PatientName", "PatientID", "IssuerOfPatientID", "TypeOfPatientID",
    "IssuerOfPatientIDQualifiersSequence", "SourcePatientGroupIdentificationSequence",
    "GroupOfPatientsIdentificationSequence", "PatientBirthDate", "PatientBirthTime",
    "PatientBirthDateInAlternativeCalendar", "PatientDeathDateInAlternativeCalendar", "PatientAlternativeCalendar",
    "PatientSex", "QualityControlSubject", "StrainDescription", "StrainNomenclature", "StrainStockSequence",
    "StrainAdditionalInformation", "StrainCodeSequence", "GeneticModificationsSequence", "OtherPatientNames",
    "OtherPatientIDsSequence", "ReferencedPatientPhotoSequence", "EthnicGroup", "EthnicGroupCodeSequence",
    "PatientSpeciesDescription", "PatientSpeciesCodeSequence", "PatientBreedDescription", "PatientBreedCodeSequence",
    "BreedRegistrationSequence", "ResponsiblePerson", "ResponsiblePersonRole", "ResponsibleOrganization",
    "PatientComments", "PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence",
)  # fmt: skip
STUDY = (
    "StudyDate", "StudyTime", "AccessionNumber", "IssuerOfAccessionNumberSequence", "ReferringPhysicianName",
    "ReferringPhysicianIdentificationSequence", "ConsultingPhysicianName",
    "ConsultingPhysicianIdentificationSequence", "StudyDescription", "ProcedureCodeSequence", "PhysiciansOfRecord",
    "PhysiciansOfRecordIdentificationSequence", "NameOfPhysiciansReadingStudy",
    "PhysiciansReadingStudyIdentificationSequence", "ReferencedStudySequence", "StudyInstanceUID", "StudyID",
    "RequestingService", "RequestingServiceCodeSequence", "ReasonForPerformedProcedureCodeSequence",
)  # fmt: skip
PATIENT_AND_STUDY = (*PATIENT, *STUDY)
"""What all instances of a study have in common: Patient (C.7.1.1) and General Study (C.7.2.1)."""

OF_ONE_INSTANCE = ("SOPInstanceUID", "InstanceNumber")

COMPUTED = {
    "SpecificCharacterSet", "EncapsulatedDocument", "EncapsulatedDocumentLength", "MIMETypeOfEncapsulatedDocument",
    "ListOfMIMETypes", "QueryRetrieveLevel", "QueryRetrieveView", "RetrieveAETitle", "RetrieveURL",
    "InstanceAvailability", "ModalitiesInStudy", "SOPClassesInStudy",
}  # fmt: skip
QUERY_NUMBERS = range(0x00201200, 0x0020120A)  # NumberOfStudyRelatedInstances and its like
COMPUTED_GROUPS = {0x0000, 0x0002, 0x0004, 0x0028, 0x0400, 0x7FE0, 0xFFFA, 0xFFFC, 0xFFFE}
GIVEN_OF_PIXELS = {  # of group 0028, what only a person can know
    "BurnedInAnnotation", "RecognizableVisualFeatures", "PixelSpacing", "PixelSpacingCalibrationType",
    "PixelSpacingCalibrationDescription", "WindowCenter", "WindowWidth", "WindowCenterWidthExplanation",
    "QualityControlImage",
}  # fmt: skip

ENUMERATED = {
    "PatientSex": {"M", "F", "O"},
    "BurnedInAnnotation": {"YES", "NO"},
    "RecognizableVisualFeatures": {"YES", "NO"},
    "PatientIdentityRemoved": {"YES", "NO"},
    "QualityControlImage": {"YES", "NO", "BOTH"},
    "Laterality": {"R", "L"},
    "ImageLaterality": {"R", "L", "U", "B"},
}
