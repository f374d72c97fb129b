"""Which image: an instance's frame, or a slice of a series in geometric order."""

from contextlib import aclosing
from dataclasses import dataclass, replace

import anyio

from ..archives.base import Archive, NotFound, NotUnderstood, Place
from ..dicom.functional_groups import frame_count, frame_views
from ..dicom.geometry import Slice, Stack, arrange, slice_of
from ..dicom.query import Query, make_plan
from ..dicom.rules import Level
from ..dicom.uids import is_uid
from ..dicom.values import DicomJson, integer, text, uid_name
from ..errors import BadArgument
from .app import App
from .instance import instance_metadata
from .lookup import find_place
from .paging import every_match

MOST_SLICES = 5_000
MOST_METADATA = 500  # instances whose metadata is read to learn their positions, where a search does not return them
SLICE_FIELDS = ("ImagePositionPatient", "ImageOrientationPatient", "InstanceNumber", "NumberOfFrames", "Rows")


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


async def choose(
    app: App,
    archive: Archive,
    *,
    study_uid: str | None,
    series_uid: str | None,
    instance_uid: str | None,
    frame: int | None,
    slice: int | str | None,
) -> Choice:
    """The frame that was asked for; the middle one where several would do.

    Raises BadArgument with what there is to choose from, or ArchiveError.
    """
    if frame is not None and slice is not None:
        raise BadArgument("Give frame or slice, not both.")
    place = await find_place(app, archive, study_uid, series_uid, instance_uid)
    if place.level is Level.STUDY:
        raise BadArgument(
            f"A study is no picture: call list_series with study_uid={place.study_uid}, then a series_uid."
        )
    if place.level is Level.INSTANCE:
        if slice is not None:
            raise BadArgument("slice counts the images of a series: give series_uid alone, or frame with instance_uid.")
        return await _frame_of(archive, place, frame)
    stack = await stack_of(archive, place)
    if len(stack.slices) == 1:
        found = await _of_one_instance(archive, _instance(place, stack.slices[0]), frame, slice)
        return replace(found, notes=(*stack.notes, *found.notes))
    if frame is not None:
        raise BadArgument(
            f"frame counts the frames of one instance, and this series has {len(stack.slices)} instances: "
            "give slice (1 is the first in geometric order), or an instance_uid."
        )
    chosen, how = _pick(stack, slice)
    found = await _frame_of(archive, _instance(place, chosen), None)
    return replace(found, how=how, notes=stack.notes)


