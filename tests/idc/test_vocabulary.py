"""What a word means among the values that exist."""

import re
from functools import cache

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.idc.attributes import ATTRIBUTES, Attribute
from dicomweb_mcp.idc.index import Session, the_index
from dicomweb_mcp.idc.vocabulary import MOST_NEAR, Vocabulary, meant, vocabulary

FREE = Attribute("model", "ManufacturerModelName")
WORDS = Vocabulary({"Aera": 50, "AERA": 5, "Aera XJ": 4, "A[1]": 3, "A?1": 2, "Av1": 1, "50%_x": 1})


@cache
def of_the_index(argument: str) -> Vocabulary:
    index = the_index()
    assert index
    with index.session() as session:
        return vocabulary(session, ATTRIBUTES[argument])


@pytest.mark.parametrize("argument", ATTRIBUTES)
def test_every_value_means_itself_in_any_case_and_punctuation(argument: str) -> None:
    words, attribute = of_the_index(argument), ATTRIBUTES[argument]
    for value in list(words.series)[:60]:
        spaced = " ".join(re.findall(r"[^\W_]+", value))
        for said in (value, value.upper(), value.lower(), f" {spaced} "):
            assert value in meant(attribute, said, words).values, said


@pytest.mark.parametrize("argument", ATTRIBUTES)
def test_values_are_those_of_the_index(session: Session, argument: str) -> None:
    attribute = ATTRIBUTES[argument]
    table = "index JOIN collections_index USING (collection_id)" if attribute.of_collections else "index"
    expected: dict[str, int] = {}
    for text, series in session.table(f"SELECT {attribute.column}, count(*) FROM {table} GROUP BY 1")[1]:
        parts = {part.strip() for part in (text or "").split(",")} if attribute.is_list else {text or ""}
        for part in parts - {""}:
            expected[part] = expected.get(part, 0) + series
    assert of_the_index(argument).series == expected


@settings(max_examples=60)
@given(st.sampled_from(list(ATTRIBUTES)), st.text(min_size=1, max_size=30))
def test_what_no_value_is_called_is_refused(argument: str, text: str) -> None:
    """Whatever letters and digits there are: nothing that is spelled otherwise is ever taken."""
    words, attribute = of_the_index(argument), ATTRIBUTES[argument]
    assume("*" not in text)
    bare = "".join(char for char in text.casefold() if char.isalnum())
    called = {"".join(char for char in name.casefold() if char.isalnum()) for name in words.names}
    if bare in called - {""}:
        assert meant(attribute, text, words).values
    elif attribute.bare is None:
        with pytest.raises(BadArgument):
            meant(attribute, text, words)


def test_other_words_for_values() -> None:
    modality = ATTRIBUTES["modality"]
    assert meant(modality, "mri", of_the_index("modality")).values == ["MR"]
    assert meant(modality, "Whole-slide image", of_the_index("modality")).values == ["SM"]
    assert meant(ATTRIBUTES["sex"], "female", of_the_index("sex")).values == ["F"]
    every = set(of_the_index("license").series)
    free = {name for name in every if re.fullmatch(r"CC BY [0-9.]+", name)}
    assert set(meant(ATTRIBUTES["license"], "cc-by", of_the_index("license")).values) == free
    assert set(meant(ATTRIBUTES["manufacturer"], "siemens", of_the_index("manufacturer")).values) >= {
        name for name in of_the_index("manufacturer").series if re.fullmatch(r"siemens( healthineers)?", name, re.I)
    }


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("aera", {"Aera", "AERA"}),
        ("aera*", {"Aera", "AERA", "Aera XJ"}),
        ("*a", {"Aera", "AERA"}),
        ("A[1]*", {"A[1]"}),
        ("A[1", {"A[1]", "A?1"}),
        ("A?1*", {"A?1"}),
        ("*%_*", {"50%_x"}),
        ("*", set(WORDS.series)),
        ("**", set(WORDS.series)),
    ],
)
def test_spellings_and_stars(text: str, values: set[str]) -> None:
    """``*`` alone is a wildcard: the signs of other patterns mean themselves."""
    assert set(meant(FREE, text, WORDS).values) == values


def test_the_most_frequent_comes_first_and_the_like_is_near() -> None:
    found = meant(FREE, "AERA", WORDS)
    assert (found.values, found.near) == (["Aera", "AERA"], ["Aera XJ"])


def test_an_unknown_value_is_answered_with_the_nearest_and_how_many_have_them() -> None:
    with pytest.raises(BadArgument, match=r"no series with model 'Aeraa'\. Nearest: Aera \(50\), AERA \(5\)"):
        meant(FREE, "Aeraa", WORDS)
    with pytest.raises(BadArgument, match=r"The most frequent of 7 values: Aera \(50\), AERA \(5\)"):
        meant(FREE, "zzzzzz", WORDS)
    many = Vocabulary({f"Scanner {number}": number for number in range(100)})
    with pytest.raises(BadArgument) as refused:
        meant(FREE, "scanner", many)
    assert str(refused.value).count("Scanner") <= MOST_NEAR + 1


@pytest.mark.parametrize("text", ["", " ", "?", "-", "\0"])
def test_nothing_is_no_value(text: str) -> None:
    with pytest.raises(BadArgument, match="model is empty"):
        meant(FREE, text, WORDS)
