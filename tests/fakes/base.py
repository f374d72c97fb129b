"""What every scripted server shares: the record of requests, failures on order, DICOMweb's routes, multipart bodies."""

import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

import httpx
from pydicom.datadict import keyword_for_tag, tag_for_keyword

from .store import LEVELS, Held, Json, Row, Store

DICOM_JSON = "application/dicom+json"
OCTETS = "application/octet-stream"
NAMES = {"studies": "study", "series": "series", "instances": "instance"}


class Refusal(Exception):
    """Ends the answering of a request with an error of this status."""

    def __init__(self, status: int, message: str = ""):
        super().__init__(message)
        self.status, self.message = status, message


@dataclass(frozen=True)
class Asked:
    """One request as it came in. ``path`` is decoded and below the base; ``raw_query`` is as it was sent."""

    method: str
    path: str
    query: list[tuple[str, str]]
    accept: str | None
    raw_query: str
    headers: httpx.Headers
    body: bytes = field(repr=False, default=b"")
    url: str = ""

    def all(self, key: str) -> list[str]:
        return [value for name, value in self.query if name == key]

    def one(self, key: str, default: str | None = None) -> str | None:
        return next(iter(self.all(key)), default)


@dataclass(frozen=True)
class Target:
    """What a path points at: a search at ``level``, or the object of these UIDs and ``rest`` of it."""

    level: str
    uids: tuple[str, ...]
    search: bool
    rest: tuple[str, ...] = ()

    @property
    def study(self) -> str | None:
        return next(iter(self.uids), None)

    @property
    def series(self) -> str | None:
        return self.uids[1] if len(self.uids) > 1 else None

    @classmethod
    def of(cls, path: str) -> "Target | None":
        parts = path.strip("/").split("/")
        uids: list[str] = []
        level = ""
        while parts and NAMES.get(parts[0]) in LEVELS[len(uids) :]:
            level = NAMES[parts.pop(0)]
            if not parts or parts == ["count"]:
                return cls(level, tuple(uids), True, tuple(parts))
            if LEVELS[len(uids)] != level:
                return None
            uids.append(parts.pop(0))
        return cls(level, tuple(uids), False, tuple(parts)) if uids else None


@dataclass(frozen=True)
class Media:
    """One media type of an Accept header: ``kind`` is the inner type of a multipart one."""

    multipart: bool
    kind: str
    syntax: str | None

    @classmethod
    def wanted(cls, accept: str | None) -> "list[Media]":
        listed = re.findall(r'(?:[^,"]|"[^"]*")+', accept or "*/*")
        return [cls._of(one.strip()) for one in listed]

    @classmethod
    def _of(cls, text: str) -> "Media":
        header = Message()
        header["Content-Type"] = text
        outer = text.split(";")[0].strip().lower()
        syntax = header.get_param("transfer-syntax")
        if outer != "multipart/related":
            return cls(False, outer, str(syntax) if syntax else None)
        inner = str(header.get_param("type", "*/*"))
        return cls(True, inner.split(";")[0].strip().lower(), str(syntax) if syntax else None)


def multipart(parts: Iterable[tuple[Sequence[str], bytes]], boundary: str) -> bytes:
    """A multipart body; each part has its header lines and its bytes, which are not touched."""
    body = b""
    for lines, data in parts:
        head = "\r\n".join((f"--{boundary}", *lines, "", ""))
        body += head.encode() + data + b"\r\n"
    return body + f"--{boundary}--\r\n".encode()


def new_boundary() -> str:
    return uuid4().hex


def split_multipart(content_type: str, body: bytes) -> list[tuple[dict[str, str], bytes]]:
    """The parts of a body, headers in lower case: for what is stored, and for the fakes' own tests."""
    header = Message()
    header["Content-Type"] = content_type
    delimiter = f"\r\n--{header.get_boundary()}".encode()
    found = []
    for piece in (b"\r\n" + body).split(delimiter)[1:-1]:
        head, _, data = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        lines = (line.partition(":") for line in head.decode().split("\r\n"))
        found.append(({name.strip().lower(): value.strip() for name, _, value in lines}, data))
    return found


