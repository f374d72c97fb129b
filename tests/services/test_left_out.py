"""What Google leaves out of the metadata of large objects: describe_object reads it in the file."""

import json
import math
from typing import Any

import httpx
import pytest
from mcp import Client
from pydicom import Dataset

from dicom.objects.making import code, made, references
from dicomweb_mcp.server import build
from fakes.google import Google
from fakes.google_attributes import LARGEST_SEQUENCE
from fakes.store import Store
from segmentations import frame, segment, segmentation
from support import app_over
from tools.reading import answer

pytestmark = pytest.mark.anyio

STUDY, CT, SERIES = "1.2", "1.2.1", "1.2.2"
STRUCTURE_SET, REPORT = "1.2.840.10008.5.1.4.1.1.481.3", "1.2.840.10008.5.1.4.1.1.88.33"
ROIS, PLANES, POINTS, RADIUS, STEP = 4, 40, 200, 50.0, 3.0
DEPTH = 40


def placed(sop_class: str, modality: str, **values: Any) -> Dataset:
    """An object in a series of its own."""
    return made(
        SOPClassUID=sop_class, SOPInstanceUID=f"{SERIES}.1", StudyInstanceUID=STUDY, SeriesInstanceUID=SERIES,
        Modality=modality, PatientID="P1", **values,
    )  # fmt: skip


def structure_set() -> Dataset:
    """Cylinders of one radius, each a plane longer than the one before; some MB."""
    corners = [(math.cos(2 * math.pi * n / POINTS), math.sin(2 * math.pi * n / POINTS)) for n in range(POINTS)]
    found = []
    for number in range(1, ROIS + 1):
        contours = []
        for plane in range(PLANES + number):
            points = [f"{value:.10f}" for x, y in corners for value in (RADIUS * x, RADIUS * y, STEP * plane)]
            contours.append(
                made(ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=POINTS, ContourData=points)
            )
        found.append(made(ReferencedROINumber=number, ContourSequence=contours))
    regions = [made(ROINumber=number, ROIName=f"Cylinder {number}") for number in range(1, ROIS + 1)]
    return placed(STRUCTURE_SET, "RTSTRUCT", StructureSetROISequence=regions, ROIContourSequence=found)


def deep_report() -> Dataset:
    """Containers in containers, each with a text of its own, and then texts enough for the whole to be left out."""
    below: list[Dataset] = []
    for level in range(DEPTH, 0, -1):
        below = [container(f"Level {level}", [said(f"finding {level}."), *below])]
    return placed(
        REPORT, "SR", ValueType="CONTAINER", ConceptNameCodeSequence=code("126000", "Imaging Measurement Report"),
        ContentSequence=[*below, *(said("x" * 10_000) for _ in range(110))],
    )  # fmt: skip


def said(words: str) -> Dataset:
    name = code("121071", "Finding")
    return made(RelationshipType="CONTAINS", ValueType="TEXT", ConceptNameCodeSequence=name, TextValue=words)


def container(meaning: str, below: list[Dataset]) -> Dataset:
    return made(
        RelationshipType="CONTAINS", ValueType="CONTAINER", ContinuityOfContent="SEPARATE",
        ConceptNameCodeSequence=code("1", meaning, "99TEST"), ContentSequence=below,
    )  # fmt: skip


async def described(dataset: Dataset, dropped: str, **arguments: Any) -> tuple[dict[str, Any], Google]:
    """The answer over Google, whose metadata lack the sequence ``dropped``."""
    fake = Google(Store(dataset))
    assert len(json.dumps(dataset[dropped].to_json_dict(None, 0))) > LARGEST_SEQUENCE
    app = app_over({"pacs": (fake, "google")})
    async with Client(build(app), raise_exceptions=True) as client:
        found = await answer(
            client, "describe_object", study_uid=dataset.StudyInstanceUID, series_uid=dataset.SeriesInstanceUID,
            instance_uid=dataset.SOPInstanceUID, **arguments,
        )  # fmt: skip
    return found, fake


