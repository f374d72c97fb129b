"""The table of a slide, as an answer shows it: rows for levels, images, focal planes and optical paths."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..facts import few, filled, first_few, shared, significant
from ..values import uid_name
from .instance import Instance
from .levels import FocalPlane, Level
from .model import Slide, SlideImage
from .optics import OpticalPath

MOST_ROWS = 40
MOST_PARTS = 4  # instances of one level
OWN = ("level", "columns", "rows", "SOPInstanceUID")  # stay in the rows
NUMBERING = "Level numbers are this program's own: 0 is the finest."


@dataclass
class SlideTable:
    """``facts`` hold for the whole slide, and for all levels where a row of ``levels`` does not say otherwise."""

    levels: list[dict[str, Any]] = field(default_factory=list)
    images: list[dict[str, Any]] = field(default_factory=list)
    paths: list[dict[str, Any]] = field(default_factory=list)
    planes: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def table(slide: Slide) -> SlideTable:
    levels = [_level(level) for level in slide.levels[:MOST_ROWS]]
    common = shared(levels, keep=OWN)
    facts = dict(slide.facts or {})
    if slide.objective_power:
        facts["ObjectiveLensPower"] = significant(slide.objective_power)
    parts = {"levels": slide.levels, "images": slide.images, "paths": slide.paths, "planes": slide.planes}
    return SlideTable(
        levels=levels,
        images=[_image(image) for image in slide.images[:MOST_ROWS]],
        paths=[_path(path) for path in slide.paths[:MOST_ROWS]],
        planes=[_plane(plane) for plane in slide.planes[:MOST_ROWS]] if len(slide.planes) > 1 else [],
        facts={**facts, **filled(of_every_level=common)},
        notes=[
            *([NUMBERING] if levels else []),
            *(
                f"{len(rows) - MOST_ROWS} more {name} are not shown."
                for name, rows in parts.items()
                if len(rows) > MOST_ROWS
            ),
            *slide.notes,
        ],
    )


def _level(level: Level) -> dict[str, Any]:
    um = level.um_per_px
    grid = level.grid
    return filled(
        level=level.number,
        columns=grid.columns,
        rows=grid.rows,
        um_per_px=significant(um, 4) if um else None,
        magnification=significant(level.magnification) if level.magnification else None,
        tiles=f"{grid.across} x {grid.down}",
        tile_size=f"{grid.tile_columns} x {grid.tile_rows}",
        frames=level.frames,
        **_encoding(level.instances),
        SOPInstanceUID=_uids(level.instances),
    )


def _encoding(instances: Sequence[Instance]) -> dict[str, Any]:
    """Names and counts where the instances of a level differ."""
    syntaxes = [uid_name(uid) for one in instances for uid in one.transfer_syntaxes]
    lossy = {one.is_lossy for one in instances if one.is_lossy is not None}
    return filled(
        transfer_syntax=_differing(syntaxes),
        PhotometricInterpretation=_differing(one.photometric for one in instances if one.photometric),
        lossy="partly" if len(lossy) > 1 else next(iter(lossy), None),
    )


def _differing(values: Iterable[str]) -> str:
    return few(list(Counter(values)), 4)


def _uids(instances: Sequence[Instance]) -> str | list[str]:
    uids = [one.uid for one in instances if one.uid]
    return uids[0] if len(uids) == 1 else first_few(uids, MOST_PARTS)


def _image(image: SlideImage) -> dict[str, Any]:
    grid = image.instance.grid
    return filled(
        image=image.role,
        columns=grid.columns if grid else None,
        rows=grid.rows if grid else None,
        level=image.level,
        **_encoding([image.instance]) if image.level is None else {},
        SOPInstanceUID=image.instance.uid,
    )


def _plane(plane: FocalPlane) -> dict[str, Any]:
    return filled(focal_plane=plane.number, z_um=None if plane.z_um is None else significant(plane.z_um, 6))


def _path(path: OpticalPath) -> dict[str, Any]:
    return filled(
        OpticalPathIdentifier=path.identifier,
        OpticalPathDescription=path.description,
        channel=path.channel,
        illumination=path.illumination,
        light=path.light,
        wavelength_nm=path.wavelength_nm,
        colour=path.colour,
        ICCProfile="present" if path.has_profile else "",
    )
