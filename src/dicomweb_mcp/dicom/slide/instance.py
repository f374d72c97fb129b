"""What one instance says that a pyramid is built of; small, whatever its functional groups hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any

from ..encoded import without
from ..functional_groups import PER_FRAME, SHARED, frame_views
from ..kinds import ROOT
from ..tags import tag_of
from ..values import DicomJson, clean, integer, items, number, numbers, raw_values, text, transfer_syntaxes
from .frames import Z_PLACES, FramePlaces, Grid, frame_places, path_identifier
from .optics import OpticalPath, optical_paths
from .specimens import slide_facts, specimen_count

SLIDE_CLASS = f"{ROOT}77.1.6"
ROLES = {  # value 3 of ImageType, PS3.3 C.8.12.4.1.1; LOCALIZER is of its first edition
    "VOLUME": "volume", "LABEL": "label", "OVERVIEW": "overview", "LOCALIZER": "overview", "THUMBNAIL": "thumbnail",
}  # fmt: skip
MOST_PIXELS = 10_000_000  # along one side of a matrix; no slide has more
MOST_TILE_PIXELS = 65_535
MOST_FRAMES = 2**31 - 1
LEAST_SPACING, GREATEST_SPACING = 1e-6, 10.0  # mm
MOST_PLANES = 100  # of one instance that are told apart

PlaneKey = tuple[float, int]
"""The z offset of a focal plane in um; where it is not known 0, and the place of the plane in its image, from 1."""


@dataclass(frozen=True)
class Instance:
    """One slide image. ``grid`` is None where its size is not known, ``frames`` 0 where their number is not."""

    uid: str
    role: str  # volume, label, overview, thumbnail; other for what is no slide image
    grid: Grid | None
    frames: int
    is_sparse: bool
    places: FramePlaces | None  # None where they are implied, or the per-frame groups were not there
    plane_count: int
    plane_keys: tuple[PlaneKey, ...]  # the first MOST_PLANES
    paths: tuple[OpticalPath, ...]
    spacing: tuple[float, float] | None  # mm between rows, between columns
    volume_mm: tuple[float, float] | None  # width, height
    concatenation_uid: str = ""
    part: int | None = None
    parts: int | None = None
    first_frame: int | None = None  # frames in the parts of the concatenation before this one
    transfer_syntaxes: tuple[str, ...] = ()
    photometric: str = ""
    is_lossy: bool | None = None
    frame_of_reference: str = ""
    container: str = ""
    specimens: int = 0
    says_organization: bool = True
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_placed(self) -> bool:
        """Whether it is known where its frames lie."""
        return self.places is not None or not self.is_sparse

    @cached_property
    def path_index(self) -> Mapping[str, int]:
        """Identifier of an optical path -> its place in the image; the first where a name repeats."""
        return {path.identifier: place for place, path in reversed(list(enumerate(self.paths)))}

    @cached_property
    def plane_index(self) -> Mapping[PlaneKey, int]:
        return {key: place for place, key in reversed(list(enumerate(self.plane_keys)))}

    @property
    def shown_planes(self) -> frozenset[PlaneKey]:
        """The focal planes of which it has frames, as far as that is known."""
        return frozenset((z, 0) for z, _ in self.places.sheets) if self.places else frozenset(self.plane_keys)

    @property
    def shown_sheets(self) -> frozenset[tuple[PlaneKey, str]]:
        """The focal planes with the optical paths in which it has frames of them."""
        if self.places:
            return frozenset(((z, 0), path) for z, path in self.places.sheets)
        return frozenset(product(self.plane_keys, self.path_index))

    @property
    def shown_paths(self) -> frozenset[str]:
        """The optical paths of which it has frames, as far as that is known."""
        return frozenset(path for _, path in self.places.sheets) if self.places else frozenset(self.path_index)


def read_instance(obj: DicomJson) -> Instance:
    """Of one instance's metadata, also of metadata without per-frame groups and of what a search returned."""
    obj = _without_needless_groups(obj)
    view = next(frame_views(obj, 1), obj)
    grid, frames = _grid(obj), _whole(obj, "NumberOfFrames", MOST_FRAMES)
    organization = text(obj, "DimensionOrganizationType")
    groups = items(obj, PER_FRAME)
    shared = items(obj, SHARED)[:1]
    if frames == 1 and any(items(group, "PlanePositionSlideSequence") for group in shared):
        groups = shared  # a single frame may say its position there
    is_sparse = organization != "TILED_FULL" and (
        organization == "TILED_SPARSE" or any(items(group, "PlanePositionSlideSequence") for group in groups[:1])
    )
    paths = optical_paths(obj)
    z = _z(obj, view)
    places = None
    if is_sparse and groups and grid:
        places = frame_places(grid, groups, z, path_identifier(view) or paths[0].identifier)
    planes = 1 if is_sparse else max(1, _whole(obj, "TotalPixelMatrixFocalPlanes", MOST_FRAMES))
    return Instance(
        uid=clean(text(obj, "SOPInstanceUID"), 64),
        role=_role(obj),
        grid=grid,
        frames=frames,
        is_sparse=is_sparse,
        places=places,
        plane_count=planes,
        plane_keys=_plane_keys(view, z, planes),
        paths=paths,
        spacing=_spacing(view),
        volume_mm=_volume(obj),
        concatenation_uid=text(obj, "ConcatenationUID"),
        part=integer(obj, "InConcatenationNumber"),
        parts=integer(obj, "InConcatenationTotalNumber"),
        first_frame=integer(obj, "ConcatenationFrameOffsetNumber"),
        transfer_syntaxes=tuple(clean(uid, 64) for uid in transfer_syntaxes(obj)[:6]),
        photometric=clean(text(obj, "PhotometricInterpretation"), 16),
        is_lossy={"00": False, "01": True}.get(text(obj, "LossyImageCompression")),
        frame_of_reference=text(obj, "FrameOfReferenceUID"),
        container=clean(text(obj, "ContainerIdentifier"), 64),
        specimens=specimen_count(obj),
        says_organization=bool(organization),
        facts=slide_facts(obj),
    )


