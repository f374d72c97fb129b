"""Google Cloud Healthcare: DELETE of a study or series begins a long-running operation."""

import json
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import anyio

from ...dicom.rules import Level
from ..base import (
    AccessDenied,
    ArchiveError,
    Busy,
    Deleted,
    Doomed,
    Failed,
    NotFound,
    NotOffered,
    NotUnderstood,
    Place,
    Refused,
    Tell,
    Unreachable,
)
from ..dialects import reason
from ..wire import MiB, Wire
from .answers import JSON, object_of

MOST = MiB  # bytes of one answer
SLOWEST_POLL = 10.0  # seconds
MOST_MISSED = 5  # looks in a row that may fail
LAST_WORD_SECONDS = 2.0
STORE = re.compile(r"(.+)/projects/[^/]+/locations/[^/]+/datasets/[^/]+/dicomStores/[^/]+/dicomWeb")
OPERATION = re.compile(r"projects/[\w.:-]+/locations/[\w-]+/datasets/[\w.-]+/operations/[\w-]+")
PASSING = (Busy, Failed, Unreachable)  # what may be over at the next look
# google.rpc.Code of an operation that failed -> the error
OPERATION_ERRORS: Mapping[int, type[ArchiveError]] = {
    5: NotFound, 7: AccessDenied, 8: Busy, 9: Refused, 10: Refused, 14: Busy, 16: AccessDenied,
}  # fmt: skip
Operation = Mapping[str, Any]


class GoogleDeleting:
    """DELETE of the resource: instances at once, studies and series by an operation that is followed to its end.
    Nothing tells it what the resource is expected to hold."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def doomed(self, place: Place) -> Doomed:
        self._root()
        return Doomed()

    async def delete(self, place: Place, doomed: Doomed, tell: Tell) -> Deleted:
        root = self._root()
        answer = await self._wire.delete(place.path, accept=JSON, most=MOST)
        if not 200 <= answer.status < 300:
            raise self._wire.failure(answer)
        begun = object_of(self._wire.name, answer)
        if place.level is Level.INSTANCE:
            return Deleted()
        name = str(begun.get("name", ""))
        if not OPERATION.fullmatch(name):
            raise NotUnderstood(self._wire.name, "answered the deletion with something else than an operation.")
        return await _Following(self._wire, root, name, tell).to_the_end(begun)

    def _root(self) -> str:
        """What an operation's name is below of."""
        store = STORE.fullmatch(self._wire.base)
        if store is None:
            raise NotOffered(
                self._wire.name,
                "its address is not that of a DICOM store (.../projects/P/locations/L/datasets/D/dicomStores/S/"
                "dicomWeb), so the operations that delete cannot be followed. Configure it as gcp:P/L/D/S.",
            )
        return store[1]


class _Following:
    """One operation, looked at less and less often until it has ended."""

    def __init__(self, wire: Wire, root: str, name: str, tell: Tell) -> None:
        self._wire, self._root, self._name, self._tell = wire, root, name, tell
        self._number = name.rpartition("/")[2]

    async def to_the_end(self, operation: Operation) -> Deleted:
        """What Google counts as failed. Raises ArchiveError for an operation that failed, or of which nothing is known
        any more."""
        await self._tell(f"Google deletes (operation {self._number}), and goes on should this call be stopped")
        try:
            ended = await self._ended(operation)
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(LAST_WORD_SECONDS, shield=True), suppress(Exception):  # who listened may be gone
                await self._tell(f"no longer followed: Google goes on deleting (operation {self._number})")
            raise
        if error := ended.get("error"):
            code = error.get("code") if isinstance(error, dict) else None
            kind = OPERATION_ERRORS.get(code, Failed) if isinstance(code, int) else Failed
            said = reason(json.dumps({"error": error}).encode(), JSON)
            raise kind(self._wire.name, f"could not end its deletion{f': {said}' if said else ''}.")
        failures = _counts(ended).get("failure", 0)
        if not failures:
            return Deleted()
        told = f"Google counts {failures:,} failures in its deletion (operation {self._number})."
        return Deleted((told,), is_whole=False)

    async def _ended(self, operation: Operation) -> Operation:
        patience = self._wire.patience
        begun, pause, missed = time.monotonic(), patience.poll, 0
        while operation.get("done") is not True:
            seconds = time.monotonic() - begun
            if seconds > patience.operation:
                raise Unreachable(
                    self._wire.name,
                    f"had not ended its deletion after {seconds:,.0f} s, and may go on with it (operation "
                    f"{self._number}). Nothing can be stored there meanwhile; look again later what is left.",
                )
            counts = _counts(operation)
            counted = "".join(f", {counts[key]} {key}" for key in ("success", "pending", "failure") if key in counts)
            await self._tell(f"deleting for {seconds:.0f} s{counted}")
            await anyio.sleep(pause)
            pause = min(2 * pause, SLOWEST_POLL)
            try:
                operation, missed = await self._now(), 0
            except ArchiveError as error:
                missed += 1
                if missed > MOST_MISSED or not isinstance(error, PASSING):
                    raise type(error)(
                        self._wire.name,
                        f"its deletion cannot be followed to its end, and may go on (operation {self._number}): look "
                        f"again later what is left. {error}",
                    ) from None
        return operation

    async def _now(self) -> Operation:
        answer = await self._wire.get(f"/{self._name}", accept=JSON, most=MOST, base=self._root)
        return object_of(self._wire.name, answer)


def _counts(operation: Operation) -> dict[str, int]:
    """How far an operation is, as far as it says so."""
    metadata = operation.get("metadata")
    counter = metadata.get("counter") if isinstance(metadata, dict) else None
    told = counter.items() if isinstance(counter, dict) else ()
    return {key: int(value) for key, value in told if re.fullmatch("[0-9]{1,18}", str(value))}
