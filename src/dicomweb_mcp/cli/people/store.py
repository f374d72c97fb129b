"""``dicomweb-mcp store``: what store_instances answers."""

import argparse

from ...archives.base import Choices
from ...services.app import App
from ...services.transfer import MOST_BYTES_UNCONFIRMED, MOST_UNCONFIRMED, store
from ...settings import Settings
from ...tools.answers import TransferAnswer
from ...tools.store import transfer_answer
from .arguments import YES, pairs
from .permission import absolute, permitting, root_of, with_roots
from .running import Report, agrees, can_ask, carry_out, say, show
from .status import Status

LARGE = f"more than {MOST_UNCONFIRMED} files or {MOST_BYTES_UNCONFIRMED // 10**9} GB"
DESCRIPTION = f"""Store files in an archive, and say what became of each.

The paths are files, folders with all below them, or patterns. The command is the permission to read them, and to store
in this archive: no --permit and no --file-root is needed. Running it again sends what is missing. Before
{LARGE} are sent it asks; without a terminal they need --yes.

  dicomweb-mcp store pacs /data/outgoing --dry-run
  dicomweb-mcp store pacs photo.jpg --study 1.2.3 --metadata Modality=XC SeriesDescription=Wound"""
INTERRUPTED = "What was stored stays there: running the same command again goes on with what is missing."
NOT_WELL = ("different", "rejected", "unknown", "not_sent")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to store, and how."""
    add = parser.add_argument
    add("paths", nargs="+", metavar="PATH", help="a file, a folder or a pattern")
    add("--study", metavar="UID", help="the only study that the files may belong to; with --metadata the one they join")
    add("--metadata", nargs="+", action="extend", metavar="KEYWORD=VALUE",
        help="for JPEG, PNG, TIFF and PDF: attributes of the instances made of them")  # fmt: skip
    add("--storage-class", metavar="CLASS", default="",
        help="of Google Cloud Healthcare: STANDARD, NEARLINE, COLDLINE or ARCHIVE")  # fmt: skip
    add("--send-json", action="store_true",
        help="to Google Cloud Healthcare: the metadata as JSON and the picture beside them")  # fmt: skip
    add("--dry-run", action="store_true", help="check and compare only")
    add("--yes", action="store_true", help=YES)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Store, after a question where there is much, and print what became of it."""
    paths = [absolute(path) for path in options.paths]
    settings = permitting(with_roots(settings, [root_of(path) for path in paths]), options.name, "store")
    metadata = pairs(options.metadata) if options.metadata else None
    choices = Choices(options.storage_class.upper(), options.send_json)

    def stored(confirm: bool) -> tuple[TransferAnswer, bool]:
        async def work(app: App, report: Report) -> tuple[TransferAnswer, bool]:
            transfer = await store(
                app, options.name, paths, metadata=metadata, study_uid=options.study, choices=choices,
                dry_run=options.dry_run, confirm=confirm, report=report,
            )  # fmt: skip
            return transfer_answer(options.name, transfer), transfer.wants_confirmation

        return carry_out(settings, work)

    answer, wants_confirmation = stored(options.yes)
    if wants_confirmation and can_ask():
        if not agrees(answer, f"Store {answer.to_store:,} files in the archive {options.name}?"):
            say("Nothing was sent.")
            return Status.NOT_PERMITTED
        answer, wants_confirmation = stored(True)
    show(answer, as_json=options.json)
    if wants_confirmation:
        say(f"Nothing was sent: {LARGE}, and no terminal to ask on. Add --yes to send them.")
        return Status.NOT_PERMITTED
    return Status.FAILED if any(getattr(answer, outcome) for outcome in NOT_WELL) else Status.WELL
