"""RT plans and RT ion plans (PS3.3 A.20, A.49): what is prescribed, in how many fractions, and by which beams."""

from collections import defaultdict
from typing import Any

from ...facts import few, filled, rounded, shared
from ...values import DicomJson, clean, integer, items, text
from ..attributes import MOST_LISTED, cut, reals, referenced, rows, shown
from ..description import Description

ENERGY_UNITS = {"PHOTON": "MV", "ELECTRON": "MeV", "PROTON": "MeV", "NEUTRON": "MeV", "ION": "MeV/u"}
BEAMS = ("BeamSequence", "IonBeamSequence")
CONTROL_POINTS = ("ControlPointSequence", "IonControlPointSequence")
ANGLES = {
    "GantryAngle": "GantryRotationDirection",
    "BeamLimitingDeviceAngle": "BeamLimitingDeviceRotationDirection",
    "PatientSupportAngle": "PatientSupportRotationDirection",
}
ACCESSORIES = (
    "NumberOfWedges", "NumberOfCompensators", "NumberOfBoli", "NumberOfBlocks", "NumberOfRangeShifters",
    "NumberOfLateralSpreadingDevices", "NumberOfRangeModulators",
)  # fmt: skip
LIMITS = (
    "TargetMinimumDose", "TargetMaximumDose", "DeliveryWarningDose", "DeliveryMaximumDose", "OrganAtRiskFullVolumeDose",
    "OrganAtRiskLimitDose", "OrganAtRiskMaximumDose", "ConstraintWeight",
)  # fmt: skip


def describe(obj: DicomJson) -> Description:
    """The plan, with a row for each beam or brachytherapy application setup."""
    sequence = BEAMS[1] if items(obj, BEAMS[1]) else BEAMS[0]
    planned = _planned(obj)
    beams = [_beam(beam, planned) for beam in rows(obj, sequence)]
    setups = [_setup(setup) for setup in rows(obj, "ApplicationSetupSequence")]
    facts = shown(
        obj, "RTPlanLabel", "RTPlanName", "RTPlanDescription", "RTPlanDate", "RTPlanTime", "PlanIntent",
        "RTPlanGeometry", "TreatmentSites", "TreatmentProtocols", "PrescriptionDescription", "ApprovalStatus",
        "ReviewDate", "ReviewerName", "BrachyTreatmentTechnique", "BrachyTreatmentType",
    )  # fmt: skip
    facts |= filled(
        prescriptions=[_prescription(item) for item in rows(obj, "DoseReferenceSequence", MOST_LISTED)],
        fraction_groups=[_fraction_group(item) for item in rows(obj, "FractionGroupSequence", MOST_LISTED)],
        patient_positions=few(sorted({clean(text(item, "PatientPosition")) for item in _patient_setups(obj)})),
        sources=[_source(item) for item in rows(obj, "SourceSequence", MOST_LISTED)],
    )
    facts |= referenced(obj, "ReferencedStructureSetSequence", "ReferencedDoseSequence", "ReferencedRTPlanSequence")
    facts |= filled(plan_relationship=_each(obj, "ReferencedRTPlanSequence", "RTPlanRelationship"))
    facts |= filled(all_beams=shared(beams, keep=("BeamNumber", "BeamName", "BeamMeterset", "BeamDose")))
    return Description(
        facts=facts,
        items=[*beams, *setups],
        notes=_disagreements(obj, sequence),
        elided=[
            *cut(obj, sequence, "BeamName", "beams"),
            *cut(obj, "ApplicationSetupSequence", "ApplicationSetupNumber", "application setups"),
            *cut(obj, "DoseReferenceSequence", "DoseReferenceDescription", "prescriptions", MOST_LISTED),
            *cut(obj, "FractionGroupSequence", "FractionGroupNumber", "fraction groups", MOST_LISTED),
            *cut(obj, "SourceSequence", "SourceNumber", "sources", MOST_LISTED),
        ],
    )


def _prescription(item: DicomJson) -> dict[str, Any]:
    return shown(
        item, "DoseReferenceNumber", "DoseReferenceType", "DoseReferenceStructureType", "DoseReferenceDescription",
        "ReferencedROINumber", "TargetPrescriptionDose", *LIMITS,
    )  # fmt: skip


def _fraction_group(item: DicomJson) -> dict[str, Any]:
    counts = {
        name: count
        for name, count in shown(item, "NumberOfBeams", "NumberOfBrachyApplicationSetups").items()
        if count != 0
    }
    return shown(item, "FractionGroupNumber", "FractionGroupDescription", "NumberOfFractionsPlanned") | counts


def _patient_setups(obj: DicomJson) -> list[DicomJson]:
    return [item for item in rows(obj, "PatientSetupSequence") if text(item, "PatientPosition")]


Planned = dict[int | None, list[tuple[str, DicomJson]]]


def _planned(obj: DicomJson) -> Planned:
    """What the fraction groups say of each beam: beam number -> (fraction group, or nothing for the only one; item)."""
    groups = rows(obj, "FractionGroupSequence")
    planned: Planned = defaultdict(list)
    for group in groups:
        label = f"group {clean(text(group, 'FractionGroupNumber'), 20)}: " if len(groups) > 1 else ""
        for beam in items(group, "ReferencedBeamSequence"):
            planned[integer(beam, "ReferencedBeamNumber")].append((label, beam))
    return planned


