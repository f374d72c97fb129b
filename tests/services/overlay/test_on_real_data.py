"""Which pixels of an image belong to which segment, against highdicom's reading of the same segmentations."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from highdicom.seg import Segmentation
from pydicom import Dataset
from pydicom.data import get_testdata_file

from dicomweb_mcp.archives.folder import FolderArchive
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.overlay import Overlay, Target, open_overlay
from dicomweb_mcp.settings.sources import load
from fakes.store import SHIPPED
from segmentations import DATA, as_json, read

pytestmark = pytest.mark.anyio

DICOMDIR = sorted(path for path in (SHIPPED / "dicomdirtests/77654033/CT2").iterdir() if path.is_file())
CASES = [
    ("ct-seg-sr/seg/liver.dcm", sorted((DATA / "ct-seg-sr/ct").glob("*.dcm"))),
    ("ct-seg-sr/seg/partial_overlaps.dcm", sorted((DATA / "ct-seg-sr/ct").glob("*.dcm"))),
    ("ct-seg-sr/23x38x3/seg.dcm", sorted((DATA / "ct-seg-sr/23x38x3").glob("image*.dcm"))),
    ("ct-seg-sr/24x38x3/seg.dcm", sorted((DATA / "ct-seg-sr/24x38x3").glob("image*.dcm"))),
    ("ct-seg-sr/seg/sparse-labelmap-noppv.dcm", sorted((DATA / "ct-seg-sr/24x38x3").glob("image*.dcm"))),
    ("seg-sm-ann-sr/seg_image_ct_binary_single_frame.dcm", [Path(get_testdata_file("CT_small.dcm"))]),
    ("seg-sm-ann-sr/seg_image_ct_binary.dcm", DICOMDIR),
    ("seg-sm-ann-sr/seg_image_ct_binary_overlap.dcm", DICOMDIR),
    ("seg-sm-ann-sr/seg_image_ct_binary_fractional.dcm", DICOMDIR),
    ("seg-sm-ann-sr/seg_image_ct_true_fractional.dcm", DICOMDIR),
]


@pytest.fixture
async def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[App]:
    monkeypatch.setenv("DICOMWEB_MCP_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    opened = App(load(archives=[f"mine={tmp_path / 'data'}"], environment={}))
    yield opened
    await opened.close()


async def opened(app: App, name: str) -> Overlay:
    archive = app.archive("mine")
    assert isinstance(archive, FolderArchive)
    segmentation = read(name)
    segmentation.save_as(Path(archive.address) / "seg.dcm")
    return await open_overlay(app, archive, segmentation.StudyInstanceUID, segmentation.SeriesInstanceUID)


def expected(segmentation: Dataset, image: Dataset) -> dict[str, np.ndarray]:
    """The mask of each segment on one image, by highdicom."""
    numbers = [item.SegmentNumber for item in segmentation.SegmentSequence if item.SegmentNumber]
    read_there = Segmentation.from_dataset(segmentation)
    pixels = read_there.get_pixels_by_source_instance(
        [image.SOPInstanceUID],
        segment_numbers=numbers,
        assert_missing_frames_are_empty=True,
        ignore_spatial_locations=True,
    )[0]
    if segmentation.SegmentationType == "FRACTIONAL":
        pixels = pixels >= 0.5
    names = {item.SegmentNumber: f"{item.SegmentNumber} {item.SegmentLabel}" for item in segmentation.SegmentSequence}
    return {names[number]: pixels[..., nth] for nth, number in enumerate(numbers) if pixels[..., nth].any()}


@pytest.mark.parametrize(("name", "images"), CASES)
async def test_masks_are_those_of_highdicom(app: App, name: str, images: list[Path]) -> None:
    overlay, segmentation = await opened(app, name), read(name)
    met = 0
    for path in images:
        image = pydicom.dcmread(path)
        drawn = await overlay.on(Target(as_json(image)))
        truth = expected(segmentation, image)
        assert [mark.name for mark in drawn.marks] == list(truth)
        for mark in drawn.marks:
            assert mark.mask is not None
            assert (mark.mask == truth[mark.name]).all()
            assert (
                f"{mark.name} #{''.join(f'{part:02x}' for part in mark.colour)}, {mark.mask.sum():,} pixels"
                in drawn.parts
            )
        met += len(truth)
        if truth:
            assert "on the pixels of the image itself" in drawn.how
    assert met
