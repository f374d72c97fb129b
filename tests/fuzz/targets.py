"""What is fuzzed: each function reads its bytes as an input of strangers and breaks when a promise does not hold."""

import asyncio
import json
import random
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from pydicom import dcmread

from dicomweb_mcp.archives import arriving
from dicomweb_mcp.archives.arriving import Arriving
from dicomweb_mcp.archives.base import NotUnderstood
from dicomweb_mcp.archives.multipart import BadMultipart, parts
from dicomweb_mcp.archives.part10.dataset import Damaged, parse
from dicomweb_mcp.archives.part10.dicom_json import metadata
from dicomweb_mcp.archives.part10.header import NotDicom, Unreadable, read_header
from dicomweb_mcp.archives.part10.outgoing import checked
from dicomweb_mcp.archives.part10.whole import Unfit
from dicomweb_mcp.dicom.query import Query, make_plan
from dicomweb_mcp.dicom.rules import Level
from dicomweb_mcp.dicom.summary import Summary, parse_fields
from dicomweb_mcp.dicom.uids import is_uid
from dicomweb_mcp.dicom.values import normalized, plain
from dicomweb_mcp.services.search import DEFAULT_FIELDS, Found
from dicomweb_mcp.settings import BadSettings, load
from dicomweb_mcp.tools.answers import LIST_BUDGET, size
from dicomweb_mcp.tools.lists import list_answer
from support import open_over

RUNNER = asyncio.Runner()


def fuzz_multipart(data: bytes) -> None:
    """A Content-Type, a line end, four bytes that say how to cut, the body: the same comes out, however it is cut."""
    header, _, rest = data.partition(b"\n")
    content_type, cuts, body = header.decode("latin-1"), rest[:4], rest[4:]
    whole = RUNNER.run(_read(content_type, [body]))
    pieced = RUNNER.run(_read(content_type, _pieces(body, cuts)))
    assert whole == pieced


async def _read(content_type: str, pieces: list[bytes]) -> tuple[list[tuple[dict[str, str], bytes]], str]:
    """The parts, and what was wrong."""

    async def chunks() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    found: list[tuple[dict[str, str], bytes]] = []
    try:
        async for part in parts(content_type, chunks()):
            found.append((dict(part.headers), b""))
            async for chunk in part.chunks:
                found[-1] = (found[-1][0], found[-1][1] + chunk)
    except BadMultipart as problem:
        return found, str(problem)
    return found, ""


def _pieces(body: bytes, cuts: bytes) -> list[bytes]:
    dice = random.Random(cuts)
    most = dice.choice((1, 2, 5, 50, 1_000))
    pieces, start = [], 0
    while start < len(body):
        end = start + dice.randint(1, most)
        pieces.append(body[start:end])
        start = end
    return pieces


class _Server:
    """Answers every request with the same bytes."""

    body = b""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=self.body, headers={"Content-Type": "application/dicom+json"})


SERVER = _Server()
arriving.RUN, arriving.SUSPICIOUS = 32, 64  # so that what is small has many runs
ARCHIVE = open_over(SERVER, "generic")
FILTERS = {
    "PatientName": ["Doe*", "山田"], "PatientID": "?1", "StudyDate": ">=2020", "StudyTime": "10:00..11:30",
    "AcquisitionDateTime": "2020-01-15T10:30", "SliceThickness": "<=2.5", "InstanceNumber": [1, "3..5"],
    "SOPClassUID": "CT Image Storage", "Modality": "ct", "PatientAge": "45Y", "ImageComments": "*x*",
}  # fmt: skip
FIELDS = [*FILTERS, *DEFAULT_FIELDS[Level.INSTANCE], "PixelSpacing", "ReferencedImageSequence"]
PLANS = [
    make_plan(Query(Level.INSTANCE, filters=FILTERS, fields=FIELDS), ARCHIVE.profile.rules),
    make_plan(Query(Level.INSTANCE, filters={"PatientName": "yamada john"}, fuzzy=True), ARCHIVE.profile.rules),
]
PATHS = parse_fields([*FIELDS, "ReferencedImageSequence.ReferencedSOPInstanceUID", "00091001"])


def fuzz_json(data: bytes) -> None:
    """A body as a server may send it, or (where it begins with no bracket) bytes to build objects from: it is refused,
    or it becomes JSON within its budget."""
    SERVER.body = data if data[:1] in b"[{" else json.dumps(_Script(data).rows()).encode()
    try:
        rows = list(RUNNER.run(ARCHIVE.search(PLANS[0], limit=500, offset=0)).rows)
    except NotUnderstood:
        assert _by_json(SERVER.body) is None
        return
    if rows and not re.search(rb"[0-9]{16}", SERVER.body):  # longer numbers are read as floats
        assert repr(rows) == repr([normalized(obj) for obj in _by_json(SERVER.body) or ()])
    summary = Summary()
    for row in rows:
        for element in row.values():
            _written(plain(element))
        for plan in PLANS:
            for condition in (*plan.sent, *plan.here):
                assert condition.test(row) in (True, False, None)
        summary.add(row, None, private=True)
        summary.add(row, PATHS, private=True)
    _written([summary.constant, summary.varying, summary.missing, summary.elided])
    answer = list_answer("pacs", Found(PLANS[0], rows, 0, None), fields_given=True)
    assert size(answer) <= LIST_BUDGET
    _written(answer.structured())


