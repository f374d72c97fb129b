"""The tiles of a contact sheet: for some images of one series their metadata, their frames, and a picture of each."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
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
from ..dicom.functional_groups import frame_view
from ..dicom.geometry import Stack
from ..dicom.kinds import Kind, kind_of
from ..dicom.values import DicomJson, clean, integer, text
from ..dicom.video import refusal_of
from ..errors import BadArgument, Problem
from .costs import expected_bytes
from .instance import instance_metadata
from .overlay import OnImage, Overlay, Target
from .overview import HOW_TO_LOOK
from .parallel import side_by_side
from .rendering import Renderer, readable_frames
from .samples import Sample

if TYPE_CHECKING:
    from ..pixels.overlay.drawing import Mark
    from ..pixels.picture import Picture
    from ..pixels.render import Rendered
    from ..pixels.sheet import Shape

BATCH_BYTES = 32 << 20  # uncompressed frames of one instance that are asked for together
DECODED_AT_ONCE = 4  # of the whole sheet: a frame takes many times its bytes while it is rendered
LONGEST_PROBLEM = 200
SHARED = "all in one, because the files have none of their own: lowest 1st to highest 99th percentile of these images"
ENDS_IT = (AccessDenied, Busy, Unreachable)  # what one request met, the next one would
PERHAPS_ALONE = (Failed, NotFound, NotUnderstood, Refused)  # of several frames: each alone may still come


@dataclass(frozen=True)
class Drawn:
    """One tile: what was rendered and from which bytes (see ``Frame``), or why nothing was."""

    rendered: "Rendered | None" = None
    transfer_syntax: str = ""
    as_stored: bool = True
    problem: str = ""

    @property
    def picture(self) -> "Picture | None":
        return self.rendered.picture if self.rendered else None


@dataclass
class Drawing:
    """The tiles of one series while they are made. ``said`` are facts in place of the usual ones or besides them.
    ``overlay`` is drawn on each. ``fills``: each picture is as long as its tile, whatever its pixels. ``lost`` is what
    ended the asking: the archive is asked nothing more then. ``failure`` is what failed first."""

    archive: Archive
    place: Place
    stack: Stack
    samples: Sequence[Sample]
    windows: Sequence[str]
    said: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    fills: bool = False
    overlay: Overlay | None = None
    overlaid: dict[int, OnImage] = field(default_factory=dict)  # by number of the sample
    shared: dict[str, str] = field(default_factory=dict)  # a window that was asked for -> the one that all tiles have
    lost: Problem | None = None
    failure: Problem | None = None
    tiles: dict[tuple[int, str], Drawn] = field(default_factory=dict)  # by number of the sample and window
    decoding: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(DECODED_AT_ONCE))

    # ---- metadata ----------------------------------------------------------------------------------------------------

    async def read(self) -> None:
        """The metadata of all samples. Raises BadArgument where they are no series of images."""
        unread = [group for group in self._by_instance() if not group[0].obj]
        await side_by_side(self._read, unread, self.archive.profile.parallel)
        self._refuse_what_is_no_series_of_images()

    def view(self, sample: Sample) -> DicomJson:
        """What holds for the frame of a sample."""
        try:
            return frame_view(sample.obj, sample.frame - 1)
        except Problem:  # said again, and of this tile, when it is rendered
            return sample.obj

    def shapes(self, measured: "Callable[[DicomJson], Shape]") -> "dict[int, Shape]":
        """The shape of each tile by number of its sample; nothing for what cannot be shown: its size may be any number,
        and why is said when it is drawn."""
        from ..pixels.description import PixelDescription

        found = {sample.number: (0.0, 0.0) for sample in self.samples}
        for sample in self.samples:
            with suppress(Problem):
                PixelDescription.of(sample.obj, "")
                found[sample.number] = measured(self.view(sample))
        return found

    async def _read(self, group: list[Sample]) -> None:
        """The metadata of one instance."""
        try:
            self._raise_what_ended_it()
            obj = await instance_metadata(self.archive, self._instance(group[0]))
        except Problem as problem:
            self._fail(group, problem)
            return
        for sample in group:
            sample.tell(obj)

    def _refuse_what_is_no_series_of_images(self) -> None:
        known = [sample.obj for sample in self.samples if sample.obj]
        if any(text(obj, "Modality") == "SM" for obj in known):
            raise BadArgument(
                "The frames of a slide are tiles of one large picture, and a preview of them shows nothing: "
                f"give render_region series_uid={self.place.series_uid} and whole=true. {HOW_TO_LOOK}"
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

    def expected_bytes(self) -> int:
        """What drawing will have to fetch, as far as that is known."""
        groups = self._by_instance()
        wanted = ((group[0].slice.instance_uid, group[0].obj, [one.frame for one in group]) for group in groups)
        return expected_bytes(self.archive, self.place, wanted)

    # ---- pixels ------------------------------------------------------------------------------------------------------

    async def draw(self, sizes: Mapping[int, int]) -> None:
        """Fetch and render what did not fail; ``sizes`` are the long edges of the tiles by number of the sample. Tiles
        whose windows came from their own values are drawn again in one that holds all of these: side by side, the same
        grey must mean the same."""
        await self._make(sizes)
        if self._share_windows():
            await self._make(sizes)

    async def _make(self, sizes: Mapping[int, int]) -> None:
        """The tiles that are not there yet."""
        await side_by_side(partial(self._draw, sizes), self._by_instance(), self.archive.profile.parallel)

    def _share_windows(self) -> bool:
        """Whether there are windows to be shared; their tiles are taken back."""
        for window in self.windows:
            own = {key: drawn.rendered for key, drawn in self.tiles.items()
                   if key[1] == window and drawn.rendered and drawn.rendered.by_values}  # fmt: skip
            ends = [end for rendered in own.values() for end in rendered.ends or ()]
            if len(own) > 1 and len({rendered.unit for rendered in own.values()}) == 1:
                self.shared[window] = f"{min(ends):.9g}..{max(ends):.9g}"
                for key in own:
                    del self.tiles[key]
        return bool(self.shared)

    def _by_instance(self) -> list[list[Sample]]:
        """The samples that did not fail, frames of one instance in their order: an answer does not number them."""
        groups: dict[str, list[Sample]] = {}
        for sample in self.samples:
            if any((sample.number, window) not in self.tiles for window in self.windows):
                groups.setdefault(sample.slice.instance_uid, []).append(sample)
        return [sorted(group, key=lambda sample: sample.frame) for group in groups.values()]

    async def _draw(self, sizes: Mapping[int, int], group: list[Sample]) -> None:
        """The tiles of one instance: its frames fetched together, as many as memory allows."""
        from ..pixels.description import PixelDescription

        try:
            frame_bytes = PixelDescription.of(group[0].obj, "").frame_bytes
        except Problem as problem:
            self._fail(group, problem)
            return
        step = max(1, BATCH_BYTES // frame_bytes)
        renderer = Renderer(self.archive, self._instance(group[0]), group[0].obj)
        for start in range(0, len(group), step):
            batch = group[start : start + step]
            fetched = await self._fetched(batch)
            await side_by_side(partial(self.render, renderer, sizes), fetched, DECODED_AT_ONCE)

    async def _fetched(self, batch: list[Sample]) -> list[tuple[Sample, Frame]]:
        """The frames that come, each with its sample."""
        try:
            self._raise_what_ended_it()
            numbers = [sample.frame for sample in batch]
            frames = await readable_frames(self.archive, self._instance(batch[0]), numbers)
            return list(zip(batch, frames, strict=True))
        except PERHAPS_ALONE as problem:
            if len(batch) > 1:
                return [found for sample in batch for found in await self._fetched([sample])]
            self._fail(batch, problem)
        except Problem as problem:
            self._fail(batch, problem)
        return []

    async def render(self, renderer: Renderer, sizes: Mapping[int, int], fetched: tuple[Sample, Frame]) -> None:
        """The tiles of one frame, one for each window."""
        from ..pixels.request import LARGEST_SIZE, SMALLEST_SIZE

        sample, frame = fetched
        size = min(LARGEST_SIZE, max(SMALLEST_SIZE, sizes[sample.number]))
        try:
            on = await self._overlaid(sample)
        except Problem as problem:
            self._fail([sample], problem)
            return
        asked = {"size": size, "for_sheet": True, "fill": self.fills, "marks": on.marks, "legend": False}
        for window in self.windows:
            if (sample.number, window) in self.tiles:
                continue
            common = self.shared.get(window)
            try:
                async with self.decoding:
                    rendered = await renderer.render(frame, window=common or window, **asked)
            except Problem as problem:
                self._fail([sample], problem, [window])
                continue
            if common:
                rendered = replace(rendered, window=SHARED)
            self.tiles[sample.number, window] = Drawn(rendered, frame.transfer_syntax, frame.as_stored)

    async def _overlaid(self, sample: Sample) -> OnImage:
        """What of the overlay lies on an image, looked for once. Raises Misplaced, Undecodable or ArchiveError."""
        if sample.number not in self.overlaid:
            target = Target(sample.obj, sample.frame)
            self.overlaid[sample.number] = await self.overlay.on(target) if self.overlay else OnImage()
        return self.overlaid[sample.number]

    # ---- what failed -------------------------------------------------------------------------------------------------

    def _fail(self, samples: Sequence[Sample], problem: Problem, windows: Sequence[str] | None = None) -> None:
        self.failure = self.failure or problem
        if isinstance(problem, ENDS_IT):
            self.lost = problem
        for sample in samples:
            for window in windows or self.windows:
                reason = clean(str(problem), LONGEST_PROBLEM)
                self.tiles[sample.number, window] = Drawn(problem=reason)

    def _raise_what_ended_it(self) -> None:
        if self.lost:
            raise self.lost

    def legend(self) -> "list[Mark]":
        """What of the overlay was drawn on any tile."""
        drawn = {mark.name for on in self.overlaid.values() for mark in on.marks}
        return [mark for mark in self.overlay.legend if mark.name in drawn] if self.overlay else []

    def refuse_nothing(self) -> None:
        """Raises what failed first where no tile can be shown."""
        if self.failure is None or any(tile.rendered for tile in self.tiles.values()):
            return
        if isinstance(self.failure, ArchiveError | BadArgument):
            raise self.failure
        reason = clean(str(self.failure), LONGEST_PROBLEM)
        raise NotUnderstood(self.archive.name, f"none of these images can be shown. {reason}")

    def _instance(self, sample: Sample) -> Place:
        return Place(self.place.study_uid, self.place.series_uid, sample.slice.instance_uid)
