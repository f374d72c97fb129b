"""Real world value mappings (PS3.3 A.46, C.7.6.16.2.11): what stored values mean, in which unit."""

from collections import Counter
from typing import Any

from ..codes import coded, meaning
from ..facts import few, filled, shared
from ..values import DicomJson, clean, items, raw_values, text, uid_name
from .attributes import MOST_REFERENCES, MOST_ROWS, shown
from .description import Description

RANGES = (
    ("RealWorldValueFirstValueMapped", "RealWorldValueLastValueMapped"),
    ("DoubleFloatRealWorldValueFirstValueMapped", "DoubleFloatRealWorldValueLastValueMapped"),
)


def describe(obj: DicomJson) -> Description:
    """The images that are mapped, with a row for each mapping."""
    table: list[dict[str, Any]] = []
    classes: Counter[str] = Counter()
    for item in items(obj, "ReferencedImageRealWorldValueMappingSequence"):
        images = items(item, "ReferencedImageSequence")
        classes.update(clean(uid_name(text(image, "ReferencedSOPClassUID")), 64) for image in images)
        mappings = items(item, "RealWorldValueMappingSequence")
        table += [{"images": len(images)} | mapping(found) for found in mappings]
    series = [clean(text(item, "SeriesInstanceUID"), 64) for item in items(obj, "ReferencedSeriesSequence")]
    facts = shown(obj, "ContentLabel", "ContentDescription", "ContentDate", "ContentTime", "ContentCreatorName")
    facts |= filled(
        mapped_images=few([f"{count:,} {name or 'of unknown class'}" for name, count in classes.items()]),
        ReferencedSeriesSequence=few([uid for uid in series if uid], MOST_REFERENCES),
        all_mappings=shared(table),
    )
    more = len(table) - MOST_ROWS
    return Description(
        facts=facts,
        items=[row for row in table[:MOST_ROWS] if row],
        notes=[] if table else ["The object has no mapping."],
        elided=[f"{more:,} more mappings."] if more > 0 else [],
    )


def mapping(item: DicomJson) -> dict[str, Any]:
    """One item of RealWorldValueMappingSequence: a line by slope and intercept, or a table."""
    row = shown(item, "LUTLabel", "LUTExplanation")
    row |= filled(units=clean(coded(item, "MeasurementUnitsCodeSequence")))
    if row.get("LUTExplanation") and f"{row['LUTExplanation']} (" in row.get("units", ""):
        del row["LUTExplanation"]  # most writers repeat the unit
    for first, last in RANGES:
        ends = shown(item, first, last)
        if len(ends) == 2:
            row["stored_values"] = f"{ends[first]}..{ends[last]}"
    row |= shown(item, "RealWorldValueSlope", "RealWorldValueIntercept")
    table = len(raw_values(item, "RealWorldValueLUTData"))
    defined = [_definition(found) for found in items(item, "QuantityDefinitionSequence")]
    return row | filled(table_entries=table or None, quantity=few([words for words in defined if words]))


def _definition(item: DicomJson) -> str:
    """``Quantity: Standardized Uptake Value``: one content item of the definition."""
    name = meaning(item, "ConceptNameCodeSequence")
    value = coded(item, "ConceptCodeSequence") or " ".join(str(part) for part in _number(item)) or _text(item)
    return clean(": ".join(part for part in (name, value) if part))


def _number(item: DicomJson) -> list[Any]:
    value = shown(item, "NumericValue").values()
    return [*value, meaning(item, "MeasurementUnitsCodeSequence")] if value else []


def _text(item: DicomJson) -> str:
    return text(item, "TextValue") or text(item, "UID")
