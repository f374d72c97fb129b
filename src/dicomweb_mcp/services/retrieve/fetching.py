"""Instances from an archive into a folder: a series that is not there at all in one request, others one by one."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ...archives.base import AccessDenied, Archive, ArchiveError, Busy, NotOffered, Place, Unreachable
from ..parallel import side_by_side
from .arrived import Unusable, identify
from .folder import Key
from .items import Outcome
from .listed import Instance
from .receiving import Receiver

GONE = (AccessDenied, Busy, NotOffered, Unreachable)  # problems of the archive as a whole, if they come again and again
MOST_GONE = 3  # of them, one after the other, after which nothing more is asked for


@dataclass
class Request:
    """What is asked for at once, what came for it, and why some of that was not kept."""

    place: Place
    instances: Mapping[Key, Instance]
    arrived: set[Key] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


class Fetcher:
    """Fetches from one archive. ``first_problem`` is what the archive answered when it first failed."""

    def __init__(self, archive: Archive, receiver: Receiver) -> None:
        self._archive, self._receiver = archive, receiver
        self._gone = 0
        self.first_problem: ArchiveError | None = None

    async def fetch(self, instances: Sequence[Instance], *, whole_series: bool) -> None:
        """Decide every instance, those that did not arrive after a second try of their own. Raises OSError."""
        await self._ask_all(_requests(instances, whole_series=whole_series))
        await self._ask_all(_requests(instances, whole_series=False))
        for instance in instances:
            if instance.outcome is None:
                instance.decide(Outcome.FAILED, instance.reason)
        await self._receiver.progress.tell()

    async def _ask_all(self, requests: Sequence[Request]) -> None:
        self._gone = 0
        await side_by_side(self._ask, requests, self._archive.profile.parallel)

    async def _ask(self, request: Request) -> None:
        if self._gone >= MOST_GONE:
            self._explain(request, f"not asked for, because the archive fails. {self.first_problem}")
            return
        try:
            async with (
                self._receiver.settling(partial(self._settle, request)) as take,
                aclosing(self._archive.instances(request.place, as_stored=self._receiver.as_stored)) as files,
            ):
                async for file in files:
                    await take(await self._receiver.arrived(file.chunks))
        except ArchiveError as problem:
            self.first_problem = self.first_problem or problem
            self._gone = self._gone + 1 if isinstance(problem, GONE) else 0
            self._explain(request, str(problem))
        else:
            self._gone = 0
            self._explain(request, "; ".join(request.faults[:3]) or "the archive did not send it")

    def _settle(self, request: Request, part: Path) -> None:
        try:
            identity = identify(part)
        except Unusable as reason:
            request.faults.append(f"what arrived for it is not kept: {reason}")
            return
        key = identity.study_uid, identity.series_uid, identity.instance_uid
        instance = request.instances.get(key)
        with self._receiver.lock:
            is_first = key not in request.arrived
            request.arrived.add(key)
        strays = self._receiver.retrieval.strays
        if instance is None:
            request.faults.append(
                f"the archive sent instance {identity.instance_uid} of series {identity.series_uid} instead"
            )
            strays[identity.instance_uid] = "arrived from the archive, but was not asked for: not kept"
        elif not is_first:
            strays[identity.instance_uid] = "arrived more than once: the first one is kept"
        else:
            self._receiver.settle(part, identity, instance)

    def _explain(self, request: Request, reason: str) -> None:
        for instance in request.instances.values():
            if instance.outcome is None:
                instance.reason = reason


def _requests(instances: Sequence[Instance], *, whole_series: bool) -> list[Request]:
    """A request for each series of which nothing is there, if whole ones are wanted; else one for each instance that is
    missing."""
    by_series: dict[Place, list[Instance]] = {}
    for instance in instances:
        by_series.setdefault(Place(instance.place.study_uid, instance.place.series_uid), []).append(instance)
    requests = []
    for series, members in by_series.items():
        missing = [one for one in members if one.outcome is None]
        if whole_series and len(missing) == len(members) > 1:
            requests.append(Request(series, {one.key: one for one in missing}))
        else:
            requests += [Request(one.place, {one.key: one}) for one in missing]
    return requests
