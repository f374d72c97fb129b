"""Functional groups of enhanced multi-frame objects (PS3.3 C.7.6.16) -> the flat attributes of one frame."""

from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import Problem
from .tags import tag_of
from .values import DicomJson, integer, items

SHARED = "SharedFunctionalGroupsSequence"
PER_FRAME = "PerFrameFunctionalGroupsSequence"

MOST_FRAMES = 100_000  # of one object that are looked at

FLATTENED = (
    "PixelMeasuresSequence",
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "PlanePositionSlideSequence",
    "PlanePositionVolumeSequence",
    "PlaneOrientationVolumeSequence",
    "FrameContentSequence",
    "FrameVOILUTSequence",
    "PixelValueTransformationSequence",
    "SegmentIdentificationSequence",
)
"""Macros whose one item becomes top-level attributes. The others (real-world values, references) stay sequences."""

REPLACED = {
    "FrameVOILUTSequence": (
        "WindowCenter",
        "WindowWidth",
        "WindowCenterWidthExplanation",
        "VOILUTFunction",
        "VOILUTSequence",
    ),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence"),
}
"""What a macro says as a whole: none of these may be left over from outside when the macro is there."""


def frame_count(obj: DicomJson) -> int:
    """NumberOfFrames, or 1."""
    return max(1, integer(obj, "NumberOfFrames", 1) or 1)


def frame_view(obj: DicomJson, index: int) -> DicomJson:
    """The attributes that hold for frame ``index`` (0-based): top level, then shared, then per-frame groups.

    An object without functional groups is returned as it is.

    Raises Problem when there are per-frame groups, but none for this frame.
    """
    shared, per_frame = items(obj, SHARED), items(obj, PER_FRAME)
    if not shared and not per_frame:
        return obj
    if per_frame and not 0 <= index < len(per_frame):
        raise Problem(
            f"There is no frame {index + 1}: the object has functional groups for frames 1 to {len(per_frame)}."
        )
    return _overlaid(_shared_view(obj, shared), per_frame[index : index + 1])


def frame_views(obj: DicomJson, frames: int) -> Iterator[DicomJson]:
    """``frame_view`` of the first ``frames`` frames, one after the other, in time that grows with their number."""
    shared, per_frame = items(obj, SHARED), items(obj, PER_FRAME)
    if per_frame and len(per_frame) < frames:
        raise Problem(f"The object has {frames} frames, but functional groups for {len(per_frame)} of them.")
    view = _shared_view(obj, shared) if shared or per_frame else obj
    for index in range(frames):
        yield _overlaid(view, per_frame[index : index + 1])


def flattened(group: DicomJson) -> dict[str, Any]:
    """What the macros of one functional-groups item say: the attributes of the first item of each, in one object."""
    flat: dict[str, Any] = {}
    for found in group.values():
        inside = found.get("Value") if isinstance(found, dict) else None
        if isinstance(inside, list) and inside and isinstance(inside[0], dict):
            flat.update(inside[0])
    return flat


def _shared_view(obj: DicomJson, shared: Sequence[DicomJson]) -> DicomJson:
    groups = (tag_of(SHARED), tag_of(PER_FRAME))
    return _overlaid({tag: found for tag, found in obj.items() if tag not in groups}, shared[:1])


def _overlaid(view: DicomJson, groups: Sequence[DicomJson]) -> DicomJson:
    if not groups:
        return view
    overlaid = dict(view)
    for group in groups:
        _overlay(overlaid, group)
    return overlaid


def _overlay(view: dict[str, Any], group: DicomJson) -> None:
    """Lay one item of a functional-groups sequence over ``view``."""
    flattened = {tag_of(macro): macro for macro in FLATTENED}
    for tag, found in group.items():
        macro = flattened.get(tag)
        inside = items(group, macro) if macro else []
        if macro is None or len(inside) != 1:
            view[tag] = found
            continue
        for keyword in REPLACED.get(macro, ()):
            view.pop(tag_of(keyword), None)
        view.update(inside[0])
