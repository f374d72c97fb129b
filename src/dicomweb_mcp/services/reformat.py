"""Tiles in another plane than the images have: a regular volume cut along its own axes."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import anyio

from ..archives.base import Archive, Frame, NotUnderstood, Place
from ..dicom.functional_groups import frame_view
from ..dicom.geometry import GEOMETRY, Slice, Stack, normal
from ..dicom.uids import EXPLICIT
from ..dicom.values import DicomJson, clean, text
from ..dicom.volume import describe_geometry
from ..dicom.volume.orientation import nearest_plane, orientation
from ..dicom.volume.parts import parts
from ..dicom.volume.plane import Grid
from ..dicom.volume.reformat import Reformat, Volume
from ..dicom.volume.walk import walk
from ..errors import BadArgument, Problem
from .costs import expected_bytes
from .instance import check_place
from .parallel import side_by_side
from .rendering import Renderer, readable_frames
from .samples import Sample, SeriesRequest, chosen
from .slices import Listed
from .tiles import BATCH_BYTES, DECODED_AT_ONCE, LONGEST_PROBLEM, PERHAPS_ALONE, Drawing

if TYPE_CHECKING:
    from ..pixels.reformat import Lines

MOST_SLICES = 400
MOST_BYTES = 600_000_000  # uncompressed, that are fetched; and of lines that are kept
MOST_STRETCHED = 20  # times; what picture.encode takes for a mistake
INSTEAD = 'Leave plane out (or "native") to see the images as they are.'


def own_plane(stack: Stack) -> str:
    """The plane in which the images of a stack lie, empty where they have no order in space."""
    axis = normal(stack.slices[0].orientation) if stack.is_geometric else None
    return nearest_plane(axis) if axis else ""


async def only_volume(listed: Listed, stack: Stack) -> Stack:
    """The stack beside which there are localizers alone, where that is so; else the stack that was walked through."""
    found = await anyio.to_thread.run_sync(lambda: parts(listed.images), abandon_on_cancel=True)
    volumes = [nth for nth, part in enumerate(found, start=1) if not (part.stack and part.stack.grid.is_localizer)]
    return await listed.walked(volumes[0]) if len(volumes) == 1 < len(found) else stack


async def reformatted(archive: Archive, place: Place, listed: Listed, stack: Stack, request: SeriesRequest) -> Drawing:
    """The tiles of the plane that was asked for. Raises BadArgument where no regular volume can be cut."""
    from ..pixels.reformat import WINDOWS, differing

    _refuse_early(stack, request.plane)
    objects = await _metadata(archive, place, listed, stack)
    grid, slices = _volume(objects, stack, request.plane)
    spacing = ((slices[-1].position or 0.0) - (slices[0].position or 0.0)) / (len(slices) - 1)
    size = grid.columns, grid.rows, len(slices)
    reformat = Reformat(Volume.of(slices[0].origin, grid.orientation, grid.pixel_spacing, size, spacing), request.plane)
    cut = Stack(tuple(map(reformat.slice, range(1, reformat.count + 1))), GEOMETRY, stack.notes, stack.name)
    samples = chosen(cut, request.samples, request.slices)
    by_uid = {text(obj, "SOPInstanceUID"): obj for obj in objects}
    views = [frame_view(by_uid[item.instance_uid], item.frame - 1) for item in slices]
    lines = _lines(reformat, views, [sample.number for sample in samples])
    for sample in samples:
        sample.obj = lines.described(sample.number)
    notes: tuple[str, ...] = ()
    if differing(views, WINDOWS):
        notes = ("The windows of the files differ from slice to slice; here they are those of the middle slice.",)
    said = _said(reformat, stack, len(samples))
    return Reformatted(
        archive, place, cut, samples, request.windows, said, notes, slices=slices, objects=by_uid, lines=lines
    )


@dataclass(kw_only=True)
class Reformatted(Drawing):
    """Tiles that are cut from all ``slices`` of a volume."""

    slices: Sequence[Slice]
    objects: Mapping[str, DicomJson]  # by SOPInstanceUID
    lines: "Lines"
    syntax: str = ""  # of the frame in the middle

    def expected_bytes(self) -> int:
        wanted = ((item.instance_uid, self.objects[item.instance_uid], [item.frame]) for item in self.slices)
        return expected_bytes(self.archive, self.place, wanted)

    async def _make(self, sizes: Mapping[int, int]) -> None:
        if not self.syntax:
            await self._read_all()
        await side_by_side(partial(self._cut, sizes), self.samples, DECODED_AT_ONCE)
        self.tiles = {key: replace(drawn, transfer_syntax=self.syntax) for key, drawn in self.tiles.items()}

    async def _read_all(self) -> None:
        """Fetch every frame, and keep what the tiles need of it. A frame that cannot be had ends it: a gap must never
        look like anatomy."""
        groups: dict[str, list[int]] = {}
        for nth, item in enumerate(self.slices):
            groups.setdefault(item.instance_uid, []).append(nth)
        ordered = [sorted(group, key=lambda nth: self.slices[nth].frame) for group in groups.values()]
        await side_by_side(self._take_all, ordered, self.archive.profile.parallel)
        self.notes = (*self.notes, *self.lines.notes)

    async def _take_all(self, group: list[int]) -> None:
        """The frames of one instance, as many at a time as memory allows."""
        step = max(1, BATCH_BYTES // self.lines.frame_bytes)
        for start in range(0, len(group), step):
            await self._take(group[start : start + step])

    async def _take(self, batch: list[int]) -> None:
        slices = [self.slices[nth] for nth in batch]
        place = Place(self.place.study_uid, self.place.series_uid, slices[0].instance_uid)
        try:
            frames = await readable_frames(self.archive, place, [item.frame for item in slices])
        except PERHAPS_ALONE as problem:
            if len(batch) == 1:
                raise self._with_a_gap(batch[0], problem) from None
            for nth in batch:
                await self._take([nth])
            return
        for nth, frame in zip(batch, frames, strict=True):
            await self._keep(nth, frame)

    async def _keep(self, nth: int, frame: Frame) -> None:
        take = partial(self.lines.take, nth, frame.data, frame.transfer_syntax)
        try:
            async with self.decoding:
                await anyio.to_thread.run_sync(take, abandon_on_cancel=True)
        except Problem as problem:
            uid = self.slices[nth].instance_uid
            self.archive.forget(Place(self.place.study_uid, self.place.series_uid, uid))  # the next may be better
            raise self._with_a_gap(nth, problem) from None
        if nth == len(self.slices) // 2:
            self.syntax = frame.transfer_syntax

    def _with_a_gap(self, nth: int, problem: Problem) -> NotUnderstood:
        return NotUnderstood(
            self.archive.name,
            f"slice {nth + 1} of {len(self.slices)} of the volume cannot be had, and a gap in a reformat would look "
            f"like anatomy. {clean(str(problem), LONGEST_PROBLEM)} {INSTEAD}",
        )

    async def _cut(self, sizes: Mapping[int, int], sample: Sample) -> None:
        pixels, sample.obj = self.lines.picture(sample.number)
        middle = self.slices[len(self.slices) // 2].instance_uid
        place = Place(self.place.study_uid, self.place.series_uid, middle)  # where lookup tables stand
        await self.render(Renderer(self.archive, place, sample.obj), sizes, (sample, Frame(1, pixels, EXPLICIT)))


# ---- what can be cut -------------------------------------------------------------------------------------------------


def _refuse_early(stack: Stack, plane: str) -> None:
    """What the places of the images alone rule out, before anything else is read."""
    count = len(stack.slices)
    if not own_plane(stack) or count < 2:
        why = "these are not several images with positions in one order"
    elif count > MOST_SLICES:
        why = f"it would take all {count:,} images, and at most {MOST_SLICES} are read for that"
    else:
        return
    raise BadArgument(" ".join((f'plane="{plane}" needs one regular volume: {why}.', *stack.notes, INSTEAD)))


async def _metadata(archive: Archive, place: Place, listed: Listed, stack: Stack) -> list[DicomJson]:
    """The whole metadata of the instances of a stack."""
    wanted = {item.instance_uid for item in stack.slices}
    if listed.is_complete:
        return [obj for obj in listed.objects if text(obj, "SOPInstanceUID") in wanted]
    found: dict[str, DicomJson] = {}
    async with aclosing(archive.metadata(place)) as objects:
        async for obj in objects:
            if (uid := text(obj, "SOPInstanceUID")) in wanted:
                check_place(archive, place, obj)
                found[uid] = obj
    if lacking := len(wanted) - len(found):
        archive.forget(place)
        raise NotUnderstood(
            archive.name, f"leaves {lacking} of the images out of the metadata of their series. {INSTEAD}"
        )
    return list(found.values())


def _volume(objects: Sequence[DicomJson], stack: Stack, plane: str) -> tuple[Grid, tuple[Slice, ...]]:
    """What the slices have in common, and they in their order; if they are a regular volume by the verdict that
    ``get_metadata`` gives on the same positions."""
    wanted = {(item.instance_uid, item.frame) for item in stack.slices}
    images = [image for image in Listed(objects).images if (image.slice.instance_uid, image.slice.frame) in wanted]
    geometry = describe_geometry([image.plane for image in images])
    if geometry.get("regular_volume") is not True:
        said = (f'plane="{plane}" needs one regular volume.', geometry["verdict"], *stack.notes, INSTEAD)
        raise BadArgument(" ".join(said))
    grid = images[0].plane.grid
    if not grid.pixel_spacing:
        raise BadArgument(f'plane="{plane}" needs PixelSpacing for true proportions, and there is none. {INSTEAD}')
    return grid, walk(images).slices


def _lines(reformat: Reformat, views: Sequence[DicomJson], numbers: Sequence[int]) -> "Lines":
    from ..pixels.description import PixelDescription
    from ..pixels.reformat import Lines

    _refuse_far_from_square(reformat)
    try:
        fetched = sum(PixelDescription.of(view, "").frame_bytes for view in views)
        kept = 8 * len(numbers) * reformat.rows * reformat.columns
        if max(fetched, kept) > MOST_BYTES:
            raise BadArgument(
                f"All {len(views)} images would be read for it, {max(fetched, kept) / 1e6:,.0f} MB uncompressed; "
                f"{MOST_BYTES / 1e6:,.0f} MB is the most."
            )
        return Lines(reformat, views, numbers)
    except Problem as problem:
        raise BadArgument(f"{clean(str(problem), LONGEST_PROBLEM)} {INSTEAD}") from None


def _refuse_far_from_square(reformat: Reformat) -> None:
    down, across = reformat.pixel_spacing
    if not 1 / MOST_STRETCHED <= down / across <= MOST_STRETCHED:
        raise BadArgument(
            f"The {reformat.plane} pixels would be {across:.4g} mm wide and {down:.4g} mm high: a picture of them "
            f"shows nothing. {INSTEAD}"
        )


def _said(reformat: Reformat, stack: Stack, samples: int) -> dict[str, str]:
    """What these pictures are, and what they are not."""
    native, count = reformat.volume.axes[2], len(stack.slices)
    down, across = reformat.pixel_spacing
    shown = samples if samples < reformat.count else "all"
    of = f" of {stack.name}" if stack.name else ""
    return {
        "images": f"{reformat.count:,} {reformat.plane} planes in {GEOMETRY}{of}; {shown} shown",
        "reformat": f"{orientation(reformat.normal)}, along the axes of the volume; made by this program from all "
        f"{count} images ({orientation(native.direction)}, {native.step:.4g} mm apart), not stored in the archive; "
        f"{down:.4g} mm from row to row, {across:.4g} mm from column to column; nothing is interpolated between "
        "images, except where the pictures are resized: to square pixels and to their scale",
        "rendered by": "this program, reformatted from the stored frames",
    }
