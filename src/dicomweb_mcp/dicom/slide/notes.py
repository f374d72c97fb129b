"""What is missing or inconsistent in the images of a slide, as sentences."""

from collections.abc import Sequence

from ..facts import amount, few, significant
from .instance import MOST_PLANES, Instance
from .levels import FocalPlane, Level, Tiling

MOST_NAMED = 6
MOST_COMPARED = 50  # images of one level
MOST_PARTS = 65_535  # of a concatenation, as many as can be numbered
ASPECT, SPACING, OBJECTIVE = 0.02, 0.02, 1.6  # by how much two figures may differ that should be the same


def on_instances(
    found: Sequence[Instance], repeated: int, elsewhere: Sequence[Instance], misfits: Sequence[Instance]
) -> list[str]:
    """On images that were left out, and on what they should have in common."""
    slides = [one for one in found if one.role != "other"]
    others = len(found) - len(slides)
    unsized = [one for one in slides if one.grid is None]
    containers = list(dict.fromkeys(one.container for one in slides if one.container))
    specimens = max((one.specimens for one in slides), default=0)
    said = {
        f"Left out, as they are no slide images: {amount(others, 'object')} of the series.": others,
        f"Came again, and only the first of each counts: {amount(repeated, 'instance')}.": repeated,
        "Images without a readable size (TotalPixelMatrixColumns, TotalPixelMatrixRows, Rows, Columns) are left out: "
        f"{_uids(unsized)}.": unsized,
        "Images in another frame of reference or container than the largest are left out, as they need not lie where "
        "it does: "
        f"{_uids(elsewhere)}.": elsewhere,
        "Images whose tiles have another size than most of their level are left out: " + f"{_uids(misfits)}.": misfits,
        f"The images name {len(containers)} containers: {few(containers, MOST_NAMED)}.": len(containers) > 1,
        f"There are {specimens} specimens on the slide.": specimens > 1,
        "No image of the series is a level (ImageType VOLUME).": not any(
            one.role == "volume" and one.grid for one in slides
        ),
    }
    return [sentence for sentence, holds in said.items() if holds]


def on_levels(levels: Sequence[Level]) -> list[str]:
    return [sentence for level in levels for sentence in _on_level(level, levels[0])]


def _on_level(level: Level, finest: Level) -> list[str]:
    said = [sentence for tiling in level.tilings for sentence in _on_tiling(level, tiling)]
    shown = [(key, path) for tiling in level.tilings[:MOST_COMPARED] if not tiling.parts[0].is_sparse
             for key in sorted(tiling.parts[0].plane_keys) for path in tiling.parts[0].path_index]  # fmt: skip
    if len(shown) > len(set(shown)):
        said.append(
            f"Level {level.number} has several images of the same focal plane and optical path: the one that is not "
            f"lossy compressed is read, else the first by UID ({level.tilings[0].parts[0].uid})."
        )
    across, down = finest.grid.columns / level.grid.columns, finest.grid.rows / level.grid.rows
    rows = finest.grid.rows / across
    if abs(across / down - 1) > ASPECT and abs(rows - level.grid.rows) > 1.5:
        said.append(
            f"Level {level.number} has another aspect ratio than level 0 ({across:.4g} times smaller across, "
            f"{down:.4g} times down): positions on it are stretched to fit."
        )
    if level.is_thumbnail:
        said.append(f"Level {level.number} is the thumbnail: it shows the same area.")
    return said


