"""What stands beside a picture: which image it is, what its grey means, where it lies, how large it is."""

from typing import TYPE_CHECKING

from ..dicom.edges import edges
from ..dicom.functional_groups import frame_view
from ..dicom.units import OF_PIXELS
from ..dicom.values import DicomJson, clean, integer, items, numbers, plain_value, text, uid_name
from .slices import Choice

if TYPE_CHECKING:
    from ..pixels.picture import Picture
    from ..pixels.render import Rendered

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


def facts_of(rendered: "Rendered", view: DicomJson, transfer_syntax: str) -> dict[str, str]:
    """What the picture is, in the order of a caption. ``view`` describes the frame, ``transfer_syntax`` its bytes."""
    columns, rows = rendered.native
    x, y, width, height = rendered.region
    return {
        "window": _window(rendered),
        **_values(rendered),
        **edge_facts(view),
        "native size": f"{columns} x {rows} pixels (columns x rows){_spacing(view)}",
        **({} if (width, height) == rendered.native else {"region": f"x {x}, y {y}, {width} x {height} pixels"}),
        "picture": size(rendered.picture),
        **_scale(rendered),
        "pixels": f"{rendered.photometric_interpretation}, {uid_name(transfer_syntax)}, "
        + ("lossy compression" if rendered.lossy else "no lossy compression recorded"),
        "rendered by": "this program, from the stored frame",
    }


def _window(rendered: "Rendered") -> str:
    if rendered.window is None:
        return "none, colour as stored"
    if rendered.ends is None:
        return rendered.window
    black, white = rendered.ends
    if black == white:
        return f"{rendered.window}: up to {black:g} is black, above it white"
    return f"{rendered.window}: {black:g} is black, {white:g} is white"


def _values(rendered: "Rendered") -> dict[str, str]:
    values = rendered.values
    if values is None:
        return {}
    unit = OF_PIXELS.get(rendered.unit, rendered.unit) or "(no unit given)"
    return {"pixel values": f"{values.minimum:g} to {values.maximum:g}, mean {values.mean:g} {unit}"}


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
    """How to get from a place in the picture to the pixel of the native frame; nothing where they are the same."""
    x, y, width, height = rendered.region
    picture = rendered.picture
    if (x, y, width, height) == (0, 0, picture.width, picture.height):
        return {}
    along, down = _native("x", x, width / picture.width), _native("y", y, height / picture.height)
    return {"scale": f"native {along}, native {down}"}


def _native(axis: str, first: int, step: float) -> str:
    return f"{axis} = " + (f"{first} + " if first else "") + f"{step:.4g} * picture {axis}"


def size(picture: "Picture") -> str:
    """Size, format, and what was done to get there."""
    steps = f" ({'; '.join(picture.steps)})" if picture.steps else ""
    return f"{picture.width} x {picture.height} pixels, {picture.mime_type.removeprefix('image/')}{steps}"


def cautions(obj: DicomJson) -> tuple[str, ...]:
    """What a picture of this object must not be taken for."""
    notes = []
    columns, rows = integer(obj, "TotalPixelMatrixColumns"), integer(obj, "TotalPixelMatrixRows")
    if text(obj, "Modality") == "SM" and columns and rows:
        notes.append(
            f"This is one tile of one image of a slide, which has {columns} x {rows} pixels; the series may hold the "
            "same slide in several sizes, its label and an overview."
        )
    if any(tag.startswith("60") and tag.endswith("0010") for tag in obj):  # Overlay Rows of any group, PS3.3 C.9.2
        notes.append("The image has overlay graphics (such as marks or outlines), which are not drawn here.")
    if text(obj, "BurnedInAnnotation").upper() == "YES":
        notes.append("The pixels hold burned-in text, which may name the patient.")
    return tuple(notes)
