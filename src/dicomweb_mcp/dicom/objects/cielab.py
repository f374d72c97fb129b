"""PCS-encoded CIELab values (PS3.3 C.10.7.1.1) -> ``#rrggbb``, under D65 as segmentations are made and shown."""

from collections.abc import Sequence

WHITE = (0.9505, 1.0, 1.0889)
TO_RGB = ((3.2406, -1.5372, -0.4986), (-0.9689, 1.8758, 0.0415), (0.0557, -0.2040, 1.0570))


def hex_colour(values: Sequence[float]) -> str:
    """The sRGB colour of three unsigned 16-bit values, or empty for what is none."""
    if len(values) != 3 or not all(0 <= value <= 65535 for value in values):
        return ""
    lightness = values[0] / 65535 * 100
    a, b = (value / 65535 * 255 - 128 for value in values[1:])
    y = (lightness + 16) / 116
    linear = [white * _cubed(part) for white, part in zip(WHITE, (y + a / 500, y, y - b / 200), strict=True)]
    rgb = (_gamma(sum(factor * part for factor, part in zip(row, linear, strict=True))) for row in TO_RGB)
    return "#" + "".join(f"{round(255 * min(1.0, max(0.0, part))):02x}" for part in rgb)


def _cubed(part: float) -> float:
    return part**3 if part**3 > 0.008856 else (part - 16 / 116) / 7.787


def _gamma(part: float) -> float:
    return 1.055 * part ** (1 / 2.4) - 0.055 if part > 0.0031308 else 12.92 * part
