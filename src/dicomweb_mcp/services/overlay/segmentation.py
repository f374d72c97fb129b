"""A segmentation drawn on an image: only the frames that the image's plane meets are read."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import anyio

from ...archives.base import Archive, Frame, Place
from ...dicom.facts import few
from ...dicom.functional_groups import PER_FRAME, SHARED, frame_count, frame_views
from ...dicom.geometry import normal
from ...dicom.objects.cielab import hex_colour
from ...dicom.objects.segment_frames import SegmentFrame, by_plane, have_one_orientation, is_label_map, segment_frames
from ...dicom.tags import tag_of
from ...dicom.values import DicomJson, clean, integer, items, number, numbers, text
from ...errors import BadArgument
from ..object_frames import object_frames
from .base import Cut, Found, Misplaced, Part, Target, check_space

if TYPE_CHECKING:
    from ...pixels.overlay.sampling import Sampler
    from ...pixels.overlay.segments import Mask, Masks, SegmentPixels

LONGEST_NAME = 64
MOST_NAMELESS = 10
DERIVATION = "DerivationImageSequence"


class Purpose(NamedTuple):
    """What frames are read to know, how many of them and of their bytes at most, and what to do where there are more of
    several segments or of one."""

    what: str
    frames: int
    size: int
    several: str = ""
    one: str = ""


DRAWING = Purpose(
    "what lies on this image", 2_000, 64 << 20, several="Give segment, to draw one of them alone.",
    one="Leave overlay out to see the image.",
)  # fmt: skip
SEARCHING = Purpose("the slice with the most of it", 10_000, 256 << 20, one="Choose the image by slice or position_mm.")


class Segmentation:
    """The segments of one object (PS3.3 A.51), binary, fractional or label map."""

    def __init__(self, archive: Archive, place: Place, obj: DicomJson) -> None:
        self._archive, self._place, self._obj = archive, place, obj
        self._described: dict[int, list[DicomJson]] = defaultdict(list)  # several against the standard
        for item in items(obj, "SegmentSequence"):
            if found := integer(item, "SegmentNumber"):  # 0 is the background
                self._described[found].append(item)

    @property
    def names(self) -> Mapping[int, str]:
        return {
            number: " / ".join(clean(text(item, "SegmentLabel"), LONGEST_NAME) for item in described)
            for number, described in self._described.items()
        }

    @property
    def recommended(self) -> Mapping[int, str]:
        return {
            number: hex_colour(numbers(described[0], "RecommendedDisplayCIELabValue"))
            for number, described in self._described.items()
        }

    def reach(self, numbers: Sequence[int]) -> str:
        if is_label_map(self._obj) and len(numbers) < len(self._described):
            return ""  # only the pixels know
        frames = [frame for frame in self._frames if frame.segment in (*numbers, None)]
        places = [frame.position for frame in frames if frame.position is not None]
        return f"{min(places):.2f} to {max(places):.2f} mm along the normal of its frames" if places else ""

    async def on(self, target: Target, numbers: Sequence[int]) -> Found:
        await self._prepared()
        if target.plane.is_placed and target.plane.grid.pixel_spacing and self._is_placed:
            check_space(target, self._space, "the segmentation")
            return await self._by_place(target, numbers)
        return await self._by_reference(target, numbers)

    async def fullest(self, number: int) -> Cut | None:
        frames = [frame for frame in await self._prepared() if frame.segment in (number, None)]
        if not frames or not self._is_placed or not have_one_orientation(frames):
            return None
        planes = by_plane(frames)
        nth_of = {frame.number: nth for nth, plane in enumerate(planes) for frame in plane}
        seen = Counter[int]()

        def count(frame: SegmentFrame, _: int, inside: "Mask") -> None:
            seen[nth_of[frame.number]] += int(inside.sum())

        await self._read(frames, [number], count, SEARCHING)
        best = max(seen, key=lambda nth: seen[nth], default=0)
        axis = normal(frames[0].orientation)
        return Cut(planes[best][0].origin, axis) if seen[best] and axis else None

    # ---- where its frames lie ----------------------------------------------------------------------------------------

    @cached_property
    def _frames(self) -> Sequence[SegmentFrame]:
        return segment_frames(self._obj)

    @property
    def _is_placed(self) -> bool:
        return bool(self._frames) and all(
            frame.origin and frame.orientation and frame.spacing for frame in self._frames
        )

    @property
    def _space(self) -> str:
        return text(next(frame_views(self._obj, 1), self._obj), "FrameOfReferenceUID")

    @cached_property
    def _depth(self) -> float | None:
        """How much of the patient a frame stands for: the least that anything says, because what is drawn where the
        segmentation says nothing would be made up."""
        view = next(frame_views(self._obj, 1), self._obj)
        places = [plane[0].position or 0.0 for plane in by_plane(self._frames)]
        said = [number(view, keyword) for keyword in ("SpacingBetweenSlices", "SliceThickness")]
        known = [*(value for value in said if value and value > 0), *(high - low for low, high in pairwise(places))]
        return min(known, default=None)

    async def _prepared(self) -> Sequence[SegmentFrame]:
        """The frames; there can be so many that it takes a while."""
        return await anyio.to_thread.run_sync(lambda: self._frames, abandon_on_cancel=True)

    async def _by_place(self, target: Target, numbers: Sequence[int]) -> Found:
        from ...pixels.overlay.sampling import Sampler
        from ...pixels.overlay.segments import Masks

        if not have_one_orientation(self._frames):
            raise Misplaced("The frames of the segmentation have different orientations, so their planes do not tell.")
        sampler = await anyio.to_thread.run_sync(
            lambda: Sampler(target.plane, self._frames, self._depth), abandon_on_cancel=True
        )
        layers = {frame.number: layer for layer in sampler.layers for frame in layer.frames}
        wanted = [frame for layer in sampler.layers for frame in layer.frames if frame.segment in (*numbers, None)]
        masks = Masks(lambda frame, inside: sampler.mask(layers[frame.number], frame, inside))
        await self._read(wanted, numbers, masks.add, DRAWING)
        return self._found(masks, _placed(sampler), numbers)

    # ---- where its frames have no place ------------------------------------------------------------------------------

    async def _by_reference(self, target: Target, numbers: Sequence[int]) -> Found:
        """By the image that each frame says it was made from (PS3.3 C.7.6.16.2.6), pixel for pixel."""
        from ...pixels.overlay.segments import Masks

        size = integer(self._obj, "Rows"), integer(self._obj, "Columns")
        if size != (target.plane.grid.rows, target.plane.grid.columns):
            raise Misplaced(
                "The segmentation or the image has no place in the patient, and their frames differ in size."
            )
        if self._space and target.plane.grid.frame_of_reference not in ("", self._space):
            check_space(target, self._space, "the segmentation")
        sources = await anyio.to_thread.run_sync(self._made_from, target, abandon_on_cancel=True)
        if not sources:
            raise Misplaced(
                "The segmentation or the image has no place in the patient, and no frame of the segmentation says that "
                "it was made from this image, pixel for pixel."
            )
        wanted = [frame for frame in sources if frame.segment in (*numbers, None)]
        masks = Masks(lambda _, inside: inside)
        await self._read(wanted, numbers, masks.add, DRAWING)
        return self._found(masks, "placed by the image that its frames name as their source", numbers)

    def _made_from(self, target: Target) -> list[SegmentFrame]:
        """The frames that say that they were made from an image, as far as there are groups to say it."""
        said = {tag: self._obj[tag] for tag in map(tag_of, (SHARED, PER_FRAME, DERIVATION)) if tag in self._obj}
        known = min(len(self._frames), len(items(said, PER_FRAME)) or len(self._frames))
        views = frame_views(said, known)
        return [frame for frame, view in zip(self._frames, views, strict=False) if _is_of(view, target)]

    # ---- pixels ------------------------------------------------------------------------------------------------------

    async def _read(
        self,
        frames: Sequence[SegmentFrame],
        wanted: Sequence[int],
        use: "Callable[[SegmentFrame, int, Mask], None]",
        purpose: Purpose,
    ) -> None:
        """Hand what each of these frames shows to ``use``, in a worker thread. Raises BadArgument for too many."""
        from ...pixels.problems import Undecodable

        if not frames:
            return
        size = len(frames) * self._frame_bytes
        if len(frames) > purpose.frames or size > purpose.size:
            raise BadArgument(
                f"To know {purpose.what}, {len(frames):,} frames of {size:,} bytes in all of the segmentation would "
                f"have to be read, and at most {purpose.frames:,} of {purpose.size:,} bytes are. "
                f"{purpose.several if len(wanted) > 1 else purpose.one}"
            )
        by_number = {frame.number: frame for frame in frames}

        def used(arrived: Iterable[Frame]) -> None:
            for one in arrived:
                frame = by_number[one.number]
                for segment, inside in self._pixels.parts(frame, one.data, one.transfer_syntax, wanted):
                    use(frame, segment, inside)

        frames_of = object_frames(self._archive, self._place, self._obj, sorted(by_number), purpose.what)
        async with aclosing(frames_of) as arriving:
            async for batch in arriving:
                try:
                    await anyio.to_thread.run_sync(used, batch, abandon_on_cancel=True)
                except Undecodable:
                    self._archive.forget(self._place)  # the next answer may be a better one
                    raise

    @cached_property
    def _pixels(self) -> "SegmentPixels":
        from ...pixels.overlay.segments import SegmentPixels

        return SegmentPixels(self._obj)

    @cached_property
    def _frame_bytes(self) -> int:
        from ...pixels.description import PixelDescription

        return PixelDescription.of(self._obj, "").frame_bytes

    def _found(self, masks: "Masks", how: str, numbers: Sequence[int]) -> Found:
        parts = {segment: Part(f"{count:,} pixels", mask=mask) for segment, (mask, count) in masks.found().items()}
        is_fractional = self._pixels.whole is not None
        note = "The segmentation is fractional: what is drawn is half of the whole or more."
        found = Found(parts, how, [note] if is_fractional else [])
        nameless = {segment for frame in self._frames if (segment := frame.segment)} - self._described.keys()
        if nameless and len(numbers) == len(self._described):
            said = few(sorted(nameless), MOST_NAMELESS)
            found.notes.append(f"Frames of segments that are not described are not drawn: {said}.")
            found.is_whole = False
        return found


def _is_of(view: DicomJson, target: Target) -> bool:
    """Whether a frame was made from an image, without its pixels having been moved (PS3.3 C.7.6.16.2.6)."""
    for derivation in items(view, DERIVATION):
        for source in items(derivation, "SourceImageSequence"):
            frames = numbers(source, "ReferencedFrameNumber")
            is_told = target.frame in frames or (not frames and frame_count(target.obj) == 1)
            is_same = text(source, "SpatialLocationsPreserved") in ("", "YES")
            if text(source, "ReferencedSOPInstanceUID") == target.uid and is_told and is_same:
                return True
    return False


def _placed(sampler: "Sampler") -> str:
    if sampler.is_same_grid:
        return "placed by patient coordinates, on the pixels of the image itself"
    return (
        "placed by patient coordinates; its pixels are not those of the image, so the nearest one was taken, from a "
        f"plane up to {sampler.distance:.2f} mm away"
    )
