"""What belongs together within a study: what its derived objects were made from or show, and what was made from a
series."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..archives.base import Archive, ArchiveError, NotFound, Place
from ..dicom.kinds import Kind
from ..dicom.objects.description import filled
from ..dicom.query import Query
from ..dicom.references import FRAME_OF_REFERENCE
from ..dicom.rules import Level
from ..dicom.values import DicomJson, element, integer, plain, text
from .app import App
from .links import MOST_MISSING, Link, Whereabouts
from .search import DEFAULT_FIELDS, search
from .study import Seen, Series, Shared, Study, look_into, seen_in_metadata, series_of, sharing

MOST_NAMED = 3  # UIDs in a row; the others are counted
MOST_LOOK_ALIKES = 10
MOST_STEPS = 5  # from a series to what was made of what was made of it


@dataclass
class StudyTable:
    """The series of a study, a row each: keywords, ``role`` and, of derived ones, ``refers_to``.

    ``study`` is what the search says of the study itself; ``complete`` as in a search.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    study: dict[str, Any] = field(default_factory=dict)
    instances: int | None = None
    notes: list[str] = field(default_factory=list)
    complete: bool | None = None


@dataclass
class Related:
    """The derived objects of a study that belong to one of its series, a row per series with the ``evidence`` (a row
    per object where a series has several); ``unrelated`` are the other derived ones, with ``refers_to`` or ``why``."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    unrelated: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


# ---- a study ---------------------------------------------------------------------------------------------------------


async def study_table(app: App, archive: Archive, place: Place) -> StudyTable:
    """The series of a study with their roles and what the derived ones refer to. Raises NotFound for no such study, or
    another ArchiveError when its series cannot be listed."""
    study = await series_of(archive, place.study_uid)
    if not archive.profile.rules.own_matching:
        for series in study.series:
            app.places.remember(archive.name, Level.SERIES, series.uid, (study.uid, None))
    notes = [*study.notes, *await look_into(archive, study)]
    where = Whereabouts(archive, study)
    rows = [filled(**series.shown(), refers_to=await _refers_to(where, study, series)) for series in study.series]
    row = await _study_row(archive, study.uid, notes)
    told = {
        keyword: plain(element(row, keyword) or {}) for keyword in ("StudyInstanceUID", *DEFAULT_FIELDS[Level.STUDY])
    }
    return StudyTable(rows, filled(**told), _instances(study, row), notes, study.complete)


async def _study_row(archive: Archive, study_uid: str, notes: list[str]) -> DicomJson:
    """What a search says of the study; empty, with a note, when it says nothing."""
    try:
        found = await search(archive, Query(Level.STUDY, filters={"StudyInstanceUID": study_uid}), limit=1)
    except ArchiveError as problem:
        notes.append(f"The study's own attributes are not known: {problem}")
        return {}
    return next(iter(found.rows), {})


def _instances(study: Study, row: DicomJson) -> int | None:
    counts = [series.count for series in study.series]
    if study.complete and all(count is not None for count in counts):
        return sum(filter(None, counts))
    return integer(row, "NumberOfStudyRelatedInstances")


async def _refers_to(where: Whereabouts, study: Study, series: Series) -> list[str]:
    """Short words for what the derived objects of a series refer to: UIDs of series, the best evidence first."""
    if not series.is_derived:
        return []
    links = await where.links(one for seen in series.objects for one in seen.references)
    if links:
        return _named([_words(link, study) for link in links])
    frames = any(seen.frames_of_reference for seen in series.objects)
    return ["nothing but a frame of reference"] if frames else ["nothing"] if series.objects else []


def _words(link: Link, study: Study) -> str:
    if not link.series_uid:
        return f"{link.count} instances {'not in the archive' if link.missing else 'of unknown series'}"
    return link.series_uid if study.find(link.series_uid) else f"{link.series_uid} (not in this study)"


def _named(words: Iterable[str]) -> list[str]:
    found = list(dict.fromkeys(words))
    more = [f"and {len(found) - MOST_NAMED} more"] if len(found) > MOST_NAMED else []
    return found[:MOST_NAMED] + more


# ---- what an object was made from ------------------------------------------------------------------------------------


async def sources(archive: Archive, place: Place, obj: DicomJson) -> list[dict[str, Any]]:
    """What an object was made from or shows, a row per series, the best evidence first. ``in_archive`` is None where it
    cannot be told; ``note`` says what is unusual.

    A frame of reference is looked at only where nothing better is there, and is evidence only where exactly one image
    series of the study has it; several are ``candidates``.
    """
    seen = await seen_in_metadata(archive, obj)
    if not seen.references and (seen.kind is Kind.IMAGE or not seen.frames_of_reference):
        return []
    study = await _study_or_nothing(archive, place.study_uid)
    where = Whereabouts(archive, study)
    if seen.references:
        return [await _source(where, study, link, place) for link in await where.links(seen.references)]
    await look_into(archive, study, [series for series in study.series if not series.is_derived])
    return [_by_frame(await sharing(archive, study, uid), study, uid) for uid in seen.frames_of_reference]


async def _study_or_nothing(archive: Archive, study_uid: str) -> Study:
    """The study, or one of which no series is known: what an object says of its sources is worth telling anyway."""
    try:
        return await series_of(archive, study_uid)
    except ArchiveError:
        return Study(study_uid, [], None, [])


async def _source(where: Whereabouts, study: Study, link: Link, place: Place) -> dict[str, Any]:
    series = study.find(link.series_uid)
    row: DicomJson = series.row if series else {}
    in_archive: bool | None = True
    note = "the series that the object itself is in" if link.series_uid == place.series_uid else ""
    study_uid = link.study_uid
    if not link.series_uid:
        in_archive = False if link.missing else None
        note = "" if link.count == 1 else f"{link.count} instances, this one among them"
        note += "; only the first ones were looked for" if in_archive is False and link.count > MOST_MISSING else ""
    elif series is None:
        found = await where.elsewhere(link)
        row, study_uid = found.row or {}, found.study_uid or study_uid
        in_archive = None if found.unknown else found.row is not None
        note = "in another study" if study_uid != study.uid else "not in the study that it names" if in_archive else ""
    elif series.count is not None and link.count > series.count:
        note = f"the archive has {series.count} instances of it"
    return {
        **filled(
            StudyInstanceUID=study_uid,
            SeriesInstanceUID=link.series_uid,
            SOPInstanceUID="" if link.series_uid else link.instance_uid,
            **_plain(row, "Modality", "SeriesNumber", "SeriesDescription"),
            evidence="; ".join(link.evidence),
            purpose=link.purpose,
            instances=link.count or None,
            note=note,
        ),
        "in_archive": in_archive,
    }


def _plain(row: DicomJson, *keywords: str) -> dict[str, Any]:
    return {keyword: plain(element(row, keyword) or {}) for keyword in keywords}


def _by_frame(shared: Shared, study: Study, uid: str) -> dict[str, Any]:
    """The one series that a frame of reference leads to, or those among which it does not decide."""
    if len(shared.series) == 1 and not shared.unknown and study.complete is not False:
        series = shared.series[0]
        return {
            "StudyInstanceUID": study.uid,
            "SeriesInstanceUID": series.uid,
            **filled(**_plain(series.row, "Modality", "SeriesNumber", "SeriesDescription")),
            "evidence": f"{FRAME_OF_REFERENCE}, which no other image series of the study has: a weak hint",
            "in_archive": True,
        }
    return {
        "evidence": FRAME_OF_REFERENCE,
        FRAME_OF_REFERENCE: uid,
        "note": _undecided(shared),
        **filled(candidates=_named(series.uid for series in shared.series)),
        "in_archive": None,
    }


def _undecided(shared: Shared) -> str:
    """Why a frame of reference tells no source."""
    unknown = f"; of {len(shared.unknown)} more series it is not known" if shared.unknown else ""
    if not shared.series:
        return f"no image series of the study is known to have it{unknown}"
    return f"{len(shared.series)} image series of the study have it{unknown}: it does not say which one was used"


# ---- what was made from a series -------------------------------------------------------------------------------------


async def related_to(archive: Archive, place: Place) -> Related:
    """The derived objects of the study that refer to the series at the place, directly or through another object (a
    plan through its structure set), and the derived ones that do not. Raises NotFound or another ArchiveError when the
    study's series cannot be listed."""
    study = await series_of(archive, place.study_uid)
    if study.find(place.series_uid) is None:
        raise NotFound(archive.name, f"has no series {place.series_uid} in study {study.uid}.")
    related = Related(notes=[*study.notes, *await look_into(archive, study)])
    where = Whereabouts(archive, study)
    derived = [
        _Derived(series, seen, await where.links(seen.references))
        for series in study.series
        for seen in series.objects
        if series.is_derived and series.uid != place.series_uid
    ]
    await _decide_by_frame(archive, study, place, derived)
    _follow(str(place.series_uid), derived)
    for one in derived:
        (related.rows if one.evidence else related.unrelated).append(one.row(study))
    return related


