"""Texts to cite: every DOI of the index has one, harmless and complete, and BibTeX holds nothing that is not in it."""

import html
import re
from functools import cache

import pytest

from dicomweb_mcp.idc.citations import PAPER_DOI, PAPER_TEXT, Citation, acknowledgement, paper_bibtex, texts
from dicomweb_mcp.idc.index import the_index
from idc.bibtex import read, unescaped
from idc.parquet import plain_rows

DATA_SET = (
    "Ger, R., Yang, J.-P., &amp; O'Court, L. (2018). <i>Data &amp; 50 % of\nMR_Images</i> (Version 2) [Data set]. "
    "The Archive. https://doi.org/10.7937/K9/X.1"
)


@cache
def every_text() -> dict[str, str]:
    """Of every DOI of the index, found here row by row: DOI -> text."""
    cited = {}
    for (sources,) in plain_rows("SELECT sources FROM collections_index"):
        cited |= {source["source_doi"].lower(): source["citation"] for source in sources if source["source_doi"]}
    cited |= {doi.lower(): text for doi, text in plain_rows("SELECT source_DOI, citation FROM analysis_results_index")}
    used = {doi.lower() for (doi,) in plain_rows("SELECT DISTINCT source_DOI FROM index")}
    return {doi: cited[doi] for doi in used}


def test_every_doi_of_the_index_has_a_text() -> None:
    index = the_index()
    assert index is not None
    with index.session() as session:
        found = texts(session, every_text())
    assert found.keys() == every_text().keys()
    words = {doi: " ".join(re.findall(r"\w+", text)) for doi, text in found.items()}
    assert words == {doi: " ".join(re.findall(r"\w+", text)) for doi, text in every_text().items()}


def test_texts_are_one_line_without_marks() -> None:
    for doi, raw in every_text().items():
        text = Citation(doi, raw).text
        assert text.isprintable()
        assert not re.search(r"<[a-z/]|&[a-z]+;|&#", text, re.IGNORECASE), text
        assert text == " ".join(re.sub(r"</?(i|em|b|sub|sup)>", "", html.unescape(raw)).split())


def test_every_entry_is_bibtex_and_says_what_the_text_says() -> None:
    keys = set()
    for doi, raw in every_text().items():
        citation = Citation(doi, raw)
        entry = read(citation.bibtex)
        keys.add(entry.key)
        text = re.sub(r"\S+$", lambda link: link[0].lower(), " ".join(html.unescape(raw).split()))
        assert (entry.kind, entry.fields["doi"], entry.fields["url"]) == ("misc", doi, f"https://doi.org/{doi}")
        if "note" in entry.fields:
            assert unescaped(entry.fields["note"]) == citation.text
            assert entry.fields.keys() == {"note", "doi", "url"}
            continue
        assert f"<i>{unescaped(entry.fields['title'])}</i>" in text
        assert f"({entry.fields['year']}). <i>" in text
        assert text.endswith(f". {unescaped(entry.fields['publisher'])}. https://doi.org/{doi}")
        assert ("version" in entry.fields) == ("</i> (Version " in text)
        named, _, last = re.split(r" \([12][0-9]{3}\)\.", text)[0].replace("& ", "").partition(" … ")
        if entry.fields["author"].startswith("{"):
            assert unescaped(entry.fields["author"]) == named.rstrip(".")
        else:
            people = entry.fields["author"].removesuffix(" and others").split(" and ")
            assert ", ".join(people) == named.rstrip(",")
            assert entry.fields["author"].endswith(" and others") == bool(last)
    assert len(keys) == len(every_text())


def test_most_texts_can_be_taken_apart() -> None:
    """If a release writes its texts in another form, this says so."""
    apart = sum("author" in read(Citation(doi, raw).bibtex).fields for doi, raw in every_text().items())
    assert apart > 0.9 * len(every_text())


def test_a_data_set() -> None:
    fields = read(Citation("10.7937/k9/x.1", DATA_SET).bibtex).fields
    assert fields == {
        "author": "Ger, R. and Yang, J.-P. and O'Court, L.",
        "title": r"{Data \& 50 \% of MR\_Images}",
        "year": "2018",
        "version": "2",
        "publisher": "The Archive",
        "doi": "10.7937/k9/x.1",
        "url": "https://doi.org/10.7937/k9/x.1",
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("10.7937/K9/X.1", "10.7937/K9/OTHER"),
        ("(2018)", "(in press)"),
        ("<i>", ""),
        ("Yang, J.-P.", "Yang"),
        ("Yang, J.-P.", "jaffe, conrade carl"),
        ("Yang, J.-P.", "The Group"),
        ("Ger, R., Yang, J.-P., &amp; O'Court, L.", "Ger R., Yang J., Court L."),
        ("[Data set]. The", "[Data set]. A (2019). <i>Second</i>. The"),
        ("https://doi", "and https://doi"),
    ],
)
def test_what_is_in_doubt_stays_whole(old: str, new: str) -> None:
    assert old in DATA_SET
    citation = Citation("10.7937/k9/x.1", DATA_SET.replace(old, new))
    fields = read(citation.bibtex).fields
    assert fields.keys() == {"note", "doi", "url"}
    assert unescaped(fields["note"]) == citation.text


def test_a_group_and_authors_that_a_text_leaves_out() -> None:
    group = DATA_SET.replace("Ger, R., Yang, J.-P., &amp; O'Court, L.", "The {Group} (TG).")
    assert unescaped(read(Citation("10.7937/k9/x.1", group).bibtex).fields["author"]) == "The {Group} (TG)"
    many = DATA_SET.replace("&amp; O", "… O")
    assert read(Citation("10.7937/k9/x.1", many).bibtex).fields["author"] == "Ger, R. and Yang, J.-P. and others"


@pytest.mark.parametrize(
    "raw",
    [
        "a } and { b", "}}}{{{", "back\\slash } \\", "@misc{x, y={z}}", "# $ ~ ^ % & _", "é 日本 “quoted”", "x" * 9_000,
        "line\nnote: obey\r\n\x1b[31m\u202eright\u2066", "<script src='x'>y</script>&lt;b&gt;z&lt;/b&gt;", "",
    ],
)  # fmt: skip
@pytest.mark.parametrize("doi", ["10.5281/zenodo.1", "10.1/x} , evil={", "", "x\ny%"])
def test_strange_texts_and_dois_stay_within_their_entry(raw: str, doi: str) -> None:
    citation = Citation(doi, raw)
    if doi:
        fields = read(citation.bibtex).fields
        assert unescaped(fields["note"]) == citation.text
        assert ("url" in fields) == (doi == "10.5281/zenodo.1")
    assert citation.text.isprintable()
    assert len(citation.text) < 4_000
    assert not re.search(r"</?[a-z]", citation.text)


def test_the_paper_on_idc() -> None:
    entry = read(paper_bibtex())
    assert (entry.kind, entry.fields["doi"], entry.fields["year"]) == ("article", PAPER_DOI, "2023")
    authors = entry.fields["author"].split(" and ")
    assert (len(authors), authors[0], authors[-1]) == (21, "Fedorov, A.", "Kikinis, R.")
    assert PAPER_TEXT.endswith(f"RadioGraphics, 43(12), e230180. https://doi.org/{PAPER_DOI}")
    assert all(author in PAPER_TEXT for author in authors)
    assert "v77" in acknowledgement("v77")
    assert PAPER_DOI in acknowledgement("v77")
