"""``dicomweb-mcp copy``: what copy_instances answers."""

import argparse

from ...services.app import App
from ...services.copying import Wanted, copy
from ...services.items import Report
from ...services.transfer import Transfer
from ...settings import Settings
from ...tools.copy import copying_question
from .arguments import add_archive, add_uids, check_uids
from .permission import permitting
from .sending import LARGE, STORED_STAYS, add_sending, carry_out_sending

DESCRIPTION = f"""Copy a study, a series or instances from one archive into another, and say what became of each.

The command is the permission to store in the second: no --permit is needed. Running it again copies what is missing.
Before {LARGE} are copied it asks; with --json or without a terminal they need --yes.

  dicomweb-mcp copy pacs mine --study 1.2.3 --dry-run
  dicomweb-mcp copy pacs mine --series 1.2.3.4"""
INTERRUPTED = STORED_STAYS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Between which archives, and what."""
    add_archive(parser, "name", "FROM")
    add_archive(parser, "into", "TO")
    add_uids(parser, instances=True)
    add_sending(parser)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Copy, after a question where there is much, and print what became of it."""
    check_uids(options)
    source, target = options.name, App(settings).configured(options.into).name
    wanted = Wanted(options.study, options.series, options.instance)

    async def send(app: App, confirm: bool, report: Report) -> Transfer:
        return await copy(app, source, target, wanted, dry_run=options.dry_run, confirm=confirm, report=report)

    return carry_out_sending(
        permitting(settings, target, "store"), options, target, send,
        lambda transfer: copying_question(transfer, source, target),
    )  # fmt: skip
