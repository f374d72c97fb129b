"""A plan -> rows of the index. SQLite narrows and counts; whether a row matches is decided by ``Condition.test``.

An attribute of a study or series is that of its first file by path. Rows are ordered by StudyInstanceUID, then
SeriesInstanceUID, then InstanceNumber (files without one first), then SOPInstanceUID.
"""

import json
import re
import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...dicom.matching import Condition, Exact, Fuzzy, Range, Test, Wildcard
from ...dicom.query import Plan
from ...dicom.rules import TEXT_VRS, Level, NotSearchable, Rules
from ...dicom.tags import by_tag, tag_of
from ...dicom.values import BULK_VRS, DicomJson
from .index import NARROWING

UIDS = {"0020000D": "study", "0020000E": "series", "00080018": "sop"}
KEYS = {Level.STUDY: ("study",), Level.SERIES: ("study", "series"), Level.INSTANCE: ("study", "series", "sop")}
COMPUTED = {
    "00080061": ("CS", "in_study.modalities"),
    "00080062": ("UI", "in_study.classes"),
    "00201206": ("IS", "in_study.series_count"),
    "00201208": ("IS", "in_study.instances"),
    "00201209": ("IS", "in_series.instances"),
}
"""What no file says: ModalitiesInStudy, SOPClassesInStudy and the numbers of related objects."""
AVAILABILITY = "00080056"
INSTANCE_NUMBER = "00200013"
NOT_COUNTED = frozenset({"00201200", "00201202", "00201204"})  # of a patient
MOST_VERDICTS = 10_000
MOST_RUNS = 4  # of letters and digits in a text that SQLite looks for
LONGEST_ELEMENT = 20_000  # 1,024 bytes, each escaped as \\u0000, and 24 characters around each of 512 names

_IN_STUDY = """(SELECT study AS of_study, COUNT(*) AS instances, COUNT(DISTINCT series) AS series_count,
    json_group_array(DISTINCT modality) AS modalities, json_group_array(DISTINCT sop_class) AS classes
    FROM files WHERE current = 1 {where} GROUP BY study) in_study ON in_study.of_study = f.study"""
_IN_SERIES = """(SELECT study AS of_study, series AS of_series, COUNT(*) AS instances
    FROM files WHERE current = 1 {where} GROUP BY study, series) in_series
    ON in_series.of_study = f.study AND in_series.of_series = f.series"""


class Sql(NamedTuple):
    """A piece of a WHERE clause and its parameters."""

    text: str
    values: tuple[object, ...] = ()


def search(db: sqlite3.Connection, plan: Plan, rules: Rules, limit: int, offset: int) -> tuple[list[DicomJson], int]:
    """The rows ``offset`` to ``offset + limit`` of those that meet ``plan.sent``, and how many do.

    Raises NotSearchable for attributes that the index never has.
    """
    for item in plan.sent:
        if item.attribute.vr in BULK_VRS or item.attribute.tag in NOT_COUNTED:
            raise NotSearchable(f"{item.attribute.name} is not in the index of a folder: leave the filter out.")
    matches = _matches(db, plan)
    return _rows(db, plan, rules, matches[offset : offset + limit]), len(matches)


def _matches(db: sqlite3.Connection, plan: Plan) -> list[int]:
    """The ids of the files that stand for the matching studies, series or instances, in order."""
    within, counted = _within(plan)
    asked = [item for item in plan.sent if item.attribute.tag != AVAILABILITY]
    if len(asked) < len(plan.sent) and not _online(plan.sent):
        return []
    narrowed = [sql for item in asked if (sql := _narrowing(item))]
    sources = [_source(item) for item in asked]
    where = " AND ".join(sql.text for sql in narrowed) or "1"
    statement = (
        f"SELECT f.id {''.join(f', {source}' for source in sources)} FROM {_representatives(plan.level, within)} "
        f"{_facts(sources, counted)} WHERE {where} ORDER BY f.study, f.series, f.number, f.sop"
    )
    facts = " ".join(sources)
    joins = ("in_study." in facts) + ("in_series." in facts)
    values = [*within.values, *counted.values * joins, *(value for sql in narrowed for value in sql.values)]
    deciders = [_Decider(item) for item in asked]
    found = db.execute(statement, values)
    return [row[0] for row in found if all(map(_decide, deciders, row[1:]))]


def _online(conditions: Sequence[Condition]) -> bool:
    online = {AVAILABILITY: _ONLINE}
    return all(item.test(online) is True for item in conditions if item.attribute.tag == AVAILABILITY)


