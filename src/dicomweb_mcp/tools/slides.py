"""describe_slide and render_region: whole slides."""

from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from ..dicom.slide import BoxRequest
from ..errors import BadArgument
from ..pixels.request import DEFAULT_SIZE
from ..services.app import App
from ..services.slides import DescribedSlide, RegionRequest, show_region
from ..services.slides import describe_slide as described
from .answers import METADATA_BUDGET, SlideAnswer, picture_result, result
from .answers import size as size_of
from .arguments import Archive, SeriesUid, StudyUid
from .pictures import PictureFormat, Size, caption, image_content

Number = Annotated[float, Field(allow_inf_nan=False)]


async def describe_slide(
    ctx: Context[App],
    archive: Archive = None,
    study_uid: StudyUid = None,
    series_uid: SeriesUid = None,
    tissue: Annotated[
        bool, Field(description="Also boxes of tissue worth looking at, found on a coarse level")
    ] = False,
) -> Annotated[CallToolResult, SlideAnswer]:
    """Say what a whole slide (Modality SM) is: the levels of its pyramid from finest to coarsest with size, resolution,
    tiles and compression; label and overview images; focal planes, optical paths (channels), stain and specimen.

    A series_uid is one slide; a study_uid alone lists the slides of the study. Level numbers are this program's own: 0
    is the finest. Then look at a part of it with render_region. Annotations and segmentations on it: describe_object.
    """
    app = ctx.request_context.lifespan_context
    found = await described(app, archive, study_uid, series_uid, tissue=tissue)
    return result(slide_answer(app.configured(archive).name, found, METADATA_BUDGET))


def slide_answer(archive: str, found: DescribedSlide, budget: int) -> SlideAnswer:
    """The answer within its budget: rows give way from the end of the longest list, and that is said."""
    parts: dict[str, Any] = {
        "slides": found.slides,
        "levels": found.table.levels,
        "images": found.table.images,
        "paths": found.table.paths,
        "planes": found.table.planes,
        "tissue": found.tissue,
    }
    whole = {name: len(rows) for name, rows in parts.items()}
    while True:
        left_out = [f"{whole[name] - len(rows)} more {name} are left out for space."
                    for name, rows in parts.items() if len(rows) < whole[name]]  # fmt: skip
        answer = SlideAnswer(
            archive=archive,
            StudyInstanceUID=found.place.study_uid,
            SeriesInstanceUID=found.place.series_uid,
            facts=found.table.facts,
            notes=[*left_out, *found.table.notes],
            **parts,
        )
        longest = max(parts, key=lambda name: len(parts[name]))
        if size_of(answer) <= budget or len(parts[longest]) <= 1:
            return answer
        parts[longest] = parts[longest][: len(parts[longest]) * 3 // 4 or 1]


async def render_region(
    ctx: Context[App],
    archive: Archive = None,
    study_uid: StudyUid = None,
    series_uid: SeriesUid = None,
    level: Annotated[int | None, Field(ge=0, description="Level to read, 0 is the finest; x, y are its pixels")] = None,
    x: Annotated[Number | None, Field(description="Left edge; without level in pixels of level 0")] = None,
    y: Annotated[Number | None, Field(description="Upper edge, down from the top")] = None,
    width: Annotated[Number | None, Field(description="Of the box, to the right of x")] = None,
    height: Annotated[Number | None, Field(description="Of the box, below y")] = None,
    unit: Annotated[
        Literal["pixel", "mm"] | None, Field(description="Of x, y, width, height and center; pixel when left out")
    ] = None,
    center: Annotated[list[Number] | None, Field(description="[x, y], with field_of_view_um instead of a box")] = None,
    field_of_view_um: Annotated[Number | None, Field(description="Edge of a square around center")] = None,
    um_per_px: Annotated[Number | None, Field(description="Resolution wanted, in micrometres per pixel")] = None,
    magnification: Annotated[Number | None, Field(description="Resolution wanted, such as 20")] = None,
    whole: Annotated[bool, Field(description="The whole slide")] = False,
    focal_plane: Annotated[int | None, Field(ge=1, description="Number of describe_slide; the middle one")] = None,
    optical_path: Annotated[
        str | None, Field(description="Identifier or name of one channel; else all, in colour")
    ] = None,
    scale_bar: Annotated[bool, Field(description="A bar of known length in a margin below")] = False,
    size: Size = DEFAULT_SIZE,
    format: PictureFormat = "auto",
) -> CallToolResult:
    """Show a region of a whole slide as a picture, with its facts as text: level, box in pixels and mm, resolution,
    tiles.

    Give whole=true first, then a box: x, y, width, height, or center and field_of_view_um. With level the box is in
    pixels of that level and read from it; without it in pixels of level 0, and read from the level that um_per_px,
    magnification or size asks for. mm count from the top left of the slide's matrix. Never enlarged; a box outside the
    slide is refused. Only the tiles that it needs are fetched. Not for diagnosis.
    """
    if center is not None and len(center) != 2:
        raise BadArgument(f"center has {len(center)} numbers: give [x, y].")
    box = BoxRequest(
        x=x,
        y=y,
        width=width,
        height=height,
        unit=unit,
        center=(center[0], center[1]) if center else None,
        field_of_view_um=field_of_view_um,
        whole=whole,
        level=level,
        um_per_px=um_per_px,
        magnification=magnification,
        size=size,
    )
    request = RegionRequest(
        study_uid=study_uid,
        series_uid=series_uid,
        box=box,
        focal_plane=focal_plane,
        optical_path=optical_path,
        scale_bar=scale_bar,
        size=size,
        format=format,
    )
    shown = await show_region(ctx.request_context.lifespan_context, archive, request)
    return picture_result(caption(shown), image_content(shown))
