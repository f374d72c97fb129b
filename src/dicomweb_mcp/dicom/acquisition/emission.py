"""PET (PS3.3 C.8.9) and nuclear medicine (C.8.4): the tracer, and what a standardized uptake value would need."""

from .reading import Part, Reading, shown
from .tables import NUCLEAR, PET
from .uptake import ENHANCED_PET, LEAST_BQ, doubts, has_megabecquerels, injection, lacking, vendor_factor

UNITS = {
    "BQML": "Bq/ml",
    "CNTS": "counts",
    "PROPCNTS": "proportional to counts",
    "GML": "g/ml, which are standardized uptake values",
    "CM2ML": "cm2/ml, which are standardized uptake values by body surface",
    "PROPCPS": "proportional to counts per second",
    "CPS": "counts per second",
    "PCNT": "percent",
    "MGMINML": "mg/min/ml",
    "UMOLMINML": "umol/min/ml",
    "MLMING": "ml/min/g",
    "MLG": "ml/g",
    "1CM": "1/cm",
    "UMOLML": "umol/ml",
    "NONE": "no unit",
}
DECAY = {
    "NONE": "not decay corrected",
    "START": "decay corrected to the start of the acquisition",
    "ADMIN": "decay corrected to the administration",
}
CORRECTIONS = {
    "DECY": "decay",
    "ATTN": "attenuation",
    "SCAT": "scatter",
    "DTIM": "dead time",
    "MOTN": "gantry motion",
    "PMOT": "patient motion",
    "CLN": "count loss normalization",
    "RAN": "randoms",
    "RADL": "non-uniform radial sampling",
    "DCAL": "calibrated to a dose calibrator",
    "NORM": "detector normalization",
    "UNIF": "uniformity",
    "COR": "center of rotation",
    "NCO": "non-circular orbit",
}

PET_UNITS = (
    Part("Units", label="values in", words=UNITS),
    Part("SUVType", label="SUV type"),
    Part("DecayCorrection", words=DECAY),
    Part("CorrectedImage", label="corrected for", words=CORRECTIONS),
)
PET_FIELDS = (
    "RadiopharmaceuticalInformationSequence",
    "PatientWeight",
    "PatientSize",
    "SeriesDate",
    "SeriesTime",
    "AcquisitionDate",
    "AcquisitionTime",
)
ONE_IN_A_SERIES = ("Units", "DecayCorrection", "PatientWeight", "RadiopharmaceuticalInformationSequence")
NUCLEAR_FIELDS = (
    "RadiopharmaceuticalInformationSequence",
    "EnergyWindowInformationSequence",
    "DetectorInformationSequence",
    "RotationInformationSequence",
    "PhaseInformationSequence",
)


def positron_emission(reading: Reading) -> list[str]:
    """The phrases on a PET acquisition."""
    return [*_tracers(reading), *reading.phrases([PET_UNITS, *PET]), _uptake(reading)]


def nuclear_medicine(reading: Reading) -> list[str]:
    """The phrases on an acquisition of nuclear medicine."""
    return [
        *_tracers(reading),
        *_windows(reading),
        *_collimators(reading),
        *_motion(reading),
        *reading.phrases(NUCLEAR),
    ]


def _tracers(reading: Reading) -> list[str]:
    """A phrase for each radiopharmaceutical: name, nuclide, dose, half-life, time."""
    said = []
    for item in reading.items("RadiopharmaceuticalInformationSequence"):
        name = item.meaning("RadiopharmaceuticalCodeSequence") or item.text("Radiopharmaceutical")
        nuclide = item.meaning("RadionuclideCodeSequence")
        half_life = item.positive("RadionuclideHalfLife")
        parts = [
            " ".join(filter(None, ["tracer", name, f"({nuclide})" if name and nuclide else nuclide])) if name or nuclide
            else "",
            _dose(reading, item),
            f"half-life {shown(half_life)} s" if half_life else "",
            injection(item),
        ]  # fmt: skip
        said.append(", ".join(filter(None, parts)))
    return list(filter(None, said))


def _dose(reading: Reading, item: Reading) -> str:
    """PET has Bq, nuclear medicine and enhanced PET have MBq; and some files have the other one."""
    dose = item.positive("RadionuclideTotalDose")
    if dose is None:
        return ""
    if dose >= LEAST_BQ:
        return f"{dose / 1e6:.4g} MBq"
    if has_megabecquerels(reading):
        return f"{shown(dose)} MBq"
    return f"dose {shown(dose)} as written, which is too small to be in Bq"


def _windows(reading: Reading) -> list[str]:
    """Energy windows: names and limits in keV."""
    said = []
    for window in reading.items("EnergyWindowInformationSequence"):
        limits = [
            f"{shown(lower)}..{shown(upper)} keV"
            for item in window.items("EnergyWindowRangeSequence")
            if (lower := item.positive("EnergyWindowLowerLimit")) and (upper := item.positive("EnergyWindowUpperLimit"))
        ]
        said.append(" ".join(filter(None, [window.text("EnergyWindowName"), ", ".join(limits)])))
    named = list(filter(None, said))
    return [f"energy window{'s' * (len(named) > 1)} {'; '.join(named)}"] if named else []


def _collimators(reading: Reading) -> list[str]:
    found = [
        " ".join(filter(None, [item.text("CollimatorType"), item.text("CollimatorGridName")]))
        for item in reading.items("DetectorInformationSequence")
    ]
    named = list(dict.fromkeys(filter(None, found)))
    return [f"collimator {', '.join(named)}"] if named else []


def _motion(reading: Reading) -> list[str]:
    """Frames by rotations or by phases."""
    said = []
    for item in reading.items("RotationInformationSequence"):
        frames, arc = item.positive("NumberOfFramesInRotation"), item.positive("ScanArc")
        if frames:
            said.append(f"rotation of {shown(frames)} frames" + (f" over {shown(arc)} degrees" if arc else ""))
    for item in reading.items("PhaseInformationSequence"):
        frames, duration = item.positive("NumberOfFramesInPhase"), item.positive("ActualFrameDuration")
        if frames:
            said.append(f"phase of {shown(frames)} frames" + (f" of {shown(duration)} ms" if duration else ""))
    return said


def _uptake(reading: Reading) -> str:
    """Whether standardized uptake values by body weight can be computed, and if not, what is missing."""
    units = reading.text("Units")
    if reading.text("SOPClassUID") == ENHANCED_PET:
        return ""  # its units are those of a mapping to real world values
    if differing := [keyword for keyword in ONE_IN_A_SERIES if keyword in reading.varying]:
        return f"SUV (body weight) of the series cannot be told: {', '.join(differing)} differs"
    if units in ("GML", "CM2ML"):
        return f"the values are standardized uptake values already ({reading.text('SUVType') or 'of unstated type'})"
    vendor = vendor_factor(reading)
    if vendor and units == "CNTS":
        missing, traps = ([] if vendor.is_suv else lacking(reading)), doubts(reading)
        reason = f"with the private {vendor.name} of Philips"
    elif units == "BQML":
        missing, traps, reason = lacking(reading), doubts(reading), "from Bq/ml"
    else:
        said = f"Units {units}" if units else "no Units"
        return f"SUV (body weight) cannot be computed: {said}, where Bq/ml (BQML) are needed"
    if missing:
        return f"SUV (body weight) cannot be computed: {', '.join(missing)}"
    return f"SUV (body weight) can be computed {reason}" + (f"; but {', '.join(traps)}" if traps else "")
