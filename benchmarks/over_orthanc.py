"""What is measured over a real Orthanc on loopback."""

import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.engines.orthanc import Orthanc, missing

from .side_by_side import Figure


async def over_orthanc(
    files: Callable[[Path], Iterable[Any]], *parts: Callable[[str], Awaitable[list[Figure]]]
) -> list[Figure]:
    """The figures of all ``parts``, each of which gets the address of an Orthanc; none where it is not installed.
    ``files`` makes what it holds: datasets, or files in the folder that it is given."""
    if reason := missing():
        print(f"left out: {reason}", file=sys.stderr)
        return []
    with TemporaryDirectory() as folder, Orthanc(Path(folder, "orthanc")) as orthanc:
        orthanc.store(files(Path(folder)))
        return [figure for part in parts for figure in await part(orthanc.url)]
