"""A series as one picture: some of its images side by side, each with a label and a line of facts."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import anyio

from ..archives.base import (
    AccessDenied,
    Archive,
    ArchiveError,
    Busy,
    Failed,
    Frame,
    NotFound,
    NotUnderstood,
    Place,
    Refused,
    Unreachable,
)  # fmt: skip
from ..dicom.functional_groups import frame_count, frame_view
from ..dicom.geometry import Stack
from ..dicom.kinds import Kind, kind_of
from ..dicom.rules import Level
from ..dicom.values import DicomJson, clean, integer, text
from ..dicom.video import refusal_of
from ..errors import BadArgument, Problem
from ..pixels.request import DEFAULT_SIZE, Format
from .app import App
from .captions import viewer_fact
from .instance import instance_metadata
from .lookup import find_place
from .overview import HOW_TO_PICK
from .parallel import side_by_side
from .pictures import Shown
from .preview_caption import Drawn, caption, labels
from .rendering import Renderer
from .samples import Sample, chosen
from .slices import stack_of

if TYPE_CHECKING:
    from ..pixels.sheet import Layout, Shape

BATCH_BYTES = 32 * 1_048_576  # uncompressed frames of one instance that are asked for together
DECODED_AT_ONCE = 4  # of the whole sheet: a frame takes many times its bytes while it is rendered
LONGEST_PROBLEM = 200
ENDS_IT = (AccessDenied, Busy, Unreachable)  # what one request met, the next one would
PERHAPS_ALONE = (Failed, NotFound, NotUnderstood, Refused)  # of several frames: each alone may still come


@dataclass(frozen=True)
class SeriesRequest:
    """Which images of a series, and how they are to be shown; as ``preview_series`` takes it."""

    study_uid: str | None = None
    series_uid: str | None = None
    samples: int = 9
    slices: Sequence[int] | None = None
    stack: int | str | None = None
    windows: Sequence[str] = ("auto",)
    size: int = DEFAULT_SIZE
    format: Format = "auto"


async def show_series(app: App, archive_name: str | None, request: SeriesRequest) -> Shown:
    """The contact sheet of a series. What cannot be shown is an empty tile with its reason.

    Raises BadArgument or ArchiveError; the reason of the first tile where none can be shown.
    """
    from ..pixels.picture import check_request
    from ..pixels.window import parse_window

    check_request(request.size, request.format)
    for window in request.windows:
        parse_window(window)
    request = replace(request, windows=tuple(dict.fromkeys(clean(window) for window in request.windows)))
    archive = app.remembering(archive_name)
    place = await find_place(app, archive, request.study_uid, request.series_uid, None)
    if place.level is Level.STUDY:
        raise BadArgument(
            f"A preview is of one series: call list_series with study_uid={place.study_uid}, then give a series_uid."
        )
    stack, obj = await stack_of(archive, place, request.stack)
    samples = chosen(stack, request.samples, request.slices)
    for sample in samples:
        sample.obj = obj
    return await _Preview(archive, place, stack, samples, request).show()


@dataclass
class _Preview:
    """One sheet while it is made. ``lost`` is what ended the asking: the archive is asked nothing more then."""

    archive: Archive
    place: Place
    stack: Stack
    samples: Sequence[Sample]
    request: SeriesRequest
    lost: Problem | None = None
    first: Problem | None = None
    tiles: dict[tuple[int, str], Drawn] = field(default_factory=dict)  # by number of the sample and window
    decoding: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(DECODED_AT_ONCE))

    async def show(self) -> Shown:
        unread = [group for group in self._by_instance() if not group[0].obj]
        await side_by_side(self._read, unread, self.archive.profile.parallel)
        self._refuse_what_is_no_series_of_images()
        shapes = {sample.number: self._shape(sample) for sample in self.samples}
        layout = self._layout(list(shapes.values()))
        sizes = {number: layout.tile_size(shape) for number, shape in shapes.items()}
        await side_by_side(partial(self._draw, sizes), self._by_instance(), self.archive.profile.parallel)
        self._refuse_an_empty_sheet()
        return await self._composed(layout, sizes)

    # ---- metadata ----------------------------------------------------------------------------------------------------

    async def _read(self, group: list[Sample]) -> None:
        """The metadata of one instance; of several frames without places the middle one stands for it."""
        try:
            self._raise_what_ended_it()
            obj = await instance_metadata(self.archive, self._instance(group[0]))
        except Problem as problem:
            self._fail(group, problem)
            return
        frames = frame_count(obj)
        for sample in group:
            frame = sample.frame if sample.slice.origin else (frames + 1) // 2
            sample.obj, sample.slice = obj, replace(sample.slice, frame=frame, frames=frames)

    def _refuse_what_is_no_series_of_images(self) -> None:
        known = [sample.obj for sample in self.samples if sample.obj]
        if any(text(obj, "Modality") == "SM" for obj in known):
            raise BadArgument(
                "The frames of a slide are tiles of one large picture, and a preview of them shows nothing: "
                f"give render_frame series_uid={self.place.series_uid}, which shows as much of the slide as one frame "
                f"holds. {HOW_TO_PICK}"
            )
        videos = [refusal_of(obj) for obj in known]
        if known and all(videos):
            raise BadArgument(videos[0])
        if known and all(integer(obj, "Rows") is None for obj in known):
            kind = kind_of(known[0])
            what = "" if kind in (Kind.IMAGE, Kind.OTHER) else f" ({kind})"
            raise BadArgument(
                f"The objects of this series{what} have no pixels to show: describe_object reads them, "
                f"with series_uid={self.place.series_uid}."
            )
        for sample in self.samples:
            if sample.obj and integer(sample.obj, "Rows") is None:
                self._fail([sample], BadArgument("No image: it has no pixels. describe_object reads it."))
            elif said := refusal_of(sample.obj):
                self._fail([sample], BadArgument(said))

    # ---- pixels ------------------------------------------------------------------------------------------------------

    def _shape(self, sample: Sample) -> "Shape":
        """Nothing for what cannot be shown: its size may be any number."""
        from ..pixels.description import PixelDescription
        from ..pixels.sheet import shape_of

        try:
            PixelDescription.of(sample.obj, "")
        except Problem:  # said of this tile when it is drawn
            return 0.0, 0.0
        return shape_of(self._view(sample))

    def _view(self, sample: Sample) -> DicomJson:
        try:
            return frame_view(sample.obj, sample.frame - 1)
        except Problem:  # said again, and of this tile, when it is rendered
            return sample.obj

    def _layout(self, shapes: "Sequence[Shape]") -> "Layout":
        from ..pixels.sheet import lay_out

        windows = len(self.request.windows)
        return lay_out(shapes, beside=windows, lines=1 + (windows > 1), size=self.request.size)

    def _by_instance(self) -> list[list[Sample]]:
        """The samples that did not fail, frames of one instance in their order: an answer does not number them."""
        groups: dict[str, list[Sample]] = {}
        for sample in self.samples:
            if (sample.number, self.request.windows[0]) not in self.tiles:
                groups.setdefault(sample.slice.instance_uid, []).append(sample)
        return [sorted(group, key=lambda sample: sample.frame) for group in groups.values()]

    async def _draw(self, sizes: dict[int, int], group: list[Sample]) -> None:
        """The tiles of one instance: its frames fetched together, as many as memory allows."""
        from ..pixels.description import PixelDescription

        try:
            frame_bytes = PixelDescription.of(group[0].obj, "").frame_bytes
        except Problem as problem:
            self._fail(group, problem)
            return
        step = max(1, BATCH_BYTES // max(1, frame_bytes))
        renderer = Renderer(self.archive, self._instance(group[0]), group[0].obj)
        for start in range(0, len(group), step):
            batch = group[start : start + step]
            fetched = await self._fetched(batch)
            await side_by_side(partial(self._render, renderer, sizes), fetched, DECODED_AT_ONCE)

    async def _fetched(self, batch: list[Sample]) -> list[tuple[Sample, Frame]]:
        """The frames that come, each with its sample."""
        try:
            self._raise_what_ended_it()
            frames = await self.archive.frames(self._instance(batch[0]), [sample.frame for sample in batch])
            return list(zip(batch, frames, strict=True))
        except PERHAPS_ALONE as problem:
            if len(batch) > 1:
                return [found for sample in batch for found in await self._fetched([sample])]
            self._fail(batch, problem)
        except Problem as problem:
            self._fail(batch, problem)
        return []

    async def _render(self, renderer: Renderer, sizes: dict[int, int], fetched: tuple[Sample, Frame]) -> None:
        """The tiles of one frame, one for each window; losslessly, as nothing but the sheet is handed on."""
        from ..pixels.request import LARGEST_SIZE, SMALLEST_SIZE

        sample, frame = fetched
        size = min(LARGEST_SIZE, max(SMALLEST_SIZE, sizes[sample.number]))
        for window in self.request.windows:
            try:
                async with self.decoding:
                    rendered = await renderer.render(frame, window=window, size=size, format="png")
            except Problem as problem:
                self._fail([sample], problem, [window])
            else:
                self.tiles[sample.number, window] = Drawn(rendered, frame.transfer_syntax)

    # ---- what failed -------------------------------------------------------------------------------------------------

    def _fail(self, samples: Sequence[Sample], problem: Problem, windows: Sequence[str] | None = None) -> None:
        self.first = self.first or problem
        if isinstance(problem, ENDS_IT):
            self.lost = problem
        for sample in samples:
            for window in windows or self.request.windows:
                reason = clean(str(problem), LONGEST_PROBLEM)
                self.tiles[sample.number, window] = Drawn(problem=reason)

    def _raise_what_ended_it(self) -> None:
        if self.lost:
            raise self.lost

    def _refuse_an_empty_sheet(self) -> None:
        if self.first is None or any(tile.rendered for tile in self.tiles.values()):
            return
        if isinstance(self.first, ArchiveError | BadArgument):
            raise self.first
        reason = clean(str(self.first), LONGEST_PROBLEM)
        raise NotUnderstood(self.archive.name, f"none of these images can be shown. {reason}")

    # ---- the sheet ---------------------------------------------------------------------------------------------------

    async def _composed(self, layout: "Layout", sizes: dict[int, int]) -> Shown:
        from ..pixels.sheet import Tile, compose

        tiles = []
        for sample in self.samples:
            for window in self.request.windows:
                drawn = self.tiles[sample.number, window]
                picture = drawn.rendered.picture if drawn.rendered else None
                tiles.append(Tile(picture, labels(sample, self.stack, window, self.request.windows, drawn),
                                  sizes[sample.number]))  # fmt: skip
        work = partial(compose, tiles, layout, size=self.request.size, format=self.request.format)
        picture = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
        facts, notes = caption(
            self.archive.name, self.place, self.stack, self.samples, self.request.windows, self.tiles, layout, picture
        )
        obj = next(sample.obj for sample in self.samples if sample.obj)
        return Shown(picture, {**facts, **viewer_fact(self.archive, self.place, obj)}, notes)

    def _instance(self, sample: Sample) -> Place:
        return Place(self.place.study_uid, self.place.series_uid, sample.slice.instance_uid)
