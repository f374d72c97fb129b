"""Retrieving from scripted servers, and plain ways to see what became of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from dicomweb_mcp.services.retrieve import Outcome, Retrieval, Wanted, retrieve
from fakes.base import Asked, Fake, Refusal, Target, multipart
from fakes.dcm4chee import Dcm4chee
from fakes.store import Held, Store
from services.transfer_helpers import Steps
from support import app_over

Answer = Callable[[Asked], httpx.Response] | int


class Serving(Dcm4chee):
    """A good archive that gives something else instead of files where it is told to; ``files_asked`` are the paths."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._instead: list[tuple[str, int, Answer]] = []
        self.files_asked: list[str] = []

    def gives(self, answer: Answer, path: str, times: int = 1) -> None:
        """The next requests for the files at a path that ends so bring this answer, or fail with this status."""
        self._instead.append((path, times, answer))

    def retrieve(self, target: Target, asked: Asked) -> httpx.Response:
        self.files_asked.append(asked.path)
        for place, (path, times, answer) in enumerate(self._instead):
            if asked.path.endswith(path) and times:
                self._instead[place] = (path, times - 1, answer)
                if isinstance(answer, int):
                    raise Refusal(answer, "ordered by the test")
                return answer(asked)
        return super().retrieve(target, asked)


def with_parts(*files: bytes, boundary: str = "; boundary=b", cut: int | None = None) -> Answer:
    """An answer of these files, cut behind so many bytes."""
    body = multipart([(["Content-Type: application/dicom"], file) for file in files], "b")[:cut]
    kind = f'multipart/related; type="application/dicom"{boundary}'
    return lambda _: httpx.Response(200, content=body, headers={"content-type": kind})


async def fetched(fake: Fake, kind: str, root: Path, directory: str = "in", **wanted: Any) -> Retrieval:
    app = app_over({"pacs": (fake, kind)}, roots=[root])
    report = wanted.pop("report", Steps())
    try:
        return await retrieve(app, None, Wanted(**wanted), directory, report)
    finally:
        await app.close()


def outcomes(retrieval: Retrieval) -> dict[str, int]:
    return {outcome.value: len(retrieval.of(outcome)) for outcome in Outcome if retrieval.of(outcome)}


def reasons(retrieval: Retrieval) -> dict[str, str]:
    return {item.shown: item.reason for item in retrieval.items if item.reason}


def found(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its path from there."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def due(*held: Held) -> dict[str, bytes]:
    """Where each instance belongs, and its bytes."""
    places = {}
    for one in held:
        uids = [one.text(tag) for tag in ("00100020", "0020000D", "0020000E", "00080018")]
        places["/".join(uids) + ".dcm"] = one.file()
    return places
