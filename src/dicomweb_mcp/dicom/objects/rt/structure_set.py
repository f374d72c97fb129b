"""RT structure sets (PS3.3 A.19, C.8.8.5, C.8.8.6, C.8.8.8): their regions of interest, measured by their contours."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ...facts import few, filled, rounded, shared, significant, span
from ...values import DicomJson, clean, integer, items, numbers, text
from ..attributes import codes, cut, rows, shown
from ..description import Description
from .contours import Contour, Malformed, Stacked, contour_of, stacked

MOST_POINTS = 1_000_000  # measured of one object
SMALLEST = 20  # points that a contour counts for at least
CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
RANGES = {(1.0, 0.0, 0.0): "x_mm", (0.0, 1.0, 0.0): "y_mm", (0.0, 0.0, 1.0): "z_mm"}
OWN = ("ROINumber", "ROIName", "contours", "slices", "estimated_volume_cm3")  # stay in the row of a ROI

ESTIMATE = "estimated_volume_cm3: the area inside the contours, plane by plane, times the usual distance of the planes."
NO_CONTOURS = "ROIs without contours: {}."
TOO_MANY = "ROIs not measured, because the object has too many contours: {}."
UNREADABLE = "ROIs without volume, because some of their contours cannot be read: {}."
NOT_STACKED = "ROIs without volume, because their contours do not lie in parallel planes or have no area: {}."
MIXED = "ROIs whose volume is that of their closed contours only: {}."
UNEVEN = "ROIs with unevenly spaced planes (gaps, or planes left out), so that the volume is a rough one: {}."
REPEATED = "ROIs with the same contour several times, counted once: {}."
CANCELLED = "ROIs with the same CLOSEDPLANAR_XOR contour several times, of which two cancel one another: {}."
CROSSED = "ROIs with contours inside or across others on one plane; what is covered twice counts as a hole: {}."


def describe(obj: DicomJson) -> Description:
    """The structure set and a row for each ROI."""
    observed = _by_number(items(obj, "RTROIObservationsSequence"))
    drawn = _by_number(items(obj, "ROIContourSequence"))
    survey = Survey()
    table = []
    for region in rows(obj, "StructureSetROISequence"):
        number = integer(region, "ROINumber")
        table.append(_named(region, observed.get(number, ())) | survey.of(number, drawn.get(number, ())))
    facts = shown(
        obj, "StructureSetLabel", "StructureSetName", "StructureSetDescription", "StructureSetDate",
        "StructureSetTime", "ApprovalStatus", "ReviewDate", "ReviewTime", "ReviewerName",
    )  # fmt: skip
    facts["rois"] = len(items(obj, "StructureSetROISequence"))
    facts |= _shared_spacing(table)
    facts |= filled(all_rois=shared(table, keep=OWN))
    known = [integer(region, "ROINumber") for region in items(obj, "StructureSetROISequence")]
    return Description(
        facts=facts,
        items=table,
        notes=[*_mismatches(known, observed, drawn), *_spaces(obj), *survey.notes(table)],
        elided=cut(obj, "StructureSetROISequence", "ROIName", "ROIs"),
    )


def _by_number(found: list[DicomJson]) -> dict[int | None, list[DicomJson]]:
    grouped: dict[int | None, list[DicomJson]] = defaultdict(list)
    for item in found:
        grouped[integer(item, "ReferencedROINumber")].append(item)
    return dict(grouped)


def _named(region: DicomJson, observations: Iterable[DicomJson]) -> dict[str, Any]:
    """What a ROI is called and said to be; a label or description that only repeats the name is left out."""
    row = shown(region, "ROINumber", "ROIName", "ROIDescription", "ROIGenerationAlgorithm", "ROIVolume")
    for observation in observations:
        said = shown(observation, "RTROIInterpretedType", "ROIObservationLabel", "ROIObservationDescription")
        row = said | codes(observation, "RTROIIdentificationCodeSequence") | row
    for keyword in ("ROIDescription", "ROIObservationLabel", "ROIObservationDescription"):
        if row.get(keyword) == row.get("ROIName"):
            row.pop(keyword, None)
    return {name: row[name] for name in ("ROINumber", "ROIName") if name in row} | row


def _shared_spacing(table: list[dict[str, Any]]) -> dict[str, Any]:
    """The spacing of the planes, taken out of the rows when all ROIs that have one have the same."""
    spacings = {row["plane_spacing_mm"] for row in table if "plane_spacing_mm" in row}
    if len(spacings) != 1:
        return {}
    for row in table:
        row.pop("plane_spacing_mm", None)
    return {"plane_spacing_mm": spacings.pop()}


def _mismatches(known: list[int | None], observed: Iterable[int | None], drawn: Iterable[int | None]) -> list[str]:
    """How the sequences of ROIs, observations and contours disagree, as sentences."""
    notes = []
    repeated = [number for number, count in Counter(known).items() if count > 1 and number is not None]
    if repeated:
        notes.append(f"Not conformant: several ROIs have the number {few(repeated)}, so what belongs to which is open.")
    if None in known:
        notes.append(f"Not conformant: {known.count(None)} ROIs have no number, so nothing can refer to them.")
    there = set(known) - {None}
    for numbered, what in ((observed, "observations"), (drawn, "contours")):
        if strange := [number for number in numbered if number not in there]:
            named = few([_number(number) for number in strange])
            notes.append(f"Not conformant: there are {what} for ROI number {named}, which no ROI has.")
    return notes


def _spaces(obj: DicomJson) -> list[str]:
    """Whether the positions of the ROIs can be compared."""
    frames = {text(region, "ReferencedFrameOfReferenceUID") for region in items(obj, "StructureSetROISequence")} - {""}
    if len(frames) < 2:
        return []
    return [f"The ROIs lie in {len(frames)} frames of reference, so positions of different ROIs may not compare."]


def _number(number: int | None) -> str:
    return "none" if number is None else clean(str(number), 20)


@dataclass
class Survey:
    """Measures the contours of one ROI after the other; gathers what is unusual, and of which ROIs."""

    points: int = 0
    unusual: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def of(self, number: int | None, drawn: Iterable[DicomJson]) -> dict[str, Any]:
        """The part of a row that the contours of one ROI give."""
        roi = _number(number)
        drawn = () if number is None else drawn
        row: dict[str, Any] = {}
        contours: list[DicomJson] = []
        for item in drawn:
            row |= filled(ROIDisplayColor=display_colour(item))
            contours += items(item, "ContourSequence")
        row["contours"] = len(contours)
        if not contours:
            self.unusual[NO_CONTOURS].append(roi)
            return row
        kinds = [text(contour, "ContourGeometricType") for contour in contours]
        if set(kinds) != {"CLOSED_PLANAR"}:
            row["ContourGeometricType"] = few(
                [clean(f"{kind or 'none'} ({n:,})") for kind, n in Counter(kinds).items()]
            )
        read = self._read(roi, contours)
        if set(kinds) == {"POINT"}:
            return row | _places(read)
        if len(read) < len(contours):
            return row
        plain, xor = ([contour for contour, kind in zip(read, kinds, strict=True) if kind == one] for one in CLOSED)
        if 0 < len(plain) + len(xor) < len(contours):
            self.unusual[MIXED].append(roi)
        return row | (self._measured(roi, plain, xor) if plain or xor else {})

    def _read(self, roi: str, contours: list[DicomJson]) -> list[Contour]:
        """The points of the contours, unless there are too many; those that cannot be read are missing."""
        found: list[Contour] = []
        wrong: Counter[str] = Counter()
        for contour in contours:
            if self.points > MOST_POINTS:
                self.unusual[TOO_MANY].append(roi)
                return []
            try:
                read = contour_of(contour)
            except Malformed as problem:
                wrong[str(problem)] += 1
                continue
            self.points += max(len(read), SMALLEST)
            found.append(read)
            if integer(contour, "NumberOfContourPoints", len(read)) != len(read):
                wrong["other points than NumberOfContourPoints says"] += 1
        for reason, count in wrong.items():
            self.unusual[f"Contours with {reason}, by ROI: {{}}."].append(f"{roi} ({count:,} of {len(contours):,})")
        if len(found) < len(contours):
            self.unusual[UNREADABLE].append(roi)
        return found

    def _measured(self, roi: str, plain: list[Contour], xor: list[Contour]) -> dict[str, Any]:
        """Where closed contours lie, and how much they hold. One that is there again was written twice, unless it is to
        be combined by XOR (PS3.3 C.8.8.6)."""
        once = {contour.outline: contour for contour in plain}
        if again := len(plain) - len(once):
            self.unusual[REPEATED].append(f"{roi} ({again:,} times)")
        if again := len(xor) - len({contour.outline for contour in xor}):
            self.unusual[CANCELLED].append(f"{roi} ({again:,} times)")
        planes = stacked([*once.values(), *xor])
        if planes is None:
            self.unusual[NOT_STACKED].append(roi)
            return {}
        if planes.crossed:
            self.unusual[CROSSED].append(f"{roi} ({planes.crossed} of {len(planes.positions)} planes)")
        if planes.uneven:
            self.unusual[UNEVEN].append(f"{roi} ({span(planes.gaps)} mm)")
        return _size(planes)

    def notes(self, table: list[dict[str, Any]]) -> list[str]:
        """What was unusual, as sentences."""
        estimated = [ESTIMATE] if any("estimated_volume_cm3" in row for row in table) else []
        return estimated + [sentence.format(few(rois)) for sentence, rois in self.unusual.items()]


def _size(planes: Stacked) -> dict[str, Any]:
    direction = RANGES.get(planes.normal)
    size: dict[str, Any] = {"slices": len(planes.positions), direction or "along_normal_mm": span(planes.positions)}
    if direction is None:
        size["normal"] = ", ".join(str(rounded(part, 4)) for part in planes.normal)
    if planes.spacing is None or planes.volume_mm3 is None:
        return size | {"area_cm2": significant(planes.areas[0] / 100)}
    return size | {
        "plane_spacing_mm": rounded(planes.spacing, 3),
        "estimated_volume_cm3": significant(planes.volume_mm3 / 1000),
    }


def display_colour(item: DicomJson) -> str:
    """``#ff8000`` of ROIDisplayColor; empty when it is none."""
    parts = numbers(item, "ROIDisplayColor")
    if len(parts) != 3 or not all(0 <= part <= 255 for part in parts):
        return ""
    return "#" + "".join(f"{int(part):02x}" for part in parts)


def _places(points: list[Contour]) -> dict[str, Any]:
    """The place of a point, or the first few places."""
    places = [
        [rounded(value) for value in place]
        for contour in points[:10]
        for place in zip(contour.x, contour.y, contour.z, strict=True)
    ][:10]
    return filled(point_mm=places[0] if len(places) == 1 else places)