def _on_tiling(level: Level, tiling: Tiling) -> list[str]:
    first, name = tiling.parts[0], f"Level {level.number}"
    said = []
    if missing := _missing_parts(tiling):
        said.append(f"{name} lacks parts of a concatenation, their tiles are missing: {missing}.")
    elif not first.is_sparse and tiling.frames and tiling.frames != tiling.expected:
        what = "missing" if tiling.frames < tiling.expected else "not used"
        said.append(
            f"{name} has {tiling.frames:,} frames where {tiling.expected:,} fill its size (TILED_FULL), so "
            f"{abs(tiling.expected - tiling.frames):,} are {what}."
        )
    if not first.says_organization and tiling.expected > 1:
        how = "the positions of its frames" if first.is_sparse else "TILED_FULL"
        said.append(f"{name} does not say its DimensionOrganizationType: it is read by {how}.")
    if first.plane_count > MOST_PLANES:
        said.append(f"{name} claims {first.plane_count:,} focal planes: only the first {MOST_PLANES} can be chosen.")
    places = [part.places for part in tiling.parts if part.places]
    strays, repeated = sum(found.strays for found in places), sum(found.repeated for found in places)
    oddities = {
        f"{name} has {amount(strays, 'frame')} with no position in its matrix, which is left out.": strays,
        f"{name} has {amount(repeated, 'frame')} at the place of another one: the last of each place counts.": repeated,
        f"{name} has frames that do not lie on the grid of its tiles, so gaps are not counted.": not all(
            found.is_on_grid for found in places
        ),
        f"The z offsets of {name.lower()} differ from tile to tile: its tiles are taken as one focal plane.": any(
            found.is_uneven for found in places
        ),
    }
    return said + [sentence for sentence, holds in oddities.items() if holds]


def _missing_parts(tiling: Tiling) -> str:
    """The numbers of parts that are not there, or the frames that no part has."""
    parts = tiling.parts
    if not parts[0].concatenation_uid:
        return ""
    there = {part.part for part in parts if part.part}
    total = min(max(part.parts or 0 for part in parts) or max(there, default=0), MOST_PARTS)
    if missing := [number for number in range(1, total + 1) if number not in there]:
        return f"parts {few(missing, MOST_NAMED)} of {total}"
    ends = [start + part.frames for start, part in zip(tiling.starts, parts, strict=True)]
    gaps = [f"frames {end + 1:,} to {start:,}" for end, start in zip([0, *ends], tiling.starts, strict=False)
            if start > end]  # fmt: skip
    return few(gaps, MOST_NAMED)


def on_scale(
    levels: Sequence[Level], mm_per_px: tuple[float, float] | None, source: str, power: float | None
) -> list[str]:
    """On sizes of pixels and on the objective."""
    if not levels:
        return []
    if mm_per_px is None:
        what = "" if power else " nor ObjectiveLensPower: neither micrometres nor magnifications are known"
        return [f"No level says its PixelSpacing{what}."]
    said = []
    bare = [level.number for level in levels if not level.spacing]
    if bare:
        of = source or "that of level 0"
        said.append(f"No PixelSpacing at level {few(bare, MOST_NAMED)}: the size of a pixel is computed from {of}.")
    for level in levels:
        expected = mm_per_px[0] * float(level.factor[0])
        if level.spacing and abs(level.spacing[1] - expected) > SPACING * expected:
            said.append(
                f"Level {level.number} says {significant(level.spacing[1] * 1000)} um per pixel, but its size means "
                f"{significant(expected * 1000)}."
            )
    usual = 0.01 / mm_per_px[0]
    if power is None:
        said.append("No objective power is recorded: magnifications are computed as 10 / um per pixel.")
    elif not 1 / OBJECTIVE < power / usual < OBJECTIVE:
        said.append(
            f"ObjectiveLensPower is {power:g}, but pixels of {significant(mm_per_px[0] * 1000)} um are usual at "
            f"{usual:.0f}x: magnifications follow the objective power, um_per_px is exact."
        )
    return said


def on_planes(levels: Sequence[Level], planes: Sequence[FocalPlane]) -> list[str]:
    said = []
    if any(plane.z_um is None for plane in planes):
        said.append("Focal planes do not say their distance (SpacingBetweenSlices): only their order is known.")
    if fewer := [level.number for level in levels if not all(level.shows(plane) for plane in planes)]:
        said.append(f"Not every focal plane is on level {few(fewer, MOST_NAMED)}.")
    return said


def _uids(found: Sequence[Instance]) -> str:
    return few([one.uid or "one without a UID" for one in found], MOST_NAMED)
