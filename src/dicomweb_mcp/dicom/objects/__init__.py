"""What objects other than images say: a describer for each kind, from its metadata (DICOM JSON) alone."""

from collections.abc import Callable, Mapping
from importlib import import_module

from ..facts import filled
from ..kinds import Kind, kind_of
from ..values import DicomJson, integer, plain_value
from .description import Description

Describer = Callable[[DicomJson], Description]

# Modules of this package, imported when an object of the kind is met; each has ``describe(obj) -> Description``.
DESCRIBERS: Mapping[Kind, str] = {
    Kind.SEGMENTATION: "segmentation",
    Kind.SURFACE_SEGMENTATION: "segmentation",
    Kind.STRUCTURE_SET: "rt.structure_set",
    Kind.RT_PLAN: "rt.plan",
    Kind.RT_DOSE: "rt.dose",
    Kind.RT_IMAGE: "rt.image",
    Kind.RT_RECORD: "rt.record",
    Kind.REPORT: "sr.report",
    Kind.KEY_OBJECTS: "key_objects",
    Kind.PRESENTATION_STATE: "presentation_state",
    Kind.DOCUMENT: "document",
    Kind.ANNOTATIONS: "annotations",
    Kind.REAL_WORLD_VALUES: "real_world_values",
    Kind.REGISTRATION: "registration",
    Kind.PARAMETRIC_MAP: "parametric_map",
    Kind.WAVEFORM: "waveform",
}
IDENTITY = ("SeriesNumber", "SeriesDescription", "ContentDate")
OTHERS = (
    "SOPClassUID", "Modality", "StudyDate", "StudyDescription", "SeriesDate", "BodyPartExamined", "ImageType",
    "InstanceNumber",
    "ContentLabel", "ContentDescription", "ContentCreatorName", "Manufacturer", "ManufacturerModelName",
    "Rows", "Columns", "NumberOfFrames",
)  # fmt: skip


def describe(obj: DicomJson) -> Description:
    """The content of an object by its kind. Which object it is stands first among the facts."""
    module = DESCRIBERS.get(kind_of(obj))
    found = _describer(module)(obj) if module else _other(obj)
    found.facts = {**_plain(obj, IDENTITY), **found.facts}
    return found


def _describer(module: str) -> Describer:
    found: Describer = import_module(f"{__name__}.{module}").describe
    return found


def _other(obj: DicomJson) -> Description:
    """What an object is of which nothing more is told here, and which tool to use."""
    found = Description(facts=_plain(obj, OTHERS))
    found.elided.append("All other attributes: get_metadata with this instance_uid, and fields for what is wanted.")
    if integer(obj, "Rows") is not None:
        found.elided.append("The picture: render_frame with this instance_uid.")
    return found


def _plain(obj: DicomJson, keywords: tuple[str, ...]) -> dict[str, object]:
    return filled(**{keyword: plain_value(obj, keyword) for keyword in keywords})
