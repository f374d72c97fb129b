"""Which segment each frame of a segmentation shows, and where it lies (PS3.3 C.8.20.2, C.7.6.16.2, C.7.6.17)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..functional_groups import MOST_FRAMES, PER_FRAME, SHARED, frame_count, frame_views
from ..geometry import FARTHEST, SAME_DIRECTION, by_place, dot, normal
from ..tags import tag_of
from ..values import DicomJson, integer, items, numbers, text

OUTSIDE = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")  # of the groups, in some objects


@dataclass(frozen=True, slots=True)
class SegmentFrame:
    """One frame, counted from 1. ``segment`` is None in label maps, and where the frame does not say it. What is not
    known of its place is empty: ``spacing`` is between rows and between columns, ``tile`` the column and row of its
    first pixel in the total pixel matrix, from 0."""

    number: int
    segment: int | None = None
    origin: tuple[float, ...] = ()
    orientation: tuple[float, ...] = ()
    spacing: tuple[float, ...] = ()
    tile: tuple[int, ...] = ()

    @property
    def position(self) -> float | None:
        """Distance of the plane along its normal, in mm."""
        axis = normal(self.orientation)
        return dot(axis, self.origin) if axis and self.origin else None


def is_label_map(obj: DicomJson) -> bool:
    """Whether the pixel values are the numbers of segments."""
    return text(obj, "SegmentationType").upper() == "LABELMAP"


def segment_frames(obj: DicomJson) -> list[SegmentFrame]:
    """The frames of a segmentation, at most MOST_FRAMES; those without functional groups say nothing but their
    number."""
    frames = min(frame_count(obj), MOST_FRAMES)
    if text(obj, "DimensionOrganizationType").upper() == "TILED_FULL":
        return list(_tiled(obj, frames))
    known = min(frames, len(items(obj, PER_FRAME)) or frames)
    groups = {tag: obj[tag] for tag in map(tag_of, (SHARED, PER_FRAME, *OUTSIDE)) if tag in obj}
    found = [_frame(view, number) for number, view in enumerate(frame_views(groups, known), start=1)]
    return [*found, *(SegmentFrame(number) for number in range(known + 1, frames + 1))]


def have_one_orientation(frames: Sequence[SegmentFrame]) -> bool:
    """Whether all frames are parallel, and so have planes that can be counted."""
    axes = {normal(frame.orientation) or (0.0, 0.0, 0.0) for frame in frames}
    first = next(iter(axes), (0.0, 0.0, 0.0))
    return bool(axes) and all(dot(first, axis) > SAME_DIRECTION for axis in axes)


def by_plane(frames: Sequence[SegmentFrame]) -> list[list[SegmentFrame]]:
    """Frames of one orientation by their planes, ascending along the normal."""
    return by_place(frames, lambda frame: frame.position or 0.0)


def _frame(view: DicomJson, number: int) -> SegmentFrame:
    column, row = (
        integer(view, "ColumnPositionInTotalImagePixelMatrix"),
        integer(view, "RowPositionInTotalImagePixelMatrix"),
    )
    return SegmentFrame(
        number,
        integer(view, "ReferencedSegmentNumber"),
        _three(numbers(view, "ImagePositionPatient")),
        _directions(numbers(view, "ImageOrientationPatient")),
        _spacing(view),
        (column - 1, row - 1) if column is not None and row is not None else (),
    )


def _three(values: list[float]) -> tuple[float, ...]:
    return tuple(values) if len(values) == 3 and max(map(abs, values)) < FARTHEST else ()


def _directions(values: list[float]) -> tuple[float, ...]:
    return tuple(values) if normal(values) else ()


def _spacing(view: DicomJson) -> tuple[float, ...]:
    spacing = numbers(view, "PixelSpacing")
    return tuple(spacing) if len(spacing) == 2 and min(spacing) > 0 and max(spacing) < FARTHEST else ()


def _tiled(obj: DicomJson, frames: int) -> Iterator[SegmentFrame]:
    """TILED_FULL (C.7.6.17.3): tiles row by row, then the focal planes, then the segments. Where the number of frames
    is another one, nobody knows which is which."""
    spacing = _spacing(next(frame_views({tag: obj[tag] for tag in (tag_of(SHARED),) if tag in obj}, 1)))
    columns, rows = integer(obj, "Columns") or 0, integer(obj, "Rows") or 0
    across, down = (
        -(-(integer(obj, keyword) or 0) // size) if size > 0 else 0
        for keyword, size in (("TotalPixelMatrixColumns", columns), ("TotalPixelMatrixRows", rows))
    )
    planes = integer(obj, "TotalPixelMatrixFocalPlanes", 1) or 1
    segments = (
        [None] if is_label_map(obj) else [integer(item, "SegmentNumber") for item in items(obj, "SegmentSequence")]
    )
    fits = across * down * planes * len(segments) == frame_count(obj)
    for index in range(frames):
        if not fits:
            yield SegmentFrame(index + 1, spacing=spacing)
            continue
        tile = index % (across * down)
        yield SegmentFrame(
            index + 1,
            segments[index // (across * down * planes)],
            spacing=spacing,
            tile=(tile % across * columns, tile // across * rows),
        )
