"""Storing files in a test server by STOW-RS, believing the lists of the answer and never its status."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from pydicom import Dataset, dcmread, dcmwrite

REFERENCED, FAILED, SOP_UID, REASON = "00081199", "00081198", "00081155", "00081197"
BATCH = 20


@dataclass
class Outcome:
    """SOP instance UIDs that the server says it holds, and the files that it did not take, with why."""

    stored: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)


def dicom_files(folder: Path) -> list[Path]:
    """The DICOM Part 10 files below a folder, whatever their names."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and _is_dicom(path))


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def store(client: httpx.Client, url: str, objects: Iterable[Path | Dataset]) -> Outcome:
    """Store files or data sets at ``{url}/studies``.

    One bad file makes Orthanc answer 400 although the good ones of the same request were stored: what a batch does not
    confirm is sent once more by itself.
    """
    files = [_read(one) for one in objects]
    outcome = Outcome()
    for start in range(0, len(files), BATCH):
        batch = files[start : start + BATCH]
        confirmed, _ = _post(client, url, [data for _, data, _ in batch])
        outcome.stored |= confirmed
        for name, data, uid in batch:
            if uid in confirmed:
                continue
            alone, why = _post(client, url, [data])
            outcome.stored |= alone
            if not alone:
                outcome.refused[name] = why
    return outcome


def _read(one: Path | Dataset) -> tuple[str, bytes, str]:
    if isinstance(one, Path):
        data = one.read_bytes()
        head = dcmread(BytesIO(data), force=True, specific_tags=["SOPInstanceUID"], stop_before_pixels=True)
        return (
            one.name,
            data,
            str(head.get("SOPInstanceUID", "") or head.file_meta.get("MediaStorageSOPInstanceUID", "")),
        )
    whole = BytesIO()
    dcmwrite(whole, one, enforce_file_format=True)
    return one.SOPInstanceUID, whole.getvalue(), str(one.SOPInstanceUID)


def _post(client: httpx.Client, url: str, files: Sequence[bytes]) -> tuple[set[str], str]:
    boundary = uuid4().hex
    # Exactly this part header: Orthanc before plugin 1.19 skips parts whose Content-Type has parameters.
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    body = b"".join(head + data + b"\r\n" for data in files) + f"--{boundary}--\r\n".encode()
    answer = client.post(
        f"{url}/studies",
        content=body,
        headers={
            "Accept": "application/dicom+json",
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
        },
    )
    try:
        said: Any = answer.json()
    except ValueError:
        said = {}
    lists = said if isinstance(said, dict) else {}
    confirmed = {item[SOP_UID]["Value"][0] for item in lists.get(REFERENCED, {}).get("Value", [])}
    reasons = [item[REASON]["Value"][0] for item in lists.get(FAILED, {}).get("Value", [])]
    return confirmed, f"status {answer.status_code}, failure reasons {reasons}"
