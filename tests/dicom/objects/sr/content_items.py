"""Content items of reports, and codes, as DICOM JSON; real files as an archive would give them."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom

from dicomweb_mcp.dicom.tags import attribute
from dicomweb_mcp.dicom.values import DicomJson, normalized

DATA = Path(__file__).parents[3] / "data"
MM = ("mm", "UCUM", "millimeter")


def obj(**values: Any) -> dict[str, Any]:
    """An object by keywords; a list stands for several values, an object for a sequence of one item."""
    found = {}
    for keyword, value in values.items():
        known = attribute(keyword)
        found[known.tag] = {"vr": known.vr, "Value": value if isinstance(value, list) else [value]}
    return found


def code(value: str, scheme: str, meaning: str) -> dict[str, Any]:
    return obj(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def item(
    kind: str, name: tuple[str, str, str] | None, *below: Any, how: str = "CONTAINS", **values: Any
) -> dict[str, Any]:
    """A content item; its children may be a generator's."""
    named = {"ConceptNameCodeSequence": code(*name)} if name else {}
    children = {"ContentSequence": list(below)} if below else {}
    return obj(RelationshipType=how, ValueType=kind, **named, **values, **children)


def text(value: str, name: str = "Comment", **more: Any) -> dict[str, Any]:
    return item("TEXT", ("121106", "DCM", name), TextValue=value, **more)


def coded(name: tuple[str, str, str], value: tuple[str, str, str], *below: Any, **more: Any) -> dict[str, Any]:
    return item("CODE", name, *below, ConceptCodeSequence=code(*value), **more)


def measured(
    name: tuple[str, str, str], value: Any, unit: tuple[str, str, str] = MM, *below: Any, **more: Any
) -> dict[str, Any]:
    held = obj(NumericValue=value, MeasurementUnitsCodeSequence=code(*unit), **more)
    return item("NUM", name, *below, MeasuredValueSequence=held)


def image(uid: str, name: tuple[str, str, str] | None = None, how: str = "CONTAINS", **more: Any) -> dict[str, Any]:
    held = obj(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=uid, **more)
    return item("IMAGE", name, how=how, ReferencedSOPSequence=held)


def container(name: tuple[str, str, str] | None, *below: Any) -> dict[str, Any]:
    return item("CONTAINER", name, *below)


def report(*below: Any, **values: Any) -> dict[str, Any]:
    return item("CONTAINER", ("126000", "DCM", "Imaging Measurement Report"), *below, Modality="SR", **values)


def stored(dataset: pydicom.Dataset) -> DicomJson:
    """A dataset as DICOM JSON with its binary values inline, by way of a file."""
    file = BytesIO()
    dataset.save_as(file)
    file.seek(0)
    return normalized(json.loads(pydicom.dcmread(file).to_json(bulk_data_threshold=1 << 30)))


def real(path: str | Path) -> DicomJson:
    """A file of tests/data, or any other, as an archive would give it."""
    return stored(pydicom.dcmread(DATA / path))
