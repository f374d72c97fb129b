"""The text of encapsulated documents, read in a process of its own that can be stopped (``document_text`` of
``dicom.objects``)."""

import base64
import binascii
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import anyio
from anyio.abc import Process

from ..archives.base import Archive, ArchiveError, Place
from ..dicom.facts import amount, ranges
from ..dicom.objects import document
from ..dicom.objects import document_text as reader
from ..dicom.objects.prose import prose
from ..dicom.values import DicomJson, element, text
from ..errors import BadArgument

MiB = 1 << 20
MOST_BYTES = 64 * MiB
MOST_OUTPUT = 8 * MiB  # of the reader: every character of its text may be escaped
MOST_SECONDS = 20.0
MOST_ASKED = 50  # pages
AT_ONCE = anyio.CapacityLimiter(2)
KINDS = {"application/pdf": "pdf", "text/xml": "cda", "application/hl7-cda+xml": "cda"}
INHERITED = {  # what Python needs to start, and none of the credentials that may stand beside it
    "APPDATA", "HOME", "LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "PYTHONPATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR",
    "USERPROFILE",
}  # fmt: skip
PROBLEMS = {
    "unsupported": "The PDF is encrypted or built in a way that is not read here: its text was not read.",
    "encrypted": "The PDF is encrypted and opens with a password only: its text was not read.",
    "damaged": "The document is damaged, or not what it claims to be: its text, or the rest of it, could not be read.",
    "too large": "Reading the text needs more memory than is allowed: it, or the rest of it, was not read.",
    "too long": f"Reading the text took over {MOST_SECONDS:.0f} s and was stopped: it, or the rest of it, is missing.",
    "ended": "The process that read the text ended before it was done: it, or the rest of it, is missing.",
}  # fmt: skip

Found = dict[str, Any]


async def document_text(
    archive: Archive, place: Place, obj: DicomJson, pages: Sequence[int] | None
) -> tuple[list[str], int | None, list[str]]:
    """The text of a PDF, page by page, or of a CDA document: its lines, how many pages there are, and notes.

    Raises BadArgument for pages that there are not. What cannot be read is a note, not an error.
    """
    said = text(obj, "MIMETypeOfEncapsulatedDocument").lower().partition(";")[0].strip()
    kind = KINDS.get(said) or KINDS.get(document.TYPES.get(text(obj, "SOPClassUID"), ""), "")
    asked = _checked(pages, kind)
    if not kind:
        return [], None, ["Text is read of PDF and CDA documents only."]
    try:
        data, problem = await _document(archive, place, obj)
    except ArchiveError as error:
        return [], None, [f"The document could not be fetched. {error}"]
    if problem:
        return [], None, [problem]
    try:
        async with AT_ONCE:
            found = await _read(data, [kind, *map(str, asked)])
    except OSError:
        return [], None, ["No process could be started to read the text in."]
    return _pages(found, asked) if kind == "pdf" else _body(found)


def _checked(pages: Sequence[int] | None, kind: str) -> list[int]:
    if not pages:
        return []
    if kind != "pdf":
        raise BadArgument("pages can be chosen of PDF documents only: leave it out.")
    asked = list(dict.fromkeys(pages))
    if len(asked) > MOST_ASKED:
        raise BadArgument(f"{len(asked)} pages are too many at once; at most {MOST_ASKED}.")
    if min(asked) < 1:
        raise BadArgument(f"pages={min(asked)}: pages are counted from 1.")
    return asked


async def _document(archive: Archive, place: Place, obj: DicomJson) -> tuple[bytes, str]:
    """The bytes of the document without padding; or in their place why there are none. Raises ArchiveError."""
    held = element(obj, "EncapsulatedDocument") or {}
    said = document.size(obj)
    if said is not None and said > MOST_BYTES:
        return b"", _too_large(said)
    if isinstance(inline := held.get("InlineBinary"), str):
        try:
            data = base64.b64decode(inline)
        except (binascii.Error, ValueError):
            return b"", "The metadata hold the document in a form that cannot be decoded."
    elif isinstance(uri := held.get("BulkDataURI"), str):
        data = await archive.bulkdata(place, uri)
    else:
        return b"", "The archive's metadata neither hold the document nor say where it is."
    if len(data) > MOST_BYTES:
        return b"", _too_large(len(data))
    return (data[:said] if said else data), ""


