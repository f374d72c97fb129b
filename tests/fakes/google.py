"""Google Cloud Healthcare's DICOM store, and IDC's proxy before one (``idc=True``).

Sources: Google's DICOM conformance statement (2026-04-14) and "Using the DICOMweb standard"; errors as cited in the
issues of public clients; for IDC the source of ImagingDataCommons/ThrottleProxy (2026-06). Nobody could ask the live
services: what the sources leave open is answered here the unfriendly way and marked "open".
"""

import json
import re

import httpx
from PIL import Image
from pydicom.datadict import keyword_for_tag

from . import google_attributes as known
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
from .google_store import is_json, made_of_json
from .matching import DATE_RANGE, any_prefix, equal, within
from .render import fitted, picture, written
from .store import PIXELS, Held, Json, Row, Store, element, texts
from .stow import PROCESSING_FAILURE, Arrived, arrived, keep, response

EXPLICIT = "1.2.840.10008.1.2.1"
PARAMETERS = {"limit", "offset", "includefield", "fuzzymatching"}
NO_PIXELS = "no PixelData found in requested instance"
IDC_BASE = "/current/viewer-only-no-downloads-see-tinyurl-dot-com-slash-3j3d9jyp/dicomWeb"
IDC_STORE = (
    "https://healthcare.googleapis.com/v1/projects/nci-idc-data/locations/us-central1/datasets/idc/dicomStores/"
    "idc-store-v24/dicomWeb"
)
QUOTA_PAGE = (
    "<!DOCTYPE html><html><head><title>Quota exceeded</title></head><body><h1>Daily quota exceeded</h1></body></html>"
)


