"""Where in the patient the four edges of a picture lie (PS3.3 C.7.6.1.1.1), in the letters of PatientOrientation."""

from collections.abc import Sequence
from typing import NamedTuple

from .geometry import normal
from .values import DicomJson, clean, numbers, raw_values

LEAST_PART = 0.1  # of a direction; about 6 degrees, and less is not named
TOWARDS = (("R", "L"), ("A", "P"), ("F", "H"))  # along -x and x, -y and y, -z and z
OPPOSITE = str.maketrans("RLAPFH", "LRPAHF")


class Edges(NamedTuple):
    """The sides of the patient at the edges of a picture: L left, R right, A front, P back, H head, F feet.

    Where two or three stand together, the direction is oblique and the first is the nearest.
    """

    left: str
    right: str
    top: str
    bottom: str


def edges(view: DicomJson) -> Edges | None:
    """By ImageOrientationPatient of the frame, else by PatientOrientation as radiographs have it; None without them."""
    orientation = numbers(view, "ImageOrientationPatient")
    if normal(orientation):
        right, bottom = letters(orientation[:3]), letters(orientation[3:])
    else:
        written = [clean(str(value), 16).upper() for value in raw_values(view, "PatientOrientation")]
        if len(written) != 2 or not all(value and set(value) <= set("RLAPFH") for value in written):
            return None
        right, bottom = written
    return Edges(right.translate(OPPOSITE), right, bottom.translate(OPPOSITE), bottom)


def letters(direction: Sequence[float]) -> str:
    """Where a direction of length 1 points in the patient, its greatest part first."""
    by_size = sorted(range(3), key=lambda axis: -round(abs(direction[axis]), 6))
    return "".join(TOWARDS[axis][direction[axis] > 0] for axis in by_size if abs(direction[axis]) >= LEAST_PART)
