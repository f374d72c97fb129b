"""RT treatment records and the treatment summary (PS3.3 A.29-A.31, A.50): what was delivered, and how it ended."""

from typing import Any

from ...facts import filled, shared
from ...values import DicomJson, items, text
from ..attributes import MOST_LISTED, cut, referenced, rows, shown
from ..description import Description

SESSIONS = (
    "TreatmentSessionBeamSequence", "TreatmentSessionIonBeamSequence", "TreatmentSessionApplicationSetupSequence",
)  # fmt: skip
EARLY = ("OPERATOR", "MACHINE")


def describe(obj: DicomJson) -> Description:
    """The session or the summary, with a row for each beam or application setup delivered."""
    sequence = next((keyword for keyword in SESSIONS if items(obj, keyword)), SESSIONS[0])
    delivered = [_delivered(item) for item in rows(obj, sequence)]
    facts = shown(
        obj, "TreatmentDate", "TreatmentTime", "ReferencedFractionGroupNumber", "NumberOfFractionsPlanned",
        "PrimaryDosimeterUnit", "CurrentTreatmentStatus", "TreatmentStatusComment", "FirstTreatmentDate",
        "MostRecentTreatmentDate", "BrachyTreatmentTechnique", "BrachyTreatmentType",
    )  # fmt: skip
    facts |= filled(
        machines=[
            shown(item, "TreatmentMachineName", "Manufacturer", "InstitutionName", "ManufacturerModelName")
            for item in rows(obj, "TreatmentMachineSequence", MOST_LISTED)
        ],
        fraction_groups=[_summary(item) for item in rows(obj, "FractionGroupSummarySequence", MOST_LISTED)],
        doses=[_dose(item) for item in rows(obj, "TreatmentSummaryCalculatedDoseReferenceSequence", MOST_LISTED)],
    )
    facts |= referenced(obj, "ReferencedRTPlanSequence", "ReferencedTreatmentRecordSequence")
    keep = ("ReferencedBeamNumber", "BeamName", "DeliveredPrimaryMeterset", "SpecifiedPrimaryMeterset")
    facts |= filled(all_beams=shared(delivered, keep=keep))
    return Description(
        facts=facts,
        items=delivered,
        notes=_endings(obj, sequence),
        elided=[
            *cut(obj, sequence, "BeamName", "beams"),
            *cut(obj, "FractionGroupSummarySequence", "ReferencedFractionGroupNumber", "fraction groups", MOST_LISTED),
        ],
    )


def _delivered(item: DicomJson) -> dict[str, Any]:
    return shown(
        item, "ReferencedBeamNumber", "BeamName", "ReferencedBrachyApplicationSetupNumber", "ApplicationSetupType",
        "BeamType", "RadiationType", "TreatmentDeliveryType", "CurrentFractionNumber", "SpecifiedPrimaryMeterset",
        "DeliveredPrimaryMeterset", "SpecifiedTreatmentTime", "DeliveredTreatmentTime", "TreatmentTerminationStatus",
        "TreatmentTerminationCode", "TreatmentVerificationStatus",
    )  # fmt: skip


def _summary(item: DicomJson) -> dict[str, Any]:
    return shown(
        item, "ReferencedFractionGroupNumber", "FractionGroupType", "NumberOfFractionsPlanned",
        "NumberOfFractionsDelivered",
    )  # fmt: skip


def _dose(item: DicomJson) -> dict[str, Any]:
    return shown(item, "ReferencedDoseReferenceNumber", "DoseReferenceDescription", "CumulativeDoseToDoseReference")


def _endings(obj: DicomJson, sequence: str) -> list[str]:
    """What did not end as planned, or may not have, as sentences."""
    statuses = [text(item, "TreatmentTerminationStatus") for item in items(obj, sequence)]
    early = sum(status in EARLY for status in statuses)
    unknown = sum(status in ("", "UNKNOWN") for status in statuses)
    notes = [f"Deliveries ended by the operator or the machine: {early:,} of {len(statuses):,}."] if early else []
    return notes + (
        [f"Deliveries that do not say how they ended: {unknown:,} of {len(statuses):,}."] if unknown else []
    )
