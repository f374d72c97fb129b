"""One frame of a series or an instance as a picture with its facts."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from ..archives.base import Archive, ArchiveError, Failed, Frame, NotUnderstood, Refused
from ..dicom.functional_groups import frame_view
from ..dicom.values import DicomJson, clean, integer, items, plain_value, text, transfer_syntaxes, uid_name
from ..pixels.request import DEFAULT_SIZE, Format, Region
from .app import App
from .slices import Choice, choose

if TYPE_CHECKING:
    from ..pixels.picture import Picture
    from ..pixels.render import Rendered

LONGEST_PROBLEM = 300  # it may repeat what the metadata say
MOST_TABLES = 8  # lookup tables fetched for one picture

_T = TypeVar("_T")


@dataclass(frozen=True)
class FrameRequest:
    """Which frame, and how it is to be shown; as ``render_frame`` takes it."""

    study_uid: str | None = None
    series_uid: str | None = None
    instance_uid: str | None = None
    frame: int | None = None
    slice: int | str | None = None
    position_mm: float | None = None
    stack: int | str | None = None
    window: str = "auto"
    region: Region | None = None
    size: int = DEFAULT_SIZE
    format: Format = "auto"


@dataclass(frozen=True)
class Shown:
    """A picture and its facts, in the order in which a caption says them."""

    picture: "Picture"
    facts: Mapping[str, str]
    notes: tuple[str, ...]


async def show_frame(app: App, archive_name: str | None, request: FrameRequest) -> Shown:
    """One frame, decoded and windowed here; by the archive only where this program cannot, and that is said.

    Raises BadArgument or ArchiveError.
    """
    from ..pixels.window import parse_window

    parse_window(request.window)  # what is no window at all is refused before anything is asked
    archive = app.archive(archive_name)
    choice = await choose(
        app,
        archive,
        study_uid=request.study_uid,
        series_uid=request.series_uid,
        instance_uid=request.instance_uid,
        frame=request.frame,
        slice=request.slice,
        position_mm=request.position_mm,
        stack=request.stack,
    )
    from ..pixels.problems import Undecodable

    try:
        shown = await _picture(archive, choice, request)
    except Undecodable as problem:
        raise NotUnderstood(
            archive.name, f"this frame cannot be shown. {clean(str(problem), LONGEST_PROBLEM)}"
        ) from None
    facts = {"archive": archive.name, **_identity(choice), **shown.facts}
    return Shown(shown.picture, facts, (*choice.notes, *_about(choice.obj), *shown.notes))


# ---- the picture -----------------------------------------------------------------------------------------------------


async def _picture(archive: Archive, choice: Choice, request: FrameRequest) -> Shown:
    from ..pixels.problems import Undecodable

    try:
        frame = (await archive.frames(choice.place, [choice.frame]))[0]
        _refuse_foreign_colours(archive, choice.obj, frame)
        rendered = await _rendered_here(archive, choice, frame, request)
    except (Undecodable, Refused, Failed) as problem:
        if not archive.profile.renders or request.window != "auto" or request.region is not None:
            raise
        return await _rendered_there(archive, choice, request, problem)
    return Shown(rendered.picture, _facts(rendered, frame), rendered.notes)


def _refuse_foreign_colours(archive: Archive, obj: DicomJson, frame: Frame) -> None:
    """A server that decodes a YBR frame may or may not turn it into RGB, and its metadata describe the stored one."""
    stored = transfer_syntaxes(obj)
    decoded_there = not frame.as_stored or (len(stored) == 1 and stored[0] != frame.transfer_syntax)
    if decoded_there and text(obj, "PhotometricInterpretation").startswith("YBR"):
        raise Refused(
            archive.name, "decoded this colour frame itself, and does not say whether its colours were converted."
        )


async def _rendered_here(archive: Archive, choice: Choice, frame: Frame, request: FrameRequest) -> "Rendered":
    """Decode and window in a worker thread; lookup tables that are bulk values are fetched first."""
    from ..pixels.problems import MissingBulk
    from ..pixels.render import render_frame

    obj = choice.obj
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
            data = await archive.bulkdata(choice.place, missing.uri)
            obj = _with_bulk(obj, missing.uri, data)
    raise NotUnderstood(archive.name, "names more lookup tables for one picture than there can be.")


def _with_bulk(node: Any, uri: str, data: bytes) -> Any:
    """The object with the values that a BulkDataURI stands for, wherever it stands."""
    if isinstance(node, Mapping):
        if node.get("BulkDataURI") == uri:
            return {"vr": node.get("vr", "OW"), "InlineBinary": base64.b64encode(data).decode()}
        return {key: _with_bulk(value, uri, data) for key, value in node.items()}
    return [_with_bulk(item, uri, data) for item in node] if isinstance(node, list) else node


async def _rendered_there(archive: Archive, choice: Choice, request: FrameRequest, problem: Exception) -> Shown:
    """The archive's own picture, with its own window: the last resort."""
    from ..pixels.media import from_media

    obj = choice.obj
    columns, rows = integer(obj, "Columns", 1) or 1, integer(obj, "Rows", 1) or 1
    scale = min(1.0, request.size / max(columns, rows))
    viewport = max(1, round(columns * scale)), max(1, round(rows * scale))
    try:
        media = await archive.rendered(choice.place, choice.frame, viewport=viewport)
    except ArchiveError:
        raise problem from None
    picture = await _in_thread(partial(from_media, media.data, size=request.size, format=request.format))
    facts = {
        "window": "the archive's own, not known here: brightness says nothing about values",
        "native size": f"{columns} x {rows} pixels (columns x rows)",
        "picture": _size(picture),
        "rendered by": f"the archive, because this program could not: {clean(str(problem), LONGEST_PROBLEM)}",
    }
    return Shown(picture, facts, ())


