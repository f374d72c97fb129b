"""Presentation states (PS3.3 A.33, C.11): what they show of which images, and what is written and drawn over them."""

from collections import Counter
from typing import Any

from ..facts import amount, filled, first_few
from ..values import DicomJson, clean, element, element_at, integer, items, numbers, plain, plain_value, text, uid_name
from .attributes import shown
from .description import Description
from .presentation_images import MOST_SERIES, blended, inputs, shown_series
from .prose import quoted
from .sop_references import reference

MOST_TEXTS = 500
MOST_ANNOTATIONS = 5_000
MOST_WINDOWS = 20
MOST_AREAS = 20
MOST_LAYERS = 50
TRANSFORMATIONS = (
    "ImageRotation",
    "ImageHorizontalFlip",
    "PresentationLUTShape",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "RelativeOpacity",
    "PixelPresentation",
    "MultiPlanarReconstructionStyle",
    "MPRThicknessType",
    "MPRSlabThickness",
    "ThreeDRenderingType",
    "RenderingMethod",
)


def describe(obj: DicomJson) -> Description:
    """A grayscale, color, pseudo-color, blending, XA/XRF or volumetric presentation state."""
    described = Description()
    described.facts = shown(
        obj,
        "ContentLabel",
        "ContentDescription",
        "ContentCreatorName",
        "PresentationCreationDate",
        "PresentationCreationTime",
    ) | filled(
        windows=_limited([_window(item) for item in items(obj, "SoftcopyVOILUTSequence")], MOST_WINDOWS),
        displayed_areas=_limited([_area(item) for item in items(obj, "DisplayedAreaSelectionSequence")], MOST_AREAS),
        **_transformations(obj),
        shutter=_shutter(obj),
        mask=_limited([_mask(item) for item in items(obj, "MaskSubtractionSequence")], MOST_AREAS),
        layers=_limited([_layer(item) for item in items(obj, "GraphicLayerSequence")], MOST_LAYERS),
        overlays=_overlays(obj),
    )
    described.items = shown_series(obj) + blended(obj) + inputs(obj)
    _annotations(obj, described)
    if not described.items:
        described.notes.append("It names no images.")
    if (left := len(items(obj, "ReferencedSeriesSequence")) - MOST_SERIES) > 0:
        described.elided.append(f"{amount(left, 'further series', 'further series')}")
    return described


def _limited(found: list[str], most: int) -> list[str]:
    """The different ones in their order, with their number where one holds several times."""
    counted = Counter(filter(None, found))
    said = [f"{one} (× {count})" if count > 1 else one for one, count in counted.items()]
    return first_few(said, most)


def _applies(item: DicomJson) -> str:
    """To which of the images an item applies; empty for all of them."""
    found = [reference(image) for image in items(item, "ReferencedImageSequence")]
    if len(found) == 1:
        return f" for {found[0].uid}{f', {found[0].parts}' if found[0].parts else ''}"
    return f" for {len(found)} images" if found else ""


def _window(item: DicomJson) -> str:
    """``center 40, width 400 (SOFT TISSUE)``, or that a table takes its place."""
    centers, widths = numbers(item, "WindowCenter"), numbers(item, "WindowWidth")
    explained = plain_value(item, "WindowCenterWidthExplanation")
    names = explained if isinstance(explained, list) else [explained]
    said = [
        f"center {center:.10g}, width {width:.10g}"
        + (f" ({names[place]})" if names[place : place + 1] not in ([], [None]) else "")
        for place, (center, width) in enumerate(zip(centers[:5], widths[:5], strict=False))
    ]
    if items(item, "VOILUTSequence"):
        said.append("VOI lookup table")
    function = clean(text(item, "VOILUTFunction"), 16)
    if said and function and function != "LINEAR":
        said[-1] += f" ({function})"
    return "; ".join(said) + _applies(item) if said else ""


def _area(item: DicomJson) -> str:
    """The part of the image that is displayed (C.10.4), and how large."""
    corners = [
        numbers(item, keyword) for keyword in ("DisplayedAreaTopLeftHandCorner", "DisplayedAreaBottomRightHandCorner")
    ]
    if not all(len(corner) == 2 for corner in corners):
        return ""
    (left, top), (right, bottom) = corners
    said = f"columns {left:.10g} to {right:.10g}, rows {top:.10g} to {bottom:.10g}"
    mode = clean(text(item, "PresentationSizeMode"), 16)
    ratio = numbers(item, "PresentationPixelMagnificationRatio")
    if mode == "MAGNIFY" and ratio:
        mode = f"MAGNIFY by {ratio[0]:.6g}"
    return said + (f", {mode}" if mode else "") + _applies(item)


