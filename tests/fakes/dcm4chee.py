"""dcm4chee-arc: searches that ignore what they do not support, a cap with a Warning, errors as text.

Source: dcm4chee-arc-light (2026-08), QidoRS, QueryBuilder, WadoRS, ObjectType, RenderedImageOutput and the shipped
configuration, read and not run; "open" marks what they do not settle.
"""

import json
import re
from urllib.parse import unquote

import httpx
from PIL import Image

from . import dcm4chee_attributes as known
from .base import (
    DICOM_JSON,
    OCTETS,
    Asked,
    Fake,
    Media,
    Refusal,
    Target,
    decoding,
    keyword_of,
    multipart,
    new_boundary,
    tag_of,
)
from .matching import sounds_like, wild, within
from .render import fitted, picture, written
from .standard_attributes import returned
from .store import NATIVE, PIXELS, Held, Json, Row, Store, element, texts
from .stow import CONFLICTING_PATIENT, Arrived, arrived, keep, response

PARAMETERS = {
    "limit",
    "offset",
    "includefield",
    "fuzzymatching",
    "orderby",
    "includedefaults",
    "accept",
    "access_token",
}
LIMIT, OFFSET = re.compile(r"[1-9]\d{0,4}"), re.compile(r"0|[1-9]\d{0,4}")
STACK_TRACE = """java.lang.NullPointerException: Cannot invoke "String.length()" because "s" is null
\tat org.dcm4chee.arc.qido.QidoRS.search(QidoRS.java:512)
\tat org.dcm4chee.arc.qido.QidoRS.searchForStudies(QidoRS.java:214)
\tat jdk.internal.reflect.GeneratedMethodAccessor412.invoke(Unknown Source)
"""
STORED_AS = {"50": "image/jpeg", "51": "image/jpeg", "57": "image/jpeg", "70": "image/jpeg", "80": "image/jls"} | {
    "81": "image/jls", "90": "image/jp2", "91": "image/jp2", "5": "image/dicom-rle"
}  # fmt: skip


