"""How each kind of server deletes: PS3.18 has no such service, so every one has a way of its own, or none.

Nothing here is sent twice, and no success is believed: whoever deletes searches afterwards.
"""

import json
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

import anyio

from ..dicom.rules import Level
from ..settings import Kind
from .base import (
    AccessDenied,
    ArchiveError,
    Busy,
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
from .dialects import reason
from .profiles import Profile
from .wire import Answer, Body, MiB, Wire

JSON = "application/json"
MOST = MiB  # bytes of one answer
SLOWEST_POLL = 10.0  # seconds


class Deleter(Protocol):
    """One kind of server's way; the methods are those of ``Archive``."""

    async def doomed(self, place: Place) -> Doomed: ...

    async def delete(self, place: Place, tell: Tell) -> Sequence[str]: ...


def deleter(wire: Wire, profile: Profile) -> Deleter:
    """The way of the archive's kind."""
    return DELETERS.get(profile.kind, NoDeleting)(wire)


class NoDeleting:
    """A kind of server that cannot delete, or of which nobody knows what a DELETE would take."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def doomed(self, place: Place) -> Doomed:
        raise NotOffered(
            self._wire.name,
            f"is of kind {self._wire.profile.kind}, for which no way to delete is known, because DICOMweb has none. "
            "Delete it with the server's own program.",
        )

    async def delete(self, place: Place, tell: Tell) -> Sequence[str]:
        await self.doomed(place)
        return ()


# ---- Google Cloud Healthcare: DELETE begins a long-running operation ------------------------------------------------

STORE = re.compile(r"(.+)/projects/[^/]+/locations/[^/]+/datasets/[^/]+/dicomStores/[^/]+/dicomWeb")
OPERATION = re.compile(r"projects/[\w.:-]+/locations/[\w-]+/datasets/[\w.-]+/operations/[\w-]+")
# google.rpc.Code of an operation that failed -> the error
OPERATION_ERRORS: Mapping[int, type[ArchiveError]] = {
    5: NotFound, 7: AccessDenied, 8: Busy, 9: Refused, 10: Refused, 14: Busy, 16: AccessDenied,
}  # fmt: skip


class GoogleDeleting:
    """DELETE of the resource: instances at once, studies and series by an operation that is followed to its end."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def doomed(self, place: Place) -> Doomed:
        self._root()
        return Doomed()

    async def delete(self, place: Place, tell: Tell) -> Sequence[str]:
        root = self._root()
        answer = await self._wire.delete(place.path, accept=JSON, most=MOST)
        if not 200 <= answer.status < 300:
            raise self._wire.failure(answer)
        begun = _object(self._wire.name, answer)
        if place.level is not Level.INSTANCE:
            await self._follow(root, begun, tell)
        return ()

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

    async def _follow(self, root: str, operation: Mapping[str, Any], tell: Tell) -> None:
        """Look at the operation, less and less often, until it has ended."""
        name = str(operation.get("name", ""))
        if not OPERATION.fullmatch(name):
            raise NotUnderstood(self._wire.name, "answered the deletion with something else than an operation.")
        patience = self._wire.patience
        begun, pause = time.monotonic(), patience.poll
        while not operation.get("done"):
            seconds = time.monotonic() - begun
            if seconds > patience.operation:
                raise Unreachable(
                    self._wire.name,
                    f"had not ended its deletion after {seconds:,.0f} s, and may go on with it. Nothing can be stored "
                    "there meanwhile; look again later what is left.",
                )
            await tell(f"deleting for {seconds:.0f} s{_counted(operation)}")
            await anyio.sleep(pause)
            pause = min(2 * pause, SLOWEST_POLL)
            answer = await self._wire.get(f"/{name}", accept=JSON, most=MOST, base=root)
            operation = _object(self._wire.name, answer)
        if isinstance(error := operation.get("error"), dict):
            kind = OPERATION_ERRORS.get(error.get("code", 0), Failed)
            said = reason(json.dumps(operation).encode(), JSON)
            raise kind(self._wire.name, f"could not end its deletion{f': {said}' if said else ''}.")


def _counted(operation: Mapping[str, Any]) -> str:
    """What an operation says of how far it is, if it does."""
    metadata = operation.get("metadata")
    counter = metadata.get("counter") if isinstance(metadata, dict) else None
    counts = {key: str(value) for key, value in counter.items()} if isinstance(counter, dict) else {}
    return "".join(
        f", {counts[key]} {key}" for key in ("success", "pending", "failure") if counts.get(key, "").isdigit()
    )


# ---- Orthanc: its own REST, beside the DICOMweb one -----------------------------------------------------------------


class OrthancDeleting:
    """The UID is looked up, and the only object of the level that has it is deleted by Orthanc's own identifier."""

    def __init__(self, wire: Wire) -> None:
        self._wire, self._root = wire, wire.base.removesuffix("/dicom-web")

    async def doomed(self, place: Place) -> Doomed:
        path = await self._looked_up(place)
        answer = await self._wire.get(f"{path}/statistics", accept=JSON, most=MOST, base=self._root)
        told = _object(self._wire.name, answer)
        count = 1 if place.level is Level.INSTANCE else _whole(told.get("CountInstances"))
        return Doomed(_whole(told.get("DiskSize")), count, path)

    async def delete(self, place: Place, tell: Tell) -> Sequence[str]:
        path = await self._looked_up(place)
        await tell("deleting")
        answer = await self._wire.delete(path, accept=JSON, most=MOST, base=self._root)
        if not 200 <= answer.status < 300:
            raise self._wire.failure(answer)
        return ()

    async def _looked_up(self, place: Place) -> str:
        """The path of the object in Orthanc's REST. Raises Refused when several have the UID, which Orthanc allows:
        it identifies an object by its PatientID and UIDs together."""
        uid = place.instance_uid or place.series_uid or place.study_uid
        answer = await self._wire.post("/tools/lookup", _text(uid), accept=JSON, most=MOST, base=self._root)
        if answer.status in (404, 405):
            raise NotOffered(
                self._wire.name,
                "does not answer at Orthanc's own REST API beside /dicom-web, which alone can delete: a gateway may "
                "hide it. Delete it in Orthanc itself.",
            )
        if answer.status != 200:
            raise self._wire.failure(answer)
        found = _json(self._wire.name, answer)
        wanted = re.compile(rf"/{place.level.plural}/[0-9a-f-]+")
        paths = {
            str(one["Path"])
            for one in (found if isinstance(found, list) else [])
            if isinstance(one, dict) and wanted.fullmatch(str(one.get("Path")))
        }
        if not paths:
            raise NotFound(self._wire.name, f"has no {place} in its own REST API. Search again.")
        if len(paths) > 1:
            raise Refused(
                self._wire.name,
                f"has {len(paths)} objects that are {place}, under different patients or parents, and it cannot be "
                "told which one is meant. Nothing was deleted. Delete the right one in Orthanc itself.",
            )
        return paths.pop()


def _text(uid: str) -> Body:
    async def chunks() -> AsyncIterator[bytes]:
        yield uid.encode()

    return Body("text/plain", len(uid), chunks)


def _whole(value: object) -> int | None:
    """A count, which Orthanc also writes as text."""
    return int(value) if isinstance(value, int | str) and re.fullmatch("[0-9]{1,18}", str(value)) else None


# ---- dcm4chee: whole studies, mostly after they were rejected -------------------------------------------------------

DCM4CHEE_REFUSALS: Mapping[int, str] = {
    403: "does not delete it (403){said}. It deletes a study for good only when all its objects were rejected before, "
    "or where its setting Allow Delete Study Permanently is ALWAYS; the account may also lack the role. Reject the "
    "study there first (in its web interface), then try again.",
    409: "does not delete it now (409){said}. Its retention may not have expired, or it is being deleted already.",
}


class Dcm4cheeDeleting:
    """DELETE of a study. Series and instances are only rejected there, which deletes nothing."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def doomed(self, place: Place) -> Doomed:
        if place.level is not Level.STUDY:
            raise NotOffered(
                self._wire.name,
                f"deletes whole studies only: dcm4chee rejects a single {place.level} instead, in its web interface, "
                "and deletes it later.",
            )
        return Doomed()

    async def delete(self, place: Place, tell: Tell) -> Sequence[str]:
        await self.doomed(place)
        await tell("deleting")
        answer = await self._wire.delete(place.path, accept=JSON, most=MOST)
        if 200 <= answer.status < 300:
            return ()
        if sentence := DCM4CHEE_REFUSALS.get(answer.status):
            said = reason(answer.body, answer.content_type)
            raise Refused(self._wire.name, sentence.format(said=f": {said}" if said else ""))
        raise self._wire.failure(answer)


DELETERS: Mapping[Kind, Callable[[Wire], Deleter]] = {
    "google": GoogleDeleting,
    "orthanc": OrthancDeleting,
    "dcm4chee": Dcm4cheeDeleting,
}


def _json(archive: str, answer: Answer) -> Any:
    """The body of an answer; nothing of an empty one."""
    try:
        return json.loads(answer.body) if answer.body.strip() else {}
    except (ValueError, RecursionError):
        raise NotUnderstood(archive, "answered the deletion with something that is no JSON.") from None


def _object(archive: str, answer: Answer) -> Mapping[str, Any]:
    found = _json(archive, answer)
    if not isinstance(found, dict):
        raise NotUnderstood(archive, "answered the deletion with something that is no JSON object.")
    return found
