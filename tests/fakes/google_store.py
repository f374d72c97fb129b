"""How Google's DICOM store takes instances as JSON metadata with bulk data: by the rules of its conformance statement
(2026-04-14, "JSON metadata and bulk data requests"). What breaks one of them is refused as a whole (open: 400)."""

import json
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import Message
from io import BytesIO
from typing import Any

from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from .base import DICOM_JSON, OCTETS, Asked, Refusal
from .store import Json, texts
from .stow import Arrived

REQUIRED = ("00080005", "00020010", "00080016", "0020000D", "0020000E", "00080018")
NO_SYNTAXES = {"1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"}
COMPRESSED = {
    "image/jpeg": ("4.70", "4.50", "4.51", "4.57"),
    "image/dicom-rle": ("5",),
    "image/jls": ("4.80", "4.81"),
    "image/jp2": ("4.90", "4.91"),
    "image/jpx": ("4.92", "4.93"),
}
PIXEL_DATA = "7FE00010"


def is_json(asked: Asked) -> bool:
    return _header(asked).get_param("type") == DICOM_JSON


def made_of_json(asked: Asked) -> list[Arrived]:
    """The instances of a request, as the files that are made of them."""
    whole = message_from_bytes(b"Content-Type: " + asked.headers["content-type"].encode() + b"\r\n\r\n" + asked.body,
                               policy=policy.HTTP)  # fmt: skip
    _must(whole.get_content_type() == "multipart/related" and not whole.defects, "malformed multipart message")
    first, *others = list(whole.iter_parts())  # type: ignore[attr-defined]
    _must(first.get_content_type() == DICOM_JSON, "the first part must be application/dicom+json")
    objects = json.loads(_bytes(first).decode("utf-8"))
    _must(isinstance(objects, list), "the metadata must be a JSON array")
    uris = [one["BulkDataURI"] for obj in objects for _, one in _elements(obj) if "BulkDataURI" in one]
    _must(len(set(uris)) == len(uris), "duplicate BulkDataURI")
    inline = any("InlineBinary" in one for obj in objects for _, one in _elements(obj))
    _must(not inline or first.get_param("transfer-syntax") is not None, "InlineBinary without a transfer syntax")
    bulk = {part["Content-Location"]: part for part in others}
    _must(sorted(map(str, bulk)) == sorted(uris), "parts do not match the BulkDataURIs")
    return [Arrived({}, _file(obj, bulk)) for obj in objects]


def _file(obj: Json, bulk: dict[str, Message]) -> Dataset:
    for tag in REQUIRED:
        _must(bool(texts(obj.get(tag))), f"{tag} is missing")
    syntax = texts(obj["00020010"])[0]
    _must(texts(obj["00080005"]) == ["ISO_IR 192"], "SpecificCharacterSet must be ISO_IR 192")
    _must(syntax not in NO_SYNTAXES, f"unsupported transfer syntax {syntax}")
    _must("InlineBinary" not in obj.get(PIXEL_DATA, {}), "PixelData cannot be inline")
    named = [(tag, one) for tag, one in _elements(obj) if "BulkDataURI" in one]
    _must(len(named) <= 1, "more than one BulkDataURI in an instance")
    dataset = Dataset.from_json({tag: one for tag, one in obj.items()
                                 if tag[:4] != "0002" and "BulkDataURI" not in one})  # fmt: skip
    for tag, one in named:
        _must(one["vr"] in ("OB", "OW", "UN") and tag in obj, "BulkDataURI only for OB, OW and UN")
        part = bulk[one["BulkDataURI"]]
        dataset.add_new(int(tag, 16), one["vr"], _value(part, tag, syntax))
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    file = BytesIO()
    dcmwrite(file, dataset, enforce_file_format=True)
    return dcmread(BytesIO(file.getvalue()))


def _value(part: Message, tag: str, syntax: str) -> bytes:
    kind, data = part.get_content_type(), _bytes(part)
    if kind == OCTETS:
        return data
    said = str(part.get_param("transfer-syntax"))
    _must(said.removeprefix("1.2.840.10008.1.2.") in COMPRESSED.get(kind, ()), f"unsupported media type {kind}")
    _must(tag == PIXEL_DATA and said == syntax, "the transfer syntax of the bulk data is another")
    return encapsulate([data])


def _elements(obj: Json) -> Iterator[tuple[str, Json]]:
    """All elements, also of sequences."""
    for tag, one in obj.items():
        yield tag, one
        for item in one.get("Value", []) if one["vr"] == "SQ" else []:
            yield from _elements(item)


def _header(asked: Asked) -> Message:
    header = Message()
    header["Content-Type"] = asked.headers.get("content-type", "")
    return header


def _bytes(part: Any) -> bytes:
    data = part.get_payload(decode=True)
    assert isinstance(data, bytes)
    return data


def _must(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise Refusal(400, otherwise)
