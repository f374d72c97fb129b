"""Bulk annotations (PS3.3 A.87, C.37.1): groups, how many annotations of which shape, and their measurements.

Coordinates are never shown.
"""

import base64
import binascii
import math
import sys
from array import array
from typing import Any

from ..codes import coded, meaning
from ..facts import amount, filled, shared
from ..values import DicomJson, clean, element, integer, items, raw_values, text
from .attributes import shown
from .description import Description
from .sop_references import reference
from .sr.content import unit

MOST_GROUPS = 1_000
MOST_MEASUREMENTS = 50  # of one group
MOST_INLINE = 8 << 20  # characters of base64, decoded for the range of one measurement
MOST_DECODED = 32 << 20  # in all
LONGEST_PART = 200


def describe(obj: DicomJson) -> Description:
    """Microscopy bulk simple annotations."""
    groups = items(obj, "AnnotationGroupSequence")
    images = [reference(item) for item in items(obj, "ReferencedImageSequence")]
    reader = _Reader()
    described = Description(items=[_group(group, reader) for group in groups[:MOST_GROUPS]])
    counts = [row["NumberOfAnnotations"] for row in described.items if "NumberOfAnnotations" in row]
    whole = len(counts) == len(groups) and all(isinstance(count, int) for count in counts)
    described.facts = filled(
        **shown(
            obj,
            "ContentLabel",
            "ContentDescription",
            "ContentCreatorName",
            "ContentDate",
            "ContentTime",
            "AnnotationCoordinateType",
            "PixelOriginInterpretation",
            "FrameOfReferenceUID",
        ),
        ReferencedSOPInstanceUID=[found.uid for found in images[:3]],
        groups=len(groups),
        annotations=sum(counts) if whole else None,
    ) | shared(described.items, keep=("AnnotationGroupNumber",))
    if len(images) > 3:
        described.elided.append(f"{len(images) - 3} more annotated images")
    if len(groups) > MOST_GROUPS:
        described.elided.append(f"{len(groups) - MOST_GROUPS} of {len(groups)} annotation groups")
    if groups:
        described.elided.append("the coordinates of the annotations, which are never shown")
    return described


def _group(group: DicomJson, reader: "_Reader") -> dict[str, Any]:
    measured = items(group, "MeasurementsSequence")
    more = [f"and {len(measured) - MOST_MEASUREMENTS} more"] if len(measured) > MOST_MEASUREMENTS else []
    return filled(
        **shown(
            group,
            "AnnotationGroupNumber",
            "AnnotationGroupLabel",
            "AnnotationGroupDescription",
            "AnnotationGroupGenerationType",
        ),
        algorithm="; ".join(map(_algorithm, items(group, "AnnotationGroupAlgorithmIdentificationSequence")[:5])),
        category=clean(coded(group, "AnnotationPropertyCategoryCodeSequence"), LONGEST_PART),
        type=_type(group),
        anatomic_region=clean(coded(group, "AnatomicRegionSequence"), LONGEST_PART),
        **shown(group, "GraphicType", "NumberOfAnnotations"),
        optical_paths=_applies(group, "AnnotationAppliesToAllOpticalPaths", "ReferencedOpticalPathIdentifier"),
        z_planes=_applies(group, "AnnotationAppliesToAllZPlanes", "CommonZCoordinateValue"),
        measurements=[
            _measurement(item, reader, integer(group, "NumberOfAnnotations")) for item in measured[:MOST_MEASUREMENTS]
        ]
        + more,
    )


def _algorithm(item: DicomJson) -> str:
    """Name, version and family of an algorithm."""
    named = (clean(text(item, keyword), LONGEST_PART) for keyword in ("AlgorithmName", "AlgorithmVersion"))
    family = meaning(item, "AlgorithmFamilyCodeSequence")
    return " ".join(filter(None, (*named, f"({family})" if family else "")))


def _type(group: DicomJson) -> str:
    found = items(group, "AnnotationPropertyTypeCodeSequence")
    modifiers = coded(found[0], "AnnotationPropertyTypeModifierCodeSequence") if found else ""
    return clean(", ".join(filter(None, (coded(group, "AnnotationPropertyTypeCodeSequence"), modifiers))), LONGEST_PART)


def _applies(group: DicomJson, keyword: str, which: str) -> str:
    """``all``, or the values that it applies to; ``not all`` where these are not named."""
    said = text(group, keyword).upper()
    if said == "YES":
        return "all"
    named = [clean(str(value), 64) for value in raw_values(group, which)[:20]]
    return ", ".join(named) or ("not all" if said == "NO" else "")


def _measurement(item: DicomJson, reader: "_Reader", annotations: int | None) -> str:
    """``Area (um2): 500 values, 1.5..80.25, mean 30.1``. One that names no annotations has a value for each."""
    name = clean(meaning(item, "ConceptNameCodeSequence") or "measurement", LONGEST_PART)
    measured_in = unit(item)
    held = items(item, "MeasurementValuesSequence")
    said = (
        "; ".join(
            reader.values(values, None if element(values, "AnnotationIndexList") else annotations)
            for values in held[:5]
        )
        or "no values"
    )
    return f"{name}{f' ({measured_in})' if measured_in else ''}: {said}"


class _Reader:
    """Reads inline values for their range, as long as they are not too many in all."""

    def __init__(self) -> None:
        self._left = MOST_DECODED

    def values(self, item: DicomJson, due: int | None = None) -> str:
        """How many values there are (``due``: should be), their range and mean; or why that is not said."""
        held = element(item, "FloatingPointValues") or {}
        numbers = self._numbers(held)
        if numbers is None:
            return "values not read (bulk data)" if "BulkDataURI" in held else "values not read"
        finite = [value for value in numbers if math.isfinite(value)]
        said = amount(len(numbers), "value")
        if due is not None and len(numbers) < due:  # Orthanc gives the first one only
            said = f"the metadata have {len(numbers):,} of {due:,} values"
        if len(finite) < len(numbers):
            said += f" ({len(numbers) - len(finite)} of them no number)"
        if finite:
            mean = math.fsum(finite) / len(finite)
            said += f", {_short(min(finite))}..{_short(max(finite))}, mean {_short(mean)}"
        return said

    def _numbers(self, held: dict[str, Any]) -> list[float] | None:
        values, inline = held.get("Value"), held.get("InlineBinary")
        if isinstance(values, list):
            return [float(v) if isinstance(v, int | float) and abs(v) < 1e300 else math.nan for v in values]
        if not isinstance(inline, str) or len(inline) > min(MOST_INLINE, self._left):
            return None
        self._left -= len(inline)
        try:
            data = base64.b64decode(inline)
        except (binascii.Error, ValueError):
            return None
        found = array("f")
        if len(data) % found.itemsize:
            return None
        found.frombytes(data)
        if sys.byteorder == "big":
            found.byteswap()
        return found.tolist()


def _short(value: float) -> str:
    """A single-precision number: seven digits are what it holds."""
    return f"{value:.7g}"
