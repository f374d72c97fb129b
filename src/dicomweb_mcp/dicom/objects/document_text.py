"""The text of a document of strangers, read in a process of its own by ``python -m`` and the name of this module.

The document comes on stdin, what is found goes to stdout as lines of JSON, each whole as soon as it is there. Whoever
starts this sets the time; memory and output are bounded here. ``services.documents`` is the other side.

    pdf 3 7     the text of pages 3 and 7; without numbers of the first pages, until there is enough of it
    cda         the text of the body of an HL7 CDA document
"""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from typing import Any, BinaryIO

MOST_MEMORY = 1 << 30
MOST_CHARACTERS = 200_000  # in all
MOST_OF_A_PAGE = 50_000
ENOUGH = 20_000  # characters, when no pages are named
MOST_PAGES = 20  # when none are named
BLOCKS = {"title", "paragraph", "item", "tr", "br", "section", "text", "caption", "table", "list"}
CELLS = {"td", "th"}
WHITE_SPACE = re.compile(r"\s+")

Found = dict[str, Any]


def pdf_text(data: bytes, pages: Sequence[int]) -> Iterator[Found]:
    """``{"pages": n}``, then ``{"page": k, "text": ...}``; or ``{"problem": ...}``."""
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, PyPdfError

    try:
        reader = PdfReader(BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            yield {"problem": "encrypted"}
            return
        total = len(reader.pages)
    except (DependencyError, NotImplementedError):
        yield {"problem": "unsupported"}
        return
    yield {"pages": total}
    left = MOST_CHARACTERS if pages else ENOUGH
    for number in pages or range(1, min(total, MOST_PAGES) + 1):
        if not 1 <= number <= total:
            yield {"outside": number}
            return
        if left <= 0:
            return
        try:
            text = reader.pages[number - 1].extract_text()
        except (
            PyPdfError,
            ValueError,
            KeyError,
            TypeError,
            IndexError,
            AttributeError,
            RecursionError,
            ArithmeticError,
        ) as error:
            yield {"page": number, "failed": type(error).__name__}
            continue
        kept = text[: min(MOST_OF_A_PAGE, MOST_CHARACTERS if not pages else left)]
        left -= len(kept)
        yield {"page": number, "text": kept, "more": len(text) - len(kept)}


def cda_text(data: bytes) -> Iterator[Found]:
    """``{"text": ...}`` of titles and narrative blocks; or ``{"problem": ...}``. A document type is refused, so that
    there are no entities to expand."""
    from xml.parsers import expat

    parts: list[str] = []
    path: list[str] = []
    size = 0

    def start(name: str, _: dict[str, str]) -> None:
        path.append(name.rpartition(":")[2])
        if path[-1] in BLOCKS:
            parts.append("\n")

    def end(_: str) -> None:
        name = path.pop()
        parts.append("\n" if name in BLOCKS else "; " if name in CELLS else "")

    def characters(text: str) -> None:
        nonlocal size
        is_narrative = "structuredBody" in path and "entry" not in path and ("text" in path or path[-1] == "title")
        if is_narrative and size < MOST_CHARACTERS:
            parts.append(WHITE_SPACE.sub(" ", text))
            size += len(parts[-1])

    def refuse(*_: object) -> None:
        raise ValueError("a document type")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data.rstrip(b"\0"), True)
    except (expat.ExpatError, ValueError):
        yield {"problem": "damaged"}
        return
    yield {"text": "".join(parts)[:MOST_CHARACTERS]}


def _limit_memory() -> None:
    """An address space of MOST_MEMORY, where the system can be told so."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))


def main(arguments: Sequence[str], source: BinaryIO, target: BinaryIO) -> None:
    """Read the document and write what is found, one object of JSON to a line."""
    _limit_memory()
    kind, *pages = arguments
    try:
        data = source.read()
        for found in pdf_text(data, [int(page) for page in pages]) if kind == "pdf" else cda_text(data):
            target.write(json.dumps(found).encode("ascii") + b"\n")
            target.flush()
        target.write(b'{"done": true}\n')
    except MemoryError:
        target.write(b'{"problem": "too large"}\n')
    except Exception:  # whatever a reader of damaged files may raise: the document is at fault, and nobody else
        target.write(b'{"problem": "damaged"}\n')
    target.flush()


if __name__ == "__main__":
    main(sys.argv[1:], sys.stdin.buffer, sys.stdout.buffer)
