"""References -> the series that they lead to, looked up in the archive where an object names instances alone."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ...archives.base import Archive, ArchiveError
from ...dicom.facts import first_few
from ...dicom.query import Query, make_plan
from ...dicom.references import Reference
from ...dicom.rules import Level
from ...dicom.uids import is_uid
from ...dicom.values import DicomJson, text
from ..lookup import first_row
from ..paging import every_match
from .look import Study

MOST_LOOK_UPS = 20  # of instances and series, for one answer
MOST_MISSING = 2  # instances of one reference that are not there, after which the others are not looked for
MOST_NAMED = 3  # series in a row; the others are counted
MOST_MEMBERS = 5_000  # instances of a series that is listed to place references
UNSOUGHT, MISSING = ("", "", False), ("", "", True)  # study, series, and whether it was looked for in vain


@dataclass
class Link:
    """What an object refers to in one series, by all its evidence. Without a series UID it is ``count`` instances
    such as ``instance_uid`` that the archive does not have (``missing``) or that could not be looked up; besides
    missing ones there are ``unknown`` others, which were not looked for."""

    study_uid: str = ""
    series_uid: str = ""
    count: int = 0
    instance_uid: str = ""
    missing: bool = False
    unknown: int = 0
    evidence: dict[str, None] = field(default_factory=dict)
    purposes: dict[str, None] = field(default_factory=dict)

    @property
    def purpose(self) -> str:
        """The purposes, without those that another one says in more words."""
        said = [purpose.casefold() for purpose in self.purposes]
        return ", ".join(one for one in self.purposes if sum(one.casefold() in other for other in said) == 1)

    def words(self, study: Study) -> str:
        """The series, or how many instances of none that is known."""
        if not self.series_uid:
            others = f"; of {self.unknown} more it is not known" if self.unknown else ""
            return f"{self.count} instances {'not in the archive' if self.missing else 'of unknown series'}{others}"
        return self.series_uid if study.find(self.series_uid) else f"{self.series_uid} (not in this study)"

    @property
    def key(self) -> tuple[str, bool]:
        return self.series_uid, self.missing


@dataclass(frozen=True)
class Elsewhere:
    """A series that is not in the study: the row of its search, None when the archive does not have it. With
    ``unknown`` the archive could not be asked."""

    row: DicomJson | None = None
    study_uid: str = ""
    unknown: bool = False


class Whereabouts:
    """Where instances and series lie, each asked for once; ``study`` is where they are expected. Nothing here raises
    ArchiveError: what could not be asked is not known."""

    def __init__(self, archive: Archive, study: Study) -> None:
        self._archive, self._study = archive, study
        self._left = MOST_LOOK_UPS
        self._places: dict[str, tuple[str, str] | None] = {
            seen.instance_uid: (study.uid, series.uid) for series in study.series for seen in series.objects
        }
        self._elsewhere: dict[str, Elsewhere] = {}

    async def links(self, references: Iterable[Reference]) -> list[Link]:
        """What the references lead to, one link per series, those of the best evidence first."""
        merged: dict[tuple[str, bool], Link] = {}
        for reference in references:
            for link in await self._links(reference):
                kept = merged.setdefault(link.key, link)
                kept.evidence.setdefault(reference.evidence)
                if reference.purpose:
                    kept.purposes.setdefault(reference.purpose)
        return list(merged.values())

    async def _links(self, reference: Reference) -> list[Link]:
        if reference.series_uid:
            in_study = self._study.find(reference.series_uid) is not None
            study_uid = self._study.uid if in_study else reference.study_uid
            instance = next(iter(reference.instances), "")
            return [Link(study_uid, reference.series_uid, reference.count, instance)]
        groups: dict[tuple[str, str, bool], list[str]] = {}
        missing = 0
        for uid in reference.instances:
            if uid not in self._places and missing < MOST_MISSING:
                await self._look_up(uid, alone=reference.count == 1)
            place = self._places.get(uid, ("", ""))
            missing += place is None
            groups.setdefault((*place, False) if place else MISSING, []).append(uid)
        if groups.keys() <= {UNSOUGHT, MISSING} and missing:
            gone = groups[MISSING]
            return [Link(count=len(gone), instance_uid=gone[0], missing=True, unknown=reference.count - len(gone))]
        alone = len(groups) == 1
        return [
            Link(study, series, reference.count if alone else len(uids), uids[0], is_missing)
            for (study, series, is_missing), uids in groups.items()
        ]

    async def _look_up(self, uid: str, *, alone: bool) -> None:
        """Learn where an instance lies and, unless it is ``alone``, what else is in its series."""
        if self._left <= 0:
            return
        self._left -= 1
        try:
            row = await first_row(self._archive, Level.INSTANCE, uid, self._study.uid)
            study = self._study.uid
            if row is None:
                row = await first_row(self._archive, Level.INSTANCE, uid)
                study = text(row, "StudyInstanceUID") if row else ""
            if row is None:
                self._places[uid] = None
                return
            series = text(row, "SeriesInstanceUID")
            if not is_uid(series) or not is_uid(study):
                return
            self._places[uid] = study, series
            if not alone:
                await self._list(study, series)
        except ArchiveError:
            return

    async def _list(self, study: str, series: str) -> None:
        rules = (await self._archive.settle()).rules
        plan = make_plan(Query(Level.INSTANCE, study_uid=study, series_uid=series), rules)
        _, scan = await every_match(self._archive, plan, MOST_MEMBERS)
        for row in scan.rows:
            if text(row, "SeriesInstanceUID") in ("", series):
                self._places.setdefault(text(row, "SOPInstanceUID"), (study, series))

    async def elsewhere(self, link: Link) -> Elsewhere:
        """A series that the study's list does not have."""
        if link.series_uid not in self._elsewhere:
            self._elsewhere[link.series_uid] = await self._search(link)
        return self._elsewhere[link.series_uid]

    async def _search(self, link: Link) -> Elsewhere:
        if self._left <= 0:
            return Elsewhere(unknown=True)
        self._left -= 1
        try:
            row = await first_row(self._archive, Level.SERIES, link.series_uid)
            if row is None:
                return Elsewhere()
            study = text(row, "StudyInstanceUID")
            if not study and link.instance_uid:  # Google's rows of series do not name it, those of instances do
                found = await first_row(self._archive, Level.INSTANCE, link.instance_uid)
                study = text(found, "StudyInstanceUID") if found else ""
        except ArchiveError:
            return Elsewhere(unknown=True)
        return Elsewhere(row, study if is_uid(study) else "")


def named(words: Iterable[str]) -> list[str]:
    """The first few that differ, and how many others there are."""
    return first_few(list(dict.fromkeys(words)), MOST_NAMED)
