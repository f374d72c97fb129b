"""The searches of Debian's Orthanc (1.10.1, DICOMweb plugin 1.7), for machines without Orthanc.

Everything here was seen on that server; ``orthanc_quirks.py`` holds this imitation and the real one to the same table.
"""

import json
import re

import httpx
from pydicom.datadict import dictionary_is_retired, dictionary_VR, keyword_for_tag

from .base import Asked, Fake, Refusal, Target, tag_of
from .dcm4chee_attributes import MATCHED
from .matching import equal, wild, within
from .standard_attributes import returned
from .store import LEVELS, Json, Row, element, texts
from .stow import PROCESSING_FAILURE, arrived, keep, response

WILDCARDS = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}
PARAMETERS = {"limit", "offset", "includefield", "fuzzymatching"}
OF_SERIES = MATCHED["series"] | {"Manufacturer", "ProtocolName", "SeriesDate", "SeriesTime"}


class OrthancLike(Fake):
    """No percent-decoding of queries, unknown keys ignored, no case, ``200 []``, no limit of its own. Searches, metadata and
    storing only."""

    def answer(self, asked: Asked) -> httpx.Response:
        if asked.method not in ("GET", "POST"):
            return httpx.Response(404) if asked.method in ("HEAD", "OPTIONS") else self._not_allowed()
        return super().answer(asked)

    def _not_allowed(self) -> httpx.Response:
        return httpx.Response(405, headers={"Allow": "GET,POST"})

    def error(self, status: int, message: str) -> httpx.Response:
        """JSON without a Content-Type."""
        return httpx.Response(status, content=json.dumps({"HttpStatus": status, "Message": message}).encode())

    def search(self, target: Target, asked: Asked) -> httpx.Response:
        limit, offset, filters = 0, 0, []
        fields = {tag_of(name) or "" for name in returned(target.level, 0)}
        for pair in asked.raw_query.split("&") if asked.raw_query else ():
            key, _, value = pair.partition("=")
            if key in ("limit", "offset"):
                limit, offset = (number(key, value), offset) if key == "limit" else (limit, number(key, value))
            elif key == "fuzzymatching" and value not in ("true", "false"):
                raise Refusal(400, f"Bad value for fuzzymatching: {value}")
            elif key == "includefield":
                fields |= {known_tag(name) or "" for name in re.split(",|%2C", value)}
            elif key not in PARAMETERS and (tag := known_tag(key)) and value:
                filters.append((tag, re.split(",|%2C", value)))
        rows = [row for row in self.rows(target) if all(_match(row, target.level, *one) for one in filters)][offset:]
        return self.list_of([self._row(row, fields) for row in (rows[:limit] if limit else rows)])

    def metadata(self, target: Target, asked: Asked) -> httpx.Response:
        return self.list_of([held.attributes for held in self.held(target)])

    def stow(self, target: Target | None, asked: Asked) -> httpx.Response:
        """What is there already counts as stored and is kept; an unreadable part makes it 400, although the others are
        stored; a part whose Content-Type has parameters is skipped in silence; the list of failures is always there."""
        parts = [part for part in arrived(asked) if part.headers.get("content-type") == "application/dicom"]
        good = [part for part in parts if part.dataset is not None]
        wrong = [part for part in good if target and part.uid("StudyInstanceUID") != target.study]
        if wrong:
            return self._stored(409, response([], [(part, PROCESSING_FAILURE) for part in wrong]))
        for part in good:
            if not self.store.held(part.uid("StudyInstanceUID"), part.uid("SeriesInstanceUID"), part.uid()):
                keep(self.store, part)
        if len(good) < len(parts):
            return self._stored(400, {"00081198": element("SQ")})
        return self._stored(200, {"00081198": element("SQ"), **response(good, [])})

    def _stored(self, status: int, said: Json) -> httpx.Response:
        return httpx.Response(status, content=json.dumps(said).encode())

    def _row(self, row: Row, fields: set[str]) -> Json:
        """SpecificCharacterSet says ISO_IR 100 although the JSON is UTF-8."""
        made = {"00080005": element("CS", "ISO_IR 100"), "00081190": element("UR", self.url(row))}
        attributes = {**row.attributes, **made}
        return {tag: attributes[tag] for tag in sorted(attributes) if tag in fields}


def number(key: str, value: str) -> int:
    if not re.fullmatch(r"-?\d+", value):
        raise Refusal(400, f"Not a number: {key}={value}")
    if int(value) < 0:
        raise Refusal(500, "Internal error")
    return int(value)


def known_tag(key: str) -> str | None:
    """Keywords as they are written, but not retired ones; eight digits, also with a comma. No ``0x``, no dots."""
    if re.fullmatch(r"[0-9A-Fa-f]{4},?[0-9A-Fa-f]{4}", key):
        return key.replace(",", "").upper()
    tag = tag_of(key)
    return None if tag is None or dictionary_is_retired(int(tag, 16)) else tag


def depth(keyword: str) -> int:
    """The level that owns an attribute: 0 study, 1 series, 2 instance."""
    return 0 if keyword in MATCHED["study"] else 1 if keyword in OF_SERIES else 2


def _match(row: Row, level: str, tag: str, wanted: list[str]) -> bool:
    keyword, vr = keyword_for_tag(int(tag, 16)), dictionary_VR(int(tag, 16))
    if vr == "UI" and any(set(value) & set("*?") for value in wanted):
        raise Refusal(400, "Wildcards are not allowed in UIDs")
    if depth(keyword) > LEVELS.index(level) or vr == "SQ":
        return False
    if tag not in row.attributes:
        return False
    held = texts(row.attributes[tag]) or [""]
    if vr in ("DA", "TM", "DT"):
        return any(within(held, value) for value in wanted)
    if vr in WILDCARDS:  # a question mark does not match a letter outside ASCII
        return any(wild(held, value, fold=True, one="[\\x00-\\x7f]") for value in wanted)
    return any(equal(held, value, fold=True) for value in wanted)
