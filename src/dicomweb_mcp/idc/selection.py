"""Series of the release that are asked for together: by the UIDs of studies and series, or by a collection."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from ..dicom.uids import is_uid
from ..dicom.values import clean
from ..errors import BadArgument
from .index import Row, Session
from .wheel import release

LONGEST_SHOWN = 80
Place = tuple[str, str]  # bucket at Amazon, and the folder in it
NEAR = 5  # names that are offered for one that is not known

_NAMED = """
    SELECT StudyInstanceUID, SeriesInstanceUID FROM index WHERE StudyInstanceUID IN (SELECT unnest($uids))
    UNION SELECT StudyInstanceUID, SeriesInstanceUID FROM index WHERE SeriesInstanceUID IN (SELECT unnest($uids))
"""
_GROUPS = """
    SELECT license_short_name AS licence, lower(source_DOI) AS doi, coalesce(aws_bucket, '') AS bucket,
           Modality AS modality, analysis_result_id IS NOT NULL AS is_result, count(*) AS series,
           sum(instanceCount)::BIGINT AS instances, sum(series_size_MB) AS size_mb
    FROM index WHERE {where} GROUP BY ALL
"""
_COUNTS = """
    SELECT count(DISTINCT collection_id) AS collections, count(DISTINCT (collection_id, PatientID)) AS patients,
           count(DISTINCT StudyInstanceUID) AS studies
    FROM index WHERE {where}
"""
_PLACES = """
    SELECT coalesce(aws_bucket, '') AS bucket, coalesce(crdc_series_uuid, '') AS uuid FROM index WHERE {where}
    ORDER BY collection_id, PatientID, StudyInstanceUID, SeriesInstanceUID
"""


@dataclass(frozen=True)
class Selection:
    """``where`` with its ``parameters`` finds the series; ``ids`` are what they were named by: UIDs, each with its
    study in ``studies``, or a collection's id. ``missing`` are the UIDs that the release does not have, each with the
    reason."""

    where: str
    parameters: Mapping[str, Any]
    ids: tuple[str, ...]
    words: str
    studies: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_uids(self) -> bool:
        """Whether UIDs were given, and no collection."""
        return bool(self.studies)

    def groups(self, session: Session) -> list[Row]:
        """Series counted by all that matters for licences, citations and files."""
        return session.rows(_GROUPS.format(where=self.where), self.parameters)

    def counts(self, session: Session) -> Row:
        """Collections, patients and studies; a PatientID counts within its collection."""
        return session.rows(_COUNTS.format(where=self.where), self.parameters)[0]

    def places(self, session: Session) -> list[Place]:
        """Where each series lies, in the order of patients and studies."""
        _, rows = session.table(_PLACES.format(where=self.where), self.parameters)
        return [(bucket, uuid) for bucket, uuid in rows]


def by_uids(session: Session, uids: Sequence[str]) -> Selection:
    """All series of the studies, and the series. Raises BadArgument when the release has none of them."""
    given = list(dict.fromkeys(uid.strip(" \0\t\r\n") for uid in uids))
    well = [uid for uid in given if is_uid(uid)]
    _, found = session.table(_NAMED, {"uids": well})
    there = {series: study for study, series in found} | {study: study for study, _ in found}
    missing = _why_missing(session, [uid for uid in given if uid not in there])
    ids = tuple(uid for uid in well if uid in there)
    if not ids:
        raise BadArgument(_nothing_found(missing))
    words = f"the series of {len(ids):,} studies and series given by UID" if len(ids) > 1 else f"the series of {ids[0]}"
    return Selection(
        "SeriesInstanceUID IN (SELECT unnest($series))",
        {"series": [series for _, series in found]},
        ids,
        words,
        studies={uid: there[uid] for uid in ids},
        missing=missing,
    )


def by_collection(session: Session, name: str) -> Selection:
    """All series of a collection, or of an analysis result. Raises BadArgument with the nearest names."""
    known = _names(session)
    found = known.get(_folded(name))
    if found is None:
        near = _near(_folded(name), known)
        offered = f" Near it: {', '.join(near)}." if near else ""
        raise BadArgument(
            f"IDC {release()} has no collection or analysis result {clean(name, LONGEST_SHOWN)!r}.{offered} Their ids "
            "are in collections_index and analysis_results_index. UIDs go into uids."
        )
    column, identifier = found
    words = f"the {'collection' if column == 'collection_id' else 'analysis result'} {clean(identifier)}"
    selection = Selection(f"{column} = $id", {"id": identifier}, (identifier,), words)
    if not session.rows(f"SELECT 1 FROM index WHERE {selection.where} LIMIT 1", selection.parameters):
        raise BadArgument(f"{words[0].upper()}{words[1:]} has no series in IDC {release()}.")
    return selection


def _names(session: Session) -> dict[str, tuple[str, str]]:
    """Folded name -> column and id; what is an id goes before what is a name of another."""
    names: dict[str, tuple[str, str]] = {}
    for sql in (
        "SELECT 'collection_id', collection_id, collection_id FROM collections_index",
        "SELECT 'analysis_result_id', analysis_result_id, analysis_result_id FROM analysis_results_index",
        "SELECT 'collection_id', collection_id, collection_name FROM collections_index",
    ):
        for column, identifier, name in session.table(sql)[1]:
            if folded := _folded(name or ""):
                names.setdefault(folded, (column, identifier))
    return names


def _near(name: str, known: Mapping[str, tuple[str, str]]) -> list[str]:
    """Ids of names that contain it, or are spelt alike."""
    within = [other for other in known if len(name) > 2 and (name in other or other in name)]
    alike = get_close_matches(name, known, n=NEAR)
    return list(dict.fromkeys(clean(known[other][1]) for other in [*alike, *sorted(within)] if other))[:NEAR]


def _folded(name: str) -> str:
    """A name without regard to case and separators: ``TCGA-LUAD`` is ``tcga_luad``."""
    return re.sub(r"[\W_]+", "_", name[: 2 * LONGEST_SHOWN].casefold()).strip("_")


def _why_missing(session: Session, uids: Sequence[str]) -> dict[str, str]:
    if not uids:
        return {}
    asked = [uid for uid in uids if is_uid(uid)]
    last = {
        row["uid"]: row["last"]
        for row in session.rows(
            """
            SELECT uid, max(max_idc_version) AS last FROM (
                SELECT SeriesInstanceUID AS uid, max_idc_version FROM prior_versions_index
                UNION ALL SELECT StudyInstanceUID, max_idc_version FROM prior_versions_index
            ) WHERE uid IN (SELECT unnest($uids)) GROUP BY uid
            """,
            {"uids": asked},
        )
    }
    return {uid: _reason(uid, last) for uid in uids}


def _reason(uid: str, last: Mapping[str, int]) -> str:
    if not is_uid(uid):
        return "not a UID: digits separated by dots, at most 64 characters"
    if uid in last:
        return f"retired: last in release v{last[uid]}; its licence and citation are not in the index of {release()}"
    return "not in the index: unknown, or the UID of an instance, of which it holds none (give its series)"


def _nothing_found(missing: Mapping[str, str]) -> str:
    shown = [f"{clean(uid, LONGEST_SHOWN) or 'an empty text'} ({reason})" for uid, reason in list(missing.items())[:5]]
    more = f" and {len(missing) - 5:,} more" if len(missing) > 5 else ""
    return (
        f"IDC {release()} has none of the UIDs: {'; '.join(shown)}{more}. Copy StudyInstanceUIDs or SeriesInstanceUIDs "
        "whole from an answer; the id of a collection goes into collection."
    )
