"""The whole list of a transfer as a file: for a person, or a program, when an answer cannot hold it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from ..paths import make_private, write_whole
from ..settings import user_state_folder
from .items import Fit, Item

FOLDER = "reports"
MOST = 50  # reports that are kept


def write_report(kind: str, rows: Iterable[Mapping[str, str]]) -> Path:
    """A line of JSON for every row, in a new file in the state folder; the oldest of this kind go. Raises OSError,
    BadSettings."""
    folder = user_state_folder() / FOLDER
    make_private(folder.parent)
    make_private(folder)
    final = folder / f"{kind}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}.jsonl"
    write_whole(final, _lines(rows))
    for old in sorted(folder.glob(f"{kind}-*.jsonl"))[:-MOST]:
        with suppress(OSError):  # somebody is looking at it (Windows): the next report takes it along
            old.unlink()
    return final


def rows_of(items: Iterable[Item]) -> Iterator[Mapping[str, str]]:
    """What a report says of the files of a transfer."""
    for item in items:
        row = {"file": item.shown, "outcome": item.outcome.value if item.outcome else "to_store", "reason": item.reason}
        uids = {"SOPInstanceUID": item.file.instance_uid} if isinstance(item, Fit) else {}
        yield {**row, **uids}


def _lines(rows: Iterable[Mapping[str, str]]) -> Iterator[bytes]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
