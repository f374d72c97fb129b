"""What to cite: the texts of the index by DOI, made harmless, and as BibTeX as far as they can be taken apart."""

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..dicom.values import clean
from .index import Session

LONGEST_TEXT = 3_000
DOI = re.compile(r"10\.[0-9]{4,9}/[-._;()/:a-z0-9]+")

_TEXTS = """
    WITH cited AS (
        SELECT lower(source.source_doi) AS doi, source.citation AS text
        FROM collections_index, unnest(sources) AS item(source)
        UNION ALL SELECT lower(source_DOI), citation FROM analysis_results_index
    )
    SELECT doi, min(text) AS text FROM cited WHERE doi IN (SELECT unnest($dois)) AND text IS NOT NULL GROUP BY doi
"""


@dataclass(frozen=True)
class Citation:
    """A text to cite. ``raw`` is as the index has it, with its marks."""

    doi: str
    raw: str

    @property
    def text(self) -> str:
        """One line without marks."""
        return _plain(self.raw)

    @property
    def bibtex(self) -> str:
        """An entry: taken apart where nothing is in doubt, else with the whole text as its note."""
        fields = _parsed(self) or {"note": _escaped(self.text)}
        if DOI.fullmatch(self.doi):
            fields |= {"doi": self.doi, "url": f"https://doi.org/{self.doi}"}
        return _entry("misc", self.doi, fields)


def texts(session: Session, dois: Iterable[str]) -> dict[str, str]:
    """Lower-case DOI -> its text as the index has it; a DOI without text is not there."""
    found = session.rows(_TEXTS, {"dois": sorted(set(dois))})
    return {row["doi"]: row["text"] for row in found}


# ---- the paper on IDC itself -----------------------------------------------------------------------------------------

PAPER_DOI = "10.1148/rg.230180"
_PAPER_TITLE = (
    "National Cancer Institute Imaging Data Commons: Toward Transparency, Reproducibility, and Scalability in Imaging "
    "Artificial Intelligence"
)
_PAPER_AUTHORS = (
    "Fedorov, A.", "Longabaugh, W. J. R.", "Pot, D.", "Clunie, D. A.", "Pieper, S. D.", "Gibbs, D. L.", "Bridge, C.",
    "Herrmann, M. D.", "Homeyer, A.", "Lewis, R.", "Aerts, H. J. W. L.", "Krishnaswamy, D.", "Thiriveedhi, V. K.",
    "Ciausu, C.", "Schacherer, D. P.", "Bontempi, D.", "Pihl, T.", "Wagner, U.", "Farahani, K.", "Kim, E.",
    "Kikinis, R.",
)  # fmt: skip
PAPER_TEXT = (
    f"{', '.join(_PAPER_AUTHORS[:-1])}, & {_PAPER_AUTHORS[-1]} (2023). {_PAPER_TITLE}. RadioGraphics, 43(12), e230180. "
    f"https://doi.org/{PAPER_DOI}"
)


def paper_bibtex() -> str:
    """The entry of the paper on IDC."""
    return _entry(
        "article",
        PAPER_DOI,
        {
            "author": " and ".join(_PAPER_AUTHORS),
            "title": f"{{{_PAPER_TITLE}}}",
            "journal": "RadioGraphics",
            "volume": "43",
            "number": "12",
            "pages": "e230180",
            "year": "2023",
            "doi": PAPER_DOI,
            "url": f"https://doi.org/{PAPER_DOI}",
        },
    )


def acknowledgement(release: str) -> str:
    """IDC's documentation asks to be acknowledged by citing its paper, and prescribes no sentence."""
    return (
        f"IDC asks to be acknowledged by citing its paper (doi {PAPER_DOI}). A sentence for it: Data of the National "
        f"Cancer Institute Imaging Data Commons (IDC), release {release}, were used (Fedorov et al., 2023)."
    )


# ---- texts taken apart -----------------------------------------------------------------------------------------------

_DATA_SET = re.compile(
    r"(?P<authors>[^<>]+?) \((?P<year>[12][0-9]{3})\)\. <i>(?P<title>[^<>]+)</i>"
    r"(?: \(Version (?P<version>[^()<>]+)\))?(?: \[Data ?set\])?\. (?P<publisher>[^.<>\[\]]+)\. "
    r"https?://(?:dx\.)?doi\.org/(?P<doi>\S+)",
    re.IGNORECASE,
)
_INITIALS = re.compile(r"(?:[^\W\d_]{1,2}\.[ -]?)+")
_ELLIPSIS = re.compile(r",? …,? ")
_AND = re.compile(r",? & ")
_GROUP = re.compile(r"[^,;&.…]+\.?")
_MARK = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)
_ESCAPES = str.maketrans(
    {
        **{char: f"\\{char}" for char in "&%_#$"},
        "\\": r"\textbackslash{}",
        "{": r"\textbraceleft{}",
        "}": r"\textbraceright{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
)


def _parsed(citation: Citation) -> dict[str, str] | None:
    """The fields of an entry; None for a text of any other form, or of another DOI."""
    found = _DATA_SET.fullmatch(clean(html.unescape(citation.raw), LONGEST_TEXT))
    if not found or found["doi"].lower() != citation.doi:
        return None
    author = _authors(found["authors"])
    if not author:
        return None
    fields = {"author": author, "title": f"{{{_escaped(found['title'])}}}", "year": found["year"]}
    if found["version"]:
        fields["version"] = _escaped(found["version"])
    return {**fields, "publisher": _escaped(found["publisher"])}


def _authors(text: str) -> str:
    """Authors as BibTeX separates them: people as ``Family, I. N.``, or one group; empty when they are neither.

    Where a text leaves some out by ``…``, the last one, whom it names, is among the ``others``.
    """
    if _GROUP.fullmatch(text):
        return f"{{{_escaped(text.rstrip('.'))}}}"
    named, *left_out = _ELLIPSIS.split(text)
    if len(left_out) > 1:
        return ""
    people = _people(_AND.sub(", ", named))
    if not people or (left_out and not _people(left_out[0])):
        return ""
    return " and ".join([*map(_escaped, people), *(["others"] if left_out else [])])


def _people(text: str) -> list[str]:
    """``Family, I. N.`` of each; empty when anything in between is something else."""
    parts = text.split(", ")
    families, initials = parts[::2], parts[1::2]
    if len(families) != len(initials) or not all(map(_INITIALS.fullmatch, initials)):
        return []
    if any(_INITIALS.fullmatch(family) or not family.strip() or " and " in family for family in families):
        return []
    return [f"{family}, {initial}" for family, initial in zip(families, initials, strict=True)]


def _plain(text: str) -> str:
    """Marks of HTML and its entities taken out, and all that is not visible."""
    return clean(_MARK.sub("", html.unescape(text)), LONGEST_TEXT)


def _escaped(text: str) -> str:
    """Text as BibTeX takes it, with balanced braces; letters of all languages are kept."""
    return text.translate(_ESCAPES)


def _entry(kind: str, doi: str, fields: Mapping[str, str]) -> str:
    """An entry under its DOI as the key, which stays the same in every answer."""
    key = re.sub(r"[^A-Za-z0-9._:/-]", "_", doi)
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items()]
    return ",\n".join([f"@{kind}{{{key}", *lines]) + "\n}"
