"""Optical paths of a slide (PS3.3 C.8.12.5): light, channel, colour, objective."""

import base64
import binascii
from dataclasses import dataclass

from ..codes import meaning
from ..objects.cielab import hex_colour
from ..values import DicomJson, clean, element, items, number, numbers, text
from .frames import LONGEST_NAME

MOST_PATHS = 200  # of one instance
PALETTE = ("Red", "Green", "Blue")


@dataclass(frozen=True)
class OpticalPath:
    """One optical path; ``identifier`` is what frames refer to, empty texts and None were not said."""

    identifier: str
    description: str = ""
    illumination: str = ""
    light: str = ""
    wavelength_nm: float | None = None
    channel: str = ""
    colour: str = ""
    objective_power: float | None = None
    has_profile: bool = False

    @property
    def name(self) -> str:
        """What people call it: the channel, else the description, else the identifier."""
        return self.channel or self.description or self.identifier


def optical_paths(obj: DicomJson) -> tuple[OpticalPath, ...]:
    """The paths of an image in the order of its sequence. One that is not named, or that only NumberOfOpticalPaths
    counts, is named by its place, from 1."""
    listed = items(obj, "OpticalPathSequence")[:MOST_PATHS]
    if not listed:
        count = number(obj, "NumberOfOpticalPaths") or 1
        return tuple(OpticalPath(str(place)) for place in range(1, int(min(max(count, 1), MOST_PATHS)) + 1))
    return tuple(_path(item, place) for place, item in enumerate(listed, 1))


def _path(item: DicomJson, place: int) -> OpticalPath:
    return OpticalPath(
        identifier=clean(text(item, "OpticalPathIdentifier"), LONGEST_NAME) or str(place),
        description=clean(text(item, "OpticalPathDescription"), LONGEST_NAME),
        illumination=meaning(item, "IlluminationTypeCodeSequence")[:LONGEST_NAME],
        light=meaning(item, "IlluminationColorCodeSequence")[:LONGEST_NAME],
        wavelength_nm=_positive(item, "IlluminationWaveLength"),
        channel=meaning(item, "ChannelDescriptionCodeSequence")[:LONGEST_NAME],
        colour=hex_colour(numbers(item, "RecommendedDisplayCIELabValue")) or _palette_colour(item),
        objective_power=_positive(item, "ObjectiveLensPower"),
        has_profile=_has_bytes(item, "ICCProfile"),
    )


def _positive(item: DicomJson, keyword: str) -> float | None:
    found = number(item, keyword)
    return found if found is not None and 0 < found < 1e6 else None


def _palette_colour(item: DicomJson) -> str:
    """The brightest colour of a path's own palette: the last entry of each table, plain or segmented."""
    for palette in items(item, "PaletteColorLookupTableSequence")[:1]:
        levels = [_last_entry(palette, colour) for colour in PALETTE]
        if None not in levels:
            return "#" + "".join(f"{level:02x}" for level in levels)
    return ""


def _last_entry(palette: DicomJson, colour: str) -> int | None:
    """Of 0 to 255. Both kinds of tables end in the value of their last entry, unless it repeats an earlier part."""
    descriptor = numbers(palette, f"{colour}PaletteColorLookupTableDescriptor")
    for keyword in (f"{colour}PaletteColorLookupTableData", f"Segmented{colour}PaletteColorLookupTableData"):
        if found := _inline(palette, keyword):
            is_padded = len(descriptor) == 3 and descriptor[2] == 8 and descriptor[0] % 2 == 1
            return found[-2:][0] if is_padded else found[-1]  # the high byte where an entry has two
    return None


def _inline(obj: DicomJson, keyword: str) -> bytes:
    inline = (element(obj, keyword) or {}).get("InlineBinary")
    try:
        return base64.b64decode(inline) if isinstance(inline, str) else b""
    except (binascii.Error, ValueError):
        return b""


def _has_bytes(obj: DicomJson, keyword: str) -> bool:
    found = element(obj, keyword) or {}
    return any(found.get(name) for name in ("InlineBinary", "BulkDataURI", "Value"))
