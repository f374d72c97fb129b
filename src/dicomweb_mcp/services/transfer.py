"""Storing files in an archive: checked, compared with what is there, sent in batches, confirmed by a search."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anyio import to_thread

from ..archives.base import NO_CHOICE, Archive, Choices
from ..archives.journal import Journal
from ..dicom.uids import checked_uid
from ..errors import BadArgument
from .app import App
from .choices import check_offered, storage_class_notes
from .items import Item, Progress, Report, checked_items, undecided
from .making import made
from .permits import check_permits
from .presence import NO_SEARCH, compare_with
from .roots import Named, files_under_roots
from .sending import Sender

MOST_UNCONFIRMED = 100  # files,
MOST_BYTES_UNCONFIRMED = 1_000_000_000  # and bytes, that are sent without being asked for twice


def large(what: str) -> str:
    """What is only sent when somebody agrees, in words."""
    return f"more than {MOST_UNCONFIRMED} {what} or {MOST_BYTES_UNCONFIRMED // 10**9} GB"


@dataclass
class Transfer:
    """Every file with its outcome; in a dry run those that would be sent have none. One that ``wants_confirmation``
    was made a dry run for being large. ``size`` is how many bytes are to be sent; of a copy those of the pixels without
    compression, as far as they are known."""

    items: list[Item]
    notes: list[str] = field(default_factory=list)
    dry_run: bool = False
    wants_confirmation: bool = False
    size: int = 0


Agree = Callable[[Transfer], Awaitable[bool]]  # whether the user agrees to this plan


async def store(
    app: App,
    archive_name: str | None,
    paths: Sequence[str],
    *,
    metadata: Mapping[str, Any] | None = None,
    study_uid: str | None = None,
    choices: Choices = NO_CHOICE,
    dry_run: bool = False,
    confirm: bool = False,
    agree: Agree | None = None,
    report: Report,
) -> Transfer:
    """Store the files that ``paths`` name, or with ``dry_run``, or where that takes a ``confirm`` and ``agree`` does
    not give it, only say what would be done with each. With ``metadata`` they are pictures and documents, of which
    DICOM files are made first.

    Raises NotPermitted, BadArgument before anything is opened, ArchiveError before anything is sent.
    """
    _check_permitted(app, archive_name)
    check_offered(app, archive_name, choices, is_made=metadata is not None)
    study_uid = checked_uid(study_uid, "study_uid") if study_uid is not None else None
    if not paths:
        raise BadArgument("paths is empty: name files, folders or patterns below a file root.")
    named = await to_thread.run_sync(files_under_roots, paths, app.settings.files.roots, abandon_on_cancel=True)
    wanted = _Wanted(archive_name, study_uid, choices, dry_run, confirm, agree)
    if metadata is None:
        return await _stored(app, named, wanted, report)
    async with made(app, archive_name, named, metadata, study_uid) as ready:
        transfer = await _stored(app, ready.files, wanted, report)
    transfer.notes[:0] = ready.notes
    return transfer


@dataclass(frozen=True)
class _Wanted:
    archive: str | None
    study_uid: str | None
    choices: Choices
    dry_run: bool
    confirm: bool
    agree: Agree | None


async def _stored(app: App, named: Sequence[Named], wanted: _Wanted, report: Report) -> Transfer:
    progress = Progress(report, len(named))
    transfer = Transfer(await checked_items(named, wanted.study_uid, progress), dry_run=wanted.dry_run)
    async with app.transfer_into(wanted.archive) as archive:
        journal = Journal(archive.address)
        can_confirm = await compare(archive, transfer, journal, progress)
        if journal.problem:
            transfer.notes.append(
                f"What was stored cannot be remembered for another run ({journal.problem}), which will compare it anew."
            )
        going = undecided(transfer.items)
        transfer.size = sum(item.file.size for item in going)
        if not (wanted.dry_run or wanted.confirm):
            await hold_if_large(transfer, wanted.agree)
        if not transfer.dry_run:
            transfer.notes += await journal.forget(item.file.instance_uid for item in going)
            sender = Sender(archive, wanted.study_uid, can_confirm=can_confirm, choices=wanted.choices)
            await sender.send(going, len(transfer.items), progress)
            if wanted.choices.storage_class:
                transfer.notes += await storage_class_notes(archive, transfer.items, wanted.choices.storage_class)
    return transfer


async def hold_if_large(transfer: Transfer, agree: Agree | None) -> None:
    """Make a plan of a large transfer, which is only done when somebody agrees, unless somebody does now."""
    if len(undecided(transfer.items)) <= MOST_UNCONFIRMED and transfer.size <= MOST_BYTES_UNCONFIRMED:
        return
    transfer.dry_run = transfer.wants_confirmation = True
    if agree is not None and await agree(transfer):
        transfer.dry_run = transfer.wants_confirmation = False


async def compare(archive: Archive, transfer: Transfer, journal: Journal, progress: Progress) -> bool:
    """Compare with what the archive has; whether it can also be asked afterwards. Only of a server of no known kind is
    it believed that it offers no search: the others do, so that a refusal is a failure like any other."""
    try:
        transfer.notes += await compare_with(archive, transfer.items, journal, progress)
    except NO_SEARCH:
        if archive.profile.trusted:
            raise
        transfer.notes.append(
            "The archive offers no search: what it has already was not compared, and what it says that it stored could "
            "not be confirmed."
        )
        return False
    return True


def _check_permitted(app: App, archive_name: str | None) -> None:
    """Raises NotPermitted with the setting that would allow storing, or BadArgument when no folder is configured."""
    check_permits(app, archive_name, "store")
    if not app.settings.files.roots:
        raise BadArgument(
            "No file root is configured, so no file can be opened: start the server with --file-root FOLDER, or write "
            "roots under [files] in its configuration. Nothing was sent."
        )
