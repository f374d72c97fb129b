"""What belongs together within a study: what its derived objects were made from, and what was made from a series."""

from dataclasses import dataclass, field
from typing import Any

from ..archives.base import Archive, Place
from ..dicom.references import Reference, references
from ..dicom.values import DicomJson
from .app import App


@dataclass
class StudyTable:
    """The series of a study, a row each, with the role of each and what the derived ones refer to.

    ``study`` is what the search says of the study itself; ``complete`` as in a search.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    study: dict[str, Any] = field(default_factory=dict)
    instances: int | None = None
    notes: list[str] = field(default_factory=list)
    complete: bool | None = None


@dataclass
class Related:
    """The derived series of a study that refer to one of its series, a row each with the evidence; ``unrelated`` are
    the other derived series, with what is known of them."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    unrelated: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


async def study_table(app: App, archive: Archive, place: Place) -> StudyTable:
    """The series of a study."""
    return StudyTable()


async def sources(archive: Archive, place: Place, obj: DicomJson) -> list[dict[str, Any]]:
    """What an object was made from or shows, a row per series, the best evidence first."""
    return [_row(reference) for reference in references(obj)]


def _row(reference: Reference) -> dict[str, Any]:
    return {
        "StudyInstanceUID": reference.study_uid,
        "SeriesInstanceUID": reference.series_uid,
        "evidence": reference.evidence,
        "instances": reference.count,
        "in_archive": None,
    }


async def related_to(archive: Archive, place: Place) -> Related:
    """The derived series of the study that refer to the series at the place."""
    return Related()


async def look_alikes(archive: Archive, place: Place, obj: DicomJson) -> list[str]:
    """Sentences: the other series of the study with the object's Modality and SeriesDescription, and what tells them
    apart."""
    return []
