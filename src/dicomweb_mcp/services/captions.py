"""What stands beside a picture: which image it is, what its grey means, where it lies, how large it is."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..archives.base import Archive, Frame, Place
from ..dicom.edges import edges
from ..dicom.functional_groups import frame_view
from ..dicom.suv import body_weight
from ..dicom.units import OF_PIXELS
from ..dicom.values import DicomJson, clean, integer, items, numbers, plain_value, text, uid_name
from ..pixels.request import Region
from .overview import HOW_TO_LOOK, is_whole
from .slices import Choice

if TYPE_CHECKING:
    from ..pixels.picture import Picture
    from ..pixels.render import Rendered
    from ..pixels.samples import Sample
    from ..pixels.statistics import Statistics

STORED, DECODED_THERE = "stored frame", "frame as the archive decoded it"
SPACINGS = {
    "PixelSpacing": "",
    "ImagerPixelSpacing": " at the detector",
    "NominalScannedPixelSpacing": " of the scanned film",
}
"""Where the size of a pixel stands, the first that is there counts, and where it was measured."""


def identity(choice: Choice) -> dict[str, str]:
    """What is shown, by keyword, and which frame of it; text of the archive is cleaned."""
    keywords = (
        "Modality", "StudyDate", "SeriesDescription", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID",
        "InstanceNumber",
    )  # fmt: skip
    found = ((keyword, plain_value(choice.obj, keyword)) for keyword in keywords)
    middle = ", the middle one" if choice.in_the_middle else ""
    return {
        **{keyword: str(value) for keyword, value in found if value is not None},
        "frame": f"{choice.frame} of {choice.frames}{middle}",
        **({"slice": choice.how} if choice.how else {}),
        **_segment(choice),
    }


def _segment(choice: Choice) -> dict[str, str]:
    """The segment that a frame of a segmentation shows (PS3.3 C.8.20)."""
    number = integer(frame_view(choice.obj, choice.frame - 1), "ReferencedSegmentNumber")
    labels = [text(item, "SegmentLabel") for item in items(choice.obj, "SegmentSequence")
              if integer(item, "SegmentNumber") == number]  # fmt: skip
    return {"segment": f"{number} {clean(labels[0])}".strip()} if number is not None and labels else {}


def facts_of(rendered: "Rendered", view: DicomJson, frame: Frame) -> dict[str, str]:
    """What the picture is, in the order of a caption. ``view`` describes the frame."""
    columns, rows = rendered.native
    x, y, width, height = rendered.region
    return {
        "window": window_words(rendered),
        **_values(rendered, view),
        **edge_facts(view),
        "native size": f"{columns} x {rows} pixels (columns x rows){_spacing(view)}",
        **({} if (width, height) == rendered.native else {"region": f"x {x}, y {y}, {width} x {height} pixels"}),
        "picture": size(rendered.picture),
        **_scale(rendered),
        "pixels": encoding(rendered, frame.transfer_syntax),
        "rendered by": f"this program, from the {STORED if frame.as_stored else DECODED_THERE}",
    }


def window_words(rendered: "Rendered") -> str:
    """The window, where it came from, and what is black and white."""
    if rendered.window is None:
        return f"none, colour {rendered.colours}"
    if rendered.ends is None:
        return rendered.window
    black, white = rendered.ends
    if black == white:
        return f"{rendered.window}: up to {black:g} is black, above it white"
    return f"{rendered.window}: {black:g} is black, {white:g} is white"


def _values(rendered: "Rendered", view: DicomJson) -> dict[str, str]:
    """Real values with their unit; those of PET also as SUV by body weight, where the factor is known."""
    uptake = body_weight(view) if rendered.window is not None else None
    factor, unit = uptake.factor if uptake else None, unit_words(rendered)
    said, values = {}, rendered.values
    if values is not None:
        said["pixel values"] = (
            f"{values.minimum:g} to {values.maximum:g}, mean {values.mean:g}{unit}"
            + _suv(factor, "{:.4g} to {:.4g}, mean {:.4g}", values.minimum, values.maximum, values.mean)
        )  # fmt: skip
    if rendered.samples:
        said["probe"] = "; ".join(_sample(sample, unit, factor) for sample in rendered.samples)
    if rendered.statistics:
        said["statistics"] = "; ".join(
            _spread(found, name, unit, factor)
            for name, found in zip(_channels(rendered.statistics), rendered.statistics, strict=True)
        )
    if uptake:
        said["SUV(bw)"] = f"pixel value x {factor:.6g} g/ml, {uptake.how}" if factor else f"not known: {uptake.how}"
    return said


def _suv(factor: float | None, pattern: str, *values: float) -> str:
    """The same values as SUV by body weight, in brackets; nothing without a factor."""
    return f" (SUV(bw) {pattern.format(*(value * factor for value in values))})" if factor else ""


def unit_words(rendered: "Rendered") -> str:
    """The unit of grey values, with a blank before it; empty for colour."""
    if rendered.window is None:
        return ""
    return " " + (OF_PIXELS.get(rendered.unit, rendered.unit) or "(no unit given)")


def _channels(values: Sequence[object]) -> tuple[str, ...]:
    return ("red ", "green ", "blue ") if len(values) == 3 else ("",)


def _sample(sample: "Sample", unit: str, factor: float | None) -> str:
    said = ", ".join(name + _number(value) for name, value in zip(_channels(sample.values), sample.values, strict=True))
    if not math.isfinite(sample.values[0]):
        return f"[{sample.x}, {sample.y}] {said}"
    padding = " (padding)" if sample.is_padding else _suv(factor, "{:.4g}", sample.values[0])
    return f"[{sample.x}, {sample.y}] {said}{unit}{padding}"


def _spread(found: "Statistics | None", name: str, unit: str, factor: float | None) -> str:
    if found is None:
        return f"{name}no values: all of it is padding or not a number"
    left_out = f", {found.left_out} left out as padding or not a number" if found.left_out else ""
    values = found.minimum, found.mean, found.maximum, found.deviation
    pattern = "minimum {}, mean {}, maximum {}, standard deviation {}"
    return (
        name + pattern.format(*map(_number, values)) + unit + _suv(factor, pattern.replace("{}", "{:.4g}"), *values)
        + f", of {found.count} pixels{left_out}"
    )  # fmt: skip


def _number(value: float) -> str:
    """Whole numbers whole, others with the digits that single precision has."""
    if math.isnan(value):
        return "not a number"
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.7g}"


def edge_facts(view: DicomJson) -> dict[str, str]:
    """Which side of the patient lies at each edge, where that is known."""
    found = edges(view)
    return {"edges": ", ".join(f"{side} {found[nth]}" for nth, side in enumerate(found._fields))} if found else {}


def _spacing(view: DicomJson) -> str:
    """The nominal size of a pixel, and where that is measured if it is not in the patient."""
    for keyword, where in SPACINGS.items():
        found = numbers(view, keyword)
        if len(found) == 2 and min(found) > 0:
            height, width = found
            written = f"{width:.4g} mm" if width == height else f"{width:.4g} mm wide and {height:.4g} mm high"
            return f", each {written}{where}"
    return ""


def _scale(rendered: "Rendered") -> dict[str, str]:
    picture = rendered.picture
    return scale_of(rendered.region, picture.width, picture.height - picture.below)


def scale_of(region: Region, across: int, high: int) -> dict[str, str]:
    """How to get from a place in a picture of a region to the pixel of the native frame; nothing where they are the
    same."""
    x, y, width, height = region
    if (x, y, width, height) == (0, 0, across, high):
        return {}
    along, down = _native("x", x, width / across), _native("y", y, height / high)
    return {"scale": f"native {along}, native {down}"}


def _native(axis: str, first: int, step: float) -> str:
    return f"{axis} = " + (f"{first} + " if first else "") + f"{step:.4g} * picture {axis}"


def encoding(rendered: "Rendered", transfer_syntax: str) -> str:
    """How the pixels were stored."""
    lossy = "lossy compression" if rendered.lossy else "no lossy compression recorded"
    return f"{rendered.photometric_interpretation}, {uid_name(transfer_syntax)}, {lossy}"


def size(picture: "Picture") -> str:
    """Size, format, and what was done to get there."""
    steps = f" ({'; '.join(picture.steps)})" if picture.steps else ""
    return f"{picture.width} x {picture.height} pixels, {picture.mime_type.removeprefix('image/')}{steps}"


def viewer_fact(archive: Archive, place: Place, obj: DicomJson) -> dict[str, str]:
    """Where a person can look at the same series in a browser; nothing for archives without a viewer of their own."""
    viewers = archive.profile.viewers
    link = viewers.of(obj).link(place.study_uid, place.series_uid) if viewers else ""
    return {"viewer": link} if link else {}


def cautions(obj: DicomJson) -> tuple[str, ...]:
    """What a picture of this object must not be taken for."""
    notes = []
    columns, rows = integer(obj, "TotalPixelMatrixColumns"), integer(obj, "TotalPixelMatrixRows")
    if text(obj, "Modality") == "SM" and columns and rows:
        part = "the whole" if is_whole(obj) else "one tile"
        notes.append(f"This is {part} of an image of {columns} x {rows} pixels of a slide. {HOW_TO_LOOK}")
    if any(tag.startswith("60") and tag.endswith("0010") for tag in obj):  # Overlay Rows of any group, PS3.3 C.9.2
        notes.append("The image has overlay graphics (such as marks or outlines), which are not drawn here.")
    if text(obj, "BurnedInAnnotation").upper() == "YES":
        notes.append("The pixels hold burned-in text, which may name the patient.")
    return tuple(notes)