async def _in_thread(work: "partial[_T]") -> _T:
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)


# ---- facts -----------------------------------------------------------------------------------------------------------


def _identity(choice: Choice) -> dict[str, str]:
    """What is shown, by keyword, and which frame of it; text of the archive is cleaned."""
    keywords = (
        "Modality", "StudyDate", "SeriesDescription", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID",
        "InstanceNumber",
    )  # fmt: skip
    found = ((keyword, plain_value(choice.obj, keyword)) for keyword in keywords)
    middle = ", the middle one" if choice.in_the_middle else ""
    return {
        **{keyword: str(value) for keyword, value in found if value is not None},
        "frame": f"{choice.frame} of {choice.frames}{middle}",
        **({"slice": choice.how} if choice.how else {}),
        **_segment(choice),
    }


def _segment(choice: Choice) -> dict[str, str]:
    """The segment that a frame of a segmentation shows (PS3.3 C.8.20)."""
    number = integer(frame_view(choice.obj, choice.frame - 1), "ReferencedSegmentNumber")
    labels = [text(item, "SegmentLabel") for item in items(choice.obj, "SegmentSequence")
              if integer(item, "SegmentNumber") == number]  # fmt: skip
    return {"segment": f"{number} {clean(labels[0])}".strip()} if number is not None and labels else {}


def _facts(rendered: "Rendered", frame: Frame) -> dict[str, str]:
    columns, rows = rendered.native
    x, y, width, height = rendered.region
    return {
        "window": _window(rendered),
        **_range(rendered),
        "native size": f"{columns} x {rows} pixels (columns x rows)",
        **({} if (width, height) == rendered.native else {"region": f"x {x}, y {y}, {width} x {height} pixels"}),
        "picture": _size(rendered.picture),
        "pixels": f"{rendered.photometric_interpretation}, {uid_name(frame.transfer_syntax)}, "
        + ("lossy compression" if rendered.lossy else "no lossy compression recorded"),
        "rendered by": "this program, from the stored frame",
    }


def _window(rendered: "Rendered") -> str:
    if rendered.window is None:
        return "none, colour as stored"
    if rendered.ends is None:
        return rendered.window
    black, white = rendered.ends
    if black == white:
        return f"{rendered.window}: up to {black:g} is black, above it white"
    return f"{rendered.window}: {black:g} is black, {white:g} is white"


def _range(rendered: "Rendered") -> dict[str, str]:
    if rendered.value_range is None:
        return {}
    low, high = rendered.value_range
    return {"pixel values": f"{low:g} to {high:g} {rendered.unit or '(no unit given)'}"}


def _size(picture: "Picture") -> str:
    steps = f" ({'; '.join(picture.steps)})" if picture.steps else ""
    return f"{picture.width} x {picture.height} pixels, {picture.mime_type.removeprefix('image/')}{steps}"


def _about(obj: DicomJson) -> tuple[str, ...]:
    """What a picture of this object must not be taken for."""
    notes = []
    columns, rows = integer(obj, "TotalPixelMatrixColumns"), integer(obj, "TotalPixelMatrixRows")
    if text(obj, "Modality") == "SM" and columns and rows:
        notes.append(
            f"This is one tile of one image of a slide, which has {columns} x {rows} pixels; the series may hold the "
            "same slide in several sizes, its label and an overview."
        )
    if any(tag.startswith("60") and tag.endswith("0010") for tag in obj):  # Overlay Rows of any group, PS3.3 C.9.2
        notes.append("The image has overlay graphics (such as marks or outlines), which are not drawn here.")
    if text(obj, "BurnedInAnnotation").upper() == "YES":
        notes.append("The pixels hold burned-in text, which may name the patient.")
    return tuple(notes)
