"""Ultrasound (PS3.3 C.8.5.5): what the regions of an image show, and in which units."""

from .reading import Reading, shown
from .tables import ULTRASOUND

ULTRASOUND_FIELDS = ("SequenceOfUltrasoundRegions",)
FORMATS = {1: "2D", 2: "M-mode", 3: "spectral", 4: "wave form", 5: "graphics"}
DATA = {
    1: "tissue",
    2: "color flow",
    3: "PW Doppler",
    4: "CW Doppler",
    5: "Doppler mean trace",
    6: "Doppler mode trace",
    7: "Doppler maximum trace",
    8: "volume trace",
    10: "ECG trace",
    11: "pulse trace",
    12: "phonocardiogram",
    13: "gray bar",
    14: "color bar",
    15: "integrated backscatter",
}
UNITS = {1: "%", 2: "dB", 3: "cm", 4: "s", 5: "Hz", 6: "dB/s", 7: "cm/s", 8: "cm2", 9: "cm2/s", 10: "cm3",
         11: "cm3/s", 12: "degrees"}  # fmt: skip


def ultrasound(reading: Reading) -> list[str]:
    """The phrases on an ultrasound image."""
    regions = list(dict.fromkeys(filter(None, map(_region, reading.items("SequenceOfUltrasoundRegions")))))
    return [*reading.phrases(ULTRASOUND), *(f"region {region}" for region in regions)]


def _region(item: Reading) -> str:
    """``2D tissue, 0.0178 cm per column, 0.0178 cm per row``"""
    name = " ".join(
        filter(None, [FORMATS.get(_code(item, "RegionSpatialFormat")), DATA.get(_code(item, "RegionDataType"))])
    )
    steps = [
        f"{shown(float(f'{abs(step):.4g}'))} {unit} per {axis}"
        for direction, axis in (("X", "column"), ("Y", "row"))
        if (unit := UNITS.get(_code(item, f"PhysicalUnits{direction}Direction")))
        and (step := item.number(f"PhysicalDelta{direction}"))
    ]
    return ", ".join(filter(None, [name, *steps])) if name else ""


def _code(item: Reading, keyword: str) -> int:
    return int(item.positive(keyword) or 0)
