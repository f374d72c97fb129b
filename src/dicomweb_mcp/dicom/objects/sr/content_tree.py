"""The content tree of a structured report as indented lines, small enough to be read."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from ...facts import amount
from ...values import DEEPEST, DicomJson, clean, element, text
from ..prose import prose
from ..sop_references import SopReference
from .content import (
    KNOWN,
    MOST_ITEMS,
    REFERRING,
    by_reference,
    children,
    is_by_reference,
    is_modifier,
    modifiers,
    name,
    references,
    relationship,
    value_text,
    value_type,
)

MOST_LINES = 1_000
MOST_INDENTED = 10  # levels; deeper lines name theirs
DEEPEST_SHOWN = DEEPEST - 1  # the names and values of deeper items are cut off with the sequences that hold them
LONGEST_LINE = 600
FEW = 3  # images in a row that are named one by one
CONTEXT = ("HAS OBS CONTEXT", "HAS ACQ CONTEXT")  # codes of these say no more than their meanings
WORDS = {"IMAGE": "Image", "COMPOSITE": "Object", "WAVEFORM": "Waveform", "CONTAINER": "Section"}

CONTENT = "0040A730"  # ContentSequence

Entry = list[DicomJson]  # one item, or several that share a line


@dataclass
class Tree:
    """The lines, and how much of the content they do not show."""

    lines: list[str] = field(default_factory=list)
    left_out: int = 0
    deeper: int = 0
    cut_off: int = 0
    characters: int = 0
    odd: int = 0
    unread: bool = False
    unlisted: int = 0

    @property
    def notes(self) -> list[str]:
        return [f"{amount(self.odd, 'content item')} of no known value type."] if self.odd else []

    @property
    def elided(self) -> list[str]:
        more = "more than " if self.unread else ""
        found = (
            (self.left_out, f"{more}{self.left_out} further content items"),
            (self.deeper, f"{self.deeper} content items below level {DEEPEST_SHOWN} of the tree"),
            (self.cut_off, f"what lies below {amount(self.cut_off, 'item')} at level {DEEPEST_SHOWN + 1} of the tree"),
            (self.characters, f"{self.characters} characters of long texts"),
            (self.unlisted, f"UIDs of {self.unlisted} images: fields=['CurrentRequestedProcedureEvidenceSequence']"),
        )
        return [words for count, words in found if count]


def content_tree(root: DicomJson, told: Collection[int] = (), apart: Collection[int] = ()) -> Tree:
    """The tree below a document's root, by ``id`` of items without those ``told`` already; those ``apart`` are rows of
    the answer's items, and only counted here."""
    return _Writer(root, told, apart).written()


class _Writer:
    def __init__(self, root: DicomJson, told: Collection[int], apart: Collection[int]) -> None:
        self._root, self._told, self._apart = root, told, apart
        self._tree = Tree()
        self._instances: dict[str, int] = {}

    def written(self) -> Tree:
        tree = self._tree
        left = MOST_ITEMS
        stack = [self._entries([item for item in children(self._root) if id(item) not in self._told])]
        while stack:
            entry = next(stack[-1], None)
            if entry is None:
                stack.pop()
                continue
            left -= len(entry)
            if left < 0:
                tree.unread = True
                tree.left_out += 1
                break
            depth = len(stack)
            if depth > DEEPEST_SHOWN:
                tree.deeper += len(entry)
            elif len(tree.lines) >= MOST_LINES:
                tree.left_out += len(entry)
            else:
                self._write(entry, depth - 1)
            if len(entry) == 1 and id(entry[0]) not in self._apart:
                below = self._below(entry[0]) if entry[0].get(CONTENT) else []
                tree.cut_off += depth > DEEPEST_SHOWN and not below and CONTENT in entry[0]
                if below:
                    stack.append(self._entries(below))
        return tree

    def _entries(self, items: list[DicomJson]) -> Iterator[Entry]:
        """Items one by one, but those in a row that are shown elsewhere, or are plain images of one kind, together."""
        if len(self._tree.lines) >= MOST_LINES:
            yield from ([item] for item in items)
            return
        for key, run in groupby(items, self._sort):
            entry = list(run)
            if key == "apart" or (key and len(entry) > FEW):
                yield entry
            else:
                yield from ([item] for item in entry)

    def _sort(self, item: DicomJson) -> str:
        if id(item) in self._apart:
            return "apart"
        if value_type(item) not in REFERRING or item.get(CONTENT):
            return ""
        found = references(item)
        return f"{name(item)} {found[0].sop_class}" if len(found) == 1 and not found[0].parts else ""

    def _below(self, item: DicomJson) -> list[DicomJson]:
        """The children that have lines of their own."""
        return [child for child in children(item) if not is_modifier(child)]

    def _write(self, entry: Entry, level: int) -> None:
        item = entry[0]
        margin = "  " * level if level <= MOST_INDENTED else "  " * MOST_INDENTED + f"(level {level + 1}) "
        if id(item) in self._apart:
            times = f" × {len(entry)}" if len(entry) > 1 else ""
            self._tree.lines.append(f"{margin}{name(item) or 'Section'}{times}: see items")
        elif len(entry) > 1:
            self._tree.lines.append(margin + self._several(entry))
        else:
            first, *more = self._lines(item)
            self._tree.lines += [margin + first, *(f"{margin}  > {line}" for line in more)]

    def _several(self, entry: Entry) -> str:
        found = references(entry[0])[0]
        self._tree.unlisted += len(entry)
        return f"{self._label(entry[0])}: {len(entry)} instances{f' of {found.class_name}' if found.class_name else ''}"

    def _lines(self, item: DicomJson) -> list[str]:
        """The line of one item, and after it those of a long text."""
        if is_by_reference(item):
            return [f"{relationship(item).lower() or 'refers to'} {by_reference(self._root, item)}"]
        kind = value_type(item)
        label = self._label(item)
        if kind == "TEXT" and len(lines := self._text(item)) > 1:
            return [f"{label}:", *lines]
        value = value_text(item, with_code=relationship(item) not in CONTEXT)
        if kind in REFERRING:
            value = "; ".join(map(self._instance, references(item)))
        if not value and "BulkDataURI" in (element(item, "TextValue") or {}):
            value = "(a text that the archive keeps apart from the metadata)"
        if kind not in KNOWN:
            self._tree.odd += 1
            value = value or f"(value type {kind or 'missing'})"
        return [clean((f"{label}: {value}" if value else label) + modifiers(item), LONGEST_LINE)]

    def _label(self, item: DicomJson) -> str:
        kind = value_type(item)
        label = name(item) or WORDS.get(kind) or kind.capitalize() or "Item"
        return f"inferred from {label}" if relationship(item) == "INFERRED FROM" else label

    def _instance(self, found: SopReference) -> str:
        """An instance with its UID where it comes first, later by its number alone."""
        first = found.uid not in self._instances
        number = self._instances.setdefault(found.uid, len(self._instances) + 1)
        named = f"{found.class_name} {found.uid or '(no UID)'} = #{number}".strip() if first else f"#{number}"
        return f"{named}, {found.parts}" if found.parts else named

    def _text(self, item: DicomJson) -> list[str]:
        lines, more = prose(text(item, "TextValue"))
        self._tree.characters += more
        return lines
