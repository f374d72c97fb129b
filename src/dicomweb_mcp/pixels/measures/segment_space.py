"""Where the pixels of a segmentation lie: in the patient, on a slide, or nowhere but in their frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...dicom.functional_groups import frame_views
from ...dicom.geometry import SAME_DIRECTION, dot, normal
from ...dicom.objects.segment_frames import SegmentFrame
from ...dicom.values import DicomJson, number
from .slice_depth import Depth, slice_depth

Edges = tuple[int, int, int, int]
"""Of pixels in a frame: the first and last row, the first and last column."""
Corners = NDArray[np.float64]
"""Points as rows."""

WHERE = {
    "patient": "bounding_box_mm: patient coordinates (x to the left, y to the back, z to the head), outer edges.",
    "slide": "bounding_box_mm: from the top left of the total pixel matrix (x to the right, y down), outer edges.",
    "frame": "bounding_box: pixels of the frame (x to the right, y down), because its place is not known.",
}


@dataclass(frozen=True)
class Space:
    """What all frames of an object have in common of their place. ``depth`` is of the patient alone; ``axis`` is the
    normal of the frames."""

    kind: Literal["patient", "slide", "frame"]
    depth: Depth = Depth(None)  # noqa: RUF009 - it cannot change
    axis: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()

    def corners(self, frame: SegmentFrame, edges: Edges) -> Corners:
        """The outer corners of pixels; in the patient those of the plane through the middle of the voxels."""
        top, bottom, left, right = edges
        across, down = np.array([left, right + 1.0]), np.array([top, bottom + 1.0])
        if self.kind == "frame":
            return np.column_stack([across, down])
        rows, columns = frame.spacing
        if self.kind == "slide":
            column, row = frame.tile
            return np.column_stack([(across + column) * columns, (down + row) * rows])
        along_row, along_column = np.array(frame.orientation[:3]), np.array(frame.orientation[3:])
        return np.array(
            [
                np.array(frame.origin) + along_row * (x - 0.5) * columns + along_column * (y - 0.5) * rows
                for x in across
                for y in down
            ]
        )

    def thickened(self, low: Corners, high: Corners) -> tuple[Corners, Corners]:
        """The box of planes as that of their voxels."""
        half = np.abs(np.array(self.axis)) * (self.depth.mm or 0.0) / 2 if self.axis else 0.0
        return low - half, high + half


def space_of(obj: DicomJson, frames: Sequence[SegmentFrame]) -> Space:
    """The space of the frames that are measured."""
    if frames and all(frame.origin and frame.orientation and frame.spacing for frame in frames):
        return _patient(obj, frames)
    if frames and all(frame.tile and frame.spacing for frame in frames):
        return Space("slide", notes=(WHERE["slide"],))
    return Space("frame", notes=(WHERE["frame"],))


def _patient(obj: DicomJson, frames: Sequence[SegmentFrame]) -> Space:
    axes = {normal(frame.orientation) or () for frame in frames}
    axis = next(iter(axes))
    if any(abs(dot(axis, other)) < SAME_DIRECTION for other in axes):
        return Space("patient", notes=(WHERE["patient"], "The frames have different orientations: no volumes."))
    view = next(frame_views(obj, 1), obj)
    positions = [dot(axis, frame.origin) for frame in frames]
    depth = slice_depth(positions, number(view, "SpacingBetweenSlices"), number(view, "SliceThickness"))
    unknown = () if depth.mm else ("No slice spacing or thickness is known: no volumes.",)
    return Space("patient", depth, axis, (WHERE["patient"], *filter(None, [depth.note]), *unknown))
