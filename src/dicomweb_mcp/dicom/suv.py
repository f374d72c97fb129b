"""Standardized uptake values by body weight (SUV) of PET (PS3.3 C.8.9): the activity in a pixel, over the dose that is
left per gram of the patient."""

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from .acquisition.reading import NO_WORDS, Reading, shown
from .acquisition.uptake import ENHANCED_PET, LEAST_BQ, doubts, lacking, vendor_factor
from .values import DicomJson

GRAMS = 1000  # in a kg
MOST_HALF_LIVES = 10  # between injection and scan; a thousandth is left, and no scanner would see it
ANY_DAY = "20000101"
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Uptake:
    """``factor``: SUV (g/ml) of a pixel value of 1 in the file's units, None where it cannot be known.

    ``how``: what it was computed from, with what is doubtful; or what is missing.
    """

    factor: float | None
    how: str


class _Unknown(Exception):
    """Why there is no factor."""


def body_weight(view: DicomJson) -> Uptake | None:
    """For the frame or instance that ``view`` describes; None when it is no PET image."""
    reading = Reading(view, NO_WORDS)
    if reading.text("Modality") != "PT":
        return None
    try:
        factor, how = _factor(reading)
    except _Unknown as reason:
        return Uptake(None, str(reason))
    except ArithmeticError:
        return Uptake(None, "its numbers and times are beyond what can be computed with")
    if not (math.isfinite(factor) and factor > 0):
        return Uptake(None, "the factor is no usable number")
    return Uptake(factor, how)


def _factor(reading: Reading) -> tuple[float, str]:
    units = reading.text("Units")
    if reading.text("SOPClassUID") == ENHANCED_PET:
        raise _Unknown("the values of enhanced PET are mapped to real world values, which is not done here")
    if units == "GML":
        kind = reading.text("SUVType") or "BW"
        if kind != "BW":
            raise _Unknown(f"the values are standardized uptake values of another type ({kind})")
        return 1.0, "the values are SUV already"
    if units == "BQML":
        return _from_activity(reading, 1.0, "Bq/ml")
    if units != "CNTS":
        raise _Unknown(f"{f'Units {units}' if units else 'no Units'}, where Bq/ml (BQML) are needed")
    vendor = vendor_factor(reading)
    if vendor is None or vendor.value is None:
        raise _Unknown("Units CNTS, without a private factor of Philips")
    if vendor.is_suv:
        return vendor.value, f"with the private {vendor.name} of Philips"
    return _from_activity(reading, vendor.value, f"counts with the private {vendor.name} of Philips")


def _from_activity(reading: Reading, becquerels: float, source: str) -> tuple[float, str]:
    """``becquerels``: Bq/ml of a pixel value of 1."""
    if missing := lacking(reading):
        raise _Unknown(", ".join(missing))
    item = reading.items("RadiopharmaceuticalInformationSequence")[0]
    weight, dose = reading.positive("PatientWeight") or 0, item.positive("RadionuclideTotalDose") or 0
    if dose < LEAST_BQ:
        raise _Unknown(f"RadionuclideTotalDose {shown(dose)} is too small to be in Bq")
    said = [f"from {source}", f"{shown(weight)} kg", f"{dose / 1e6:.4g} MBq"]
    left = dose
    if reading.text("DecayCorrection") == "START":
        half_life = item.positive("RadionuclideHalfLife") or 0
        start, by = _start(reading, half_life)
        seconds = _elapsed(reading, item, start)
        if seconds > MOST_HALF_LIVES * half_life:
            raise _Unknown(f"the injection lies {seconds / half_life:.3g} half-lives before the scan ({by})")
        left *= 2 ** (-seconds / half_life)
        said.append(f"decay over {seconds:.0f} s from the injection to {by}")
    else:
        said.append("decay corrected to the injection")
    return becquerels * weight * GRAMS / left, "; ".join([", ".join(said), *doubts(reading)])


def _start(reading: Reading, half_life: float) -> tuple[datetime, str]:
    """The moment that decay was corrected to. SeriesTime is that of the scan unless it is later than the image."""
    series = _moment(reading.text("SeriesDate") or reading.text("AcquisitionDate"), reading.text("SeriesTime"))
    image = _moment(reading.text("AcquisitionDate") or reading.text("SeriesDate"), reading.text("AcquisitionTime"))
    if series is not None and (image is None or series <= image):
        return series, "SeriesTime"
    if image is None:
        raise _Unknown("SeriesTime or AcquisitionTime cannot be read")
    reference, duration = reading.number("FrameReferenceTime"), reading.positive("ActualFrameDuration")
    if reference is None or duration is None:
        why = "there is no SeriesTime" if series is None else "SeriesTime is later"
        return image, f"AcquisitionTime of this image, because {why}"
    return (
        image - timedelta(milliseconds=reference) + timedelta(seconds=_average(duration / 1000, half_life)),
        "the start by AcquisitionTime and FrameReferenceTime",
    )


def _average(duration: float, half_life: float) -> float:
    """When within a frame of ``duration`` seconds its activity is the average of the frame."""
    constant = math.log(2) / half_life
    decayed = constant * duration
    return math.log(decayed / -math.expm1(-decayed)) / constant


def _elapsed(reading: Reading, item: Reading, start: datetime) -> float:
    """Seconds from the injection to ``start``."""
    written = item.text("RadiopharmaceuticalStartDateTime")
    is_dated = bool(written and (reading.text("SeriesDate") or reading.text("AcquisitionDate")))
    clock, zone = _without_zone(written[8:] if written else item.text("RadiopharmaceuticalStartTime"))
    injected = _moment(written[:8] if is_dated else f"{start:%Y%m%d}", clock)
    if injected is None:
        raise _Unknown("the time of injection cannot be read")
    _, here = _without_zone(reading.text("TimezoneOffsetFromUTC"))
    if zone is not None and here is not None:
        injected += here - zone
    if injected > start and not is_dated:
        injected -= ONE_DAY  # across midnight
    if injected > start:
        raise _Unknown("the injection is later than the start of the scan")
    return (start - injected).total_seconds()


def _without_zone(written: str) -> tuple[str, timedelta | None]:
    """What stands before an offset from UTC such as ``+0130``, and the offset."""
    if match := re.fullmatch(r"(.*)([+-])(\d{2})(\d{2})", written):
        offset = timedelta(hours=int(match[3]), minutes=int(match[4]))
        return match[1], -offset if match[2] == "-" else offset
    return written, None


def _moment(day: str, clock: str) -> datetime | None:
    """DA and TM; any day where there is none. None when they cannot be read."""
    whole, _, fraction = clock.replace(":", "").partition(".")
    if len(whole) not in (2, 4, 6) or not f"{fraction}0".isdecimal():
        return None
    try:
        read = datetime.strptime(f"{day or ANY_DAY} {whole.ljust(6, '0')}", "%Y%m%d %H%M%S")
        return read + timedelta(seconds=float(f"0.{fraction}0"))
    except ValueError:
        return None
