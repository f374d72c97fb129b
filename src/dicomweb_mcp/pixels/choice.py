"""Which window (or VOI LUT) a frame is shown with, and where that came from, in words."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dicom.values import DicomJson, aligned_numbers, clean, integer, items, raw_values, text
from .customary import customary
from .lut import LookupTable, read_table
from .modality import rescale, unit
from .problems import WindowRefused
from .window import FUNCTIONS, SPELLINGS, Window, WindowRequest, as_bytes, fold, parse_window

PERCENTILES = (1, 99)


@dataclass(frozen=True)
class ChosenWindow:
    """A window or a VOI LUT; ``origin`` says in words what it is and where it came from. ``by_values``: from the values
    of this very frame, so another frame has another one."""

    origin: str
    window: Window | None = None
    table: LookupTable | None = None
    by_values: bool = False

    def apply(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Real values -> brightness from 0 to 255, not rounded; the same shape."""
        if self.window is not None:
            return self.window.apply(values)
        assert self.table is not None
        return self.table.apply(values) * (255.0 / ((1 << self.table.bits) - 1))


@dataclass(frozen=True)
class FileWindow:
    """A window or VOI LUT that the file has, with the name that the file gives it."""

    name: str
    chosen: ChosenWindow


def choose_window(
    request: str | WindowRequest, view: DicomJson, values: NDArray[Any], counts: NDArray[Any] | None = None
) -> ChosenWindow:
    """The window for the real ``values`` (any shape, padding left out) of the frame that ``view`` describes.

    ``counts``: how often each value occurs, where ``values`` are distinct ones. "auto" means the file's first window,
    else its VOI LUT, else 8-bit data as stored, else the modality's customary window where it shows more than black and
    white, else the 1st to 99th percentile.

    Raises WindowRefused when the request does not apply to these pixels.
    """
    asked = parse_window(request) if isinstance(request, str) else request
    if asked.kind == "given" and asked.window is not None:
        shown = f"range {asked.name}" if ".." in asked.name else f"window {asked.window}"
        return ChosenWindow(f"{shown} as given", asked.window)
    if asked.kind == "preset":
        return _preset(asked, view)
    if asked.kind == "named":
        return _named(asked.name, view)
    known = _windows(view) or _tables(view)
    if known:
        return known[0].chosen
    named = raw_values(view, "WindowCenter") or raw_values(view, "WindowWidth")
    why = "the file's window cannot be read" if named else "the file has no window"
    return _stored_range(view) or _by_values(view, values, counts, why)


def file_windows(view: DicomJson) -> list[FileWindow]:
    """The windows of the file in their order, then its VOI LUTs. Raises MissingBulk or Undecodable for the latter."""
    return _windows(view) + _tables(view)


def _windows(view: DicomJson) -> list[FileWindow]:
    """Windows that are not two usable numbers are left out."""
    found = []
    names = [clean(str(name), 64) for name in raw_values(view, "WindowCenterWidthExplanation")]
    function = FUNCTIONS.get(fold(text(view, "VOILUTFunction")) or "linear", "LINEAR")
    pairs = zip(aligned_numbers(view, "WindowCenter"), aligned_numbers(view, "WindowWidth"), strict=False)
    for nth, (center, width) in enumerate(pairs):
        if center is None or width is None or width <= 0:
            continue
        is_narrow = function == "LINEAR" and width < 1
        window = Window(center, width, "LINEAR_EXACT" if is_narrow else function)
        name = names[nth] if nth < len(names) else ""
        explained = f" (explanation {name})" if name else ""
        narrow = ", shown linear-exact because a linear window needs a width of 1 or more" if is_narrow else ""
        found.append(FileWindow(name, ChosenWindow(f"window {window} of the file{explained}{narrow}", window)))
    return found