_ONLINE = {"vr": "CS", "Value": ["ONLINE"]}


def _within(plan: Plan) -> tuple[Sql, Sql]:
    """The UIDs that bound the search, and those of them that also bound the files counted of a study."""
    studies = [Sql(" AND study = ?", (plan.study_uid,))] if plan.study_uid else []
    filters = [_uid_narrowing(item, "study") for item in plan.sent if item.attribute.tag == "0020000D"]
    studies += [Sql(f" AND {sql.text}", sql.values) for sql in filters if sql]
    series = [Sql(" AND series = ?", (plan.series_uid,))] if plan.series_uid else []
    return _joined(studies + series), _joined(studies)


def _joined(pieces: Sequence[Sql]) -> Sql:
    return Sql("".join(piece.text for piece in pieces), tuple(value for piece in pieces for value in piece.values))


def _representatives(level: Level, within: Sql) -> str:
    if level is Level.INSTANCE:
        return f"(SELECT * FROM files WHERE current = 1 {within.text}) f"
    # SQLite takes the bare column id from the row that has the minimum
    keys = ", ".join(KEYS[level])
    first = f"(SELECT id, MIN(path) FROM files WHERE current = 1 {within.text} GROUP BY {keys})"
    return f"{first} first JOIN files f ON f.id = first.id"


def _source(item: Condition) -> str:
    """The SQL expression that holds the attribute; ``_Decider`` knows the form of each."""
    tag = item.attribute.tag
    if tag in UIDS:
        return f"f.{UIDS[tag]}"
    if tag in COMPUTED:
        return COMPUTED[tag][1]
    if tag in NARROWING:
        return f"f.{NARROWING[tag]}"
    # far quicker than json_extract; the key stands nowhere else, because quotes within values are escaped
    return f"(SELECT substr(head, instr(head, '{_key(tag)}'), {LONGEST_ELEMENT}) FROM heads WHERE heads.id = f.id)"


def _key(tag: str) -> str:
    return f'"{tag}":'


def _facts(sources: Sequence[str], counted: Sql) -> str:
    """The joins that count, where a condition needs them."""
    text = " ".join(sources)
    joins = [("in_study.", _IN_STUDY), ("in_series.", _IN_SERIES)]
    return " ".join(f"JOIN {join.format(where=counted.text)}" for name, join in joins if name in text)


_decode = json.JSONDecoder().raw_decode


class _Decider:
    """Asks one condition about the forms in which the index holds its attribute, each distinct one once."""

    def __init__(self, condition: Condition) -> None:
        self._condition = condition
        self._verdicts: dict[object, bool] = {}
        tag = condition.attribute.tag
        self._key = "" if tag in UIDS or tag in COMPUTED or tag in NARROWING else _key(tag)

    def decide(self, stored: Any) -> bool:
        if self._key:
            if not stored or not stored.startswith(self._key):
                return False
            start = len(self._key)
            stored = stored[start : _decode(stored, start)[1]]
        verdict = self._verdicts.get(stored)
        if verdict is None:
            if len(self._verdicts) >= MOST_VERDICTS:
                self._verdicts.clear()
            attribute = self._condition.attribute
            element = _element(attribute.tag, attribute.vr, stored)
            verdict = element is not None and self._condition.test({attribute.tag: element}) is True
            self._verdicts[stored] = verdict
        return verdict


def _decide(decider: _Decider, stored: object) -> bool:
    return decider.decide(stored)


def _element(tag: str, vr: str, stored: Any) -> DicomJson | None:
    """DICOM JSON of what ``_source`` selects."""
    if stored is None:
        return None
    if tag in UIDS:
        return {"vr": "UI", "Value": [stored]}
    if tag in COMPUTED:
        return _computed(tag, stored)
    found = json.loads(stored)
    return {"vr": vr, "Value": found} if isinstance(found, list) else found


def _computed(tag: str, stored: Any) -> DicomJson:
    vr = COMPUTED[tag][0]
    if isinstance(stored, int):
        return {"vr": vr, "Value": [stored]}
    lists = (json.loads(text) for text in json.loads(stored) if text)
    values = sorted({str(value) for one in lists for value in one if value is not None})
    return {"vr": vr, "Value": values} if values else {"vr": vr}


