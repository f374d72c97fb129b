"""What was asked for, checked and handed to what fetches it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import anyio
from anyio import to_thread

from ...archives.base import Archive, ArchiveError, Place, Refused
from ...dicom.uids import checked_uid
from ...errors import BadArgument
from ...paths import is_inside
from ..app import App
from ..idc.objects import Buckets, refuse_without_index
from ..items import Report
from ..lookup import find_place
from ..permits import why_nothing_is_written
from .fetching import Fetcher
from .folder import FULL, Folder, NotWritten, opened_folder
from .from_buckets import Object, fetch_objects
from .items import Outcome, Progress, Retrieval, undecided
from .listed import decide_those_there, instances_at, instances_named
from .receiving import Receiver
from .values import checked_path, fetch_frames, fetch_value


@dataclass(frozen=True)
class Wanted:
    """What a caller asks for: a study, a series, or instances, whole; or ``frames`` or one value of an instance."""

    study_uid: str | None = None
    series_uid: str | None = None
    instance_uids: Sequence[str] = ()
    frames: Sequence[int] = ()
    bulk_path: str | None = None
    as_stored: bool = True

    @property
    def is_of_values(self) -> bool:
        """Whether parts of an instance are asked for, and no whole files."""
        return bool(self.frames or self.bulk_path)


async def retrieve(app: App, archive_name: str | None, wanted: Wanted, directory: str, report: Report) -> Retrieval:
    """Fetch it into ``directory``, and say of every file what became of it.

    Raises BadArgument, NotWritten, and ArchiveError when nothing could be fetched at all.
    """
    if reason := why_nothing_is_written(app.settings):
        raise BadArgument(f"{reason} Nothing was fetched.")
    wanted = _checked(wanted)
    archive = app.archive(archive_name)
    is_from_buckets = app.configured(archive_name).is_read_only and not wanted.is_of_values
    if is_from_buckets:
        _check_buckets(archive, wanted)
    folder = await to_thread.run_sync(opened_folder, directory, app.settings.files.roots)
    _check_outside(app, archive_name, archive, folder)
    retrieval = Retrieval(folder.path)
    receiver = Receiver(folder, retrieval, Progress(report, retrieval), wanted.as_stored)
    try:
        await to_thread.run_sync(folder.forget_parts)
        await _fetch(app, archive, wanted, receiver, is_from_buckets=is_from_buckets)
    except OSError as error:  # the archive's come as ArchiveError
        raise _not_written(retrieval, error) from None
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(folder.close)
    return retrieval


def _not_written(retrieval: Retrieval, error: OSError) -> NotWritten:
    """The error for a disk that takes no more, or for a folder that cannot be used."""
    kept = (
        f"{len(retrieval.of(Outcome.RETRIEVED)):,} files were retrieved and are whole; no part of another was left "
        "behind."
    )
    if error.errno in FULL:
        return NotWritten(f"The disk is full. {kept} Free some space and call this again: it goes on from there.")
    return NotWritten(f"The folder cannot be used: {error.strerror or type(error).__name__}. {kept}")


async def _fetch(app: App, archive: Archive, wanted: Wanted, receiver: Receiver, *, is_from_buckets: bool) -> None:
    if wanted.is_of_values:
        (uid,) = wanted.instance_uids
        place = await find_place(app, archive, wanted.study_uid, wanted.series_uid, uid)
        if wanted.frames:
            await fetch_frames(archive, place, wanted.frames, receiver)
        else:
            await fetch_value(archive, place, checked_path(wanted.bulk_path or ""), receiver)
    elif is_from_buckets:
        await _from_buckets(app, archive, wanted, receiver)
    else:
        await _from_archive(app, archive, wanted, receiver)


def _checked(wanted: Wanted) -> Wanted:
    """The same with each instance once. Raises BadArgument."""
    uids = tuple(dict.fromkeys(checked_uid(uid, "instance_uids") for uid in wanted.instance_uids))
    _check(replace(wanted, instance_uids=uids))
    return replace(wanted, instance_uids=uids)


def _check(wanted: Wanted) -> None:
    if not (wanted.study_uid or wanted.series_uid or wanted.instance_uids):
        raise BadArgument("Give study_uid, series_uid or instance_uids, copied from a search answer.")
    if wanted.frames and wanted.bulk_path:
        raise BadArgument("Give frames or bulk_path, one of the two: each call fetches one kind of thing.")
    if not wanted.frames and wanted.bulk_path is None:
        return
    if len(wanted.instance_uids) != 1:
        raise BadArgument("frames and bulk_path are of one instance: give one instance_uids.")
    if not wanted.as_stored:
        raise BadArgument("frames and bulk_path are fetched as they are stored: leave as_stored out.")
    if wanted.bulk_path is not None:
        checked_path(wanted.bulk_path)


def _check_buckets(archive: Archive, wanted: Wanted) -> None:
    refuse_without_index(archive, wanted.series_uid or wanted.study_uid or "SERIES_UID")
    if not wanted.as_stored:
        raise Refused(archive.name, "IDC's buckets hold files as they are stored: leave as_stored out.")


def _check_outside(app: App, archive_name: str | None, archive: Archive, folder: Folder) -> None:
    """Files within the folder archive that they come from would be in it twice."""
    path = app.configured(archive_name).path
    if path is not None and is_inside(str(path.resolve()), str(folder.path)):
        raise Refused(archive.name, "is the folder that directory lies in: name one outside it. Nothing was fetched.")


async def _from_archive(app: App, archive: Archive, wanted: Wanted, receiver: Receiver) -> None:
    retrieval = receiver.retrieval
    if wanted.instance_uids:
        instances = await instances_named(app, archive, wanted.study_uid, wanted.series_uid, wanted.instance_uids)
    else:
        place = await find_place(app, archive, wanted.study_uid, wanted.series_uid, None)
        instances, retrieval.notes = await instances_at(archive, place)
    retrieval.items += instances
    await decide_those_there(receiver.folder, instances, as_stored=wanted.as_stored)
    missing = [one for one in instances if one.outcome is None]
    _check_space(receiver.folder, sum(one.pixels for one in missing if one.is_native or not wanted.as_stored))
    fetcher = Fetcher(archive, receiver)
    await fetcher.fetch(instances, whole_series=not wanted.instance_uids)
    _raise_if_nothing(retrieval, fetcher.first_problem)


async def _from_buckets(app: App, archive: Archive, wanted: Wanted, receiver: Receiver) -> None:
    async with Buckets(app, archive) as buckets:
        stored = [one for place in await _series_of(app, archive, wanted) for one in await buckets.stored_at(place)]
        objects = [Object(one.object.key, stored=one) for one in stored]
        receiver.retrieval.items += objects
        _check_space(receiver.folder, sum(one.object.size for one in stored))
        problem = await fetch_objects(receiver, objects, wanted.instance_uids)
    _raise_if_nothing(receiver.retrieval, problem)


async def _series_of(app: App, archive: Archive, wanted: Wanted) -> list[Place]:
    """The study or series; or the series of the instances, which the index does not know."""
    if not wanted.instance_uids or wanted.series_uid:
        return [await find_place(app, archive, wanted.study_uid, wanted.series_uid, None)]
    places = [await find_place(app, archive, wanted.study_uid, None, uid) for uid in wanted.instance_uids]
    return list(dict.fromkeys(Place(place.study_uid, place.series_uid) for place in places))


def _check_space(folder: Folder, size: int) -> None:
    """Raises NotWritten when so many bytes do not fit."""
    if size > folder.free:
        raise NotWritten(
            f"About {size / 1e9:,.1f} GB are needed and {folder.free / 1e9:,.1f} GB are free there. Nothing was "
            "fetched: free some space, name another directory, or ask for less."
        )


def _raise_if_nothing(retrieval: Retrieval, problem: ArchiveError | None) -> None:
    """Nothing but failures, the archive's own ones: an error that says why, and no answer that counts them."""
    is_nothing = len(retrieval.of(Outcome.FAILED)) == len(retrieval.items) and not undecided(retrieval.items)
    if problem and is_nothing:
        raise problem
