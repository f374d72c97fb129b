"""Storing files in an archive: checked, compared with what is there, sent in batches, confirmed by a search."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio import to_thread

from ..archives.base import AccessDenied, Archive, ArchiveError, NotOffered, NotPermitted, Refused, Unreachable
from ..dicom.stow import StoreResponse, Verdict
from ..dicom.uids import checked_uid
from ..errors import BadArgument, Problem
from ..paths import Changed
from .app import App
from .items import Fit, Item, Outcome, Progress, Report, checked_items, undecided
from .making import made
from .presence import GONE, NO_SEARCH, compare_with, instances_there
from .roots import Named, files_under_roots

BATCH_FILES = 50
BATCH_BYTES = 64 << 20
CONFIRM_AFTER = (0.0, 0.5, 2.0)  # seconds before each look for what was just stored
ENDING = (*GONE, NotOffered)
TURNED_AWAY = (AccessDenied, NotOffered)  # nothing was taken in


@dataclass
class Transfer:
    """Every file with its outcome; in a dry run those that would be sent have none."""

    items: list[Item]
    notes: list[str] = field(default_factory=list)
    dry_run: bool = False


async def store(
    app: App,
    archive_name: str | None,
    paths: Sequence[str],
    *,
    metadata: Mapping[str, Any] | None = None,
    study_uid: str | None = None,
    dry_run: bool = False,
    report: Report,
) -> Transfer:
    """Store the files that ``paths`` name, or with ``dry_run`` only say what would be done with each. With ``metadata``
    they are pictures and documents, of which DICOM files are made first.

    Raises NotPermitted, BadArgument before anything is opened, ArchiveError before anything is sent.
    """
    check_permitted(app, archive_name)
    study_uid = checked_uid(study_uid, "study_uid") if study_uid is not None else None
    if not paths:
        raise BadArgument("paths is empty: name files, folders or patterns below a file root.")
    named = await to_thread.run_sync(files_under_roots, paths, app.settings.files.roots, abandon_on_cancel=True)
    if metadata is None:
        return await _stored(app, archive_name, named, study_uid, dry_run, report)
    async with made(app, archive_name, named, metadata, study_uid) as ready:
        transfer = await _stored(app, archive_name, ready.files, study_uid, dry_run, report)
    transfer.notes[:0] = ready.notes
    return transfer


async def _stored(
    app: App, archive_name: str | None, named: Sequence[Named], study_uid: str | None, dry_run: bool, report: Report
) -> Transfer:
    progress = Progress(report, len(named))
    transfer = Transfer(await checked_items(named, study_uid, progress), dry_run=dry_run)
    async with app.transfer_into(archive_name) as archive:
        can_confirm = await _compare(archive, transfer, progress)
        if not dry_run:
            sender = _Sender(archive, study_uid, can_confirm=can_confirm)
            await sender.send(undecided(transfer.items), len(transfer.items), progress)
    return transfer


async def _compare(archive: Archive, transfer: Transfer, progress: Progress) -> bool:
    """Compare with what the archive has; whether it can also be asked afterwards. Only of a server of no known kind is
    it believed that it offers no search: the others do, so that a refusal is a failure like any other."""
    try:
        transfer.notes += await compare_with(archive, transfer.items, progress)
    except NO_SEARCH:
        if archive.profile.trusted:
            raise
        transfer.notes.append(
            "The archive offers no search: what it has already was not compared, and what it says that it stored could "
            "not be confirmed."
        )
        return False
    return True


def check_permitted(app: App, archive_name: str | None) -> None:
    """Raises NotPermitted with the setting that would allow storing, or BadArgument when no folder is configured."""
    settings = app.configured(archive_name)
    if settings.is_read_only:
        raise NotPermitted(settings.name, "can only be read. Nothing was opened or sent.")
    if app.settings.http:
        raise NotPermitted(
            settings.name,
            "is only read over HTTP, which has no authentication yet: start the server on stdio to store. Nothing was "
            "opened or sent.",
        )
    if "store" not in app.settings.permits(settings):
        raise NotPermitted(
            settings.name,
            f"is only read. To permit storing start the server with --permit {settings.name}:store, or write "
            'permit = ["store"] in its configuration. Nothing was opened or sent.',
        )
    if not app.settings.files.roots:
        raise BadArgument(
            "No file root is configured, so no file can be opened: start the server with --file-root FOLDER, or write "
            "roots under [files] in its configuration. Nothing was sent."
        )


def batches(items: Sequence[Fit]) -> Iterator[list[Fit]]:
    """Items in their order, at most BATCH_FILES and BATCH_BYTES together; a larger file goes alone."""
    batch: list[Fit] = []
    size = 0
    for item in items:
        if batch and (len(batch) == BATCH_FILES or size + item.file.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += item.file.size
    if batch:
        yield batch


class _Sender:
    """Sends batches one after the other and decides the outcome of every file."""

    def __init__(self, archive: Archive, study_uid: str | None, *, can_confirm: bool) -> None:
        self._archive, self._study_uid, self._can_confirm = archive, study_uid, can_confirm
        self._ended: Problem | None = None

    async def send(self, items: Sequence[Fit], files: int, progress: Progress) -> None:
        """Send everything, of so many files in all. Raises AccessDenied or NotOffered when nothing was taken in."""
        sent = files - len(items)
        for batch in batches(items):
            if self._ended is None:
                await self._send(batch)
            for item in undecided(batch):
                item.decide(Outcome.NOT_SENT, str(self._ended))
            sent += len(batch)
            await progress.tell(2, sent, "done")
        if isinstance(self._ended, TURNED_AWAY) and all(item.outcome is Outcome.NOT_SENT for item in items):
            raise self._ended

    async def _send(self, batch: Sequence[Fit]) -> None:
        """One request; where that does not tell which file was at fault, those that did not arrive once more alone."""
        response, problem = await self._request(batch)
        if isinstance(problem, TURNED_AWAY):
            self._ended = problem
            return
        present = await self._present(batch, response, problem)
        is_silent = not (problem or response.verdicts or response.others)
        for item in batch:
            uid = item.file.instance_uid
            found = None if present is None else uid in present
            if verdict := response.verdicts.get(uid):
                self._decide(item, verdict, found)
            elif found:
                item.decide(Outcome.STORED)
            elif found is None or is_silent or isinstance(problem, Unreachable):
                item.decide(Outcome.UNKNOWN, _why(response, problem))
        if isinstance(problem, ENDING):
            self._ended = problem
        elif len(batch) > 1:
            for item in undecided(batch):
                if self._ended is None:
                    await self._send([item])
        else:
            for item in undecided(batch):
                item.decide(Outcome.REJECTED, _why(response, problem))

    async def _request(self, batch: Sequence[Fit]) -> tuple[StoreResponse, Problem | None]:
        try:
            return await self._archive.store([item.file for item in batch], self._study_uid), None
        except Changed:
            return StoreResponse({}), Refused(
                self._archive.name,
                "was not sent it: the file changed after it was checked, or cannot be read any more.",
            )
        except ArchiveError as problem:
            return StoreResponse({}), problem

    async def _present(self, batch: Sequence[Fit], response: StoreResponse, problem: Problem | None) -> set[str] | None:
        """Which of the files a search finds; None when that cannot be told. What was not refused is looked for again
        after a while, because some archives index what they took in a little later."""
        if not self._can_confirm:
            return None
        refused = {uid for uid, verdict in response.verdicts.items() if not verdict.stored}
        expected = set() if problem else {item.file.instance_uid for item in batch} - refused
        found: set[str] = set()
        for seconds in CONFIRM_AFTER:
            await anyio.sleep(seconds)
            try:
                found |= await instances_there(
                    self._archive, [item for item in batch if item.file.instance_uid not in found]
                )
            except ArchiveError:
                return None
            if expected <= found:
                break
        return found

    def _decide(self, item: Fit, verdict: Verdict, found: bool | None) -> None:
        """The outcome that the archive's verdict and the search agree on."""
        if verdict.stored and (found or not self._can_confirm):
            item.decide(Outcome.STORED, verdict.reason)
        elif verdict.stored:
            searched = "a search does not find it" if found is False else "no search could confirm it"
            item.decide(Outcome.UNKNOWN, f"the archive reported it as stored, but {searched}: run this again to see")
        elif found:
            item.decide(Outcome.UNKNOWN, f"the archive reported a failure ({verdict.reason}), but a search finds it")
        else:
            item.decide(Outcome.REJECTED, verdict.reason)


def _why(response: StoreResponse, problem: Problem | None) -> str:
    return str(problem) if problem else "; ".join(response.others) or "the archive neither took nor refused it by name"
