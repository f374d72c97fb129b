"""Licences of a selection: how much is under each, and what each says about commercial use."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ..dicom.values import clean
from .index import Session

LONGEST_NAME = 120
NOT_STATED = "not stated"


class Use(StrEnum):
    """Whether data may be used commercially."""

    WITH_ATTRIBUTION = "yes, with attribution"
    NO = "no"
    READ_TERMS = "read the terms"


_CREATIVE_COMMONS = "https://creativecommons.org/licenses"
KNOWN: Mapping[str, tuple[Use, str]] = {  # the name in the index -> what it allows, its text
    "CC BY 3.0": (Use.WITH_ATTRIBUTION, f"{_CREATIVE_COMMONS}/by/3.0/"),
    "CC BY 4.0": (Use.WITH_ATTRIBUTION, f"{_CREATIVE_COMMONS}/by/4.0/"),
    "CC BY-NC 3.0": (Use.NO, f"{_CREATIVE_COMMONS}/by-nc/3.0/"),
    "CC BY-NC 4.0": (Use.NO, f"{_CREATIVE_COMMONS}/by-nc/4.0/"),
}


_TERMS = """
    SELECT name, min(url) AS url FROM (
        SELECT source.license.license_short_name AS name, source.license.license_url AS url
        FROM collections_index, unnest(sources) AS item(source)
        UNION ALL SELECT license_short_name, license_url FROM analysis_results_index
    ) WHERE name IS NOT NULL AND url IS NOT NULL GROUP BY name
"""


@dataclass(frozen=True)
class Licence:
    """What of a selection is under one licence. ``terms`` is the address of its text, where it is known."""

    name: str
    series: int
    size_mb: float
    share: float  # of the series
    terms: str = ""

    @property
    def use(self) -> Use:
        """Never guessed from a name that is not known."""
        return KNOWN[self.name][0] if self.name in KNOWN else Use.READ_TERMS


def licences(amounts: Iterable[tuple[str | None, int, float]], terms: Mapping[str, str]) -> list[Licence]:
    """Of (name, series, MB), the licences with most series first; ``terms`` are the addresses that the index has."""
    series: dict[str, int] = {}
    sizes: dict[str, float] = {}
    for given, count, size in amounts:
        name = given or NOT_STATED
        series[name] = series.get(name, 0) + count
        sizes[name] = sizes.get(name, 0.0) + size
    total = sum(series.values())
    return [
        Licence(
            name=name if name in KNOWN else clean(name, LONGEST_NAME),
            series=count,
            size_mb=sizes[name],
            share=count / total,
            terms=KNOWN[name][1] if name in KNOWN else clean(terms.get(name, "")),
        )
        for name, count in sorted(series.items(), key=lambda item: (-item[1], item[0]))
    ]


def terms_of(session: Session) -> dict[str, str]:
    """Name of a licence -> the address of its terms, as collections and analysis results give it."""
    return {row["name"]: row["url"] for row in session.rows(_TERMS)}


def verdict(found: Iterable[Licence]) -> str:
    """One sentence on commercial use: of the whole selection, or of each part that has another answer."""
    by_use: dict[Use, list[Licence]] = {}
    for licence in found:
        by_use.setdefault(licence.use, []).append(licence)
    total = sum(licence.series for each in by_use.values() for licence in each)
    if len(by_use) == 1:
        ((use, each),) = by_use.items()
        return f"{_SENTENCES[use]}: all {total:,} series are under {_names(each)}."
    parts = [
        f"{sum(licence.series for licence in by_use[use]):,} of {total:,} series {use} ({_names(by_use[use])})"
        for use in Use
        if use in by_use
    ]
    return f"It differs: {'; '.join(parts)}. Take the series of each licence apart before commercial use."


_SENTENCES = {
    Use.WITH_ATTRIBUTION: "Yes, with attribution",
    Use.NO: "No",
    Use.READ_TERMS: "Read the terms, which are of no licence that is known here",
}


def _names(each: Iterable[Licence]) -> str:
    return ", ".join(licence.name for licence in each)
