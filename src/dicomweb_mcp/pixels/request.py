"""What a picture can be asked to be. Light, because every start of the server reads it for the tools' schemas."""

from typing import Literal, TypeAlias

Format: TypeAlias = Literal["auto", "png", "jpeg"]
FORMATS: tuple[Format, ...] = ("auto", "png", "jpeg")

# Long edge of a picture in pixels
SMALLEST_SIZE, DEFAULT_SIZE, LARGEST_SIZE = 64, 1024, 1568

Region: TypeAlias = tuple[int, int, int, int]
"""x, y, width, height in pixels of the native frame, from 0."""

Point: TypeAlias = tuple[int, int]
"""x, y in pixels of the native frame, from 0."""
MOST_POINTS = 20

PRESETS: dict[str, tuple[float, float]] = {
    "soft_tissue": (40, 400),
    "lung": (-600, 1500),
    "liver": (90, 150),
    "bone": (480, 2500),
    "brain": (40, 80),
    "mediastinum": (50, 350),
    "abdomen": (60, 400),
    "subdural": (75, 215),
    "stroke": (40, 40),
}
"""Center and width for CT in Hounsfield units."""
