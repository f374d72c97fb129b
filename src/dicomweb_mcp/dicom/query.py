"""What was asked + the rules of a server -> a plan: what is sent, what is matched here, or why it is refused.

Nothing is sent that the rules do not allow, and no filter is dropped: a filter is in ``Plan.sent``, in ``Plan.here``,
in both (the server narrows, this program decides), or the plan is refused.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import BadArgument
from .filters import condition
from .matching import Condition, Exact, Range, Test, Wildcard
from .rules import Level, Match, NotSearchable, Rules, owner
from .tags import Attribute, UnknownAttribute, attribute, by_tag, nearest_keywords, tag_of

MOST_FILTERS = 30
MOST_FIELDS = 100
NOT_PLAIN = re.compile(r"[^A-Za-z0-9^*?.:!~'()_-]")


@dataclass(frozen=True)
class Query:
    """A search as a caller asks it. ``fields`` are what to return besides the UIDs; ``defaults`` where it is None."""

    level: Level
    study_uid: str | None = None
    series_uid: str | None = None
    filters: Mapping[str, Any] | None = None
    fields: Sequence[str] | None = None
    defaults: Sequence[str] = ()
    order: str | None = None
    fuzzy: bool = False


@dataclass(frozen=True)
class Plan:
    """A search that a server can take.

    ``sent`` is matched by the server, ``here`` by this program on what comes back; ``include`` must be asked for;
    ``columns`` are what a row shows after its UIDs; ``order`` is an attribute and whether it descends. ``series_uid``
    comes with its study's UID only.
    """

    level: Level
    study_uid: str | None
    series_uid: str | None
    sent: tuple[Condition, ...]
    here: tuple[Condition, ...]
    include: tuple[Attribute, ...]
    columns: tuple[Attribute, ...]
    order: tuple[Attribute, bool] | None = None
    notes: tuple[str, ...] = ()

    @property
    def fuzzy(self) -> bool:
        """Whether the server is asked for fuzzy matching."""
        return any(Match.FUZZY in item.needs for item in self.sent)

    @property
    def within(self) -> tuple[Condition, ...]:
        """What the path of the request says: the study and series that every row must belong to."""
        uids = (("StudyInstanceUID", self.study_uid), ("SeriesInstanceUID", self.series_uid))
        return tuple(Condition(by_tag(tag_of(keyword)), (Exact(uid),)) for keyword, uid in uids if uid)

    def matched_here(self, conditions: Sequence[Condition]) -> "Plan":
        """The same plan with these conditions no longer trusted to the server."""
        sent = tuple(item for item in self.sent if item not in conditions)
        decided = {item.attribute for item in self.here}  # one that only narrowed is decided here already
        more = tuple(item for item in conditions if item.attribute not in decided)
        return replace(self, sent=sent, here=(*self.here, *more))


def make_plan(query: Query, rules: Rules) -> Plan:
    """The plan for a query under a server's rules.

    Raises NotSearchable, UnknownAttribute or BadArgument: what was wrong, what this server can search, what to do.
    """
    filters = dict(query.filters or {})
    if query.series_uid and not query.study_uid:  # there is no path to a series without its study
        if any(_is_series_uid(key) for key in filters):
            raise BadArgument("SeriesInstanceUID is given twice: as series_uid and as a filter.")
        filters["SeriesInstanceUID"] = query.series_uid
    if len(filters) > MOST_FILTERS:
        raise BadArgument(f"{len(filters)} filters are too many; at most {MOST_FILTERS}.")
    sent: list[Condition] = []
    here: list[Condition] = []
    notes: list[str] = []
    seen: set[Attribute] = set()
    for key, value in filters.items():
        wanted = _filter_attribute(key, query.level, rules, notes)
        _refuse_wrong_level(wanted, query, rules)
        if wanted in seen:
            raise BadArgument(f"{wanted.name} is filtered twice: give one filter with a range or a list.")
        seen.add(wanted)
        asked = condition(wanted, value, fuzzy=query.fuzzy)
        to_server, to_us = _divide(asked, query.level, rules)
        if rules.fuzzy_note and any(Match.FUZZY in item.needs for item in to_server):
            notes.append(rules.fuzzy_note)
        sent += to_server
        here += to_us
    if query.fuzzy and not any(item.attribute.vr == "PN" for item in (*sent, *here)):
        notes.append("fuzzy=true changes nothing here: it is about filters on person names.")
    columns = _columns(query, rules, [item for item in (*sent, *here) if not _says_one_value(item)])
    order = _order(query, rules)
    uids = [by_tag(tag_of(keyword)) for keyword in query.level.uids]
    needed = [*uids, *columns, *(item.attribute for item in (*sent, *here)), *([order[0]] if order else [])]
    include = tuple(
        dict.fromkeys(
            item for item in needed if rules.gives(query.level, item) and not rules.comes_unasked(query.level, item)
        )
    )
    return Plan(
        level=query.level,
        study_uid=query.study_uid,
        series_uid=query.series_uid if query.study_uid else None,
        sent=tuple(sent),
        here=tuple(here),
        include=include,
        columns=columns,
        order=order,
        notes=tuple(notes),
    )


def _is_series_uid(key: str) -> bool:
    try:
        return attribute(key).keyword == "SeriesInstanceUID"
    except UnknownAttribute:
        return False


def _filter_attribute(key: str, level: Level, rules: Rules, notes: list[str]) -> Attribute:
    if "." in key.strip("."):
        raise NotSearchable(
            f"{key[:60]!r} is a path into a sequence, which cannot be a filter here. {_what_can(rules, level)}"
        )
    try:
        found = attribute(key)
    except UnknownAttribute as problem:
        searchable = tuple(rules.searchable[level])
        near = nearest_keywords(key, searchable)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        message = f"{key[:60]!r} is not a DICOM keyword.{hint}" if near else str(problem)
        raise UnknownAttribute(f"{message} {_what_can(rules, level)} Nothing was searched.") from None
    if found.keyword == "Modality" and level is Level.STUDY:
        notes.append("A study has no Modality of its own: ModalitiesInStudy was meant.")
        return by_tag(tag_of("ModalitiesInStudy"))
    return found


def _refuse_wrong_level(wanted: Attribute, query: Query, rules: Rules) -> None:
    level, owned = query.level, owner(wanted)
    if rules.matching(level, wanted) and wanted.keyword in rules.searchable[level]:
        if owned.depth < level.depth and not rules.parent_filters and query.study_uid:
            raise NotSearchable(
                f"{wanted.name} belongs to the {owned}, which study_uid already names: leave the filter out."
            )
        return
    if owned.depth > level.depth:
        raise NotSearchable(
            f"{wanted.name} belongs to the {owned}, and a search for {level.plural} cannot match it. "
            f"Use {owned.tool} with this filter: it works across studies. {_what_can(rules, level)}"
        )


def _divide(asked: Condition, level: Level, rules: Rules) -> tuple[list[Condition], list[Condition]]:
    """What the server is sent of one condition, and what is matched here."""
    able = rules.matching(level, asked.attribute)
    gives = rules.gives(level, asked.attribute)
    weaker = _weaker(asked, rules)
    if weaker is not None and weaker.needs <= able:
        if weaker == asked and not (rules.fuzzy_any_word and Match.FUZZY in asked.needs):
            return [asked], []
        if gives:
            return [weaker], [asked]
    if gives:
        return [], [asked]
    raise NotSearchable(_why_not(asked, able, level, rules))


def _weaker(asked: Condition, rules: Rules) -> Condition | None:
    """The condition as far as a query string can say it: the same, or one that lets more through; None for none.

    QIDO-RS has no ranges of numbers and no range without its ends; servers compare times as text and miss a stored 0800
    between 080000 and 090000; a comma separates the values of a list, for some even where it is encoded; some take
    plain characters only, and their ``?`` matches no letter beyond ASCII.
    """
    if rules.own_matching:
        return asked
    if asked.is_numeric_range:
        return None
    weaker = Condition(asked.attribute, tuple(_sendable(asked.attribute.vr, test, rules) for test in asked.tests))
    says_something = all(set(value) - set("*?") for value in weaker.values)
    return weaker if weaker == asked or says_something else None


def _sendable(vr: str, test: Test, rules: Rules) -> Test:
    match test:
        case Range(low, high) if vr == "TM":
            return Range(low[:2], f"{high[:2]}5959.999999" if high else "")
        case Range(low, high, strict=True):
            return Range(low, high)
        case Exact(text) if rules.plain_only and NOT_PLAIN.search(text):
            return Wildcard(_plain_pattern(text))
        case Wildcard(text) if rules.plain_only:
            return Wildcard(_plain_pattern(text.replace("?", "*")))
        case Exact(text) | Wildcard(text) if "," in text:
            return Wildcard(text.replace(",", "?"))
        case _:
            return test


def _plain_pattern(text: str) -> str:
    """A pattern of plain characters that matches ``text``: ``CT Chest, Müller`` -> ``CT?Chest??M*ller``."""
    pattern = "".join("*" if not char.isascii() else "?" if NOT_PLAIN.match(char) else char for char in text)
    return re.sub(r"\*{2,}", "*", pattern)


def _says_one_value(item: Condition) -> bool:
    return item.needs == {Match.EXACT}


def _columns(query: Query, rules: Rules, open_filters: Sequence[Condition]) -> tuple[Attribute, ...]:
    """What was asked for; else the usual columns and what was filtered by more than one value, so that it is seen."""
    if query.fields is None:
        named = [by_tag(tag_of(keyword)) for keyword in query.defaults]
        filtered = [item.attribute for item in open_filters if item.attribute.keyword not in query.level.uids]
        return tuple(dict.fromkeys(item for item in (*named, *filtered) if rules.gives(query.level, item)))
    if len(query.fields) > MOST_FIELDS:
        raise BadArgument(f"{len(query.fields)} fields are too many; at most {MOST_FIELDS}.")
    return tuple(dict.fromkeys(_field(key, query.level, rules) for key in query.fields))


def _field(key: str, level: Level, rules: Rules) -> Attribute:
    if "." in key.strip("."):
        raise BadArgument(f"fields={key[:60]!r}: a search returns top-level attributes; get_metadata reads sequences.")
    wanted = attribute(key)
    if rules.gives(level, wanted):
        return wanted
    owned = owner(wanted)
    if owned.depth > level.depth:
        raise NotSearchable(
            f"{wanted.name} belongs to the {owned}: ask {owned.tool} for it, or get_metadata of one series."
        )
    raise NotSearchable(
        f"{rules.server} does not return {wanted.name} in a search for {level.plural}. "
        f"It returns {', '.join(sorted(_given(rules, level)))}. get_metadata reads everything else."
    )


def _order(query: Query, rules: Rules) -> tuple[Attribute, bool] | None:
    if query.order is None:
        return None
    key = query.order.strip()
    wanted = attribute(key.lstrip("-"))
    if not rules.gives(query.level, wanted) or wanted.vr == "SQ":
        raise NotSearchable(
            f"{query.level.plural} cannot be ordered by {wanted.name}: {rules.server} does not return it in a search. "
            f"It returns {', '.join(sorted(_given(rules, query.level)))}."
        )
    return wanted, key.startswith("-")


def _given(rules: Rules, level: Level) -> set[str]:
    return set(rules.returned.get(level, frozenset())) | set(rules.includable.get(level) or ())


def _why_not(asked: Condition, able: frozenset[Match], level: Level, rules: Rules) -> str:
    name = asked.attribute.name
    if not able:
        reason = f"{rules.server} cannot search {level.plural} by {name}, and does not return it either."
    else:
        comma = "a comma" if any("," in value for value in asked.values) else "such a value"
        lacking = ", ".join(sorted(asked.needs - able)) or comma
        reason = f"{rules.server} matches {name} only as {', '.join(sorted(able))}; {lacking} is not possible."
    return f"{reason} {_what_can(rules, level)} Nothing was searched."


def _what_can(rules: Rules, level: Level) -> str:
    listed = "; ".join(f"{', '.join(keywords)} ({ways})" for ways, keywords in rules.by_ways(level).items())
    more = " and any other attribute of that level" if rules.open else ""
    return f"Searchable for {level.plural}: {listed}{more}. {rules.hint}".rstrip()
