"""How each kind of server deletes: PS3.18 has no such service, so every one has a way of its own, or none.

Nothing here is sent twice, and no success is believed: whoever deletes searches afterwards.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from ...settings import Kind
from ..base import Deleted, Doomed, NotOffered, Place, Tell
from ..profiles import Profile
from ..wire import Wire
from .dcm4chee import Dcm4cheeDeleting
from .google import GoogleDeleting
from .orthanc import OrthancDeleting


class Deleter(Protocol):
    """One kind of server's way: as in ``Archive``, but no server is told which instances it should find at a place."""

    async def doomed(self, place: Place) -> Doomed: ...

    async def delete(self, place: Place, doomed: Doomed, tell: Tell) -> Deleted: ...


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

    async def delete(self, place: Place, doomed: Doomed, tell: Tell) -> Deleted:
        await self.doomed(place)
        return Deleted()


DELETERS: Mapping[Kind, Callable[[Wire], Deleter]] = {
    "google": GoogleDeleting,
    "orthanc": OrthancDeleting,
    "dcm4chee": Dcm4cheeDeleting,
}
