"""Where tissue is on a slide, coarsely: boxes on a small image of the whole of it. A hint where to look, no finding."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

MOST_BOXES = 12
LEAST_CHROMA, MOST_CHROMA = 12, 25  # where the threshold may lie: glass is never colourless, and pale tissue counts
LEAST_LIGHT = 10  # of 255, above the dark of a fluorescence slide
ABOVE_NOISE = 2.0  # light against the usual difference of neighbours
BLACK = 30  # below: frames, marks and what was never scanned
SPECK = 0.0005  # of the image; smaller pieces are dust
SMALLEST_SPECK = 9  # pixels
GAP = 2  # pixels; pieces that are nearer count as one

Box = tuple[int, int, int, int]
"""x, y, width, height."""


@dataclass(frozen=True)
class Piece:
    """``box``: in pixels of the small image. ``share``: of that image's area that is tissue of this piece."""

    box: Box
    share: float


@dataclass(frozen=True)
class Tissue:
    """Pieces, largest first; ``left_out`` more are smaller. ``share``: of the image that is tissue in all of them."""

    pieces: tuple[Piece, ...]
    left_out: int
    share: float


def find_tissue(image: NDArray[Any]) -> Tissue:
    """``image``: the whole slide in about 1,000 pixels; RGB of 8 bits is stained tissue on bright glass, grey of any
    depth is light on a dark ground. The same image gives the same pieces."""
    raw = _coloured(image) if image.ndim == 3 else _bright(image)
    kept = sorted(_merged(_pieces(_without_gaps(raw), raw)), key=lambda piece: (-piece[1], piece[0]))
    shown = tuple(
        Piece((left, top, right - left, bottom - top), area / raw.size)
        for (left, top, right, bottom), area in kept[:MOST_BOXES]
    )
    return Tissue(shown, len(kept) - len(shown), sum(area for _, area in kept) / raw.size)


def _coloured(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Neither white nor grey nor black. Stain has colour; glass, shadows and marks of a black pen have little."""
    smooth = np.asarray(Image.fromarray(np.ascontiguousarray(rgb)).filter(ImageFilter.MedianFilter(3)))
    chroma = smooth.max(axis=-1) - smooth.min(axis=-1)
    is_seen: NDArray[np.bool_] = smooth.max(axis=-1) >= BLACK
    threshold = min(max(_otsu(chroma[is_seen]), LEAST_CHROMA), MOST_CHROMA)
    is_stained: NDArray[np.bool_] = is_seen & (chroma > threshold)
    return is_stained


def _bright(grey: NDArray[Any]) -> NDArray[np.bool_]:
    """Brighter than the ground, on a scale to the brightest but few pixels."""
    low, high = (float(value) for value in np.percentile(grey, (1, 99.9)))
    most = max(high - low, float(np.iinfo(grey.dtype).max) / 255)  # the noise of an empty image is not spread
    scaled = np.clip((grey.astype(np.float64) - low) * (255 / most), 0, 255).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(scaled).filter(ImageFilter.MedianFilter(3)))
    is_light: NDArray[np.bool_] = smooth > max(_otsu(smooth), LEAST_LIGHT)
    if is_light.all() or not is_light.any():
        return np.zeros_like(is_light)
    noise = float(np.median(np.abs(np.diff(scaled.astype(np.int16), axis=1)))) if scaled.shape[1] > 1 else 0.0
    contrast = float(smooth[is_light].mean() - smooth[~is_light].mean())
    return is_light if contrast > ABOVE_NOISE * noise else np.zeros_like(is_light)


def _otsu(values: NDArray[np.uint8]) -> int:
    """The threshold that divides the values into two groups that lie farthest apart (Otsu 1979)."""
    counts = np.bincount(values.ravel(), minlength=256).astype(np.float64)
    below = counts.cumsum()
    sums = (counts * np.arange(256)).cumsum()
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return int(np.nan_to_num(between, nan=0.0, posinf=0.0).argmax())


def _without_gaps(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pieces grown by half the gap on each side, so that near ones touch."""
    image = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(image.filter(ImageFilter.MaxFilter(2 * (GAP // 2) + 1))) > 0


Found = tuple[Box, int]
"""left, top, right, bottom (the last two outside), and pixels of tissue."""


def _pieces(mask: NDArray[np.bool_], raw: NDArray[np.bool_]) -> list[Found]:
    """Connected pieces of ``mask``, measured in ``raw``, without specks."""
    labels = label(mask)
    rows, columns = np.nonzero(raw)
    which = labels[rows, columns]
    count = int(labels.max()) + 1
    areas = np.bincount(which, minlength=count)
    least, most = np.full((2, count), max(mask.shape)), np.zeros((2, count), np.int64)
    for axis, places in enumerate((columns, rows)):
        np.minimum.at(least[axis], which, places)
        np.maximum.at(most[axis], which, places + 1)
    smallest = max(SMALLEST_SPECK, SPECK * mask.size)
    return [
        ((int(least[0, nth]), int(least[1, nth]), int(most[0, nth]), int(most[1, nth])), int(areas[nth]))
        for nth in np.flatnonzero(areas >= smallest)
    ]


def label(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Connected pieces, also over corners, numbered from 1; 0 outside. Runs of each row are joined with those of the
    row above that they touch."""
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    first = np.searchsorted(rows, np.arange(len(mask) + 1))  # the first run of each row
    parents = list(range(len(rows)))
    for row in range(1, len(mask)):
        _join(parents, starts, ends, range(first[row - 1], first[row]), range(first[row], first[row + 1]))
    roots = np.array([_root(parents, nth) for nth in range(len(parents))], np.int64)
    labels = np.zeros(mask.shape, np.int64)
    numbers = np.unique(roots, return_inverse=True)[1] + 1
    labels[mask] = np.repeat(numbers, ends - starts)
    return labels


def _join(parents: list[int], starts: NDArray[Any], ends: NDArray[Any], above: range, below: range) -> None:
    """Both rows from left to right at once: whichever run ends first makes way for the next."""
    one, other = above.start, below.start
    while one < above.stop and other < below.stop:
        if starts[one] <= ends[other] and starts[other] <= ends[one]:
            first, second = _root(parents, one), _root(parents, other)
            parents[max(first, second)] = min(first, second)
        if ends[one] < ends[other]:
            one += 1
        else:
            other += 1


def _root(parents: list[int], nth: int) -> int:
    while parents[nth] != nth:
        parents[nth] = parents[parents[nth]]
        nth = parents[nth]
    return nth


def _merged(pieces: list[Found]) -> list[Found]:
    """Until no box overlaps another, two that do become the box around both."""
    done: list[Found] = []
    for piece in pieces:
        while True:
            other = next((each for each in done if _overlap(each[0], piece[0])), None)
            if other is None:
                break
            done.remove(other)
            piece = _around(piece[0], other[0]), piece[1] + other[1]
        done.append(piece)
    return done


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _around(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])
