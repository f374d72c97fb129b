"""Arrays of 8 bits -> an encoded picture within the budgets of an answer: long edge, bytes, square pixels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from zlib import Z_RLE

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import BadArgument
from .overlay.drawing import Marking, Strip
from .request import DEFAULT_SIZE, FORMATS, LARGEST_SIZE, SMALLEST_SIZE

MOST_BYTES = 900_000
ENLARGED_TO = 256
QUALITIES = (88, 80, 70)
MOST_ASPECT = 20
SQUARE_ENOUGH = 0.005
LEAST_WITH_LEGEND = 256  # of the size: on less, a strip below would leave no room


@dataclass(frozen=True)
class Picture:
    """An encoded picture; ``steps`` are the sentences that say how it differs from the native pixels. Of its height,
    ``below`` pixels at the bottom are a legend or a scale bar."""

    data: bytes
    mime_type: str
    width: int
    height: int
    steps: tuple[str, ...] = ()
    below: int = 0


def check_request(size: int, format: str) -> None:
    """Raises BadArgument for a size or a format that no picture can have."""
    if not SMALLEST_SIZE <= size <= LARGEST_SIZE:
        raise BadArgument(f"size {size}: the long edge may have {SMALLEST_SIZE} to {LARGEST_SIZE} pixels.")
    if format not in FORMATS:
        raise BadArgument(f"format {format!r}: allowed are {', '.join(FORMATS)}.")


@dataclass(frozen=True)
class _Canvas:
    """What a picture of any size is made of."""

    native: Image.Image
    smooth: bool
    marking: Marking | None
    below: Strip | None

    def at(self, target: tuple[int, int]) -> Image.Image:
        """Resized to ``target``, drawn over, and with the strip below it."""
        shown = _resized(self.native, target, self.smooth)
        if self.marking and self.marking.marks:
            shown = self.marking.over(shown)
        return self.below.under(shown) if self.below else shown

    def encoded(self, data: bytes, kind: str, shown: Image.Image, steps: Sequence[str]) -> Picture:
        height = self.height_below(shown.width)
        if self.below and height:
            steps = (*steps, f"the {height} pixels at the bottom are {self.below.said(shown.width)}")
        return Picture(data, f"image/{kind}", *shown.size, tuple(steps), height)

    def height_below(self, width: int) -> int:
        """Of the strip below a picture of this width."""
        return self.below.height(width) if self.below else 0


def encode(
    pixels: NDArray[np.uint8],
    *,
    size: int = DEFAULT_SIZE,
    format: str = "auto",
    pixel_height: float = 1.0,
    smooth: bool = True,
    marking: Marking | None = None,
    below: Strip | None = None,
    fill: bool = False,
    for_sheet: bool = False,
    enlarge: bool = True,
    longest: int = LARGEST_SIZE,
) -> Picture:
    """``pixels``: (rows, columns) or (rows, columns, 3). ``pixel_height``: of a pixel, in pixel widths.

    ``smooth`` is False for labels, which must not be mixed. A picture under 256 pixels grows by a whole factor, but
    not where ``enlarge`` is False; with ``fill`` the long edge has ``size`` pixels, however many there are. "auto" is
    PNG, or JPEG where PNG is over 900,000 bytes. ``marking`` is drawn over it after it has its size, and ``below``
    stands below it, within ``size``; ``longest`` bounds the picture without what is below it. One that is
    ``for_sheet`` is no answer by itself: not compressed, and of any number of bytes.

    Raises BadArgument.
    """
    check_request(size, format)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    canvas = _Canvas(image, smooth, marking, below if size >= LEAST_WITH_LEGEND else None)
    target, steps = _with_room(canvas, size, longest, pixel_height, fill, enlarge)
    if for_sheet:
        shown = canvas.at(target)
        return canvas.encoded(_encoded(shown, "PPM"), "x-portable-anymap", shown, steps)
    if format != "jpeg":
        shown = canvas.at(target)
        data = _png(shown)
        if len(data) <= MOST_BYTES:
            return canvas.encoded(data, "png", shown, steps)
        if format == "png":
            return _smaller_png(canvas, target, data, steps)
        steps.append(f"JPEG, because PNG would take {len(data):,} bytes")
    return _within_jpeg(canvas, target, steps)


def _with_room(
    canvas: _Canvas, size: int, longest: int, pixel_height: float, fill: bool, enlarge: bool
) -> tuple[tuple[int, int], list[str]]:
    """Width and height of the picture alone, so that what stands below fits too; and what was done to get there."""
    width = height = min(size, longest)
    while True:
        target, steps = _fitted(canvas.native.size, (width, height), pixel_height, fill, enlarge)
        below = canvas.height_below(target[0])
        if target[1] + below <= size:
            return target, steps
        height = min(height - 1, size - below)


def _fitted(
    native: tuple[int, int], most: tuple[int, int], pixel_height: float, fill: bool, enlarge: bool
) -> tuple[tuple[int, int], list[str]]:
    """Width and height of the picture, and what was done to get there."""
    steps = []
    width, height = float(native[0]), float(native[1])
    if not 1 / MOST_ASPECT <= pixel_height <= MOST_ASPECT:
        steps.append(f"pixels are not square (1 : {pixel_height:.4g}), left as they are because that is implausible")
    elif abs(pixel_height - 1) > SQUARE_ENOUGH:
        height, width = (height * pixel_height, width) if pixel_height > 1 else (height, width / pixel_height)
        steps.append(f"stretched to square pixels (a pixel is {pixel_height:.4g} times as high as wide)")
    scale = min(most[0] / width, most[1] / height)
    longest = max(width, height)
    if scale < 1:
        width, height = width * scale, height * scale
        steps.append(f"shrunk from {native[0]} x {native[1]} pixels")
    elif fill:
        width, height = width * scale, height * scale
        steps.append(f"enlarged from {native[0]} x {native[1]} pixels")
    elif enlarge and longest < ENLARGED_TO:
        factor = min(math.ceil(ENLARGED_TO / longest), int(scale))
        if factor > 1:
            width, height = width * factor, height * factor
            steps.append(f"enlarged {factor} times from {native[0]} x {native[1]} pixels, nearest neighbour")
    return (max(1, round(width)), max(1, round(height))), steps


def _resized(image: Image.Image, target: tuple[int, int], smooth: bool) -> Image.Image:
    """Pixels are repeated a whole number of times; the rest of the way is averaged, or picked for labels."""
    repeated = tuple(old * max(1, new // old) for new, old in zip(target, image.size, strict=True))
    if repeated != image.size:
        image = image.resize((repeated[0], repeated[1]), Image.Resampling.NEAREST)
    if target == image.size:
        return image
    if not smooth:
        return image.resize(target, Image.Resampling.NEAREST)
    return image.resize(target, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _png(image: Image.Image) -> bytes:
    """Of grey pictures by runs alone, which is as small in half the time; colour has more that comes again."""
    return _encoded(image, "PNG", compress_type=Z_RLE) if image.mode == "L" else _encoded(image, "PNG")


def _jpeg(image: Image.Image, quality: int) -> bytes:
    return _encoded(image, "JPEG", quality=quality, subsampling=0)


def _encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def _smaller_png(canvas: _Canvas, target: tuple[int, int], data: bytes, steps: list[str]) -> Picture:
    """Shrink until the PNG fits."""
    shown = canvas.native
    while len(data) > MOST_BYTES:
        target = _less(target, len(data))
        shown = canvas.at(target)
        data = _png(shown)
    return canvas.encoded(data, "png", shown, (*steps, _reduced(shown)))


def _within_jpeg(canvas: _Canvas, target: tuple[int, int], steps: list[str]) -> Picture:
    """Lower quality, then smaller size, until the JPEG fits."""
    shown = canvas.at(target)
    for quality in QUALITIES:
        data = _jpeg(shown, quality)
        if len(data) <= MOST_BYTES:
            lowered = (
                ()
                if quality == QUALITIES[0]
                else (f"JPEG quality lowered to {quality} to stay within {MOST_BYTES:,} bytes",)
            )
            return canvas.encoded(data, "jpeg", shown, (*steps, *lowered))
    while len(data) > MOST_BYTES:
        target = _less(target, len(data))
        shown = canvas.at(target)
        data = _jpeg(shown, QUALITIES[-1])
    steps += [f"JPEG quality lowered to {QUALITIES[-1]}", _reduced(shown)]
    return canvas.encoded(data, "jpeg", shown, steps)


def _less(target: tuple[int, int], length: int) -> tuple[int, int]:
    """The size at which ``length`` bytes should fall a little under the budget."""
    factor = min(0.95, 0.97 * math.sqrt(MOST_BYTES / length))
    return max(1, int(target[0] * factor)), max(1, int(target[1] * factor))


def _reduced(shown: Image.Image) -> str:
    return f"reduced to {shown.size[0]} x {shown.size[1]} pixels to stay within {MOST_BYTES:,} bytes"
