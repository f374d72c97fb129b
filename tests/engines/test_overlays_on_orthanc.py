"""Overlays over a real server are those over a folder of the same files."""

from pathlib import Path

import pytest

from engines.orthanc import Orthanc
from engines.test_summaries_on_orthanc import both, read
from tools.reading import call, image_of, text_of

pytestmark = pytest.mark.anyio

CASES = [
    pytest.param("ct-seg-sr/ct/01.dcm", "ct-seg-sr/seg/partial_overlaps.dcm", 3, id="overlapping segments"),
    pytest.param("ct-seg-sr/23x38x3/image1.dcm", "ct-seg-sr/23x38x3/seg.dcm", 1, id="frames of odd bits"),
    pytest.param("rt-breast/ct.0.dcm", "rt-breast/rtss.dcm", 1, id="contours"),
]


@pytest.mark.parametrize(("images", "overlay", "drawn"), CASES)
async def test_the_same_is_drawn(orthanc: Orthanc, same_folder: Path, images: str, overlay: str, drawn: int) -> None:
    asked = {"series_uid": read(images).SeriesInstanceUID, "overlay": read(overlay).SeriesInstanceUID}
    async with both(orthanc, same_folder) as client:
        for tool in ("render_frame", "preview_series"):
            pacs, mine = [await call(client, tool, archive=name, **asked) for name in ("pacs", "mine")]
            assert not pacs.is_error, text_of(pacs)
            assert image_of(pacs).data == image_of(mine).data
            if tool == "render_frame":
                assert f"on this image {drawn} of " in text_of(pacs)
