"""Projection radiography: mammography, DX, CR (PS3.3 C.8.11) and angiography (C.8.7)."""

from .reading import Reading, shown
from .tables import ANGIOGRAPHY, PROJECTION

PROJECTION_FIELDS = ("ViewPosition", "ViewCodeSequence", "BreastImplantPresent")
ANGIOGRAPHY_FIELDS = ("PositionerPrimaryAngle", "PositionerSecondaryAngle", "MaskSubtractionSequence")
IMPLANT = {"YES": "breast implant present", "NO": "no breast implant"}
MASKS = {
    "AVG_SUB": "averaged mask frames",
    "TID": "time interval differences",
    "REV_TID": "reversed time interval differences",
}


def projection(reading: Reading) -> list[str]:
    """The phrases on a radiograph."""
    implant = IMPLANT.get(reading.text("BreastImplantPresent"), "")
    return list(filter(None, [_view(reading), *reading.phrases(PROJECTION), implant]))


def angiography(reading: Reading) -> list[str]:
    """The phrases on an angiogram."""
    return list(filter(None, [_angles(reading), *reading.phrases(ANGIOGRAPHY), _mask(reading)]))


def _view(reading: Reading) -> str:
    """The view with its modifiers: ``view cranio-caudal, magnification``."""
    if words := reading.varying.get("ViewPosition"):
        return f"view {words}"
    codes = reading.items("ViewCodeSequence")
    said = reading.meaning("ViewCodeSequence") or reading.text("ViewPosition")
    modifiers = [item.text("CodeMeaning") for code in codes[:1] for item in code.items("ViewModifierCodeSequence")]
    return f"view {', '.join(filter(None, [said, *modifiers]))}" if said else ""


def _angles(reading: Reading) -> str:
    """Positioner angles (C.8.7.5.1.2): the primary one is positive towards the left of the patient, the secondary one
    towards the head."""
    said = []
    for keyword, name, (positive, negative) in (
        ("PositionerPrimaryAngle", "primary angle", ("LAO", "RAO")),
        ("PositionerSecondaryAngle", "secondary angle", ("CRA", "CAU")),
    ):
        angle, words = reading.number(keyword), reading.varying.get(keyword)
        if words:
            said.append(f"{name} {words} (positive is {positive})")
        elif angle is not None and abs(angle) <= 180:
            said.append(f"{shown(abs(angle))} degrees {positive if angle >= 0 else negative}" if angle else f"{name} 0")
    return f"projection {', '.join(said)}" if said else ""


def _mask(reading: Reading) -> str:
    """Whether a mask is to be subtracted (C.7.6.10), as in digital subtraction angiography."""
    operations = [item.text("MaskOperation") for item in reading.items("MaskSubtractionSequence")]
    said = list(dict.fromkeys(MASKS.get(name, name) for name in operations if name and name != "NONE"))
    return f"mask subtraction by {', '.join(said)}" if said else ""
