"""One frame of a series or an instance as a picture with its facts."""

import base64
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from ..archives.base import Archive, ArchiveError, Failed, Frame, NotFound, NotUnderstood, Place, Refused
from ..dicom.functional_groups import frame_view
from ..dicom.geometry import GEOMETRY, Slice, Stack, arrange, slice_of
from ..dicom.query import Query, make_plan
from ..dicom.rules import Level
from ..dicom.tags import tag_of
from ..dicom.values import DicomJson, integer, plain, text, uid_name
from ..errors import BadArgument
from .app import App
from .lookup import find_place
from .paging import Scan, matches

if TYPE_CHECKING:
    from ..pixels.picture import Picture
    from ..pixels.render import Rendered

MOST_SLICES = 5_000
MOST_METADATA = 500  # instances whose metadata is read to learn their positions, where a search does not return them
MOST_TABLES = 8  # lookup tables fetched for one picture
SLICE_FIELDS = ("ImagePositionPatient", "ImageOrientationPatient", "InstanceNumber", "NumberOfFrames")

Region = tuple[int, int, int, int]
_T = TypeVar("_T")


@dataclass(frozen=True)
class FrameRequest:
    """Which frame, and how it is to be shown; as ``render_frame`` takes it."""

    study_uid: str | None = None
    series_uid: str | None = None
    instance_uid: str | None = None
    frame: int | None = None
    slice: int | str | None = None
    window: str = "auto"
    region: Region | None = None
    size: int = 1024
    format: str = "auto"


@dataclass(frozen=True)
class Shown:
    """A picture and its facts, in the order in which a caption says them."""

    picture: "Picture"
    facts: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Choice:
    """The frame that was chosen, and the words that say how."""

    place: Place
    frame: int | None
    how: str = ""
    notes: tuple[str, ...] = ()


async def show_frame(app: App, archive_name: str | None, request: FrameRequest) -> Shown:
    """One frame, decoded and windowed here; by the archive only where this program cannot, and that is said.

    Raises BadArgument, Undecodable or ArchiveError.
    """
    archive = app.archive(archive_name)
    choice = await _choose(app, archive, request)
    obj = await _metadata_of(archive, choice.place)
    frames = integer(obj, "NumberOfFrames", 1) or 1
    if integer(obj, "Rows") is None:
        raise BadArgument(
            f"{uid_name(text(obj, 'SOPClassUID')) or 'This object'} has no pixels to show: read it with get_metadata."
        )
    number = choice.frame if choice.frame is not None else (frames + 1) // 2
    if not 1 <= number <= frames:
        raise BadArgument(f"There is no frame {number}: this instance has frames 1 to {frames}.")
    facts = {
        "archive": archive.name,
        **_identity(obj),
        "frame": f"{number} of {frames}" + (", the middle one" if choice.frame is None and frames > 1 else ""),
        **({"slice": choice.how} if choice.how else {}),
    }
    shown = await _picture(archive, choice.place, obj, number, request)
    return Shown(shown.picture, {**facts, **shown.facts}, (*choice.notes, *shown.notes))


# ---- which frame -----------------------------------------------------------------------------------------------------


async def _choose(app: App, archive: Archive, request: FrameRequest) -> _Choice:
    place = await find_place(app, archive, request.study_uid, request.series_uid, request.instance_uid)
    if place.level is Level.STUDY:
        raise BadArgument("A study is no picture: give a series_uid from list_series, or an instance_uid.")
    if place.level is Level.INSTANCE:
        if request.slice is not None:
            raise BadArgument("slice counts the images of a series: give series_uid alone, or frame with instance_uid.")
        return _Choice(place, request.frame)
    if request.frame is not None and request.slice is not None:
        raise BadArgument("Give frame or slice, not both.")
    stack = await _stack(archive, place)
    if request.frame is not None:
        if len(stack.slices) > 1:
            raise BadArgument(
                f"frame counts the frames of one instance, and this series has {len(stack.slices)} instances: "
                "give slice (1 is the first in geometric order), or an instance_uid."
            )
        return _Choice(_instance(place, stack.slices[0]), request.frame)
    if len(stack.slices) == 1 and stack.slices[0].frames > 1:
        return await _frame_of_one(archive, _instance(place, stack.slices[0]), request)
    return _pick(place, stack, request.slice)


