"""Makes docs/gallery.md: pictures of every kind as the tools return them, so that a person sees what a model sees.

    python docs/gallery/make.py

The files are those of tests/data, of pydicom's wheel, of a phantom made here, and of the folder named by
DICOMWEB_MCP_TEST_DATA; entries whose files are not there keep the picture and caption that they have.
"""

import asyncio
import base64
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pydicom
from mcp import Client
from mcp.types import ImageContent, TextContent

sys.path.insert(0, str(Path(__file__).parent))
import phantom

from dicomweb_mcp.server import build
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings.sources import load

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "gallery.md"
OWN = HERE.parents[1] / "tests" / "data"
SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"
NAMED = Path(os.environ.get("DICOMWEB_MCP_TEST_DATA", "nowhere"))
SIZE = 512

INTRODUCTION = """# Gallery

What a model sees: pictures that the tools returned, each with the call and the text beside it. Made by
`docs/gallery/make.py`; the test suite checks that the texts are still those of the program. Not for diagnosis.

The images come from pydicom's test files (MIT) and from `tests/data`, where each folder has its licence; the head CT
with gantry tilt from neurolabusc/dcm_qa_ct (BSD 2-Clause); the head of ellipsoids is made by the script.
"""


@dataclass(frozen=True)
class Entry:
    """One call. ``files`` are put into the folder that is asked, the phantom where there are none; the series is that
    of the first file."""

    name: str
    title: str
    words: str
    files: Sequence[Path]
    tool: str = "render_frame"
    arguments: Mapping[str, Any] = field(default_factory=dict)


def of(folder: Path, pattern: str = "*.dcm") -> list[Path]:
    """The files of a folder; one that is missing stands for those of a folder that is not there."""
    return sorted(folder.glob(pattern)) or [folder / pattern]


def series(path: Path) -> str:
    """The series of a file, or empty where it is not there."""
    return str(pydicom.dcmread(path, stop_before_pixels=True).SeriesInstanceUID) if path.exists() else ""


HEAD = of(NAMED / "ct-head-ge")
ABDOMEN = of(OWN / "ct-seg-sr" / "ct")
OVERLAPS = OWN / "ct-seg-sr" / "seg" / "partial_overlaps.dcm"
CHEST = [OWN / "codec-matrix" / "ct" / "1.2.840.10008.1.2.4.90.dcm"]
SLIDE = of(OWN / "wsi_camelyon_jpeg")
BREAST = [OWN / "rt-breast" / "ct.0.dcm", OWN / "rt-breast" / "rtss.dcm"]

ENTRIES = (
    Entry("ct", "A CT slice", "Without any wish the middle slice comes, in the window of the file.", CHEST),
    Entry(
        "lung", "A preset, and values", "The same in a lung window. What a pixel is, is read and not guessed.", CHEST,
        arguments={"window": "lung", "probe": [[256, 256], [120, 260]], "statistics": [330, 250, 40, 40]},
    ),
    Entry(
        "region", "A region", "Cut out of the native frame; grown by a whole factor, pixel by pixel.", CHEST,
        arguments={"window": "bone", "region": [200, 330, 110, 110]},
    ),
    Entry(
        "segments", "Segments", "A segmentation on the slice that it belongs to, by patient coordinates.",
        [*ABDOMEN, OVERLAPS], arguments={"overlay": series(OVERLAPS)},
    ),
    Entry(
        "largest", "The slice with the most of a segment", "Found among the segmentation's own pixels.",
        [*ABDOMEN, OVERLAPS], arguments={"overlay": series(OVERLAPS), "segment": "orange", "slice": "largest"},
    ),
    Entry(
        "contours", "Contours", "A structure set of radiotherapy on its planning CT.", BREAST,
        arguments={"overlay": series(BREAST[1])},
    ),
    Entry("mr", "MR", "Not in Hounsfield units: a CT preset would be refused.", [SHIPPED / "examples_overlay.dcm"]),
    Entry(
        "small", "A small image", "128 pixels are shown four times as large, nothing is made up between them.",
        [SHIPPED / "CT_small.dcm"],
    ),
    Entry(
        "inverse", "MONOCHROME1", "Low values are bright, as the file says.",
        [OWN / "seg-sm-ann-sr" / "dx_image.dcm"],
    ),
    Entry(
        "palette", "Palette colour", "Indices looked up in the tables of the file.",
        [SHIPPED / "examples_palette.dcm"],
    ),
    Entry("rgb", "Colour", "Ultrasound in RGB; a window has no meaning here.", [SHIPPED / "examples_rgb_color.dcm"]),
    Entry(
        "cine", "A frame of a cine", "JPEG in YBR, decoded here.", [SHIPPED / "examples_ybr_color.dcm"],
        arguments={"frame": 12},
    ),
    Entry("dose", "A dose grid", "32-bit integers, shown in gray.", [SHIPPED / "rtdose.dcm"], arguments={"frame": 8}),
    Entry("seg", "A segmentation itself", "One frame shows one segment.", [OVERLAPS], arguments={"frame": 2}),
    Entry(
        "sheet", "A series at a glance", "Evenly spaced in space, whatever the numbers of the files say.", HEAD,
        "preview_series", {"windows": ["brain"]},
    ),
    Entry(
        "windows", "Several windows", "The same slices twice.", HEAD,
        "preview_series", {"samples": 4, "windows": ["brain", "bone"]},
    ),
    Entry("frames", "A cine by time", "Frames of one file.", [SHIPPED / "examples_ybr_color.dcm"],
          "preview_series", {"samples": 6}),
    Entry(
        "overlays", "Segments on several slices", "Each tile has what lies on its own slice.",
        [*ABDOMEN, OVERLAPS], "preview_series", {"overlay": series(OVERLAPS)},
    ),
    Entry(
        "coronal", "Another plane", "Cut out of axial slices; the head is up, the patient's right on the left.", [],
        "preview_series", {"plane": "coronal", "samples": 6},
    ),
    Entry(
        "pair", "Two series at the same places", "A CT and a PET of other pixels and slices, at one scale in mm.", [],
        "preview_series", {"compare_with": phantom.PET, "samples": 4},
    ),
    Entry(
        "slide", "A whole slide", "From the level that is fine enough for the size of the picture.", SLIDE,
        "render_region", {"whole": True, "scale_bar": True},
    ),
    Entry(
        "tissue", "A region of a slide", "Pixel by pixel from the finest level, from the tiles that it needs.", SLIDE,
        "render_region", {"level": 0, "x": 60, "y": 60, "width": 400, "height": 300},
    ),
)  # fmt: skip


