"""dcm4chee: whole studies, mostly after they were rejected."""

from collections.abc import Mapping

from ...dicom.rules import Level
from ..base import Deleted, Doomed, NotOffered, Place, Refused, Tell
from ..dialects import reason
from ..wire import MiB, Wire
from .answers import JSON

MOST = MiB  # bytes of one answer
REFUSALS: Mapping[int, str] = {
    403: "does not delete it (403){said}. It deletes a study for good only when all its objects were rejected before, "
    "or where its setting Allow Delete Study Permanently is ALWAYS; the account may also lack the role. Reject the "
    "study there first (in its web interface). Rejected objects are hidden at most addresses: delete them through one "
    "that shows them (aets/IOCM_QUALITY/rs and its like, by the reason of the rejection), configured as an archive.",
    409: "does not delete it now (409){said}. Its retention may not have expired, or it is being deleted already.",
}
HIDDEN = (
    "dcm4chee deletes the whole study, also rejected objects that a search at this address does not show: they are not "
    "in this plan."
)


class Dcm4cheeDeleting:
    """DELETE of a study. Series and instances are only rejected there, which deletes nothing. Nothing tells it what the
    study is expected to hold."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def doomed(self, place: Place) -> Doomed:
        if place.level is not Level.STUDY:
            raise NotOffered(
                self._wire.name,
                f"deletes whole studies only: dcm4chee rejects a single {place.level} instead, in its web interface, "
                "and deletes it later.",
            )
        return Doomed(notes=(HIDDEN,))

    async def delete(self, place: Place, doomed: Doomed, tell: Tell) -> Deleted:
        await self.doomed(place)
        await tell("deleting")
        answer = await self._wire.delete(place.path, accept=JSON, most=MOST)
        if 200 <= answer.status < 300:
            return Deleted()
        if sentence := REFUSALS.get(answer.status):
            said = reason(answer.body, answer.content_type)
            raise Refused(self._wire.name, sentence.format(said=f": {said}" if said else ""))
        raise self._wire.failure(answer)
