"""What is to be retrieved, and what became of each."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ..items import Decidable, Report

SECONDS = 0.5  # between two reports


class Outcome(StrEnum):
    """What became of an instance, a frame or a value."""

    RETRIEVED = "retrieved"
    ALREADY_THERE = "already_there"
    DIFFERENT = "different"
    FAILED = "failed"


class Item(Decidable[Outcome]):
    """One file of a retrieval."""


@dataclass
class Retrieval:
    """Every item with its outcome. ``strays`` are files that arrived and were not asked for, ``written`` new files that
    an answer names."""

    folder: Path
    items: list[Item] = field(default_factory=list)
    strays: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)
    bytes: int = 0

    def of(self, outcome: Outcome) -> list[Item]:
        """The items with this outcome."""
        return [item for item in self.items if item.outcome is outcome]


def undecided(items: Iterable[Item]) -> list[Item]:
    """Those whose outcome is open."""
    return [item for item in items if item.outcome is None]


class Progress:
    """Tells how far a retrieval is: files, bytes and rate, now and then."""

    def __init__(self, report: Report, retrieval: Retrieval) -> None:
        self._report, self._retrieval = report, retrieval
        self._begun = self._told = time.monotonic()
        self._arrived = 0

    async def arrived(self, size: int) -> None:
        """So many bytes more."""
        self._arrived += size
        if time.monotonic() - self._told >= SECONDS:
            await self.tell()

    async def tell(self) -> None:
        """Say it now."""
        self._told = time.monotonic()
        rate = self._arrived / max(self._told - self._begun, 0.001)
        files = len(self._retrieval.items)
        done = files - len(undecided(self._retrieval.items))
        said = f"{done:,} of {files:,} files, {self._arrived / 1e6:,.1f} MB, {rate / 1e6:,.1f} MB/s"
        await self._report(done, files, said)
