"""UIDs by content: what is made again of the same file with the same metadata has the same UIDs, so that an archive
that has it already is seen to have it."""

import json
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from .modules import OF_ONE_INSTANCE, PATIENT_AND_STUDY

if TYPE_CHECKING:
    from pydicom import Dataset

NAMES = UUID("6f0f7a4e-52e1-5d3c-9b0e-3f6d1f0a7c55")  # the name space of all UIDs made here; never changes
KEYWORDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


def uids(given: "Dataset", sop_class: str, content: bytes, study_uid: str | None) -> dict[str, str]:
    """Study, series and instance UID: those that are given, else

    - a study for all that has the same patient and study attributes,
    - in it a series for all that has the same metadata and SOP class,
    - in that an instance by the file's bytes.
    """
    study = study_uid or _given(given, "StudyInstanceUID") or _uid("study", _text(given, PATIENT_AND_STUDY))
    rest = [element.keyword for element in given if element.keyword not in (*OF_ONE_INSTANCE, *KEYWORDS)]
    metadata = _text(given, rest)
    series = _given(given, "SeriesInstanceUID") or _uid("series", study, sop_class, metadata)
    instance = _given(given, "SOPInstanceUID") or _uid(
        "instance", series, sop_class, metadata, sha256(content).hexdigest()
    )
    return dict(zip(KEYWORDS, (study, series, instance), strict=True))


def _given(given: "Dataset", keyword: str) -> str:
    return str(given.get(keyword) or "")


def _text(given: "Dataset", keywords: tuple[str, ...] | list[str]) -> str:
    """Elements as one text, whatever their order; empty ones say nothing."""
    kept = {
        keyword: given[keyword].to_json_dict(None, 0)
        for keyword in keywords
        if keyword in given and not given[keyword].is_empty
    }
    return json.dumps(kept, sort_keys=True)


def _uid(*parts: str) -> str:
    """A UID of PS3.5 B.2 by a name."""
    return f"2.25.{uuid5(NAMES, json.dumps(parts)).int}"
