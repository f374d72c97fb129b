"""How large segments are and where they lie, from the frames of a segmentation (PS3.3 C.8.20)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...dicom.facts import few
from ...dicom.functional_groups import MOST_FRAMES, frame_count
from ...dicom.objects.segment_frames import SegmentFrame, is_label_map, segment_frames
from ...dicom.values import DicomJson, integer, items, text
from ..problems import Undecodable
from .segment_space import Corners, Edges, Space, space_of
from .tally import Measured

BACKGROUND = ("125040", "DCM")  # the code of the segment that is none
MOST_NAMED = 10
PLACE_DECIMALS = 2  # of mm: frames nearer than that lie at one place

Part = tuple[int, float, Edges]
"""Of one frame: a segment, the sum of its pixels, and where those that are not empty end."""


@dataclass
class Extent:
    """What was seen of one segment so far: pixels, and those times their area in mm2."""

    voxels: float = 0.0
    area: float = 0.0
    frames: int = 0
    low: Corners | None = None
    high: Corners | None = None


class SegmentTally:
    """Counts the voxels of each segment. What several frames of a segment show at one place counts once."""

    def __init__(self, obj: DicomJson) -> None:
        self._is_label_map = is_label_map(obj)
        self._described = [integer(item, "SegmentNumber") for item in items(obj, "SegmentSequence")]
        self._maximum = _maximum(obj)
        self._background = _background(obj)
        if frame_count(obj) > MOST_FRAMES:
            raise Undecodable(f"It has more than {MOST_FRAMES:,} frames.")
        if not self._is_label_map and len(set(self._described)) < len(self._described):
            raise Undecodable("Its segments have the same numbers.")
        frames = [frame for frame in segment_frames(obj) if self._is_label_map or frame.segment is not None]
        self._frames = {frame.number: frame for frame in sorted(frames, key=_place)}
        self._space = space_of(obj, frames)
        self._extents: dict[int, Extent] = defaultdict(Extent)
        self._waiting: tuple[SegmentFrame, NDArray[Any]] | None = None
        self._repeated = 0

    @property
    def frames(self) -> Sequence[int]:
        """Frames of one segment at one place follow each other."""
        return list(self._frames)

    def add(self, number: int, stored: NDArray[Any]) -> None:
        frame = self._frames[number]
        if self._waiting and _place(self._waiting[0]) == _place(frame):
            self._repeated += 1
            self._waiting = frame, np.maximum(self._waiting[1], stored)
            return
        self._count_waiting()
        self._waiting = frame, stored

    def result(self) -> Measured:
        self._count_waiting()
        self._waiting = None
        for frame in self._frames.values():
            if frame.segment is not None:
                self._extents[frame.segment]  # one whose frames are all empty has no voxels
        rows = {
            segment: _row(self._extents[segment], self._space, self._is_label_map) for segment in sorted(self._extents)
        }
        return Measured(rows=rows, notes=list(self._notes()))

    def _count_waiting(self) -> None:
        if self._waiting is None:
            return
        frame, stored = self._waiting
        for segment, voxels, edges in self._parts(frame, stored):
            extent = self._extents[segment]
            extent.frames += 1
            extent.voxels += voxels
            extent.area += voxels * frame.spacing[0] * frame.spacing[1] if frame.spacing else 0.0
            corners = self._space.corners(frame, edges)
            low, high = corners.min(axis=0), corners.max(axis=0)
            extent.low = low if extent.low is None else np.minimum(extent.low, low)
            extent.high = high if extent.high is None else np.maximum(extent.high, high)

    def _parts(self, frame: SegmentFrame, stored: NDArray[Any]) -> Iterator[Part]:
        if self._is_label_map:
            yield from _labels(stored, self._background)
        elif frame.segment is not None and stored.any():
            yield frame.segment, self._voxels(stored), _edges(stored != 0)

    def _voxels(self, stored: NDArray[Any]) -> float:
        if self._maximum is None:
            return float(np.count_nonzero(stored))
        if stored.max() > self._maximum:
            raise Undecodable(f"It is fractional, and has values above its MaximumFractionalValue {self._maximum}.")
        return float(stored.sum(dtype=np.float64)) / self._maximum

    def _notes(self) -> Iterator[str]:
        yield from self._space.notes
        if self._maximum is not None:
            yield (
                f"Fractional: voxels and volumes are sums of value / {self._maximum}; boxes hold every value above 0."
            )
        if self._repeated:
            yield f"{self._repeated} frames lie where another one of their segment does; both were counted as one."
        if strays := sorted(self._extents.keys() - set(self._described)):
            yield f"Pixels belong to segments that are not described: {few(strays, MOST_NAMED)}."


def _place(frame: SegmentFrame) -> tuple[Any, ...]:
    """Equal for frames of one segment in one place; a frame of unknown place is alone."""
    where = [round(value, PLACE_DECIMALS) for value in frame.origin]
    alone = 0 if frame.origin or frame.tile else frame.number
    return frame.segment or 0, frame.tile, where, frame.orientation, frame.spacing, alone


def _maximum(obj: DicomJson) -> int | None:
    """What a stored value of a fractional segmentation is divided by: MaximumFractionalValue. None of others."""
    if text(obj, "SegmentationType").upper() != "FRACTIONAL":
        return None
    maximum = integer(obj, "MaximumFractionalValue")
    if maximum is None or maximum < 1:
        raise Undecodable("It is fractional, and MaximumFractionalValue does not say what its values mean.")
    return maximum


def _background(obj: DicomJson) -> set[int]:
    """Values of a label map that are no segment: padding, the background, and 0 where nothing describes it."""
    described = {integer(item, "SegmentNumber"): item for item in items(obj, "SegmentSequence")}
    found = {value for value in (integer(obj, "PixelPaddingValue"),) if value is not None}
    found |= {value for value, item in described.items() if value is not None and _is_background(item)}
    return found if 0 in described else found | {0}


def _is_background(item: DicomJson) -> bool:
    return any(
        (text(code, "CodeValue"), text(code, "CodingSchemeDesignator")) == BACKGROUND
        for code in items(item, "SegmentedPropertyTypeCodeSequence")
    )


def _edges(mask: NDArray[np.bool_]) -> Edges:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])


def _labels(stored: NDArray[Any], background: set[int]) -> Iterator[Part]:
    """The segments of one frame of a label map, all at once: there can be thousands."""
    rows, columns = np.nonzero(~np.isin(stored, list(background)))
    if not rows.size:
        return
    labels = stored[rows, columns]
    order = np.argsort(labels, kind="stable")
    labels, rows, columns = labels[order], rows[order], columns[order]
    starts = np.flatnonzero(np.diff(labels, prepend=labels[0] - 1.0))
    ends = [reduce.reduceat(some, starts) for some in (rows, columns) for reduce in (np.minimum, np.maximum)]
    counts = np.diff(starts, append=labels.size)
    for label, count, *edges in zip(labels[starts], counts, *ends, strict=True):
        top, bottom, left, right = map(int, edges)
        yield int(label), float(count), (top, bottom, left, right)


# ---- what is said ----------------------------------------------------------------------------------------------------


def _row(extent: Extent, space: Space, is_label_map: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"frames": extent.frames} if is_label_map else {}
    found["voxels"] = int(extent.voxels) if extent.voxels.is_integer() else round(extent.voxels, 2)
    if space.kind == "slide":
        found["area_mm2"] = _rounded(extent.area)
    elif space.depth.mm:
        found["volume_ml"] = _rounded(extent.area * space.depth.mm / 1_000)
    if extent.low is not None and extent.high is not None:
        low, high = space.thickened(extent.low, extent.high)
        sides = zip("xyz", low, high, strict=False)
        name = "bounding_box" if space.kind == "frame" else "bounding_box_mm"
        found[name] = ", ".join(f"{axis} {_short(start)}..{_short(end)}" for axis, start, end in sides)
    return found


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _short(value: float) -> str:
    """Hundredths of a mm, and four digits of what is smaller than a mm."""
    return f"{round(value, 2):g}" if abs(value) >= 1 else f"{float(f'{value:.4g}'):g}"
