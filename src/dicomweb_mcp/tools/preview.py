"""preview_series: some images of a series on one picture."""

from collections.abc import Sequence
from typing import Annotated

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from ..dicom.volume.reformat import PlaneName
from ..pixels.request import DEFAULT_SIZE
from ..services.app import App
from ..services.preview import show_series
from ..services.samples import SeriesRequest
from .answers import picture_result
from .arguments import Archive, SeriesUid, StudyUid
from .pictures import OverlaySeries, PictureFormat, SegmentName, Size, WhichStack, caption, image_content

MOST_SAMPLES, MOST_WINDOWS = 36, 4

Window = Annotated[str, Field(max_length=80)]
SliceNumber = Annotated[int, Field(ge=1)]


async def preview_series(
    ctx: Context[App],
    archive: Archive = None,
    study_uid: StudyUid = None,
    series_uid: SeriesUid = None,
    samples: Annotated[int, Field(ge=1, le=MOST_SAMPLES, description="How many images, evenly spaced")] = 9,
    slices: Annotated[
        list[SliceNumber] | None,
        Field(
            min_length=1,
            max_length=MOST_SAMPLES,
            description="These images instead, in geometric order from 1 (frames of a cine: frame numbers)",
        ),
    ] = None,
    stack: WhichStack = None,
    plane: Annotated[PlaneName, Field(description="Other than native: cuts a regular volume anew")] = "native",
    compare_with: Annotated[str | None, Field(description="Series to show beside it, by position")] = None,
    overlay: OverlaySeries = None,
    segment: SegmentName = None,
    windows: Annotated[
        Sequence[Window],
        Field(
            min_length=1,
            max_length=MOST_WINDOWS,
            description="Each image in each of these, side by side; written as window of render_frame",
        ),
    ] = ("auto",),
    size: Size = DEFAULT_SIZE,
    format: PictureFormat = "auto",
) -> CallToolResult:
    """Show a series at a glance: one picture with images of it as tiles, and a line of facts for each.

    The images are evenly spaced in geometric order, first and last included. Of a single multi-frame instance the
    frames are shown, in space where they have positions, else in time. Tiles share one scale; the label above each says
    k of n and where it lies. What cannot be shown is crossed out, with the reason in its line. For detail give
    render_frame the slice. Not for diagnosis.
    """
    request = SeriesRequest(
        study_uid=study_uid,
        series_uid=series_uid,
        samples=samples,
        slices=slices,
        stack=stack,
        plane=plane,
        compare_with=compare_with,
        overlay=overlay,
        segment=segment,
        windows=windows,
        size=size,
        format=format,
    )
    shown = await show_series(ctx.request_context.lifespan_context, archive, request)
    return picture_result(caption(shown), image_content(shown))
