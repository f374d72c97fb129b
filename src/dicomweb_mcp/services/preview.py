"""A series as one picture: some of its images side by side, each with a label and a line of facts."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import anyio

from ..archives.manners import refuse_costly
from ..dicom.rules import Level
from ..dicom.uids import checked_uid
from ..dicom.values import clean
from ..errors import BadArgument
from .app import App
from .comparison import compared
from .lookup import find_place
from .overlay import NEEDS_OVERLAY, Overlay, open_overlay
from .pictures import Shown
from .preview_caption import caption, labelled
from .reformat import only_volume, own_plane, reformatted
from .samples import SeriesRequest, chosen
from .slices import list_images
from .tiles import Drawing

if TYPE_CHECKING:
    from ..pixels.sheet import Layout, Shape


async def show_series(app: App, archive_name: str | None, request: SeriesRequest) -> Shown:
    """The contact sheet of a series. What cannot be shown is an empty tile with its reason.

    Raises BadArgument or ArchiveError; the reason of the first tile where none can be shown.
    """
    request = _checked(request)
    archive = app.remembering(archive_name)
    place = await find_place(app, archive, request.study_uid, request.series_uid, None)
    if place.level is Level.STUDY:
        raise BadArgument(
            f"A preview is of one series: call list_series with study_uid={place.study_uid}, then give a series_uid."
        )
    listed = await list_images(archive, place)
    stack = await listed.walked(request.stack)
    if request.stack is None and (request.compare_with or request.plane != "native"):
        stack = await only_volume(listed, stack)
    overlay = None
    if request.overlay:
        overlay = await open_overlay(app, archive, place.study_uid, request.overlay, request.segment)
    if request.compare_with:
        return await compared(app, archive, place, stack, listed, request, overlay)
    if request.plane not in ("native", own_plane(stack)):
        drawing = await reformatted(archive, place, listed, stack, request)
    else:
        samples = chosen(stack, request.samples, request.slices, listed.metadata)
        drawing = Drawing(archive, place, stack, samples, request.windows)
    drawing.overlay = overlay
    return await _sheet(drawing, request)


def _checked(request: SeriesRequest) -> SeriesRequest:
    """The request with each window once. What is wrong with it alone is refused before anything is asked for."""
    from ..pixels.picture import check_request
    from ..pixels.window import parse_window

    check_request(request.size, request.format)
    for window in request.windows:
        parse_window(window)
    if request.compare_with and request.plane != "native":
        raise BadArgument(
            "compare_with shows images as they are: leave plane out, or preview each series in that plane."
        )
    for name, uid in (("compare_with", request.compare_with), ("overlay", request.overlay)):
        if uid is not None:
            checked_uid(uid, name)
    if request.segment is not None and request.overlay is None:
        raise BadArgument(NEEDS_OVERLAY.format("segment"))
    return replace(request, windows=tuple(dict.fromkeys(clean(window) for window in request.windows)))


async def _sheet(drawing: Drawing, request: SeriesRequest) -> Shown:
    from ..pixels.sheet import compose, shape_of

    await drawing.read()
    refuse_costly(drawing.archive, drawing.expected_bytes(), drawing.place)
    shapes = drawing.shapes(shape_of)
    layout = _layout(shapes, request, drawing.overlay)
    sizes = {number: layout.tile_size(shape) for number, shape in shapes.items()}
    await drawing.draw(sizes)
    drawing.refuse_nothing()
    tiles = [tile for sample in drawing.samples for tile in labelled(drawing, sample, sizes[sample.number])]
    work = partial(compose, tiles, layout, size=request.size, format=request.format, legend=drawing.legend())
    picture = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
    return Shown(picture, *caption(drawing, layout, picture))


def _layout(shapes: "dict[int, Shape]", request: SeriesRequest, overlay: Overlay | None) -> "Layout":
    from ..pixels.sheet import lay_out

    windows, legend = len(request.windows), overlay.legend if overlay else ()
    return lay_out(list(shapes.values()), beside=windows, lines=1 + (windows > 1), size=request.size, legend=legend)
