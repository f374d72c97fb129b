"""The command line: serve (the default), demo, check."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import Problem

DESCRIPTION = """MCP server over DICOMweb: find, read and see DICOM images. Without a command it serves on stdio.

commands:
  demo    a tour against an embedded archive; no network needed
  check   ask each configured archive what it can do and print a table"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status. Errors of the configuration are one sentence on stderr and status 2."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "demo":
            from .demo import demo

            return demo(options.output)
        from ..settings import load

        settings = load(
            archives=options.archive,
            config=options.config,
            permits=options.permit,
            file_roots=options.file_root,
            http=options.http,
        )
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dicomweb-mcp",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("command", nargs="?", choices=("serve", "demo", "check"), default="serve", metavar="command", help="see above")
    add("--archive", action="append", default=[], metavar="NAME=PLACE",
        help="a DICOMweb address, gcp:PROJECT/LOCATION/DATASET/STORE, or a folder; or idc, idc-google alone. "
        "May be repeated; the first is the default. Without any: idc")  # fmt: skip
    add("--config", type=Path, metavar="FILE", help="a TOML file; also DICOMWEB_MCP_CONFIG")
    add("--permit", action="append", default=[], metavar="NAME:ACTION", help="allow store or delete; may be repeated")
    add("--file-root", action="append", default=[], type=Path, metavar="FOLDER",
        help="a folder that tools may read files from and write files to; may be repeated")  # fmt: skip
    add("--http", metavar="HOST:PORT", help="serve streamable HTTP on loopback instead of stdio, for reading only")
    add("--output", type=Path, metavar="FOLDER", help="demo: where to put its picture; the working folder if left out")
    add("--version", action="version", version=f"%(prog)s {_version()}")
    return parser


def _version() -> str:
    from .. import __version__

    return __version__
