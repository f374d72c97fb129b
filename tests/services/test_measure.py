"""Segments of one bit are measured also where the archive declines their frames: out of the object's own file."""

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from mcp import Client

from dicomweb_mcp.server import build
from dicomweb_mcp.services import own_file
from fakes.base import Asked, Refusal, Target
from fakes.google import Google
from fakes.store import Store
from support import app_over
from tools.reading import answer

pytestmark = pytest.mark.anyio

DATA = Path(__file__).parents[1] / "data"
ODD = DATA / "ct-seg-sr/23x38x3/seg.dcm"  # frames of 874 bits
BYTES = DATA / "ct-seg-sr/24x38x3/seg.dcm"


class Declining(Google):
    """Gives files, but of frames only those before ``first_declined``; and no files where there is a ``file_status``."""

    def __init__(self, store: Store, status: int = 400, first_declined: int = 1, file_status: int = 0) -> None:
        super().__init__(store)
        self.status, self.first_declined, self.file_status = status, first_declined, file_status

    def frames(self, target: Target, numbers: list[int], asked: Asked) -> httpx.Response:
        if max(numbers) >= self.first_declined:
            raise Refusal(self.status, "Bad file format")
        return super().frames(target, numbers, asked)

    def retrieve(self, target: Target, asked: Asked) -> httpx.Response:
        if self.file_status:
            raise Refusal(self.file_status, "Bad file format")
        return super().retrieve(target, asked)


async def described(path: Path, **habits: Any) -> tuple[dict[str, Any], Declining]:
    """What is said of a file over a server with these habits."""
    held = pydicom.dcmread(path, stop_before_pixels=True)
    fake = Declining(Store.files(path), **habits)
    async with Client(build(app_over({"pacs": (fake, "google")})), raise_exceptions=True) as client:
        found = await answer(
            client, "describe_object", study_uid=held.StudyInstanceUID, series_uid=held.SeriesInstanceUID,
            instance_uid=held.SOPInstanceUID,
        )  # fmt: skip
    return found, fake


def voxels(path: Path) -> list[int]:
    """How many bits of each segment are set, as pydicom reads them."""
    held = pydicom.dcmread(path)
    groups = held.PerFrameFunctionalGroupsSequence
    of = np.array([group.SegmentIdentificationSequence[0].ReferencedSegmentNumber for group in groups])
    return [int(held.pixel_array[of == segment.SegmentNumber].sum()) for segment in held.SegmentSequence]


def files_read(fake: Declining) -> int:
    return sum('type="application/dicom"' in (request.accept or "") for request in fake.requests)


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("path", [ODD, BYTES])
async def test_frames_that_are_declined_are_cut_out_of_the_file(path: Path, status: int) -> None:
    found, fake = await described(path, status=status)
    assert [item["voxels"] for item in found["items"]] == voxels(path)
    assert not any("Not measured" in note for note in found.get("notes", []))
    assert files_read(fake) == 1


async def test_only_the_frames_that_are_declined_are_cut_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb_mcp.services.object_frames.BATCH_FRAMES", 1)
    found, fake = await described(BYTES, first_declined=2)
    assert [item["voxels"] for item in found["items"]] == voxels(BYTES)
    assert files_read(fake) == 1


@pytest.mark.parametrize(("file_status", "most"), [(400, 1 << 20), (404, 1 << 20), (0, 500)])
async def test_where_the_file_cannot_be_had_either_it_is_said_without_advice(
    monkeypatch: pytest.MonkeyPatch, file_status: int, most: int
) -> None:
    monkeypatch.setattr(own_file, "MOST_BYTES", most)
    found, _ = await described(ODD, file_status=file_status)
    [note] = [note for note in found["notes"] if note.startswith("Not measured")]
    assert "gives no frames of this object" in note
    assert "volumes" in note
    assert "list_archives" not in note
    assert "voxels" not in found["items"][0]


async def test_that_an_archive_is_overloaded_stays_the_reason() -> None:
    found, _ = await described(ODD, file_status=503)
    [note] = [note for note in found["notes"] if note.startswith("Not measured")]
    assert "Try again in a minute" in note


async def test_whole_bytes_are_never_cut_out_of_a_file(tmp_path: Path) -> None:
    """An archive that declines these has another reason."""
    held = pydicom.dcmread(DATA / "seg-sm-ann-sr/seg_image_ct_true_fractional.dcm")
    assert held.BitsAllocated == 8
    held.save_as(tmp_path / "fractional.dcm")
    found, fake = await described(tmp_path / "fractional.dcm")
    assert any(note.startswith("Not measured") for note in found["notes"])
    assert files_read(fake) == 0
