"""One frame -> one picture, with everything its caption must say. The entry for services."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..dicom.functional_groups import frame_view
from ..dicom.values import DicomJson, integer, numbers, text
from ..errors import BadArgument
from .choice import ChosenWindow, choose_window
from .colour import to_rgb
from .decode import LOSSY, Decoded, decode
from .description import PixelDescription
from .icc import AS_STORED, icc_profile, to_srgb
from .levels import Levels
from .modality import padding, real_values, unit
from .overlay.drawing import Legend, Mark, Marking
from .picture import Picture, check_request, encode
from .problems import RegionRefused, WindowRefused
from .request import DEFAULT_SIZE, Point, Region
from .samples import ColourValues, GreyValues, Sample, slices
from .statistics import Statistics
from .window import Window, WindowRequest, as_bytes, parse_window

SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio")
"""Where the shape of a pixel stands, the first that is there counts: two values, vertical then horizontal."""


@dataclass(frozen=True)
class Rendered:
    """A picture and its facts.

    ``window``: what brightness means and where that came from, None for colour. ``ends``: the real values that are
    black and white, where the window has ends. ``values``: the real values of the region, padding left out, None for
    colour. ``native``: columns, rows. ``region``: x, y, width, height. ``photometric_interpretation``: as the attribute
    has it. ``colours``: what was done to them, in words. ``samples`` and ``statistics``: of the points and the
    rectangle that were asked for; a rectangle has one of grey, None where all is padding, and three of colour.
    ``by_values``: the window came from the values of this very frame.
    """

    picture: Picture
    window: str | None
    ends: tuple[float, float] | None
    values: Statistics | None
    unit: str
    native: tuple[int, int]
    region: Region
    photometric_interpretation: str
    lossy: bool
    colours: str = AS_STORED
    notes: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()
    statistics: tuple[Statistics | None, ...] = ()
    by_values: bool = False

    @property
    def value_range(self) -> tuple[float, float] | None:
        """Lowest and highest real value of the region."""
        return (self.values.minimum, self.values.maximum) if self.values else None


@dataclass(frozen=True)
class _Grey:
    """A grey frame made visible: 8 bits of the whole frame, and what its caption says."""

    pixels: NDArray[np.uint8]
    window: str
    ends: tuple[float, float] | None
    values: Statistics | None
    found: GreyValues
    notes: tuple[str, ...] = ()
    by_values: bool = False


def render_frame(
    frame: bytes,
    obj: DicomJson,
    *,
    transfer_syntax: str,
    index: int = 0,
    window: str = "auto",
    region: Region | None = None,
    size: int = DEFAULT_SIZE,
    format: str = "auto",
    probe: Sequence[Point] = (),
    statistics: Region | None = None,
    marks: Sequence[Mark] = (),
    legend: bool = True,
    fill: bool = False,
    for_sheet: bool = False,
) -> Rendered:
    """``frame``: the bytes of frame ``index`` (0-based) of ``obj``, in ``transfer_syntax``.

    ``region`` and ``statistics`` are (x, y, width, height) in native pixels, 0-based, ``probe`` points (x, y) of the
    frame, whatever its region is. Percentiles are those of the whole frame. ``marks`` are drawn over the picture, and
    named in a ``legend`` below it. ``fill`` and ``for_sheet``: as ``picture.encode`` has them.

    Raises Undecodable (TooLarge, MissingBulk) for pixels, BadArgument (WindowRefused, RegionRefused) for a request.
    """
    check_request(size, format)
    asked = parse_window(window)
    description = PixelDescription.of(obj, transfer_syntax)
    if not 0 <= index < description.number_of_frames:
        raise BadArgument(f"There is no frame {index + 1}; the object has frames 1 to {description.number_of_frames}.")
    area = _checked_region("region", region or (0, 0, description.columns, description.rows), description)
    _check_points(probe, description)
    if statistics is not None:
        _checked_region("statistics", statistics, description)
    view = frame_view(obj, index)
    is_grey = description.photometric_interpretation.startswith("MONOCHROME")
    if not is_grey and asked.kind != "auto":
        raise WindowRefused(
            f"A window applies to grey pixels; these are colour ({description.photometric_interpretation}). "
            'Leave it out, or say "auto".'
        )
    profile = None if is_grey else icc_profile(view)
    decoded = decode(frame, description)
    notes = decoded.notes
    shown: _Grey | None = None
    found: GreyValues | ColourValues
    if is_grey:
        shown = _grey(decoded, description, view, asked, area)
        pixels, found, notes = shown.pixels, shown.found, notes + shown.notes
    else:
        pixels = to_rgb(decoded, description, view)
        found = ColourValues(pixels)
    visible, colours, unusable = to_srgb(pixels[slices(area)], profile)
    picture = encode(
        visible,
        size=size,
        format=format,
        pixel_height=pixel_height(view),
        smooth=not _is_segmentation(view, description),
        marking=Marking(marks, area),
        below=Legend(marks) if legend and marks else None,
        fill=fill,
        for_sheet=for_sheet,
    )
    return Rendered(
        picture=picture,
        window=shown.window if shown else None,
        ends=shown.ends if shown else None,
        values=shown.values if shown else None,
        unit=unit(view) if shown else "",
        native=(description.columns, description.rows),
        region=area,
        photometric_interpretation=description.photometric_interpretation,
        lossy=text(obj, "LossyImageCompression") == "01" or description.transfer_syntax in LOSSY,
        colours=colours,
        notes=notes + unusable,
        samples=tuple(found.at(point) for point in probe),
        statistics=found.within(statistics) if statistics else (),
        by_values=bool(shown and shown.by_values),
    )


def _grey(
    decoded: Decoded, description: PixelDescription, view: DicomJson, asked: WindowRequest, area: Region
) -> _Grey:
    """Rescale, window, invert where low values are bright."""
    levels = Levels.of(decoded.array)
    real = real_values(levels.stored, view, is_signed=description.is_signed)
    outside = None if _is_segmentation(view, description) else padding(levels.stored, view, description)
    counts = levels.counts()
    seen = counts if area == (0, 0, description.columns, description.rows) else levels.counts(slices(area))
    notes = _padding_note(seen, outside)
    counts, seen = _without(counts, outside), _without(seen, outside)
    if asked.kind == "auto" and _is_segmentation(view, description):
        chosen = _segment_window(view, description, real)
    else:
        chosen = choose_window(asked, view, real, counts)
    values = Statistics.of(real, seen, area[2] * area[3])
    brightness = chosen.apply(real)
    is_inverse = description.photometric_interpretation == "MONOCHROME1"
    if is_inverse:
        brightness = 255 - brightness
        notes += ("MONOCHROME1: low values are bright.",)
    if np.isnan(real).any():
        brightness[np.isnan(real)] = 0
        notes += ("Pixels that are not numbers are black.",)
    ends = chosen.window.ends if chosen.window else None
    if ends and is_inverse:
        ends = ends[::-1]
    return _Grey(
        pixels=levels.spread(as_bytes(brightness)),
        window=chosen.origin,
        ends=ends,
        values=values,
        found=GreyValues(levels, real, outside),
        notes=notes,
        by_values=chosen.by_values,
    )


def _without(counts: NDArray[np.int64], outside: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """Counts without those of padding, unless nothing would be left."""
    if outside is None or not counts[~outside].any():
        return counts
    return np.where(outside, 0, counts)


def _padding_note(seen: NDArray[np.int64], outside: NDArray[np.bool_] | None) -> tuple[str, ...]:
    padded, total = 0 if outside is None else int(seen[outside].sum()), int(seen.sum())
    if padded == total:
        return (f"All {total:,} pixels are padding.",) if padded else ()
    return (f"{padded:,} of {total:,} pixels are padding, not counted in the range.",) if padded else ()


def _is_segmentation(view: DicomJson, description: PixelDescription) -> bool:
    return description.bits_allocated == 1 or text(view, "SOPClassUID") in SEGMENTATIONS


def _segment_window(view: DicomJson, description: PixelDescription, real: NDArray[np.float64]) -> ChosenWindow:
    """Segments, and other pixels of one bit, as stored, spread over black to white."""
    if description.bits_stored == 1:
        what = "segmentation" if text(view, "SOPClassUID") in SEGMENTATIONS else "one-bit data"
        return ChosenWindow(f"{what} as stored", Window.between(0, 1))
    if text(view, "SegmentationType") == "FRACTIONAL":
        most = integer(view, "MaximumFractionalValue", 255) or 255
        return ChosenWindow(f"fractional segmentation as stored, {most} is whole", Window.between(0, most))
    finite = real[np.isfinite(real)]
    most = max(1, int(min(finite.max(), 1 << 32))) if finite.size else 1
    return ChosenWindow(f"labels as stored, {most} is the highest of this frame", Window.between(0, most))


def _checked_region(name: str, region: Region, description: PixelDescription) -> Region:
    columns, rows = description.columns, description.rows
    x, y, width, height = region
    if width < 1 or height < 1 or x < 0 or y < 0 or x + width > columns or y + height > rows:
        raise RegionRefused(
            f"The {name} x {x}, y {y}, {width} x {height} pixels is not within the frame: {_extent(description)}."
        )
    return region


def _check_points(points: Sequence[Point], description: PixelDescription) -> None:
    for x, y in points:
        if not (0 <= x < description.columns and 0 <= y < description.rows):
            raise RegionRefused(f"The probe [{x}, {y}] is not within the frame: {_extent(description)}.")


def _extent(description: PixelDescription) -> str:
    columns, rows = description.columns, description.rows
    return f"it has {columns} x {rows} pixels, x from 0 to {columns - 1}, y from 0 to {rows - 1}"


def pixel_height(view: DicomJson) -> float:
    """Height of a pixel in widths; 1 where nothing is said."""
    for keyword in SPACINGS:
        found = numbers(view, keyword)
        if len(found) == 2 and min(found) > 0:
            return found[0] / found[1]
    return 1.0
