"""PET (PS3.3 C.8.9) and nuclear medicine (C.8.4): the tracer, and what a standardized uptake value would need."""

from ..values import iso_date_time, iso_time
from .reading import Part, Reading, first_number, shown
from .tables import NUCLEAR, PET

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
LEAST_BQ = 1e5  # a dose below a tenth of an MBq was not written in Bq
NUCLEAR_MEDICINE = "NM"
ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.130"
PHILIPS = "Philips PET Private Group"

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
            _injection(item),
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
    if _has_megabecquerels(reading):
        return f"{shown(dose)} MBq"
    return f"dose {shown(dose)} as written, which is too small to be in Bq"


def _has_megabecquerels(reading: Reading) -> bool:
    return reading.text("Modality") == NUCLEAR_MEDICINE or reading.text("SOPClassUID") == ENHANCED_PET


def _injection(item: Reading) -> str:
    if moment := item.text("RadiopharmaceuticalStartDateTime"):
        return f"injected {iso_date_time(moment)}"
    time = item.text("RadiopharmaceuticalStartTime")
    return f"injected at {iso_time(time)} (no date)" if time else ""


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
    vendor = _vendor_factor(reading)
    if vendor and units == "CNTS":
        missing, traps = ([] if "SUV" in vendor else _lacking(reading)), _traps(reading)
        reason = f"with the private {vendor} of Philips"
    elif units == "BQML":
        missing, traps, reason = _lacking(reading), _traps(reading), "from Bq/ml"
    else:
        said = f"Units {units}" if units else "no Units"
        return f"SUV (body weight) cannot be computed: {said}, where Bq/ml (BQML) are needed"
    if missing:
        return f"SUV (body weight) cannot be computed: {', '.join(missing)}"
    return f"SUV (body weight) can be computed {reason}" + (f"; but {', '.join(traps)}" if traps else "")


def _vendor_factor(reading: Reading) -> str:
    """The factor that Philips gives for counts, if it is there and not 0."""
    for element, name in (("00", "SUV factor"), ("09", "activity factor")):
        tag = reading.private_tag(PHILIPS, "7053", element)
        if tag and first_number(reading.view[tag]) != 0:
            return f"{name} ({tag[:4]},{tag[4:]})"
    return ""


def _lacking(reading: Reading) -> list[str]:
    """What the usual formula needs and the image does not have."""
    pharmaceuticals = reading.items("RadiopharmaceuticalInformationSequence")
    item = pharmaceuticals[0] if pharmaceuticals else Reading({}, {})
    decay = reading.text("DecayCorrection")
    needed = {
        "PatientWeight": bool(reading.positive("PatientWeight")),
        "RadionuclideTotalDose": bool(item.positive("RadionuclideTotalDose")),
    }
    if decay != "ADMIN":
        needed |= {
            "RadionuclideHalfLife": bool(item.positive("RadionuclideHalfLife")),
            "RadiopharmaceuticalStartDateTime or RadiopharmaceuticalStartTime": bool(_injection(item)),
            "SeriesTime or AcquisitionTime": bool(reading.text("SeriesTime") or reading.text("AcquisitionTime")),
        }
    said = [f"no {name}" + _zero(reading, item, name) for name, there in needed.items() if not there]
    if len(pharmaceuticals) > 1:
        said.append(f"{len(pharmaceuticals)} radiopharmaceuticals")
    if decay not in ("START", "ADMIN"):
        said.append(f"DecayCorrection {decay}" if decay else "no DecayCorrection")
    if "ATTN" not in reading.texts("CorrectedImage") and reading.texts("CorrectedImage"):
        said.append("not corrected for attenuation (CorrectedImage)")
    return said


def _zero(reading: Reading, item: Reading, name: str) -> str:
    """That a value is there, but is not greater than 0."""
    values = () if " " in name else (reading.number(name), item.number(name))
    value = next((value for value in values if value is not None), None)
    return f" (it is {shown(value)})" if value is not None else ""


def _traps(reading: Reading) -> list[str]:
    """What makes values that are there doubtful."""
    pharmaceuticals = reading.items("RadiopharmaceuticalInformationSequence")
    if not pharmaceuticals:
        return []
    item, said = pharmaceuticals[0], []
    dose = item.positive("RadionuclideTotalDose")
    if dose and dose < LEAST_BQ and not _has_megabecquerels(reading):
        said.append("RadionuclideTotalDose is too small to be in Bq")
    injected = item.text("RadiopharmaceuticalStartDateTime")
    day, start = reading.text("SeriesDate"), reading.text("SeriesTime")
    if injected and day and injected[:8] != day:
        said.append(f"the injection is dated {iso_date_time(injected[:8])} and the series {iso_date_time(day)}")
    elif not injected and start:
        time = item.text("RadiopharmaceuticalStartTime")
        later = ", which is later than SeriesTime: across midnight?" if time > start else ""
        said.append(f"the time of injection has no date: that of the series is assumed{later}")
    return said
