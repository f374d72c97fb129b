"""What tells an object from others of its study that carry the same description."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...archives.base import Archive, Place
from ...dicom.kinds import Kind
from ...dicom.values import DicomJson, integer, text
from .links import Whereabouts, named
from .look import Seen, Series, Study, look_into, seen_in_metadata, study_or_nothing

MOST_LOOK_ALIKES = 10


async def look_alikes(archive: Archive, place: Place, obj: DicomJson) -> list[str]:
    """Sentences: the other series of the study with the object's Modality and SeriesDescription, and the other objects
    of its own series, each with what tells it from the object. Empty when there is none."""
    own = await seen_in_metadata(archive, obj)
    study = await study_or_nothing(archive, place.study_uid)
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
    return {**seen.distinctions, "references to": ", ".join(named(link.words(study) for link in links))}


def _who(series: Series, seen: Seen, place: Place) -> str:
    if series.uid == place.series_uid:
        return f"Object {seen.instance_uid} of the same series has"
    of_several = f"object {seen.instance_uid} of " if len(series.objects) > 1 else ""
    return f"With the same Modality and SeriesDescription, {of_several}series {series.uid} has"


def _listed(marks: Mapping[str, Any], names: Sequence[str]) -> str:
    listed = "; ".join(f"{name} {'none' if marks.get(name) in (None, '') else marks[name]}" for name in names)
    return listed or "the same labels, segments, times and references"
