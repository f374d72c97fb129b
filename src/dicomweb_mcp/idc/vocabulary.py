"""The values that an attribute really has in the index, and which of them a person means by a word.

Free text of many sites is spelled in many ways: case and punctuation never tell values apart, and of a manufacturer
neither do words such as "Medical Systems", as long as the bare name was asked for.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from functools import cached_property

from ..dicom.values import clean
from ..errors import BadArgument
from .attributes import Attribute
from .index import Session
from .spelling import folded
from .wheel import release

MOST_NEAR = 8  # values that are offered for one that does not exist
LEAST_LIKE = 0.6  # how alike two words must be to be offered, of 1
SHORT = 4  # letters of a word that is looked for in the middle of others
MOST_SPELLINGS = 12  # named in an answer


@dataclass(frozen=True)
class Vocabulary:
    """``series``: how many series have a value; ``means``: other names -> a value; ``collections``: of an attribute of
    collections, which of them have a value."""

    series: Mapping[str, int]
    means: Mapping[str, str] = field(default_factory=dict)
    collections: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Everything that a value can be called."""
        return {**self.means, **{value: value for value in self.series}}

    @cached_property
    def folded_names(self) -> Sequence[tuple[str, str]]:
        """The same without case and punctuation, each with its value."""
        return [(folded(name), value) for name, value in self.names.items()]


@dataclass(frozen=True)
class Meant:
    """The values that were meant, the most frequent first; ``near``: others with the same words, which were not."""

    values: list[str]
    near: list[str]


def vocabulary(session: Session, attribute: Attribute) -> Vocabulary:
    """The values of an attribute, and their other names."""
    if attribute.of_collections:
        return _of_collections(session, attribute)
    series: dict[str, int] = {}
    for row in session.rows(_VALUES.format(column=attribute.column)):
        for value in row["value"].split(",") if attribute.is_list else [row["value"]]:
            series[value] = series.get(value, 0) + row["series"]
    means = dict(attribute.means)
    if attribute.names:
        means |= {row["name"]: row["value"] for row in session.rows(attribute.names)}
    return Vocabulary(series, {name: value for name, value in means.items() if value in series})


_VALUES = "SELECT {column} AS value, count(*) AS series FROM index WHERE {column} <> '' GROUP BY 1"
_OF_COLLECTIONS = """
SELECT collection_id, c.{column} AS value, count(*) AS series
FROM index JOIN collections_index AS c USING (collection_id) WHERE c.{column} <> '' GROUP BY 1, 2
"""


def _of_collections(session: Session, attribute: Attribute) -> Vocabulary:
    series: dict[str, int] = {}
    having: dict[str, set[str]] = {}
    for row in session.rows(_OF_COLLECTIONS.format(column=attribute.column)):
        for value in {part.strip() for part in row["value"].split(",")} - {""}:
            series[value] = series.get(value, 0) + row["series"]
            having.setdefault(value, set()).add(row["collection_id"])
    return Vocabulary(series, collections={value: frozenset(ids) for value, ids in having.items()})


def meant(attribute: Attribute, text: str, words: Vocabulary) -> Meant:
    """The values that a person means. Raises BadArgument with the nearest ones when there is none.

    ``*`` stands for any characters. Else values that differ in case and punctuation alone; and where only the bare name
    was given, all that are called so apart from words such as Inc.
    """
    wanted = text.strip()
    if not folded(wanted) and "*" not in wanted:
        raise BadArgument(f"{attribute.argument} is empty: give a value, or leave it out.")
    if "*" in wanted:
        pattern = re.sub(r"([\[?])", r"[\1]", wanted.casefold())
        values = list({value for name, value in words.names.items() if fnmatchcase(name.casefold(), pattern)})
    else:
        values = _same(attribute, wanted, words)
    if not values:
        raise BadArgument(_unknown(attribute, wanted, words))
    values.sort(key=lambda value: -words.series[value])
    return Meant(values, [] if "*" in wanted else [value for value in _near(wanted, words) if value not in values])


def _same(attribute: Attribute, wanted: str, words: Vocabulary) -> list[str]:
    key = folded(wanted)
    values = {value for name, value in words.folded_names if name == key}
    if attribute.bare and attribute.bare(wanted) == key:
        values |= {value for value in words.series if attribute.bare(value) == key}
    return list(values)


def _unknown(attribute: Attribute, wanted: str, words: Vocabulary) -> str:
    near = (_containing(wanted, words) or _alike(wanted, words))[:MOST_NEAR]
    said = f"IDC {release()} has no series with {attribute.argument} {wanted[:60]!r}."
    if near:
        said += f" Nearest: {shown(near, words)}."
    else:
        most = sorted(words.series, key=lambda value: -words.series[value])[:MOST_NEAR]
        said += f" The most frequent of {len(words.series):,} values: {shown(most, words)}."
    word = clean(wanted.strip("*"))[:20]
    return f"{said} * stands for any characters, as in *{word}*; group_by lists what there is."


def _near(wanted: str, words: Vocabulary) -> list[str]:
    """Values with the same words, the most frequent first; a short word is in too many others to count as a part."""
    if len(folded(wanted)) >= SHORT:
        return _containing(wanted, words)
    word = wanted.casefold()
    return [value for value in _containing(wanted, words) if word in re.findall(r"[^\W_]+", value.casefold())]


def _containing(wanted: str, words: Vocabulary) -> list[str]:
    """Values that contain all words of what was wanted, the most frequent first."""
    parts = [folded(part) for part in wanted.replace("*", " ").split()]
    found = {value for name, value in words.folded_names if all(part in name for part in parts)}
    return sorted(found, key=lambda value: -words.series.get(value, 0))


def _alike(wanted: str, words: Vocabulary) -> list[str]:
    key = folded(wanted)
    likeness: dict[str, float] = {}
    for name, value in words.folded_names:
        likeness[value] = max(likeness.get(value, 0), SequenceMatcher(None, key, name[:200]).ratio())
    near = [value for value, like in likeness.items() if like >= LEAST_LIKE]
    return sorted(near, key=lambda value: (-likeness[value], -words.series.get(value, 0)))


def shown(values: list[str], words: Vocabulary, most: int = MOST_SPELLINGS) -> str:
    """Values with how many series have them."""
    said = ", ".join(f"{value} ({words.series.get(value, 0):,})" for value in values[:most])
    return said + (f" and {len(values) - most} more" if len(values) > most else "")
