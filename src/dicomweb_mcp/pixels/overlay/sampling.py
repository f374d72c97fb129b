"""The pixels of a segmentation at the pixels of an image, by their places in the patient (PS3.3 C.7.6.2.1.1)."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...dicom.geometry import CLOSE, SAME_PLACE, dot, normal
from ...dicom.objects.segment_frames import SegmentFrame, by_plane
from ...dicom.volume.plane import Plane

Line = tuple[float, float, float]
"""A quantity over an image: what it is at pixel (0, 0), and what one step of x and one of y add to it."""

ROWS_AT_ONCE = 256
ON_GRID = 0.05  # pixels that a pixel of the same grid may lie beside its own, by rounding in the file


@dataclass(frozen=True)
class Layer:
    """The frames of one plane of the segmentation, and between which positions the image's pixels belong to it."""

    position: float
    low: float
    high: float
    frames: tuple[SegmentFrame, ...]


class Sampler:
    """Which frames of a segmentation an image cuts, and what they say at its pixels: the nearest pixel of the nearest
    plane, no farther than half the ``depth`` of a plane.

    ``image`` must be placed. ``frames`` must have a place each, in one orientation; ``depth`` is in mm, None where
    nothing tells it, so that planes are those of the image alone.
    """

    def __init__(self, image: Plane, frames: Sequence[SegmentFrame], depth: float | None) -> None:
        self._image = image
        self._along = _along(image, normal(frames[0].orientation) or (0.0, 0.0, 1.0))
        self._half = max(depth / 2 if depth else 0.0, CLOSE) + SAME_PLACE
        low, high = _range(self._along, image)
        self.layers = [layer for layer in self._planes(frames) if layer.low <= high and low < layer.high]

    @property
    def distance(self) -> float:
        """How far in mm a pixel of the image lies from the plane that it is read from, at most."""
        low, high = _range(self._along, self._image)
        if high - low <= SAME_PLACE:
            return min((abs(layer.position - low) for layer in self.layers), default=0.0)
        return self._half

    @property
    def is_same_grid(self) -> bool:
        """Whether each pixel of the image is one of the segmentation too, or lies beside it."""
        lines = [line for layer in self.layers for frame in layer.frames for line in _across(self._image, frame)]
        return self.distance <= CLOSE and all(_is_whole(line, self._image) for line in lines)

    def mask(self, layer: Layer, frame: SegmentFrame, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Where the image, shape (rows, columns), meets what is ``inside`` of one frame of a layer."""
        rows, columns = self._image.grid.rows, self._image.grid.columns
        found = np.zeros((rows, columns), dtype=bool)
        across, down = _across(self._image, frame)
        for start in range(0, rows, ROWS_AT_ONCE):
            stop = min(start + ROWS_AT_ONCE, rows)
            y, x = np.mgrid[start:stop, 0:columns]
            w = _at(self._along, x, y)
            y, x = (places[(w >= layer.low) & (w < layer.high)] for places in (y, x))
            u, v = (np.floor(_at(line, x, y) + 0.5).astype(np.intp) for line in (across, down))
            within = (u >= 0) & (u < inside.shape[1]) & (v >= 0) & (v < inside.shape[0])
            found[y[within], x[within]] = inside[v[within], u[within]]
        return found

    def _planes(self, frames: Sequence[SegmentFrame]) -> Iterator[Layer]:
        """The frames by their planes, ascending; between two planes the nearer one counts."""
        groups = by_plane(frames)
        places = [sum(map(_position, group)) / len(group) for group in groups]
        borders = [-math.inf, *((below + above) / 2 for below, above in pairwise(places)), math.inf]
        for nth, (place, group) in enumerate(zip(places, groups, strict=True)):
            low, high = max(place - self._half, borders[nth]), min(place + self._half, borders[nth + 1])
            yield Layer(place, low, high, tuple(group))


def _position(frame: SegmentFrame) -> float:
    return frame.position or 0.0


def _along(image: Plane, axis: Sequence[float]) -> Line:
    """Where the pixels of an image lie along an axis, in mm."""
    height, width = image.grid.pixel_spacing
    row, column = image.grid.orientation[:3], image.grid.orientation[3:]
    return dot(axis, image.origin), dot(axis, row) * width, dot(axis, column) * height


def _across(image: Plane, frame: SegmentFrame) -> tuple[Line, Line]:
    """The column and the row of a frame at which the pixels of an image lie, in its pixels."""
    start = tuple(here - there for here, there in zip(image.origin, frame.origin, strict=True))
    height, width = frame.spacing
    found = []
    for axis, size in ((frame.orientation[:3], width), (frame.orientation[3:], height)):
        _, across, down = _along(image, axis)
        found.append((dot(axis, start) / size, across / size, down / size))
    return found[0], found[1]


def _at(line: Line, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    start, across, down = line
    return np.asarray(start + across * x + down * y)


def _corners(line: Line, image: Plane) -> list[float]:
    start, across, down = line
    return [start + across * x + down * y for x in (0, image.grid.columns - 1) for y in (0, image.grid.rows - 1)]


def _range(line: Line, image: Plane) -> tuple[float, float]:
    """The least and greatest value over an image."""
    corners = _corners(line, image)
    return min(corners), max(corners)


def _is_whole(line: Line, image: Plane) -> bool:
    """Whether it grows by one with each pixel of one direction, from a whole number on."""
    _, across, down = line
    steps = sorted((abs(across), abs(down)))
    is_one = steps[0] < ON_GRID and abs(steps[1] - 1) < ON_GRID
    return is_one and all(abs(value - round(value)) <= ON_GRID for value in _corners(line, image))