def fuzz_arriving(data: bytes) -> None:
    """Four bytes that say how to cut, and a body: however it is cut, its objects come out, or it is refused."""
    cuts, body = data[:4], data[4:]
    split, found = Arriving("pacs"), []
    try:
        for piece in _pieces(body, cuts):
            split.feed(piece)
            while split.is_due:
                found += split.whole()
        found += split.rest()
    except NotUnderstood:
        assert _by_json(body) is None
        return
    if found and not re.search(rb"[0-9]{16}", body):
        assert repr([dict(obj) for obj in found]) == repr([dict(normalized(obj)) for obj in _by_json(body) or ()])


def _by_json(body: bytes) -> list[dict[str, Any]] | None:
    """The list of objects as the standard library reads it, None where it is none."""
    try:
        found = json.loads(body.decode(json.detect_encoding(body), "replace").removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) and all(isinstance(obj, dict) for obj in found) else None


def _written(value: object) -> None:
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


class _Script:
    """Bytes read as decisions on what to build."""

    TAGS = (
        "00080018", "0020000D", "00100010", "00080020", "00080030", "0008002A", "00180050", "00200013", "00080016",
        "00080060", "00101010", "00204000", "00280030", "00081140", "00091001", "00280010", "7FE00010", "60003000",
        "0008002a", "FFFEE000", "0020000E", "xyz",
    )  # fmt: skip
    VRS = (
        "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "OB", "OD", "OF", "OL", "OV", "OW", "PN",
        "SH", "SL", "SQ", "SS", "ST", "SV", "TM", "UC", "UI", "UL", "UN", "UR", "US", "UT", "UV", "XX", "",
    )  # fmt: skip
    CONSTANTS = (
        None, True, False, 0, -1, 1.5, 1e308, float("nan"), float("inf"), 10**60, "", " ", "NaN", "1e999", "20200115",
        "2020.01.15", "103000.5", "20200115103000+0100", "1.2.840.10008.5.1.4.1.1.2", "Doe^John", "\ud800", "\u202e", "0003",
    )  # fmt: skip

    def __init__(self, data: bytes) -> None:
        self._bytes: Iterator[int] = iter(data)

    def rows(self) -> list[Any]:
        return [self._object(0) for _ in range(1 + self._below(4))]

    def _below(self, limit: int) -> int:
        return next(self._bytes, 0) % limit

    def _object(self, depth: int) -> dict[str, Any]:
        return {self.TAGS[self._below(len(self.TAGS))]: self._element(depth) for _ in range(self._below(6))}

    def _element(self, depth: int) -> Any:
        vr = self.VRS[self._below(len(self.VRS))]
        match self._below(8):
            case 0:
                return self._value(depth)
            case 1:
                return {"vr": vr, "InlineBinary": self._value(depth)}
            case 2:
                return {"vr": vr, "BulkDataURI": self._value(depth)}
            case 3:
                return {"vr": self._value(depth), "Value": [self._value(depth)]}
            case 4:
                return {"vr": vr, "Value": self._value(depth)}
        return {"vr": vr, "Value": [self._value(depth) for _ in range(self._below(4))]}

    def _value(self, depth: int) -> Any:
        match self._below(8):
            case 0 if depth < 6:
                return self._object(depth + 1)
            case 1 if depth < 6:
                return [self._value(depth + 1) for _ in range(self._below(3))]
            case 2:
                return {"Alphabetic": self._value(6), "Ideographic": self._value(6), "Other": self._value(6)}
            case 3:
                return "".join(chr(next(self._bytes, 32)) for _ in range(self._below(24)))
        return self.CONSTANTS[self._below(len(self.CONSTANTS))]


def fuzz_settings(data: bytes) -> None:
    """A TOML file and then, each behind a NUL and one letter, flags and variables: settings, or one sentence."""
    toml, *rest = data.split(b"\0")
    given: dict[str, list[str]] = {letter: [] for letter in "aphre"}
    for piece in rest:
        text = piece.decode("utf-8", "surrogateescape")  # as the system hands over what is not UTF-8
        if text[:1] in given and text:
            given[text[0]].append(text[1:])
    variables = (variable.partition("=") for variable in given["e"])
    with _file(toml, ".toml") as file, suppress(BadSettings):
        load(
            archives=given["a"],
            config=file if toml else None,
            permits=given["p"],
            file_roots=[Path(root) for root in given["r"]],
            http=given["h"][-1] if given["h"] else None,
            environment={name: value for name, _, value in variables},
        )


def fuzz_header(data: bytes) -> None:
    """A file: what the index can keep of it and what its metadata are, or why not."""
    with _file(data, ".dcm") as file:
        try:
            header = read_header(str(file))
        except (NotDicom, Unreadable):
            return
        assert all(map(is_uid, (header.study_uid, header.series_uid, header.instance_uid)))
        _written(dict(header.elements))
        with file.open("rb") as opened, suppress(Damaged):
            _written(metadata(parse(opened)))


def fuzz_outgoing(data: bytes) -> None:
    """A file that may be stored, or why not: then pydicom finds the same UIDs, and it is sent as it is."""
    with _file(data, ".dcm") as file:
        try:
            outgoing = checked(file)
        except Unfit:
            return
        found = dcmread(BytesIO(data), stop_before_pixels=True)
        uids = (found.StudyInstanceUID, found.SeriesInstanceUID, found.SOPInstanceUID)
        assert uids == (outgoing.study_uid, outgoing.series_uid, outgoing.instance_uid)
        assert b"".join(outgoing.chunks()) == data
        with suppress(Damaged):
            _written(outgoing.metadata())


@contextmanager
def _file(data: bytes, ending: str) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(suffix=ending) as file:  # a folder would stay: libFuzzer ends without cleaning up
        file.write(data)
        file.flush()
        yield Path(file.name).resolve()
