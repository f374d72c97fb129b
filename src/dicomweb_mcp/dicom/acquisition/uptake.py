"""What standardized uptake values of PET (PS3.3 C.8.9) are computed from: what is missing, and what is doubtful."""

from dataclasses import dataclass

from ..values import iso_date_time, iso_time
from .reading import Reading, first_number, shown

LEAST_BQ = 1e5  # a dose below a tenth of an MBq was not written in Bq
NUCLEAR_MEDICINE = "NM"
ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.130"
PHILIPS = "Philips PET Private Group"


@dataclass(frozen=True)
class VendorFactor:
    """From counts to SUV by body weight (``is_suv``), or to Bq/ml; ``value`` is None where it cannot be read."""

    name: str
    value: float | None
    is_suv: bool


def vendor_factor(reading: Reading) -> VendorFactor | None:
    """The factor that Philips gives for counts, if it is there and not 0."""
    for element, name in (("00", "SUV factor"), ("09", "activity factor")):
        tag = reading.private_tag(PHILIPS, "7053", element)
        if tag and (value := first_number(reading.view[tag])) != 0:
            return VendorFactor(f"{name} ({tag[:4]},{tag[4:]})", value, is_suv=element == "00")
    return None


def lacking(reading: Reading) -> list[str]:
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
            "RadiopharmaceuticalStartDateTime or RadiopharmaceuticalStartTime": bool(injection(item)),
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


def doubts(reading: Reading) -> list[str]:
    """What makes values that are there doubtful."""
    pharmaceuticals = reading.items("RadiopharmaceuticalInformationSequence")
    if not pharmaceuticals:
        return []
    item, said = pharmaceuticals[0], []
    dose = item.positive("RadionuclideTotalDose")
    if dose and dose < LEAST_BQ and not has_megabecquerels(reading):
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


def has_megabecquerels(reading: Reading) -> bool:
    """Whether doses of these objects are in MBq, as the standard has it."""
    return reading.text("Modality") == NUCLEAR_MEDICINE or reading.text("SOPClassUID") == ENHANCED_PET


def injection(item: Reading) -> str:
    """When the tracer was given, in words."""
    if moment := item.text("RadiopharmaceuticalStartDateTime"):
        return f"injected {iso_date_time(moment)}"
    time = item.text("RadiopharmaceuticalStartTime")
    return f"injected at {iso_time(time)} (no date)" if time else ""
