"""Where the frames of a TILED_SPARSE image lie, by their functional groups, in as few bytes as can be searched."""

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..values import DicomJson, clean, integer, items, number, text

Z_PLACES = 3  # of a micrometre: focal planes nearer to each other are one
LONGEST_NAME = 64  # characters of an optical path's identifier


@dataclass(frozen=True)
class Grid:
    """The total pixel matrix and the tiles in it, in pixels; the last tile of a line or column may reach beyond it."""

    columns: int
    rows: int
    tile_columns: int
    tile_rows: int

    @property
    def across(self) -> int:
        """Tiles in a line."""
        return -(-self.columns // self.tile_columns)

    @property
    def down(self) -> int:
        """Lines of tiles."""
        return -(-self.rows // self.tile_rows)

    @property
    def tiles(self) -> int:
        return self.across * self.down

    def place(self, x: int, y: int) -> int:
        """One number for the position of a frame that has a pixel within the matrix; ascends by y, then x."""
        return (y + self.tile_rows) * (self.columns + self.tile_columns) + x + self.tile_columns

    def position(self, place: int) -> tuple[int, int]:
        """x and y of ``place``."""
        y, x = divmod(place, self.columns + self.tile_columns)
        return x - self.tile_columns, y - self.tile_rows

    def touches(self, x: int, y: int) -> bool:
        """Whether a tile at this position has a pixel within the matrix."""
        return -self.tile_columns < x < self.columns and -self.tile_rows < y < self.rows


@dataclass(frozen=True)
class Sheet:
    """The frames of one focal plane and optical path: places in ascending order, and the frame at each, from 1."""

    places: "array[int]"
    frames: "array[int]"

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(part.itemsize * len(part) for part in (self.places, self.frames))

    def frame_at(self, place: int) -> int:
        """The frame that lies at a place, 0 where none does."""
        found = bisect_left(self.places, place)
        return self.frames[found] if found < len(self.places) and self.places[found] == place else 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.places, self.frames, strict=True)


@dataclass(frozen=True)
class FramePlaces:
    """The sheets of one instance by z offset in um and optical path identifier, and what is odd about them."""

    sheets: Mapping[tuple[float, str], Sheet]
    is_on_grid: bool = True
    strays: int = 0  # frames without a position, or with one outside the matrix
    repeated: int = 0  # frames at the place of another one; the last counts
    is_uneven: bool = False  # z offsets differ from tile to tile, and no place has two of them


def frame_places(grid: Grid, per_frame: Sequence[DicomJson], z: float, path: str) -> FramePlaces:
    """By the positions in per-frame groups; ``z`` and ``path`` hold for frames that do not say theirs."""
    found: dict[tuple[float, str], dict[int, int]] = defaultdict(dict)
    placed, is_on_grid = 0, True
    for index, group in enumerate(per_frame):
        position = _position(group)
        if position is None or not grid.touches(*position):
            continue
        is_on_grid = is_on_grid and position[0] % grid.tile_columns == 0 and position[1] % grid.tile_rows == 0
        found[_z(group, z), path_identifier(group) or path][grid.place(*position)] = index + 1
        placed += 1
    return FramePlaces(
        sheets={key: _sheet(frames) for key, frames in found.items()},
        is_on_grid=is_on_grid,
        strays=len(per_frame) - placed,
        repeated=placed - sum(map(len, found.values())),
    )


def in_one_plane(found: Sequence[FramePlaces]) -> list[FramePlaces]:
    """The frames of one level as one focal plane, when they have several z offsets and no place has two of them:
    tiles that were each focused on their own. Else as they are."""
    depths: Counter[float] = Counter()
    seen: dict[str, set[int]] = defaultdict(set)
    for places in found:
        for (z, path), sheet in places.sheets.items():
            depths[z] += len(sheet.places)
            seen[path].update(sheet.places)
    if len(depths) < 2 or sum(map(len, seen.values())) < depths.total():
        return list(found)
    usual = depths.most_common(1)[0][0]
    return [replace(places, sheets=_at(places.sheets, usual), is_uneven=True) for places in found]


def _at(sheets: Mapping[tuple[float, str], Sheet], z: float) -> dict[tuple[float, str], Sheet]:
    by_path: dict[str, dict[int, int]] = defaultdict(dict)
    for (_, path), sheet in sheets.items():
        by_path[path].update(sheet)
    return {(z, path): _sheet(frames) for path, frames in by_path.items()}


def _sheet(frames: Mapping[int, int]) -> Sheet:
    ordered = sorted(frames)
    return Sheet(array("q", ordered), array("q", map(frames.__getitem__, ordered)))


def _position(group: DicomJson) -> tuple[int, int] | None:
    """From 0, as the attributes count from 1."""
    for item in items(group, "PlanePositionSlideSequence")[:1]:
        x = integer(item, "ColumnPositionInTotalImagePixelMatrix")
        y = integer(item, "RowPositionInTotalImagePixelMatrix")
        return None if x is None or y is None else (x - 1, y - 1)
    return None


def _z(group: DicomJson, default: float) -> float:
    for item in items(group, "PlanePositionSlideSequence")[:1]:
        found = number(item, "ZOffsetInSlideCoordinateSystem")
        return default if found is None else round(found, Z_PLACES)
    return default


def path_identifier(group: DicomJson) -> str:
    """The optical path that a functional-groups item names; empty where it names none."""
    for item in items(group, "OpticalPathIdentificationSequence")[:1]:
        return clean(text(item, "OpticalPathIdentifier"), LONGEST_NAME)
    return ""