def _narrowing(item: Condition) -> Sql | None:
    """A clause that every match fulfils; None when SQLite cannot say one."""
    attribute = item.attribute
    if attribute.tag in UIDS:
        return _uid_narrowing(item, f"f.{UIDS[attribute.tag]}")
    if attribute.tag == INSTANCE_NUMBER:
        return _number_narrowing(item)
    if attribute.tag not in NARROWING:
        return None
    column = f"f.{NARROWING[attribute.tag]}"
    pieces: list[Sql] = []
    for test in item.tests:
        piece = _test_narrowing(attribute.vr, test, column)
        if piece is None:
            return None
        pieces.append(piece)
    text = " OR ".join(piece.text for piece in pieces)
    return Sql(f"({text})", tuple(value for piece in pieces for value in piece.values))


def _uid_narrowing(item: Condition, column: str) -> Sql | None:
    uids = [test.text for test in item.tests if isinstance(test, Exact)]
    if len(uids) < len(item.tests):
        return None
    return Sql(f"{column} IN ({', '.join('?' * len(uids))})", tuple(uids))


def _number_narrowing(item: Condition) -> Sql | None:
    numbers = [test.text for test in item.tests if isinstance(test, Exact)]
    if len(numbers) < len(item.tests):
        return None
    return Sql(f"(f.number IS NULL OR f.number IN ({', '.join('?' * len(numbers))}))", tuple(map(float, numbers)))


def _test_narrowing(vr: str, test: Test, column: str) -> Sql | None:
    match test:
        case Range(low, high) if vr == "DA":
            # the usual form is ["YYYYMMDD"], 12 characters; whatever else stands there has to be looked at
            bounds = (low or "0", high or "9" * 8)
            return Sql(
                f"({column} IS NOT NULL AND (length({column}) <> 12 OR substr({column}, 3, 8) BETWEEN ? AND ?))", bounds
            )
        case Exact(text) if vr == "UI":
            return Sql(f"instr({column}, ?)", (text,))
        case Exact(text) | Wildcard(text) | Fuzzy(text=text) if vr in TEXT_VRS:
            words = test.words if isinstance(test, Fuzzy) else (text,)
            runs = sorted(set(re.findall(r"[a-z0-9]+", " ".join(words).casefold())), key=len)[-MOST_RUNS:]
            contained = " AND ".join([f"instr(lower({column}), ?)"] * len(runs))
            # a backslash escapes what is not ASCII, which SQLite cannot fold
            return Sql(f"({contained} OR instr({column}, '\\'))", tuple(runs)) if runs else None
    return None


def _rows(db: sqlite3.Connection, plan: Plan, rules: Rules, ids: Sequence[int]) -> list[DicomJson]:
    """The result objects of the files with these ids, in their order."""
    wanted = _wanted(plan, rules)
    listed = json.dumps(ids)
    parts = "AND study IN (SELECT study FROM files WHERE id IN (SELECT value FROM json_each(?)))"
    statement = (
        f"SELECT f.id, head, {', '.join(source for _, source in COMPUTED.values())} "
        f"FROM files f JOIN heads ON heads.id = f.id JOIN {_IN_STUDY.format(where=parts)} "
        f"JOIN {_IN_SERIES.format(where=parts)} WHERE f.id IN (SELECT value FROM json_each(?))"
    )
    rows: dict[int, DicomJson] = {}
    for number, head, *computed in db.execute(statement, (listed, listed, listed)):
        elements: dict[str, Any] = json.loads(head)
        elements |= {tag: _computed(tag, value) for tag, value in zip(COMPUTED, computed, strict=True)}
        elements[AVAILABILITY] = _ONLINE
        rows[number] = {tag: elements[tag] for tag in wanted if tag in elements}
    return [rows[number] for number in ids if number in rows]


def _wanted(plan: Plan, rules: Rules) -> list[str]:
    """The tags of a result object, ascending."""
    tags = {tag_of(keyword) for keyword in rules.returned.get(plan.level, frozenset())}
    tags |= {item.tag for item in (*plan.columns, *plan.include)}
    tags |= {item.attribute.tag for item in (*plan.sent, *plan.here)}
    if plan.order:
        tags.add(plan.order[0].tag)
    levels = list(Level)[: plan.level.depth + 1]
    return sorted(tags | {tag_of(level.uid) for level in levels})


def long_texts(plan: Plan) -> list[str]:
    """Names of the filtered attributes whose values may be too long for the index."""
    return [by_tag(i.attribute.tag).name for i in plan.sent if i.attribute.vr in ("LT", "ST", "UC", "UR", "UT")]