@dataclass
class _Derived:
    """A derived object on its way into an answer: ``evidence`` once it is known to belong, else ``why`` not."""

    series: Series
    seen: Seen
    links: list[Link]
    evidence: str = ""
    instances: int = 0
    why: str = ""

    def row(self, study: Study) -> dict[str, Any]:
        several = len(self.series.objects) > 1
        return filled(
            **{**self.series.shown("SeriesNumber", "SeriesDescription"), "role": self.seen.role},
            SOPInstanceUID=self.seen.instance_uid if several else "",
            evidence=self.evidence,
            instances=self.instances or None,
            refers_to=[] if self.evidence else _named(_words(link, study) for link in self.links),
            why="" if self.evidence or self.links else self.why or self._nothing,
            **(self.seen.distinctions if self.evidence else {}),
            looked_at=self.series.looked_at(),
        )

    @property
    def _nothing(self) -> str:
        return "refers to nothing" if self.seen.whole else "names no source in what the archive returns"


async def _decide_by_frame(archive: Archive, study: Study, place: Place, derived: Sequence[_Derived]) -> None:
    """Objects whose only link is a frame of reference belong to the one image series that has it."""
    by_frame: dict[str, Shared] = {}
    for one in derived:
        if one.links or one.seen.kind is Kind.IMAGE:
            continue
        for uid in one.seen.frames_of_reference:
            if uid not in by_frame:
                by_frame[uid] = await sharing(archive, study, uid)
            shared = by_frame[uid]
            alone = len(shared.series) == 1 and not shared.unknown and study.complete is not False
            if alone and shared.series[0].uid == place.series_uid:
                one.evidence = f"{FRAME_OF_REFERENCE}, which no other image series of the study has: a weak hint"
            elif alone:
                one.why = f"refers to nothing; its {FRAME_OF_REFERENCE} is that of series {shared.series[0].uid} alone"
            else:
                named = ", ".join(_named(series.uid for series in shared.series))
                one.why = f"only a {FRAME_OF_REFERENCE}: {_undecided(shared)}" + (f" ({named})" if named else "")


