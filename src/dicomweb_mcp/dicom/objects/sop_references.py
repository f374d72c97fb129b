"""References to SOP instances (PS3.3 10.8, C.17.2.1) as the describers of reports and presentation states show them."""

from collections.abc import Iterator
from dataclasses import dataclass

from ..facts import ranges
from ..values import DicomJson, clean, items, numbers, text, uid_name

LONGEST_UID = 80  # 64 are allowed


@dataclass(frozen=True)
class SopReference:
    """One referenced instance, with frames and segments when only these are meant; no ``uid`` where none is given."""

    uid: str
    sop_class: str = ""
    frames: tuple[int, ...] = ()
    segments: tuple[int, ...] = ()
    series_uid: str = ""
    study_uid: str = ""

    @property
    def parts(self) -> str:
        """``frames 1-3, segment 2``; empty when the whole instance is meant."""
        return ", ".join(filter(None, (_numbered("frame", self.frames), _numbered("segment", self.segments))))

    @property
    def listed(self) -> str:
        """As an entry of a list: ``1.2.3 (frames 1-3)``."""
        return f"{self.uid} ({self.parts})" if self.parts else self.uid

    @property
    def class_name(self) -> str:
        """The name of the SOP class without its last word, ``CT Image``; empty when it has none."""
        name = uid_name(self.sop_class)
        return "" if name == self.sop_class else name.removesuffix(" Storage")


def _numbered(word: str, found: tuple[int, ...]) -> str:
    return f"{word}{'s' if len(set(found)) > 1 else ''} {ranges(found)}" if found else ""


def uid_of(obj: DicomJson, keyword: str) -> str:
    """A UID as it can be shown."""
    return clean(text(obj, keyword), LONGEST_UID)


def reference(item: DicomJson, series_uid: str = "", study_uid: str = "") -> SopReference:
    """An item of a Referenced SOP Sequence, or of one built alike."""
    return SopReference(
        uid_of(item, "ReferencedSOPInstanceUID"),
        uid_of(item, "ReferencedSOPClassUID"),
        _positive(item, "ReferencedFrameNumber"),
        _positive(item, "ReferencedSegmentNumber"),
        series_uid,
        study_uid,
    )


def _positive(item: DicomJson, keyword: str) -> tuple[int, ...]:
    return tuple(int(number) for number in numbers(item, keyword) if number > 0)


def evidence(obj: DicomJson, keyword: str) -> Iterator[SopReference]:
    """The instances of a hierarchical SOP instance reference (C.17.2.1): studies, their series, their instances."""
    for study in items(obj, keyword):
        study_uid = uid_of(study, "StudyInstanceUID")
        for series in items(study, "ReferencedSeriesSequence"):
            series_uid = uid_of(series, "SeriesInstanceUID")
            for instance in items(series, "ReferencedSOPSequence"):
                yield reference(instance, series_uid, study_uid)
