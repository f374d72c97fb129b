"""The commands for people: the services of the tools, with the files that a person names, and exit codes.

A command is a module with what ``Command`` lists, and a line in ``COMMANDS``.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

from ...archives.base import AccessDenied, NotPermitted
from ...archives.manners import one_call
from ...dicom.rules import NotSearchable
from ...errors import BadArgument, Problem
from ...idc.wheel import release
from ...services.app import App
from ...services.idc.known import is_indexed
from ...settings import BadSettings, Settings
from ...tools.answers import INDEX_RELEASE
from ..flags import settings_of
from ..serve import quiet_logging
from . import copy, delete, retrieve, search, store
from .status import Status

STATUSES = """The flags of all commands (--archive, --config) may stand anywhere: see dicomweb-mcp --help.

exit status:
  0    all is well
  1    something failed, is different or is not known
  2    wrong usage or configuration
  3    not permitted, or not agreed to
  130  interrupted"""
FOR_OTHERS = ("http", "output")  # flags
OF_THE_REQUEST = (BadArgument, BadSettings, NotSearchable)
OF_PERMISSION = (AccessDenied, NotPermitted)


class Command(Protocol):
    """A command: its own arguments, what it does, and what is so when it is interrupted."""

    DESCRIPTION: str
    INTERRUPTED: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Its own arguments, beside --json; ``name`` is its archive, the one that is read where there are two."""

    def run(self, settings: Settings, options: argparse.Namespace) -> int:
        """Do it; the exit status. Raises Problem."""


COMMANDS: Mapping[str, Command] = {
    "search": search,
    "store": store,
    "retrieve": retrieve,
    "copy": copy,
    "delete": delete,
}


def run(name: str, arguments: Sequence[str], shared: argparse.Namespace) -> int:
    """Run a command with its own arguments and the shared flags; the exit status."""
    command = COMMANDS[name]
    parser = _parser(name, command)
    options = parser.parse_intermixed_args(arguments, shared)
    if given := [flag for flag in FOR_OTHERS if getattr(options, flag) is not None]:
        parser.error(f"--{given[0]} does not belong to {name}")
    quiet_logging()
    try:
        return _run(command, options)
    except Problem as problem:
        print(f"dicomweb-mcp: {problem}", file=sys.stderr)
        return _status(problem)
    except KeyboardInterrupt as interrupt:
        print(f"dicomweb-mcp: Interrupted. {str(interrupt) or command.INTERRUPTED}".rstrip(), file=sys.stderr)
        return Status.INTERRUPTED


def _run(command: Command, options: argparse.Namespace) -> int:
    """As one call of a tool, with the release of the index in answers of IDC."""
    settings = settings_of(options)
    archive = App(settings).configured(options.name)
    options.name = archive.name
    token = INDEX_RELEASE.set(release() if is_indexed(archive.resolved_kind) else None)
    try:
        with one_call():
            return command.run(settings, options)
    finally:
        INDEX_RELEASE.reset(token)


def _parser(name: str, command: Command) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"dicomweb-mcp {name}",
        description=command.DESCRIPTION,
        epilog=STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the structured answer, as JSON")
    return parser


def _status(problem: Problem) -> Status:
    if isinstance(problem, OF_THE_REQUEST):
        return Status.WRONG_USAGE
    return Status.NOT_PERMITTED if isinstance(problem, OF_PERMISSION) else Status.FAILED