def _too_large(size: int) -> str:
    return f"The document has {size / MiB:.0f} MiB; text is read of at most {MOST_BYTES // MiB} MiB."


async def _read(data: bytes, arguments: Sequence[str]) -> list[Found]:
    """What the reader said, as far as it came; ends with a problem when it was not done."""
    output = bytearray()
    late = True
    with anyio.move_on_after(MOST_SECONDS):
        environment = {name: value for name, value in os.environ.items() if name.upper() in INHERITED}
        command = [sys.executable, "-P", "-W", "ignore", "-m", reader.__name__, *arguments]
        async with await anyio.open_process(command, stderr=subprocess.DEVNULL, env=environment) as process:
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_send, process, data)
                    await _receive(process, output)
                    tasks.cancel_scope.cancel()
            finally:
                if process.returncode is None and len(output) > MOST_OUTPUT:
                    process.kill()
        late = False
    found = [item for line in bytes(output[:MOST_OUTPUT]).splitlines() if (item := _said(line))]
    if late or not any("done" in item or "problem" in item or "outside" in item for item in found):
        found.append({"problem": "too long" if late else "ended"})
    return found


async def _send(process: Process, data: bytes) -> None:
    assert process.stdin is not None
    try:
        await process.stdin.send(data)
        await process.stdin.aclose()
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        return  # it ended without reading all; what it said tells why


async def _receive(process: Process, output: bytearray) -> None:
    assert process.stdout is not None
    async for chunk in process.stdout:
        output += chunk
        if len(output) > MOST_OUTPUT:
            return


def _said(line: bytes) -> Found:
    """One line of the reader; empty for one that was cut."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _pages(found: list[Found], asked: Sequence[int]) -> tuple[list[str], int | None, list[str]]:
    total = next((item["pages"] for item in found if "pages" in item), None)
    if outside := [item["outside"] for item in found if "outside" in item]:
        has = f"the document has pages 1 to {total}" if total else "the document has no pages"
        raise BadArgument(f"pages={outside[0]}: {has}.")
    lines: list[str] = []
    empty, failed = [], []
    notes = [PROBLEMS[item["problem"]] for item in found if item.get("problem") in PROBLEMS]
    for item in found:
        number = item.get("page")
        if number is None:
            continue
        if "failed" in item:
            failed.append(number)
            continue
        page, _ = prose(item["text"], len(item["text"]))
        lines += [f"page {number}:", *(f"> {line}" for line in page)] if page else []
        if item["more"]:
            notes.append(f"Page {number} has {item['more']} more characters, which are left out.")
        elif not page:
            empty.append(number)
    read = {item["page"] for item in found if "page" in item}
    if empty:
        notes.append(f"No text on {_named(empty)}: a scan, a drawing, or blank.")
    if failed:
        notes.append(f"The text of {_named(failed)} could not be read.")
    if total and (left := [number for number in asked or range(1, min(total, 100_000) + 1) if number not in read]):
        notes.append(f"Read: {_named(sorted(read))} of {total}. For others give pages, such as pages=[{left[0]}].")
    return lines, total, notes


def _named(pages: Sequence[int]) -> str:
    return f"page{'s' if len(pages) > 1 else ''} {ranges(pages)}" if pages else "no page"


def _body(found: list[Found]) -> tuple[list[str], int | None, list[str]]:
    notes = [PROBLEMS[item["problem"]] for item in found if item.get("problem") in PROBLEMS]
    lines, more = prose("".join(item["text"] for item in found if "text" in item), reader.MOST_CHARACTERS)
    if more:
        notes.append(f"{amount(more, 'more character')} left out.")
    if not lines and not notes:
        notes.append("The document has no narrative text that can be read.")
    return [f"> {line}" for line in lines], None, notes
