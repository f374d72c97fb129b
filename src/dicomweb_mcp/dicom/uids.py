"""Unique identifiers, PS3.5 9.1: what may be looked up, what never enters a path, and a few that the code knows."""

import re

from ..errors import BadArgument

# Transfer syntaxes of uncompressed pixels, PS3.5 section 10; little endian where the name does not say otherwise
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
NATIVE = frozenset({IMPLICIT, EXPLICIT, BIG_ENDIAN})
NATIVE_OR_DEFLATED = NATIVE | {DEFLATED}  # which deflates the data set around native pixels too

LOOSE = re.compile(r"[0-9]+(\.[0-9]+)*")
STRICT = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")


def is_uid(text: str) -> bool:
    """Whether the text is digits and dots as a UID has them, so that it can stand in a path."""
    return len(text) <= 64 and LOOSE.fullmatch(text) is not None


def is_strict_uid(text: str) -> bool:
    """Whether the text is a UID as PS3.5 9.1 has it, without leading zeros: what may be stored."""
    return len(text) <= 64 and STRICT.fullmatch(text) is not None


def checked_uid(text: str, argument: str) -> str:
    """The UID without surrounding blanks. Leading zeros are let through: archives hold such files.

    Raises BadArgument for everything that is not digits and dots or is longer than 64 characters.
    """
    uid = text.strip(" \0\t\r\n")
    if not is_uid(uid):
        shown = uid if len(uid) <= 70 else uid[:67] + "..."
        raise BadArgument(
            f"{argument}={shown!r} is not a UID: digits separated by dots, at most 64 characters. "
            "Copy it whole from a search answer; never shorten or invent one."
        )
    return uid
