"""What an object refers to: every way in which PS3.3 lets a derived object name the objects that it was made from,
shows or belongs to, gathered into one list.

The ways differ in how much they say: some name study, series and instance, some the instance alone, and a frame of
reference says no more than that two objects share a space.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice

from .codes import meaning
from .functional_groups import PER_FRAME, SHARED
from .tags import tag_of
from .uids import is_uid
from .values import DicomJson, clean, items, text

FRAME_OF_REFERENCE = "FrameOfReferenceUID"
MOST_REFERENCES = 50
MOST_INSTANCES = 50  # UIDs kept per reference
MOST_COUNTED = 100_000  # distinct instances per reference; the number is a lower bound beyond
MOST_PURPOSES = 3
MOST_FRAMES_OF_REFERENCE = 4
DEEPEST = 8  # sequences within a sequence that refers
DEEPEST_CONTENT = 40  # of a report's tree
MOST_CONTENT = 100_000  # items of it


@dataclass(frozen=True)
class Reference:
    """What an object says of one series, or of instances whose series it does not name.

    ``evidence`` is where it stands, ``purpose`` what for, in the object's words or the standard's. ``instances`` are
    at most MOST_INSTANCES of the ``count`` SOP Instance UIDs, ``sop_class`` is that of the first. What is not said is
    empty.
    """

    evidence: str
    purpose: str = ""
    study_uid: str = ""
    series_uid: str = ""
    frame_of_reference_uid: str = ""
    instances: tuple[str, ...] = ()
    count: int = 0
    sop_class: str = ""


@dataclass(frozen=True)
class _Way:
    """Sequences to go into, the last of which holds the references, with the modules of PS3.3 that have it.

    ``own_study``: its series are in the object's own study unless it says otherwise. ``instead_of``: looked at only
    where that evidence is missing.
    """

    path: tuple[str, ...]
    purpose: str = ""
    evidence: str = ""
    own_study: bool = False
    instead_of: str = ""

    @property
    def name(self) -> str:
        return self.evidence or self.path[-1]


_DERIVATION = ("DerivationImageSequence", "SourceImageSequence")
_OF_FRAMES = "SourceImageSequence of the frames"
_RT_SERIES = "RTReferencedSeriesSequence"

_WAYS = (  # the strongest first
    _Way(("ReferencedSeriesSequence",), own_study=True),  # C.12.2, C.11.11
    _Way(("StudiesContainingOtherReferencedInstancesSequence",)),  # C.12.2
    _Way(("CurrentRequestedProcedureEvidenceSequence",), "evidence"),  # C.17.2, C.17.6
    _Way(("PertinentOtherEvidenceSequence",), "other evidence"),  # C.17.2
    _Way(("ReferencedFrameOfReferenceSequence",), evidence=_RT_SERIES),  # C.8.8.5
    _Way(("SourceSeriesInformationSequence",), "source series"),  # C.8.8.5
    _Way(("BlendingSequence",), "blended"),  # C.11.14
    _Way(("AdvancedBlendingSequence",), "blended"),  # C.11.29
    _Way(("SourceImageSequence",), "source image"),  # C.7.6.1, C.12.4
    _Way((SHARED, *_DERIVATION), "source image", _OF_FRAMES),  # C.7.6.16.2.6
    _Way((PER_FRAME, *_DERIVATION), "source image", _OF_FRAMES),
    _Way(("ReferencedStructureSetSequence",), "structure set"),  # C.8.8.9
    _Way(("ReferencedRTPlanSequence",), "plan"),  # C.8.8.3
    _Way(("ReferencedDoseSequence",), "dose"),  # C.8.8.9
    _Way(("ReferencedTreatmentRecordSequence",), "treatment record"),
    _Way(("RegistrationSequence",), "registered"),  # C.20.2
    _Way(("DeformableRegistrationSequence",), "registered"),  # C.20.3
    _Way(("FiducialSetSequence",), "fiducials"),  # C.21.2
    _Way(("ReferencedImageRealWorldValueMappingSequence",), "values mapped"),  # C.7.6.16-12b
    _Way(("SourceInstanceSequence",), "source"),  # C.24.2
    _Way(("SourceWaveformSequence",), "source waveform"),
    _Way(("SegmentSequence", "SurfaceSequence", "SegmentSurfaceSourceInstanceSequence"), "source of a surface"),
    _Way(("ReferencedImageSequence",)),
    _Way(("ReferencedInstanceSequence",)),
    _Way(("ReferencedWaveformSequence",), "waveform"),
    _Way(("ReferencedSpatialRegistrationSequence",), "registration"),
    _Way(("SourceImageEvidenceSequence",), "source image"),  # C.8.13.6
    _Way(("ReferencedImageEvidenceSequence",)),
    _Way(("GraphicAnnotationSequence", "ReferencedImageSequence"), "annotated", "GraphicAnnotationSequence"),  # C.10.5
    _Way(("ROIContourSequence", "ContourSequence", "ContourImageSequence"), instead_of=_RT_SERIES),  # C.8.8.6
    _Way(("PredecessorDocumentsSequence",), "earlier version"),  # C.17.2
    _Way(("PredecessorStructureSetSequence",), "earlier version"),  # C.8.8.5
)
_NESTED = (
    "ReferencedSeriesSequence", "RTReferencedStudySequence", _RT_SERIES, "SourceSeriesSequence",
    "ReferencedSOPSequence",
    "ReferencedInstanceSequence", "ReferencedImageSequence", "SourceImageSequence", "SourceInstanceSequence",
    "ContourImageSequence",
)  # fmt: skip
_FRAMES_OF_REFERENCE = (
    ((), FRAME_OF_REFERENCE),
    (("ReferencedFrameOfReferenceSequence",), FRAME_OF_REFERENCE),
    (("StructureSetROISequence",), "ReferencedFrameOfReferenceUID"),
    (("RegistrationSequence",), FRAME_OF_REFERENCE),
    (("DeformableRegistrationSequence",), "SourceFrameOfReferenceUID"),
    (("FiducialSetSequence",), FRAME_OF_REFERENCE),
)
_SOURCE_SERIES = "121232"  # DCM: Source series for segmentation (PS3.16 TID 1411)

# What can be as large as all the rest: read with the metadata where the others say nothing
LARGE = (
    SHARED, PER_FRAME, "ROIContourSequence", "ContentSequence", "SegmentSequence", "StructureSetROISequence",
    "GraphicAnnotationSequence", "DeformableRegistrationSequence", "FiducialSetSequence",
)  # fmt: skip
REFERENCE_FIELDS: tuple[str, ...] = (
    *dict.fromkeys(way.path[0] for way in _WAYS if way.path[0] not in LARGE),
    FRAME_OF_REFERENCE,
)
"""The attributes that ``references`` reads, without the LARGE ones: what a search for instances should include."""


@dataclass(frozen=True)
class _Mention:
    """One instance, or one series as a whole, that is referred to."""

    study: str
    series: str
    instance: str
    sop_class: str
    purpose: str


@dataclass
class _Gathered:
    """Everything that one way says of one series."""

    study: str
    sop_class: str = ""
    instances: dict[str, None] = field(default_factory=dict)
    purposes: dict[str, None] = field(default_factory=dict)

    def add(self, mention: _Mention) -> None:
        self.sop_class = self.sop_class or mention.sop_class
        if mention.instance and len(self.instances) < MOST_COUNTED:
            self.instances[mention.instance] = None
        if mention.purpose and len(self.purposes) < MOST_PURPOSES:
            self.purposes[mention.purpose] = None


def references(obj: DicomJson) -> list[Reference]:
    """What an object refers to, the best evidence first: at most MOST_REFERENCES, merged by evidence and series. A
    reference to an instance alone gets the series that a stronger one names for it. Frames of reference come last."""
    own = _uid(obj, "SOPInstanceUID")
    gathered: dict[str, dict[str, _Gathered]] = {}
    series_of: dict[str, tuple[str, str]] = {}
    for evidence, mentions in _told(obj, gathered):
        for mention in mentions:
            if mention.instance == own and own:
                continue
            study, series = mention.study, mention.series
            if not series:
                study, series = series_of.get(mention.instance, (study, ""))
            elif mention.instance and len(series_of) < MOST_COUNTED:
                series_of.setdefault(mention.instance, (study, series))
            merged = gathered.setdefault(evidence, {})
            if series in merged or len(merged) < MOST_REFERENCES:
                merged.setdefault(series, _Gathered(study)).add(mention)
    found = [
        _reference(evidence, series, what) for evidence, merged in gathered.items() for series, what in merged.items()
    ]
    shared = [Reference(FRAME_OF_REFERENCE, frame_of_reference_uid=uid) for uid in _frames_of_reference(obj)]
    shared = shared[:MOST_FRAMES_OF_REFERENCE]
    return found[: MOST_REFERENCES - len(shared)] + shared


def _told(obj: DicomJson, gathered: dict[str, dict[str, _Gathered]]) -> Iterator[tuple[str, Iterator[_Mention]]]:
    """Each evidence with what it mentions, one after the other; ``gathered`` is what was found so far."""
    study = _uid(obj, "StudyInstanceUID")
    for way in _WAYS:
        if way.instead_of not in gathered:
            yield way.name, _mentions(obj, way, study if way.own_study else "")
    yield "ContentSequence", _of_content(obj)


def _mentions(obj: DicomJson, way: _Way, study: str) -> Iterator[_Mention]:
    for item in _inside(obj, way.path):
        yield from _of_item(item, study, "", way.purpose)


def _inside(obj: DicomJson, path: Sequence[str]) -> Iterator[DicomJson]:
    """The items of the last sequence of a path, through all items of those on the way."""
    for item in items(obj, path[0]):
        if len(path) == 1:
            yield item
        else:
            yield from _inside(item, path[1:])


def _of_item(item: DicomJson, study: str, series: str, purpose: str, depth: int = 0) -> Iterator[_Mention]:
    """What an item and the sequences in it refer to, each under the study and series that stand above it."""
    study = _uid(item, "StudyInstanceUID") or study
    series = _uid(item, "SeriesInstanceUID") or series
    purpose = meaning(item, "PurposeOfReferenceCodeSequence") or purpose
    instance = _uid(item, "ReferencedSOPInstanceUID")
    if instance or _uid(item, "SeriesInstanceUID"):
        yield _Mention(study, series, instance, _uid(item, "ReferencedSOPClassUID"), purpose)
    if depth == DEEPEST or _nested_tags().isdisjoint(item):
        return
    for keyword in _NESTED:
        for inner in items(item, keyword):
            if keyword == "RTReferencedStudySequence":  # its ReferencedSOPInstanceUID is that of the study
                yield from _of_rt_study(inner, purpose, depth + 1)
            else:
                yield from _of_item(inner, study, series, purpose, depth + 1)


@cache
def _nested_tags() -> frozenset[str]:
    return frozenset(map(tag_of, _NESTED))


def _of_rt_study(item: DicomJson, purpose: str, depth: int) -> Iterator[_Mention]:
    study = _uid(item, "ReferencedSOPInstanceUID")
    for series in items(item, _RT_SERIES):
        yield from _of_item(series, study, "", purpose, depth + 1)


def _of_content(obj: DicomJson) -> Iterator[_Mention]:
    """What the content tree of a report refers to, under the names that it gives it (PS3.3 C.17.3)."""
    waiting = [(item, 1) for item in reversed(items(obj, "ContentSequence"))]
    seen = 0
    while waiting and seen < MOST_CONTENT:
        item, depth = waiting.pop()
        seen += 1
        name = meaning(item, "ConceptNameCodeSequence")
        for inner in items(item, "ReferencedSOPSequence"):
            yield from _of_item(inner, "", "", name)
        if _concept(item) == _SOURCE_SERIES and (series := _uid(item, "UID")):
            yield _Mention("", series, "", "", name)
        if depth < DEEPEST_CONTENT:
            waiting += [(inner, depth + 1) for inner in reversed(items(item, "ContentSequence"))]


def _concept(item: DicomJson) -> str:
    return next((text(code, "CodeValue") for code in items(item, "ConceptNameCodeSequence")), "")


def _reference(evidence: str, series: str, what: _Gathered) -> Reference:
    return Reference(
        evidence=evidence,
        purpose=", ".join(clean(purpose, 100) for purpose in what.purposes),
        study_uid=what.study,
        series_uid=series,
        instances=tuple(islice(what.instances, MOST_INSTANCES)),
        count=len(what.instances),
        sop_class=what.sop_class,
    )


def _frames_of_reference(obj: DicomJson) -> list[str]:
    """The UIDs of the spaces that the object is in or relates to each other."""
    found: dict[str, None] = {}
    for path, keyword in _FRAMES_OF_REFERENCE:
        for item in _inside(obj, path) if path else (obj,):
            if uid := _uid(item, keyword):
                found[uid] = None
    return list(found)


def _uid(obj: DicomJson, keyword: str) -> str:
    """A UID, or empty for what is none: it may get into a path."""
    found = text(obj, keyword)
    return found if is_uid(found) else ""
