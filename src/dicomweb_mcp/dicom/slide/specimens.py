"""What is on the glass, and what was done to it (PS3.3 C.7.6.22)."""

from collections.abc import Iterator
from typing import Any

from ..acquisition.microscopy import CONCEPTS, MOST_STEPS
from ..codes import coded, meaning
from ..facts import few, filled, rounded
from ..objects.attributes import shown
from ..values import DicomJson, clean, items, number, text

MOST_SPECIMENS = 12
MOST_LISTED = 6
LONGEST = 120  # characters of one text
NAMES = {"fixative": "fixation", "embedding": "embedding", "stain": "stain"}
PROCESSING, IDENTIFIER = ("111701", "P3-05000"), ("121041", "121039")
TOLD = {"9265001", "127790008"}  # specimen processing and staining say no more than what was used for it
DEVICE = ("ContainerIdentifier", "ImagedVolumeWidth", "ImagedVolumeHeight", "Manufacturer", "ManufacturerModelName")


def slide_facts(obj: DicomJson) -> dict[str, Any]:
    """What holds for the whole slide; of several specimens a row for each under ``specimens``."""
    described = items(obj, "SpecimenDescriptionSequence")
    specimens = [_specimen(item) for item in described[:MOST_SPECIMENS]]
    facts = specimens[0] if len(specimens) == 1 else filled(specimens=specimens)
    depth = shown(obj, "ExtendedDepthOfField")
    return {**facts, **shown(obj, *DEVICE), **_position(obj), **(depth if "YES" in depth.values() else {})}


def specimen_count(obj: DicomJson) -> int:
    return len(items(obj, "SpecimenDescriptionSequence"))


def _position(obj: DicomJson) -> dict[str, Any]:
    """Of the top left corner, in the coordinates of the slide; and how rows and columns run in them."""
    for origin in items(obj, "TotalPixelMatrixOriginSequence")[:1]:
        place = [number(origin, f"{axis}OffsetInSlideCoordinateSystem") for axis in "XY"]
        known = [rounded(value, 4) for value in place if value is not None]
        return filled(origin_on_slide_mm=known if len(known) == 2 else None, **shown(obj, "ImageOrientationSlide"))
    return {}


def _specimen(item: DicomJson) -> dict[str, Any]:
    used: dict[str, dict[str, None]] = {name: {} for name in NAMES.values()}
    others: dict[str, None] = {}
    for step in items(item, "SpecimenPreparationSequence")[:MOST_STEPS]:
        others |= dict.fromkeys(_other_steps(step, used))
    return filled(
        SpecimenIdentifier=clean(text(item, "SpecimenIdentifier"), LONGEST),
        SpecimenShortDescription=clean(text(item, "SpecimenShortDescription"), LONGEST),
        SpecimenTypeCodeSequence=clean(coded(item, "SpecimenTypeCodeSequence"), LONGEST),
        PrimaryAnatomicStructureSequence=clean(coded(item, "PrimaryAnatomicStructureSequence"), LONGEST),
        **{name: few(list(values), MOST_LISTED) for name, values in used.items()},
        preparation=few(list(others), MOST_LISTED),
    )


def _other_steps(step: DicomJson, used: dict[str, dict[str, None]]) -> Iterator[str]:
    """What a step says besides fixation, embedding and stain, which it adds to ``used``."""
    kind, details = "", []
    for content in items(step, "SpecimenPreparationStepContentItemSequence")[:MOST_STEPS]:
        name = next((text(code, "CodeValue") for code in items(content, "ConceptNameCodeSequence")[:1]), "")
        value = clean(coded(content, "ConceptCodeSequence") or text(content, "TextValue"), LONGEST)
        if name in PROCESSING:
            codes = items(content, "ConceptCodeSequence")[:1]
            kind = "" if codes and text(codes[0], "CodeValue") in TOLD else value
        elif told := NAMES.get(CONCEPTS.get(name, "")):
            used[told] |= {value: None} if value else {}
        elif value and name not in IDENTIFIER:
            details.append(f"{meaning(content, 'ConceptNameCodeSequence')} {value}".strip())
    words = ": ".join(filter(None, (kind, ", ".join(details[:MOST_LISTED]))))
    if words:
        yield clean(words, 2 * LONGEST)
