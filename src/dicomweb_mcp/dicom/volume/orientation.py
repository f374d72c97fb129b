"""Directions in the patient (PS3.3 C.7.6.2.1.1) in words: x grows to the left, y to the back, z to the head."""

import math

from .plane import Vector

PLAIN = 0.5  # degrees; less is not called oblique
PLANES = ("sagittal", "coronal", "axial")  # by the axis that the normal lies along
TOWARDS = (("right", "left"), ("anterior", "posterior"), ("feet", "head"))


def nearest_plane(normal: Vector) -> str:
    """Axial, coronal or sagittal."""
    return PLANES[_main(normal)]


def obliquity(normal: Vector) -> float:
    """The angle in degrees between a normal and that of the nearest plane."""
    return math.degrees(math.acos(min(abs(normal[_main(normal)]), 1.0)))


def orientation(normal: Vector) -> str:
    """``axial``; ``oblique, 18.5 degrees from axial towards coronal``; or ``oblique, 20.1 degrees from axial`` when it
    is tilted in both ways."""
    nearest, degrees = nearest_plane(normal), obliquity(normal)
    if degrees < PLAIN:
        return nearest
    main = _main(normal)
    least, most = sorted((axis for axis in range(3) if axis != main), key=lambda axis: abs(normal[axis]))
    is_double = math.degrees(math.asin(min(abs(normal[least]), 1.0))) >= PLAIN
    return f"oblique, {round(degrees, 1):g} degrees from {nearest}" + ("" if is_double else f" towards {PLANES[most]}")


def towards(normal: Vector) -> str:
    """Where in the patient a normal points, by its longest part."""
    main = _main(normal)
    return TOWARDS[main][normal[main] > 0]


def _main(normal: Vector) -> int:
    """The axis nearest to a normal; of two that are equally near the later one, so that axial comes first."""
    return max(range(3), key=lambda axis: (round(abs(normal[axis]), 6), axis))
