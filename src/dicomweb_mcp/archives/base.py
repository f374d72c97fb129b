"""What an archive can be asked, and what can go wrong with one.

Problem
└─ ArchiveError
   ├─ NotPermitted      the configuration does not allow it: which setting would
   ├─ NotOffered        the archive has no such operation
   ├─ NotFound          no such study, series, instance or frame
   ├─ AccessDenied      401, 403: which credentials were used
   ├─ Refused           400, 406, 409, 413: the server understood and declined
   │  └─ Outdated       what is there is no longer what was planned: nothing was done
   ├─ Busy              429, 503: when to come back
   │  └─ TooMuch        more than this program takes of a shared archive in one day, or in one call
   ├─ Failed            500: it broke while answering
   ├─ Unreachable       no connection, time-out, cut in the middle
   └─ NotUnderstood     an answer that is not what it claims to be, or is too large

``NotSearchable`` is raised before an archive is asked, by ``dicom.query``. Every message names the archive, says what
happened and what to do next, and holds no address, credential, HTML or stack trace.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..dicom.query import Plan
from ..dicom.rules import Level
from ..dicom.stow import StoreResponse
from ..dicom.values import DicomJson
from ..errors import Problem
from .part10.outgoing import Outgoing
from .profiles import Profile
from .usage import Usage


class ArchiveError(Problem):
    """Anything that went wrong with one archive. ``status`` and ``said`` are those of its answer: 0 where there was
    none, and the reason in its own words."""

    def __init__(self, archive: str, what: str, status: int = 0, said: str = "") -> None:
        super().__init__(f"Archive {archive}: {what}")
        self.status, self.said = status, said


class NotPermitted(ArchiveError):
    """The configuration does not allow it."""


class NotOffered(ArchiveError):
    """The archive has no such operation, whatever it is given: 404 of the resource itself, 405, 415, 501."""


class NotFound(ArchiveError):
    """No such study, series, instance or frame."""


class AccessDenied(ArchiveError):
    """The archive wants other credentials (401), or these may not do it (403)."""


class Refused(ArchiveError):
    """The archive understood and declined: 400, 406, 409, 413."""


class Outdated(Refused):
    """What is at a place is no longer what was planned, so nothing was done to it."""

    def __init__(self, archive: str, place: "Place") -> None:
        super().__init__(
            archive, f"{place} changed after it was looked at. Nothing was deleted. Ask for the plan again."
        )


class Busy(ArchiveError):
    """Too many requests or bytes (429), or overload (503)."""


class TooMuch(Busy):
    """More bytes than this program takes of a shared archive in one day, or in one call: its own limits."""


class Failed(ArchiveError):
    """The archive broke while answering (500 and its like)."""


class Unreachable(ArchiveError):
    """No connection, no answer in time, or an answer cut in the middle."""


class NotUnderstood(ArchiveError):
    """The answer is not what it claims to be, or larger than this program accepts."""


@dataclass(frozen=True)
class Place:
    """A study, a series of it, or an instance of that."""

    study_uid: str
    series_uid: str | None = None
    instance_uid: str | None = None

    @property
    def level(self) -> Level:
        if self.instance_uid:
            return Level.INSTANCE
        return Level.SERIES if self.series_uid else Level.STUDY

    @property
    def uid(self) -> str:
        """That of its level."""
        return self.instance_uid or self.series_uid or self.study_uid

    @property
    def path(self) -> str:
        """The resource's path below the base of PS3.18 10.4."""
        path = f"/studies/{self.study_uid}"
        if self.series_uid:
            path += f"/series/{self.series_uid}"
        if self.instance_uid:
            path += f"/instances/{self.instance_uid}"
        return path

    def __str__(self) -> str:
        return f"{self.level} {self.uid}"


@dataclass(frozen=True)
class Page:
    """What one search request brought.

    ``rows`` may be decoded anew whenever they are looked at. ``remaining`` is how many more the server says can be
    requested, ``total`` how many match in all; None where it did not say. ``incomplete`` says why rows may be missing.
    """

    rows: Sequence[DicomJson]
    remaining: int | None = None
    total: int | None = None
    incomplete: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Frame:
    """The bytes of one frame, as the transfer syntax that they really have lays them out.

    Without ``as_stored`` the archive decoded them, and may have changed their colours too. ``is_remembered``: they were
    not fetched for this call.
    """

    number: int
    data: bytes
    transfer_syntax: str
    as_stored: bool = True
    is_remembered: bool = False


@dataclass(frozen=True)
class Media:
    """A consumer picture that the archive rendered."""

    data: bytes
    media_type: str


