"""A frame that was fetched -> its picture, made here in a worker thread, with the tables and profiles that it needs."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from ..archives.base import Archive, ArchiveError, Failed, Frame, NotFound, NotUnderstood, Place, Refused
from ..dicom.uids import is_uid
from ..dicom.values import DicomJson, text, transfer_syntaxes

if TYPE_CHECKING:
    from ..pixels.problems import MissingBulk
    from ..pixels.render import Rendered

MOST_TABLES = 8  # lookup tables and profiles fetched for one instance
ICC_PROFILE = "ICCProfile"


async def readable_frames(archive: Archive, place: Place, numbers: Sequence[int]) -> list[Frame]:
    """Frames of one instance; decoded by the archive where this program has no decoder for their transfer syntax and
    the archive has one. Raises ArchiveError."""
    from ..pixels.decode import DECODERS

    frames = await archive.frames(place, numbers)
    if not any(is_uid(frame.transfer_syntax) and frame.transfer_syntax not in DECODERS for frame in frames):
        return frames
    try:
        return await archive.frames(place, numbers, decoded=True)
    except (Refused, Failed, NotFound, NotUnderstood):
        return frames  # what they are is said when they cannot be decoded


@dataclass
class Renderer:
    """Renders frames of one instance; what its lookup tables hold is fetched once."""

    archive: Archive
    place: Place
    obj: DicomJson
    _tables: dict[str, bytes] = field(default_factory=dict)
    _fetching: anyio.Lock = field(default_factory=anyio.Lock)

    async def render(self, frame: Frame, **asked: Any) -> "Rendered":
        """The picture of a frame; ``asked`` is what ``pixels.render`` takes besides. Raises BadArgument, Undecodable or
        ArchiveError."""
        from ..pixels.problems import MissingBulk, Undecodable
        from ..pixels.render import render_frame

        refuse_foreign_colours(self.archive, self.obj, frame)
        for _ in range(MOST_TABLES + 1):
            work = partial(
                render_frame,
                frame.data,
                self.obj,
                transfer_syntax=frame.transfer_syntax,
                index=frame.number - 1,
                **asked,
            )
            try:
                return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
            except MissingBulk as missing:
                await self._fetch(missing)
            except Undecodable:
                self.archive.forget(self.place)  # the next answer may be a better one
                raise
        raise NotUnderstood(self.archive.name, "names more lookup tables for one picture than there can be.")

    async def _fetch(self, missing: "MissingBulk") -> None:
        """A table without which there is no picture; or a profile of colours, which it can do without."""
        uri = missing.uri
        async with self._fetching:
            if uri in self._tables:
                return
            try:
                self._tables[uri] = await self.archive.bulkdata(self.place, uri)
            except ArchiveError:
                if missing.keyword != ICC_PROFILE:
                    raise
                self._tables[uri] = b""
            self.obj = with_bulk(self.obj, uri, self._tables[uri])


def refuse_foreign_colours(archive: Archive, obj: DicomJson, frame: Frame) -> None:
    """A server that decodes a YBR frame may or may not turn it into RGB, and its metadata describe the stored. Raises
    Refused."""
    stored = transfer_syntaxes(obj)
    decoded_there = not frame.as_stored or (len(stored) == 1 and stored[0] != frame.transfer_syntax)
    if decoded_there and text(obj, "PhotometricInterpretation").startswith("YBR"):
        raise Refused(
            archive.name,
            "decoded this colour frame itself, and does not say whether its colours were converted.",
        )


def with_bulk(node: Any, uri: str, data: bytes) -> Any:
    """The object with the values that a BulkDataURI stands for, wherever it stands."""
    if isinstance(node, Mapping):
        if node.get("BulkDataURI") == uri:
            return {"vr": node.get("vr", "OW"), "InlineBinary": base64.b64encode(data).decode()}
        return {key: with_bulk(value, uri, data) for key, value in node.items()}
    return [with_bulk(item, uri, data) for item in node] if isinstance(node, list) else node
