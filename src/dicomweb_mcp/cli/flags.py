"""The flags that every command takes, wherever they stand on the command line."""

import argparse
from pathlib import Path

from ..settings import Settings, load


def shared_flags() -> argparse.ArgumentParser:
    """A parser of these flags alone."""
    parser = argparse.ArgumentParser(prog="dicomweb-mcp", add_help=False, allow_abbrev=False)
    add = parser.add_argument
    add("--archive", action="append", default=[], metavar="NAME=PLACE",
        help="a DICOMweb address, gcp:PROJECT/LOCATION/DATASET/STORE, or a folder; or idc, idc-google alone. "
        "May be repeated; the first is the default. Without any: idc")  # fmt: skip
    add("--config", type=Path, metavar="FILE", help="a TOML file; also DICOMWEB_MCP_CONFIG")
    add("--permit", action="append", default=[], metavar="NAME:ACTION", help="allow store or delete; may be repeated")
    add("--file-root", action="append", default=[], type=Path, metavar="FOLDER",
        help="a folder that tools may read files from and write files to; may be repeated")  # fmt: skip
    add("--http", metavar="HOST:PORT", help="serve streamable HTTP on loopback instead of stdio, for reading only")
    add("--output", type=Path, metavar="FOLDER", help="demo: where to put its picture; the working folder if left out")
    return parser


def settings_of(options: argparse.Namespace) -> Settings:
    """What the flags, the configuration and the environment say. Raises BadSettings."""
    return load(
        archives=options.archive,
        config=options.config,
        permits=options.permit,
        file_roots=options.file_root,
        http=options.http,
    )
