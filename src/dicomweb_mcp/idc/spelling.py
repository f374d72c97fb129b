"""When two texts are two spellings of one thing."""

import re

CORPORATE = frozenset(
    {
        "ag", "america", "biosystems", "bv", "co", "company", "corp", "corporation", "gmbh", "group", "health",
        "healthcare", "healthineers", "inc", "incorporated", "international", "kg", "limited", "llc", "ltd", "medical",
        "nederland", "of", "sa", "solutions", "system", "systems", "technologies", "usa",
    }
)  # fmt: skip


def folded(text: str) -> str:
    """Text without case, spaces and punctuation."""
    return "".join(char for char in text.casefold() if char.isalnum())


def short_name(text: str) -> str:
    """A company's name without the words that say what kind of company it is."""
    words = re.findall(r"[^\W_]+", text)
    return " ".join([word for word in words if word.casefold() not in CORPORATE] or words)


def bare_name(text: str) -> str:
    """The same, folded."""
    return folded(short_name(text))


def without_version(text: str) -> str:
    """A licence's name without its version, folded."""
    return folded(re.sub(r"\s*[0-9]+(\.[0-9]+)*$", "", text))
