"""What tells objects apart that carry one description: labels, segments, algorithm, creator, time."""

from typing import Any

from .codes import meaning
from .facts import few, filled
from .values import DicomJson, clean, items, plain_value, text

_PLAIN = (
    "ContentLabel", "ContentDescription", "StructureSetLabel", "RTPlanLabel", "DoseSummationType", "ContentCreatorName",
)  # fmt: skip
_TIMES = (
    ("ContentDate", "ContentTime"), ("StructureSetDate", "StructureSetTime"), ("RTPlanDate", "RTPlanTime"),
    ("InstanceCreationDate", "InstanceCreationTime"), ("SeriesDate", "SeriesTime"),
)  # fmt: skip
DISTINCTION_FIELDS = (
    *_PLAIN, *(keyword for pair in _TIMES for keyword in pair), "SegmentSequence", "ConceptNameCodeSequence",
    "InstanceNumber",
)  # fmt: skip
"""What ``distinctions`` reads."""
MOST_SEGMENTS = 4
LONGEST = 80


def distinctions(obj: DicomJson) -> dict[str, Any]:
    """By keyword where there is one: labels and creator, the title of a report, the ``segments`` by label, their
    ``algorithm``, and ``made``, the best date and time there is."""
    segments = items(obj, "SegmentSequence")
    labels = {keyword: _short(plain_value(obj, keyword)) for keyword in _PLAIN}
    if labels["ContentDescription"] == labels["ContentLabel"]:
        del labels["ContentDescription"]
    return filled(
        title=clean(meaning(obj, "ConceptNameCodeSequence"), LONGEST),
        **labels,
        segments=_listed([text(item, "SegmentLabel") for item in segments]),
        algorithm=_listed([_algorithm(item) for item in segments]),
        made=_made(obj),
    )


def _short(value: Any) -> Any:
    return clean(value, LONGEST) if isinstance(value, str) else value


def _listed(values: list[str]) -> str:
    """Distinct values, the first few of them: ``Liver, Spleen and 3 more``."""
    return few([clean(value, LONGEST) for value in dict.fromkeys(filter(None, values))], MOST_SEGMENTS)


def _algorithm(segment: DicomJson) -> str:
    return " ".join(filter(None, (text(segment, "SegmentAlgorithmType"), text(segment, "SegmentAlgorithmName"))))


def _made(obj: DicomJson) -> str:
    for pair in _TIMES:
        day, time = (plain_value(obj, keyword) for keyword in pair)
        if isinstance(day, str):
            return f"{day} {time.partition('.')[0]}" if isinstance(time, str) else day
    return ""
