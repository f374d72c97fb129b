"""Any UID -> its place: a series or instance UID alone is enough where the archive can search for its parents."""

from collections.abc import Sequence

from ..archives.base import Archive, NotFound, NotUnderstood, Place
from ..dicom.query import Plan, Query, make_plan
from ..dicom.rules import Level
from ..dicom.uids import checked_uid, is_uid
from ..dicom.values import DicomJson, text
from ..errors import BadArgument
from .app import App, Parents


async def find_place(
    app: App, archive: Archive, study_uid: str | None, series_uid: str | None, instance_uid: str | None
) -> Place:
    """The place of the lowest UID given, its parents looked up where they were left out.

    Raises BadArgument for none or a malformed UID, NotFound (with the level at which the UID is known, if any).
    """
    study = checked_uid(study_uid, "study_uid") if study_uid else None
    series = checked_uid(series_uid, "series_uid") if series_uid else None
    instance = checked_uid(instance_uid, "instance_uid") if instance_uid else None
    if instance is None and series is None:
        if study is None:
            raise BadArgument("Give study_uid, series_uid or instance_uid, copied from a search answer.")
        return Place(study)
    level, uid = (Level.INSTANCE, instance) if instance else (Level.SERIES, series)
    assert uid is not None
    if study is None or (level is Level.INSTANCE and series is None):
        found = app.places.recall(archive.name, level, uid) or await _parents(archive, level, uid, study)
        if not archive.profile.rules.own_matching:  # a folder is asked at no cost, and edited while it is open
            app.places.remember(archive.name, level, uid, found)
        _agree(study, found[0], "study_uid", uid)
        _agree(series if level is Level.INSTANCE else None, found[1], "series_uid", uid)
        study, series = found[0], series or found[1]
    return Place(study, series, instance)


async def _parents(archive: Archive, level: Level, uid: str, study: str | None) -> Parents:
    row = await first_row(archive, level, uid, study)
    if row is None:
        elsewhere = await where_else(archive, level, uid)
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
    """For a UID that is not at its level: the sentence that says where it is instead, or empty."""
    for other in among:
        if other is not level and await first_row(archive, other, uid) is not None:
            return f"{uid} is the UID of {_a(other)}, not of {_a(level)}: pass it as {other}_uid."
    return ""


def _a(level: Level) -> str:
    return f"an {level}" if level is Level.INSTANCE else f"a {level}"


def _agree(given: str | None, found: str | None, argument: str, uid: str) -> None:
    if given and found and given != found:
        raise BadArgument(f"{uid} does not belong to {argument}={given}: it belongs to {found}. Leave {argument} out.")
