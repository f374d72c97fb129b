"""What the frames of a segmentation say of its segments (PS3.3 C.8.20.2)."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...dicom.objects.segment_frames import SegmentFrame, is_label_map
from ...dicom.values import DicomJson, integer, text
from ..decode import decode
from ..description import PixelDescription
from ..problems import Undecodable

Mask: TypeAlias = NDArray[np.bool_]


class SegmentPixels:
    """Tells what of a frame is inside which segment: all that is not 0, the segment's number in a label map, half of
    the whole or more in a fractional segmentation."""

    def __init__(self, obj: DicomJson) -> None:
        self._obj = obj
        self._is_label_map = is_label_map(obj)
        is_fractional = text(obj, "SegmentationType").upper() == "FRACTIONAL"
        self.whole = (integer(obj, "MaximumFractionalValue") or 255) if is_fractional else None

    def parts(
        self, frame: SegmentFrame, data: bytes, transfer_syntax: str, wanted: Sequence[int]
    ) -> Iterator[tuple[int, Mask]]:
        """Each of the ``wanted`` segments that the frame shows, with the pixels inside. Raises Undecodable."""
        stored = decode(data, PixelDescription.of(self._obj, transfer_syntax)).array
        if self._is_label_map:
            for label in np.unique(stored).tolist():
                if label in wanted:
                    yield label, stored == label
        elif frame.segment is None:
            raise Undecodable("A frame of the segmentation does not say which segment it shows.")
        elif frame.segment in wanted:
            yield frame.segment, self._inside(stored)

    def _inside(self, stored: NDArray[Any]) -> Mask:
        return stored != 0 if self.whole is None else stored * 2.0 >= self.whole


class Masks:
    """What several frames say of each segment, joined; ``at`` gives the image's pixels of those of a frame."""

    def __init__(self, at: Callable[[SegmentFrame, Mask], Mask]) -> None:
        self._at = at
        self._found: dict[int, Mask] = {}

    def add(self, frame: SegmentFrame, segment: int, inside: Mask) -> None:
        mask = self._at(frame, inside)
        self._found[segment] = self._found[segment] | mask if segment in self._found else mask

    def found(self) -> dict[int, tuple[Mask, int]]:
        """The masks of those that have any pixels, and how many."""
        counted = {segment: int(mask.sum()) for segment, mask in sorted(self._found.items())}
        return {segment: (self._found[segment], count) for segment, count in counted.items() if count}