def _without_needless_groups(obj: DicomJson) -> DicomJson:
    """Per-frame groups of a TILED_FULL image repeat what is implied: they are not even decoded, unless the size of a
    pixel is in them alone."""
    is_full = text(obj, "DimensionOrganizationType") == "TILED_FULL"
    measures = [item for group in items(obj, SHARED)[:1] for item in items(group, "PixelMeasuresSequence")[:1]]
    says_size = any(numbers(item, "PixelSpacing") for item in measures)
    return without(obj, tag_of(PER_FRAME)) if is_full and says_size else obj


def _role(obj: DicomJson) -> str:
    """Volume where ImageType does not say it; other for objects of another class, annotations for instance."""
    if (text(obj, "SOPClassUID") or SLIDE_CLASS) != SLIDE_CLASS or (text(obj, "Modality") or "SM") != "SM":
        return "other"
    values = [str(value).strip().upper() for value in raw_values(obj, "ImageType")]
    return next((ROLES[value] for value in values[2:3] if value in ROLES), "volume")


def _grid(obj: DicomJson) -> Grid | None:
    """An image of one frame without a total pixel matrix, an old label for instance, is one tile."""
    tile = [_whole(obj, keyword, MOST_TILE_PIXELS) for keyword in ("Columns", "Rows")]
    matrix = [_whole(obj, f"TotalPixelMatrix{keyword}", MOST_PIXELS) for keyword in ("Columns", "Rows")]
    if not all(matrix) and _whole(obj, "NumberOfFrames", MOST_FRAMES) <= 1:
        matrix = tile
    return Grid(*matrix, *tile) if all(tile) and all(matrix) else None


def _whole(obj: DicomJson, keyword: str, most: int) -> int:
    """A count, or 0 for what is none."""
    found = number(obj, keyword)
    return int(found) if found is not None and 0 < found <= most else 0


def _spacing(view: DicomJson) -> tuple[float, float] | None:
    found = numbers(view, "PixelSpacing")
    usable = len(found) == 2 and all(LEAST_SPACING <= value <= GREATEST_SPACING for value in found)
    return (found[0], found[1]) if usable else None


def _volume(obj: DicomJson) -> tuple[float, float] | None:
    width, height = (number(obj, f"ImagedVolume{side}") or 0.0 for side in ("Width", "Height"))
    return (width, height) if 0 < width < 1e4 and 0 < height < 1e4 else None


def _z(obj: DicomJson, view: DicomJson) -> float:
    """The z offset of the first focal plane in um, of the matrix or else of the first frame; 0 where none is said."""
    origins = items(obj, "TotalPixelMatrixOriginSequence")[:1]
    said = [number(item, "ZOffsetInSlideCoordinateSystem") for item in (*origins, view)]
    return round(next((value for value in said if value is not None), 0.0), Z_PLACES)


def _plane_keys(view: DicomJson, z: float, count: int) -> tuple[PlaneKey, ...]:
    """SpacingBetweenSlices, in mm, is the distance of the planes; the first is the nearest to the glass."""
    distance = (number(view, "SpacingBetweenSlices") or 0.0) * 1000
    places = range(min(count, MOST_PLANES))
    if count > 1 and not 0 < abs(distance) < 1e6:
        return tuple((0.0, place + 1) for place in places)
    return tuple((round(z + place * distance, Z_PLACES), 0) for place in places)
