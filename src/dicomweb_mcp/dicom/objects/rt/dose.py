"""RT dose (PS3.3 A.18, C.8.8.3, C.8.8.4): what kind of dose on which grid, and the dose-volume histograms."""

from itertools import pairwise, product
from typing import Any

from ...facts import few, filled, rounded, shared, span
from ...functional_groups import frame_count
from ...geometry import SAME_DIRECTION, SAME_PLACE, normal
from ...values import DicomJson, clean, items, text
from ..attributes import cut, reals, referenced, rows, shown
from ..description import Description


def describe(obj: DicomJson) -> Description:
    """The dose and its grid, with a row for each dose-volume histogram."""
    notes: list[str] = []
    histograms = [_histogram(item) for item in rows(obj, "DVHSequence")]
    facts = shown(
        obj, "DoseUnits", "DoseType", "SpatialTransformOfDose", "DoseSummationType", "DoseComment",
        "NormalizationPoint", "TissueHeterogeneityCorrection", "DoseGridScaling",
    )  # fmt: skip
    facts |= _grid(obj, notes)
    facts |= referenced(obj, "ReferencedRTPlanSequence", "ReferencedTreatmentRecordSequence")
    facts |= filled(beams=_beams(obj))
    facts |= referenced(obj, "ReferencedStructureSetSequence")
    if histograms:
        facts |= shown(obj, "DVHNormalizationDoseValue")
        facts |= {"histograms": len(items(obj, "DVHSequence"))}
    facts |= filled(all_histograms=shared(histograms, keep=("ReferencedROINumber", "DVHMeanDose", "DVHMaximumDose")))
    return Description(
        facts=facts,
        items=histograms,
        notes=notes,
        elided=cut(obj, "DVHSequence", "DVHMeanDose", "dose-volume histograms"),
    )


def _grid(obj: DicomJson, notes: list[str]) -> dict[str, Any]:
    """Size, spacing and place of the dose grid, as far as they are given."""
    grid = shown(obj, "Rows", "Columns", "NumberOfFrames")
    if not grid:
        notes.append("There is no dose grid, only what is said here.")
        return {}
    offsets = _offsets(obj, notes)
    spacing: dict[str, Any] = {}
    if between := reals(obj, "PixelSpacing", 2):
        spacing = {"rows": rounded(between[0], 4), "columns": rounded(between[1], 4)}
    if len(offsets) > 1:
        gaps = [after - before for before, after in pairwise(offsets)]
        even = max(gaps) - min(gaps) <= SAME_PLACE
        spacing["frames"] = rounded(abs(gaps[0]), 4) if even else f"irregular, {span(gaps)}"
    grid |= filled(spacing_mm=spacing) | shown(obj, "ImagePositionPatient")
    if corners := _corners(obj, offsets):
        grid["voxel_centres_mm"] = {
            name: span(values) for name, values in zip("xyz", zip(*corners, strict=True), strict=True)
        }
    return grid


def _corners(obj: DicomJson, offsets: list[float]) -> list[list[float]]:
    """The centres of the outermost voxels; empty where their place is not known."""
    origin, orientation = reals(obj, "ImagePositionPatient", 3), reals(obj, "ImageOrientationPatient", 6)
    spacing, height, width = reals(obj, "PixelSpacing", 2), reals(obj, "Rows", 1), reals(obj, "Columns", 1)
    axis = normal(orientation)
    if not (axis and origin and spacing and height and width and offsets):
        return []
    along = [(width[0] - 1) * spacing[1] * part for part in orientation[:3]]
    down = [(height[0] - 1) * spacing[0] * part for part in orientation[3:]]
    return [
        [place + a * x + b * y + offset * z for place, x, y, z in zip(origin, along, down, axis, strict=True)]
        for a, b, offset in product((0, 1), (0, 1), (min(offsets), max(offsets)))
    ]


def _offsets(obj: DicomJson, notes: list[str]) -> list[float]:
    """Where the frames lie along the normal, from the first one on, in mm; empty when that is not said.

    GridFrameOffsetVector begins with 0 and counts from ImagePositionPatient, or, on axial grids, begins with its z and
    holds z coordinates (C.8.8.3.2).
    """
    frames = frame_count(obj)
    found = reals(obj, "GridFrameOffsetVector")
    if not found:
        if frames > 1:
            notes.append("GridFrameOffsetVector is missing or no list of numbers: where the frames lie is not known.")
        return [0.0] if frames == 1 else []
    if len(found) != frames:
        notes.append(f"Not conformant: GridFrameOffsetVector has {len(found):,} values for {frames:,} frames.")
        return []
    if found[0] == 0:
        return found
    axis, origin = normal(reals(obj, "ImageOrientationPatient", 6)), reals(obj, "ImagePositionPatient", 3)
    if axis and origin and abs(axis[2]) > SAME_DIRECTION and abs(found[0] - origin[2]) < SAME_PLACE:
        return [(value - found[0]) * axis[2] for value in found]
    notes.append("Not conformant: GridFrameOffsetVector begins neither with 0 nor with the z of ImagePositionPatient.")
    return []


def _beams(obj: DicomJson) -> str:
    """The beams of the plan that the dose is of, where it is not of all."""
    numbered = [
        clean(text(beam, "ReferencedBeamNumber"), 20)
        for plan in rows(obj, "ReferencedRTPlanSequence")
        for group in rows(plan, "ReferencedFractionGroupSequence")
        for beam in rows(group, "ReferencedBeamSequence")
    ]
    return few([number for number in numbered if number])


def _histogram(item: DicomJson) -> dict[str, Any]:
    regions = [
        clean(text(region, "ReferencedROINumber") + _contribution(region), 40)
        for region in rows(item, "DVHReferencedROISequence")
    ]
    row = filled(ReferencedROINumber=few(regions))
    return row | shown(
        item, "DVHType", "DoseUnits", "DoseType", "DVHVolumeUnits", "DVHNumberOfBins", "DVHMinimumDose",
        "DVHMaximumDose", "DVHMeanDose",
    )  # fmt: skip


def _contribution(region: DicomJson) -> str:
    """A region that is taken away from the volume is marked."""
    return " (excluded)" if text(region, "DVHROIContributionType") == "EXCLUDED" else ""
