"""``dicomweb-mcp retrieve``: what retrieve_instances answers."""

import argparse

from ...services.app import App
from ...services.items import Report
from ...services.retrieve import Wanted, retrieve
from ...settings import Settings
from ...tools.answers import RetrievalAnswer
from ...tools.retrieve import retrieval_answer
from .arguments import add_archive, add_uids, check_uids, numbers
from .permission import absolute, root_of, with_roots
from .running import carry_out, show
from .status import Status

DESCRIPTION = """Fetch a study, a series or instances of an archive as DICOM files into a folder.

They are named PatientID/StudyInstanceUID/SeriesInstanceUID/SOPInstanceUID.dcm. Nothing is overwritten: running it again
fetches what is missing. The folder may be any that you can write to; it is made where it is missing.

  dicomweb-mcp retrieve pacs --study 1.2.3 --to incoming
  dicomweb-mcp retrieve pacs --instance 1.2.3.4 --frames 1,2 --to frames"""
INTERRUPTED = "What was fetched is whole: running the same command again goes on with what is missing."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to fetch, and where to."""
    add_archive(parser)
    add_uids(parser, instances=True)
    add = parser.add_argument
    add("--to", required=True, metavar="FOLDER", help="where to put the files")
    add("--decompressed", action="store_true", help="as Explicit VR Little Endian, not as stored")
    add("--frames", type=numbers, default=[], metavar="1,2", help="frames of one instance, each as a file")
    add("--bulk-path", metavar="PATH",
        help="of one instance, the bytes of an attribute: 00420011, in sequences 00081140/0/00081199")  # fmt: skip


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Fetch, and print what became of it."""
    check_uids(options)
    folder = absolute(options.to)
    wanted = Wanted(
        options.study, options.series, options.instance, options.frames, options.bulk_path, not options.decompressed
    )

    async def work(app: App, report: Report) -> RetrievalAnswer:
        return retrieval_answer(options.name, await retrieve(app, options.name, wanted, folder, report))

    answer = carry_out(with_roots(settings, [root_of(folder)]), work)
    show(answer, as_json=options.json)
    return Status.FAILED if answer.failed or answer.different else Status.WELL
