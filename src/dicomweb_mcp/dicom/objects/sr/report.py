"""Structured reports (PS3.3 A.35, C.17): what the document is, who stands for it, and its content tree.

Measurement groups and irradiation events become rows; the tree then leaves them out.
"""

from typing import Any

from ...codes import meaning
from ...facts import filled
from ...values import DicomJson, clean, iso_date_time, items, person_name, raw_values, text
from ..attributes import shown
from ..description import Description
from ..sop_references import evidence
from .content import Concept, children, concept, is_modifier, line, modifiers, name, relationship, value_text
from .content_tree import content_tree
from .irradiation_events import irradiation_events
from .measurements import measurement_groups

MOST_CONTEXT = 40
MOST_OBSERVERS = 20
LANGUAGE: Concept = ("121049", "DCM")
OBSERVER_TYPE: Concept = ("121005", "DCM")
OBSERVER_NAMES = {("121008", "DCM"), ("121012", "DCM"), ("121013", "DCM")}  # person; device by UID and by name
OBSERVER = {(str(code), "DCM") for code in range(121006, 121018)}

LEFT_OUT = "What is left out: get_metadata with fields=['ContentSequence'], which says what to ask for if it is long."


def describe(obj: DicomJson) -> Description:
    """A structured report of any SOP class (A.35.1 to A.35.22)."""
    described = Description(facts=_document(obj))
    context = [item for item in children(obj) if _is_context(item)][:MOST_CONTEXT]
    described.facts |= _context(context)
    table = measurement_groups(obj) or irradiation_events(obj)
    tree = content_tree(obj, told={id(item) for item in context}, apart=table.shown if table else ())
    described.text, described.notes, described.elided = tree.lines, tree.notes, tree.elided
    if table:
        described.items = table.rows
        described.facts |= table.facts
        described.notes += table.notes
        described.elided += table.elided
    if not children(obj):
        described.notes.append("No content came with the metadata: the archive may leave out what is large.")
    if described.elided:
        described.notes.append(LEFT_OUT)
    return described


def _document(obj: DicomJson) -> dict[str, Any]:
    """SR Document General (C.17.2) and the title."""
    template = items(obj, "ContentTemplateSequence")
    identifier = clean(text(template[0], "TemplateIdentifier"), 32) if template else ""
    observers = items(obj, "VerifyingObserverSequence")
    return filled(
        title=name(obj),
        **shown(
            obj,
            "CompletionFlag",
            "CompletionFlagDescription",
            "VerificationFlag",
            "PreliminaryFlag",
            "ContentDate",
            "ContentTime",
        ),
        template=f"TID {identifier}" if identifier else "",
        verifying_observers=[_verifying(item) for item in observers[:MOST_OBSERVERS]],
        predecessor_documents=sum(1 for _ in evidence(obj, "PredecessorDocumentsSequence")) or None,
    )


def _verifying(item: DicomJson) -> str:
    who = person_name((raw_values(item, "VerifyingObserverName") or [""])[0])
    when = iso_date_time(clean(text(item, "VerificationDateTime"), 32))
    return ", ".join(filter(None, (who, clean(text(item, "VerifyingOrganization"), 100), when)))


def _is_context(item: DicomJson) -> bool:
    """What holds for the whole document and fits on a line."""
    return (
        relationship(item) in ("HAS OBS CONTEXT", "HAS CONCEPT MOD")
        and bool(value_text(item))
        and all(map(is_modifier, children(item)))
    )


def _context(context: list[DicomJson]) -> dict[str, Any]:
    """Language, observers (TID 1001), and whatever else the root says of the whole document."""
    language, observers, others = "", [], []
    for item in context:
        kind = concept(item)
        if kind == LANGUAGE and not language:
            language = value_text(item, with_code=False) + modifiers(item)
        elif kind == OBSERVER_TYPE:
            observers.append([meaning(item, "ConceptCodeSequence")])
        elif kind in OBSERVER and observers:
            observers[-1].append(value_text(item, with_code=False) if kind in OBSERVER_NAMES else line(item))
        else:
            others.append(line(item) + modifiers(item))
    return filled(
        language=language,
        observers=[": ".join(filter(None, (who[0], ", ".join(who[1:])))) for who in observers],
        context=others,
    )