@dataclass(frozen=True)
class File:
    """One DICOM file on its way from an archive; ``chunks`` must be read before the next file is asked for."""

    transfer_syntax: str
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True)
class Doomed:
    """What an archive itself says of a place that is to be deleted: how many bytes and instances, None where it does
    not tell. ``state`` is another text when something there was exchanged. ``notes`` say what else would go."""

    size: int | None = None
    instances: int | None = None
    state: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deleted:
    """What an archive says of a deletion that it did: sentences, and whether it did all of it (``is_whole``)."""

    notes: tuple[str, ...] = ()
    is_whole: bool = True


@dataclass(frozen=True)
class Choices:
    """How files are stored, where a kind of archive leaves a choice: in a ``storage_class``, and as JSON metadata with
    their long value beside them (``send_json``), of which the archive makes the files itself."""

    storage_class: str = ""
    send_json: bool = False

    def __str__(self) -> str:
        """As arguments, empty when nothing was chosen."""
        said = [f"storage_class {self.storage_class}"] if self.storage_class else []
        return " and ".join([*said, "send_json"] if self.send_json else said)


NO_CHOICE = Choices()
Tell = Callable[[str], Awaitable[None]]  # how far it is, in words


@dataclass(frozen=True)
class Health:
    """What a probe found: ``reachable``, or in ``problem`` why not. ``usage`` is what an archive with a quota says that
    it has counted."""

    reachable: bool
    problem: str = ""
    notes: tuple[str, ...] = field(default=())
    usage: Usage = field(default_factory=dict)


class Archive(Protocol):
    """A place that can be searched and read. All methods are coroutines and may raise ArchiveError."""

    @property
    def name(self) -> str: ...

    @property
    def profile(self) -> Profile:
        """How this kind of server is treated, as far as it is known now."""
        ...

    async def settle(self) -> Profile:
        """The profile, after a kind that was guessed from the address has been confirmed once."""
        ...

    @property
    def address(self) -> str:
        """The base address or folder, without secrets."""
        ...

    async def search(self, plan: Plan, *, limit: int, offset: int) -> Page:
        """One page of the plan's ``sent`` conditions; ``here`` and ``order`` are the caller's business."""
        ...

    def metadata(self, place: Place) -> AsyncGenerator[DicomJson, None]:
        """The metadata of every instance at the place, one DICOM JSON object each, as they arrive.

        Ask the same archive for nothing else before it has ended or was closed: it may hold one of few connections.
        An object may keep its elements as text until they are looked at (``dicom.encoded``).
        """
        ...

    async def frames(self, place: Place, numbers: Sequence[int], *, decoded: bool = False) -> list[Frame]:
        """Frames of one instance by number (from 1), in the order asked: as they are stored where the archive gives
        them so; with ``decoded`` as native pixels, Refused by one that does not decode."""
        ...

    def to_fetch(self, place: Place, numbers: Sequence[int]) -> int:
        """How many of these frames of one instance would have to be fetched."""
        ...

    async def rendered(self, place: Place, frame: int, *, viewport: tuple[int, int]) -> Media:
        """A picture of one frame made by the archive, fitting the viewport (width, height). Raises Refused where the
        kind of archive cannot render."""
        ...

    def instances(self, place: Place, *, as_stored: bool = True) -> AsyncGenerator[File, None]:
        """Whole DICOM files, one after the other, streamed: as stored, else decompressed, Refused by one that does not
        decode."""
        ...

    async def bulkdata(self, place: Place, uri: str) -> bytes:
        """The bytes that a BulkDataURI of this place's metadata stands for; only within the archive itself."""
        ...

    async def store(
        self, files: Sequence[Outgoing], study_uid: str | None = None, choices: Choices = NO_CHOICE
    ) -> StoreResponse:
        """Store whole files, into one study alone where it is named; ``choices`` are only made where the profile offers
        them. What the answer says of each; nothing for those that it does not mention. Raises ArchiveError when there
        was no such answer, Changed when a file changed: then nobody knows what was stored before a search has shown
        it; NotOffered when nothing was."""
        ...

    async def storage_class(self, place: Place) -> str:
        """The storage class that an instance is kept in, as the archive tells it; empty where it does not."""
        ...

    async def doomed(self, place: Place) -> Doomed:
        """What deleting everything at a place would take, without changing anything. Raises NotOffered where the
        archive cannot delete that, Refused where it could not be told which object is meant."""
        ...

    async def delete(self, place: Place, instances: Collection[str], doomed: Doomed, tell: Tell) -> Deleted:
        """Delete a study, series or instance, which is known to hold these SOP Instance UIDs and no others; what the
        archive says of it. Raises Outdated where the archive no longer says what ``doomed`` said. What is gone only a
        search shows, also after any other ArchiveError."""
        ...

    def forget(self, place: Place) -> None:
        """What was read of this place was of no use: it is asked for again, if anything remembers it."""
        ...

    async def probe(self) -> Health:
        """The cheapest question that shows whether the archive answers."""
        ...

    async def close(self) -> None:
        """Let go of connections and threads."""
        ...
