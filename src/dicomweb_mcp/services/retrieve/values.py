"""Parts of one instance as files: stored frames, and the value of an attribute."""

import base64
import binascii
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from anyio import to_thread

from ...archives.base import Archive, ArchiveError, Frame, NotFound, NotUnderstood, Place
from ...archives.part10.dataset import Damaged, parse
from ...archives.part10.dicom_json import NoSuchValue, bulk_value
from ...dicom.facts import few
from ...dicom.functional_groups import frame_count
from ...dicom.uids import NATIVE_OR_DEFLATED
from ...dicom.values import DicomJson, element_at, values_at
from ...errors import BadArgument
from ...paths import give_name, sync_folder
from ..instance import instance_metadata
from ..own_file import own_file
from .arrived import same_contents
from .asking import GONE
from .items import Item, Outcome
from .part import Part
from .receiving import Receiver

if TYPE_CHECKING:
    from ...pixels.description import PixelDescription

FRAMES_AT_ONCE = 8
MOST_NAMED = 8
BULK_PATH = re.compile(r"/?(?:bulkdata/|bulk/)?((?:[0-9A-Fa-f]{8}/[0-9]{1,9}/)*[0-9A-Fa-f]{8})")
PDF = b"%PDF-"
_JPEG = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55",
         "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")  # fmt: skip
_JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.92", "1.2.840.10008.1.2.4.93")
EXTENSIONS: Mapping[str, str] = {  # of what a frame's bytes are; code streams of JPEG 2000 are no JP2 files
    **dict.fromkeys(NATIVE_OR_DEFLATED, "raw"),
    **dict.fromkeys(_JPEG, "jpg"),
    **dict.fromkeys(_JPEG_2000, "j2k"),
    "1.2.840.10008.1.2.4.80": "jls",
    "1.2.840.10008.1.2.4.81": "jls",
    "1.2.840.10008.1.2.4.110": "jxl",
    "1.2.840.10008.1.2.4.111": "jxl",
    "1.2.840.10008.1.2.4.112": "jxl",
    "1.2.840.10008.1.2.4.201": "jhc",
    "1.2.840.10008.1.2.4.202": "jhc",
    "1.2.840.10008.1.2.4.203": "jhc",
    "1.2.840.10008.1.2.5": "rle",
}


def checked_path(bulk_path: str) -> str:
    """The path of an attribute, ``TAG`` or ``SEQUENCE/ITEM/TAG``, in upper case. Raises BadArgument."""
    match = BULK_PATH.fullmatch(bulk_path.strip())
    if not match:
        raise BadArgument(
            f"bulk_path={bulk_path[:80]!r} is no path of an attribute: its tag as eight hexadecimal digits (00420011), "
            "within sequences with their tags and the item's number from 0 before it (00081140/0/00081199)."
        )
    return match[1].upper()


async def fetch_frames(archive: Archive, place: Place, numbers: Sequence[int], receiver: Receiver) -> None:
    """The stored bytes of frames, each as a file; a frame that was not given has failed. Raises ArchiveError when none
    was given, OSError."""
    items = {number: Item(f"{place.instance_uid} frame {number}") for number in dict.fromkeys(numbers)}
    receiver.retrieval.items += items.values()
    problems: list[ArchiveError] = []
    lengths = _Lengths(archive, place, receiver)

    async def ask(some: Sequence[int]) -> None:
        try:
            frames = await archive.frames(place, some)
        except ArchiveError as problem:
            problems.append(problem)
            for number in some:
                items[number].reason = str(problem)
            return
        for frame in frames:
            await _write_frame(receiver, place, items[frame.number], frame, await lengths.problem(frame))

    wanted = list(items)
    for start in range(0, len(wanted), FRAMES_AT_ONCE):
        await ask(wanted[start : start + FRAMES_AT_ONCE])
    count = await _frame_count(archive, place) if problems and not isinstance(problems[-1], GONE) else None
    beyond = [n for n, item in items.items() if item.outcome is None and count is not None and n > count]
    for number in beyond:
        items[number].reason = f"there is no such frame: this instance has frames 1 to {count}"
    for number, item in items.items():
        if item.outcome is None and number not in beyond and not isinstance(problems[-1], GONE):
            await ask([number])  # one that is not there costs those that were asked for with it nothing
        if item.outcome is None:
            item.decide(Outcome.FAILED, item.reason)
    if len(beyond) == len(items):
        raise NotFound(
            archive.name,
            f"has no frame {few(beyond, MOST_NAMED)} of this instance, which has frames 1 to {count}.",
        )
    if len(receiver.retrieval.of(Outcome.FAILED)) == len(items) and problems:
        raise problems[0]