def _follow(series_uid: str, derived: Sequence[_Derived]) -> None:
    """Give the objects that refer to the series their evidence, then those that refer to these, and so on."""
    for one in derived:
        if link := next((link for link in one.links if link.series_uid == series_uid), None):
            one.evidence, one.instances = "; ".join(link.evidence), link.count
    for _ in range(MOST_STEPS):
        belonging = _belonging(derived)
        if not [one for one in derived if not one.evidence and _belongs_through(one, belonging)]:
            return


def _belonging(derived: Sequence[_Derived]) -> dict[str, str]:
    """The series all of whose objects that were looked at belong, with their role."""
    outside = {one.series.uid for one in derived if not one.evidence}
    return {one.series.uid: one.seen.role for one in derived if one.series.uid not in outside}


def _belongs_through(one: _Derived, belonging: Mapping[str, str]) -> bool:
    """Give an object that refers to a series which belongs its evidence."""
    link = next((link for link in one.links if link.series_uid in belonging), None)
    if link:
        role = belonging[link.series_uid]
        one.evidence = f"{'; '.join(link.evidence)} names {role} series {link.series_uid}, which belongs to it"
    return link is not None


# ---- objects that look alike -----------------------------------------------------------------------------------------


async def look_alikes(archive: Archive, place: Place, obj: DicomJson) -> list[str]:
    """Sentences: the other series of the study with the object's Modality and SeriesDescription, and the other objects
    of its own series, each with what tells it from the object. Empty when there is none."""
    own = await seen_in_metadata(archive, obj)
    study = await _study_or_nothing(archive, place.study_uid)
    series = [one for one in study.series if _looks_like(one, obj, place)]
    if own.kind is Kind.IMAGE:  # what is in its series are its slices
        series = [one for one in series if one.uid != place.series_uid]
    looked = series[:MOST_LOOK_ALIKES]
    notes = await look_into(archive, study, looked)
    where = Whereabouts(archive, study)
    mine = {"SeriesNumber": integer(obj, "SeriesNumber"), **await _marks(where, study, own)}
    sentences: list[str] = []
    differing: dict[str, None] = {}
    for one in looked:
        for seen in one.objects:
            if seen.instance_uid != own.instance_uid:
                theirs = {"SeriesNumber": integer(one.row, "SeriesNumber"), **await _marks(where, study, seen)}
                names = [name for name in {**theirs, **mine} if theirs.get(name) != mine.get(name)]
                differing.update(dict.fromkeys(names))
                sentences.append(f"{_who(one, seen, place)} {_listed(theirs, names)}.")
    if left := [*sentences[MOST_LOOK_ALIKES:], *series[MOST_LOOK_ALIKES:]]:
        notes.append(f"At least {len(left)} more of them are not described here.")
    partial = [f"Of series {one.uid}, {one.looked_at()} objects were looked at." for one in looked if one.looked_at()]
    here = [f"This object has {_listed(mine, list(differing))}."] if sentences else []
    return [*here, *sentences[:MOST_LOOK_ALIKES], *partial, *notes]


def _looks_like(series: Series, obj: DicomJson, place: Place) -> bool:
    same = all(text(series.row, keyword) == text(obj, keyword) for keyword in ("Modality", "SeriesDescription"))
    return same or series.uid == place.series_uid


async def _marks(where: Whereabouts, study: Study, seen: Seen) -> dict[str, Any]:
    """What can tell an object from others: its distinctions and what it refers to."""
    links = await where.links(seen.references)
    return {**seen.distinctions, "references to": ", ".join(_named(_words(link, study) for link in links))}


def _who(series: Series, seen: Seen, place: Place) -> str:
    if series.uid == place.series_uid:
        return f"Object {seen.instance_uid} of the same series has"
    of_several = f"object {seen.instance_uid} of " if len(series.objects) > 1 else ""
    return f"With the same Modality and SeriesDescription, {of_several}series {series.uid} has"


def _listed(marks: Mapping[str, Any], names: Sequence[str]) -> str:
    listed = "; ".join(f"{name} {'none' if marks.get(name) in (None, '') else marks[name]}" for name in names)
    return listed or "the same labels, segments, times and references"
