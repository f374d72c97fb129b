"""Parametric maps (PS3.3 A.75): which quantity each pixel measures, how it was derived, and how it is stored."""

from collections import Counter
from typing import Any

from ..codes import coded
from ..facts import few, filled, rounded, shared
from ..functional_groups import PER_FRAME, SHARED
from ..values import DicomJson, clean, element, integer, items
from .attributes import MOST_ROWS, codes, reals, shown
from .description import Description
from .real_world_values import mapping

MOST_FRAMES = 5_000
PIXELS = {
    "FloatPixelData": "32-bit floating point",
    "DoubleFloatPixelData": "64-bit floating point",
}
BY_SIZE = {16: "integer", 32: "32-bit floating point", 64: "64-bit floating point"}  # Table C.8.32-2


def describe(obj: DicomJson) -> Description:
    """The map, with a row for each mapping of stored values to quantities."""
    common, frames = items(obj, SHARED)[:1], items(obj, PER_FRAME)
    groups = [*common, *frames[:MOST_FRAMES]]
    table = _mappings(groups, len(common))
    derivations = Counter(
        clean(words)
        for group in groups
        for image in items(group, "DerivationImageSequence")
        if (words := coded(image, "DerivationCodeSequence"))
    )
    facts = shown(
        obj, "ContentLabel", "ContentDescription", "SeriesDescription", "ImageType", "Rows", "Columns",
        "NumberOfFrames", "ContentQualification", "DerivationDescription",
    )  # fmt: skip
    facts |= codes(obj, "DerivationCodeSequence")
    facts |= filled(pixels=_pixels(obj), spacing_mm=_spacing(groups), derivation=few(list(derivations)))
    facts |= shown(obj, "FrameOfReferenceUID") | filled(all_mappings=shared(table))
    more = len(frames) - MOST_FRAMES
    return Description(
        facts=facts,
        items=[row for row in table[:MOST_ROWS] if row],
        notes=[] if table else ["Not conformant: no mapping says which quantity the values are, or in which unit."],
        elided=[
            sentence
            for sentence, count in (
                (f"{len(table) - MOST_ROWS:,} more mappings.", len(table) - MOST_ROWS),
                (f"Mappings of {more:,} more frames.", more),
            )
            if count > 0
        ],
    )


def _mappings(groups: list[DicomJson], common: int) -> list[dict[str, Any]]:
    """The different mappings; those that only some frames have say of how many."""
    found: dict[str, dict[str, Any]] = {}
    frames: Counter[str] = Counter()
    for index, group in enumerate(groups):
        for item in items(group, "RealWorldValueMappingSequence"):
            row = mapping(item)
            found.setdefault(repr(row), row)
            frames[repr(row)] += index >= common
    return [row | filled(frames=frames[key] or None) for key, row in found.items()]


def _pixels(obj: DicomJson) -> str:
    """How values are stored; by BitsAllocated where the archive leaves the pixel data out of its metadata."""
    for keyword, words in PIXELS.items():
        if element(obj, keyword) is not None:
            return words
    return BY_SIZE.get(integer(obj, "BitsAllocated") or 0, "")


def _spacing(groups: list[DicomJson]) -> str:
    """Of the first frame that says it: between rows x between columns x slices."""
    for group in groups:
        for measures in items(group, "PixelMeasuresSequence"):
            if spacing := reals(measures, "PixelSpacing", 2):
                slices = reals(measures, "SpacingBetweenSlices", 1) or reals(measures, "SliceThickness", 1)
                return " x ".join(str(rounded(part, 4)) for part in [*spacing, *slices])
    return ""
