"""Long texts of strangers as lines that an answer can hold."""

import textwrap

from ..values import clean_lines

LONGEST_LINE = 300
LONGEST_TEXT = 20_000
LONGEST_QUOTED = 4_000


def prose(text: str, longest: int = LONGEST_TEXT) -> tuple[list[str], int]:
    """Clean lines of at most LONGEST_LINE characters, and how many characters beyond ``longest`` were left out."""
    lines = clean_lines(text[:longest], longest)
    return [part for line in lines for part in textwrap.wrap(line, LONGEST_LINE)], max(0, len(text) - longest)


def quoted(head: str, text: str) -> list[str]:
    """A short text behind what it belongs to: ``head: first line``, and its other lines set off below."""
    first, *more = prose(text, LONGEST_QUOTED)[0] or ["(empty)"]
    return [f"{head}: {first}", *(f"  > {line}" for line in more)]
