"""Key object selections (PS3.3 A.35.4, C.17.6; PS3.16 TID 2010): which instances are marked, as what, and why."""

from typing import Any

from ..codes import code_text
from ..facts import amount, filled
from ..values import DicomJson, items, text
from .attributes import shown
from .description import Description
from .prose import quoted
from .sop_references import SopReference, evidence
from .sr.content import Concept, children, concept, name, references, value_text, value_type, walk

MOST_UIDS = 200  # listed in all
MOST_SERIES = 200
DESCRIPTION: Concept = ("113012", "DCM")
MODIFIER: Concept = ("113011", "DCM")
REJECTED = {("113001", "DCM"), ("113037", "DCM"), ("113038", "DCM"), ("113039", "DCM")}
"""Titles that mean that the instances must not be used (IHE Imaging Object Change Management)."""


def describe(obj: DicomJson) -> Description:
    """A key object selection document."""
    known = {found.uid: found for found in evidence(obj, "CurrentRequestedProcedureEvidenceSequence")}
    named = [found for item in walk(obj) for found in references(item) if found.uid]
    described = Description(facts=_facts(obj), text=_texts(obj))
    _list(described, [_placed(found, known) for found in named])
    if concept(obj) in REJECTED:
        described.notes.append("Its title says that these instances are rejected and should not be used.")
    if astray := {found.uid for found in named} - known.keys():
        described.notes.append(f"{amount(len(astray), 'instance')} not in its evidence, so their series is not known.")
    if unmarked := len(known.keys() - {found.uid for found in named}):
        described.notes.append(f"Its evidence names {amount(unmarked, 'more instance')} that it does not mark.")
    return described


def _facts(obj: DicomJson) -> dict[str, Any]:
    modifiers = [value_text(item, with_code=False) for item in children(obj) if concept(item) == MODIFIER]
    title = items(obj, "ConceptNameCodeSequence")
    observers = [value_text(item) for item in children(obj) if value_type(item) == "PNAME"]
    return filled(
        title=code_text(title[0]) if title else name(obj),
        title_modifiers=modifiers[:10],
        **shown(obj, "ContentDate", "ContentTime"),
        observers=observers[:10],
    )


def _texts(obj: DicomJson) -> list[str]:
    """Every text of the document, the description first."""
    held = [item for item in walk(obj) if value_type(item) == "TEXT"][:50]
    held.sort(key=lambda item: concept(item) != DESCRIPTION)
    return [line for item in held for line in quoted(name(item) or "Text", text(item, "TextValue"))]


def _placed(found: SopReference, known: dict[str, SopReference]) -> SopReference:
    place = known.get(found.uid, found)
    return SopReference(found.uid, found.sop_class, found.frames, found.segments, place.series_uid, place.study_uid)


def _list(described: Description, marked: list[SopReference]) -> None:
    """A row per series, with the UIDs of its marked instances."""
    series: dict[tuple[str, str], list[SopReference]] = {}
    for found in marked:
        series.setdefault((found.study_uid, found.series_uid), []).append(found)
    studies = {study for study, _ in series}
    described.facts |= filled(
        StudyInstanceUID=next(iter(studies)) if len(studies) == 1 else "",
        marked_instances=len({found.uid for found in marked}),
        series=len(series),
    )
    left = MOST_UIDS
    for (study, uid), held in list(series.items())[:MOST_SERIES]:
        listed = list(dict.fromkeys(one.listed for one in held))
        described.items.append(
            filled(
                StudyInstanceUID=study if len(studies) > 1 else "",
                SeriesInstanceUID=uid,
                SOPClassUID=", ".join(sorted({one.class_name for one in held} - {""})),
                instances=len({one.uid for one in held}),
                SOPInstanceUID=listed[:left],
            )
        )
        left -= len(listed[:left])
    if len(series) > MOST_SERIES:
        described.elided.append(f"{len(series) - MOST_SERIES} of {len(series)} series")
    if len(marked) > MOST_UIDS - left:
        described.elided.append("UIDs of further instances: get_metadata with fields=['ContentSequence']")
