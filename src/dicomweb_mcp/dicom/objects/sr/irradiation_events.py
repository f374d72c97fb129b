"""Radiation dose reports (PS3.16 TID 10001, 10011): a row for each irradiation event, accumulated doses as facts."""

from typing import Any

from ...facts import shared
from ...values import DicomJson, clean
from .content import LONGEST_PART, Concept, children, concept, containers, name, value_text, value_type, walk
from .table import MOST_ROWS, Table

MOST_ACCUMULATED = 40
CT_EVENT: Concept = ("113819", "DCM")  # CT Acquisition
EVENTS = {CT_EVENT, ("113706", "DCM")}  # the second: Irradiation Event X-Ray Data
ACCUMULATED = {("113811", "DCM"), ("113702", "DCM")}  # CT Accumulated Dose Data, Accumulated X-Ray Dose Data
COLUMNS = {
    "111526": "started",
    "125203": "protocol",
    "123014": "target_region",
    "113820": "ct_acquisition_type",
    "113721": "event_type",
    "113764": "plane",
    "113830": "mean_ctdi_vol",
    "113835": "phantom",
    "113838": "dlp",
    "113930": "size_specific_dose_estimate",
    "122130": "dose_area_product",
    "113738": "dose_rp",
    "111631": "average_glandular_dose",
    "113733": "kvp",
    "113825": "scanning_length",
}
"""Concepts of the DCM scheme that a row shows; of several of one concept in an event all values stand there."""


def irradiation_events(root: DicomJson) -> Table | None:
    """The irradiation events of a dose report; None when it has none."""
    events = containers(root, EVENTS, closed=EVENTS)
    if not events:
        return None
    table = Table(shown=set(map(id, events)))
    table.rows = [{"event": number} | _columns(event) for number, event in enumerate(events[:MOST_ROWS], 1)]
    common = shared(table.rows, keep=("event",)) if len(events) <= MOST_ROWS else {}
    table.facts = {"irradiation_events": len(events)} | _accumulated(root) | common
    table.elided.append("further parameters of the irradiation events")
    if len(events) > MOST_ROWS:
        table.elided.append(f"{len(events) - MOST_ROWS} of {len(events)} irradiation events")
    return table


def _columns(event: DicomJson) -> dict[str, str]:
    """The main values of one event, in the order of COLUMNS."""
    found: dict[str, list[str]] = {}
    for item in walk(event):
        code, scheme = concept(item)
        if scheme == "DCM" and code in COLUMNS and (value := value_text(item, with_code=False)):
            found.setdefault(COLUMNS[code], []).append(value)
    return {
        column: clean(", ".join(dict.fromkeys(found[column])), LONGEST_PART)
        for column in COLUMNS.values()
        if column in found
    }


def _accumulated(root: DicomJson) -> dict[str, Any]:
    """What the report adds up itself: all numbers of its accumulated dose containers."""
    found = [
        f"{name(item)}: {value_text(item)}"
        for holder in containers(root, ACCUMULATED, closed=EVENTS)
        for item in children(holder)
        if value_type(item) == "NUM"
    ]
    return {"accumulated": found[:MOST_ACCUMULATED]} if found else {}