async def _frame_of_one(archive: Archive, place: Place, request: FrameRequest) -> _Choice:
    """A series that is one multi-frame object: ``slice`` counts its frames, in space where they have positions."""
    obj = await _metadata_of(archive, place)
    frames = integer(obj, "NumberOfFrames", 1) or 1
    views = [slice_of(frame_view(obj, index), frame=index + 1) for index in range(min(frames, MOST_SLICES))]
    if not all(view.origin and view.orientation for view in views) or frames > MOST_SLICES:
        stack = Stack(tuple(views), "the order of the frames")
    else:
        stack = arrange(views)
    return _pick(place, stack, request.slice)


def _pick(place: Place, stack: Stack, wanted: int | str | None) -> _Choice:
    count = len(stack.slices)
    named = {"first": 1, "middle": (count + 1) // 2, "last": count}
    k = named["middle"] if wanted is None else named.get(wanted, 0) if isinstance(wanted, str) else wanted
    if not 1 <= k <= count:
        raise BadArgument(f'There is no slice {wanted}: give 1 to {count}, or "first", "middle" or "last".')
    chosen = stack.slices[k - 1]
    how = f"{k} of {count} in {stack.basis}" if count > 1 else "the only image"
    if stack.basis == GEOMETRY and chosen.position is not None:
        how += f", at {chosen.position:.2f} mm along the normal"
    if wanted is None and count > 1:
        how += " (the middle one)"
    many_frames = chosen.frames > 1 and place.instance_uid is None
    return _Choice(_instance(place, chosen), None if many_frames else chosen.frame, how, stack.notes)


def _instance(place: Place, chosen: Slice) -> Place:
    return Place(place.study_uid, place.series_uid, chosen.instance_uid or place.instance_uid)


async def _stack(archive: Archive, place: Place) -> Stack:
    """The images of a series, arranged. Positions come with the search where the archive returns them."""
    rules = (await archive.settle()).rules
    plan = make_plan(
        Query(Level.INSTANCE, study_uid=place.study_uid, series_uid=place.series_uid, fields=SLICE_FIELDS), rules
    )
    scan = Scan()
    rows = scan.rows
    async with aclosing(matches(archive, plan, scan, MOST_SLICES)) as arriving:
        async for page in arriving:
            rows += page
    if not rows:
        raise NotFound(archive.name, f"has no {place} with instances. Copy UIDs whole from list_series.")
    if not scan.ended:
        raise BadArgument(
            f"The series has more than {len(rows):,} instances, or they could not all be listed, so no order is known: "
            "give an instance_uid from list_instances."
        )
    slices = [slice_of(row) for row in rows]
    if len(rows) > 1 and not any(item.origin for item in slices) and len(rows) <= MOST_METADATA:
        async with aclosing(archive.metadata(place)) as objects:
            slices = [slice_of(obj) async for obj in objects]
    return arrange(slices)


async def _metadata_of(archive: Archive, place: Place) -> DicomJson:
    """The metadata of one instance, and of no other."""
    async with aclosing(archive.metadata(place)) as objects:
        async for obj in objects:
            if text(obj, "SOPInstanceUID") == place.instance_uid:
                return obj
    raise NotUnderstood(archive.name, f"answered with the metadata of another object than {place}.")


# ---- the picture -----------------------------------------------------------------------------------------------------


async def _picture(archive: Archive, place: Place, obj: DicomJson, number: int, request: FrameRequest) -> Shown:
    from ..pixels.problems import Undecodable

    try:
        frame = (await archive.frames(place, [number]))[0]
        rendered = await _rendered_here(archive, place, obj, frame, request)
    except (Undecodable, Refused, Failed) as problem:
        if not archive.profile.renders or request.window != "auto" or request.region is not None:
            raise
        return await _rendered_there(archive, place, obj, number, request, problem)
    native = rendered.native
    x, y, width, height = rendered.region
    facts = {
        "window": rendered.window or "none, colour as stored",
        **_range(rendered),
        "native size": f"{native[0]} x {native[1]} pixels (columns x rows)",
        **({} if (width, height) == native else {"region": f"x {x}, y {y}, {width} x {height} pixels"}),
        "picture": _size(rendered.picture),
        "pixels": f"{rendered.photometric_interpretation}, {uid_name(frame.transfer_syntax)}, "
        + ("lossy compression" if rendered.lossy else "no lossy compression recorded"),
        "rendered by": "this program, from the stored frame",
    }
    return Shown(rendered.picture, facts, (*rendered.notes, *_burned_in(obj)))


async def _rendered_here(
    archive: Archive, place: Place, obj: DicomJson, frame: Frame, request: FrameRequest
) -> "Rendered":
    """Decode and window in a worker thread; lookup tables that are bulk values are fetched first."""
    from ..pixels.problems import MissingBulk
    from ..pixels.render import render_frame

    for _ in range(MOST_TABLES):
        try:
            return await _in_thread(
                partial(
                    render_frame,
                    frame.data,
                    obj,
                    transfer_syntax=frame.transfer_syntax,
                    index=frame.number - 1,
                    window=request.window,
                    region=request.region,
                    size=request.size,
                    format=request.format,
                )
            )
        except MissingBulk as missing:
            data = await archive.bulkdata(place, missing.uri)
            obj = _with_bulk(obj, missing.uri, data)
    raise NotUnderstood(archive.name, "names more lookup tables for one picture than there can be.")


def _with_bulk(node: Any, uri: str, data: bytes) -> Any:
    """The object with the values that a BulkDataURI stands for, wherever it stands."""
    if isinstance(node, Mapping):
        if node.get("BulkDataURI") == uri:
            return {"vr": node.get("vr", "OW"), "InlineBinary": base64.b64encode(data).decode()}
        return {key: _with_bulk(value, uri, data) for key, value in node.items()}
    return [_with_bulk(item, uri, data) for item in node] if isinstance(node, list) else node


async def _rendered_there(
    archive: Archive, place: Place, obj: DicomJson, number: int, request: FrameRequest, problem: Exception
) -> Shown:
    """The archive's own picture, with its own window: the last resort."""
    from ..pixels.media import from_media

    columns, rows = integer(obj, "Columns", 1) or 1, integer(obj, "Rows", 1) or 1
    scale = min(1.0, request.size / max(columns, rows))
    viewport = max(1, round(columns * scale)), max(1, round(rows * scale))
    try:
        media = await archive.rendered(place, number, viewport=viewport)
    except ArchiveError:
        raise problem from None
    picture = await _in_thread(partial(from_media, media.data, size=request.size, format=request.format))
    facts = {
        "window": "the archive's own, not known here: brightness says nothing about values",
        "native size": f"{columns} x {rows} pixels (columns x rows)",
        "picture": _size(picture),
        "rendered by": f"the archive, because this program could not: {problem}",
    }
    return Shown(picture, facts, _burned_in(obj))


async def _in_thread(work: "partial[_T]") -> _T:
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)


# ---- facts -----------------------------------------------------------------------------------------------------------


def _identity(obj: DicomJson) -> dict[str, str]:
    """What was shown, by keyword; text of the archive is cleaned."""
    keywords = (
        "Modality", "StudyDate", "SeriesDescription", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID",
        "InstanceNumber",
    )  # fmt: skip
    found = ((keyword, plain(obj.get(tag_of(keyword), {}))) for keyword in keywords)
    return {keyword: str(value) for keyword, value in found if value is not None}


def _range(rendered: "Rendered") -> dict[str, str]:
    if rendered.value_range is None:
        return {}
    low, high = rendered.value_range
    return {"values shown": f"{low:g} to {high:g} {rendered.unit or '(stored values, no unit)'}"}


def _size(picture: "Picture") -> str:
    steps = f" ({'; '.join(picture.steps)})" if picture.steps else ""
    return f"{picture.width} x {picture.height} pixels, {picture.mime_type.removeprefix('image/')}{steps}"


def _burned_in(obj: DicomJson) -> tuple[str, ...]:
    if text(obj, "BurnedInAnnotation").upper() == "YES":
        return ("The pixels hold burned-in text, which may name the patient.",)
    return ()
