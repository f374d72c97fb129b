"""Names of attributes: what people and models write -> the attribute of the data dictionary (PS3.6).

The dictionary is pydicom's; it is imported when first used, because a start of the server does not need it.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache

from ..errors import BadArgument


class UnknownAttribute(BadArgument):
    """A name that is neither a DICOM keyword nor a tag."""


@dataclass(frozen=True)
class Attribute:
    """One attribute: ``keyword`` is empty for private and unknown tags, ``tag`` has 8 upper-case hex digits.

    With a private ``creator`` the block is open, and ``xx`` stands in the tag: ``0043xx39``. Each object tells which
    block the creator has reserved in it (``dicom.summary.private``).
    """

    tag: str
    keyword: str
    vr: str
    retired: bool = False
    creator: str = ""

    @property
    def name(self) -> str:
        """How answers call it: the keyword, else the tag."""
        return self.keyword or f"{self.tag} {self.creator}".strip()

    @property
    def is_private(self) -> bool:
        return int(self.tag[3], 16) % 2 == 1


def attribute(key: str) -> Attribute:
    """The attribute that ``key`` means: a keyword in any capitalisation or spacing, or a tag in any of its spellings.

    ``PatientName``, ``patientname``, ``patient_name``, ``Patient's Name``, ``00100010``, ``0010,0010``,
    ``(0010,0010)`` and ``0x00100010`` are the same attribute.

    Raises UnknownAttribute, with the nearest keywords, when it is neither.
    """
    text = key.strip()
    if match := re.fullmatch(r"\(?(?:0x)?([0-9A-Fa-f]{4}),?\s*([0-9A-Fa-f]{4})\)?", text):
        return by_tag((match[1] + match[2]).upper())
    folded = _fold(text)
    tag = _keywords().get(folded)
    if tag is None:
        near = nearest_keywords(text)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise UnknownAttribute(
            f"{_shown(text)} is not a DICOM keyword.{hint} Use a keyword such as PatientID, or a tag such as 00100020."
        )
    return by_tag(tag)


def private_attribute(key: str) -> Attribute | None:
    """The attribute of ``GEMS_PARM_01 0043xx39`` or, as answers write it, ``00431039 GEMS_PARM_01``; None when ``key``
    is nothing of that kind."""
    for pattern in _PRIVATE:
        match = re.fullmatch(pattern, key.strip(), re.IGNORECASE)
        if match and int(match["group"], 16) % 2 == 1:
            return Attribute(
                f"{match['group']}xx{match['element']}".upper().replace("XX", "xx"), "", "UN", creator=match["creator"]
            )
    return None


_PRIVATE_TAG = r"\(?(?P<group>[0-9A-F]{4}),?(?:xx|[1-9A-F][0-9A-F])(?P<element>[0-9A-F]{2})\)?"
_PRIVATE = (rf"(?P<creator>\S.*?)\s+{_PRIVATE_TAG}", rf"{_PRIVATE_TAG}\s+(?P<creator>\S.*?)(?:\s*\[.*\])?")


@lru_cache(maxsize=10_000)  # archives may name any tag
def by_tag(tag: str) -> Attribute:
    """The attribute of a tag of 8 hex digits; one that the dictionary does not know has VR UN and no keyword."""
    from pydicom import datadict

    number = int(tag, 16)
    try:
        entry = datadict.get_entry(number)
    except KeyError:
        return Attribute(tag=tag, keyword="", vr="LO" if _is_private_creator(tag) else "UN")
    # a repeating group (60xx) has one keyword for many tags, so only its tag names it
    keyword = entry[4] if number in datadict.DicomDictionary else ""
    return Attribute(tag=tag, keyword=keyword, vr=entry[0].split(" or ")[0], retired=bool(entry[3]))


@cache
def tag_of(keyword: str) -> str:
    """The tag of an exact keyword: ``tag_of("PatientID") == "00100020"``. Raises KeyError for anything else."""
    from pydicom import datadict

    number = datadict.tag_for_keyword(keyword)
    if number is None:
        raise KeyError(keyword)
    return f"{number:08X}"


def nearest_keywords(text: str, among: tuple[str, ...] | None = None) -> list[str]:
    """At most three keywords that look like ``text``, the nearest first; from ``among`` where given."""
    known = {_fold(keyword): keyword for keyword in among} if among is not None else _spellings()
    return [known[near] for near in get_close_matches(_fold(text), list(known), n=3, cutoff=0.72)]


def _fold(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower().replace("'s", "s"))


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _is_private_creator(tag: str) -> bool:
    return int(tag[3], 16) % 2 == 1 and tag[4:6] == "00" and int(tag[6:], 16) >= 0x10


@cache
def _keywords() -> dict[str, str]:
    """Folded keyword or folded name of the dictionary -> tag; keywords win over names."""
    from pydicom import datadict

    table: dict[str, str] = {}
    for number, entry in datadict.DicomDictionary.items():
        table.setdefault(_fold(entry[2]), f"{number:08X}")
    for number, entry in datadict.DicomDictionary.items():
        if entry[4]:
            table[_fold(entry[4])] = f"{number:08X}"
    table.pop("", None)
    return table


@cache
def _spellings() -> dict[str, str]:
    from pydicom import datadict

    return {_fold(entry[4]): entry[4] for entry in datadict.DicomDictionary.values() if entry[4] and not entry[3]}