def tag_of(key: str) -> str | None:
    """``PatientID`` or ``00100020`` as ``00100020``; None for what is neither. Keywords are case-sensitive."""
    if re.fullmatch(r"[0-9A-Fa-f]{8}", key):
        return key.upper()
    tag = tag_for_keyword(key)
    return f"{tag:08X}" if tag is not None else None


def keyword_of(key: str) -> str | None:
    """The keyword of a key; a tag outside the dictionary stays as it is."""
    tag = tag_of(key)
    return None if tag is None else keyword_for_tag(int(tag, 16)) or tag


@contextmanager
def decoding(status: int, message: str) -> Iterator[None]:
    """What cannot be decoded ends in this status, as it would where a codec is missing on a server."""
    try:
        yield
    except (NotImplementedError, RuntimeError, ValueError) as problem:
        raise Refusal(status, message) from problem


Failure = int | Exception | Callable[[Asked], httpx.Response]


class Fake:
    """A server as a function of a request, for ``httpx.MockTransport(fake)``.

    ``requests`` holds everything that was asked. ``fail(...)`` orders failures for requests to come. With ``gzip`` set
    the answers are compressed for those who take it. Addresses in answers are of the host that was asked.
    """

    base = "/dicom-web"
    origin = ""
    gzip = False

    def __init__(self, store: Store, base: str | None = None):
        self.store = store
        self.base = (self.base if base is None else base).rstrip("/")
        self.requests: list[Asked] = []
        self._failures: list[tuple[Failure, int, str, str]] = []

    def fail(self, what: Failure, times: int = 1, only: str = "", method: str = "") -> None:
        """The next ``times`` requests (of this method, whose path contains ``only``) end so: a status as this server words it, an
        exception that is raised (``httpx.ConnectError("...")``), or whatever the given function answers."""
        self._failures.append((what, times, only, method))

    @property
    def paths(self) -> list[str]:
        return [asked.path for asked in self.requests]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        asked = self._asked(request)
        self.requests.append(asked)
        self.origin = f"{request.url.scheme}://{request.url.netloc.decode()}"
        answer = self._answered(asked)
        if self.gzip and answer.content and "gzip" in asked.headers.get("accept-encoding", ""):
            headers = {**answer.headers, "Content-Encoding": "gzip"}
            headers.pop("content-length", None)
            return httpx.Response(answer.status_code, content=gzip.compress(answer.content), headers=headers)
        return answer

    def _answered(self, asked: Asked) -> httpx.Response:
        try:
            failure = self._due(asked)
            if failure is not None:
                return self._failed(failure, asked)
            return self.answer(asked)
        except Refusal as refusal:
            return self.error(refusal.status, refusal.message)

    def answer(self, asked: Asked) -> httpx.Response:
        if asked.method == "POST":
            return self.stow(None if asked.path == "/studies" else self.target(asked), asked)
        target = self.target(asked)
        if asked.method != "GET":
            raise Refusal(405, "method not allowed")
        if target.search:
            return self.count(target, asked) if target.rest else self.search(target, asked)
        match target.rest:
            case ():
                return self.retrieve(target, asked)
            case ("metadata",):
                return self.metadata(target, asked)
            case ("frames", numbers):
                return self.frames(target, self.numbers(numbers), asked)
            case ("frames", number, "rendered"):
                return self.rendered(target, self.numbers(number), asked)
            case ("rendered",):
                return self.rendered(target, [1], asked)
            case (("bulkdata" | "bulk"), *path):
                return self.bulk(target, "/".join(path), asked)
        raise Refusal(404, f"no such resource: {asked.path}")

    # What a server answers; each imitation has those that it imitates.
    def search(self, target: Target, asked: Asked) -> httpx.Response:
        raise Refusal(404, "no search here")

    def count(self, target: Target, asked: Asked) -> httpx.Response:
        raise Refusal(404, "no counts here")

    def retrieve(self, target: Target, asked: Asked) -> httpx.Response:
        raise Refusal(404, "no retrieval here")

    def metadata(self, target: Target, asked: Asked) -> httpx.Response:
        raise Refusal(404, "no metadata here")

    def frames(self, target: Target, numbers: list[int], asked: Asked) -> httpx.Response:
        raise Refusal(404, "no frames here")

    def rendered(self, target: Target, numbers: list[int], asked: Asked) -> httpx.Response:
        raise Refusal(404, "nothing is rendered here")

    def bulk(self, target: Target, path: str, asked: Asked) -> httpx.Response:
        raise Refusal(404, "no bulk data here")

    def stow(self, target: Target | None, asked: Asked) -> httpx.Response:
        raise Refusal(405, "nothing is stored here")

    def error(self, status: int, message: str) -> httpx.Response:
        return httpx.Response(status, text=message)

    # Tools for them
    def target(self, asked: Asked) -> Target:
        target = Target.of(asked.path)
        if target is None:
            raise Refusal(404, f"no such resource: {asked.path}")
        return target

    def numbers(self, text: str) -> list[int]:
        if not re.fullmatch(r"\d+(,\d+)*", text):
            raise Refusal(400, f"invalid frame list {text}")
        return [int(number) for number in text.split(",")]

    def held(self, target: Target, status: int = 404) -> list[Held]:
        found = self.store.held(*target.uids)
        if not found:
            raise Refusal(status, f"{target.level} {target.uids[-1]} does not exist")
        return found

    def rows(self, target: Target) -> list[Row]:
        return self.store.rows(target.level, target.study, target.series)

    def list_of(self, rows: list[Json], headers: dict[str, str] | None = None) -> httpx.Response:
        body = json.dumps(rows, ensure_ascii=False).encode()
        return httpx.Response(200, content=body, headers={"Content-Type": DICOM_JSON, **(headers or {})})

    def url(self, row: Row | Held, path: str = "") -> str:
        """The address of an object, as this server writes it into its answers."""
        uids = (row.study, row.series, row.instance) if isinstance(row, Row) else ()
        if isinstance(row, Held):
            uids = tuple(row.text(tag) for tag in ("0020000D", "0020000E", "00080018"))
        names = zip(("studies", "series", "instances"), uids, strict=True)
        return self.address + "".join(f"/{name}/{uid}" for name, uid in names if uid) + path

    @property
    def address(self) -> str:
        """The base as it is written into answers."""
        return f"{self.origin}{self.base}"

    def _asked(self, request: httpx.Request) -> Asked:
        raw_path, _, raw_query = request.url.raw_path.decode("ascii").partition("?")
        path = unquote(raw_path)
        if self.base and path.startswith(f"{self.base}/"):
            path = path.removeprefix(self.base)
        return Asked(
            method=request.method,
            path=path,
            query=parse_qsl(raw_query, keep_blank_values=True),
            accept=request.headers.get("accept"),
            raw_query=raw_query,
            headers=request.headers,
            body=request.read(),
            url=str(request.url),
        )

    def below_base(self, asked: Asked) -> bool:
        return httpx.URL(asked.url).path.startswith(f"{self.base}/")

    def _due(self, asked: Asked) -> Failure | None:
        for place, (what, times, only, method) in enumerate(self._failures):
            if only in asked.path and method in ("", asked.method):
                self._failures[place : place + 1] = [(what, times - 1, only, method)] if times > 1 else []
                return what
        return None

    def _failed(self, failure: Failure, asked: Asked) -> httpx.Response:
        if isinstance(failure, Exception):
            raise failure
        if isinstance(failure, int):
            raise Refusal(failure, f"ordered by the test: {failure}")
        return failure(asked)
