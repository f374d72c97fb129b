"""One frame of a series or an instance as a picture with its facts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..archives.base import Archive, ArchiveError, Busy, Failed, NotUnderstood, Refused, Unreachable
from ..dicom.functional_groups import frame_view
from ..dicom.values import clean
from ..pixels.request import DEFAULT_SIZE, Format, Point, Region
from .app import App
from .archive_picture import LONGEST_PROBLEM, is_cheaper, large_colour, last_resort
from .captions import cautions, facts_of, identity, viewer_fact
from .rendering import Renderer
from .slices import Choice, choose

if TYPE_CHECKING:
    from ..pixels.picture import Picture

WITHOUT_VALUES = " To see it as the archive renders it, leave out window, region, probe and statistics."


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

    @property
    def needs_values(self) -> bool:
        """Whether only pixels decoded here will do, and not a picture that the archive made."""
        return self.window != "auto" or self.region is not None or bool(self.probe) or self.statistics is not None


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
    archive = app.archive(archive_name)
    choice = await choose(
        app,
        archive,
        study_uid=request.study_uid,
        series_uid=request.series_uid,
        instance_uid=request.instance_uid,
        frame=request.frame,
        slice=request.slice,
        position_mm=request.position_mm,
        stack=request.stack,
    )
    from ..pixels.problems import Undecodable

    try:
        shown = await _picture(archive, choice, request)
    except Undecodable as problem:
        instead = WITHOUT_VALUES if archive.profile.renders and request.needs_values else ""
        raise NotUnderstood(
            archive.name, f"this frame cannot be shown. {clean(str(problem), LONGEST_PROBLEM)}{instead}"
        ) from None
    viewer = viewer_fact(archive, choice.place, choice.obj)
    facts = {"archive": archive.name, **identity(choice), **shown.facts, **viewer}
    return Shown(shown.picture, facts, (*choice.notes, *cautions(choice.obj), *shown.notes))


async def _picture(archive: Archive, choice: Choice, request: FrameRequest) -> Shown:
    from ..pixels.problems import Undecodable

    if not request.needs_values and is_cheaper(archive, choice.obj, request.size):
        try:
            return Shown(*await large_colour(archive, choice, request.size, request.format), ())
        except (Busy, Unreachable):  # it would not give a large frame either
            raise
        except (ArchiveError, Undecodable):
            pass  # the stored frame will do
    try:
        frame = (await archive.frames(choice.place, [choice.frame]))[0]
        rendered = await Renderer(archive, choice.place, choice.obj).render(
            frame,
            window=request.window,
            region=request.region,
            size=request.size,
            format=request.format,
            probe=request.probe,
            statistics=request.statistics,
        )
    except (Undecodable, Refused, Failed) as problem:
        if not archive.profile.renders or request.needs_values:
            raise
        return Shown(*await last_resort(archive, choice, request.size, request.format, problem), ())
    return Shown(
        rendered.picture,
        facts_of(rendered, frame_view(choice.obj, choice.frame - 1), frame.transfer_syntax),
        rendered.notes,
    )
