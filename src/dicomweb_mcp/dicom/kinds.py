"""What sort of object an instance is, by its SOP class (PS3.4 Annex B.5)."""

from enum import StrEnum

from .values import DicomJson, integer, text


class Kind(StrEnum):
    """The sorts of objects that are told apart here."""

    IMAGE = "image"
    SEGMENTATION = "segmentation"
    SURFACE_SEGMENTATION = "surface segmentation"
    STRUCTURE_SET = "RT structure set"
    RT_PLAN = "RT plan"
    RT_DOSE = "RT dose"
    RT_IMAGE = "RT image"
    RT_RECORD = "RT treatment record"
    REPORT = "structured report"
    KEY_OBJECTS = "key object selection"
    PRESENTATION_STATE = "presentation state"
    DOCUMENT = "encapsulated document"
    ANNOTATIONS = "bulk annotations"
    REAL_WORLD_VALUES = "real world value mapping"
    REGISTRATION = "registration"
    PARAMETRIC_MAP = "parametric map"
    WAVEFORM = "waveform"
    OTHER = "other"


ROOT = "1.2.840.10008.5.1.4.1.1."
_CLASSES = {
    Kind.SEGMENTATION: ("66.4", "66.7"),  # the second is Label Map Segmentation Storage
    Kind.SURFACE_SEGMENTATION: ("66.5",),
    Kind.STRUCTURE_SET: ("481.3",),
    Kind.RT_PLAN: ("481.5", "481.8"),
    Kind.RT_DOSE: ("481.2",),
    Kind.RT_IMAGE: ("481.1",),
    Kind.RT_RECORD: ("481.4", "481.6", "481.7", "481.9"),
    Kind.REPORT: tuple(
        f"88.{number}"
        for number in (1, 2, 3, 4, 11, 22, 33, 34, 35, 40, 50, 65, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77)
    ),
    Kind.KEY_OBJECTS: ("88.59",),
    Kind.PRESENTATION_STATE: tuple(f"11.{number}" for number in range(1, 13)),
    Kind.DOCUMENT: tuple(f"104.{number}" for number in range(1, 6)),
    Kind.ANNOTATIONS: ("91.1",),
    Kind.REAL_WORLD_VALUES: ("67",),
    Kind.REGISTRATION: ("66.1", "66.2", "66.3"),
    Kind.PARAMETRIC_MAP: ("30",),
    Kind.WAVEFORM: (
        "9.1.1", "9.1.2", "9.1.3", "9.1.4", "9.2.1", "9.3.1", "9.4.1", "9.4.2", "9.5.1", "9.6.1", "9.6.2", "9.7.1",
        "9.7.2", "9.7.3", "9.7.4", "9.8.1",
    ),
}  # fmt: skip
_BY_CLASS = {ROOT + suffix: kind for kind, suffixes in _CLASSES.items() for suffix in suffixes}
_BY_MODALITY = {
    "SEG": Kind.SEGMENTATION,
    "RTSTRUCT": Kind.STRUCTURE_SET,
    "RTPLAN": Kind.RT_PLAN,
    "RTDOSE": Kind.RT_DOSE,
    "RTIMAGE": Kind.RT_IMAGE,
    "RTRECORD": Kind.RT_RECORD,
    "SR": Kind.REPORT,
    "KO": Kind.KEY_OBJECTS,
    "PR": Kind.PRESENTATION_STATE,
    "DOC": Kind.DOCUMENT,
    "M3D": Kind.DOCUMENT,
    "ANN": Kind.ANNOTATIONS,
    "RWV": Kind.REAL_WORLD_VALUES,
    "REG": Kind.REGISTRATION,
    "FID": Kind.REGISTRATION,
    "ECG": Kind.WAVEFORM,
    "EPS": Kind.WAVEFORM,
    "HD": Kind.WAVEFORM,
    "EEG": Kind.WAVEFORM,
    "RESP": Kind.WAVEFORM,
}

CONTENT = {
    Kind.SEGMENTATION: ("SegmentSequence", "PerFrameFunctionalGroupsSequence"),
    Kind.STRUCTURE_SET: ("StructureSetROISequence", "ROIContourSequence"),
    Kind.RT_PLAN: ("BeamSequence",),
    Kind.REPORT: ("ContentSequence",),
    Kind.KEY_OBJECTS: ("ContentSequence",),
    Kind.ANNOTATIONS: ("AnnotationGroupSequence",),
    Kind.PARAMETRIC_MAP: ("PerFrameFunctionalGroupsSequence",),
    Kind.REGISTRATION: ("RegistrationSequence", "DeformableRegistrationSequence"),
    Kind.WAVEFORM: ("WaveformSequence",),
}
"""The sequences in which an object of a kind says what it says, and which can grow large."""


def kind_of(obj: DicomJson) -> Kind:
    """The kind of an object by its SOPClassUID; by its Modality where a row does not carry the class; an image when
    neither is known and it has Rows."""
    sop_class = text(obj, "SOPClassUID")
    if sop_class in _BY_CLASS:
        return _BY_CLASS[sop_class]
    if not sop_class and (found := _BY_MODALITY.get(text(obj, "Modality"))):
        return found
    return Kind.IMAGE if integer(obj, "Rows") is not None or "Image" in _name(sop_class) else Kind.OTHER


def _name(sop_class: str) -> str:
    from pydicom.uid import UID_dictionary

    return UID_dictionary.get(sop_class, ("",))[0]
