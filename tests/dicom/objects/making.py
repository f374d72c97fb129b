"""Small objects for tests."""

from typing import Any

from pydicom.dataset import Dataset


def made(**values: Any) -> Dataset:
    """A dataset of these keywords; a list of datasets makes a sequence."""
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def code(value: str, meaning: str, scheme: str = "DCM") -> list[Dataset]:
    """A code sequence of one item."""
    return [made(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)]


def references(*uids: str, sop_class: str = "1.2.840.10008.5.1.4.1.1.2") -> list[Dataset]:
    """Items that refer to instances."""
    return [made(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=uid) for uid in uids]
