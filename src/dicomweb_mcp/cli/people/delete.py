"""``dicomweb-mcp delete``: what delete_instances answers, with a question between the plan and its token."""

import argparse

from ...services.app import App
from ...services.delete import delete
from ...services.deletion import Deletion
from ...services.items import Report
from ...settings import Settings
from ...tools.answers import DeletionAnswer
from ...tools.delete import deleting_question, deletion_answer
from .arguments import YES, add_archive, add_uids, check_uids
from .permission import permitting
from .running import agrees, can_ask, carry_out, not_begun, say, show
from .status import Status

DESCRIPTION = """Delete one study, series or instance from an archive; the lowest UID given is what is meant.

It shows what would go and asks; with --json or without a terminal it needs --yes. Your yes is the permission: no
--permit is needed. Afterwards a search looks for what is left. Servers delete for good; files of a folder are moved
into a trash.

  dicomweb-mcp delete pacs --series 1.2.3.4"""
INTERRUPTED = (
    "What was deleted by then is gone, and what a server has begun may go on: running the same command again shows "
    "what is left."
)

NOTHING = "Nothing was deleted."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to delete."""
    add_archive(parser)
    add_uids(parser, instances=False)
    parser.add_argument("--yes", action="store_true", help=YES)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Delete what the person agrees to, and print what became of it."""
    check_uids(options)
    settings = permitting(settings, options.name, "delete")

    def deleted(token: str | None) -> Deletion:
        async def work(app: App, report: Report) -> Deletion:
            uids = options.study, options.series, options.instance
            return await delete(app, options.name, *uids, token, report=report)

        return carry_out(settings, work)

    with not_begun(NOTHING):
        planned = deleted(None)
    if not options.yes and not can_ask(as_json=options.json):
        show(_answer(planned), as_json=options.json)
        say("Nothing was deleted: nobody to ask. Add --yes to delete this.")
        return Status.NOT_PERMITTED
    if not options.yes and not agrees(_answer(planned), deleting_question(planned.plan), NOTHING):
        return Status.NOT_PERMITTED
    done = deleted(planned.token)
    answer = _answer(done)
    show(answer, as_json=options.json)
    if done.done is None:
        say("Nothing was deleted: what the archive holds there has changed since the plan. Run it again.")
        return Status.FAILED
    return Status.FAILED if answer.remaining or answer.unknown else Status.WELL


def _answer(deletion: Deletion) -> DeletionAnswer:
    """The tool's answer without its token, which is passed on here without a word."""
    answer = deletion_answer(deletion)
    answer.token = None
    return answer
