"""What highdicom, which reads objects strictly by the standard, finds wrong with one."""

import re
from typing import Any

from ..values import DicomJson, clean, text

MOST_ELEMENTS = 50_000  # of the whole object, read in about three seconds
LONGEST_REASON = 200

# SOP class -> module and class of highdicom whose ``from_dataset`` checks what it reads. None of them needs pixels.
READERS = {
    "1.2.840.10008.5.1.4.1.1.66.4": ("seg", "Segmentation"),
    "1.2.840.10008.5.1.4.1.1.66.7": ("seg", "Segmentation"),
    "1.2.840.10008.5.1.4.1.1.88.22": ("sr", "EnhancedSR"),
    "1.2.840.10008.5.1.4.1.1.88.33": ("sr", "ComprehensiveSR"),
    "1.2.840.10008.5.1.4.1.1.88.34": ("sr", "Comprehensive3DSR"),
    "1.2.840.10008.5.1.4.1.1.88.59": ("ko", "KeyObjectSelectionDocument"),
    "1.2.840.10008.5.1.4.1.1.91.1": ("ann", "MicroscopyBulkSimpleAnnotations"),
    "1.2.840.10008.5.1.4.1.1.30": ("pm", "ParametricMap"),
}
BULK = ("BulkDataURI", "InlineBinary")


def problems(obj: DicomJson) -> list[str]:
    """Sentences about what is not conformant; none for kinds of objects that highdicom does not read."""
    reader = READERS.get(text(obj, "SOPClassUID"))
    if reader is None:
        return []
    if _elements(obj, MOST_ELEMENTS) >= MOST_ELEMENTS:
        return ["Too large to be checked for conformance."]
    try:
        _read(obj, *reader)
    except Exception as reason:  # it raises whatever it meets: that is what is asked for here
        return [f"Not conformant to highdicom's reading of the standard: {_sentence(reason)}"]
    return []


def _read(obj: DicomJson, module: str, name: str) -> None:
    from importlib import import_module
    from inspect import signature

    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    dataset = Dataset.from_json(_without_bulk(obj))
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    read = getattr(import_module(f"highdicom.{module}"), name).from_dataset
    read(dataset, **({"copy": False} if "copy" in signature(read).parameters else {}))  # a copy takes most of the time


def _without_bulk(obj: DicomJson) -> dict[str, Any]:
    """The object as pydicom reads it: no file meta information, and bulk values empty."""
    return {
        tag: _emptied(found) for tag, found in obj.items() if not tag.startswith("0002") and isinstance(found, dict)
    }


def _emptied(element: dict[str, Any]) -> dict[str, Any]:
    values = element.get("Value")
    if element.get("vr") == "SQ" and isinstance(values, list):
        return {"vr": "SQ", "Value": [_without_bulk(item) for item in values if isinstance(item, dict)]}
    return {key: value for key, value in element.items() if key not in BULK}


def _elements(obj: DicomJson, most: int) -> int:
    """How many elements there are, counted no further than ``most``."""
    count, waiting = 0, [obj]
    while waiting and count < most:
        item = waiting.pop()
        count += len(item)
        for found in item.values():
            values = found.get("Value") if isinstance(found, dict) and found.get("vr") == "SQ" else None
            waiting += [value for value in values if isinstance(value, dict)] if isinstance(values, list) else ()
    return count


def _sentence(reason: Exception) -> str:
    """The message without what belongs to this machine, and its class where it says nothing."""
    if isinstance(reason, AttributeError) and reason.name and reason.name[:1].isupper():
        return f"{clean(reason.name, LONGEST_REASON)} is missing, or the archive left it out of the metadata."
    said = re.sub(r"https?://\S+|(?:[A-Za-z]:)?[/\\][\w.-]+[/\\]\S*", "...", str(reason))
    said = clean(said, LONGEST_REASON).rstrip(".")
    return f"{said or type(reason).__name__}."
