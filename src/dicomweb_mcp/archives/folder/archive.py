"""The ``Archive`` over a folder.

Searches and look-ups go to an SQLite index in the user's cache folder (``index``), which a scan keeps up to date
(``scan``); everything else is read from the files when it is asked. Nothing but stored files is ever written there.
"""

import os
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TypeVar

from anyio import to_thread

from ...dicom.query import Plan
from ...dicom.stow import StoreResponse, Verdict
from ...dicom.values import DicomJson
from ...paths import Changed, is_inside
from ...settings import STATE_VARIABLE, user_cache_folder, user_state_folder
from ..base import (
    NO_CHOICE,
    ArchiveError,
    Busy,
    Choices,
    Deleted,
    Doomed,
    File,
    Frame,
    Health,
    Media,
    NotFound,
    NotUnderstood,
    Outdated,
    Page,
    Place,
    Refused,
    Tell,
    Unreachable,
)
from ..part10.dataset import Damaged, parse
from ..part10.dicom_json import NoSuchValue, bulk_value, metadata
from ..part10.frames import NoPixels, NoSuchFrame
from ..part10.outgoing import Outgoing
from ..profiles import FOLDER, Profile
from .files import StoredFile
from .frames import FrameReader
from .index import FolderIndex
from .lookup import Contents, contents, files_at, problems
from .placing import place
from .refresh import Refresher
from .search import long_texts, search
from .trash import Trash, fingerprint

CHUNK = 1 << 20
T = TypeVar("T")


