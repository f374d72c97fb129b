"""``dicomweb-mcp demo``: the main job against an embedded archive, through a real client, as an assistant would do it.

Every step states what its answer must hold; the exit status is 0 only if each one did.
"""

import base64
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, ImageContent, TextContent

from ..settings import CACHE_VARIABLE

STORED_LATER = "examples_overlay.dcm"  # the only file of its patient
SEGMENTATION = "1.2.276.0.7230010.3.1.4.0.42154.1458337731.665796"  # liver_1frame.dcm
LONGEST_SHOWN = 1_800
SECONDS = 60

Check = Callable[[CallToolResult], bool]


@dataclass(frozen=True)
class Step:
    """One call: why, which tool with which arguments, and whether its answer is what it should be."""

    why: str
    tool: str
    arguments: dict[str, Any]
    holds: Check


class DemoFailed(Exception):
    """An answer was not what it should have been."""


def demo(output: Path | None) -> int:
    """Run the tour; the picture is written into ``output`` (the working folder by default). The exit status."""
    with tempfile.TemporaryDirectory(prefix="dicomweb-mcp-demo-") as temporary:
        folder, outgoing = Path(temporary) / "dicom", Path(temporary) / "outgoing"
        count = _copy_files(folder)
        outgoing.mkdir()
        (folder / STORED_LATER).rename(outgoing / STORED_LATER)
        print(
            f"{count} files that come with pydicom were copied into temporary folders: all but one into the archive of "
            "this tour, one beside it, to be stored.\n"
        )
        failure = anyio.run(_tour, folder, outgoing, Path(temporary) / "cache", output or Path.cwd())
    if failure:
        print(f"demo failed: {failure}", file=sys.stderr)
        return 1
    print("Every step gave what it should.")
    return 0


