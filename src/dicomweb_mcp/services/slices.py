"""Which image: an instance's frame, or a slice of a series in geometric order."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

import anyio

from ..archives.base import Archive, Place
from ..dicom.functional_groups import frame_count
from ..dicom.geometry import Slice, Stack
from ..dicom.kinds import Kind, kind_of
from ..dicom.rules import Level
from ..dicom.values import DicomJson, integer, text, uid_name
from ..dicom.video import refusal_of
from ..dicom.volume import GEOMETRY_FIELDS
from ..dicom.volume.parts import Image, images_of, is_plain
from ..dicom.volume.walk import walk
from ..errors import BadArgument
from .app import App
from .instance import belongs, instance_metadata
from .listing import instances_of
from .lookup import find_place
from .overview import SLIDE_FIELDS, are_of_a_slide, kind, overview
from .series_metadata import MOST_METADATA, metadata_first, name_pixels

MOST_SLICES = 5_000
SLICE_FIELDS = (
    "ImagePositionPatient", "ImageOrientationPatient", "InstanceNumber", "NumberOfFrames", "Rows", "Columns",
)  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """One frame (from 1) of one instance, its metadata, and the words that say how it was chosen. ``in_the_middle``: no
    frame was asked for, and there are several."""

    place: Place
    obj: DicomJson
    frame: int
    frames: int
    how: str = ""
    notes: tuple[str, ...] = ()
    in_the_middle: bool = False


@dataclass(frozen=True)
class Listed:
    """The images of a series: their metadata, or what a search says of them; ``is_complete`` tells which."""

    objects: Sequence[DicomJson]
    notes: tuple[str, ...] = ()
    is_complete: bool = False

    @property
    def images(self) -> list[Image]:
        """Frames without a place are no images of their own where there are several objects."""
        return [image for obj in self.objects for image in images_of(obj, each_frame=len(self.objects) == 1)]

    @property
    def metadata(self) -> Mapping[str, DicomJson]:
        """The metadata by SOPInstanceUID, if they are known and are enough to show every image."""
        is_enough = self.is_complete and (len(self.objects) == 1 or name_pixels(self.objects))
        return {text(obj, "SOPInstanceUID"): obj for obj in self.objects} if is_enough else {}

    async def walked(self, stack: int | str | None = None) -> Stack:
        """What a walk through the images meets, or through one of their stacks (see ``walk``). Raises BadArgument with
        what there is to choose from."""
        found = await anyio.to_thread.run_sync(lambda: walk(self.images, stack), abandon_on_cancel=True)
        return replace(found, notes=(*found.notes, *self.notes))


async def choose(
    app: App,
    archive: Archive,
    *,
    study_uid: str | None,
    series_uid: str | None,
    instance_uid: str | None,
    frame: int | None,
    slice: int | str | None,
    position_mm: float | None = None,
    stack: int | str | None = None,
) -> Choice:
    """The frame that was asked for; the middle one where several would do, of a slide the one that shows most of it.

    Raises BadArgument with what there is to choose from, or ArchiveError.
    """
    _refuse_both(frame=frame, slice=slice, position_mm=position_mm)
    _refuse_both(frame=frame, stack=stack)
    place = await find_place(app, archive, study_uid, series_uid, instance_uid)
    if place.level is Level.STUDY:
        raise BadArgument(
            f"A study is no picture: call list_series with study_uid={place.study_uid}, then a series_uid."
        )
    if place.level is Level.INSTANCE:
        for name, value in {"slice": slice, "position_mm": position_mm, "stack": stack}.items():
            if value is not None:
                raise BadArgument(
                    f"{name} is about the images of a series: give series_uid alone, or frame with instance_uid."
                )
        return await _frame_of(archive, place, frame)
    listed = await list_images(archive, place)
    if len(listed.objects) == 1:
        return await _of_one_instance(place, listed, frame, slice, position_mm, stack)
    if frame is not None:
        raise BadArgument(
            f"frame counts the frames of one instance, and this series has {len(listed.objects)} instances: "
            "give slice (1 is the first in geometric order), or an instance_uid."
        )
    if (slice, position_mm, stack) == (None, None, None) and (whole := overview(listed.objects)):
        found = await _frame_of(archive, replace(place, instance_uid=text(whole, "SOPInstanceUID")), None)
        how = f"the one of {len(listed.objects)} images of a slide that shows most of it in one frame{kind(whole)}"
        return replace(found, how=how)
    walked = await listed.walked(stack)
    chosen, how = _pick(walked, slice) if position_mm is None else _nearest(walked, position_mm)
    obj = listed.metadata.get(chosen.instance_uid)
    found = await _frame_of(archive, _instance(place, chosen), chosen.frame if chosen.origin else None, obj)
    return replace(found, how=how, notes=walked.notes)


def _refuse_both(**given: object) -> None:
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise BadArgument(f"Give {names[0]} or {names[1]}, not both.")


async def _frame_of(archive: Archive, place: Place, frame: int | None, obj: DicomJson | None = None) -> Choice:
    """A frame of an instance, the middle one by default. ``obj`` is its metadata, where they are known."""
    if obj is None:
        obj = await instance_metadata(archive, place)
    frames = _frames(obj)
    number = _existing((frames + 1) // 2 if frame is None else frame, frames)
    return Choice(place, obj, number, frames, in_the_middle=frame is None and frames > 1)


def _frames(obj: DicomJson) -> int:
    if integer(obj, "Rows") is None:
        name = uid_name(text(obj, "SOPClassUID"))
        what = f"This instance ({name})" if name else "This instance"
        how = "read it with get_metadata" if kind_of(obj) in (Kind.IMAGE, Kind.OTHER) else "describe_object reads it"
        raise BadArgument(f"{what} has no pixels to show: {how}.")
    if said := refusal_of(obj):
        raise BadArgument(said)
    return frame_count(obj)


async def _of_one_instance(
    place: Place,
    listed: Listed,
    frame: int | None,
    slice: int | str | None,
    position_mm: float | None,
    stack: int | str | None,
) -> Choice:
    """A series of one object: ``slice`` counts its frames, in space where all of them have positions."""
    obj = listed.objects[0]
    place, frames = replace(place, instance_uid=text(obj, "SOPInstanceUID")), _frames(obj)
    if frame is not None:
        how = _only(obj) if frames == 1 else ""
        return Choice(place, obj, _existing(frame, frames), frames, how, listed.notes)
    walked = await listed.walked(stack)
    chosen, how = _pick(walked, slice) if position_mm is None else _nearest(walked, position_mm)
    if frames == 1 and (slice, position_mm, stack) == (None, None, None):
        how = _only(obj)
    elif not walked.is_geometric:  # frames of a cine or tiles: they are no slices, and the frame number says it all
        return Choice(place, obj, chosen.frame, frames, notes=walked.notes, in_the_middle=slice is None)
    return Choice(place, obj, chosen.frame, frames, how, walked.notes)


def _existing(frame: int, frames: int) -> int:
    if not 1 <= frame <= frames:
        raise BadArgument(f"There is no frame {frame}: this instance has frames 1 to {frames}.")
    return frame


def _only(obj: DicomJson) -> str:
    """How the only image of a series is called, with its position where it has one."""
    return "the only image" + _at(walk(images_of(obj)).slices[0])


def _at(chosen: Slice) -> str:
    return "" if chosen.position is None else f", at {chosen.position:.2f} mm along the normal"


def _pick(stack: Stack, wanted: int | str | None) -> tuple[Slice, str]:
    """The slice that was asked for, and which of how many it is."""
    count = len(stack.slices)
    named = {"first": 1, "middle": (count + 1) // 2, "last": count}
    k = named["middle"] if wanted is None else named.get(wanted, 0) if isinstance(wanted, str) else wanted
    if not 1 <= k <= count:
        of = f" in {stack.name}" if stack.name else ""
        raise BadArgument(f'There is no slice {wanted}{of}: give 1 to {count}, or "first", "middle" or "last".')
    return stack.slices[k - 1], _how(stack, k) + (" (the middle one)" if wanted is None and count > 1 else "")


def _nearest(stack: Stack, wanted: float) -> tuple[Slice, str]:
    """The slice nearest to a position along the normal, which of how many it is, and how far away."""
    k = nearest(stack, wanted)
    away = abs((stack.slices[k - 1].position or 0.0) - wanted)
    return stack.slices[k - 1], f"{_how(stack, k)}, {away:.2f} mm from the position asked for"


def nearest(stack: Stack, wanted: float) -> int:
    """The number (from 1) of the slice nearest to a position along the normal. Raises BadArgument where no slice
    reaches."""
    if stack.reach is None:
        raise BadArgument(" ".join(("position_mm needs images of one stack in space.", *stack.notes)))
    places = [item.position or 0.0 for item in stack.slices]
    if not places[0] - stack.reach <= wanted <= places[-1] + stack.reach:
        raise BadArgument(
            f"There is no slice at {wanted:g} mm: the images of {stack.name or 'this series'} lie at {places[0]:.2f} "
            f"to {places[-1]:.2f} mm along their normal."
        )
    return min(range(len(places)), key=lambda index: abs(places[index] - wanted)) + 1


def _how(stack: Stack, k: int) -> str:
    of = f" of {stack.name}" if stack.name else ""
    at = _at(stack.slices[k - 1]) if stack.is_geometric else ""
    return f"{k} of {len(stack.slices)} in {stack.basis}{of}{at}"


def _instance(place: Place, chosen: Slice) -> Place:
    return Place(place.study_uid, place.series_uid, chosen.instance_uid)


# ---- the images of a series ------------------------------------------------------------------------------------------


async def list_images(archive: Archive, place: Place) -> Listed:
    """The images of a series, with what tells where they lie and what tells them apart. That comes with the search
    where the archive returns it. Raises BadArgument or ArchiveError."""
    await archive.settle()
    rows, told = list(await metadata_first(archive, place)), True
    if not rows:
        rows, told = await _searched(archive, place)
    images = [row for row in rows if integer(row, "Rows") is not None] or rows
    if len(images) == 1 and not told:
        only = replace(place, instance_uid=text(images[0], "SOPInstanceUID"))
        images, told = [await instance_metadata(archive, only)], True
    others = len(rows) - len(images)
    note = f"{others} of the {len(rows)} objects of this series are no images and were left out."
    return Listed(images, (note,) if others else (), told)


async def _searched(archive: Archive, place: Place) -> tuple[list[DicomJson], bool]:
    """What a search says of the objects of a series, or their metadata where it does not say enough; and whether they
    are metadata."""
    any_field = archive.profile.returns_any
    fields = dict.fromkeys((*SLICE_FIELDS, *((*GEOMETRY_FIELDS, *SLIDE_FIELDS) if any_field else ())))
    scan = await instances_of(archive, place, tuple(fields), MOST_SLICES)
    if not scan.ended:
        raise BadArgument(
            f"The series has more than {len(scan.rows):,} instances, or they could not all be listed, so no order is "
            "known: give an instance_uid from list_instances."
        )
    rows = list(scan.rows)
    is_slide = are_of_a_slide(rows)  # whose metadata, which tell of every tile, are long
    if (
        1 < len(rows) <= MOST_METADATA
        and not is_slide
        and not await anyio.to_thread.run_sync(_are_told, rows, any_field)
    ):
        return await _from_metadata(archive, place, rows)
    return rows, False


def _are_told(rows: Sequence[DicomJson], any_field: bool) -> bool:
    """Whether rows of a search say where all images lie and what tells them apart."""
    images = Listed(rows).images
    if not all(image.plane.is_placed for image in images) or any(integer(row, "Rows") is None for row in rows):
        return False
    return any_field or is_plain(images)


async def _from_metadata(archive: Archive, place: Place, rows: list[DicomJson]) -> tuple[list[DicomJson], bool]:
    """The metadata of the same instances, for archives whose searches do not say enough; the rows when it is not
    exactly theirs, and which of the two."""
    found = {}
    async with aclosing(archive.metadata(place)) as objects:
        async for obj in objects:
            if belongs(place, obj):
                found[text(obj, "SOPInstanceUID")] = obj
    uids = [text(row, "SOPInstanceUID") for row in rows]
    return ([found[uid] for uid in uids], True) if found.keys() == set(uids) else (rows, False)
