"""Instances from an archive into a folder: a series that is not there at all in one request, others one by one."""

from collections.abc import Sequence
from contextlib import aclosing
from functools import partial

from ...archives.base import Archive, ArchiveError
from .arrived import Unusable, identified
from .asking import Asker, Request, requests_for
from .items import Outcome
from .listed import Instance
from .part import Part
from .receiving import Receiver


class Fetcher:
    """Fetches from one archive. ``first_problem`` is what the archive answered when it first failed."""

    def __init__(self, archive: Archive, receiver: Receiver) -> None:
        self._archive, self._receiver = archive, receiver
        self._asker = Asker(archive.profile.parallel, self._fetch, Request[Instance].explain)

    @property
    def first_problem(self) -> ArchiveError | None:
        return self._asker.first_problem

    async def fetch(self, instances: Sequence[Instance], *, whole_series: bool) -> None:
        """Decide every instance, those that did not arrive after a second try of their own. Raises OSError."""
        await self._asker.ask(requests_for(instances, whole_series=whole_series))
        await self._asker.ask(requests_for(instances, whole_series=False))
        for instance in instances:
            if instance.outcome is None:
                instance.decide(Outcome.FAILED, instance.reason)
        await self._receiver.progress.tell()

    async def _fetch(self, request: Request[Instance]) -> None:
        async with (
            self._receiver.settling(partial(self._settle, request)) as take,
            aclosing(self._archive.instances(request.place, as_stored=self._receiver.as_stored)) as files,
        ):
            async for file in files:
                await take(await self._receiver.arrived(file.chunks))
        request.explain("; ".join(request.faults) or "the archive did not send it")

    def _settle(self, request: Request[Instance], part: Part) -> None:
        try:
            identity = identified(part.written())
        except Unusable as reason:
            request.fault(f"what arrived for it is not kept: {reason}")
            return
        key = identity.study_uid, identity.series_uid, identity.instance_uid
        instance = request.instances.get(key)
        with self._receiver.lock:
            is_first = key not in request.arrived
            request.arrived.add(key)
        strays = self._receiver.retrieval.strays
        if instance is None:
            request.fault(f"the archive sent instance {identity.instance_uid} of series {identity.series_uid} instead")
            strays[identity.instance_uid] = "arrived from the archive, but was not asked for: not kept"
        elif not is_first:
            strays[identity.instance_uid] = "arrived more than once: the first one is kept"
        else:
            self._receiver.settle(part, identity, instance)
