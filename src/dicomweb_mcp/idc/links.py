"""Links that open what is in the release in IDC's viewers."""

from ..dicom.viewers import IDC_VIEWERS
from .index import Session
from .selection import Selection

MOST = 5

_GIVEN = """
    SELECT DISTINCT StudyInstanceUID AS study,
           CASE WHEN SeriesInstanceUID IN (SELECT unnest($uids)) THEN SeriesInstanceUID END AS series
    FROM index
    WHERE StudyInstanceUID IN (SELECT unnest($uids)) OR SeriesInstanceUID IN (SELECT unnest($uids))
"""
_EXAMPLE = "SELECT min(StudyInstanceUID) AS study, NULL AS series FROM index WHERE {where}"
_WITH_SLIDES = """
    SELECT DISTINCT StudyInstanceUID FROM index
    WHERE Modality = 'SM' AND StudyInstanceUID IN (SELECT unnest($studies))
"""


def links(session: Session, selection: Selection) -> list[str]:
    """Of the first studies and series that were given, in their order; of a collection, one study as an example.

    Which viewer is decided by the whole study: what lies on slides is seen with them alone.
    """
    if selection.is_uids:
        uids = selection.ids[:MOST]
        rows = session.rows(_GIVEN, {"uids": list(uids)})
        by_uid = {row["series"] or row["study"]: row for row in rows}
        shown = [by_uid[uid] for uid in uids if uid in by_uid]
    else:
        shown = session.rows(_EXAMPLE.format(where=selection.where), selection.parameters)
    studies = sorted({row["study"] for row in shown})
    slides = {study for (study,) in session.table(_WITH_SLIDES, {"studies": studies})[1]}
    made = [
        (IDC_VIEWERS.slides if row["study"] in slides else IDC_VIEWERS.images).link(row["study"], row["series"])
        for row in shown
    ]
    return [link for link in made if link]
