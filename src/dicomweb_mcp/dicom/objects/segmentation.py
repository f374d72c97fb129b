"""Segmentations: image and label map (PS3.3 A.51, C.8.20), surface (A.57, C.8.23)."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from ..codes import coded
from ..facts import few, filled, shared
from ..functional_groups import MOST_FRAMES, frame_count, frame_views
from ..kinds import Kind, kind_of
from ..values import DicomJson, clean, integer, items, numbers, plain_value, text
from .cielab import hex_colour
from .description import Description
from .segment_frames import SegmentFrame, is_label_map, segment_frames

FACTS = (
    "SegmentationType", "SegmentationFractionalType", "MaximumFractionalValue", "SegmentsOverlap", "ContentLabel",
    "ContentDescription", "ContentCreatorName", "Manufacturer", "Rows", "Columns", "NumberOfFrames",
    "TotalPixelMatrixColumns", "TotalPixelMatrixRows", "NumberOfSurfaces",
)  # fmt: skip
MEASURES = ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices")
CODES = (
    "SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence", "AnatomicRegionSequence",
)  # fmt: skip
MODIFIERS = {
    "SegmentedPropertyTypeCodeSequence": "SegmentedPropertyTypeModifierCodeSequence",
    "AnatomicRegionSequence": "AnatomicRegionModifierSequence",
}
OWN = ("SegmentNumber", "SegmentLabel", "TrackingID", "TrackingUID", "SurfaceCount", "colour")  # stay in the rows
NAMES = {"frames": "frames_of_each_segment"}
LONGEST_LABEL = 200
MOST_NAMED = 10  # numbers in one note


def describe(obj: DicomJson) -> Description:
    """The segments of a segmentation, how they are stored, and of how many frames each consists."""
    facts = {keyword: plain_value(obj, keyword) for keyword in FACTS}
    found = Description(facts=filled(**facts, **_measures(obj)))
    segments = items(obj, "SegmentSequence")
    found.items = [_segment(item) for item in segments]
    _hoist(found)
    if not segments:
        found.notes.append("There is no SegmentSequence, so what the segments are is not known.")
    if kind_of(obj) is Kind.SURFACE_SEGMENTATION:
        _add_surfaces(found, obj, segments)
    else:
        _add_frames(found, obj, segments)
    return found


def _measures(obj: DicomJson) -> dict[str, Any]:
    """What the first frame says of pixel and slice sizes, with their unit."""
    view = next(frame_views(obj, 1), obj)
    sizes = {keyword: plain_value(view, keyword) for keyword in MEASURES if numbers(view, keyword)}
    return {keyword: f"{', '.join(map(str, found if isinstance(found, list) else [found]))} mm"
            for keyword, found in sizes.items()}  # fmt: skip


def _segment(item: DicomJson) -> dict[str, Any]:
    label, description = (clean(text(item, key), LONGEST_LABEL) for key in ("SegmentLabel", "SegmentDescription"))
    return filled(
        SegmentNumber=integer(item, "SegmentNumber"),
        SegmentLabel=label,
        SegmentDescription=description if description.casefold() != label.casefold() else "",
        **_codes(item),
        SegmentAlgorithmType=clean(text(item, "SegmentAlgorithmType"), LONGEST_LABEL),
        SegmentAlgorithmName=_algorithm(item),
        TrackingID=clean(text(item, "TrackingID"), LONGEST_LABEL),
        TrackingUID=clean(text(item, "TrackingUID"), LONGEST_LABEL),
        SurfaceCount=integer(item, "SurfaceCount"),
        colour=hex_colour(numbers(item, "RecommendedDisplayCIELabValue")),
    )


def _codes(item: DicomJson) -> dict[str, str]:
    found = {}
    for keyword in CODES:
        found[keyword] = coded(item, keyword)
        if modifier := MODIFIERS.get(keyword):
            inner = [code for code in items(item, keyword) if coded(code, modifier)]
            found[modifier] = coded(inner[0], modifier) if inner else coded(item, modifier)
    return found


def _algorithm(item: DicomJson) -> str:
    """SegmentAlgorithmName, or the first algorithm's own name and version."""
    if name := text(item, "SegmentAlgorithmName"):
        return clean(name, LONGEST_LABEL)
    named = items(item, "SegmentationAlgorithmIdentificationSequence")[:1]
    return clean(
        " ".join(text(one, key) for one in named for key in ("AlgorithmName", "AlgorithmVersion")), LONGEST_LABEL
    )


