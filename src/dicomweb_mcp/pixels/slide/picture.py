"""A region of a slide -> a picture within the budgets: never enlarged, and exact where nothing had to shrink."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import BadArgument
from ..icc import AS_STORED, to_srgb
from ..picture import Picture, encode
from ..request import DEFAULT_SIZE, LARGEST_SIZE
from .assemble import Assembled
from .scale_bar import ScaleBar

NO_BAR = "no scale bar: the picture is too small to have one"


@dataclass(frozen=True)
class RegionPicture:
    """``um_per_px``: of the picture, horizontally; None where the level does not say it. ``colours``: what was done to
    them, in words. ``picture.below`` pixels at its bottom are a scale bar."""

    picture: Picture
    um_per_px: float | None
    colours: str = AS_STORED
    notes: tuple[str, ...] = ()


def region_picture(
    assembled: Assembled,
    pixels: NDArray[np.uint8],
    *,
    um_per_px: tuple[float, float] | None,
    profile: bytes | None = None,
    scale_bar: bool = False,
    size: int = DEFAULT_SIZE,
    longest: int = LARGEST_SIZE,
    format: str = "auto",
) -> RegionPicture:
    """``pixels``: those of ``assembled``, or what a composite made of them. ``um_per_px``: micrometres across and down
    one pixel of the level. ``profile``: ICC, applied to the whole region at once, because that is one call of the
    colour engine instead of one for each tile, and gives the same colours. ``longest``: of the region's own edges in
    the picture, where a resolution was asked for; ``size`` counts the scale bar too.

    Raises BadArgument.
    """
    if scale_bar and um_per_px is None:
        raise BadArgument("This level does not say how large its pixels are, so it cannot have a scale bar.")
    visible, colours, notes = to_srgb(pixels, profile) if pixels.ndim == 3 else (pixels, AS_STORED, ())
    width_um = um_per_px[0] * assembled.reduce * pixels.shape[1] if um_per_px else None
    picture = encode(
        visible,
        size=size,
        longest=longest,
        format=format,
        pixel_height=um_per_px[1] / um_per_px[0] if um_per_px else 1.0,
        below=ScaleBar(width_um) if scale_bar and width_um else None,
        enlarge=False,
    )
    steps = (*_reduced(assembled), *picture.steps, *([NO_BAR] if scale_bar and not picture.below else []))
    shown = width_um / picture.width if width_um else None
    return RegionPicture(replace(picture, steps=steps), shown, colours, notes)


def _reduced(assembled: Assembled) -> tuple[str, ...]:
    factor, (_, _, width, height) = assembled.reduce, assembled.region
    return (f"each {factor} x {factor} pixels averaged, from {width} x {height}",) if factor > 1 else ()
