"""Whole-slide microscopy (PS3.3 C.8.12 and C.7.6.22): pixels, optics, specimen, preparation."""

from ..values import numbers
from .reading import Reading, shown
from .tables import SLIDE

SLIDE_FIELDS = (
    "PixelSpacing",
    "TotalPixelMatrixColumns",
    "TotalPixelMatrixRows",
    "OpticalPathSequence",
    "SpecimenDescriptionSequence",
)
CONCEPTS = {
    "424361007": "stain",  # using substance, in SCT and as it was before
    "G-C350": "stain",
    "430863003": "embedding",
    "F-6221A": "embedding",
    "430864009": "fixative",
    "F-6221B": "fixative",
}
MOST_STEPS = 50  # of the preparation of a specimen


def slide_microscopy(reading: Reading) -> list[str]:
    """The phrases on a whole-slide image."""
    size = ", ".join(filter(None, [_matrix(reading), _pixels(reading)]))
    return list(filter(None, [size, *reading.phrases(SLIDE), *_optics(reading), *_specimens(reading)]))


def _matrix(reading: Reading) -> str:
    if words := reading.varying.get("TotalPixelMatrixColumns"):
        return f"columns {words}"
    columns, rows = reading.positive("TotalPixelMatrixColumns"), reading.positive("TotalPixelMatrixRows")
    return f"{shown(columns)} x {shown(rows)} pixels" if columns and rows else ""


def _pixels(reading: Reading) -> str:
    """PixelSpacing is in mm; pixels of slides are in um. Of a pyramid it is said of which level they are."""
    if words := reading.varying.get("PixelSpacing"):
        return f"pixel spacing {words}"
    spacing = numbers(reading.view, "PixelSpacing")
    if len(spacing) != 2 or min(spacing) <= 0:
        return ""
    sizes = list(dict.fromkeys(f"{value * 1000:.4g}" for value in spacing))
    columns = reading.positive("TotalPixelMatrixColumns")
    level = f" at {shown(columns)} columns" if columns and "TotalPixelMatrixColumns" in reading.varying else ""
    return f"pixels of {' x '.join(sizes)} um{level}"


def _optics(reading: Reading) -> list[str]:
    said = []
    for path in reading.items("OpticalPathSequence"):
        power = path.positive("ObjectiveLensPower")
        parts = [
            path.text("OpticalPathDescription"),
            f"objective {shown(power)}x" if power else "",
            path.meaning("IlluminationTypeCodeSequence"),
        ]
        said.append(", ".join(filter(None, parts)))
    named = list(dict.fromkeys(filter(None, said)))
    return [f"optical path {path}" for path in named]


def _specimens(reading: Reading) -> list[str]:
    """Of each specimen: what it is, and how it was fixed, embedded and stained."""
    said = []
    for specimen in reading.items("SpecimenDescriptionSequence"):
        found: dict[str, dict[str, None]] = {"fixative": {}, "embedding": {}, "stain": {}}
        for name, value in _steps(specimen):
            found[name][value] = None
        parts = [
            specimen.meaning("SpecimenTypeCodeSequence"),
            specimen.meaning("PrimaryAnatomicStructureSequence"),
            *(f"{name} {', '.join(values)}" for name, values in found.items() if values),
        ]
        said.append(", ".join(filter(None, parts)))
    return [f"specimen {specimen}" for specimen in dict.fromkeys(filter(None, said))]


def _steps(specimen: Reading) -> list[tuple[str, str]]:
    """What the preparation steps used: (stain, hematoxylin stain), ..."""
    found = []
    for step in specimen.items("SpecimenPreparationSequence", MOST_STEPS):
        for item in step.items("SpecimenPreparationStepContentItemSequence", MOST_STEPS):
            for concept in item.items("ConceptNameCodeSequence"):
                name = CONCEPTS.get(concept.text("CodeValue"))
                value = item.meaning("ConceptCodeSequence") or item.text("TextValue")
                if name and value:
                    found.append((name, value))
    return found
