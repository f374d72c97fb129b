"""A command line as a person types it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from dicomweb_mcp.cli import main

Asking = Callable[[str], None]  # gives somebody who can be asked, and answers with this line


class Typed:
    """A command line: ``typed("search", "mine")`` gives its status, ``out`` and ``err`` are what it wrote."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.flags: list[str] = []
        self.out = self.err = ""

    def __call__(self, *arguments: object) -> int:
        try:
            status = main([*map(str, arguments), *self.flags])
        except SystemExit as ended:  # argparse
            status = int(ended.code or 0)
        self.out, self.err = self._capsys.readouterr()
        return status

    @property
    def json(self) -> dict[str, Any]:
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


def instances(folder: Path) -> set[str]:
    return {str(dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID) for path in folder.rglob("*.dcm")}
