"""MR (PS3.3 C.8.3 and C.8.13): the sequence in words, and where b-values are."""

from collections.abc import Iterator
from typing import NamedTuple

from ..encoded import EncodedObject
from ..values import DicomJson, numbers, text_at
from .reading import Part, Reading, fields, first_number, shown
from .tables import MR_READOUT, MR_SLICES, MR_TIMES

SCANNING = {
    "SE": "spin echo",
    "IR": "inversion recovery",
    "GR": "gradient recalled",
    "EP": "echo planar",
    "RM": "research mode",
}
VARIANTS = {
    "SK": "segmented k-space",
    "MTC": "magnetization transfer contrast",
    "SS": "steady state",
    "TRSS": "time reversed steady state",
    "SP": "spoiled",
    "MP": "magnetization prepared",
    "OSP": "oversampled in phase",
    "NONE": "",
}
ECHOES = {"SPIN": "spin echo", "GRADIENT": "gradient echo", "BOTH": "spin and gradient echo"}
DIRECTIONS = {"NONE": "no direction", "DIRECTIONAL": "one direction", "BMATRIX": "b-matrix", "ISOTROPIC": "isotropic"}
STRONGEST = 25.0  # T; what exceeds it was not written in T

SEQUENCE = (
    Part("MRAcquisitionType"),
    (Part("ScanningSequence", words=SCANNING), Part("EchoPulseSequence", words=ECHOES)),
    Part("SequenceVariant", words=VARIANTS),
    Part("InversionRecovery", words={"YES": "inversion recovery", "NO": ""}, in_groups=True),
    Part("EchoPlanarPulseSequence", words={"YES": "echo planar", "NO": ""}),
    (Part("SequenceName", label="sequence name"), Part("PulseSequenceName", label="sequence name")),
)
DIFFUSION = (
    Part("DiffusionBValue", "s/mm²", "diffusion b-value", signed=True),
    Part("DiffusionDirectionality", words=DIRECTIONS),
)
MR_FIELDS = (
    *fields([SEQUENCE, MR_TIMES, MR_READOUT, MR_SLICES, DIFFUSION]),
    "MagneticFieldStrength",
    "ImagingFrequency",
    "AcquisitionMatrix",
)


class PrivateValue(NamedTuple):
    """Where a vendor keeps b-values; ``hint`` says how to read them."""

    creator: str
    group: str
    element: str
    hint: str = ""


B_VALUES = (
    PrivateValue("SIEMENS MR HEADER", "0019", "0C"),
    PrivateValue(
        "GEMS_PARM_01", "0043", "39", "; the first of its values, less 1000000000 where it is larger than that"
    ),
    PrivateValue("Philips Imaging DD 001", "2001", "03"),
)
BY_TAG = {place.group + place.element: place for place in B_VALUES}  # by the tag without its block


def magnetic_resonance(reading: Reading) -> list[str]:
    """The phrases on an MR acquisition."""
    diffusion = reading.phrase(DIFFUSION) or _private_diffusion(reading)
    said = [
        reading.phrase(SEQUENCE),
        reading.phrase(MR_TIMES),
        ", ".join(filter(None, [_field(reading), reading.phrase(MR_READOUT), _matrix(reading)])),
        reading.phrase(MR_SLICES),
        diffusion,
    ]
    return [phrase for phrase in said if phrase]


def _field(reading: Reading) -> str:
    if words := reading.varying.get("MagneticFieldStrength"):
        return f"magnetic field {words}"
    strength = reading.positive("MagneticFieldStrength")
    if strength is None:
        frequency = reading.positive("ImagingFrequency")
        return f"imaging frequency {shown(frequency)} MHz" if frequency else ""
    if strength > STRONGEST:
        return f"magnetic field {shown(strength)} as written, which is no value in T"
    return f"{shown(strength)} T"


def _matrix(reading: Reading) -> str:
    """AcquisitionMatrix: frequency rows, frequency columns, phase rows, phase columns, of which two are 0."""
    if words := reading.varying.get("AcquisitionMatrix"):
        return f"acquisition matrix {words}"
    values = numbers(reading.view, "AcquisitionMatrix")
    frequency, phase = (max(values[:2]), max(values[2:])) if len(values) == 4 else (0.0, 0.0)
    if not (frequency and phase):
        frequency = reading.positive("MRAcquisitionFrequencyEncodingSteps") or 0.0
        phase = reading.positive("MRAcquisitionPhaseEncodingStepsInPlane") or 0.0
    if frequency <= 0 or phase <= 0:
        return ""
    return f"acquisition matrix {shown(frequency)} (frequency) x {shown(phase)} (phase)"


def has_private_b_value(obj: DicomJson) -> bool:
    """Whether a private attribute of an image has a b-value other than 0: that of an image without a gradient may be
    0, or missing."""
    return any(first_number(obj[tag]) != 0 for tag, _ in _private_b_values(obj))


def _private_diffusion(reading: Reading) -> str:
    """Where b-values are that only a private attribute has; nothing is said of one that is 0, unless the sequence is
    echo planar: then it may be the image without a gradient."""
    for tag, place in _private_b_values(reading.view):
        if first_number(reading.view[tag]) != 0 or "EP" in reading.texts("ScanningSequence"):
            return (
                f"b-values only in private attributes: ({tag[:4]},{tag[4:]}) of {place.creator}, which "
                f"fields=['{place.creator} {place.group}xx{place.element}'] shows{place.hint}"
            )
    return ""


def _private_b_values(obj: DicomJson) -> Iterator[tuple[str, PrivateValue]]:
    """The tags of private b-values in the blocks that their creators reserved (PS3.5 7.8.1)."""
    for tag in obj.raws if isinstance(obj, EncodedObject) else obj:
        place = BY_TAG.get(tag[:4] + tag[6:])
        if place and text_at(obj, f"{place.group}00{tag[4:6]}") == place.creator and isinstance(obj.get(tag), dict):
            yield tag, place