class Dcm4chee(Fake):
    """``max_results``: dcmQidoMaxNumberOfResults. ``too_many``: queryMaxNumberOfResults, above which a search is a 413.

    ``token``: what Keycloak would accept, as bearer or as ``?access_token=``. ``fail(500)`` answers a Java stack trace.
    """

    base = "/dcm4chee-arc/aets/DCM4CHEE/rs"

    def __init__(
        self,
        store: Store,
        base: str | None = None,
        *,
        max_results: int = 1_000,
        too_many: int | None = None,
        token: str | None = None,
    ):
        super().__init__(store, base)
        self.max_results, self.too_many, self.token = max_results, too_many, token

    def answer(self, asked: Asked) -> httpx.Response:
        if not self.below_base(asked):
            raise Refusal(404, "No such Application Entity: UNKNOWN")
        given = (asked.headers.get("authorization"), f"Bearer {asked.one('access_token')}")
        if self.token is not None and f"Bearer {self.token}" not in given:
            raise Refusal(401, "Unauthorized")
        return super().answer(asked)

    def error(self, status: int, message: str) -> httpx.Response:
        body = STACK_TRACE if status == 500 else json.dumps({"errorMessage": message})
        return httpx.Response(status, content=body.encode(), headers={"Content-Type": "text/plain"})

    # ---- search

    def search(self, target: Target, asked: Asked) -> httpx.Response:
        limit, offset = self._number(asked, "limit", LIMIT), self._number(asked, "offset", OFFSET) or 0
        fields = self._fields(target, asked)
        found = self._found(target, asked)
        shown = found[offset : offset + min(limit or self.max_results, self.max_results)]
        if not shown:
            return httpx.Response(204)
        headers = {}
        more = len(found) - offset - len(shown)
        if more and (limit is None or limit > self.max_results):
            said = f'"There are {more} additional results that can be requested"'
            headers["Warning"] = f"299 {httpx.URL(self.origin).netloc.decode()} {said}"
        return self.list_of([self._row(row, fields) for row in shown], headers)

    def count(self, target: Target, asked: Asked) -> httpx.Response:
        return httpx.Response(200, json={"count": len(self._found(target, asked))})

    def _found(self, target: Target, asked: Asked) -> list[Row]:
        filters = list(self._filters(target.level, asked))
        fuzzy = asked.one("fuzzymatching") == "true"
        found = [row for row in self.rows(target) if all(_match(row, *one, fuzzy) for one in filters)]
        if self.too_many is not None and len(found) > self.too_many:
            raise Refusal(413, f"Request entity too large. Query constraint(s) would match {len(found)} entities")
        return found

    def _number(self, asked: Asked, key: str, form: re.Pattern[str]) -> int | None:
        text = asked.one(key)
        if text is None:
            return None
        if not form.fullmatch(text):
            raise Refusal(400, f"Value for {key}={text} does not match {form.pattern}")
        return int(text)

    def _filters(self, level: str, asked: Asked) -> list[tuple[list[str], list[str]]]:
        """The path of tags and the values of each filter that is supported; lists are split before they are decoded."""
        found = []
        for pair in asked.raw_query.split("&") if asked.raw_query else ():
            key, _, raw = pair.partition("=")
            key = unquote(key)
            if key in PARAMETERS:
                continue
            path = [keyword_of(part) for part in key.split(".")]
            if None in path:
                raise Refusal(400, f"Invalid query parameter: {key}")
            values = [unquote(value.replace("+", " ")) for value in raw.split(",")]
            if path[0] in known.MATCHED[level] and any(values):
                found.append(([str(keyword) for keyword in path], values))
        return found

    def _fields(self, target: Target, asked: Asked) -> set[str] | None:
        listed = [name for value in asked.all("includefield") for name in value.split(",") if name]
        names = {*returned(target.level, len(target.uids)), *known.ALSO_RETURNED}
        tags = {tag_of(name) or "" for name in names}
        for name in listed:
            if name != "all" and tag_of(name) is None:
                raise Refusal(400, f"Invalid query parameter: includefield={name}")
        return None if "all" in listed else tags | {tag_of(name) or "" for name in listed}

    def _row(self, row: Row, fields: set[str] | None) -> Json:
        made = {
            "00080054": element("AE", "DCM4CHEE"),
            "00080056": element("CS", "ONLINE"),
            "00081190": element("UR", self.url(row)),
        }
        if row.instance:
            made["00083002"] = element("UI", row.held.syntax)
        attributes = {**row.attributes, **made}
        return {tag: attributes[tag] for tag in sorted(attributes) if fields is None or tag in fields}

    # ---- metadata, files, frames

    def metadata(self, target: Target, asked: Asked) -> httpx.Response:
        if not any(media.kind in (DICOM_JSON, "application/json", "*/*") for media in self._accepted(asked)):
            raise Refusal(406, "Not Acceptable")
        return self.list_of([self._described(held) for held in self._held(target)])

    def _described(self, held: Held) -> Json:
        """Pixel data and long binary values by address; AvailableTransferSyntaxUID tells the stored syntax."""
        found: Json = {"00083002": element("UI", held.syntax)}
        for tag, one in held.attributes.items():
            large = tag in PIXELS or len(one.get("InlineBinary", "")) > 1_024
            found[tag] = {"vr": one["vr"], "BulkDataURI": self.url(held, f"/bulkdata/{tag}")} if large else one
        return dict(sorted(found.items()))

    def bulk(self, target: Target, path: str, asked: Asked) -> httpx.Response:
        value = self._held(target)[0].bulk(path)
        if value is None:
            raise Refusal(404, "No such bulkdata.")
        return self._multipart([([f"Content-Type: {OCTETS}"], value)], OCTETS)

    def retrieve(self, target: Target, asked: Asked) -> httpx.Response:
        found = self._held(target)
        for media in self._accepted(asked):
            if media.kind == "*/*" or (media.multipart and media.kind == "application/dicom"):
                with decoding(406, "Not Acceptable"):
                    whole = [held.file(None if media.syntax in ("*", held.syntax) else EXPLICIT) for held in found]
                return self._multipart(
                    [(["Content-Type: application/dicom"], file) for file in whole], "application/dicom"
                )
        raise Refusal(406, "Not Acceptable")

    def frames(self, target: Target, numbers: list[int], asked: Asked) -> httpx.Response:
        """Numbers beyond the last frame are dropped from a list, and the answer is then a 206."""
        held, there = self._frames_of(target, numbers)
        for media in self._accepted(asked):
            as_stored = STORED_AS.get(held.syntax.rpartition(".")[2], OCTETS) if held.syntax not in NATIVE else OCTETS
            if not media.multipart and media.kind != "*/*":
                continue
            if media.kind in (as_stored, "*/*") or (
                media.kind == OCTETS and media.syntax in ("*", held.syntax)
            ):  # open
                kind, syntax, bodies = as_stored, held.syntax, [held.frame(number) for number in there]
            elif media.kind == OCTETS:
                kind, syntax = OCTETS, EXPLICIT
                with decoding(406, "Not Acceptable"):
                    bodies = [held.decoded(number) for number in there]
            else:
                continue
            header = [f"Content-Type: {kind}; transfer-syntax={syntax}"]
            status = 200 if len(there) == len(numbers) else 206
            return self._multipart([(header, body) for body in bodies], kind, status)
        raise Refusal(406, "Not Acceptable")

    def _frames_of(self, target: Target, numbers: list[int]) -> tuple[Held, list[int]]:
        held = self._held(target)[0]
        if not held.has_pixels:
            raise Refusal(404, "Not an image.")
        there = [number for number in numbers if 1 <= number <= held.number_of_frames]
        if not there:
            raise Refusal(404, "No such frame.")
        return held, there

    def _held(self, target: Target) -> list[Held]:
        found = self.store.held(*target.uids)
        if not found:
            raise Refusal(404, "No matching resource found.")
        return found

    def _accepted(self, asked: Asked) -> list[Media]:
        """``?accept=`` goes before the header."""
        return Media.wanted(asked.one("accept") or asked.accept)

    def _multipart(self, parts: list[tuple[list[str], bytes]], kind: str, status: int = 200) -> httpx.Response:
        boundary = new_boundary()
        header = f'multipart/related;start="<1>";type="{kind}";boundary="{boundary}"'
        return httpx.Response(status, content=multipart(parts, boundary), headers={"Content-Type": header})

    # ---- rendered

    def stow(self, target: Target | None, asked: Asked) -> httpx.Response:
        """200, 202 when some failed, 409 when all did; another patient than that of the study is refused."""
        parts = [part for part in arrived(asked) if part.dataset is not None]
        failed = [(part, CONFLICTING_PATIENT) for part in parts if self._conflicts(part)]
        stored = [part for part in parts if not self._conflicts(part)]
        for part in stored:
            keep(self.store, part)
        status = 200 if not failed else 202 if stored else 409
        return httpx.Response(status, json=response(stored, failed), headers={"Content-Type": DICOM_JSON})

    def _conflicts(self, part: Arrived) -> bool:
        there = self.store.held(part.uid("StudyInstanceUID"))
        return any(held.text("00100020") != part.uid("PatientID") for held in there)

    def rendered(self, target: Target, numbers: list[int], asked: Asked) -> httpx.Response:
        held, there = self._frames_of(target, numbers)
        if target.rest == ("rendered",) and held.number_of_frames > 1:  # an animated GIF only
            raise Refusal(406, "Not accepted instances present.")
        window, size, quality = rendering(asked)
        for media in self._accepted(asked):
            kind = "image/jpeg" if media.kind in ("*/*", "image/*") else media.kind
            if kind in ("image/jpeg", "image/gif", "image/png"):
                with decoding(406, "Not accepted instances present."):
                    image = fitted(picture(held, there[0], window), size, Image.Resampling.NEAREST)
                return httpx.Response(200, content=written(image, kind, quality), headers={"Content-Type": kind})
        raise Refusal(406, "Not Acceptable")


