"""One frame of a series or an instance as a picture with its facts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..archives.base import Archive, ArchiveError, Busy, Failed, NotUnderstood, Refused, Unreachable
from ..dicom.functional_groups import frame_view
from ..dicom.geometry import normal
from ..dicom.rules import Level
from ..dicom.uids import checked_uid
from ..dicom.values import clean
from ..errors import BadArgument
from ..pixels.request import DEFAULT_SIZE, Format, Point, Region
from .app import App
from .archive_picture import LONGEST_PROBLEM, is_cheaper, large_colour, last_resort
from .captions import cautions, facts_of, identity, viewer_fact
from .lookup import find_place
from .overlay import NEEDS_OVERLAY, OnImage, Overlay, Target, open_overlay
from .rendering import Renderer, readable_frames
from .slices import Choice, choose, list_images, nearest

if TYPE_CHECKING:
    from ..pixels.picture import Picture

LARGEST = "largest"  # the slice with the most of a segment
WITHOUT_VALUES = " To see it as the archive renders it, leave out window, region, probe, statistics and overlay."


@dataclass(frozen=True)
class FrameRequest:
    """Which frame, and how it is to be shown; as ``render_frame`` takes it."""

    study_uid: str | None = None
    series_uid: str | None = None
    instance_uid: str | None = None
    frame: int | None = None
    slice: int | str | None = None
    position_mm: float | None = None
    stack: int | str | None = None
    window: str = "auto"
    region: Region | None = None
    size: int = DEFAULT_SIZE
    format: Format = "auto"
    probe: tuple[Point, ...] = ()
    statistics: Region | None = None
    overlay: str | None = None
    segment: int | str | None = None

    @property
    def needs_values(self) -> bool:
        """Whether only pixels decoded here will do, and not a picture that the archive made."""
        asked = self.region, self.statistics, self.overlay
        return self.window != "auto" or bool(self.probe) or any(item is not None for item in asked)


@dataclass(frozen=True)
class Shown:
    """A picture and its facts, in the order in which a caption says them."""

    picture: "Picture"
    facts: Mapping[str, str]
    notes: tuple[str, ...]


async def show_frame(app: App, archive_name: str | None, request: FrameRequest) -> Shown:
    """One frame, decoded and windowed here; by the archive only where this program cannot or where a colour frame is
    large, and that is said.

    Raises BadArgument or ArchiveError.
    """
    from ..pixels.window import parse_window

    parse_window(request.window)  # what is no window at all is refused before anything is asked
    archive = app.remembering(archive_name)
    overlay = await _opened(app, archive, request)
    choice = await _chosen(app, archive, request, overlay)
    from ..pixels.problems import Undecodable

    try:
        shown = await _picture(archive, choice, request, overlay)
    except Undecodable as problem:
        instead = WITHOUT_VALUES if archive.profile.renders and request.needs_values else ""
        raise NotUnderstood(
            archive.name, f"this frame cannot be shown. {clean(str(problem), LONGEST_PROBLEM)}{instead}"
        ) from None
    viewer = viewer_fact(archive, choice.place, choice.obj)
    facts = {"archive": archive.name, **identity(choice), **shown.facts, **viewer}
    return Shown(shown.picture, facts, (*choice.notes, *cautions(choice.obj), *shown.notes))


async def _opened(app: App, archive: Archive, request: FrameRequest) -> Overlay | None:
    """The overlay that is asked for, without having looked where it lies."""
    if request.overlay is None:
        wish = "segment" if request.segment is not None else 'slice="largest"' if request.slice == LARGEST else ""
        if wish:
            raise BadArgument(NEEDS_OVERLAY.format(wish))
        return None
    series_uid = checked_uid(request.overlay, "overlay")
    place = await find_place(app, archive, request.study_uid, request.series_uid, request.instance_uid)
    return await open_overlay(app, archive, place.study_uid, series_uid, request.segment)


async def _chosen(app: App, archive: Archive, request: FrameRequest, overlay: Overlay | None) -> Choice:
    """The frame that was asked for; ``largest`` is where the overlay says so."""
    is_largest = overlay is not None and request.slice == LARGEST
    choice = await choose(
        app,
        archive,
        study_uid=request.study_uid,
        series_uid=request.series_uid,
        instance_uid=request.instance_uid,
        frame=request.frame,
        slice=await _largest(app, archive, request, overlay) if overlay and is_largest else request.slice,
        position_mm=request.position_mm,
        stack=request.stack,
    )
    return (
        replace(choice, how=f"{choice.how}, the one with the most of the overlay's segment") if is_largest else choice
    )


async def _largest(app: App, archive: Archive, request: FrameRequest, overlay: Overlay) -> int:
    """The number of the slice at the plane that holds the most of the overlay's one segment."""
    place = await find_place(app, archive, request.study_uid, request.series_uid, request.instance_uid)
    if place.level is not Level.SERIES:
        raise BadArgument('slice="largest" chooses among the images of a series: give series_uid.')
    stack = await (await list_images(archive, place)).walked(request.stack)
    axis = normal(stack.slices[0].orientation) if stack.reach is not None else None
    if axis is None:
        raise BadArgument(" ".join(('slice="largest" needs images of one stack in space.', *stack.notes)))
    return nearest(stack, await overlay.fullest(axis))


async def _picture(archive: Archive, choice: Choice, request: FrameRequest, overlay: Overlay | None) -> Shown:
    from ..pixels.problems import Undecodable

    if not request.needs_values and is_cheaper(archive, choice.obj, request.size):
        try:
            return Shown(*await large_colour(archive, choice, request.size, request.format), ())
        except (Busy, Unreachable):  # it would not give a large frame either
            raise
        except (ArchiveError, Undecodable):
            pass  # the stored frame will do
    drawn = await overlay.on(Target(choice.obj, choice.frame)) if overlay else OnImage()
    try:
        (frame,) = await readable_frames(archive, choice.place, [choice.frame])
        rendered = await Renderer(archive, choice.place, choice.obj).render(
            frame,
            window=request.window,
            region=request.region,
            size=request.size,
            format=request.format,
            probe=request.probe,
            statistics=request.statistics,
            marks=drawn.marks,
        )
    except (Undecodable, Refused, Failed) as problem:
        if not archive.profile.renders or request.needs_values:
            raise
        return Shown(*await last_resort(archive, choice, request.size, request.format, problem), ())
    facts = facts_of(rendered, frame_view(choice.obj, choice.frame - 1), frame)
    if overlay:
        facts = {"overlay": overlay.words(drawn), **facts}
    return Shown(rendered.picture, facts, (*drawn.notes, *rendered.notes))
