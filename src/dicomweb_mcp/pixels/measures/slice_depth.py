"""How much of the patient one frame stands for along the normal: the third side of a voxel."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ...dicom.geometry import by_place

TOLERANCE = 0.05  # of a distance, for it to count as a multiple of the spacing
MUCH_THICKER = 1.5


@dataclass(frozen=True)
class Depth:
    """In mm; None when nothing tells it. ``note`` says where it comes from, unless that is what anyone would expect."""

    mm: float | None
    note: str = ""


def slice_depth(positions: Iterable[float], spacing: float | None, thickness: float | None) -> Depth:
    """The depth of the frames at these positions: SpacingBetweenSlices where they agree with it, else the distance of
    neighbours, and SliceThickness where there are none."""
    spacing = spacing if spacing and spacing > 0 else None
    thickness = thickness if thickness and thickness > 0 else None
    distances = [high - low for low, high in pairwise(group[0] for group in by_place(positions, float))]
    if not distances:
        return _of_one_plane(spacing, thickness)
    least = min(distances)
    if spacing and _are_multiples(distances, spacing):
        if least < MUCH_THICKER * spacing:
            return Depth(spacing)
        return Depth(
            spacing,
            f"Volumes are estimates: SpacingBetweenSlices {spacing:g} mm was taken, but the frames lie {least:.2f} mm "
            "apart or more.",
        )
    ignored = f" SpacingBetweenSlices {spacing:g} mm does not agree with them." if spacing else ""
    if not _are_multiples(distances, least):
        middle = median(distances)
        return Depth(
            middle,
            f"Volumes are estimates: the frames lie {least:.2f} to {max(distances):.2f} mm apart, {middle:.2f} mm was "
            f"taken for each.{ignored}",
        )
    if thickness and least > MUCH_THICKER * thickness:
        return Depth(
            least,
            f"Volumes are estimates: {least:.2f} mm, the least distance of frames, was taken for each, but "
            f"SliceThickness is {thickness:g} mm.{ignored}",
        )
    return Depth(least, f"Volumes by the distance of neighbouring frames, {least:.2f} mm.{ignored}")


def _of_one_plane(spacing: float | None, thickness: float | None) -> Depth:
    if spacing or not thickness:
        return Depth(spacing)
    return Depth(thickness, f"Volumes are estimates by SliceThickness ({thickness:g} mm): no slice spacing is known.")


def _are_multiples(distances: Sequence[float], unit: float) -> bool:
    return all(
        round(distance / unit) >= 1 and abs(distance / unit - round(distance / unit)) <= TOLERANCE
        for distance in distances
    )
