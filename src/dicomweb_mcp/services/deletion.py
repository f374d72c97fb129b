"""A deletion as data: the plan, the token that stands for it, and what became of it.

A token is a hash of what its plan says and of the time: nothing has to be remembered between the two calls, and it is
worth nothing as soon as the archive holds something else there.
"""

import hashlib
import json
from dataclasses import dataclass, field

from ..archives.base import Doomed, Place

Instances = dict[str, str]  # SOP Instance UID -> Series Instance UID, empty where the archive does not tell


@dataclass(frozen=True)
class Plan:
    """What a deletion would take, as the archive tells it now; ``described`` is what a series or instance is."""

    archive: str
    address: str
    place: Place
    instances: Instances
    patient: dict[str, str]
    described: dict[str, str]
    doomed: Doomed
    deletion: str

    def token(self, slot: int) -> str:
        """What names this plan in one slot of time."""
        told = [self.patient, self.described, self.size, self.doomed.state]
        said = [self.archive, self.address, self.place.path, *told, slot]
        content = json.dumps([*said, len(self.instances), sorted(self.instances)])
        return hashlib.sha256(content.encode()).hexdigest()[:20]

    def is_meant_by(self, token: str, slot: int) -> bool:
        """Whether a token is this plan's, of this slot or the one before."""
        return token.strip() in (self.token(slot), self.token(slot - 1))

    @property
    def notes(self) -> list[str]:
        """What can be undone of it, and what else would go."""
        return [self.deletion, *self.doomed.notes]

    @property
    def size(self) -> int | None:
        """Bytes, None where the archive does not tell."""
        return self.doomed.size

    @property
    def series_count(self) -> int | None:
        """In how many series the instances are, None where the archive does not tell of each."""
        found = set(self.instances.values())
        return None if "" in found else len(found)


@dataclass(frozen=True)
class Look:
    """What a search shows after a plan was carried out: what is ``left`` of its instances, how many ``others`` have
    come since, and whether the study or series itself ``is_listed`` although nothing is in it."""

    left: Instances
    others: int
    is_listed: bool

    @property
    def is_clear(self) -> bool:
        return not self.left and not self.is_listed

    def shows_all(self, plan: Plan) -> bool:
        """Whether nothing of the plan is gone."""
        return len(self.left) == len(plan.instances)

    def notes(self, plan: Plan, *, was_told_so: bool) -> list[str]:
        """What else is to be said of it."""
        notes = []
        if self.left and was_told_so:
            notes.append(
                f"The archive reported no failure, but a search still finds {len(self.left):,} of the instances, which "
                "do not count as deleted: its searches may lag, so look again with list_instances in a minute."
            )
        if self.others:
            notes.append("Instances that came after the plan are there, and were not meant to be deleted.")
        if self.is_listed:
            notes.append(f"A search still lists the {plan.place.level} itself, without instances.")
        return notes


@dataclass(frozen=True)
class Done:
    """What became of a plan: the instances that a search ``found`` afterwards, None where none could be made."""

    found: Instances | None


@dataclass
class Deletion:
    """A plan; with ``done`` it was carried out, else ``token`` would do it."""

    plan: Plan
    token: str
    done: Done | None = None
    notes: list[str] = field(default_factory=list)