class Google(Fake):
    """``token``: the bearer token that is asked for. ``unknown``: the status for an unknown UID (open: 403 or 404).

    ``parent_uids``: whether series and instance rows also carry the UIDs above them, which the conformance statement
    does not list. ``idc``: behave as the proxy; then ``quota_used`` answers 429, and ``huge`` are the studies whose
    files and frames are decompressed whatever the Accept header says. ``fail(429)`` is Google's own, also behind it.

    Whether it ``makes_files`` of JSON metadata; storage ``classes`` are "kept", "ignored", "refused", or "secret": kept,
    and nobody may ask for them. ``kept_as``: SOP Instance UID -> storage class.
    """

    base = "/v1/projects/p/locations/l/datasets/d/dicomStores/s/dicomWeb"

    def __init__(
        self,
        store: Store,
        base: str | None = None,
        *,
        idc: bool = False,
        token: str | None = None,
        unknown: int = 404,
        parent_uids: bool = False,
        huge: frozenset[str] = frozenset(),
    ):
        super().__init__(store, IDC_BASE if idc and base is None else base)
        self.idc, self.token, self.unknown, self.parent_uids, self.huge = idc, token, unknown, parent_uids, huge
        self.quota_used = False
        self.makes_files, self.classes = True, "kept"
        self.kept_as: dict[str, str] = {}

    @property
    def address(self) -> str:
        """Behind the proxy the addresses are those of Google's own store."""
        return IDC_STORE if self.idc else super().address

    def answer(self, asked: Asked) -> httpx.Response:
        if self.token is not None and asked.headers.get("authorization") != f"Bearer {self.token}":
            raise Refusal(401, "Request is missing required authentication credential.")
        if not self.below_base(asked):
            raise Refusal(404, "The requested URL was not found on this server.")
        if asked.method == "GET" and asked.path.endswith(":getStorageInfo"):
            return self._storage_info(asked.path.removesuffix(":getStorageInfo"))
        return super().answer(asked)

    def _storage_info(self, path: str) -> httpx.Response:
        """``projects.locations...instances.getStorageInfo`` of the REST reference."""
        target = Target.of(path)
        if target is None or target.level != "instance" or self.classes == "secret":
            raise Refusal(403, "Permission denied on resource (or it may not exist).")
        self.held(target, self.unknown)
        info = {"sizeBytes": "1234", "storageClass": self.kept_as[target.uids[2]]}
        return httpx.Response(200, json={"referencedResource": path, "blobStorageInfo": info})

    def error(self, status: int, message: str, name: str | None = None) -> httpx.Response:
        name = name or ("FAILED_PRECONDITION" if message == NO_PIXELS else known.STATUS_NAMES.get(status, "UNKNOWN"))
        headers = {"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/"'} if status == 401 else {}
        return httpx.Response(
            status, json=[{"error": {"code": status, "message": message, "status": name}}], headers=headers
        )

    # ---- IDC's proxy

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if not self.idc:
            return super().__call__(request)
        refused = self._proxy(request)
        if refused is not None:
            self.requests.append(self._asked(request))
            return refused
        answer = super().__call__(request)
        if answer.status_code == 429:
            return httpx.Response(500)
        return httpx.Response(503) if answer.status_code >= 500 else answer

    def _proxy(self, request: httpx.Request) -> httpx.Response | None:
        if request.method not in ("GET", "OPTIONS"):
            return httpx.Response(405)
        if request.url.path == "/quota_usage":
            fraction = 1.0 if self.quota_used else 0.25
            return httpx.Response(200, json={"ip": "192.0.2.1", "bytes_used": 1_000_000, "fraction_used": fraction})
        if not request.url.path.startswith(f"{self.base}/"):
            return httpx.Response(404)
        if self.quota_used:
            return httpx.Response(429, html=QUOTA_PAGE)
        return None

    # ---- search

    def search(self, target: Target, asked: Asked) -> httpx.Response:
        limit = self._number(asked, "limit", known.DEFAULT_LIMIT[target.level], known.LARGEST_LIMIT[target.level])
        offset = self._number(asked, "offset", 0, known.LARGEST_OFFSET)
        fields = self._fields(target.level, asked)
        filters = self._filters(target.level, asked)
        fuzzy = asked.one("fuzzymatching") == "true"
        rows = [row for row in self.rows(target) if all(_match(row, *one, fuzzy) for one in filters)]
        rows = rows[offset : offset + limit]
        if not rows:
            return httpx.Response(204, headers={"Content-Type": "text/html; charset=UTF-8"})
        return self.list_of([self._row(row, target.level, fields) for row in rows])

    def _number(self, asked: Asked, key: str, default: int, largest: int) -> int:
        text = asked.one(key)
        if text is None:
            return default
        if not re.fullmatch(r"\d+", text) or not (key == "offset" or int(text)):  # open: limit=0
            raise Refusal(400, f"invalid {key} parameter: {text!r}")
        if int(text) > largest:
            raise Refusal(400, f"{key} {text} exceeds the maximum of {largest}")
        return int(text)

    def _filters(self, level: str, asked: Asked) -> list[tuple[str, str]]:
        found = []
        for key, value in asked.query:
            if key in PARAMETERS:
                continue
            keyword = keyword_of(key)
            if keyword is None:
                raise Refusal(400, f"unknown/unsupported QIDO attribute: {key}")
            if keyword not in known.SEARCHABLE[level]:
                raise Refusal(400, f"{keyword} is not a supported {level} level attribute for search")
            if not value:  # open
                raise Refusal(400, f"empty value for {keyword}")
            if keyword == "StudyDate" and not DATE_RANGE.fullmatch(value):  # open
                raise Refusal(400, f"invalid date {value!r}")
            found.append((keyword, value))
        return found

    def _fields(self, level: str, asked: Asked) -> list[str] | None:
        """The tags to return; None is every attribute."""
        listed = [name for value in asked.all("includefield") for name in value.split(",") if name]
        keywords = list(known.RETURNED[level])
        if self.parent_uids:
            keywords += ["StudyInstanceUID", "SeriesInstanceUID"][: 0 if level == "study" else 2]
        allowed = {*keywords, *known.ON_REQUEST.get(level, ())}
        for name in listed:
            keyword = keyword_of(name)
            if name == "all":
                if level == "instance":
                    return None
                keywords += sorted(allowed)
            elif keyword in (None, "AvailableTransferSyntaxUID") or not (level == "instance" or keyword in allowed):
                raise Refusal(400, f"unknown/unsupported QIDO attribute: {name}")
            else:
                keywords.append(keyword)
        return sorted({tag_of(keyword) or keyword for keyword in keywords})

    def _row(self, row: Row, level: str, fields: list[str] | None) -> Json:
        attributes = {**row.attributes, "00080056": element("CS", "ONLINE")}
        attributes.setdefault("00080005", element("CS", "ISO_IR 192"))
        if fields is None:
            return self._described(row.held, attributes)
        chosen = {tag: attributes[tag] for tag in fields if tag in attributes}
        return self._bulky(chosen, self.url(row, "/bulkdata")) if level == "instance" else chosen

    # ---- metadata and bulk data

    def metadata(self, target: Target, asked: Asked) -> httpx.Response:
        if not any(media.kind in (DICOM_JSON, "application/json", "*/*") for media in Media.wanted(asked.accept)):
            raise Refusal(406, f"unsupported Accept header {asked.accept}")
        rows = [self._described(held, held.attributes) for held in self.held(target, self.unknown)]
        return self.list_of([without_uris(row) for row in rows] if self.idc else rows)

    def _described(self, held: Held, attributes: Json) -> Json:
        return {**held.meta, **self._bulky(attributes, self.url(held, "/bulkdata"))}

    def _bulky(self, attributes: Json, url: str) -> Json:
        """Large values by address, sequences above 1 MiB not at all."""
        found: Json = {}
        for tag, one in sorted(attributes.items()):
            if one["vr"] == "SQ":
                if len(json.dumps(one)) > known.LARGEST_SEQUENCE:
                    continue
                items = [self._bulky(item, f"{url}/{tag}/{n}") for n, item in enumerate(one.get("Value", []))]
                found[tag] = {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
            elif tag in PIXELS or is_bulk(one):
                found[tag] = {"vr": one["vr"], "BulkDataURI": f"{url}/{tag}"}
            else:
                found[tag] = one
        return found

    def bulk(self, target: Target, path: str, asked: Asked) -> httpx.Response:
        value = self.held(target, self.unknown)[0].bulk(path)
        if value is None:
            raise Refusal(404, f"no bulk data at {path}")
        for media in Media.wanted(asked.accept):
            if media.multipart:
                return self._multipart([([f"Content-Type: {OCTETS}"], value)], OCTETS, None)
            if media.kind in (OCTETS, "*/*"):
                return httpx.Response(200, content=value, headers={"Content-Type": OCTETS})
        raise Refusal(406, f"unsupported Accept header {asked.accept}")

    # ---- files and frames

    def retrieve(self, target: Target, asked: Asked) -> httpx.Response:
        found = self.held(target, self.unknown)
        for media in Media.wanted(asked.accept):
            if media.kind not in ("application/dicom", "*/*"):
                continue
            if media.multipart or media.kind == "*/*":
                parts = [self._file(held, self._syntax(media, target)) for held in found]
                return self._multipart(parts, "application/dicom", media.syntax)
            if target.level == "instance":
                lines, data = self._file(found[0], self._syntax(media, target))
                return httpx.Response(200, content=data, headers={"Content-Type": lines[0].split(": ", 1)[1]})
        raise Refusal(406, f"unsupported Accept header {asked.accept}")

    def _syntax(self, media: Media, target: Target) -> str:
        """The transfer syntax asked for; the proxy takes ``*`` away from huge studies."""
        if media.syntax == "*" and self.idc and target.study in self.huge:
            return EXPLICIT
        return media.syntax or EXPLICIT

    def _file(self, held: Held, syntax: str) -> tuple[list[str], bytes]:
        if syntax in ("*", held.syntax):
            return [f"Content-Type: application/dicom; transfer-syntax={held.syntax}"], held.file()
        self._must_transcode(held, syntax)
        with decoding(406, f"cannot transcode from {held.syntax}"):
            return [f"Content-Type: application/dicom; transfer-syntax={EXPLICIT}"], held.file(EXPLICIT)

    def _must_transcode(self, held: Held, syntax: str) -> None:
        if syntax not in known.SYNTAXES:
            raise Refusal(400, f"unsupported transfer syntax {syntax}")
        if syntax != EXPLICIT or held.syntax not in known.TRANSCODABLE:
            raise Refusal(406, f"cannot transcode from {held.syntax} to {syntax}")

    def frames(self, target: Target, numbers: list[int], asked: Asked) -> httpx.Response:
        held = self._image(target, numbers)
        refusal = Refusal(406, f"unsupported Accept header {asked.accept}")
        for media in Media.wanted(asked.accept):
            if not media.multipart and media.kind != "*/*":
                continue
            try:
                return self._frames(held, numbers, media, self._syntax(media, target))
            except Refusal as unable:
                refusal = unable
        raise refusal

    def _frames(self, held: Held, numbers: list[int], media: Media, syntax: str) -> httpx.Response:
        kind = OCTETS
        if media.kind in known.IMAGE_SYNTAXES:
            kind = media.kind
            ends = known.IMAGE_SYNTAXES[kind]
            fits = held.syntax.startswith("1.2.840.10008.1.2.4.") and held.syntax.rpartition(".")[2] in ends
            if not fits or (media.syntax not in (None, "*", held.syntax)):
                raise Refusal(406, f"cannot transcode from {held.syntax} to {kind}")
            syntax = "*"
        elif media.kind not in (OCTETS, "*/*"):
            raise Refusal(406, f"unsupported media type {media.kind}")
        if syntax in ("*", held.syntax):
            syntax, bodies = held.syntax, [held.frame(number) for number in numbers]
        else:
            self._must_transcode(held, syntax)
            with decoding(406, f"cannot transcode from {held.syntax} to {syntax}"):
                bodies = [held.decoded(number) for number in numbers]
        header = [f"Content-Type: {kind}; transfer-syntax={syntax}"]
        return self._multipart([(header, body) for body in bodies], kind, syntax)

    def _image(self, target: Target, numbers: list[int]) -> Held:
        held = self.held(target, self.unknown)[0]
        if not held.has_pixels:
            raise Refusal(400, NO_PIXELS)
        if not all(1 <= number <= held.number_of_frames for number in numbers):  # open: 400 or 404
            raise Refusal(400, f"frame numbers must be between 1 and {held.number_of_frames}")
        return held

    def _multipart(self, parts: list[tuple[list[str], bytes]], kind: str, syntax: str | None) -> httpx.Response:
        """The boundary comes first and is not quoted."""
        boundary = new_boundary()
        named = f"; transfer-syntax={syntax}" if syntax and syntax != "*" else ""
        header = f'multipart/related; boundary={boundary}{named}; type="{kind}"'
        return httpx.Response(200, content=multipart(parts, boundary), headers={"Content-Type": header})

    # ---- rendered

    def stow(self, target: Target | None, asked: Asked) -> httpx.Response:
        """409 as soon as one part is not stored; what is there already is an error, also when it is identical. XML
        unless JSON is asked for."""
        wanted = asked.headers.get("storage-class")
        if wanted and (wanted not in known.STORAGE_CLASSES or self.classes == "refused"):
            raise Refusal(400, f"invalid Storage-Class header {wanted}")  # open: how it words that
        if is_json(asked) and not self.makes_files:
            raise Refusal(400, "unsupported media type application/dicom+json")
        parts = made_of_json(asked) if is_json(asked) else arrived(asked)
        stored = [part for part in parts if part.dataset is not None and not self._has(part)]
        failed = [(part, PROCESSING_FAILURE) for part in parts if part not in stored]
        for part in stored:
            keep(self.store, part)
            self.kept_as[part.uid()] = "STANDARD" if self.classes == "ignored" else wanted or "STANDARD"
        if asked.accept != DICOM_JSON:
            return httpx.Response(409 if failed else 200, content=b"<NativeDicomModel/>")
        said = response(stored, failed)
        for item in said.get("00081198", {}).get("Value", []):
            item["00091097"] = element("UT", "already exists")
        return httpx.Response(409 if failed else 200, json=said, headers={"Content-Type": DICOM_JSON})

    def _has(self, part: Arrived) -> bool:
        return bool(self.store.held(part.uid("StudyInstanceUID"), part.uid("SeriesInstanceUID"), part.uid()))

    def rendered(self, target: Target, numbers: list[int], asked: Asked) -> httpx.Response:
        held = self._image(target, numbers)
        size = None
        for key, value in asked.query:
            if key != "viewport":  # open: an error, or ignored
                raise Refusal(400, f"unsupported query parameter: {key}")
            if not re.fullmatch(r"[1-9]\d*,[1-9]\d*", value):  # open: six parts
                raise Refusal(400, f"invalid viewport {value!r}")
            width, height = map(int, value.split(","))
            size = (width, height)
        if held.dataset.BitsAllocated == 1 or held.syntax not in known.TRANSCODABLE or len(numbers) > 1:
            raise Refusal(400, "the instance cannot be rendered")
        for media in Media.wanted(asked.accept):
            kind = "image/jpeg" if media.kind in ("*/*", "image/*") else media.kind
            if kind in ("image/jpeg", "image/png"):
                with decoding(400, "the instance cannot be rendered"):
                    image = fitted(picture(held, numbers[0]), size, Image.Resampling.BILINEAR)
                return httpx.Response(200, content=written(image, kind), headers={"Content-Type": kind})
        raise Refusal(406, f"unsupported Accept header {asked.accept}")


def _match(row: Row, keyword: str, value: str, fuzzy: bool) -> bool:
    held = texts(row.attributes.get(tag_of(keyword) or ""))
    if keyword == "StudyDate":
        return within(held, value)
    return any_prefix(held, value) if fuzzy and keyword == "PatientName" else equal(held, value)


def is_bulk(one: Json) -> bool:
    """Whether Google gives this value by address. OF, OL, OD, OV by size of their base64 text."""
    if one["vr"] in known.ALWAYS_BULK:
        return "InlineBinary" in one
    if one["vr"] in known.BULK_BYTES:
        return len(one.get("InlineBinary", "")) * 3 // 4 > known.BULK_BYTES[one["vr"]]
    return one["vr"] in known.BULK_NUMBERS and len(one.get("Value", [])) > known.BULK_VM


def without_uris(attributes: Json) -> Json:
    """The proxy with SUPPRESS_BULK: the addresses are taken away, names and VRs stay."""
    found: Json = {}
    for tag, one in attributes.items():
        items = [without_uris(item) for item in one["Value"]] if one["vr"] == "SQ" and "Value" in one else None
        found[tag] = {key: value for key, value in one.items() if key != "BulkDataURI"}
        if items is not None:
            found[tag]["Value"] = items
    return found


def keywords(row: Json) -> set[str]:
    """The attributes of a row by keyword."""
    return {keyword_for_tag(int(tag, 16)) for tag in row}