async def _frame_count(archive: Archive, place: Place) -> int | None:
    """How many frames the instance has; None where its metadata cannot be read."""
    try:
        return frame_count(await instance_metadata(archive, place))
    except ArchiveError:  # what the archive said of the frames stays
        return None


class _Lengths:
    """Whether uncompressed frames of one instance are as long as its attributes say, which are asked for once."""

    def __init__(self, archive: Archive, place: Place, receiver: Receiver) -> None:
        self._archive, self._place, self._receiver = archive, place, receiver
        self._description: PixelDescription | None = None
        self._is_known = False

    async def problem(self, frame: Frame) -> str:
        """Why an uncompressed frame cannot be whole; empty for a good one, and where nothing tells."""
        from ...pixels.native import check_length
        from ...pixels.problems import Undecodable

        if frame.transfer_syntax not in NATIVE_OR_DEFLATED:
            return ""
        if not self._is_known:
            await self._describe(frame.transfer_syntax)
        try:
            if self._description:
                check_length(frame.data, self._description)
        except Undecodable as reason:
            self._archive.forget(self._place)
            return str(reason)
        return ""

    async def _describe(self, transfer_syntax: str) -> None:
        from ...pixels.description import PixelDescription
        from ...pixels.problems import Undecodable

        self._is_known = True
        try:
            self._description = PixelDescription.of(
                await instance_metadata(self._archive, self._place), transfer_syntax
            )
        except (ArchiveError, Undecodable) as reason:
            self._receiver.retrieval.notes.append(f"The lengths of the frames could not be checked. {reason}")


async def _write_frame(receiver: Receiver, place: Place, item: Item, frame: Frame, problem: str) -> None:
    if not frame.as_stored:
        problem = "the archive gives it decoded, not as it is stored"
    if problem:
        item.decide(Outcome.FAILED, problem)
        return
    item.reason = ""
    extension = EXTENSIONS.get(frame.transfer_syntax, "bin")
    await _write(receiver, item, f"{place.instance_uid}_frame_{frame.number}.{extension}", frame.data)


async def fetch_value(archive: Archive, place: Place, path: str, receiver: Receiver) -> None:
    """The bytes of the attribute at this path as a file, little-endian. Raises ArchiveError, OSError."""
    item = Item(f"{place.instance_uid} {path}")
    receiver.retrieval.items.append(item)
    data = await _value(archive, place, path)
    extension = "pdf" if data.startswith(PDF) else "bin"
    await _write(receiver, item, f"{place.instance_uid}_{path.replace('/', '_')}.{extension}", data)


async def _value(archive: Archive, place: Place, path: str) -> bytes:
    """By the metadata where they tell, else from the whole file."""
    found = _element(await instance_metadata(archive, place), path)
    if found and isinstance(uri := found.get("BulkDataURI"), str):
        return await archive.bulkdata(place, uri)
    if found and isinstance(inline := found.get("InlineBinary"), str):
        try:
            return base64.b64decode(inline, validate=True)
        except binascii.Error:
            raise NotUnderstood(archive.name, f"gives {path} as something that is no base64.") from None
    async with own_file(archive, place) as file:
        try:
            return await to_thread.run_sync(lambda: bulk_value(parse(file), f"bulkdata/{path}"))
        except Damaged as reason:
            raise NotUnderstood(archive.name, f"gave a damaged file of {place}: {reason}.") from None
        except NoSuchValue:
            raise NotFound(
                archive.name,
                f"{place} has no bytes at {path}: get_metadata tells which attributes it has, and what others say.",
            ) from None


def _element(obj: DicomJson, path: str) -> DicomJson | None:
    *above, tag = path.split("/")
    for sequence, number in zip(above[::2], above[1::2], strict=True):
        items = values_at(obj, sequence)
        if int(number) >= len(items) or not isinstance(items[int(number)], dict):
            return None
        obj = items[int(number)]
    return element_at(obj, tag)


async def _write(receiver: Receiver, item: Item, name: str, data: bytes) -> None:
    part = await receiver.arrived(_once(data))
    await receiver.settled(part, partial(_settle, receiver, item, receiver.folder.path / name))
    await receiver.progress.tell()


def _settle(receiver: Receiver, item: Item, final: Path, part: Part) -> None:
    size = part.finish()
    try:
        give_name(part.path, final)
    except FileExistsError:
        try:
            is_same = same_contents(part.path, final)
        except OSError:
            is_same = False
        item.decide(*((Outcome.ALREADY_THERE,) if is_same else (Outcome.DIFFERENT, f"{final.name} is another file")))
        return
    sync_folder(final.parent)
    receiver.retrieval.bytes += size
    receiver.retrieval.written.append(final)
    item.decide(Outcome.RETRIEVED)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
