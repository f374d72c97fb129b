"""A region of a slide as a picture with its facts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import anyio

from ...archives.base import Archive, ArchiveError, NotUnderstood
from ...dicom.slide import BoxRequest, FocalPlane, Level, OpticalPath, Region, check_box, region
from ...dicom.values import DicomJson, clean
from ...errors import BadArgument
from ...pixels.request import DEFAULT_SIZE, Format
from ..app import App
from ..pictures import Shown
from ..rendering import with_bulk
from .caption import caption
from .reading import OpenedSlide, find_slide, open_slide
from .tiles import Tiles

if TYPE_CHECKING:
    from ...pixels.slide.assemble import Assembled
    from ...pixels.slide.picture import RegionPicture

MOST_CHANNELS = 6  # shown together
LONGEST_PROBLEM = 300
CHANNEL_COLOURS = ("#0000ff", "#00ff00", "#ff0000", "#ffff00", "#ff00ff", "#00ffff")


@dataclass(frozen=True)
class RegionRequest:
    """Which box of which slide, and how it is to be shown; as ``render_region`` takes it."""

    study_uid: str | None = None
    series_uid: str | None = None
    box: BoxRequest = field(default_factory=BoxRequest)
    focal_plane: int | None = None
    optical_path: str | None = None
    scale_bar: bool = False
    size: int = DEFAULT_SIZE
    format: Format = "auto"


@dataclass(frozen=True)
class Channel:
    """One optical path of a picture: its name, its colour (empty where it is shown as it is) and the values that are
    black and full."""

    path: OpticalPath
    colour: str = ""
    window: tuple[float, float] | None = None


@dataclass(frozen=True)
class Made:
    """What a picture was made of and how, for its caption."""

    region: Region
    plane: FocalPlane
    channels: Sequence[Channel]
    picture: "RegionPicture"
    tiles: Tiles
    left_out: int  # optical paths of the level that nobody asked for


async def show_region(app: App, archive_name: str | None, request: RegionRequest) -> Shown:
    """The box from the tiles that cover it. Raises BadArgument or ArchiveError."""
    from ...pixels.picture import check_request
    from ...pixels.problems import Undecodable

    check_request(request.size, request.format)
    check_box(request.box)
    archive = app.remembering(archive_name)
    opened = await open_slide(app, archive, await find_slide(app, archive, request.study_uid, request.series_uid))
    if not opened.slide.levels:
        raise BadArgument(
            "This series has a label or overview, but no level of a slide: show it with render_frame and its "
            "instance_uid, which describe_slide names."
        )
    plane = opened.slide.plane(request.focal_plane) if request.focal_plane is not None else None
    wanted = opened.slide.path(request.optical_path) if request.optical_path is not None else None
    try:
        made = await _made(archive, opened, request, plane, wanted)
    except Undecodable as problem:
        reason = clean(str(problem), LONGEST_PROBLEM)
        raise NotUnderstood(archive.name, f"this region cannot be shown. {reason}") from None
    facts, notes = caption(archive, opened, made)
    return Shown(made.picture.picture, facts, notes)


async def _made(
    archive: Archive,
    opened: OpenedSlide,
    request: RegionRequest,
    plane: FocalPlane | None,
    wanted: OpticalPath | None,
) -> Made:
    from ...pixels.slide.assemble import reduce_for

    tiles = Tiles(archive, opened)
    chosen = [wanted.identifier] if wanted else []
    shown = region(opened.slide, request.box, plane, chosen)
    paths = [wanted] if wanted else _usual_paths(opened, tiles, shown.level, plane)
    if not paths:
        raise NotUnderstood(archive.name, f"no frame of level {shown.level.number} has a position. Use another level.")
    if len(paths) > 1:  # each needs its tiles
        shown = region(opened.slide, request.box, plane, [path.identifier for path in paths])
    plane = plane or opened.slide.usual_plane(shown.level, [path.identifier for path in paths])
    reduce = reduce_for(shown.box, max(shown.width, shown.height))
    assembled = [await tiles.assembled(shown.level, shown.box, plane, path, reduce) for path in paths]
    picture, channels = await _picture(archive, opened, request, shown, paths, assembled)
    left_out = 0 if wanted else len(shown.level.path_identifiers) - len(paths)
    return Made(shown, plane, channels, picture, tiles, left_out)


def _usual_paths(opened: OpenedSlide, tiles: Tiles, level: Level, plane: FocalPlane | None) -> list[OpticalPath]:
    """The first one of colour; of grey ones, which are channels, all that can be shown together."""
    there = [path for path in opened.slide.paths if path.identifier in level.path_identifiers
             and (plane is None or level.shows(plane, [path.identifier]))]  # fmt: skip
    is_colour = any(tiles.reader(one.uid).is_colour for one in level.instances)
    return there[: 1 if is_colour else MOST_CHANNELS]


async def _picture(
    archive: Archive,
    opened: OpenedSlide,
    request: RegionRequest,
    shown: Region,
    paths: Sequence[OpticalPath],
    assembled: "Sequence[Assembled]",
) -> "tuple[RegionPicture, list[Channel]]":
    """Colour as it is, by its ICC profile; grey with a window for each channel."""
    from ...pixels.overlay.colours import read
    from ...pixels.slide.channels import Channel as Light
    from ...pixels.slide.channels import compose
    from ...pixels.slide.picture import region_picture

    level = shown.level
    encode = partial(
        region_picture,
        assembled[0],
        um_per_px=level.um,
        scale_bar=request.scale_bar,
        size=request.size,
        longest=max(shown.width, shown.height),
        format=request.format,
    )
    if assembled[0].pixels.ndim == 3:
        profile = await _profile(archive, opened, level, paths[0])
        work = partial(encode, assembled[0].pixels, profile=profile)
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True), [Channel(paths[0])]
    colours = [path.colour or CHANNEL_COLOURS[nth % len(CHANNEL_COLOURS)] for nth, path in enumerate(paths)]
    lights = [
        Light(one.pixels, read(colour) or (255, 255, 255)) for one, colour in zip(assembled, colours, strict=True)
    ]
    composite = await anyio.to_thread.run_sync(compose, lights, abandon_on_cancel=True)
    picture = await anyio.to_thread.run_sync(partial(encode, composite.pixels), abandon_on_cancel=True)
    named = colours if len(paths) > 1 else [""]
    return picture, [Channel(*one) for one in zip(paths, named, composite.windows, strict=True)]


async def _profile(archive: Archive, opened: OpenedSlide, level: Level, path: OpticalPath) -> bytes | None:
    """The ICC profile of an optical path; empty where it cannot be had, None where there is none."""
    from ...pixels.icc import icc_profile
    from ...pixels.problems import MissingBulk

    uid = next(one.uid for one in level.instances if path.identifier in one.shown_paths)
    obj = of_path(opened.objects[uid], path.identifier)
    try:
        return icc_profile(obj)
    except MissingBulk as missing:
        place = opened.place_of(uid)
        try:
            data = await archive.bulkdata(place, missing.uri)
        except ArchiveError:
            return b""
        return icc_profile(with_bulk(obj, missing.uri, data))


def of_path(obj: DicomJson, identifier: str) -> DicomJson:
    """The metadata as those of a frame of one optical path (PS3.3 C.8.12.6.1.3)."""
    from ...dicom.tags import tag_of

    own = {tag_of("OpticalPathIdentifier"): {"vr": "SH", "Value": [identifier]}}
    group = {tag_of("OpticalPathIdentificationSequence"): {"vr": "SQ", "Value": [own]}}
    return {**obj, **group}
