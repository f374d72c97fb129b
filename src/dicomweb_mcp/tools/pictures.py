"""render_frame: one frame as a picture."""

import base64
from typing import Annotated, Literal

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, ImageContent
from pydantic import Field

from ..errors import BadArgument
from ..pixels.request import DEFAULT_SIZE, LARGEST_SIZE, MOST_POINTS, PRESETS, SMALLEST_SIZE, Format, Point, Region
from ..services.app import App
from ..services.pictures import FrameRequest, Shown, show_frame
from .answers import picture_result
from .arguments import Archive, InstanceUid, SeriesUid, StudyUid

Size = Annotated[int, Field(ge=SMALLEST_SIZE, le=LARGEST_SIZE, description="Longest edge of the picture in pixels")]
PictureFormat = Annotated[Format, Field(description="auto: PNG, JPEG where PNG would be too large")]
WhichStack = Annotated[
    int | str | None,
    Field(description='Of several at one place or in several planes: number, or "axial", "EchoTime=30", "b=1000"'),
]
OverlaySeries = Annotated[
    str | None, Field(description="UID of a SEG or RTSTRUCT series of this study, drawn where it belongs")
]
SegmentName = Annotated[
    int | str | None, Field(description="Number or name of the one segment or region of overlay to draw")
]


async def render_frame(
    ctx: Context[App],
    archive: Archive = None,
    study_uid: StudyUid = None,
    series_uid: SeriesUid = None,
    instance_uid: InstanceUid = None,
    frame: Annotated[int | None, Field(ge=1, description="Frame of the instance, from 1")] = None,
    slice: Annotated[
        Annotated[int, Field(ge=1)] | Literal["first", "middle", "last", "largest"] | None,
        Field(
            description="Image of the series in geometric order, from 1; the middle one when left out; largest: "
            "with the most of an overlay's segment"
        ),
    ] = None,
    position_mm: Annotated[
        float | None, Field(allow_inf_nan=False, description="Instead of slice: mm along the normal")
    ] = None,
    stack: WhichStack = None,
    window: Annotated[
        str,
        Field(
            max_length=80,
            description=f"auto (the file's own, else by values), a CT preset ({', '.join(PRESETS)}), "
            "the file's window by its explanation, "
            '"center,width" or "min..max" in real units',
        ),
    ] = "auto",
    region: Annotated[
        list[int] | None,
        Field(description="[x, y, width, height] to crop to, in pixels of the native frame, from 0"),
    ] = None,
    size: Size = DEFAULT_SIZE,
    format: PictureFormat = "auto",
    probe: Annotated[
        list[list[int]] | None,
        Field(max_length=MOST_POINTS, description="[[x, y], ...]: the real values of these native pixels, from 0"),
    ] = None,
    statistics: Annotated[
        list[int] | None,
        Field(description="[x, y, width, height]: minimum, mean, maximum, deviation in this part of the native frame"),
    ] = None,
    overlay: OverlaySeries = None,
    segment: SegmentName = None,
) -> CallToolResult:
    """Show one image as a picture, with its facts as text: which slice and where it lies, the window and where that
    came from, real values, edges (which side of the patient), sizes, compression.

    A series_uid alone shows the middle slice. slice walks through a series in space (1 is the first along the normal
    of the images); frame picks a frame of a multi-frame instance (ultrasound, enhanced CT or MR). Pixels are decoded
    and windowed by this program; where it cannot, the archive's own picture is shown and that is said. Grey levels mean
    only what the window line says: read values with probe and statistics, never from brightness. Not for diagnosis.
    """
    request = FrameRequest(
        study_uid=study_uid,
        series_uid=series_uid,
        instance_uid=instance_uid,
        frame=frame,
        slice=slice,
        position_mm=position_mm,
        stack=stack,
        window=window,
        region=_region("region", region),
        size=size,
        format=format,
        probe=_points(probe or []),
        statistics=_region("statistics", statistics),
        overlay=overlay,
        segment=segment,
    )
    shown = await show_frame(ctx.request_context.lifespan_context, archive, request)
    return picture_result(caption(shown), image_content(shown))


def caption(shown: Shown) -> list[str]:
    """The facts as ``name: value`` lines, then the notes."""
    return [*(f"{name}: {value}" for name, value in shown.facts.items()), *(f"note: {note}" for note in shown.notes)]


def image_content(shown: Shown) -> ImageContent:
    """The picture as the protocol carries it."""
    picture = shown.picture
    return ImageContent(data=base64.b64encode(picture.data).decode(), mime_type=picture.mime_type)


def _region(name: str, values: list[int] | None) -> Region | None:
    if values is None:
        return None
    if len(values) != 4:
        raise BadArgument(
            f"{name} has {len(values)} numbers: give [x, y, width, height] in pixels of the native frame."
        )
    x, y, width, height = values
    if min(x, y) < 0 or min(width, height) < 1:
        raise BadArgument(f"{name} needs x and y from 0, and width and height from 1, in pixels of the native frame.")
    return x, y, width, height


def _points(values: list[list[int]]) -> tuple[Point, ...]:
    if any(len(point) != 2 or min(point) < 0 for point in values):
        raise BadArgument("probe takes points [[x, y], ...] in pixels of the native frame, x and y from 0.")
    return tuple((x, y) for x, y in values)