def _hoist(found: Description) -> None:
    """What holds for all segments stands once, among the facts."""
    common = shared(found.items, keep=OWN)
    found.facts |= {NAMES.get(name, name): value for name, value in common.items()}


# ---- frames ----------------------------------------------------------------------------------------------------------


def _add_frames(found: Description, obj: DicomJson, segments: Sequence[DicomJson]) -> None:
    """How many frames show each segment and where they lie; label maps do not say it outside their pixels."""
    listed = [integer(item, "SegmentNumber") for item in segments]
    frames = segment_frames(obj)
    if frame_count(obj) > MOST_FRAMES:
        found.notes.append(f"Only the first {MOST_FRAMES:,} of {frame_count(obj):,} frames were looked at.")
    if is_label_map(obj):
        found.facts |= _positions(frames)
        found.notes += _numbering(listed, counted=False)
        return
    found.notes += _numbering(listed, counted=True)
    if all(frame.segment is None for frame in frames):
        found.notes.append(
            f"None of the {len(frames):,} frames says which segment it shows: the object lacks its functional groups, "
            "or the archive left them out of its metadata."
        )
        return
    by_segment: dict[int | None, list[SegmentFrame]] = defaultdict(list)
    for frame in frames:
        by_segment[frame.segment].append(frame)
    for row in found.items:
        own = by_segment.get(row.get("SegmentNumber"), [])
        row |= {"frames": len(own), **_positions(own)}
    _hoist(found)
    found.notes += _strays(by_segment, set(listed))


def _positions(frames: Sequence[SegmentFrame]) -> dict[str, str]:
    """First to last position along the normal of the frames, as render_frame says it too."""
    positions = [frame.position for frame in frames if frame.position is not None]
    if not positions:
        return {}
    low, high = f"{min(positions):.2f}", f"{max(positions):.2f}"
    return {"position_mm": low if low == high else f"{low}..{high}"}


def _numbering(listed: Sequence[int | None], *, counted: bool) -> list[str]:
    """What is wrong with the numbers: they are unique, and except in label maps count from 1."""
    found = []
    known = [number for number in listed if number is not None]
    if len(known) < len(listed):
        found.append(f"{len(listed) - len(known)} segments have no SegmentNumber.")
    if repeated := [number for number, count in Counter(known).items() if count > 1]:
        found.append(
            f"SegmentNumber {few(repeated, MOST_NAMED)} stands more than once: the frames of these segments cannot be "
            "told apart."
        )
    elif counted and known and (min(known) != 1 or max(known) != len(known)):
        found.append(f"The segment numbers ({min(known)} to {max(known)}) do not count from 1 without gaps.")
    return found


def _strays(by_segment: dict[int | None, list[SegmentFrame]], known: set[int | None]) -> list[str]:
    found = []
    if nameless := len(by_segment.get(None, [])):
        found.append(f"{nameless:,} frames do not say which segment they show.")
    if others := sorted(number for number in by_segment if number is not None and number not in known):
        count = sum(len(by_segment[number]) for number in others)
        found.append(f"{count:,} frames show segments that are not described: {few(others, MOST_NAMED)}.")
    return found


# ---- surfaces --------------------------------------------------------------------------------------------------------


def _add_surfaces(found: Description, obj: DicomJson, segments: Sequence[DicomJson]) -> None:
    """How many points and triangles the surfaces of each segment have; their coordinates are not shown."""
    surfaces = {integer(item, "SurfaceNumber"): item for item in items(obj, "SurfaceSequence")}
    for row, segment in zip(found.items, segments, strict=True):
        own = [
            surfaces.get(integer(item, "ReferencedSurfaceNumber"))
            for item in items(segment, "ReferencedSurfaceSequence")
        ]
        points = [integer(one, "NumberOfSurfacePoints") for surface in own if surface
                  for one in items(surface, "SurfacePointsSequence")]  # fmt: skip
        if points and None not in points:
            row["NumberOfSurfacePoints"] = sum(filter(None, points))
    found.elided.append("The points and triangles of the surfaces.")
