"""What a slide is: its levels, images, focal planes, optical paths and facts; and where tissue is on it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio

from ...archives.base import Archive, ArchiveError, NotUnderstood, Place
from ...dicom.facts import filled, rounded
from ...dicom.query import Query, make_plan
from ...dicom.rules import Level as SearchLevel
from ...dicom.slide import MOST_TILES, Box, Level, Slide, SlideTable, table, tile_count
from ...dicom.uids import is_uid
from ...dicom.values import clean, text
from ...errors import BadArgument, Problem
from ..app import App
from ..lookup import find_place
from ..paging import every_match
from ..parallel import side_by_side
from .reading import OpenedSlide, open_slide
from .tiles import Tiles

MOST_SLIDES = 12  # of a study, described shortly
TISSUE_SIZE = 1_000  # pixels of the image on which tissue is looked for
LONGEST_PROBLEM = 200


@dataclass
class DescribedSlide:
    """One slide, or with ``slides`` those of a study with what tells them apart."""

    place: Place
    table: SlideTable = field(default_factory=SlideTable)
    tissue: list[dict[str, Any]] = field(default_factory=list)
    slides: list[dict[str, Any]] = field(default_factory=list)


async def describe_slide(
    app: App, archive_name: str | None, study_uid: str | None, series_uid: str | None, *, tissue: bool = False
) -> DescribedSlide:
    """The slide of a series, or the slides of a study. Raises BadArgument or ArchiveError."""
    archive = app.remembering(archive_name)
    place = await find_place(app, archive, study_uid, series_uid, None)
    if place.level is SearchLevel.STUDY:
        return await _of_study(app, archive, place)
    opened = await open_slide(app, archive, place)
    found = DescribedSlide(place, table(opened.slide))
    if tissue:
        try:
            await _add_tissue(archive, opened, found)
        except Problem as problem:
            found.table.notes.append(f"Tissue was not looked for: {clean(str(problem), LONGEST_PROBLEM)}")
    return found


# ---- the slides of a study -------------------------------------------------------------------------------------------


async def _of_study(app: App, archive: Archive, place: Place) -> DescribedSlide:
    rules = (await archive.settle()).rules
    query = Query(SearchLevel.SERIES, study_uid=place.study_uid, filters={"Modality": "SM"},
                  fields=("SeriesDescription", "SeriesNumber"))  # fmt: skip
    _, scan = await every_match(archive, make_plan(query, rules), MOST_SLIDES * 4)
    series = [row for row in scan.rows if is_uid(text(row, "SeriesInstanceUID"))]
    if not series:
        raise BadArgument(f"Study {place.study_uid} has no slides (Modality SM): list_series tells what it has.")
    rows: dict[str, dict[str, Any]] = {}

    async def read(uid: str) -> None:
        try:
            rows[uid] = _row(await open_slide(app, archive, Place(place.study_uid, uid)))
        except (ArchiveError, BadArgument) as problem:
            rows[uid] = {"problem": clean(str(problem), LONGEST_PROBLEM)}

    shown = [text(row, "SeriesInstanceUID") for row in series][:MOST_SLIDES]
    await side_by_side(read, shown, archive.profile.parallel)
    found = DescribedSlide(place)
    found.slides = [{"SeriesInstanceUID": uid, **rows[uid]} for uid in shown]
    found.table.notes.append("Give the series_uid of one to see its levels.")
    if len(series) > len(shown) or not scan.ended:
        found.table.notes.append(f"The study has more slides than the {len(shown)} shown: list_series names them.")
    return found


def _row(opened: OpenedSlide) -> dict[str, Any]:
    """What tells one slide from the others."""
    slide = opened.slide
    finest = slide.levels[0] if slide.levels else None
    facts = {name: value for name, value in (slide.facts or {}).items() if isinstance(value, str | int | float)}
    return filled(
        SeriesDescription=clean(text(opened.first, "SeriesDescription"), 64),
        **facts,
        levels=len(slide.levels),
        columns=finest.grid.columns if finest else None,
        rows=finest.grid.rows if finest else None,
        um_per_px=rounded(finest.um_per_px, 4) if finest and finest.um_per_px else None,
        optical_paths=len(slide.paths) if len(slide.paths) > 1 else None,
        focal_planes=len(slide.planes) if len(slide.planes) > 1 else None,
    )


# ---- tissue ----------------------------------------------------------------------------------------------------------


async def _add_tissue(archive: Archive, opened: OpenedSlide, found: DescribedSlide) -> None:
    """Boxes that are worth looking at, largest first, in pixels of level 0, and in mm where the slide says how large a
    pixel is."""
    from ...pixels.slide.assemble import reduce_for
    from ...pixels.slide.tissue import find_tissue

    slide = opened.slide
    level = _small_level(slide)
    whole = Box(0, 0, level.grid.columns, level.grid.rows)
    path = next((path for path in slide.paths if path.identifier in level.path_identifiers), None)
    if path is None:
        raise NotUnderstood(archive.name, f"has no frame of level {level.number} of this slide with a position.")
    plane = slide.usual_plane(level, [path.identifier])
    reduce = reduce_for(whole, TISSUE_SIZE)
    assembled = await Tiles(archive, opened).assembled(level, whole, plane, path, reduce)
    seen = await anyio.to_thread.run_sync(find_tissue, assembled.pixels, abandon_on_cancel=True)
    found.tissue = [_piece(slide, level, assembled.reduce, piece.box, piece.share) for piece in seen.pieces]
    left_out = f" {seen.left_out} smaller ones are left out." if seen.left_out else ""
    found.table.notes.append(
        f"tissue: coarse boxes from level {level.number}, {100 * seen.share:.0f} % of the slide in all; a hint where "
        f"to look, no finding.{left_out}"
    )


def _small_level(slide: Slide) -> Level:
    """The coarsest level that is no smaller than needed, or the finest that can be read whole."""
    if not slide.levels:
        raise NotUnderstood("", "the series has no level of a slide.")
    readable = [level for level in slide.levels
                if tile_count(level, Box(0, 0, level.grid.columns, level.grid.rows)) <= MOST_TILES]  # fmt: skip
    if not readable:
        raise BadArgument("no level is small enough to be read whole.")
    large = [level for level in readable if max(level.grid.columns, level.grid.rows) >= TISSUE_SIZE]
    return large[-1] if large else readable[0]


def _piece(slide: Slide, level: Level, reduce: int, box: Sequence[int], share: float) -> dict[str, Any]:
    across, down = (float(part) * reduce for part in level.factor)
    finest = slide.levels[0].grid
    left, top = box[0] * across, box[1] * down
    width, height = min(box[2] * across, finest.columns - left), min(box[3] * down, finest.rows - top)
    row: dict[str, Any] = {"area_percent": rounded(100 * share, 2)}
    if slide.mm_per_px:
        wide, high = slide.mm_per_px
        row["box_mm"] = [rounded(value, 3) for value in (left * wide, top * high, width * wide, height * high)]
    row["box"] = [round(left), round(top), int(width), int(height)]
    return row
