"""What stands beside a region of a slide: which slide, which level, which box, what was read for it."""

from typing import TYPE_CHECKING

from ...archives.base import Archive
from ...dicom.facts import significant
from ...dicom.slide import Level, Region
from ...dicom.values import plain_value, text, uid_name
from ..captions import size, viewer_fact
from .reading import OpenedSlide

if TYPE_CHECKING:
    from .region import Channel, Made

HEADER = ("StudyDate", "SeriesDescription", "ContainerIdentifier")


def caption(archive: Archive, opened: OpenedSlide, made: "Made") -> tuple[dict[str, str], tuple[str, ...]]:
    """The facts in their order, and the notes."""
    shown, level = made.region, made.region.level
    facts = {"archive": archive.name}
    facts |= {keyword: str(value) for keyword in HEADER if (value := plain_value(opened.first, keyword)) is not None}
    facts |= {"StudyInstanceUID": opened.place.study_uid, "SeriesInstanceUID": opened.place.series_uid or ""}
    facts["level"] = _level(level, len(opened.slide.levels))
    facts["box"] = _box(shown)
    if shown.mm:
        facts["box in mm"] = "x {:.10g}, y {:.10g}, {:.10g} x {:.10g}".format(*shown.mm)
    if len(opened.slide.planes) > 1:
        offset = "" if made.plane.z_um is None else f", at {significant(made.plane.z_um)} um"
        facts["focal plane"] = f"{made.plane.number} of {len(opened.slide.planes)}{offset}"
    facts["optical path" if len(made.channels) == 1 else "optical paths"] = "; ".join(map(_channel, made.channels))
    facts["picture"] = size(made.picture.picture)
    facts["resolution"] = _resolution(opened, made)
    facts["scale"] = _scale(made)
    facts["tiles"] = made.tiles.used.words()
    facts["pixels"] = _pixels(opened, made)
    facts["rendered by"] = "this program, from the stored tiles"
    notes = (*shown.said, *_left_out(made), *made.picture.notes, *made.tiles.used.notes, *opened.slide.notes)
    if text(opened.first, "BurnedInAnnotation").upper() == "YES":
        notes = (*notes, "The pixels hold burned-in text, which may name the patient.")
    return {**facts, **viewer_fact(archive, opened.place, opened.first)}, notes


def _left_out(made: "Made") -> tuple[str, ...]:
    if not made.left_out:
        return ()
    count = len(made.channels)
    return (f"{count} of {count + made.left_out} optical paths shown: give optical_path for another one.",)


def _level(level: Level, count: int) -> str:
    um = f", {significant(level.um_per_px, 4)} um per pixel" if level.um_per_px else ""
    return f"{level.number} of 0 to {count - 1} (0 is the finest), {level.grid.columns} x {level.grid.rows} pixels{um}"


def _box(shown: Region) -> str:
    x, y, width, height = shown.box
    said = f"x {x}, y {y}, {width} x {height} pixels of level {shown.level.number}"
    if shown.level.number == 0:
        return said
    return said + "; x {}, y {}, {} x {} of level 0".format(*shown.box_of_level_0)


def _channel(channel: "Channel") -> str:
    path = channel.path
    name = f"{path.identifier} {path.name}" if path.name != path.identifier else path.identifier
    if channel.window is None:
        return name
    low, high = channel.window
    colour = f" in {channel.colour}" if channel.colour else ""
    return f"{name}{colour}, {low:g} is black, {high:g} is full (percentiles 1 and 99 of this region)"


def _resolution(opened: OpenedSlide, made: "Made") -> str:
    """Of the picture, not of the level."""
    if made.picture.um_per_px is None:
        return "not known: the slide does not say how large a pixel is"
    said = f"{significant(made.picture.um_per_px, 4)} um per pixel of the picture"
    level = made.region.level
    if level.magnification and level.um_per_px:
        magnification = significant(level.magnification * level.um_per_px / made.picture.um_per_px, 3)
        how = "by the objective" if opened.slide.objective_power else "computed as 10 / um per pixel"
        said += f", about {magnification}x ({how})"
    return said


def _scale(made: "Made") -> str:
    """How to get from the picture to pixels of the level."""
    picture, (x, y, width, height) = made.picture.picture, made.region.box
    across, down = width / picture.width, height / (picture.height - picture.below)
    if (across, down) == (1, 1):
        return f"level {made.region.level.number} x = {x} + picture x, y = {y} + picture y, pixel by pixel"
    return f"level {made.region.level.number} x = {x} + {across:.4g} * picture x, y = {y} + {down:.4g} * picture y"


def _pixels(opened: OpenedSlide, made: "Made") -> str:
    used = [opened.objects[uid] for uid in made.tiles.used.frames]
    kinds = ", ".join(dict.fromkeys(text(obj, "PhotometricInterpretation") for obj in used)) or "none"
    syntaxes = ", ".join(uid_name(uid) for uid in made.tiles.used.transfer_syntaxes)
    lossy = any(text(obj, "LossyImageCompression") == "01" for obj in used)
    parts = [kinds, syntaxes, "lossy compression" if lossy else "no lossy compression recorded"]
    return ", ".join(filter(None, parts)) + f"; colours {made.picture.colours}"
