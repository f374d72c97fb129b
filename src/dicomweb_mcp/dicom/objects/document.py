"""Encapsulated documents (PS3.3 A.45, A.85, C.24): PDF, CDA, STL, OBJ and MTL; what they are, not what they say.

Their text is read by ``services.documents``.
"""

from ..codes import coded
from ..facts import filled
from ..values import DicomJson, clean, element, integer, items, uid_name
from .attributes import shown
from .description import Description
from .sop_references import reference, uid_of
from .sr.content import unit

MOST_SOURCES = 20
CDA = "1.2.840.10008.5.1.4.1.1.104.2"
TYPES = {
    "1.2.840.10008.5.1.4.1.1.104.1": "application/pdf",
    CDA: "text/xml",
    "1.2.840.10008.5.1.4.1.1.104.3": "model/stl",
    "1.2.840.10008.5.1.4.1.1.104.4": "model/obj",
    "1.2.840.10008.5.1.4.1.1.104.5": "model/mtl",
}


def describe(obj: DicomJson) -> Description:
    """An encapsulated document of any SOP class."""
    sources = [reference(item).uid for item in items(obj, "SourceInstanceSequence")]
    facts = shown(obj, "DocumentTitle") | filled(concept=clean(coded(obj, "ConceptNameCodeSequence"), 200))
    facts |= shown(
        obj, "MIMETypeOfEncapsulatedDocument", "ListOfMIMETypes", "ContentDescription", "VerificationFlag",
        "BurnedInAnnotation", "HL7InstanceIdentifier", "ModelModification", "ModelMirroring",
    )  # fmt: skip
    facts |= filled(
        size_bytes=size(obj),
        units=unit(obj) if items(obj, "MeasurementUnitsCodeSequence") else "",
        model_group_uid=uid_of(obj, "ModelGroupUID"),
        source_instances=sources[:MOST_SOURCES],
    )
    described = Description(facts=facts)
    if len(sources) > MOST_SOURCES:
        described.elided.append(f"{len(sources) - MOST_SOURCES} of {len(sources)} source instances")
    expected = TYPES.get(uid_of(obj, "SOPClassUID"))
    said = described.facts.get("MIMETypeOfEncapsulatedDocument")
    if expected and said and str(said).lower() != expected:
        described.notes.append(f"Its type is not the {expected} of {uid_name(uid_of(obj, 'SOPClassUID'))}.")
    return described


def size(obj: DicomJson) -> int | None:
    """Bytes of the document: what it says, else what is inline; None where only reading it would tell."""
    said = integer(obj, "EncapsulatedDocumentLength")
    if said is not None and said >= 0:
        return said
    inline = (element(obj, "EncapsulatedDocument") or {}).get("InlineBinary")
    return len(inline) // 4 * 3 - inline[-2:].count("=") if isinstance(inline, str) else None
