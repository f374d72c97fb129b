"""The tiles of a region: fetched in few requests, decoded side by side, put where they belong."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import anyio

from ...archives.base import Archive, Frame, NotFound, NotUnderstood
from ...dicom.facts import ranges
from ...dicom.slide import Box, FocalPlane, Level, OpticalPath, Tile, tiles_of
from ...dicom.values import clean, text
from ...errors import Problem
from ..parallel import side_by_side
from ..rendering import readable_frames, refuse_foreign_colours
from .reading import OpenedSlide

if TYPE_CHECKING:
    from ...pixels.slide.assemble import Assembled, Assembly
    from ...pixels.slide.tile import Tile as Read
    from ...pixels.slide.tile import TileReader

BATCH_BYTES = 64 * 1_048_576  # of stored tiles that are held at a time
COMPRESSED = 4  # times smaller than their pixels, at least, are tiles whose compression loses something
DECODED_AT_ONCE, TOGETHER = 4, 8  # threads, and tiles that each takes at a time
LONGEST_PROBLEM = 200
MOST_NAMED = 4


@dataclass
class Used:
    """Which tiles a picture was made of: frames by instance; those that were fetched for it, and their bytes."""

    frames: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    missing: int = 0
    fetched: int = 0
    bytes: int = 0
    transfer_syntaxes: dict[str, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return sum(map(len, self.frames.values()))

    def words(self) -> str:
        """``12 of level 0 ...``: how many, how many of them came over the network, and which frames they are."""
        arrived = f"{self.fetched} fetched, {self.bytes:,} bytes" if self.fetched else "none had to be fetched again"
        missing = f"; {self.missing} are not stored and shown as background" if self.missing else ""
        named = [f"frames {ranges(numbers)} of {uid}" for uid, numbers in list(self.frames.items())[:MOST_NAMED]]
        more = f" and of {len(self.frames) - MOST_NAMED} more" if len(self.frames) > MOST_NAMED else ""
        return f"{self.count} ({arrived}){missing}{': ' if named else ''}{'; '.join(named)}{more}"


class Tiles:
    """Fetches and decodes the tiles of one slide."""

    def __init__(self, archive: Archive, opened: OpenedSlide) -> None:
        self._archive, self._opened = archive, opened
        self._readers: dict[tuple[str, str], TileReader] = {}
        self.used = Used()

    def reader(self, uid: str, transfer_syntax: str = "") -> "TileReader":
        """What reads the tiles of an instance. Raises Undecodable."""
        from ...pixels.slide.tile import TileReader

        key = uid, transfer_syntax
        if key not in self._readers:
            self._readers[key] = TileReader(self._opened.objects[uid], transfer_syntax)
        return self._readers[key]

    async def assembled(self, level: Level, box: Box, plane: FocalPlane, path: OpticalPath, reduce: int) -> "Assembled":
        """A box of a level, from the tiles of one focal plane and optical path. Raises Undecodable or ArchiveError."""
        from ...pixels.slide.assemble import Assembly

        listed = await anyio.to_thread.run_sync(tiles_of, level, box, plane, path.identifier, abandon_on_cancel=True)
        present = next((tile.instance_uid for tile in listed if not tile.is_missing), level.instances[0].uid)
        reader = self.reader(present)
        assembly = Assembly(
            box,
            matrix=(level.grid.columns, level.grid.rows),
            tile=(level.grid.tile_columns, level.grid.tile_rows),
            samples=reader.samples,
            dtype=reader.dtype,
            background=reader.background,
            reduce=reduce,
        )
        await self._into(assembly, listed)
        return await anyio.to_thread.run_sync(assembly.result)

    async def _into(self, assembly: "Assembly", tiles: Sequence[Tile]) -> None:
        groups: dict[str, list[Tile]] = defaultdict(list)
        for tile in tiles:
            if tile.is_missing:
                self.used.missing += 1
            else:
                groups[tile.instance_uid].append(tile)
        kinds = {(reader.samples, reader.dtype) for reader in map(self.reader, groups)}
        if len(kinds) > 1:
            raise NotUnderstood(
                self._archive.name,
                "has tiles of several kinds (grey, colour, or of different depth) in one image of this slide, which "
                "make no picture together. Ask for a smaller box, or another level.",
            )
        batches = [batch for uid, group in groups.items() for batch in self._batches(uid, group)]
        await side_by_side(partial(self._take, assembly), batches, self._archive.profile.parallel)

    def _batches(self, uid: str, group: list[Tile]) -> list[list[Tile]]:
        """As few requests as memory allows."""
        stored = self.reader(uid).description.frame_bytes
        if text(self._opened.objects[uid], "LossyImageCompression") == "01":
            stored //= COMPRESSED
        step = max(1, BATCH_BYTES // max(1, stored))
        return [group[start : start + step] for start in range(0, len(group), step)]

    async def _take(self, assembly: "Assembly", batch: list[Tile]) -> None:
        uid = batch[0].instance_uid
        place = self._opened.place_of(uid)
        numbers = [tile.frame for tile in batch]
        try:
            frames = await readable_frames(self._archive, place, numbers)
        except NotFound:
            raise NotFound(
                self._archive.name,
                f"does not have all of the tiles that it lists (frames {ranges(numbers)} of {uid}), and a gap would "
                "look like glass. Ask for a box without them, or another level.",
            ) from None
        for frame in frames:
            refuse_foreign_colours(self._archive, self._opened.objects[uid], frame)
        self._count(uid, frames)
        pairs = list(zip(batch, frames, strict=True))
        parts = [pairs[start : start + TOGETHER] for start in range(0, len(pairs), TOGETHER)]

        async def decode(part: list[tuple[Tile, Frame]]) -> None:
            try:
                found = await anyio.to_thread.run_sync(self._read, uid, part, abandon_on_cancel=True)
            except NotUnderstood:  # the next answer may be a better one
                for known in (place, self._opened.place):
                    self._archive.forget(known)
                raise
            for tile, read in found:
                self.used.notes |= dict.fromkeys(read.notes)
                for x, y, width, height in tile.visible or [(0, 0, *read.pixels.shape[1::-1])]:
                    assembly.put_at(tile.x + x, tile.y + y, read.pixels[y : y + height, x : x + width])

        await side_by_side(decode, parts, DECODED_AT_ONCE)

    def _read(self, uid: str, part: "Sequence[tuple[Tile, Frame]]") -> "list[tuple[Tile, Read]]":
        found = []
        for tile, frame in part:
            try:
                found.append((tile, self.reader(uid, frame.transfer_syntax).read(frame.data)))
            except Problem as problem:
                raise NotUnderstood(
                    self._archive.name,
                    f"gave a tile that cannot be shown (frame {frame.number} of {uid}), and a gap would look like "
                    f"glass. {clean(str(problem), LONGEST_PROBLEM)} Ask for a box without it, or another level.",
                ) from None
        return found

    def _count(self, uid: str, frames: Sequence[Frame]) -> None:
        new = [frame for frame in frames if not frame.is_remembered]
        self.used.frames[uid] += [frame.number for frame in frames]
        self.used.fetched += len(new)
        self.used.bytes += sum(len(frame.data) for frame in new)
        self.used.transfer_syntaxes |= dict.fromkeys(frame.transfer_syntax for frame in frames)