def _copy_files(folder: Path) -> int:
    import pydicom.data

    shipped = Path(pydicom.data.__file__).parent / "test_files"
    shutil.copytree(shipped, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return sum(path.is_file() for path in folder.rglob("*"))


async def _tour(folder: Path, outgoing: Path, cache: Path, output: Path) -> str:
    """Everything, over stdio; empty, or what went wrong."""
    server = StdioServerParameters(
        command=sys.executable,
        args=[
            "-m",
            "dicomweb_mcp",
            "--archive",
            f"demo={folder}",
            "--permit",
            "demo:store",
            "--file-root",
            str(outgoing),
        ],
        env={**os.environ, CACHE_VARIABLE: str(cache)},
    )
    with anyio.move_on_after(SECONDS):
        async with Client(server) as client:
            print(f"Connected over stdio, protocol {client.protocol_version}.\n")
            try:
                await _steps(client, output)
            except DemoFailed as failure:
                return str(failure)
            return ""
    return f"it was not done after {SECONDS} s"


async def _steps(client: Client, output: Path) -> None:
    study_uid = series_uid = ""
    for step in _finding():
        answer = await _run(client, step)
        study_uid = study_uid or _first(answer, "StudyInstanceUID")
    for step in _reading(study_uid):
        answer = await _run(client, step)
        series_uid = series_uid or _first(answer, "SeriesInstanceUID")
    for step in _looking(series_uid):
        answer = await _run(client, step)
    print(f"The picture is {_save(answer, output)}\n")
    for step in _storing():
        await _run(client, step)


def _finding() -> list[Step]:
    return [
        Step("Which archives are there, and what can they search?", "list_archives", {},
             lambda answer: "ModalitiesInStudy" in _text(answer)),
        Step("The CT and MR studies of 2004 to 2019, newest first.", "search_studies",
             {"filters": {"ModalitiesInStudy": ["CT", "MR"], "StudyDate": "2004..2019"}, "order": "-StudyDate"},
             lambda answer: _rows(answer) >= 3 and _structured(answer)["complete"] is True),
        Step("A misspelt filter is refused, with what was probably meant.", "search_studies",
             {"filters": {"PatientName": "Doe*", "StudyDtae": "2003"}},
             lambda answer: bool(answer.is_error) and "StudyDate" in _text(answer)),
    ]  # fmt: skip


def _reading(study_uid: str) -> list[Step]:
    return [
        Step("The series of the first study.", "list_series", {"study_uid": study_uid, "order": "SeriesNumber"},
             lambda answer: _rows(answer) >= 1 and _structured(answer)["complete"] is True),
    ]  # fmt: skip


def _looking(series_uid: str) -> list[Step]:
    return [
        Step("What is it, how does it lie in the patient, and how was it acquired?", "get_metadata",
             {"series_uid": series_uid, "max_characters": 3_000},
             lambda answer: _structured(answer)["constant"]["Modality"] == "CT"
             and "verdict" in _structured(answer)["geometry"]),
        Step("What does a segmentation of another study hold, and of which series is it?", "describe_object",
             {"instance_uid": SEGMENTATION},
             lambda answer: _structured(answer)["items"][0]["SegmentLabel"] == "Liver"
             and _structured(answer)["sources"][0]["in_archive"] is False),
        Step("Its middle slice as a picture, with a brain window.", "render_frame",
             {"series_uid": series_uid, "window": "brain"},
             lambda answer: any(isinstance(block, ImageContent) for block in answer.content)
             and "preset brain (40/80)" in _text(answer)),
    ]  # fmt: skip


def _storing() -> list[Step]:
    study = {"filters": {"StudyDescription": "abdomen*", "ModalitiesInStudy": "MR"}}
    return [
        Step("Is there a study of an abdomen?", "search_studies", study,
             lambda answer: _rows(answer) == 0 and _structured(answer)["complete"] is True),
        Step("Not yet. Would its file be fit to be stored?", "store_instances",
             {"paths": [STORED_LATER], "dry_run": True},
             lambda answer: _structured(answer)["to_store"] == 1 and _structured(answer)["stored"] == 0),
        Step("Store it.", "store_instances", {"paths": [STORED_LATER]},
             lambda answer: _structured(answer)["stored"] == 1),
        Step("Now it is found.", "search_studies", study,
             lambda answer: _rows(answer) == 1 and _structured(answer)["complete"] is True),
        Step("A file outside the folder that was opened for storing is not touched.", "store_instances",
             {"paths": ["../dicom/CT_small.dcm"]},
             lambda answer: bool(answer.is_error) and "not below a file root" in _text(answer)),
    ]  # fmt: skip


async def _run(client: Client, step: Step) -> CallToolResult:
    print(f"# {step.why}\n> {step.tool} {json.dumps(step.arguments, ensure_ascii=False)}")
    answer = await client.call_tool(step.tool, step.arguments)
    text = _text(answer)
    print(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}... ({len(text)} characters in all)")
    print()
    try:
        as_it_should = step.holds(answer)
    except (KeyError, TypeError, IndexError):
        as_it_should = False
    if not as_it_should:
        raise DemoFailed(f"the answer to {step.tool} is not what it should be")
    return answer


def _text(answer: CallToolResult) -> str:
    return "\n".join(block.text for block in answer.content if isinstance(block, TextContent))


def _structured(answer: CallToolResult) -> dict[str, Any]:
    return dict(answer.structured_content or {})


def _rows(answer: CallToolResult) -> int:
    return len(_structured(answer)["rows"])


def _first(answer: CallToolResult, keyword: str) -> str:
    found = _structured(answer)
    return str(next((row[keyword] for row in found.get("rows", []) if keyword in row), ""))


def _save(answer: CallToolResult, output: Path) -> Path:
    image = next(block for block in answer.content if isinstance(block, ImageContent))
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"dicomweb-mcp-demo.{image.mime_type.removeprefix('image/')}"
    path.write_bytes(base64.b64decode(image.data))
    return path.absolute()