def _beam(beam: DicomJson, planned: Planned) -> dict[str, Any]:
    row = shown(
        beam, "BeamNumber", "BeamName", "BeamDescription", "BeamType", "RadiationType", "RadiationMassNumber",
        "RadiationAtomicNumber", "ScanMode", "TreatmentDeliveryType", "TreatmentMachineName", "SourceAxisDistance",
    )  # fmt: skip
    points = _control_points(beam)
    row |= filled(NominalBeamEnergy=_energy(points, text(beam, "RadiationType")), control_points=len(points))
    row |= filled(**{angle: _angle(points, angle, direction) for angle, direction in ANGLES.items()})
    row |= {name: count for name, count in shown(beam, *ACCESSORIES).items() if count != 0}
    row |= filled(
        beam_limiting_devices=_each(beam, "BeamLimitingDeviceSequence", "RTBeamLimitingDeviceType"),
        applicators=_each(beam, "ApplicatorSequence", "ApplicatorID"),
        wedges=_each(beam, "WedgeSequence", "WedgeType"),
    )
    said = planned.get(integer(beam, "BeamNumber"), [])
    unit = clean(text(beam, "PrimaryDosimeterUnit"), 20)
    metersets = [f"{label}{value} {unit}" for label, item in said for value in shown(item, "BeamMeterset").values()]
    doses = [f"{label}{dose}" for label, item in said for dose in shown(item, "BeamDose").values()]
    return row | filled(BeamMeterset="; ".join(metersets).strip(), BeamDose="; ".join(doses))


def _control_points(beam: DicomJson) -> list[DicomJson]:
    return next(filter(None, (items(beam, keyword) for keyword in CONTROL_POINTS)), [])


def _energy(points: list[DicomJson], radiation: str) -> str:
    """``6 MV``, or the range of the energies of all control points."""
    energies = {value for point in points for value in reals(point, "NominalBeamEnergy", 1)}
    if not energies:
        return ""
    low, high = rounded(min(energies), 6), rounded(max(energies), 6)
    amount = f"{low}" if len(energies) == 1 else f"{low}..{high}"
    several = f" ({len(energies)} energies)" if len(energies) > 2 else ""
    return f"{amount} {ENERGY_UNITS.get(radiation, '')}".strip() + several


def _angle(points: list[DicomJson], keyword: str, direction: str) -> str:
    """``90 degrees`` where it stays, else from the first to the last control point: ``181 to 179 degrees, CW``. A point
    that does not say an angle has that of the one before."""
    said = [value for point in points for value in reals(point, keyword, 1)]
    if not said:
        return ""
    if all(value == said[0] for value in said):
        return f"{rounded(said[0])} degrees"
    turns = dict.fromkeys(
        clean(text(point, direction), 10) for point in points if text(point, direction) not in ("", "NONE")
    )
    return ", ".join([f"{rounded(said[0])} to {rounded(said[-1])} degrees", *list(turns)[:3]])


def _each(beam: DicomJson, sequence: str, keyword: str) -> str:
    return few([name for item in items(beam, sequence) if (name := clean(text(item, keyword), 40))])


def _source(item: DicomJson) -> dict[str, Any]:
    return shown(item, "SourceNumber", "SourceType", "SourceIsotopeName", "ReferenceAirKermaRate")


def _setup(setup: DicomJson) -> dict[str, Any]:
    row = shown(
        setup, "ApplicationSetupNumber", "ApplicationSetupType", "ApplicationSetupName", "TotalReferenceAirKerma"
    )
    return row | filled(channels=len(items(setup, "ChannelSequence")) or None)


def _disagreements(obj: DicomJson, sequence: str) -> list[str]:
    """Where the numbers of the plan contradict one another, as sentences."""
    notes = []
    beams = items(obj, sequence)
    there = {integer(beam, "BeamNumber") for beam in beams}
    if len(there) < len(beams):
        notes.append("Not conformant: beam numbers are missing or used twice, so what is planned of which is open.")
    for group in rows(obj, "FractionGroupSequence"):
        planned = items(group, "ReferencedBeamSequence")
        name = clean(text(group, "FractionGroupNumber"), 20) or "without number"
        declared = integer(group, "NumberOfBeams", len(planned))
        if declared != len(planned):
            notes.append(f"Fraction group {name} says it has {declared} beams and lists {len(planned)}.")
        if strange := [
            clean(text(beam, "ReferencedBeamNumber"), 20)
            for beam in planned
            if integer(beam, "ReferencedBeamNumber") not in there
        ]:
            notes.append(f"Fraction group {name} refers to beams that the plan does not have: {few(strange)}.")
    wrong = [
        clean(text(beam, "BeamNumber"), 20)
        for beam in beams
        for points in [_control_points(beam)]
        if integer(beam, "NumberOfControlPoints", len(points)) != len(points)
    ]
    if wrong:
        notes.append(f"Beams with other control points than NumberOfControlPoints says: {few(wrong)}.")
    return notes
