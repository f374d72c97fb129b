"""Files that a caller names, found below the file roots and nowhere else."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..dicom.values import clean
from ..errors import BadArgument
from ..paths import is_inside, is_link
from .patterns import Pattern

MOST_FILES = 10_000
MOST_ENTRIES = 200_000  # directory entries looked at
LONGEST_NAME = 300
MOST_PARTS = 50  # of a pattern
MAGIC = frozenset("*?[")


@dataclass(frozen=True)
class Named:
    """One file: its resolved path, how it is called in an answer, and why it is not opened."""

    path: Path
    shown: str
    problem: str = ""


def files_under_roots(paths: Sequence[str], roots: Sequence[Path]) -> list[Named]:
    """Every file that ``paths`` (files, folders, patterns with ``*``, ``?``, ``[...]`` and ``**``) name, each once.

    Relative paths are looked for in one root after the other. A link met on the way that leads outside is named with
    that as its problem. Raises BadArgument for a path that leads outside, names nothing, or names too much.
    """
    finder = _Finder(roots)
    found: dict[Path, Named] = {}
    for path in paths:
        count = 0
        for named in finder.files(path):
            found.setdefault(named.path, named)
            count += 1
            if len(found) > MOST_FILES:
                raise BadArgument(
                    f"{_shown(path)} and those before it name more than {MOST_FILES:,} files: name fewer."
                )
        if not count:
            raise BadArgument(f"'{_shown(path)}' names no file below the file roots: {finder.roots}.")
    return list(found.values())


class _Finder:
    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = [os.path.realpath(root) for root in roots]
        self._looked_at = 0

    @property
    def roots(self) -> str:
        """The file roots in words."""
        return ", ".join(map(_shown, self._roots))

    def files(self, path: str) -> Iterator[Named]:
        """The files that one path names. Raises BadArgument when it leads outside the roots or nowhere."""
        if not path.strip() or "\0" in path:
            raise BadArgument("A path is empty or holds a NUL.")
        fixed, pattern = _split(path)
        inside = self._candidates(fixed)
        if pattern and (literal := self._there(self._candidates(Path(path)))):  # [ and ] are common in names of files
            inside, pattern = [literal], ()
        if not inside:
            raise BadArgument(
                f"{_shown(path)} is not below a file root, so it is not opened. File roots: {self.roots}."
            )
        base = self._there(inside)
        if base is None:
            raise BadArgument(f"'{_shown(path)}' names nothing below the file roots: {self.roots}.")
        if os.path.isdir(base):  # noqa: PTH112 - a resolved path as text, as everywhere in this file
            yield from self._below(base, Pattern.of(pattern))
        elif not pattern:
            yield self._named(base)

    def _candidates(self, path: Path) -> list[str]:
        """Where a path can lead within the roots, resolved."""
        candidates = [path] if path.is_absolute() else [Path(root, path) for root in self._roots]
        resolved = [os.path.realpath(candidate) for candidate in candidates]
        return [target for target in resolved if self._is_inside(target)]

    def _there(self, targets: Sequence[str]) -> str | None:
        return next((target for target in targets if os.path.lexists(target)), None)

    def _is_inside(self, path: str) -> bool:
        return any(is_inside(root, path) for root in self._roots)

    def _below(self, base: str, pattern: Pattern) -> Iterator[Named]:
        """The files below a folder whose path from there, or the path of a folder around them, fits the pattern."""
        visited: set[str] = set()
        waiting = [(base, pattern)]
        linked: list[tuple[str, Pattern]] = []
        while waiting or linked:
            folder, left = (waiting or linked).pop()  # a folder goes by its own name rather than by that of a link
            if folder in visited:
                continue
            visited.add(folder)
            try:
                listed = self._listed(folder)
            except OSError as error:
                yield self._named(folder, f"the folder cannot be listed: {error.strerror}")
                continue
            folders: list[tuple[str, Pattern]] = []
            for entry in listed:
                inner = left.behind(entry.name)
                target = os.path.realpath(entry.path) if is_link(entry) else entry.path
                if target != entry.path and (problem := self._link_problem(target)):
                    if inner.fits:
                        yield self._named(entry.path, problem)
                elif os.path.isdir(target):  # noqa: PTH112
                    if inner.leads_on:
                        (folders if target == entry.path else linked).append((target, inner))
                elif inner.fits:
                    yield self._named(target)
            waiting += reversed(folders)

    def _listed(self, folder: str) -> list[os.DirEntry[str]]:
        """The entries of a folder by name. Raises OSError, or BadArgument when too much was looked at in all."""
        listed = []
        with os.scandir(folder) as entries:
            for entry in entries:
                self._looked_at += 1
                if self._looked_at > MOST_ENTRIES:
                    raise BadArgument(f"More than {MOST_ENTRIES:,} directory entries lie there: name a smaller folder.")
                listed.append(entry)
        return sorted(listed, key=lambda entry: entry.name)

    def _link_problem(self, target: str) -> str:
        if not self._is_inside(target):
            return "a link that leads outside the file roots; it is not opened"
        return "" if os.path.lexists(target) else "a link that leads nowhere"

    def _named(self, path: str, problem: str = "") -> Named:
        root = next((root for root in self._roots if is_inside(root, path)), "")
        short = os.path.relpath(path, root) if len(self._roots) == 1 and root else path
        return Named(Path(path), _shown(short), problem)


def _split(path: str) -> tuple[Path, tuple[str, ...]]:
    """The part of a path before its first wildcard, and the pattern from there on. Raises BadArgument."""
    parts = Path(path).parts
    fixed = next((at for at, part in enumerate(parts) if MAGIC & set(part)), len(parts))
    pattern = parts[fixed:]
    if ".." in pattern:
        raise BadArgument(f"{_shown(path)}: .. cannot follow a wildcard.")
    if len(pattern) > MOST_PARTS:
        raise BadArgument(f"{_shown(path)}: a pattern has at most {MOST_PARTS} parts.")
    return Path(*parts[:fixed]), pattern


def _shown(path: str) -> str:
    """A path as one harmless line; names that are no valid text have their bytes written out."""
    return clean(path.encode("utf-8", "backslashreplace").decode(), LONGEST_NAME)
