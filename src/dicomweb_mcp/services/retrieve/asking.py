"""Whole files asked for side by side: what is asked for at once, and when an archive is asked no more."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from ...archives.base import AccessDenied, ArchiveError, Busy, NotOffered, Place, Unreachable
from ..parallel import side_by_side
from .folder import Key

GONE = (AccessDenied, Busy, NotOffered, Unreachable)  # problems of the archive as a whole, if they come again and again
MOST_FAULTS = 3  # of a request, that are told
MOST_GONE = 3  # of them, one after the other, after which nothing more is asked for


class Sought(Protocol):
    """An instance that is asked for, until it has an outcome."""

    place: Place
    reason: str

    @property
    def outcome(self) -> StrEnum | None: ...

    @property
    def key(self) -> Key: ...


S = TypeVar("S", bound=Sought)
R = TypeVar("R")


@dataclass
class Request(Generic[S]):
    """What is asked for at once, what came for it, and why the first few of that were not kept."""

    place: Place
    instances: Mapping[Key, S]
    arrived: set[Key] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def fault(self, reason: str) -> None:
        """Why something that came is not kept."""
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(reason)

    def explain(self, reason: str) -> None:
        """Why those that are missing are."""
        for instance in self.instances.values():
            if instance.outcome is None:
                instance.reason = reason


def requests_for(instances: Sequence[S], *, whole_series: bool) -> list[Request[S]]:
    """A request for each series of which nothing is there, if whole ones are wanted; else one for each instance that is
    missing."""
    requests = []
    for series, members in by_series(instances).items():
        missing = [one for one in members if one.outcome is None]
        if whole_series and len(missing) == len(members) > 1:
            requests.append(Request(series, {one.key: one for one in missing}))
        else:
            requests += [Request(one.place, {one.key: one}) for one in missing]
    return requests


def by_series(instances: Iterable[S]) -> dict[Place, list[S]]:
    """Instances by the place of their series."""
    found: dict[Place, list[S]] = {}
    for instance in instances:
        found.setdefault(Place(instance.place.study_uid, instance.place.series_uid), []).append(instance)
    return found


class Asker(Generic[R]):
    """Calls ``fetch`` with requests, a few at a time, and tells ``explain`` why one failed. ``first_problem`` is what
    the archive answered when it first failed."""

    def __init__(self, at_once: int, fetch: Callable[[R], Awaitable[None]], explain: Callable[[R, str], None]) -> None:
        self._at_once, self._fetch, self._explain = at_once, fetch, explain
        self._gone = 0
        self.first_problem: ArchiveError | None = None

    async def ask(self, requests: Iterable[R]) -> None:
        """Make them all, unless the archive fails again and again."""
        self._gone = 0
        await side_by_side(self._ask, requests, self._at_once)

    async def _ask(self, request: R) -> None:
        if self._gone >= MOST_GONE:
            self._explain(request, f"not asked for, because the archive fails. {self.first_problem}")
            return
        try:
            await self._fetch(request)
        except ArchiveError as problem:
            self.first_problem = self.first_problem or problem
            self._gone = self._gone + 1 if isinstance(problem, GONE) else 0
            self._explain(request, str(problem))
        else:
            self._gone = 0
