"""Orthanc: its own REST, beside the DICOMweb one."""

import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from ...dicom.rules import Level
from ..base import Deleted, Doomed, NotFound, NotOffered, Outdated, Place, Refused, Tell
from ..wire import Body, MiB, Wire
from .answers import JSON, json_of, object_of

MOST = 16 * MiB  # bytes of one answer: a series names its instances
# What changes in the description of an object when something below it arrives or is exchanged; IsStable changes by time
TELLING = ("LastUpdate", "FileUuid")
CHILDREN = ("Series", "Instances")


class OrthancDeleting:
    """The UID is looked up, and the only object of the level that has it is deleted by Orthanc's own identifier, if it
    still is what it was: between that look and the DELETE lies one request's time."""

    def __init__(self, wire: Wire) -> None:
        self._wire, self._root = wire, wire.base.removesuffix("/dicom-web")

    async def doomed(self, place: Place) -> Doomed:
        return await self._held(await self._looked_up(place), place)

    async def delete(self, place: Place, doomed: Doomed, tell: Tell) -> Deleted:
        await tell("deleting")
        path = await self._looked_up(place)
        if await self._held(path, place) != doomed:
            raise Outdated(self._wire.name, place)
        answer = await self._wire.delete(path, accept=JSON, most=MOST, base=self._root)
        if not 200 <= answer.status < 300:
            raise self._wire.failure(answer)
        return Deleted()

    async def _held(self, path: str, place: Place) -> Doomed:
        """What Orthanc says of one of its objects; the count comes last."""
        described = await self._get(path)
        children = [described[key] for key in CHILDREN if isinstance(described.get(key), list)]
        state = [path, *map(described.get, TELLING), *(sorted(map(str, one)) for one in children)]
        counted = await self._get(f"{path}/statistics")
        count = 1 if place.level is Level.INSTANCE else _whole(counted.get("CountInstances"))
        digest = hashlib.sha256(json.dumps(state).encode()).hexdigest()
        return Doomed(_whole(counted.get("DiskSize")), count, digest)

    async def _get(self, path: str) -> Mapping[str, Any]:
        return object_of(self._wire.name, await self._wire.get(path, accept=JSON, most=MOST, base=self._root))

    async def _looked_up(self, place: Place) -> str:
        """The path of the object in Orthanc's REST. Raises Refused when several have the UID, which Orthanc allows:
        it identifies an object by its PatientID and UIDs together."""
        answer = await self._wire.post("/tools/lookup", _text(place.uid), accept=JSON, most=MOST, base=self._root)
        if answer.status in (404, 405):
            raise NotOffered(
                self._wire.name,
                "does not answer at Orthanc's own REST API beside /dicom-web, which alone can delete: a gateway may "
                "hide it. Delete it in Orthanc itself.",
            )
        if answer.status != 200:
            raise self._wire.failure(answer)
        found = json_of(self._wire.name, answer)
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
