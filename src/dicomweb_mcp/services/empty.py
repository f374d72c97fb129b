"""Nothing matched: which of the values that were sent the archive does not know, when at most two requests tell it."""

import re
from dataclasses import replace

from ..archives.base import Archive, ArchiveError
from ..dicom.matching import Condition, Exact
from ..dicom.query import Plan
from ..dicom.rules import TEXT_VRS, Level
from .idc.known import look_up
from .lookup import first_row, where_else

MOST_REQUESTS = 2


async def why_empty(archive: Archive, plan: Plan) -> list[str]:
    """Sentences for an answer without rows; none when the reasons are not cheap to find."""
    try:
        return await _missing_parent(archive, plan) or await _unknown_values(archive, plan)
    except ArchiveError:  # the search itself was answered: a reason that cannot be found is no failure of it
        return []


async def _missing_parent(archive: Archive, plan: Plan) -> list[str]:
    """When the study or series that was named is not in the archive at all: whether it is a UID of another level."""
    if plan.series_uid:
        level, other, uid = Level.SERIES, Level.STUDY, plan.series_uid
    elif plan.study_uid:
        level, other, uid = Level.STUDY, Level.SERIES, plan.study_uid
    else:
        return []
    if await first_row(archive, level, uid) is not None:
        return []
    elsewhere = await where_else(archive, level, uid, among=(other,))
    return [elsewhere or f"The archive has no {level} {uid}: copy UIDs whole from a search answer."]


async def _unknown_values(archive: Archive, plan: Plan) -> list[str]:
    sent = plan.sent
    hints = [hint for item in sent if (hint := _hint(item))]
    if plan.within or plan.here or not 1 <= len(sent) <= MOST_REQUESTS:
        return hints
    if len(sent) == 1 and (told := await _told_by_index(archive, sent[0])):
        return [told]
    unknown = [item for item in sent if len(sent) == 1 or not await _matches_alone(archive, plan, item)]
    if not unknown:
        return [f"Each filter alone matches some {plan.level}, together they match none.", *hints]
    return [f"The archive has {' and '.join(f'no {plan.level} with {item}' for item in unknown)}.", *hints]


async def _told_by_index(archive: Archive, item: Condition) -> str:
    """What the index of IDC says of the one UID that was sent as a filter; empty for anything else."""
    level = next((level for level in (Level.STUDY, Level.SERIES) if level.uid == item.attribute.keyword), None)
    finding = await look_up(archive, level, item.values[0]) if level and len(item.values) == 1 else None
    return finding.why_absent() if finding else ""


async def _matches_alone(archive: Archive, plan: Plan, item: Condition) -> bool:
    page = await archive.search(replace(plan, sent=(item,), here=(), order=None), limit=1, offset=0)
    return any(item.test(row) is not False for row in page.rows)


def _hint(item: Condition) -> str:
    """How a text that is matched as a whole could be found in part."""
    if item.attribute.vr not in TEXT_VRS - {"CS"} or not all(isinstance(test, Exact) for test in item.tests):
        return ""
    if re.match(r"[<>]", item.values[0]) or ".." in item.values[0]:
        return f"{item.attribute.name} is text, which is not compared: ranges are for dates, times and numbers."
    by_words = " or fuzzy=true" if item.attribute.vr == "PN" else ""
    return f"{item.attribute.name} is matched as a whole: *{item.values[0][:60]}*{by_words} finds it as a part."
