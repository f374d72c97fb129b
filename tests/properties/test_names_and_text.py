"""Matching of names and text against what unicodedata and fnmatch say."""

import fnmatch
import unicodedata
from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st

from dicomweb_mcp.dicom.filters import condition
from dicomweb_mcp.dicom.matching import Exact, Fuzzy, Wildcard, name_words
from dicomweb_mcp.dicom.tags import attribute
from dicomweb_mcp.errors import BadArgument

NAME = attribute("PatientName")
TEXT = attribute("StudyDescription")
LETTERS = st.characters(categories=("Lu", "Ll", "Lt", "Lo", "Mn", "Nd"))
WORD = st.text(LETTERS, min_size=1, max_size=6)


def meets(known: Any, wanted: Any, stored: str, *, fuzzy: bool = False) -> bool | None:
    value = {"Alphabetic": stored} if known.vr == "PN" else stored
    return condition(known, wanted, fuzzy=fuzzy).test({known.tag: {"vr": known.vr, "Value": [value]}})


def without_accents(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


# ---- words of names --------------------------------------------------------------------------------------------------


@given(st.text(max_size=30))
@example("ℌ")
@example("İstanbul")
@example("ﬁ^Ǆ")
def test_words_are_folded_once_and_for_all(name: str) -> None:
    words = name_words(name)
    assert name_words(" ".join(words)) == words
    for changed in (
        name.upper(),
        name.lower(),
        unicodedata.normalize("NFD", name),
        unicodedata.normalize("NFKC", name),
    ):
        assert name_words(changed) == words or not name.isascii()


@given(st.text(LETTERS, max_size=20))
def test_accents_and_their_spelling_make_no_difference(name: str) -> None:
    words = name_words(name)
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert name_words(unicodedata.normalize(form, name)) == words
    assert name_words(without_accents(name)) == words


@given(st.lists(WORD, min_size=1, max_size=4), st.sampled_from("^= ,-'."), st.data())
def test_any_words_or_beginnings_in_any_order(words: list[str], between: str, data: st.DataObject) -> None:
    stored = between.join(words)
    assume(name_words(stored))
    assume("\u0345" not in unicodedata.normalize("NFD", stored))  # an accent that folding makes a letter
    some = data.draw(st.permutations(words))[: data.draw(st.integers(1, len(words)))]
    cut = [word[: data.draw(st.integers(1, len(word)))] for word in some]
    wanted = " ".join(cut)
    assume(name_words(wanted))
    for written in (wanted, wanted.casefold(), without_accents(wanted)):
        assume(name_words(written))
        assert meets(NAME, written, stored, fuzzy=True) is True
    assert meets(NAME, f"{wanted} qqqqqqqq", stored, fuzzy=True) is False


@given(st.text(max_size=20))
@example("Doe, John")
@example("Jo*hn")
def test_a_server_that_knows_words_is_sent_the_same_ones(name: str) -> None:
    try:
        (test,) = condition(NAME, name, fuzzy=True).tests
    except BadArgument:
        return
    assert isinstance(test, Fuzzy)
    assert name_words(test.text) == test.words
    assert not set(test.text) & set("*?,\\")


# ---- text and patterns -------------------------------------------------------------------------------------------------

ALPHABET = "abAB*?[]^.\\ -ßüéİ\u0301"
STORED = st.text(ALPHABET.translate({ord(char): None for char in "*?\\"}), min_size=1, max_size=10).map(str.strip)
WANTED = st.text(ALPHABET.replace("\\", ""), min_size=1, max_size=6).map(str.strip)


@given(STORED, WANTED)
@example("Weiß", "Wei?")
@example("Weiß", "WEISS")
@example("STRASSE", "Stra?e")
@example("a[b]", "?[b*")
def test_patterns_as_fnmatch_reads_them(stored: str, wanted: str) -> None:
    assume(stored and wanted.strip("*"))
    (test,) = condition(TEXT, wanted).tests
    assert isinstance(test, Wildcard if set(wanted) & set("*?") else Exact)
    pattern = unicodedata.normalize("NFC", wanted.replace("[", "[[]"))
    text = unicodedata.normalize("NFC", stored)
    found = any(fnmatch.fnmatchcase(fold(text), fold(pattern)) for fold in (str.lower, str.casefold))
    assert meets(TEXT, wanted, stored) is found


@given(st.text(min_size=1, max_size=20))
def test_case_and_the_spelling_of_accents_make_no_difference(text: str) -> None:
    stored = " ".join(text.split())
    assume(stored and stored.isprintable() and not set(stored) & set("*?\\"))
    for form in ("NFC", "NFD"):
        written = unicodedata.normalize(form, stored)
        assert meets(TEXT, written, stored) is True
        assert meets(TEXT, stored, written) is True
    assert meets(TEXT, f"{stored}x", stored) is False
