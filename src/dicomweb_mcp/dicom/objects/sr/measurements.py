"""Measurement groups of reports (PS3.16 TID 1500: TID 1410, 1411, 1501) as rows: one per measurement or evaluation.

A group is found by its concept name wherever it lies, whatever template the document claims.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from ...facts import amount, filled, first_few, ranges, shared
from ...values import DicomJson, clean
from ..sop_references import SopReference
from .content import (
    LONGEST_PART,
    REFERRING,
    Concept,
    children,
    concept,
    containers,
    is_by_reference,
    is_modifier,
    line,
    modifiers,
    name,
    numeric,
    references,
    relationship,
    target,
    value_text,
    value_type,
)
from .table import MOST_ROWS, Table

GROUP: Concept = ("125007", "DCM")
SEGMENTS = {("121191", "DCM"), ("121214", "DCM")}  # Referenced Segment, Referenced Segmentation Frame
SITE = {("363698007", "SCT"), ("G-C0E3", "SRT")}
MOST_IMAGES = 3  # named of one group
MOST_CONTEXT = 12
MOST_PROPERTIES = 8
COLUMNS: dict[Concept, str] = {
    ("112039", "DCM"): "tracking_identifier",
    ("112040", "DCM"): "tracking_uid",
    ("121071", "DCM"): "finding",
    ("276214006", "SCT"): "finding_category",
    ("370129005", "SCT"): "method",
    ("G-C036", "SRT"): "method",
    ("121232", "DCM"): "source_series",
    **dict.fromkeys(SITE, "finding_site"),
}
ONCE = (
    "tracking_uid",
    "finding_category",
    "method",
    "group_context",
    "image",
    "segmentation",
    "source_series",
    "region",
)
"""What describes a group and would be long in every row of it."""
_WHERE = {"image", "segment", "segmentation", "region"}  # a measurement's own replace those of its group


@dataclass
class _Where:
    """What a group or a measurement was measured on."""

    images: list[SopReference] = field(default_factory=list)
    segments: list[SopReference] = field(default_factory=list)
    regions: Counter[str] = field(default_factory=Counter)

    def add(self, root: DicomJson, item: DicomJson) -> bool:
        """Take in an image, segment or region, also by reference; whether the item is one."""
        if is_by_reference(item):
            item = target(root, item) or {}
        kind = value_type(item)
        if kind in REFERRING and kind != "COMPOSITE":
            for found in references(item):
                (self.segments if found.segments or concept(item) in SEGMENTS else self.images).append(found)
        elif kind in ("SCOORD", "SCOORD3D"):
            self.regions[value_text(item).partition(",")[0]] += 1
            for child in children(item):
                if value_type(child) == "IMAGE":
                    self.images += references(child)
        else:
            return False
        return True

    def row(self) -> dict[str, Any]:
        return filled(
            image=_listed(found.uid + (f", {found.parts}" if found.parts else "") for found in self.images),
            segment=ranges(number for found in self.segments for number in found.segments),
            segmentation=_listed(
                found.uid + (f", frames {ranges(found.frames)}" if found.frames else "") for found in self.segments
            ),
            region=", ".join(
                shape if count == 1 else f"{count} {shape}" for shape, count in self.regions.most_common(5)
            ),
        )


def _listed(texts: Iterable[str]) -> str | list[str]:
    """One text, or a list of the different ones, cut after MOST_IMAGES."""
    found = list(dict.fromkeys(texts))
    return found[0] if len(found) == 1 else first_few(found, MOST_IMAGES)


@dataclass
class _Group:
    """One measurement group: what it says of itself, and its rows."""

    where: _Where = field(default_factory=_Where)
    columns: dict[str, str] = field(default_factory=dict)
    context: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    left_out: int = 0

    def table_rows(self, number: int) -> list[dict[str, Any]]:
        context = self.context[:MOST_CONTEXT]
        self.left_out += len(self.context) - len(context)
        columns = {column: self.columns[column] for column in dict.fromkeys(COLUMNS.values()) if column in self.columns}
        place = self.where.row()
        own = {"group": number} | columns | filled(group_context="; ".join(context))
        return [own | ({} if row.keys() & _WHERE else place) | row for row in self.rows or [{}]]


def measurement_groups(root: DicomJson) -> Table | None:
    """The measurement groups of a report; None when it has none."""
    groups = containers(root, {GROUP})
    if not groups:
        return None
    table = Table(shown=set(map(id, groups)))
    left_out = 0
    for number, item in enumerate(groups, 1):
        group = _group(root, item)
        found = group.table_rows(number)
        if len(table.rows) + len(found) > MOST_ROWS:
            table.rows += found[: MOST_ROWS - len(table.rows)]
            table.elided.append(
                f"measurements after the first {MOST_ROWS}: {len(groups) - number + 1} groups hold more"
            )
            break
        left_out += group.left_out
        table.rows += found
    table.facts = {"measurement_groups": len(groups)}
    if not table.elided:
        table.facts |= shared(table.rows, keep=("group", "measurement", "value"))
    if left_out:
        table.elided.append(f"{amount(left_out, 'content item')} of measurement groups that are no measurements")
    if once := _once(table.rows):
        table.notes.append(f"{', '.join(once)}: in the first row of a group alone when the same for all of it.")
    return table


def _once(rows: list[dict[str, Any]]) -> list[str]:
    """Takes out of the later rows of a group what its first one says for all of them; the names of these columns."""
    taken: set[str] = set()
    for _, held in groupby(rows, key=itemgetter("group")):
        first, *later = held
        same = {column for column in ONCE if later and all(row.get(column) == first.get(column, row) for row in later)}
        for row in later:
            for column in same:
                del row[column]
        taken |= same
    return [column for column in ONCE if column in taken]


def _group(root: DicomJson, item: DicomJson) -> _Group:
    """The content of one group, with that of containers in it, but not that of groups in it."""
    group = _Group()
    stack = [iter(children(item))]
    while stack:
        found = next(stack[-1], None)
        if found is None:
            stack.pop()
        elif concept(found) == GROUP:
            continue
        elif value_type(found) == "CONTAINER":
            stack.append(iter(children(found)))
        else:
            _take(root, group, found)
    return group


def _take(root: DicomJson, group: _Group, item: DicomJson) -> None:
    """One item of a group: a column of it, where it was measured, a measurement or evaluation, or context."""
    kind, column = value_type(item), COLUMNS.get(concept(item), "")
    if group.where.add(root, item):
        group.left_out += sum(value_type(child) != "IMAGE" and not is_modifier(child) for child in children(item))
        return
    if column and column not in group.columns and (value := _with_modifiers(item)):
        group.columns[column] = value
        group.left_out += sum(not is_modifier(child) for child in children(item))
    elif kind == "NUM" or (
        kind in ("CODE", "TEXT") and relationship(item) not in ("HAS OBS CONTEXT", "HAS CONCEPT MOD")
    ):
        group.rows.append(_row(root, group, item))
    else:
        said = _context_line(item)
        group.context += filter(None, [said])
        group.left_out += len(children(item)) + (not said)


def _with_modifiers(item: DicomJson) -> str:
    """A finding or site and what narrows it down: ``Lung (39607008, SCT), Left``."""
    narrower = [value_text(child, with_code=False) for child in children(item) if is_modifier(child)]
    return clean(", ".join(filter(None, (value_text(item), *narrower))), LONGEST_PART)


def _context_line(item: DicomJson) -> str:
    named = [found.uid for found in references(item)] if value_type(item) in REFERRING else []
    return f"{name(item) or 'refers to'}: {_joined(named)}" if named else line(item) + modifiers(item)


def _joined(uids: list[str]) -> str:
    found = _listed(uids)
    return found if isinstance(found, str) else ", ".join(found)


def _row(root: DicomJson, group: _Group, item: DicomJson) -> dict[str, Any]:
    """A measurement (TID 300, 1419) or qualitative evaluation, with what is said of it alone."""
    kind = value_type(item)
    where, site = _Where(), ""
    narrower: list[str] = []
    properties: list[str] = []
    for child in children(item):
        if concept(child) in SITE and not site:
            site = _with_modifiers(child)
        elif relationship(child) == "HAS CONCEPT MOD" and (said := value_text(child, with_code=False)):
            narrower.append(said)
        elif not where.add(root, child):
            said = "" if value_type(child) == "UIDREF" else line(child) + modifiers(child)
            properties += filter(None, [said])
            group.left_out += not said
    group.left_out += len(properties[MOST_PROPERTIES:])
    value, unit = numeric(item) if kind == "NUM" else (clean(value_text(item), LONGEST_PART), "")
    called = (name(item) or kind.capitalize()) + (f" ({', '.join(narrower)})" if narrower else "")
    return (
        filled(
            measurement=clean(called, LONGEST_PART),
            value=value,
            unit=unit,
            finding_site=site,
            properties="; ".join(properties[:MOST_PROPERTIES]),
        )
        | where.row()
    )