class FolderArchive:
    """An ``Archive`` over the files of ``folder`` and the folders in it.

    Links that lead outside are not followed. ``cache_folder`` holds the index, ``state_folder`` the trash; the user's
    own when left out.
    """

    def __init__(
        self, name: str, folder: Path, *, cache_folder: Path | None = None, state_folder: Path | None = None
    ) -> None:
        self._name = name
        self._folder = folder
        self._state_folder = state_folder
        self._index = FolderIndex(folder, cache_folder or user_cache_folder())
        self._refresher = Refresher(folder, self._index)
        self._frames = FrameReader()

    @property
    def name(self) -> str:
        return self._name

    @property
    def profile(self) -> Profile:
        return FOLDER

    @property
    def address(self) -> str:
        return str(self._folder)

    async def settle(self) -> Profile:
        return FOLDER

    async def search(self, plan: Plan, *, limit: int, offset: int) -> Page:
        """One page of the plan's ``sent`` conditions, ordered by UID and InstanceNumber (see ``search``).

        ``Page.total`` is exact, None while the folder is still being indexed. Raises NotSearchable, Unreachable.
        """
        incomplete = await self._fresh()

        def ask(db: sqlite3.Connection) -> tuple[list[DicomJson], int, Contents]:
            rows, total = search(db, plan, FOLDER.rules, limit, offset)
            return rows, total, contents(db)

        rows, total, found = await self._with_index(ask)
        notes = found.gaps
        if names := long_texts(plan):
            notes += (f"Values of {', '.join(names)} over 1,024 characters are not indexed and do not match.",)
        if incomplete:
            return Page(rows, incomplete=incomplete, notes=notes)
        return Page(rows, remaining=max(0, total - offset - len(rows)), total=total, notes=notes)

    async def metadata(self, place: Place) -> AsyncGenerator[DicomJson, None]:
        """The whole header of every instance at the place, by series and InstanceNumber.

        Raises NotFound for unknown UIDs, NotUnderstood for a damaged file.
        """
        for stored in await self._files(place):
            yield await self._read(stored, _metadata)

    async def bulkdata(self, place: Place, uri: str) -> bytes:
        """The value behind a BulkDataURI of this instance's metadata, little-endian. Raises NotFound, Refused."""
        stored = await self._one(place, "a BulkDataURI")

        def value(stored: StoredFile) -> bytes:
            with stored.opened() as file:
                return bulk_value(parse(file), uri)

        try:
            return await self._read(stored, value)
        except NoSuchValue:
            raise NotFound(
                self._name,
                f"{place} has no bulk value {uri[:120]!r}. Copy the BulkDataURI from its metadata (get_metadata).",
            ) from None

    def to_fetch(self, place: Place, numbers: Sequence[int]) -> int:
        """None: they are here."""
        return 0

    async def frames(self, place: Place, numbers: Sequence[int], *, decoded: bool = False) -> list[Frame]:
        """Frames as they are stored, in the order asked.

        Deflated files are inflated, and one-bit frames begin at bit 0. Raises NotFound with the valid numbers, Refused
        where there are no pixels, NotUnderstood for a damaged file.
        """
        if decoded:
            raise Refused(self.name, "gives frames as they are stored.")
        stored = await self._one(place, "a frame")
        try:
            found = await self._read(stored, lambda stored: self._frames.read(stored, numbers))
        except NoSuchFrame as error:
            wrong = next(number for number in numbers if not 1 <= number <= error.frames)
            has = "one frame, number 1" if error.frames == 1 else f"the frames 1 to {error.frames:,}"
            raise NotFound(self._name, f"{place} has no frame {wrong}; it has {has}.") from None
        except NoPixels:
            raise Refused(
                self._name,
                f"{place} has no pixel data, so there is no frame to read. get_metadata tells what it is.",
            ) from None
        return [Frame(number, data, syntax) for number, (data, syntax) in zip(numbers, found, strict=True)]

    async def rendered(self, place: Place, frame: int, *, viewport: tuple[int, int]) -> Media:
        """Always raises Refused."""
        raise Refused(self._name, "a folder does not render; its frames are decoded by this program.")

    async def instances(self, place: Place, *, as_stored: bool = True) -> AsyncGenerator[File, None]:
        """The files at the place as they are on disk. Raises NotFound; Refused for anything else."""
        if not as_stored:
            raise Refused(self._name, "gives its files as they are stored; it does not decompress them.")
        for stored in await self._files(place):
            yield File(stored.transfer_syntax, self._chunks(stored))

    async def store(
        self, files: Sequence[Outgoing], study_uid: str | None = None, choices: Choices = NO_CHOICE
    ) -> StoreResponse:
        """Copy the files into the folder, each whole or not at all; the index knows them afterwards.

        Nothing is overwritten: a name that is taken is a failure. ``study_uid`` is what the caller checked before, and
        of ``choices`` a folder has none.
        """
        verdicts = {}
        for outgoing in files:
            verdicts[outgoing.instance_uid] = await to_thread.run_sync(self._placed, outgoing)
        await self._fresh(anew=True)
        return StoreResponse(verdicts)

    def _placed(self, outgoing: Outgoing) -> Verdict:
        try:
            place(self._folder, outgoing)
        except FileExistsError:
            return Verdict(False, "a file of its name is there already, which does not count as this instance")
        except OSError as error:
            return Verdict(False, f"it cannot be written: {error.strerror or error}")
        except Changed:
            return Verdict(False, "it changed after it was checked, or cannot be read any more")
        return Verdict(True)

    async def storage_class(self, place: Place) -> str:
        """None: all files are kept alike."""
        return ""

    async def doomed(self, place: Place) -> Doomed:
        """Everything that the files at a place are. Raises Refused where the trash would be a part of the archive."""
        self._trash()
        return _doomed(await self._held(place))

    async def delete(self, place: Place, instances: Collection[str], doomed: Doomed, tell: Tell) -> Deleted:
        """Move the files into a folder of their own in the trash; the index does not know them afterwards. What is no
        longer the file that the index knows stays where it is, and so does what arrives from now on."""
        trash = self._trash()
        held = await self._held(place)
        if _doomed(held) != doomed:
            raise Outdated(self._name, place)
        found = [stored for stored in held if stored.instance_uid in instances]
        await tell(f"moving {len(found):,} files into the trash")
        try:
            filled = await to_thread.run_sync(trash.take, found)
        except OSError as error:
            raise Refused(
                self._name, f"its trash {trash.folder} cannot be used: {error.strerror or error}. Nothing was deleted."
            ) from None
        notes = filled.notes
        if filled.moved:
            notes.append(await to_thread.run_sync(trash.told))
        try:
            await self._fresh(anew=True)
        except ArchiveError as error:  # where the files are is to be told in any case
            notes.append(str(error))
        return Deleted(tuple(notes), is_whole=not filled.left)

    def _trash(self) -> Trash:
        trash = Trash((self._state_folder or user_state_folder()) / "trash" / self._name)
        if is_inside(os.path.realpath(self._folder), os.path.realpath(trash.folder)):
            raise Refused(
                self._name,
                f"the trash would lie in the archive's own folder, at {trash.folder}, and what was deleted be found "
                f"again: name another place with {STATE_VARIABLE}.",
            )
        return trash

    async def _held(self, place: Place) -> list[StoredFile]:
        """The files of the instances at a place, also those that repeat one. Raises Busy while the folder is being
        indexed."""
        if incomplete := await self._fresh(anew=True):
            raise Busy(self._name, f"{incomplete}, so it is not known what is there. Ask again in a few seconds.")
        counting = {stored.instance_uid for stored in await self._look_up(place)}
        return [stored for stored in await self._look_up(place, repeated=True) if stored.instance_uid in counting]

    async def problems(self) -> list[tuple[str, str]]:
        """Every file that could not be used or is flawed: (path relative to the folder, why), by path."""
        await self._fresh()
        return await self._with_index(problems)

    async def contents(self) -> Contents:
        """How many files of which sort the index knows."""
        await self._fresh()
        return await self._with_index(contents)

    def forget(self, place: Place) -> None:
        """Nothing is remembered here."""

    async def probe(self) -> Health:
        """Whether the folder can be listed, and what is in it."""

        def look() -> str:
            try:
                with os.scandir(self._folder) as entries:
                    next(entries, None)
            except OSError as error:
                return self._missing(error)
            return ""

        if problem := await to_thread.run_sync(look, abandon_on_cancel=True):
            return Health(reachable=False, problem=problem)
        incomplete = await self._fresh()
        found = await self._with_index(contents)
        held = f"{found.instances:,} instances; {found.skipped:,} other files are no DICOM."
        return Health(reachable=True, notes=(held, *found.notes, *([incomplete] if incomplete else [])))

    async def close(self) -> None:
        """Stop indexing."""
        await to_thread.run_sync(self._refresher.close)

    # ---- the index ---------------------------------------------------------------------------------------------

    async def _fresh(self, *, anew: bool = False) -> str:
        with self._explained():
            return await self._refresher.fresh(anew=anew)

    async def _with_index(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        def run() -> T:
            with self._index.open() as db:
                db.execute("BEGIN")  # one state of the index for all statements
                return ask(db)

        with self._explained():
            return await to_thread.run_sync(run, abandon_on_cancel=True)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Failures of the folder and of the index, as errors that say what to do."""
        try:
            yield
        except sqlite3.Error as error:
            raise Refused(
                self._name,
                f"its index cannot be used ({error}). Free some space or delete {self._index.file}; it is built anew.",
            ) from None
        except OSError as error:
            at_index = error.filename is not None and str(error.filename).startswith(str(self._index.file.parent))
            if at_index:
                raise Refused(
                    self._name, f"its index cannot be kept in {self._index.file.parent}: {error.strerror}."
                ) from None
            raise Unreachable(self._name, self._missing(error)) from None

    def _missing(self, error: OSError) -> str:
        reason = error.strerror or type(error).__name__
        return f"the folder {self._folder} cannot be read: {reason}. Check the path and that its drive is there."

    # ---- files -------------------------------------------------------------------------------------------------

    async def _files(self, place: Place) -> list[StoredFile]:
        """The files at a place; an instance that is known is not looked for anew, because it is checked when read."""
        incomplete = "" if place.instance_uid else await self._fresh()
        found = await self._look_up(place)
        if found and (not incomplete or self._refresher.was_complete):
            return found
        incomplete = incomplete or await self._fresh()
        found = await self._look_up(place)
        if incomplete and not (found and place.instance_uid):
            raise Busy(self._name, f"{incomplete}, so {place} may not be known yet. Ask again in a few seconds.")
        return found or self._not_found(place)

    async def _one(self, place: Place, what: str) -> StoredFile:
        if not place.instance_uid:
            raise Refused(self._name, f"{what} belongs to one instance: give instance_uid as well.")
        return (await self._files(place))[0]

    async def _look_up(self, place: Place, *, repeated: bool = False) -> list[StoredFile]:
        return await self._with_index(lambda db: files_at(db, os.path.realpath(self._folder), place, repeated=repeated))

    def _not_found(self, place: Place) -> NoReturn:
        raise NotFound(
            self._name,
            f"there is no {place} in this folder. Look for it with search_studies, list_series or list_instances.",
        )

    async def _read(self, stored: StoredFile, work: Callable[[StoredFile], T]) -> T:
        """Run ``work`` on a file in a thread; when the file has changed since it was indexed, on what it is now."""
        try:
            return await to_thread.run_sync(self._guarded, work, stored)
        except Changed:
            await self._fresh(anew=True)
        now = await self._look_up(Place(stored.study_uid, stored.series_uid, stored.instance_uid))
        try:
            if now:
                return await to_thread.run_sync(self._guarded, work, now[0])
        except Changed:
            pass
        raise NotFound(
            self._name,
            f"the file {stored.path} was changed or removed after it was indexed. Search again with list_instances.",
        )

    def _guarded(self, work: Callable[[StoredFile], T], stored: StoredFile) -> T:
        try:
            return work(stored)
        except Damaged as reason:
            raise NotUnderstood(self._name, f"the file {stored.path} is damaged: {reason}.") from None
        except OSError as error:
            raise Unreachable(
                self._name, f"the file {stored.path} cannot be read: {error.strerror or type(error).__name__}."
            ) from None

    async def _chunks(self, stored: StoredFile) -> AsyncIterator[bytes]:
        file = await self._read(stored, StoredFile.opened)
        try:
            while chunk := await to_thread.run_sync(self._guarded, lambda _: file.read(CHUNK), stored):
                yield chunk
        finally:
            file.close()


def _doomed(files: Sequence[StoredFile]) -> Doomed:
    instances = len({stored.instance_uid for stored in files})
    return Doomed(sum(stored.size for stored in files), instances, fingerprint(files))


def _metadata(stored: StoredFile) -> DicomJson:
    with stored.opened() as file:
        return metadata(parse(file))
