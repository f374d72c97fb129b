"""Image planes (PS3.3 C.7.6.2): where each image or frame lies in the patient, and what tells it from others there.

There can be 92,000 of them in a series: what many have in common, they share.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import islice
from typing import Any, TypeVar, cast

from ..functional_groups import MOST_FRAMES, PER_FRAME, SHARED, flattened, frame_count
from ..geometry import FARTHEST, normal
from ..tags import tag_of
from ..values import NUMBER_VRS, DicomJson, clean, items, number, numbers, raw_values, text
from .tables import CLOCKS, DIMENSIONS, FRAMES_ELSEWHERE, GEOMETRY_FIELDS, GRID_FIELDS, VECTORS

LONGEST_KEY = 64
MOST_KEYS = 16  # values of one attribute
LARGEST_COSINE = 1.1

Key = str | float | None
Vector = tuple[float, ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Grid:
    """What the planes of a stack have in common; lengths in mm, 0 or empty where it is not said."""

    frame_of_reference: str = ""
    orientation: Vector = ()
    rows: int = 0
    columns: int = 0
    pixel_spacing: Vector = ()
    thickness: float = 0.0
    tilt: float = 0.0
    is_localizer: bool = False
    is_slide: bool = False


@dataclass(frozen=True, slots=True)
class Plane:
    """One image or frame, or ``frames`` of them that cannot be told apart; ``keys`` are its values of DIMENSIONS and
    ``clocks`` those of CLOCKS. ``is_unread``: it has a place that the metadata at hand does not hold."""

    grid: Grid
    origin: Vector = ()
    keys: tuple[Key, ...] = ()
    clocks: tuple[Key, ...] = ()
    frames: int = 1
    is_unread: bool = False

    @property
    def is_placed(self) -> bool:
        return bool(self.origin and self.grid.orientation)


def planes(obj: DicomJson) -> list[Plane]:
    """The planes of an instance: one, or one for each frame that has a place of its own."""
    frames = frame_count(obj)
    shared, per_frame = items(obj, SHARED), items(obj, PER_FRAME)
    if _is_slide(obj, per_frame):
        return [Plane(_shared(Grid(is_slide=True)), frames=frames)]
    if shared or per_frame:
        return _enhanced(obj, shared, per_frame, frames)
    return _without_groups(obj, frames)


def _is_slide(obj: DicomJson, per_frame: Sequence[DicomJson]) -> bool:
    tags = [tag_of(keyword) for keyword in ("ImageOrientationSlide", "TotalPixelMatrixColumns")]
    in_slide = tag_of("PlanePositionSlideSequence")
    return any(tag in obj for tag in tags) or any(in_slide in group for group in per_frame[:1])


def _enhanced(obj: DicomJson, shared: Sequence[DicomJson], per_frame: Sequence[DicomJson], frames: int) -> list[Plane]:
    common = _with_gradient(flattened(shared[0])) if shared else {}
    found = [_plane((_with_gradient(flattened(group)), common, obj)) for group in islice(per_frame, MOST_FRAMES)]
    if not found and (only := _plane((common, obj))).is_placed:
        return [only] * min(frames, MOST_FRAMES)
    rest = max(frames, len(per_frame)) - len(found)
    unread = Plane(_plane((common, obj)).grid, frames=rest, is_unread=True)
    return [*found, unread] if rest > 0 else found


def _with_gradient(macros: dict[str, Any]) -> dict[str, Any]:
    """With the direction of the diffusion gradient, which lies one sequence deeper."""
    for inside in items(macros, "DiffusionGradientDirectionSequence")[:1]:
        macros.update(inside)
    return macros


def _without_groups(obj: DicomJson, frames: int) -> list[Plane]:
    """An object without functional groups; the slices of NM reconstructions and of dose grids have places."""
    first = _plane((*items(obj, "DetectorInformationSequence")[:1], obj))
    if frames == 1 and first.is_placed:
        return [first]
    offsets = _offsets(obj, first, frames) if first.is_placed and frames <= MOST_FRAMES else []
    if not offsets:
        is_unread = first.is_placed or (text(obj, "SOPClassUID") in FRAMES_ELSEWHERE and _is_volume(obj))
        return [replace(first, origin=(), frames=frames, is_unread=is_unread)]
    vectors = {tag_of(keyword): numbers(obj, keyword) for keyword in VECTORS}
    found = []
    for index, (x, y, z) in enumerate(offsets):
        own = {tag: {"vr": "US", "Value": values[index : index + 1]} for tag, values in vectors.items() if values}
        frame = _plane((own, obj))
        origin = (first.origin[0] + x, first.origin[1] + y, first.origin[2] + z)
        found.append(Plane(first.grid, origin, frame.keys, frame.clocks))
    return found


def _is_volume(obj: DicomJson) -> bool:
    """Not one of the planar images of nuclear medicine, which have no place."""
    return text(obj, "Modality") != "NM" or _image_type(obj) == "RECON TOMO"


def _offsets(obj: DicomJson, first: Plane, frames: int) -> list[tuple[float, float, float]]:
    """How far each frame lies from the first, by PS3.3 C.8.8.3.2 (dose grids) or C.8.4.15 (NM reconstructions)."""
    axis = normal(first.grid.orientation) or (0.0, 0.0, 1.0)
    steps = numbers(obj, "GridFrameOffsetVector")
    if len(steps) == frames:
        if steps[0]:  # not relative: these are z coordinates
            axis = (0.0, 0.0, 1.0)
        steps = [step - steps[0] for step in steps]
    else:
        spacing, slices = number(obj, "SpacingBetweenSlices"), numbers(obj, "SliceVector")
        if not spacing or len(slices) != frames or _image_type(obj) != "RECON TOMO":
            return []
        steps = [(index - 1) * spacing for index in slices]
    if any(abs(step) > FARTHEST for step in steps):
        return []
    return [(axis[0] * step, axis[1] * step, axis[2] * step) for step in steps]


def _plane(sources: tuple[DicomJson, ...]) -> Plane:
    """The plane of the attributes that the first of ``sources`` has that has any."""
    found: dict[str, Any] = {}
    for source in reversed(sources):
        for tag in source.keys() & _wanted():
            element = source[tag]
            if isinstance(element, dict) and isinstance(element.get("Value"), list) and element["Value"]:
                found[tag] = element
    keys = tuple([_key(found[tag]) if tag in found else None for tag in _key_tags()])
    clocks = tuple([_key(found[tag]) if tag in found else None for tag in _clock_tags()])
    return Plane(_grid(found), _shared(_vector(found, "ImagePositionPatient", 3, FARTHEST)), _shared(keys), clocks)


def _grid(found: DicomJson) -> Grid:
    raw = tuple([tuple(found[tag]["Value"]) if tag in found else () for tag in _grid_tags()])
    try:
        return _grid_of(raw)
    except TypeError:  # objects where numbers belong
        return _grid_of(
            tuple(tuple(value if isinstance(value, str | int | float) else None for value in values) for values in raw)
        )


@cache
def _grid_tags() -> tuple[str, ...]:
    return tuple(map(tag_of, GRID_FIELDS))


@lru_cache(maxsize=4096)
def _grid_of(raw: tuple[tuple[Any, ...], ...]) -> Grid:
    """The grid of the values of GRID_FIELDS, which are the same in most planes of a series."""
    found = {tag: {"Value": list(values)} for tag, values in zip(_grid_tags(), raw, strict=True)}
    orientation = _vector(found, "ImageOrientationPatient", 6, LARGEST_COSINE)
    spacing = _vector(found, "PixelSpacing", 2, FARTHEST)
    grid = Grid(
        frame_of_reference=clean(text(found, "FrameOfReferenceUID"), LONGEST_KEY),
        orientation=orientation if normal(orientation) else (),
        rows=int(_number(found, "Rows")),
        columns=int(_number(found, "Columns")),
        pixel_spacing=spacing if all(step > 0 for step in spacing) else (),
        thickness=_number(found, "SliceThickness"),
        tilt=_number(found, "GantryDetectorTilt", least=-90),
        is_localizer=_image_type(found) in ("LOCALIZER", "SCOUT"),
    )
    return _shared(grid)


@lru_cache(maxsize=4096)
def _interned(value: Hashable) -> Hashable:
    return value


def _shared(value: T) -> T:
    """The same object for equal values."""
    return cast(T, _interned(cast(Hashable, value)))


@cache
def _key_tags() -> tuple[str, ...]:
    return tuple(tag_of(dimension.keyword) for dimension in DIMENSIONS)


@cache
def _clock_tags() -> tuple[str, ...]:
    return tuple(tag_of(dimension.keyword) for dimension in CLOCKS)


@cache
def _wanted() -> frozenset[str]:
    return frozenset([*map(tag_of, GEOMETRY_FIELDS), *_key_tags(), *_clock_tags()])


def _vector(found: DicomJson, keyword: str, length: int, largest: float) -> Vector:
    values = numbers(found, keyword)
    if len(values) != length or any(abs(value) > largest for value in values):
        return ()
    return tuple([_shared(value) for value in values])


def _number(found: DicomJson, keyword: str, least: float = 0.0) -> float:
    """A number between ``least`` and FARTHEST, else 0."""
    value = number(found, keyword)
    return value if value is not None and least <= value <= FARTHEST else 0.0


def _image_type(found: DicomJson) -> str:
    """The third value of FrameType or ImageType: what sort of image it is."""
    values = raw_values(found, "FrameType") or raw_values(found, "ImageType")
    return str(values[2]).strip().upper() if len(values) > 2 else ""


def _key(element: dict[str, Any]) -> Key:
    """The value by which an image may differ from another: a number, or the text of all values."""
    values = element.get("Value")
    if not isinstance(values, list):
        return None
    if len(values) == 1 and element.get("vr") in NUMBER_VRS:
        try:
            value = float(values[0])
        except (TypeError, ValueError, OverflowError):
            return None
        return float(f"{value:.7g}") if math.isfinite(value) else None  # the digits of FL
    return clean("\\".join(str(value).strip() for value in values[:MOST_KEYS]), LONGEST_KEY)
