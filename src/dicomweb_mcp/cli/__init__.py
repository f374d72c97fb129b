"""The command line: serve (the default), demo, check; and search, store, retrieve, copy and delete for people."""

import argparse
import sys
from collections.abc import Sequence
from difflib import get_close_matches

from ..errors import Problem
from .flags import settings_of, shared_flags

FOR_SERVERS = ("serve", "demo", "check")
FOR_PEOPLE = ("search", "store", "retrieve", "copy", "delete")  # as people/ has them, not imported for a server
DESCRIPTION = """MCP server over DICOMweb: find, read and see DICOM images. Without a command it serves on stdio.

commands:
  demo      a tour against an embedded archive; no network needed
  check     ask each configured archive what it can do and print a table

commands for people, each with a --help of its own:
  search    find studies, series or instances
  store     files and folders into an archive
  retrieve  files of an archive into a folder
  copy      a study, series or instances of one archive into another
  delete    a study, series or instance out of an archive, after a question"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status. Errors of the configuration are one sentence on stderr and status 2."""
    shared, rest = shared_flags().parse_known_args(arguments)
    command = next((word for word in rest if not word.startswith("-")), None)
    if command in FOR_PEOPLE:
        from .people import run

        rest.remove(command)
        return run(command, rest, shared)
    parser = _parser()
    if command is not None and command not in FOR_SERVERS:
        parser.error(_unknown(command))
    options = parser.parse_args(rest, shared)
    try:
        if options.command == "demo":
            from .demo import demo

            return demo(options.output)
        settings = settings_of(options)
        if options.command == "check":
            from .check import check

            return check(settings)
        from .serve import serve

        return serve(settings)
    except Problem as problem:
        print(f"dicomweb-mcp: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _unknown(command: str) -> str:
    """That there is no such command, the nearest one, and all of them."""
    commands = (*FOR_SERVERS, *FOR_PEOPLE)
    near = get_close_matches(command, commands, n=1)
    meant = f"; did you mean {near[0]}?" if near else "."
    return f"there is no command {command!r}{meant} Commands: {', '.join(commands)}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dicomweb-mcp",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        parents=[shared_flags()],
    )
    add = parser.add_argument
    add("command", nargs="?", choices=FOR_SERVERS, default="serve", metavar="command", help="see above")
    add("--version", action="version", version=f"%(prog)s {_version()}")
    return parser


def _version() -> str:
    from .. import __version__

    return __version__