EXPLICIT = "1.2.840.10008.1.2.1"


def rendering(asked: Asked) -> tuple[tuple[float, float] | None, tuple[int, int] | None, int]:
    """Window, viewport and quality; the function of a window is checked and not applied, six-part viewports fail."""
    window, size = None, None
    if (text := asked.one("window")) is not None:
        parts = text.split(",")
        numbers = [float(part) for part in parts[:2] if re.fullmatch(r"-?\d+(\.\d+)?", part)]
        if len(parts) != 3 or len(numbers) != 2 or parts[2] not in ("linear", "linear-exact", "sigmoid"):
            raise Refusal(400, f"window={text}")
        if numbers[1] <= 0 or (parts[2] == "linear" and numbers[1] < 1):
            raise Refusal(400, f"window={text}")
        window = (numbers[0], numbers[1])
    if (text := asked.one("viewport")) is not None:
        if not re.fullmatch(r"[1-9]\d*,[1-9]\d*", text):
            raise Refusal(400, f"viewport={text}")
        width, height = map(int, text.split(","))
        size = (width, height)
    quality = asked.one("quality", "90") or ""
    if not re.fullmatch(r"[1-9]\d?|100", quality):
        raise Refusal(400, f"quality={quality}")
    if any(part not in ("patient", "technique") for part in (asked.one("annotation") or "patient").split(",")):
        raise Refusal(400, f"annotation={asked.one('annotation')}")
    return window, size, int(quality)


def _match(row: Row, path: list[str], wanted: list[str], fuzzy: bool) -> bool:
    held = reached([row.attributes], path)
    if path[-1] in known.DATES:
        return any(within(held, value) for value in wanted)
    if fuzzy and path[-1] in known.NAMES:
        return any(sounds_like(held, value) for value in wanted)
    return any(wild(held, value) for value in wanted)


def reached(items: list[Json], path: list[str]) -> list[str]:
    """The values at a path of keywords, through the items of sequences."""
    found = [one[tag] for one in items if (tag := tag_of(path[0]) or "") in one]
    if len(path) == 1:
        return [value for one in found for value in texts(one)]
    return reached([item for one in found for item in one.get("Value", [])], path[1:])
