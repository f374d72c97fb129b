"""Long texts of strangers as lines that an answer can hold."""

import textwrap

from ..values import clean_lines

LONGEST_LINE = 300
LONGEST_TEXT = 20_000


def prose(text: str, longest: int = LONGEST_TEXT) -> tuple[list[str], int]:
    """Clean lines of at most LONGEST_LINE characters, and how many characters beyond ``longest`` were left out."""
    lines = clean_lines(text[:longest], longest)
    return [part for line in lines for part in textwrap.wrap(line, LONGEST_LINE)], max(0, len(text) - longest)
