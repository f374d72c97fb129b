"""Patterns of paths with ``*``, ``?``, ``[...]`` and ``**``, matched name by name on the way down."""

from dataclasses import dataclass
from fnmatch import fnmatch


@dataclass(frozen=True)
class Pattern:
    """What is left of a pattern behind a path: ``at`` are the parts that the next name may fit. Where the last part was
    reached, everything below fits too."""

    parts: tuple[str, ...]
    at: frozenset[int]

    @classmethod
    def of(cls, parts: tuple[str, ...]) -> "Pattern":
        return cls(parts, cls._with_skipped(parts, {0}))

    @property
    def fits(self) -> bool:
        return len(self.parts) in self.at

    @property
    def leads_on(self) -> bool:
        """Whether something below could fit."""
        return bool(self.at)

    def behind(self, name: str) -> "Pattern":
        """What is left behind one more name."""
        if self.fits:
            return self
        following = {at if self.parts[at] == "**" else at + 1 for at in self.at
                     if self.parts[at] == "**" or fnmatch(name, self.parts[at])}  # fmt: skip
        return Pattern(self.parts, self._with_skipped(self.parts, following))

    @staticmethod
    def _with_skipped(parts: tuple[str, ...], at: set[int]) -> frozenset[int]:
        """``**`` also stands for no name at all."""
        reached = set(at)
        for position, part in enumerate(parts):
            if position in reached and part == "**":
                reached.add(position + 1)
        return frozenset(reached)
