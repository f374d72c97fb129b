"""``dicomweb-mcp store``: what store_instances answers."""

import argparse

from ...archives.base import Choices
from ...services.app import App
from ...services.items import Report
from ...services.transfer import Transfer, store
from ...settings import Settings
from ...tools.store import storing_question
from .arguments import add_archive, pairs
from .permission import absolute, permitting, root_of, with_roots
from .sending import LARGE, STORED_STAYS, add_sending, carry_out_sending

DESCRIPTION = f"""Store files in an archive, and say what became of each.

The paths are files, folders with all below them, or patterns. The command is the permission to read them, and to store
in this archive: no --permit and no --file-root is needed. Running it again sends what is missing. Before
{LARGE} are sent it asks; with --json or without a terminal they need --yes.

  dicomweb-mcp store pacs /data/outgoing --dry-run
  dicomweb-mcp store pacs photo.jpg --study 1.2.3 --metadata Modality=XC SeriesDescription=Wound"""
INTERRUPTED = STORED_STAYS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to store, and how."""
    add_archive(parser)
    add = parser.add_argument
    add("paths", nargs="+", metavar="PATH", help="a file, a folder or a pattern")
    add("--study", metavar="UID", help="the only study that the files may belong to; with --metadata the one they join")
    add("--metadata", nargs="+", action="extend", metavar="KEYWORD=VALUE",
        help="for JPEG, PNG, TIFF and PDF: attributes of the instances made of them")  # fmt: skip
    add("--storage-class", metavar="CLASS", default="",
        help="of Google Cloud Healthcare: STANDARD, NEARLINE, COLDLINE or ARCHIVE")  # fmt: skip
    add("--send-json", action="store_true",
        help="to Google Cloud Healthcare: the metadata as JSON and the picture beside them")  # fmt: skip
    add_sending(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Store, after a question where there is much, and print what became of it."""
    paths = [absolute(path) for path in options.paths]
    settings = permitting(with_roots(settings, [root_of(path) for path in paths]), options.name, "store")
    metadata = pairs(options.metadata) if options.metadata else None
    choices = Choices(options.storage_class.upper(), options.send_json)

    async def send(app: App, confirm: bool, report: Report) -> Transfer:
        return await store(
            app, options.name, paths, metadata=metadata, study_uid=options.study, choices=choices,
            dry_run=options.dry_run, confirm=confirm, report=report,
        )  # fmt: skip

    return carry_out_sending(
        settings, options, options.name, send, lambda transfer: storing_question(transfer, options.name)
    )
