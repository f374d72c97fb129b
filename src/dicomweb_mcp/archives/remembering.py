"""An archive that does not ask twice for what a picture was made of: looking again, with another window, is free.

DICOM JSON is remembered as text: its size is known, it takes a tenth of the memory of decoded objects, and nobody can
change what is decoded anew for each caller.
"""

import sys
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from dataclasses import replace

from anyio import to_thread

from ..dicom.encoded import json_text
from ..dicom.query import Plan
from ..dicom.rules import Level
from ..dicom.stow import StoreResponse
from ..dicom.values import DicomJson, text
from .arriving import Arriving
from .base import NO_CHOICE, Archive, Choices, Deleted, Doomed, File, Frame, Health, Media, Page, Place, Tell
from .memory import Key, Memory
from .objects import LARGE, json_list, rows_of
from .part10.outgoing import Outgoing
from .profiles import Profile


class RememberingArchive:
    """Another archive, and a memory of its frames, metadata, bulk data, rows of a series and lists of its instances.

    Failures are not remembered, and neither is that there is nothing; what turns out to be of no use is to be
    forgotten. ``memory`` may be shared by several archives.
    """

    def __init__(self, archive: Archive, memory: Memory) -> None:
        self._archive, self._memory = archive, memory

    # ---- what is remembered ------------------------------------------------------------------------------------------

    async def search(self, plan: Plan, *, limit: int, offset: int) -> Page:
        series = _series_of(plan)
        if series is None:
            return await self._archive.search(plan, limit=limit, offset=offset)
        key = self._memory.key(self.name, "search", series, plan, limit, offset)
        page: Page
        if known := self._memory.recall(key):
            page, body = known
            return replace(page, rows=await rows_of(self.name, body))
        page = await self._archive.search(plan, limit=limit, offset=offset)
        is_of_use = bool(offset) if not page.rows else plan.level is Level.INSTANCE or _is_only(page, series)
        if is_of_use and not page.incomplete:  # an empty page behind others is the end of a list
            body = await to_thread.run_sync(json_list, page.rows, abandon_on_cancel=True)
            self._memory.keep(key, (replace(page, rows=()), body), len(body))
        return page

    async def metadata(self, place: Place) -> AsyncGenerator[DicomJson, None]:
        """An object is handed out when the next one has come, or the end: who takes the first of one object and goes
        has read everything."""
        key = self._memory.key(self.name, "metadata", place)
        if body := self._memory.recall(key):
            for obj in await self._objects(body):
                yield obj
            return
        texts: list[bytes] = []
        size = 0
        last: DicomJson | None = None
        async with aclosing(self._archive.metadata(place)) as objects:
            async for obj in objects:
                if size <= self._memory.largest:
                    texts.append(json_text(obj))
                    size += len(texts[-1]) + 1
                else:  # more than can be kept: no reason to hold it meanwhile
                    texts.clear()
                if last is not None:
                    yield last
                last = obj
        if texts:
            self._memory.keep(key, b"[%b]" % b",".join(texts), size + 1)
        if last is not None:
            yield last

    async def frames(self, place: Place, numbers: Sequence[int], *, decoded: bool = False) -> list[Frame]:
        keys = {number: self._frame_key(place, number, decoded) for number in numbers}
        found: dict[int, Frame] = {number: self._memory.recall(key) for number, key in keys.items()}
        missing = [number for number, frame in found.items() if frame is None]
        if missing:
            for number, frame in zip(missing, await self._archive.frames(place, missing, decoded=decoded), strict=True):
                found[number] = frame
                self._memory.keep(
                    keys[number], replace(frame, is_remembered=True), len(frame.data) + len(frame.transfer_syntax)
                )
        return [found[number] for number in numbers]

    def to_fetch(self, place: Place, numbers: Sequence[int]) -> int:
        return sum(self._memory.recall(self._frame_key(place, number, False)) is None for number in numbers)

    async def bulkdata(self, place: Place, uri: str) -> bytes:
        key = self._memory.key(self.name, "bulkdata", place, uri)
        known: bytes | None = self._memory.recall(key)
        if known is None:
            known = await self._archive.bulkdata(place, uri)
            self._memory.keep(key, known, len(known) + sys.getsizeof(uri))
        return known

    async def store(
        self, files: Sequence[Outgoing], study_uid: str | None = None, choices: Choices = NO_CHOICE
    ) -> StoreResponse:
        try:
            return await self._archive.store(files, study_uid, choices)
        finally:
            self._memory.forget(self.name)

    async def storage_class(self, place: Place) -> str:
        return await self._archive.storage_class(place)

    async def delete(self, place: Place, instances: Collection[str], doomed: Doomed, tell: Tell) -> Deleted:
        try:
            return await self._archive.delete(place, instances, doomed, tell)
        finally:
            self._memory.forget(self.name)

    def forget(self, place: Place) -> None:
        self._memory.forget(self.name, place)

    def _frame_key(self, place: Place, number: int, decoded: bool) -> Key:
        return self._memory.key(self.name, "frame", place, (number, decoded))

    async def _objects(self, body: bytes) -> Sequence[DicomJson]:
        """The objects of remembered metadata, their elements again text until they are looked at."""
        arriving = Arriving(self.name)
        arriving.feed(body)
        return await to_thread.run_sync(arriving.rest) if len(body) > LARGE else arriving.rest()

    # ---- what is handed on -------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self._archive.name

    @property
    def profile(self) -> Profile:
        return self._archive.profile

    @property
    def address(self) -> str:
        return self._archive.address

    async def settle(self) -> Profile:
        return await self._archive.settle()

    async def rendered(self, place: Place, frame: int, *, viewport: tuple[int, int]) -> Media:
        return await self._archive.rendered(place, frame, viewport=viewport)

    async def doomed(self, place: Place) -> Doomed:
        return await self._archive.doomed(place)

    def instances(self, place: Place, *, as_stored: bool = True) -> AsyncGenerator[File, None]:
        return self._archive.instances(place, as_stored=as_stored)

    async def probe(self) -> Health:
        return await self._archive.probe()

    async def close(self) -> None:
        await self._archive.close()


def _series_of(plan: Plan) -> Place | None:
    """The only series that a search is about: it looks for its instances, or for it by its UID in a study."""
    if not plan.study_uid:
        return None
    if plan.level is Level.INSTANCE:
        return Place(plan.study_uid, plan.series_uid) if plan.series_uid else None
    asked = [(item.attribute.keyword, item.values) for item in plan.sent]
    is_by_uid = plan.level is Level.SERIES and len(asked) == 1 and asked[0][0] == Level.SERIES.uid
    return Place(plan.study_uid, asked[0][1][0]) if is_by_uid and len(asked[0][1]) == 1 else None


def _is_only(page: Page, series: Place) -> bool:
    """Whether a page tells of this series and of no other."""
    return [text(row, Level.SERIES.uid) for row in page.rows] == [series.series_uid]
