"""Key object selections, made by highdicom and by hand."""

from typing import Any

import highdicom as hd
import pydicom
from pydicom.sr.codedict import codes

from dicom.objects.sr.content_items import DATA, container, image, item, obj, report, stored
from dicomweb_mcp.dicom.objects.key_objects import MOST_UIDS, describe

DESCRIPTION = ("113012", "DCM", "Key Object Description")


def evidence(study: str, **series: list[str]) -> dict[str, Any]:
    """An item of an evidence sequence: series by number."""
    return obj(
        StudyInstanceUID=study,
        ReferencedSeriesSequence=[
            obj(
                SeriesInstanceUID=f"{study}.{number[1:]}",
                ReferencedSOPSequence=[
                    obj(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=uid) for uid in uids
                ],
            )
            for number, uids in series.items()
        ],
    )


def test_a_selection_that_highdicom_writes() -> None:
    images = [pydicom.dcmread(DATA / f"ct-seg-sr/ct/0{number}.dcm") for number in (1, 2)]
    for one in images:
        one.SpecificCharacterSet, one.PatientName = "ISO_IR 192", "Doe^Jane"  # highdicom wants them
    made = hd.ko.KeyObjectSelectionDocument(
        evidence=images,
        content=hd.ko.KeyObjectSelection(
            document_title=codes.DCM.Manifest, referenced_objects=images, description="for the tumour board"
        ),
        series_instance_uid="1.2.3", series_number=9, sop_instance_uid="1.2.3.4", instance_number=1,
        manufacturer="m", institution_name="i", institutional_department_name="d",
    )  # fmt: skip
    found = describe(stored(made))
    assert found.facts["title"] == "Manifest (113030, DCM)"
    assert found.facts["marked_instances"] == 2
    assert found.facts["StudyInstanceUID"] == images[0].StudyInstanceUID
    assert found.text == ["Key Object Description: for the tumour board"]
    assert found.items == [
        {
            "SeriesInstanceUID": images[0].SeriesInstanceUID,
            "SOPClassUID": "CT Image",
            "instances": 2,
            "SOPInstanceUID": [image.SOPInstanceUID for image in images],
        }
    ]
    assert found.notes == []


def test_series_and_studies_have_rows_and_frames_are_named() -> None:
    held = report(
        image("1.9.1", ReferencedFrameNumber=[3, 4]), image("1.9.2"), container(None, image("1.9.3")),
        CurrentRequestedProcedureEvidenceSequence=[evidence("1.5", s1=["1.9.1"], s2=["1.9.2"]), evidence("1.6", s1=["1.9.3"])],
    )  # fmt: skip
    found = describe(held)
    assert found.items == [
        {"StudyInstanceUID": "1.5", "SeriesInstanceUID": "1.5.1", "SOPClassUID": "CT Image", "instances": 1, "SOPInstanceUID": ["1.9.1 (frames 3-4)"]},
        {"StudyInstanceUID": "1.5", "SeriesInstanceUID": "1.5.2", "SOPClassUID": "CT Image", "instances": 1, "SOPInstanceUID": ["1.9.2"]},
        {"StudyInstanceUID": "1.6", "SeriesInstanceUID": "1.6.1", "SOPClassUID": "CT Image", "instances": 1, "SOPInstanceUID": ["1.9.3"]},
    ]  # fmt: skip


def test_what_evidence_and_content_do_not_share_is_said() -> None:
    held = report(
        image("1.9.1"),
        image("1.9.9"),
        CurrentRequestedProcedureEvidenceSequence=evidence("1.5", s1=["1.9.1", "1.9.2", "1.9.3"]),
    )
    assert describe(held).notes == [
        "1 instance not in its evidence, so their series is not known.",
        "Its evidence names 2 more instances that it does not mark.",
    ]


def test_rejected_instances_are_said_to_be_rejected() -> None:
    title = ("113001", "DCM", "Rejected for Quality Reasons")
    found = describe(item("CONTAINER", title, item("TEXT", DESCRIPTION, TextValue="motion\nRejected: no")))
    assert found.facts["title"] == "Rejected for Quality Reasons (113001, DCM)"
    assert "should not be used" in found.notes[0]
    assert found.text == ["Key Object Description: motion", "  > Rejected: no"]


def test_thousands_of_instances_are_counted_and_some_are_named() -> None:
    uids = [f"1.9.{number}" for number in range(5_000)]
    held = report(*map(image, uids), CurrentRequestedProcedureEvidenceSequence=evidence("1.5", s1=uids))
    found = describe(held)
    assert found.facts["marked_instances"] == 5_000
    assert found.items[0]["instances"] == 5_000
    assert found.items[0]["SOPInstanceUID"] == uids[:MOST_UIDS]
    assert found.elided == ["UIDs of further instances: get_metadata with fields=['ContentSequence']"]
