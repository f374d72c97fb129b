"""docs/gallery.md says what the program says, and its pictures are there."""

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytestmark = pytest.mark.anyio

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def script() -> Any:
    specification = importlib.util.spec_from_file_location("gallery_make", DOCS / "gallery" / "make.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules["gallery_make"] = module
    specification.loader.exec_module(module)
    return module


async def test_the_texts_are_those_of_the_program(script: Any) -> None:
    """Of all entries whose files are here; ``python docs/gallery/make.py`` writes the page anew."""
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    found = await script.made()
    assert len(found) >= 15
    for entry in script.ENTRIES:
        if entry.name in found:
            text, _, ending = found[entry.name]
            assert script.section(entry, text, f"{entry.name}.{ending}") in page, entry.name


def test_every_picture_of_the_page_is_there_and_no_other() -> None:
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\]\(gallery/([\w.]+)\)", page))
    there = {path.name for path in (DOCS / "gallery").iterdir() if path.suffix in (".png", ".jpg")}
    assert named == there
    for name in named:
        with Image.open(DOCS / "gallery" / name) as picture:
            assert max(picture.size) <= 512