def _transformations(obj: DicomJson) -> dict[str, Any]:
    """Rotation, flip and lookup tables."""
    found = shown(obj, *TRANSFORMATIONS)
    for keyword, words in (("PresentationLUTSequence", "presentation"), ("ModalityLUTSequence", "modality")):
        if items(obj, keyword):
            found[f"{words}_lut"] = "a lookup table"
    palette = text(obj, "PaletteColorLookupTableUID")
    if palette or element(obj, "RedPaletteColorLookupTableDescriptor") is not None:
        found["palette"] = clean(uid_name(palette), 100) if palette else "color lookup table"
    if text(obj, "ImageHorizontalFlip") != "Y":
        found.pop("ImageHorizontalFlip", None)
    if not integer(obj, "ImageRotation"):
        found.pop("ImageRotation", None)
    return found


def _shutter(obj: DicomJson) -> str:
    """Which shutters hide what lies outside of them (C.7.6.11, C.7.6.15)."""
    shapes = plain_value(obj, "ShutterShape")
    said = ", ".join(map(str, first_few(shapes))) if isinstance(shapes, list) else str(shapes or "")
    group = clean(text(obj, "ShutterOverlayGroup"), 16)
    return said + (f" (overlay group {group})" if said and group else "")


def _mask(item: DicomJson) -> str:
    operation = clean(text(item, "MaskOperation"), 16)
    frames = numbers(item, "MaskFrameNumbers")[:20]
    listed = ", ".join(f"{frame:.10g}" for frame in frames)
    return operation + (f" with mask frames {listed}" if listed else "") if operation else ""


def _layer(item: DicomJson) -> str:
    name, description = clean(text(item, "GraphicLayer"), 64), clean(text(item, "GraphicLayerDescription"), 200)
    return f"{name}: {description}" if description else name


def _overlays(obj: DicomJson) -> list[str]:
    """Overlay planes of the state itself (groups 60xx), with the layer in which they are shown."""
    found = []
    for group in range(0x6000, 0x6020, 2):
        rows, columns, layer = (element_at(obj, f"{group:04X}{place}") for place in ("0010", "0011", "1001"))
        if rows or columns or layer:
            size = f"{plain(columns or {})} x {plain(rows or {})}" if rows and columns else ""
            name = plain(layer or {})
            found.append(" ".join(filter(None, (f"{group:04X}:", size, f"in layer {name}" if name else "hidden"))))
    return found


def _annotations(obj: DicomJson, described: Description) -> None:
    """The texts as lines, the graphics as counts by layer and type."""
    held = items(obj, "GraphicAnnotationSequence")
    graphics: dict[str, Counter[str]] = {}
    texts = 0
    for annotation in held[:MOST_ANNOTATIONS]:
        layer = clean(text(annotation, "GraphicLayer"), 64) or "(no layer)"
        drawn = graphics.setdefault(layer, Counter())
        drawn.update(
            clean(text(item, "GraphicType"), 32) or "graphic" for item in items(annotation, "GraphicObjectSequence")
        )
        drawn.update(
            clean(text(item, "CompoundGraphicType"), 32) or "graphic"
            for item in items(annotation, "CompoundGraphicSequence")
        )
        for item in items(annotation, "TextObjectSequence"):
            texts += 1
            if texts <= MOST_TEXTS:
                described.text += quoted(layer + _applies(annotation), text(item, "UnformattedTextValue"))
    described.facts |= filled(
        graphics=[
            f"{layer}: {', '.join(f'{count} {shape}' for shape, count in drawn.most_common(20))}"
            for layer, drawn in list(graphics.items())[:MOST_LAYERS]
            if drawn
        ],
        texts=texts or None,
    )
    if texts > MOST_TEXTS:
        described.elided.append(f"{texts - MOST_TEXTS} of {texts} texts")
    if len(held) > MOST_ANNOTATIONS:
        described.elided.append(f"{amount(len(held) - MOST_ANNOTATIONS, 'graphic annotation')}")
    if any(graphics.values()):
        described.elided.append("the coordinates of graphics: get_metadata with fields=['GraphicAnnotationSequence']")
