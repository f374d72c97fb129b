"""What encapsulated documents are; their text is in tests/services/test_documents.py."""

from typing import Any

import pytest

from dicom.objects.sr.content_items import MM, code, obj
from dicomweb_mcp.dicom.objects.document import describe

CLASS = "1.2.840.10008.5.1.4.1.1.104."


def test_a_pdf_report() -> None:
    made = obj(
        SOPClassUID=f"{CLASS}1", DocumentTitle="Cardiac report", MIMETypeOfEncapsulatedDocument="application/pdf",
        ConceptNameCodeSequence=code("18745-0", "LN", "Cardiac catheterization report"), EncapsulatedDocumentLength=123_456,
        SourceInstanceSequence=[obj(ReferencedSOPInstanceUID=f"1.2.{number}") for number in range(30)],
    )  # fmt: skip
    found = describe(made)
    assert found.facts == {
        "DocumentTitle": "Cardiac report",
        "concept": "Cardiac catheterization report (18745-0, LN)",
        "MIMETypeOfEncapsulatedDocument": "application/pdf",
        "size_bytes": 123_456,
        "source_instances": [f"1.2.{number}" for number in range(20)],
    }
    assert found.elided == ["10 of 30 source instances"]


def test_a_model_has_units() -> None:
    made = obj(
        SOPClassUID=f"{CLASS}3", MIMETypeOfEncapsulatedDocument="model/stl", MeasurementUnitsCodeSequence=code(*MM)
    )
    assert describe(made).facts == {"MIMETypeOfEncapsulatedDocument": "model/stl", "units": "mm"}


@pytest.mark.parametrize(
    ("elements", "size"),
    [
        ({"00420011": {"vr": "OB", "InlineBinary": "AAECAw=="}}, 4),
        ({"00420011": {"vr": "OB", "InlineBinary": "AAEC"}}, 3),
        ({"00420011": {"vr": "OB", "BulkDataURI": "x"}}, None),
        ({"00420015": {"vr": "UL", "Value": [7]}, "00420011": {"vr": "OB", "InlineBinary": "AAECAw=="}}, 7),
        ({"00420015": {"vr": "UL", "Value": [-7]}}, None),
        ({}, None),
    ],
)
def test_the_size_is_said_when_it_is_known(elements: dict[str, Any], size: int | None) -> None:
    assert describe(elements).facts.get("size_bytes") == size


def test_a_type_that_its_class_does_not_allow_is_noted() -> None:
    found = describe(obj(SOPClassUID=f"{CLASS}1", MIMETypeOfEncapsulatedDocument="text/html"))
    assert found.notes == ["Its type is not the application/pdf of Encapsulated PDF Storage."]
