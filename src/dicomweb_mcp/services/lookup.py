"""Any UID -> its place: a series or instance UID alone is enough where the archive can search for its parents."""

from collections.abc import Sequence

from ..archives.base import Archive, NotFound, NotUnderstood, Place
from ..dicom.query import Plan, Query, make_plan
from ..dicom.rules import Level
from ..dicom.uids import checked_uid, is_strict_uid, is_uid
from ..dicom.values import DicomJson, text
from ..errors import BadArgument
from .app import App, Parents
from .idc.known import Finding, another_level, is_indexed, look_up, proxy_of, what_it_names


async def find_place(
    app: App, archive: Archive, study_uid: str | None, series_uid: str | None, instance_uid: str | None
) -> Place:
    """The place of the lowest UID given, its parents looked up where they were left out.

    Raises BadArgument for none or a malformed UID, NotFound (with the level at which the UID is known, if any).
    """
    study = await _checked(archive, study_uid, "study_uid")
    series = await _checked(archive, series_uid, "series_uid")
    instance = await _checked(archive, instance_uid, "instance_uid")
    if instance is None and series is None:
        if study is None:
            raise BadArgument("Give study_uid, series_uid or instance_uid, copied from a search answer.")
        await _found_offline(archive, Level.STUDY, study)
        return Place(study)
    level, uid = (Level.INSTANCE, instance) if instance else (Level.SERIES, series)
    assert uid is not None
    if study is None or (level is Level.INSTANCE and series is None):
        found = app.places.recall(archive.name, level, uid) or await _parents(app, archive, level, uid, study)
        if not archive.profile.rules.own_matching:  # a folder is asked at no cost, and edited while it is open
            app.places.remember(archive.name, level, uid, found)
        _agree(study, found[0], "study_uid", uid)
        _agree(series if level is Level.INSTANCE else None, found[1], "series_uid", uid)
        study, series = found[0], series or found[1]
    elif level is Level.SERIES and is_indexed(archive.profile.kind):
        await _agree_offline(app, archive, uid, study)
    return Place(study, series, instance)


async def _checked(archive: Archive, given: str | None, argument: str) -> str | None:
    if not given:
        return None
    if not is_strict_uid(given) and (told := await what_it_names(archive, given.strip(), argument)):
        raise BadArgument(told)
    return checked_uid(given, argument)


async def _agree_offline(app: App, archive: Archive, series: str, study: str) -> None:
    """Refuse a series of another study where that is known without a request."""
    known = app.places.recall(archive.name, Level.SERIES, series)
    if known is None and (finding := await _found_offline(archive, Level.SERIES, series)) and finding.study_uid:
        known = finding.study_uid, None
        app.places.remember(archive.name, Level.SERIES, series, known)
    _agree(study, known[0] if known else None, "study_uid", series)


async def _found_offline(archive: Archive, level: Level, uid: str) -> Finding | None:
    """What the index knows of a UID. Raises NotFound for one of another level."""
    finding = await look_up(archive, level, uid)
    if finding and finding.misplaced:
        raise NotFound(archive.name, finding.misplaced)
    return finding


async def _parents(app: App, archive: Archive, level: Level, uid: str, study: str | None) -> Parents:
    finding = await _found_offline(archive, level, uid) if level is Level.SERIES else None
    if finding and finding.is_served:
        return finding.study_uid, None
    row = await first_row(archive, level, uid, study)
    if row is None:
        known = finding and finding.known
        elsewhere = finding.why_absent(proxy_of(app)) if finding and known else await where_else(archive, level, uid)
        raise NotFound(archive.name, elsewhere or f"has no {level} {uid}. Copy UIDs whole from a search answer.")
    study = _uid_of(archive, row, "StudyInstanceUID") or study
    if not study and level is Level.SERIES:
        study = await _study_of_an_instance(archive, uid)
    series = _uid_of(archive, row, "SeriesInstanceUID") or None
    if not study or (level is Level.INSTANCE and not series):
        raise BadArgument(
            f"Archive {archive.name} does not say to which study {level} {uid} belongs: give study_uid"
            f"{' and series_uid' if level is Level.INSTANCE else ''} too."
        )
    return study, series if level is Level.INSTANCE else None


async def _study_of_an_instance(archive: Archive, series: str) -> str:
    """The study of a series whose search result does not name it (Google's), from one of its instances; or empty."""
    plan = make_plan(Query(Level.INSTANCE, filters={"SeriesInstanceUID": series}), (await archive.settle()).rules)
    page = await archive.search(plan, limit=1, offset=0)
    return next((_uid_of(archive, row, "StudyInstanceUID") for row in page.rows
                 if text(row, "SeriesInstanceUID") in ("", series)), "")  # fmt: skip


def _uid_of(archive: Archive, row: DicomJson, keyword: str) -> str:
    """A UID that a row names, or empty. What is no UID never gets into a path or an answer."""
    uid = text(row, keyword)
    if uid and not is_uid(uid):
        raise NotUnderstood(archive.name, f"answered with a {keyword} that is no UID.")
    return uid


async def first_row(archive: Archive, level: Level, uid: str, study: str | None = None) -> DicomJson | None:
    """The search result of one object by its UID, or None. Raises NotUnderstood when others come instead, because then
    the archive does not search by this UID."""
    page = await archive.search(await uid_plan(archive, level, uid, study), limit=2, offset=0)
    found = next((row for row in page.rows if text(row, level.uid) == uid), None)
    if found is None and page.rows:
        raise NotUnderstood(
            archive.name, f"does not search by {level.uid}, so nothing can be looked up by it: give study_uid"
            f"{' and series_uid' if level is Level.INSTANCE else ''} as well."
        )  # fmt: skip
    return found


async def uid_plan(archive: Archive, level: Level, uid: str, study: str | None = None) -> Plan:
    """A search for one object by the UID of its level."""
    rules = (await archive.settle()).rules
    below = study if level is not Level.STUDY else None
    return make_plan(Query(level, study_uid=below, filters={level.uid: uid}), rules)


async def where_else(archive: Archive, level: Level, uid: str, among: Sequence[Level] = tuple(Level)) -> str:
    """For a UID that is not at its level: the sentence that says where it is instead, or why it is nowhere. Empty when
    nothing tells."""
    finding = await look_up(archive, level, uid)
    if finding and finding.known:
        return finding.why_absent()
    for other in among:
        if other is not level and await first_row(archive, other, uid) is not None:
            return another_level(uid, other, level)
    return finding.why_absent() if finding and level is not Level.INSTANCE else ""  # the index has no instances


async def nothing_at(archive: Archive, place: Place) -> NotFound:
    """The error for a study or series without instances, with what is known of it offline."""
    finding = await look_up(archive, place.level, place.series_uid or place.study_uid)
    why = finding.why_absent() if finding else f"has no {place} with instances. Copy UIDs whole from a search answer."
    return NotFound(archive.name, why)


def _agree(given: str | None, found: str | None, argument: str, uid: str) -> None:
    if given and found and given != found:
        raise BadArgument(f"{uid} does not belong to {argument}={given}: it belongs to {found}. Leave {argument} out.")
