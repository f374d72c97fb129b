"""What the scripted servers share for storing: the files of a request, and the response of PS3.18 10.5.3."""

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO

import pydicom
from pydicom import Dataset

from .base import Asked, Refusal, split_multipart
from .store import Held, Json, Store, element

PROCESSING_FAILURE, CONFLICTING_PATIENT = 0x0110, 0xA778


@dataclass(frozen=True)
class Arrived:
    """One part of a request; ``dataset`` is None for what is no DICOM file."""

    headers: dict[str, str]
    dataset: Dataset | None

    def uid(self, keyword: str = "SOPInstanceUID") -> str:
        return str(self.dataset.get(keyword, "")) if self.dataset is not None else ""


def arrived(asked: Asked) -> list[Arrived]:
    content_type = asked.headers.get("content-type", "")
    if not content_type.startswith('multipart/related; type="application/dicom"'):
        raise Refusal(415, f"unsupported media type {content_type}")
    return [Arrived(headers, _read(data)) for headers, data in split_multipart(content_type, asked.body)]


def _read(data: bytes) -> Dataset | None:
    try:
        return pydicom.dcmread(BytesIO(data))
    except Exception:
        return None


def keep(store: Store, part: Arrived) -> None:
    assert part.dataset is not None
    store.hold([Held(dataset=part.dataset)])


def response(stored: Iterable[Arrived], failed: Iterable[tuple[Arrived, int]], **more: Json) -> Json:
    """The Store Instances Response; a sequence without items is left out."""
    sequences = {"00081199": [_item(part) for part in stored],
                 "00081198": [{**_item(part), "00081197": element("US", code)} for part, code in failed]}  # fmt: skip
    return {**{tag: element("SQ", *items) for tag, items in sequences.items() if items}, **more}


def _item(part: Arrived) -> Json:
    return {"00081150": element("UI", part.uid("SOPClassUID")), "00081155": element("UI", part.uid())}