def _tables(view: DicomJson) -> list[FileWindow]:
    is_signed = not items(view, "ModalityLUTSequence") and (
        integer(view, "PixelRepresentation") == 1 or rescale(view)[1] < 0
    )
    found = []
    for item in items(view, "VOILUTSequence"):
        table = read_table(item, "LUTDescriptor", "LUTData", is_signed=is_signed)
        name = clean(text(item, "LUTExplanation"), 64)
        explained = f" (explanation {name})" if name else ""
        found.append(FileWindow(name, ChosenWindow(f"VOI lookup table of the file{explained}", table=table)))
    return found


def _preset(asked: WindowRequest, view: DicomJson) -> ChosenWindow:
    """A preset for values in HU; elsewhere a window of the file may have the same name."""
    is_hounsfield = unit(view) == "HU"
    if is_hounsfield:
        return ChosenWindow(f"preset {asked.name} ({asked.window})", asked.window)
    for known in file_windows(view):
        if fold(known.name) == fold(asked.name):
            return known.chosen
    modality = text(view, "Modality") or "unknown"
    values = f"are in {unit(view)}" if unit(view) else "have no known unit"
    raise WindowRefused(
        f"The preset {asked.name} is for CT in Hounsfield units; these pixels (Modality {clean(modality, 16)}) "
        f'{values}. Use "auto", "center,width" or "min..max".{_names(view)}'
    )


def _named(name: str, view: DicomJson) -> ChosenWindow:
    for known in file_windows(view):
        if known.name and fold(known.name) == fold(name):
            return known.chosen
    raise WindowRefused(
        f"{clean(name, 64)!r} is neither a preset nor a window of this file.{_names(view)} Allowed: {SPELLINGS}."
    )


def _names(view: DicomJson) -> str:
    names = [known.name for known in file_windows(view) if known.name]
    return f" Windows that the file names: {', '.join(names)}." if names else ""


def _stored_range(view: DicomJson) -> ChosenWindow | None:
    """Unsigned data of at most 8 bits is shown as stored, over the whole range of its bits."""
    bits = integer(view, "BitsStored") or 16
    slope, intercept = rescale(view)
    if bits > 8 or integer(view, "PixelRepresentation") == 1 or items(view, "ModalityLUTSequence") or slope <= 0:
        return None
    most = (1 << bits) - 1
    window = Window.between(intercept, most * slope + intercept)
    return ChosenWindow(f"{bits}-bit data as stored{'' if bits == 8 else f' (0 to {most})'}", window)


def _by_values(view: DicomJson, values: NDArray[Any], counts: NDArray[Any] | None, why: str) -> ChosenWindow:
    usable = np.isfinite(values) if counts is None else np.isfinite(values) & (counts > 0)
    if not usable.any():
        raise WindowRefused("The frame has no finite pixel values; there is nothing to show.")
    usual = customary(view)
    if usual is not None:
        if _has_greys(usual.window, values[usable]):
            return ChosenWindow(f"{usual.words}, because {why}", usual.window)
        why += f" and all pixels would be black or white in {usual.words}"
    return _percentiles(values[usable], None if counts is None else counts[usable], why)


def _has_greys(window: Window, values: NDArray[Any]) -> bool:
    """Whether any of the values is neither black nor white."""
    shown = as_bytes(window.apply(values))
    return bool(((shown > 0) & (shown < 255)).any())


def _percentiles(finite: NDArray[Any], weights: NDArray[Any] | None, why: str) -> ChosenWindow:
    because = f", because {why}"
    if weights is not None and weights.max() == 1:
        weights = None  # the same, without sorting
    low, high = np.percentile(finite, PERCENTILES, method="inverted_cdf", weights=weights)
    if low < high:
        return ChosenWindow(
            f"1st to 99th percentile of this frame ({low:.6g} to {high:.6g}){because}",
            Window.between(low, high),
            by_values=True,
        )
    low, high = finite.min(), finite.max()
    if low < high:
        return ChosenWindow(
            f"minimum to maximum of this frame ({low:.6g} to {high:.6g}){because}",
            Window.between(low, high),
            by_values=True,
        )
    half = max(0.5, abs(low) * 1e-6)
    grey = Window.between(low - half, low + half)
    return ChosenWindow(f"all pixels are {low:.6g}, shown as medium grey", grey, by_values=True)