async def made(entries: Sequence[Entry] = ENTRIES) -> dict[str, tuple[str, bytes, str]]:
    """By name the caption, the picture and how its file ends, for all entries whose files are there."""
    found = {}
    for entry in entries:
        if all(path.exists() for path in entry.files):
            found[entry.name] = await _made(entry)
    return found


async def _made(entry: Entry) -> tuple[str, bytes, str]:
    with TemporaryDirectory() as folder:
        for nth, path in enumerate(entry.files):
            shutil.copyfile(path, Path(folder) / f"{nth}.dcm")
        if not entry.files:
            phantom.write(Path(folder))
        app = App(load(archives=[f"gallery={folder}"], environment={"DICOMWEB_MCP_CACHE": folder}))
        async with Client(build(app)) as client:
            result = await client.call_tool(entry.tool, arguments_of(entry))
    (text,) = (block.text for block in result.content if isinstance(block, TextContent))
    if result.is_error:
        raise RuntimeError(f"{entry.name}: {text}")
    (image,) = (block for block in result.content if isinstance(block, ImageContent))
    return text, base64.b64decode(image.data), "jpg" if image.mime_type == "image/jpeg" else "png"


def arguments_of(entry: Entry) -> dict[str, Any]:
    first = series(entry.files[0]) if entry.files else phantom.CT
    return {"series_uid": first, "size": SIZE, **entry.arguments}


def section(entry: Entry, caption: str, picture: str) -> str:
    """One entry of the page."""
    said = ", ".join(f"{name}={value!r}" for name, value in arguments_of(entry).items() if name != "size")
    return (
        f"## {entry.title}\n\n{entry.words}\n\n`{entry.tool}({said})`\n\n![{entry.title}](gallery/{picture})\n\n"
        f"```text\n{caption}\n```\n"
    )


def page(found: Mapping[str, tuple[str, bytes, str]]) -> str:
    """The whole page; all entries must be there."""
    parts = [section(entry, found[entry.name][0], f"{entry.name}.{found[entry.name][2]}") for entry in ENTRIES]
    return "\n".join([INTRODUCTION, *parts])


if __name__ == "__main__":
    everything = asyncio.run(made())
    lacking = [entry.name for entry in ENTRIES if entry.name not in everything]
    if lacking:
        sys.exit(f"Set DICOMWEB_MCP_TEST_DATA to the folder that has the files of: {', '.join(lacking)}.")
    for name, (_, picture, ending) in everything.items():
        (HERE / f"{name}.{ending}").write_bytes(picture)
    PAGE.write_text(page(everything), encoding="utf-8")
    print(f"{PAGE} and {len(everything)} pictures.")