async def _frame_of(archive: Archive, place: Place, frame: int | None) -> Choice:
    """A frame of an instance, the middle one by default."""
    obj = await instance_metadata(archive, place)
    frames = _frames(obj)
    number = _existing((frames + 1) // 2 if frame is None else frame, frames)
    return Choice(place, obj, number, frames, in_the_middle=frame is None and frames > 1)


def _frames(obj: DicomJson) -> int:
    if integer(obj, "Rows") is None:
        kind = uid_name(text(obj, "SOPClassUID"))
        what = f"This instance ({kind})" if kind else "This instance"
        raise BadArgument(f"{what} has no pixels to show: read it with get_metadata.")
    return frame_count(obj)


async def _of_one_instance(archive: Archive, place: Place, frame: int | None, slice: int | str | None) -> Choice:
    """A series of one object: ``slice`` counts its frames, in space where all of them have positions."""
    obj = await instance_metadata(archive, place)
    frames = _frames(obj)
    if frame is not None or (frames == 1 and slice is None):
        return Choice(place, obj, _existing(frame or 1, frames), frames, _only(obj) if frames == 1 else "")
    views = await anyio.to_thread.run_sync(_frame_slices, obj, min(frames, MOST_SLICES), abandon_on_cancel=True)
    if frames <= MOST_SLICES and all(view.origin and view.orientation for view in views):
        stack = arrange(views)
    else:
        stack = Stack(tuple(views), "their order")
    chosen, how = _pick(stack, slice)
    if not stack.is_geometric:  # frames of a cine or tiles: they are no slices, and the frame number says it all
        return Choice(place, obj, chosen.frame, frames, in_the_middle=slice is None)
    return Choice(place, obj, chosen.frame, frames, how, stack.notes)


def _frame_slices(obj: DicomJson, frames: int) -> list[Slice]:
    return [slice_of(view, frame=number) for number, view in enumerate(frame_views(obj, frames), start=1)]


def _existing(frame: int, frames: int) -> int:
    if not 1 <= frame <= frames:
        raise BadArgument(f"There is no frame {frame}: this instance has frames 1 to {frames}.")
    return frame


def _only(obj: DicomJson) -> str:
    """How the only image of a series is called, with its position where it has one."""
    position = arrange([slice_of(obj)]).slices[0].position
    return "the only image" + ("" if position is None else f", at {position:.2f} mm along the normal")


def _pick(stack: Stack, wanted: int | str | None) -> tuple[Slice, str]:
    """The slice that was asked for, and which of how many it is."""
    count = len(stack.slices)
    named = {"first": 1, "middle": (count + 1) // 2, "last": count}
    k = named["middle"] if wanted is None else named.get(wanted, 0) if isinstance(wanted, str) else wanted
    if not 1 <= k <= count:
        raise BadArgument(f'There is no slice {wanted}: give 1 to {count}, or "first", "middle" or "last".')
    chosen = stack.slices[k - 1]
    how = f"{k} of {count} in {stack.basis}"
    if stack.is_geometric and chosen.position is not None:
        how += f", at {chosen.position:.2f} mm along the normal"
    if wanted is None and count > 1:
        how += " (the middle one)"
    return chosen, how


def _instance(place: Place, chosen: Slice) -> Place:
    return Place(place.study_uid, place.series_uid, chosen.instance_uid)


async def stack_of(archive: Archive, place: Place) -> Stack:
    """The images of a series, arranged. Positions come with the search where the archive returns them."""
    rules = (await archive.settle()).rules
    query = Query(Level.INSTANCE, study_uid=place.study_uid, series_uid=place.series_uid, fields=SLICE_FIELDS)
    _, scan = await every_match(archive, make_plan(query, rules), MOST_SLICES)
    if not scan.rows:
        raise NotFound(archive.name, f"has no {place} with instances. Copy UIDs whole from list_series.")
    if not scan.ended:
        raise BadArgument(
            f"The series has more than {len(scan.rows):,} instances, or they could not all be listed, so no order is "
            "known: give an instance_uid from list_instances."
        )
    if not all(is_uid(text(row, "SOPInstanceUID")) for row in scan.rows):
        raise NotUnderstood(archive.name, "lists instances of this series whose UIDs are none.")
    rows = scan.rows
    told = all(slice_of(row).origin and integer(row, "Rows") is not None for row in rows)
    if 1 < len(rows) <= MOST_METADATA and not told:
        rows = await _from_metadata(archive, place, rows)
    images = [row for row in rows if integer(row, "Rows") is not None] or rows
    stack = arrange([slice_of(row) for row in images])
    if others := len(rows) - len(images):
        note = f"{others} of the {len(rows)} objects of this series are no images and were left out."
        return Stack(stack.slices, stack.basis, (*stack.notes, note))
    return stack


async def _from_metadata(archive: Archive, place: Place, rows: list[DicomJson]) -> list[DicomJson]:
    """The metadata of the same instances, for archives whose searches return no positions; the rows when it is not
    exactly theirs."""
    async with aclosing(archive.metadata(place)) as objects:
        found = {text(obj, "SOPInstanceUID"): obj async for obj in objects}
    uids = [text(row, "SOPInstanceUID") for row in rows]
    return [found[uid] for uid in uids] if found.keys() == set(uids) else rows
