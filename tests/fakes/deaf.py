"""A server that does not do all that PS3.18 asks: it ignores paging or filters, or cuts its lists, and says nothing."""

import httpx

from .base import DICOM_JSON, Asked, Fake, Refusal, Target, keyword_of, tag_of
from .matching import any_prefix, wild, within
from .standard_attributes import returned
from .store import Json, Row, Store, element, texts
from .stow import arrived, keep, response

PARAMETERS = {"limit", "offset", "includefield", "fuzzymatching"}
DATES = {"StudyDate", "StudyTime", "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime"}
NOT_FUZZY = "The fuzzymatching parameter is not supported. Only literal matching has been performed."


class Deaf(Fake):
    """An ordinary server where no flag is given: wildcards, date ranges, UID lists, unknown filters ignored.

    ``ignores``: keywords of filters, and ``"limit"``, ``"offset"``, ``"includefield"``, that it does not hear.
    ``cap``: it never gives more rows, whatever is asked, and does not say so. ``not_fuzzy``: it answers
    ``fuzzymatching=true`` with the Warning of PS3.18 and matches literally; without it names match by the beginnings
    of their parts. ``empty``: the status for no match (204 by PS3.18 to 2020, else 200).
    """

    def __init__(
        self,
        store: Store,
        base: str | None = None,
        *,
        ignores: frozenset[str] | set[str] = frozenset(),
        cap: int | None = None,
        not_fuzzy: bool = False,
        empty: int = 200,
    ):
        super().__init__(store, base)
        self.ignores, self.cap, self.not_fuzzy, self.empty = ignores, cap, not_fuzzy, empty

    def search(self, target: Target, asked: Asked) -> httpx.Response:
        fuzzy = asked.one("fuzzymatching") == "true"
        filters = [(keyword_of(key), value) for key, value in asked.query if key not in PARAMETERS and value]
        heard = [(keyword, value) for keyword, value in filters if keyword and keyword not in self.ignores]
        literal = self.not_fuzzy or not fuzzy
        rows = [row for row in self.rows(target) if all(_match(row, *one, literal) for one in heard)]
        rows = rows[self._number(asked, "offset", 0) :]
        rows = rows[: self._number(asked, "limit", len(rows))][: self.cap]
        headers = {"Warning": f"299 {self.origin}: {NOT_FUZZY}"} if fuzzy and self.not_fuzzy else {}
        if not rows and self.empty == 204:
            return httpx.Response(204, headers=headers)
        fields = self._fields(target, asked)
        return self.list_of([self._row(row, fields) for row in rows], headers)

    def metadata(self, target: Target, asked: Asked) -> httpx.Response:
        return self.list_of([held.attributes for held in self.held(target)])

    def stow(self, target: Target | None, asked: Asked) -> httpx.Response:
        parts = [part for part in arrived(asked) if part.dataset is not None]
        for part in parts:
            keep(self.store, part)
        return httpx.Response(200, json=response(parts, []), headers={"Content-Type": DICOM_JSON})

    def _number(self, asked: Asked, key: str, default: int) -> int:
        text = None if key in self.ignores else asked.one(key)
        if text is None:
            return default
        if not text.isdecimal():
            raise Refusal(400, f"{key} must be a number")
        return int(text)

    def _fields(self, target: Target, asked: Asked) -> set[str] | None:
        listed = [] if "includefield" in self.ignores else asked.all("includefield")
        names = {name for value in listed for name in value.split(",")}
        if "all" in names:
            return None
        return {tag_of(name) or "" for name in {*names, *returned(target.level, len(target.uids))}}

    def _row(self, row: Row, fields: set[str] | None) -> Json:
        attributes = {**row.attributes, "00081190": element("UR", self.url(row))}
        return {tag: one for tag, one in sorted(attributes.items()) if fields is None or tag in fields}


def _match(row: Row, keyword: str, value: str, literal: bool) -> bool:
    held = texts(row.attributes.get(tag_of(keyword) or ""))
    if value == "*":
        return True
    if keyword in DATES:
        return within(held, value)
    if keyword == "PatientName" and not literal:
        return any_prefix(held, value)
    if keyword.endswith("UID"):
        return any(uid in held for uid in value.split(","))
    return wild(held, value)
