"""Any study or series UID -> what the index knows of it: where it belongs, since when, and whether it is still there.

A scan by SeriesInstanceUID takes 60 ms, most of it to read that column, one by StudyInstanceUID 30 ms. So the level at
which a UID is expected is looked at first, the others only for what is not there, and many UIDs in one scan.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..dicom.rules import Level
from .index import Row, Session

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
GOOGLE_BUCKET = "idc-open-data"  # the only one whose series are also in IDC's store in Google Cloud Healthcare
CURRENT = (
    "collection_id", "PatientID", "StudyInstanceUID", "analysis_result_id", "series_init_idc_version",
    "series_revised_idc_version", "license_short_name", "aws_bucket", "instanceCount", "series_size_MB",
)  # fmt: skip
RETIRED = (
    "collection_id", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "series_aws_url", "min_idc_version",
    "max_idc_version",
)  # fmt: skip


@dataclass(frozen=True)
class Current:
    """A study or series of the release. It has one study; what a study's series may differ in are tuples.

    ``since`` is the first release with it (of a study: with any of its series), ``revised`` the last that changed it.
    """

    uid: str
    level: Level
    study_uid: str
    collections: tuple[str, ...]
    patients: tuple[str, ...]
    analysis_results: tuple[str, ...]
    since: int
    revised: int
    licenses: tuple[str, ...]
    buckets: tuple[str, ...]
    series: int
    instances: int
    megabytes: float

    @property
    def in_google_store(self) -> bool:
        """Whether IDC's store in Google Cloud Healthcare has any of it; the public proxy has everything."""
        return GOOGLE_BUCKET in self.buckets

    @property
    def history(self) -> str:
        """``since v19, last revised in v22``."""
        revised = f", last revised in v{self.revised}" if self.revised != self.since else ""
        return f"since v{self.since}{revised}"


@dataclass(frozen=True)
class Retired:
    """A study or series that earlier releases had. Its files stay readable below ``urls``, those of its last release.

    ``series_left`` is how many series of its study the release still has, ``studies_left`` how many of its patient's
    studies.
    """

    uid: str
    level: Level
    study_uid: str
    collection_id: str
    patient_id: str
    first: int
    last: int
    urls: tuple[str, ...]
    series_left: int
    studies_left: int


Known = Current | Retired


@dataclass(frozen=True)
class Named:
    """What is no UID but a name of something in the release, by the ``column`` that holds it. A UUID of CRDC names one
    series."""

    column: str
    value: str
    series_uid: str


def find(session: Session, uids: Iterable[str], first: Level = Level.SERIES) -> dict[str, Known]:
    """What the index knows of each UID; nothing of those that it does not know. One that is the UID of a series and of
    a study too is taken for what is looked at ``first``. Raises IndexProblem."""
    found: dict[str, Known] = {}
    missing = list(dict.fromkeys(uids))
    for level in (Level.STUDY, Level.SERIES) if first is Level.STUDY else (Level.SERIES, Level.STUDY):
        found |= _current(session, level, missing)
        missing = [uid for uid in missing if uid not in found]
    return found | _retired(session, missing)


def named(session: Session, text: str) -> Named | None:
    """What a collection's or patient's ID, or a series' UUID, is the name of. Raises IndexProblem."""
    columns = {"collection_id": re.sub(r"[ -]", "_", text.lower()), "PatientID": text}
    if UUID.fullmatch(text):
        columns = {"crdc_series_uuid": text.lower()}
    for column, value in columns.items():
        sql = f"SELECT SeriesInstanceUID FROM index WHERE {column} = ? LIMIT 1"
        if rows := session.rows(sql, [value]):
            return Named(column, value, rows[0]["SeriesInstanceUID"])
    return None


def _current(session: Session, level: Level, uids: Sequence[str]) -> dict[str, Current]:
    columns = dict.fromkeys((level.uid, *CURRENT))
    rows = _rows(session, f"SELECT {', '.join(columns)} FROM index WHERE {level.uid} IN ({{}})", uids)
    return {
        uid: Current(
            uid=uid,
            level=level,
            study_uid=some[0]["StudyInstanceUID"],
            collections=_distinct(some, "collection_id"),
            patients=_distinct(some, "PatientID"),
            analysis_results=_distinct(some, "analysis_result_id"),
            since=min(_distinct(some, "series_init_idc_version"), default=0),
            revised=max(_distinct(some, "series_revised_idc_version"), default=0),
            licenses=_distinct(some, "license_short_name"),
            buckets=_distinct(some, "aws_bucket"),
            series=len(some),
            instances=sum(row["instanceCount"] or 0 for row in some),
            megabytes=sum(row["series_size_MB"] or 0.0 for row in some),
        )
        for uid, some in _by(rows, level.uid).items()
    }


def _retired(session: Session, uids: Sequence[str]) -> dict[str, Retired]:
    """Of UIDs that are not in the release: ``prior_versions_index`` also lists earlier contents of series that are."""
    found: dict[str, Retired] = {}
    for level in (Level.SERIES, Level.STUDY):
        sql = f"SELECT {', '.join(RETIRED)} FROM prior_versions_index WHERE {level.uid} IN ({{}})"
        groups = _by(_rows(session, sql, uids), level.uid)
        newest = {uid: max(some, key=lambda row: row["max_idc_version"]) for uid, some in groups.items()}
        series_left = _series_left(session, [row["StudyInstanceUID"] for row in newest.values()])
        studies_left = _studies_left(session, [row["PatientID"] for row in newest.values()])
        for uid, row in newest.items():
            last = row["max_idc_version"]
            found[uid] = Retired(
                uid=uid,
                level=level,
                study_uid=row["StudyInstanceUID"],
                collection_id=row["collection_id"],
                patient_id=row["PatientID"],
                first=min(one["min_idc_version"] for one in groups[uid]),
                last=last,
                urls=_distinct([one for one in groups[uid] if one["max_idc_version"] == last], "series_aws_url"),
                series_left=series_left.get(row["StudyInstanceUID"], 0),
                studies_left=studies_left.get((row["collection_id"], row["PatientID"]), 0),
            )
    return found


def _series_left(session: Session, studies: Sequence[str]) -> dict[str, int]:
    sql = "SELECT StudyInstanceUID, count(*) AS n FROM index WHERE StudyInstanceUID IN ({}) GROUP BY ALL"
    return {row["StudyInstanceUID"]: row["n"] for row in _rows(session, sql, studies)}


def _studies_left(session: Session, patients: Sequence[str]) -> dict[tuple[str, str], int]:
    """By collection and patient: one PatientID can be another person's in another collection."""
    sql = (
        "SELECT collection_id, PatientID, count(DISTINCT StudyInstanceUID) AS n FROM index "
        "WHERE PatientID IN ({}) GROUP BY ALL"
    )
    return {(row["collection_id"], row["PatientID"]): row["n"] for row in _rows(session, sql, patients)}


def _rows(session: Session, sql: str, values: Sequence[str]) -> list[Row]:
    """The rows of a SELECT with these values in its list; none, at no cost, for no values."""
    return session.rows(sql.format(", ".join("?" * len(values))), values) if values else []


def _by(rows: Iterable[Row], column: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[column]].append(row)
    return groups


def _distinct(rows: Iterable[Row], column: str) -> tuple[Any, ...]:
    return tuple(sorted({row[column] for row in rows if row[column] is not None}))
