"""Links that open what is in the release in IDC's viewers."""

from ..dicom.viewers import IDC_VIEWERS
from .index import Session
from .selection import Selection

MOST = 5

_EXAMPLE = "SELECT min(StudyInstanceUID) FROM index WHERE {where}"
_WITH_SLIDES = """
    SELECT DISTINCT StudyInstanceUID FROM index
    WHERE Modality = 'SM' AND StudyInstanceUID IN (SELECT unnest($studies))
"""


def links(session: Session, selection: Selection) -> list[str]:
    """Of the first studies and series that were given, in their order; of a collection, one study as an example.

    Which viewer is decided by the whole study: what lies on slides is seen with them alone.
    """
    if selection.is_uids:
        shown = [(selection.studies[uid], uid) for uid in selection.ids[:MOST]]
    else:
        _, ((example,),) = session.table(_EXAMPLE.format(where=selection.where), selection.parameters)
        shown = [(example, example)]
    _, rows = session.table(_WITH_SLIDES, {"studies": sorted({study for study, _ in shown})})
    slides = {study for (study,) in rows}
    made = [
        (IDC_VIEWERS.slides if study in slides else IDC_VIEWERS.images).link(study, None if uid == study else uid)
        for study, uid in shown
    ]
    return [link for link in made if link]
