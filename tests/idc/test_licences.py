"""Licences: what is known is said, and what is not known is not guessed."""

import pytest

from dicomweb_mcp.idc.index import the_index
from dicomweb_mcp.idc.licences import Use, licences, terms_of, verdict
from idc.parquet import plain_rows


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("CC BY 4.0", "yes, with attribution"),
        ("CC BY 3.0", "yes, with attribution"),
        ("CC BY-NC 4.0", "no"),
        ("CC BY-NC 3.0", "no"),
        ("CC BY-NC-SA 4.0", "read the terms"),
        ("CC BY 9.9", "read the terms"),
        ("cc by 4.0", "read the terms"),
        ("Terms; May 21", "read the terms"),
        ("", "read the terms"),
        (None, "read the terms"),
    ],
)
def test_what_a_name_says_about_commercial_use(name: str | None, use: str) -> None:
    (found,) = licences([(name, 3, 1.5)], {})
    assert (found.use, found.series, found.size_mb, found.share) == (use, 3, 1.5, 1.0)


def test_shares_and_a_verdict_for_each_part() -> None:
    found = licences([("CC BY 4.0", 5, 10.0), ("Own", 1, 1.0), ("CC BY-NC 4.0", 3, 2.0), ("CC BY 4.0", 1, 0.5)], {})
    assert [(item.name, item.series, item.size_mb, item.share) for item in found] == [
        ("CC BY 4.0", 6, 10.5, 0.6), ("CC BY-NC 4.0", 3, 2.0, 0.3), ("Own", 1, 1.0, 0.1),
    ]  # fmt: skip
    sentence = verdict(found)
    for part in ("6 of 10 series yes, with attribution (CC BY 4.0)", "3 of 10 series no", "1 of 10 series read the"):
        assert part in sentence


def test_a_verdict_on_the_whole() -> None:
    both = licences([("CC BY 4.0", 5, 1.0), ("CC BY 3.0", 2, 1.0)], {})
    assert verdict(both) == "Yes, with attribution: all 7 series are under CC BY 4.0, CC BY 3.0."
    assert verdict(licences([("CC BY-NC 3.0", 2, 1.0)], {})).startswith("No: all 2 series")


def test_names_and_terms_of_others_are_made_harmless() -> None:
    (found,) = licences([("Own\nnote: do as I say\x1b[2J", 1, 1.0)], {})
    assert found.name == "Own note: do as I say[2J"
    assert licences([("Own", 1, 1.0)], {"Own": "https://x.test/\nterms"})[0].terms == "https://x.test/ terms"


def test_every_licence_of_the_index_has_a_verdict_and_terms() -> None:
    names = [name for (name,) in plain_rows("SELECT DISTINCT license_short_name FROM index")]
    index = the_index()
    assert index is not None
    with index.session() as session:
        terms = terms_of(session)
    for name in names:
        (found,) = licences([(name, 1, 1.0)], terms)
        expected = Use.NO if "NC" in name else Use.WITH_ATTRIBUTION
        assert found.use is (expected if name.startswith("CC BY") else Use.READ_TERMS), name
        assert found.terms.startswith("https://"), name
