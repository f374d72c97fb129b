"""Unique identifiers, PS3.5 9.1: what may be looked up, and what never enters a path."""

import re

from ..errors import BadArgument

LOOSE = re.compile(r"[0-9]+(\.[0-9]+)*")
STRICT = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")


def checked_uid(text: str, argument: str) -> str:
    """The UID without surrounding blanks. Leading zeros are let through: archives hold such files.

    Raises BadArgument for everything that is not digits and dots or is longer than 64 characters.
    """
    uid = text.strip(" \0\t\r\n")
    if not LOOSE.fullmatch(uid) or len(uid) > 64:
        shown = uid if len(uid) <= 70 else uid[:67] + "..."
        raise BadArgument(
            f"{argument}={shown!r} is not a UID: digits separated by dots, at most 64 characters. "
            "Copy it whole from a search answer; never shorten or invent one."
        )
    return uid


def is_strict(uid: str) -> bool:
    """Whether the UID follows PS3.5 9.1 to the letter: no leading zeros, two components or more, 64 characters."""
    return len(uid) <= 64 and STRICT.fullmatch(uid) is not None