def files_read(fake: Google) -> int:
    return sum('type="application/dicom"' in (request.accept or "") for request in fake.requests)


async def test_all_structures_of_a_large_structure_set_have_their_volumes() -> None:
    found, fake = await described(structure_set(), "ROIContourSequence")
    polygon = POINTS / 2 * math.sin(2 * math.pi / POINTS) * RADIUS**2
    volumes = [polygon * (PLANES + number) * STEP / 1_000 for number in range(1, ROIS + 1)]
    assert [item["ROIName"] for item in found["items"]] == [f"Cylinder {number}" for number in range(1, ROIS + 1)]
    assert [item["contours"] for item in found["items"]] == [PLANES + number for number in range(1, ROIS + 1)]
    assert [item["estimated_volume_cm3"] for item in found["items"]] == pytest.approx(volumes, rel=0.01)
    assert found["next_offset"] is None
    assert files_read(fake) == 1


async def test_segments_have_their_volumes_without_the_frames_groups() -> None:
    """300 frames of 16 pixels of 2 mm2 and 1 mm: segment 1 is full, of segment 2 one row of four is."""
    frames, full, row = 300, b"\xff\xff", b"\x0f\x00"
    groups = [
        frame(1 + number % 2, float(number // 2), FrameContentSequence=[made(FrameComments="x" * 4_000)])
        for number in range(frames)
    ]
    seg = segmentation(
        [segment(1, "Liver"), segment(2, "Lesion")], groups, {"SliceThickness": 1, "SpacingBetweenSlices": 1},
        BitsAllocated=1, BitsStored=1, HighBit=0, PixelRepresentation=0, SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
    )  # fmt: skip
    seg.add_new("PixelData", "OB", (full + row) * (frames // 2))
    found, fake = await described(seg, "PerFrameFunctionalGroupsSequence")
    assert [item["voxels"] for item in found["items"]] == [16 * 150, 4 * 150]
    assert [item["volume_ml"] for item in found["items"]] == pytest.approx([4.8, 1.2])
    assert files_read(fake) == 1


async def test_a_deep_report_is_read_to_its_end() -> None:
    found, fake = await described(deep_report(), "ContentSequence", max_characters=40_000)
    assert [level for level in range(1, DEPTH + 1) if f"finding {level}." in found["text"]] == [*range(1, DEPTH + 1)]
    assert files_read(fake) == 1


async def test_only_fields_that_google_knows_are_asked_for() -> None:
    """The fake answers 400 to others, as Google does."""
    images = [
        placed("1.2.840.10008.5.1.4.1.1.2", "CT", InstanceNumber=number, Rows=2, Columns=2) for number in range(1, 4)
    ]
    for number, one in enumerate(images, start=1):
        one.SeriesInstanceUID, one.SOPInstanceUID = CT, f"{CT}.{number}"
    contour = made(ContourImageSequence=references(f"{CT}.1"), ContourData=[0, 0, 0])
    small = placed(STRUCTURE_SET, "RTSTRUCT", ROIContourSequence=[made(ContourSequence=[contour])])
    fake, statuses = Google(Store(*images, small)), []

    def told(request: httpx.Request) -> httpx.Response:
        answered = fake(request)
        statuses.append(answered.status_code)
        return answered

    async with Client(build(app_over({"pacs": (told, "google")})), raise_exceptions=True) as client:
        for tool, uids in [
            ("get_metadata", {}),
            ("get_metadata", {"series_uid": CT}),
            ("describe_object", {"series_uid": CT}),
            ("describe_object", {"series_uid": SERIES}),
        ]:
            before = len(fake.requests)
            await answer(client, tool, study_uid=STUDY, **uids)
            asked = fake.requests[before:]
            assert any(request.all("includefield") for request in asked), (tool, uids)
            assert 400 not in statuses, (tool, uids)
