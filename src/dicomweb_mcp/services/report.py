"""The whole list of a transfer as a file: for a person, or a program, when an answer cannot hold it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from ..paths import make_private, write_whole
from ..settings import user_state_folder
from .items import Fit, Item

FOLDER = "reports"
MOST = 50  # reports that are kept


def write_report(items: Sequence[Item]) -> Path:
    """A line of JSON for every file, in a new file in the state folder; the oldest go. Raises OSError, BadSettings."""
    folder = user_state_folder() / FOLDER
    make_private(folder.parent)
    make_private(folder)
    final = folder / f"store-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}.jsonl"
    write_whole(final, _lines(items))
    for old in sorted(folder.glob("store-*.jsonl"))[:-MOST]:
        with suppress(OSError):  # somebody is looking at it (Windows): the next report takes it along
            old.unlink()
    return final


def _lines(items: Sequence[Item]) -> Iterator[bytes]:
    for item in items:
        row = {"file": item.shown, "outcome": item.outcome.value if item.outcome else "to_store", "reason": item.reason}
        uids = {"SOPInstanceUID": item.file.instance_uid} if isinstance(item, Fit) else {}
        yield json.dumps({**row, **uids}, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
