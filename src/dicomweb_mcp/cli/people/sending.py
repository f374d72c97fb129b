"""What the commands that send share: a question where there is much, the answer, and the exit code."""

import argparse
from collections.abc import Awaitable, Callable

from ...services.app import App
from ...services.items import Report
from ...services.transfer import Transfer, large
from ...settings import Settings
from ...tools.answers import TransferAnswer
from ...tools.store import transfer_answer
from .arguments import YES
from .running import agrees, can_ask, carry_out, say, show
from .status import Status

LARGE = large("files")
STORED_STAYS = "What was stored stays there: running the same command again goes on with what is missing."
NOT_WELL = ("different", "rejected", "unknown", "not_sent")

Send = Callable[[App, bool, Report], Awaitable[Transfer]]  # what was agreed to before, or only the plan


def add_sending(parser: argparse.ArgumentParser) -> None:
    """--dry-run and --yes."""
    parser.add_argument("--dry-run", action="store_true", help="check and compare only")
    parser.add_argument("--yes", action="store_true", help=YES)


def carry_out_sending(
    settings: Settings, options: argparse.Namespace, archive: str, send: Send, question: Callable[[Transfer], str]
) -> int:
    """Send into the archive, and print what became of it. The question is asked between two runs, so that Ctrl-C ends
    it and what was compared is not older than the answer."""

    def sent(confirm: bool) -> tuple[TransferAnswer, Transfer]:
        async def work(app: App, report: Report) -> tuple[TransferAnswer, Transfer]:
            transfer = await send(app, confirm, report)
            held = f"Nothing was sent yet: {LARGE}." if transfer.wants_confirmation else ""
            return transfer_answer(archive, transfer, held), transfer

        return carry_out(settings, work)

    answer, transfer = sent(options.yes)
    if transfer.wants_confirmation and can_ask(as_json=options.json):
        if not agrees(answer, question(transfer), "Nothing was sent."):
            return Status.NOT_PERMITTED
        answer, transfer = sent(True)
    show(answer, as_json=options.json)
    if transfer.wants_confirmation:
        say(f"Nothing was sent: {LARGE}, and nobody to ask. Add --yes to send them.")
        return Status.NOT_PERMITTED
    return Status.FAILED if any(getattr(answer, outcome) for outcome in NOT_WELL) else Status.WELL
