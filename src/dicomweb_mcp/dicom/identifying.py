"""Attributes that name or place a person (PS3.15 table E.1-1), and those that say whether a person can be recognised.

PatientID is not among them: every object has one, and that of an anonymous object is as good as any.
"""

from collections.abc import Mapping

NAMING: Mapping[int, str] = {
    0x00080090: "ReferringPhysicianName",
    0x00081048: "PhysiciansOfRecord",
    0x00081050: "PerformingPhysicianName",
    0x00081060: "NameOfPhysiciansReadingStudy",
    0x00081070: "OperatorsName",
    0x00100010: "PatientName",
    0x00100030: "PatientBirthDate",
    0x00101000: "OtherPatientIDs",
    0x00101001: "OtherPatientNames",
    0x00101002: "OtherPatientIDsSequence",
    0x00101005: "PatientBirthName",
    0x00101040: "PatientAddress",
    0x00101060: "PatientMotherBirthName",
    0x00102154: "PatientTelephoneNumbers",
    0x00102155: "PatientTelecomInformation",
    0x00102297: "ResponsiblePerson",
    0x00104000: "PatientComments",
    0x00321032: "RequestingPhysician",
    0x00380300: "CurrentPatientLocation",
}
SAYING: Mapping[int, tuple[str, tuple[str, ...]]] = {  # keyword, and the values that are counted
    0x00120062: ("PatientIdentityRemoved", ("YES", "NO")),
    0x00280301: ("BurnedInAnnotation", ("YES",)),
}
