"""Metadata that a caller gives: what becomes of each kind of value, and what is refused without being repeated."""

from typing import Any

import pytest

from dicomweb_mcp.dicom.making.metadata import checked_metadata
from dicomweb_mcp.errors import BadArgument


def refused(metadata: dict[str, Any]) -> str:
    with pytest.raises(BadArgument) as raised:
        checked_metadata(metadata)
    return str(raised.value)


def test_values_of_each_kind() -> None:
    found = checked_metadata(
        {
            "PatientID": "P1", "patient name": "Müller^Änne", "00100030": "1970-02-28", "PatientSex": "F",
            "StudyDate": "20240229", "StudyTime": "10:30:05.5", "AcquisitionDateTime": "20240229103000",
            "SeriesNumber": 7, "PixelSpacing": [0.1, 1 / 3], "WindowCenter": "40", "PatientWeight": 61.5,
            "ImageType": ["ORIGINAL", "PRIMARY"], "OtherPatientNames": ["Doe^J", "Roe^R"], "SeriesDescription": None,
            "PatientComments": "first line\r\nsecond \\ line", "ExaminedBodyThickness": 20.25,
            "AnatomicRegionSequence": [{"CodeValue": "39937001", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Skin"}],
            "StudyInstanceUID": "1.2.3", "ConceptNameCodeSequence": [], "PatientAge": "054Y",
        }
    )  # fmt: skip
    assert found.PatientID == "P1"
    assert str(found.PatientName) == "Müller^Änne"
    assert (found.PatientBirthDate, found.StudyDate, found.StudyTime) == ("19700228", "20240229", "103005.5")
    assert found.SeriesNumber == 7
    assert found["SeriesNumber"].VR == "IS"
    assert [str(value) for value in found.PixelSpacing] == ["0.1", "0.3333333333"]
    assert found.WindowCenter == 40
    assert list(found.ImageType) == ["ORIGINAL", "PRIMARY"]
    assert [str(name) for name in found.OtherPatientNames] == ["Doe^J", "Roe^R"]
    assert found["SeriesDescription"].is_empty
    assert found.PatientComments == "first line\r\nsecond \\ line"
    assert found.AnatomicRegionSequence[0].CodeMeaning == "Skin"
    assert list(found.ConceptNameCodeSequence) == []


SECRET = "Doe-1234567890-Doe-1234567890-Doe-1234567890-Doe-1234567890-Doe-1234567890"


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"PatientsID": "x"}, "Did you mean PatientID"),
        ({"Diagnosis of Mr X": "x"}, "is not a DICOM keyword"),
        ({"00091001": "x"}, "is no attribute of the standard"),
        ({"Rows": 5}, "Rows describes the pixels or the file"),
        ({"PixelData": "x"}, "PixelData describes"),
        ({"PhotometricInterpretation": "RGB"}, "PhotometricInterpretation describes"),
        ({"LossyImageCompression": "00"}, "LossyImageCompression describes"),
        ({"NumberOfFrames": 2}, "NumberOfFrames describes"),
        ({"TransferSyntaxUID": "1.2"}, "TransferSyntaxUID describes"),
        ({"SpecificCharacterSet": "ISO_IR 100"}, "SpecificCharacterSet describes"),
        ({"EncapsulatedDocument": "x"}, "EncapsulatedDocument describes"),
        ({"NumberOfStudyRelatedInstances": 1}, "NumberOfStudyRelatedInstances describes"),
        ({"EncryptedAttributesSequence": []}, "EncryptedAttributesSequence describes"),
        ({"PatientID": "a", "patient_id": "b"}, "PatientID is given twice"),
        ({"PatientID": SECRET}, "PatientID is not valid (VR LO): text of at most 64"),
        ({"PatientID": 7}, "PatientID is not valid"),
        ({"PatientID": True}, "PatientID is not valid"),
        ({"PatientID": {"a": 1}}, "PatientID is not valid"),
        ({"PatientID": ["a", "b"]}, "PatientID has 2 values; it can have 1"),
        ({"PatientID": "a\\b"}, "give several values as a list"),
        ({"PatientID": "a\nb"}, "control characters"),
        ({"PatientID": "\ud800"}, "control characters"),
        ({"PatientName": "a\x1b$Bb"}, "control characters"),
        ({"PatientName": SECRET}, "PatientName is not valid"),
        ({"PatientSex": "female"}, "PatientSex must be one of F, M, O"),
        ({"BurnedInAnnotation": "no"}, "BurnedInAnnotation must be one of NO, YES"),
        ({"Modality": "xc"}, "Modality is not valid (VR CS)"),
        ({"StudyDate": "2023-02-29"}, "StudyDate is not valid (VR DA)"),
        ({"StudyDate": "2023"}, "StudyDate is not valid (VR DA)"),
        ({"StudyTime": "25:00"}, "StudyTime is not valid (VR TM)"),
        ({"PatientAge": "54"}, "PatientAge is not valid (VR AS)"),
        ({"SeriesNumber": 3e10}, "SeriesNumber is not valid (VR IS)"),
        ({"SeriesNumber": 2.5}, "SeriesNumber is not valid (VR IS)"),
        ({"PatientWeight": float("nan")}, "PatientWeight is not valid (VR DS)"),
        ({"PixelSpacing": [1]}, "PixelSpacing has 1 values; it can have 2"),
        ({"PixelSpacing": [1, ""]}, "one of its values is empty"),
        ({"StudyInstanceUID": "1.02.3"}, "StudyInstanceUID is not valid (VR UI)"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, "made here are 1.2.840.10008.5.1.4.1.1.7 (Secondary Capture Image)"),
        ({"AnatomicRegionSequence": {"CodeValue": "1"}}, "give a list of objects"),
        ({"AnatomicRegionSequence": ["skin"]}, "give a list of objects"),
        ({"AnatomicRegionSequence": [{"CodeMeening": "Skin"}]}, "Did you mean CodeMeaning"),
        ({"AnatomicRegionSequence": [{"CodeValue": "1" * 17}]}, "AnatomicRegionSequence.CodeValue is not valid"),
        ({"ReferencedImageRealWorldValueMappingSequence": [{"RealWorldValueLUTData": "x"}]}, "is not valid"),
        ({"IconImageSequence": [{"PixelData": "x"}]}, "binary values"),
        ({"FrameIncrementPointer": "00181063"}, "FrameIncrementPointer describes"),
        ({"SelectorAttribute": "00181063"}, "binary values"),
    ],
)  # fmt: skip
def test_what_is_refused_names_the_attribute_and_no_value(metadata: dict[str, Any], says: str) -> None:
    message = refused(metadata)
    assert says in message
    assert SECRET not in message


def test_neither_deep_nor_endless() -> None:
    deep: dict[str, Any] = {"CodeValue": "1"}
    for _ in range(20):
        deep = {"ContentSequence": [deep]}
    assert "within each other" in refused(deep)
    items = [{"CodeValue": "1"}] * 1_001
    assert "more than 1,000" in refused({"AnatomicRegionSequence": items})
