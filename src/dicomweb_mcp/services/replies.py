"""What one request with files came to, by what the archive said, what went wrong, and what a search finds."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import Enum, auto

from ..archives.base import Busy, Unreachable
from ..dicom.stow import StoreResponse, Verdict
from ..errors import Problem
from .items import Outcome

# (whether the archive says that it is stored, whether a search finds it, None where there is none) -> what that means
AGREED: Mapping[tuple[bool, bool | None], tuple[Outcome, str]] = {
    (True, True): (Outcome.STORED, "{reason}"),
    (True, False): (
        Outcome.UNKNOWN,
        "the archive reported it as stored, but a search does not find it: run this again to see",
    ),
    (True, None): (
        Outcome.UNKNOWN,
        "the archive reported it as stored, but no search could confirm it: run this again to see",
    ),
    (False, True): (Outcome.UNKNOWN, "the archive reported a failure ({reason}), but a search finds it"),
    (False, False): (Outcome.REJECTED, "{reason}"),
    (False, None): (Outcome.REJECTED, "{reason}"),
}


class Next(Enum):
    """What is done about the files of a request whose outcome is open."""

    END = auto()  # nothing more is sent
    TOGETHER = auto()  # they are sent once more
    APART = auto()  # one of them is at fault: they are sent in halves
    REJECT = auto()  # it is this one


@dataclass(frozen=True)
class Reply:
    """``present`` are the UIDs that a search finds, None where it cannot tell; ``can_confirm`` whether there is such a
    search at all. ``elsewhere`` says that the archive stored something else. ``is_repeated``: not the first try."""

    response: StoreResponse
    problem: Problem | None
    present: Set[str] | None
    elsewhere: str
    can_confirm: bool
    is_repeated: bool

    def outcome(self, uid: str) -> tuple[Outcome, str] | None:
        """What became of an instance, and why; None where it did not arrive, and may be sent once more."""
        found = None if self.present is None else uid in self.present
        if verdict := self.response.verdicts.get(uid):
            return self._agreed(verdict, found)
        if found:
            return Outcome.STORED, ""
        if found is None or self._leaves_open:
            return Outcome.UNKNOWN, self.elsewhere or self.why
        return None

    def next(self, files: int) -> Next:
        """What is done about those that did not arrive of a request with so many files."""
        if self._is_lost or isinstance(self.problem, Busy):
            return Next.END
        if isinstance(self.problem, Unreachable):
            return Next.TOGETHER
        return Next.APART if files > 1 else Next.REJECT

    @property
    def why(self) -> str:
        """Why a file is not stored that no verdict names."""
        if self.problem:
            return str(self.problem)
        return "; ".join(self.response.others) or "the archive neither took nor refused it by name"

    def _agreed(self, verdict: Verdict, found: bool | None) -> tuple[Outcome, str]:
        if verdict.stored and not self.can_confirm:
            return Outcome.STORED, verdict.reason
        outcome, words = AGREED[verdict.stored, found]
        return outcome, words.format(reason=verdict.reason)

    @property
    def _leaves_open(self) -> bool:
        """Whether what is not found may arrive yet, or must not be sent again."""
        is_silent = not (self.problem or self.response.verdicts or self.response.others)
        return bool(is_silent or self._is_lost or self.elsewhere or isinstance(self.problem, Busy))

    @property
    def _is_lost(self) -> bool:
        """Whether the connection broke, and another try would tell no more."""
        return isinstance(self.problem, Unreachable) and (self.is_repeated or self.present is None)


def stored_elsewhere(uids: Set[str], response: StoreResponse) -> str:
    """The sentence for an archive that stores under UIDs of its own, which must not get anything twice; or empty."""
    if all(uid in uids for uid, verdict in response.verdicts.items() if verdict.stored):
        return ""
    return (
        "it stored objects under other UIDs than those that were sent, so what became of each file cannot be told, and "
        "sending it again would store it twice. Look there with search_studies."
    )
