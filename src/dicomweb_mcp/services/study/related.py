"""What an object was made from or shows, and what was made from a series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...archives.base import Archive, NotFound, Place
from ...dicom.facts import filled
from ...dicom.kinds import Kind
from ...dicom.references import FRAME_OF_REFERENCE
from ...dicom.values import DicomJson, plain_value
from .links import Link, Whereabouts, named
from .look import Seen, Series, Shared, Study, look_into, seen_in_metadata, series_of, sharing, study_or_nothing

MOST_STEPS = 5  # from a series to what was made of what was made of it


@dataclass
class Related:
    """The derived objects of a study that belong to one of its series, a row per series with the ``evidence`` (a row
    per object where a series has several); ``unrelated`` are the other derived ones, with ``refers_to`` or ``why``."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    unrelated: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


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
    study = await study_or_nothing(archive, place.study_uid)
    where = Whereabouts(archive, study)
    if seen.references:
        return [await _source(where, study, link, place) for link in await where.links(seen.references)]
    await look_into(archive, study, [series for series in study.series if not series.is_derived])
    return [_by_frame(await sharing(archive, study, uid), study, uid) for uid in seen.frames_of_reference]


async def _source(where: Whereabouts, study: Study, link: Link, place: Place) -> dict[str, Any]:
    series = study.find(link.series_uid)
    row: DicomJson = series.row if series else {}
    in_archive: bool | None = True
    note = "the series that the object itself is in" if link.series_uid == place.series_uid else ""
    study_uid = link.study_uid
    if not link.series_uid:
        in_archive = False if link.missing else None
        several = f"{link.count} instances, this one among them" if link.count > 1 else ""
        others = f"no others were looked for, of {link.unknown} more it is not known" if link.unknown else ""
        note = "; ".join(filter(None, [several, others]))
    elif series is None:
        found = await where.elsewhere(link)
        row, study_uid = found.row or {}, found.study_uid or study_uid
        in_archive = None if found.unknown else found.row is not None
        note = "in another study" if study_uid != study.uid else "not in the study that it names" if in_archive else ""
    elif series.count is not None and link.count > series.count:
        note = f"of these, the archive has {series.count}"
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
    return {keyword: plain_value(row, keyword) for keyword in keywords}


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
        **filled(candidates=named(series.uid for series in shared.series)),
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
            refers_to=[] if self.evidence else named(link.words(study) for link in self.links),
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
                uids = ", ".join(named(series.uid for series in shared.series))
                one.why = f"only a {FRAME_OF_REFERENCE}: {_undecided(shared)}" + (f" ({uids})" if uids else "")


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
